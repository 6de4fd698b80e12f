//! Python objects leave as values.

use std::collections::HashMap;

use monty_types::unstable::{MontyGraph, MontyNode, NodeId};
use monty_types::{MontyDate, MontyTime, MontyUuid};
use weaver_core::value::TYPE_KEY;

use crate::wire::{self, MAX_DEPTH, Malformed, Reader, Writer};

/// Classes of ours by identity: what their instances are outside.
#[derive(Default, Clone)]
pub(super) struct ClassTable {
    tags: HashMap<MontyUuid, (String, String)>,
}

/// Why a value cannot leave.
#[derive(Debug)]
pub(super) enum ExportError {
    /// It is, or holds, something that is no data: a sentence that names it and its place.
    NotData(String),
    /// It is larger than the call's output limit.
    TooLarge,
}

impl ClassTable {
    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Reads what the driver says once: a dict of tag to one instance of each class
    /// (a class by itself has no identity outside).
    pub(super) fn read(graph: &MontyGraph, root: NodeId) -> Option<Self> {
        let MontyNode::Dict(pairs) = graph.node(root) else { return None };
        let mut tags = HashMap::new();
        for (tag, classes) in pairs {
            let (MontyNode::String(tag), MontyNode::List(classes)) =
                (graph.node(*tag), graph.node(*classes))
            else {
                return None;
            };
            for instance in classes {
                let MontyNode::ClassInstance { class_type, .. } = graph.node(*instance) else {
                    return None;
                };
                let MontyNode::ClassType(class) = graph.node(*class_type) else { return None };
                tags.insert(class.id, (tag.clone(), class.name.clone()));
            }
        }
        Some(ClassTable { tags })
    }

    pub(super) fn save(&self, w: &mut Writer) {
        w.uint(self.tags.len() as u64);
        for (id, (tag, name)) in &self.tags {
            w.bytes(id.as_bytes());
            w.str(tag);
            w.str(name);
        }
    }

    pub(super) fn restore(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let n = r.count()?;
        let mut tags = HashMap::with_capacity(n);
        for _ in 0..n {
            let id = MontyUuid::try_from_slice(r.bytes()?).ok_or(Malformed)?;
            tags.insert(id, (r.str()?.to_owned(), r.str()?.to_owned()));
        }
        Ok(ClassTable { tags })
    }
}

/// Encodes one value of a graph as [`Writer::value`] would.
pub(super) fn export(
    graph: &MontyGraph,
    root: NodeId,
    classes: &ClassTable,
    limit: usize,
) -> Result<Vec<u8>, ExportError> {
    let mut exporter = Exporter { graph, classes, limit, path: Vec::new(), out: Writer::default() };
    exporter.value(root)?;
    Ok(exporter.out.into_bytes())
}

struct Exporter<'a> {
    graph: &'a MontyGraph,
    classes: &'a ClassTable,
    limit: usize,
    /// Where we are, for messages: `messages`, `[3]`, `.content`.
    path: Vec<String>,
    out: Writer,
}

impl<'a> Exporter<'a> {
    fn value(&mut self, id: NodeId) -> Result<(), ExportError> {
        if self.out.len() > self.limit {
            return Err(ExportError::TooLarge);
        }
        if self.path.len() > MAX_DEPTH {
            return Err(self.refuse(&format!("data nested more than {MAX_DEPTH} deep")));
        }
        match self.graph.node(id) {
            MontyNode::None => self.out.u8(wire::NULL),
            MontyNode::Bool(b) => self.out.u8(if *b { wire::TRUE } else { wire::FALSE }),
            MontyNode::Int(n) => self.out.int(*n),
            MontyNode::Float(x) => self.out.float(*x),
            MontyNode::String(text) => self.text(text)?,
            MontyNode::Path(text) => self.text(text)?,
            MontyNode::BigInt(n) => self.tagged_text("int", "value", &n.to_string()),
            MontyNode::Bytes(bytes) => {
                use base64::{Engine, prelude::BASE64_STANDARD};
                self.room(bytes.len())?;
                self.tagged_text("bytes", "base64", &BASE64_STANDARD.encode(bytes));
            }
            MontyNode::List(items) | MontyNode::Tuple(items) => self.items(items)?,
            MontyNode::NamedTuple { values, .. } => self.items(values)?,
            MontyNode::Set(items) | MontyNode::FrozenSet(items) => self.set(items)?,
            MontyNode::Dict(pairs) => self.dict(pairs)?,
            MontyNode::Date(date) => self.tagged_text("date", "value", &show_date(date)),
            MontyNode::Time(time) => self.tagged_text("time", "value", &show_time(time)),
            MontyNode::DateTime(at) => {
                let date = MontyDate { year: at.year, month: at.month, day: at.day };
                let time = MontyTime {
                    hour: at.hour,
                    minute: at.minute,
                    second: at.second,
                    microsecond: at.microsecond,
                    offset_seconds: at.offset_seconds,
                    timezone_name: None,
                    fold: 0,
                };
                let text = format!("{}T{}", show_date(&date), show_time(&time));
                self.tagged_text("datetime", "value", &text);
            }
            MontyNode::TimeDelta(delta) => {
                let total = i128::from(delta.days) * 86_400_000_000
                    + i128::from(delta.seconds) * 1_000_000
                    + i128::from(delta.microseconds);
                self.tagged_text("timedelta", "value", &show_micros(total));
            }
            MontyNode::Exception { exc_type, arg } => {
                let class: &str = exc_type.into();
                self.head("object", 2);
                self.key("class");
                self.out.text(class);
                self.key("fields");
                self.out.u8(wire::MAP);
                self.out.uint(1);
                self.key("args");
                self.out.u8(wire::LIST);
                self.out.uint(arg.iter().len() as u64);
                arg.iter().for_each(|arg| self.out.text(arg));
            }
            MontyNode::ClassInstance { class_type, attrs, .. } => {
                self.instance(*class_type, attrs)?;
            }
            other => return Err(self.refuse(&describe(other))),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ExportError> {
        self.room(text.len())?;
        self.out.text(text);
        Ok(())
    }

    fn room(&self, bytes: usize) -> Result<(), ExportError> {
        if self.out.len().saturating_add(bytes) > self.limit {
            Err(ExportError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn items(&mut self, items: &[NodeId]) -> Result<(), ExportError> {
        self.out.u8(wire::LIST);
        self.out.uint(items.len() as u64);
        for (index, item) in items.iter().enumerate() {
            self.inside(|| format!("[{index}]"), *item)?;
        }
        Ok(())
    }

    /// Encodes a part; the path is only made for values that have parts, which
    /// are the only ones that can go wrong inside.
    fn inside(&mut self, step: impl FnOnce() -> String, id: NodeId) -> Result<(), ExportError> {
        match self.graph.node(id) {
            MontyNode::None | MontyNode::Bool(_) | MontyNode::Int(_) | MontyNode::String(_) => {
                self.value(id)
            }
            _ => {
                self.path.push(step());
                self.value(id)?;
                self.path.pop();
                Ok(())
            }
        }
    }

    /// In one order whatever the hashes were: numbers by size, text by letters, rest by bytes.
    fn set(&mut self, items: &[NodeId]) -> Result<(), ExportError> {
        let mut encoded = Vec::with_capacity(items.len());
        for item in items {
            let outer = std::mem::take(&mut self.out);
            let result = self.inside(|| "{…}".into(), *item);
            let bytes = std::mem::replace(&mut self.out, outer).into_bytes();
            result?;
            let rank = match self.graph.node(*item) {
                MontyNode::Int(n) => (0, *n as f64, String::new()),
                MontyNode::Float(x) => (0, *x, String::new()),
                MontyNode::String(text) => (1, 0.0, text.clone()),
                _ => (2, 0.0, String::new()),
            };
            encoded.push((rank, bytes));
        }
        encoded.sort_by(|((a, x, s), p), ((b, y, t), q)| {
            a.cmp(b).then(x.total_cmp(y)).then(s.cmp(t)).then(p.cmp(q))
        });
        self.head("set", 1);
        self.key("items");
        self.out.u8(wire::LIST);
        self.out.uint(encoded.len() as u64);
        for (_, bytes) in encoded {
            self.room(bytes.len())?;
            self.out.raw(&bytes);
        }
        Ok(())
    }

    fn dict(&mut self, pairs: &'a [(NodeId, NodeId)]) -> Result<(), ExportError> {
        let keys: Option<Vec<&str>> = pairs.iter().map(|(key, _)| self.string(*key)).collect();
        match keys {
            Some(keys) => {
                self.out.u8(wire::MAP);
                self.out.uint(pairs.len() as u64);
                for (key, (_, value)) in keys.into_iter().zip(pairs) {
                    self.room(key.len())?;
                    self.key(key);
                    self.inside(|| format!("[{key:?}]"), *value)?;
                }
            }
            None => {
                self.head("dict", 1);
                self.key("items");
                self.out.u8(wire::LIST);
                self.out.uint(pairs.len() as u64);
                for (key, value) in pairs {
                    self.out.u8(wire::LIST);
                    self.out.uint(2);
                    self.inside(|| "[a key]".into(), *key)?;
                    self.inside(|| "[…]".into(), *value)?;
                }
            }
        }
        Ok(())
    }

    fn instance(
        &mut self,
        class: NodeId,
        attrs: &'a [(NodeId, NodeId)],
    ) -> Result<(), ExportError> {
        let MontyNode::ClassType(class) = self.graph.node(class) else {
            return Err(self.refuse("an object without a class"));
        };
        let attrs = attrs.iter().filter_map(|(key, value)| Some((self.string(*key)?, *value)));
        let attrs: Vec<_> = attrs.filter(|(key, _)| !key.starts_with('_')).collect();
        let known = self.classes.tags.get(&class.id);
        match known.map(|(tag, name)| (tag.as_str(), name.as_str())) {
            Some(("schema", name)) => self.object(name, attrs),
            Some(("value", _)) => match attrs.iter().find(|(key, _)| *key == "value") {
                Some((_, value)) => self.value(*value),
                None => Err(self.refuse("an enum member without a value")),
            },
            Some(("refused", name)) => Err(self.refuse(&format!("a {name} object"))),
            Some((tag, name)) => self.record(tag, name, attrs),
            None if class.is_dataclass => self.object(&class.name, attrs),
            None => Err(self.refuse(&format!("an object of class {}", class.name))),
        }
    }

    fn object(&mut self, class: &str, attrs: Vec<(&'a str, NodeId)>) -> Result<(), ExportError> {
        self.head("object", 2);
        self.key("class");
        self.out.text(class);
        self.key("fields");
        self.out.u8(wire::MAP);
        self.out.uint(attrs.len() as u64);
        for (key, value) in attrs {
            self.key(key);
            self.inside(|| format!(".{key}"), value)?;
        }
        Ok(())
    }

    /// A message, a `Command` …: a tagged map of what is set.
    fn record(
        &mut self,
        tag: &str,
        class: &str,
        mut attrs: Vec<(&'a str, NodeId)>,
    ) -> Result<(), ExportError> {
        let graph = self.graph;
        let keeps = |key: &str, id: NodeId| match graph.node(id) {
            MontyNode::None => tag == "send" || tag == "overwrite" || tag == "interrupt",
            MontyNode::List(items) => key == "content" || tag != "message" || !items.is_empty(),
            MontyNode::Dict(items) => key == "content" || tag != "message" || !items.is_empty(),
            _ => true,
        };
        attrs.retain(|(key, id)| keeps(key, *id));
        let kind = message_type(class).filter(|_| tag == "message");
        self.head(tag, attrs.len() + usize::from(kind.is_some()));
        if let Some(kind) = kind {
            self.key("type");
            self.out.text(kind);
        }
        for (key, value) in attrs {
            self.key(key);
            self.inside(|| format!(".{key}"), value)?;
        }
        Ok(())
    }

    fn string(&self, id: NodeId) -> Option<&'a str> {
        match self.graph.node(id) {
            MontyNode::String(text) => Some(text),
            _ => None,
        }
    }

    /// Starts a tagged map with room for `parts` more entries.
    fn head(&mut self, tag: &str, parts: usize) {
        self.out.u8(wire::MAP);
        self.out.uint(1 + parts as u64);
        self.key(TYPE_KEY);
        self.out.text(tag);
    }

    fn key(&mut self, key: &str) {
        self.out.str(key);
    }

    fn tagged_text(&mut self, tag: &str, key: &str, text: &str) {
        self.head(tag, 1);
        self.key(key);
        self.out.text(text);
    }

    fn refuse(&self, what: &str) -> ExportError {
        let place = match self.path.concat() {
            path if path.is_empty() => String::new(),
            path if path.len() > 200 => " somewhere inside the value".into(),
            path => format!(" at {path}"),
        };
        ExportError::NotData(format!("{what}{place} cannot leave the function: it is no data"))
    }
}

fn message_type(class: &str) -> Option<&'static str> {
    Some(match class {
        "HumanMessage" | "HumanMessageChunk" => "human",
        "AIMessage" | "AIMessageChunk" => "ai",
        "SystemMessage" => "system",
        "ToolMessage" => "tool",
        "RemoveMessage" => "remove",
        _ => return None,
    })
}

fn describe(node: &MontyNode) -> String {
    match node {
        MontyNode::Ellipsis => "`...`".into(),
        MontyNode::Cycle(_) => "an object that contains itself".into(),
        MontyNode::Type(kind) => format!("the class {kind}"),
        MontyNode::ClassType(class) => format!("the class {}", class.name),
        MontyNode::Function { name, .. } => format!("the function {name}"),
        MontyNode::BuiltinFunction(function) => format!("the function {function}"),
        MontyNode::Module { name, .. } => format!("the module {name}"),
        MontyNode::Complex(_) => "a complex number".into(),
        MontyNode::Decimal(_) => "a Decimal (use float or str)".into(),
        MontyNode::FileHandle(_) => "an open file".into(),
        MontyNode::Repr(text) if text == "<deeply nested>" => {
            format!("data nested more than {MAX_DEPTH} deep")
        }
        MontyNode::Repr(text) => {
            let short: String = text.chars().take(80).collect();
            format!("`{short}`")
        }
        _ => "an object of this kind".into(),
    }
}

fn show_date(date: &MontyDate) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

fn show_time(time: &MontyTime) -> String {
    let mut text = format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    if time.microsecond != 0 {
        text += &format!(".{:06}", time.microsecond);
    }
    if let Some(offset) = time.offset_seconds {
        let (sign, n) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        text += &format!("{sign}{:02}:{:02}", n / 3600, n / 60 % 60);
        if n % 60 != 0 {
            text += &format!(":{:02}", n % 60);
        }
    }
    text
}

/// ISO 8601 with days and seconds: `P1DT3.5S`, `-P0DT1S`.
fn show_micros(total: i128) -> String {
    let sign = if total < 0 { "-" } else { "" };
    let n = total.unsigned_abs();
    let (days, seconds, micros) = (n / 86_400_000_000, n / 1_000_000 % 86_400, n % 1_000_000);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{sign}P{days}DT{seconds}{fraction}S")
}
