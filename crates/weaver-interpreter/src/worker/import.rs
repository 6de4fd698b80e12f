//! Values from the pool become Python objects.
//!
//! What Python has natively (bytes, sets, dates, big integers) is made here.
//! Other tagged maps (messages, schema instances, `Command` …) stay dicts and are
//! listed as *repairs*: container, key and dict, innermost first. The Python
//! side replaces each by its object, so it walks only what needs it. Messages, of
//! which a state has most, are listed apart in the form that makes them fastest.

use std::collections::HashMap;

use monty_types::unstable::{MontyGraph, MontyNode, NodeId};
use monty_types::{MontyDate, MontyDateTime, MontyTime, MontyTimeDelta};
use weaver_core::value::TYPE_KEY;

use crate::wire::{self, MAX_DEPTH, Malformed, Reader};

/// Builds one message's objects.
#[derive(Default)]
pub(super) struct Importer {
    pub(super) graph: MontyGraph,
    /// Keys and other short texts, which a state has over and over again.
    texts: HashMap<String, NodeId>,
    messages: Vec<NodeId>,
    repairs: Vec<NodeId>,
    changes: Vec<NodeId>,
}

/// What becomes of an imported value.
enum Child {
    /// It is what it should be.
    Done,
    /// It is a dict that Python replaces.
    Tagged,
    /// It is nothing yet: type, content, id, name and the rest of a message.
    Message([NodeId; 5]),
    /// It is kept: slot, what to do with it, and a list of what that needs.
    Kept([NodeId; 3]),
}

/// Texts up to this long are worth looking up.
const SHORT_TEXT_BYTES: usize = 16;

impl Importer {
    pub(super) fn text(&mut self, text: &str) -> NodeId {
        if text.len() > SHORT_TEXT_BYTES {
            return self.graph.push(MontyNode::String(text.to_owned()));
        }
        if let Some(id) = self.texts.get(text) {
            return *id;
        }
        let id = self.graph.push(MontyNode::String(text.to_owned()));
        self.texts.insert(text.to_owned(), id);
        id
    }

    /// A list of `n` values.
    pub(super) fn list(
        &mut self,
        r: &mut Reader<'_>,
        n: usize,
        depth: usize,
    ) -> Result<NodeId, Malformed> {
        let mut ids = Vec::with_capacity(n);
        let mut open = Vec::new();
        for index in 0..n {
            let (id, child) = self.value(r, depth + 1)?;
            ids.push(id);
            if !matches!(child, Child::Done) {
                open.push((index, id, child));
            }
        }
        let list = self.graph.push(MontyNode::List(ids));
        for (index, id, child) in open {
            let key = self.graph.push(MontyNode::Int(index as i64));
            self.repair(list, key, id, child);
        }
        Ok(list)
    }

    /// A dict of the entries of a map.
    pub(super) fn dict(&mut self, r: &mut Reader<'_>, depth: usize) -> Result<NodeId, Malformed> {
        Ok(self.map(r, depth)?.0)
    }

    fn map(&mut self, r: &mut Reader<'_>, depth: usize) -> Result<(NodeId, Child), Malformed> {
        let n = r.count()?;
        let mut pairs = Vec::with_capacity(n);
        let mut open = Vec::new();
        let mut tag = None;
        for _ in 0..n {
            let name = r.str()?;
            let key = self.text(name);
            let (id, child) = self.value(r, depth + 1)?;
            if name == TYPE_KEY
                && let MontyNode::String(text) = self.graph.node(id)
            {
                tag = Some(text.clone());
            }
            if !matches!(child, Child::Done) {
                open.push((key, id, child));
            }
            pairs.push((key, id));
        }
        if let Some(tag) = tag.as_deref() {
            if tag == "message"
                && open.is_empty()
                && let Some(parts) = self.message(&pairs)
            {
                return Ok((self.graph.push(MontyNode::None), Child::Message(parts)));
            }
            if let Some(node) = self.native(tag, &pairs) {
                return Ok((self.graph.push(node), Child::Done));
            }
        }
        let dict = self.graph.push(MontyNode::Dict(pairs));
        for (key, id, child) in open {
            self.repair(dict, key, id, child);
        }
        Ok((dict, if tag.is_some() { Child::Tagged } else { Child::Done }))
    }

    /// The parts of a message that Python makes from content, id and name; the
    /// other kinds of messages are as rare as they are different.
    fn message(&mut self, pairs: &[(NodeId, NodeId)]) -> Option<[NodeId; 5]> {
        let nothing = self.graph.push(MontyNode::None);
        let [mut kind, mut content, mut id, mut name] = [nothing; 4];
        let mut rest = Vec::new();
        for (key, value) in pairs {
            let MontyNode::String(text) = self.graph.node(*key) else { return None };
            match text.as_str() {
                TYPE_KEY => {}
                "type" => kind = *value,
                "content" => content = *value,
                "id" => id = *value,
                "name" => name = *value,
                _ => rest.push((*key, *value)),
            }
        }
        let plain = matches!(self.graph.node(kind), MontyNode::String(kind)
            if matches!(kind.as_str(), "human" | "ai" | "system"));
        if !plain || content == nothing {
            return None;
        }
        let rest = match rest.is_empty() {
            true => nothing,
            false => self.graph.push(MontyNode::Dict(rest)),
        };
        Some([kind, content, id, name, rest])
    }

    /// What Python has still to do: lists of `(container, key, type, content, id,
    /// name, rest)` and `(container, key, dict)`, or `None`.
    pub(super) fn repairs(&mut self) -> NodeId {
        if self.messages.is_empty() && self.repairs.is_empty() {
            return self.graph.push(MontyNode::None);
        }
        let messages = std::mem::take(&mut self.messages);
        let repairs = std::mem::take(&mut self.repairs);
        let lists = [messages, repairs].map(|list| self.graph.push(MontyNode::List(list)));
        self.graph.push(MontyNode::Tuple(lists.to_vec()))
    }

    /// What Python has still to do with what it keeps: whether it forgets it first,
    /// and a list of `(container, key, slot, what, [value])`; or `None`.
    pub(super) fn changes(&mut self, forget: bool) -> NodeId {
        if self.changes.is_empty() && !forget {
            return self.graph.push(MontyNode::None);
        }
        let forget = self.graph.push(MontyNode::Bool(forget));
        let changes = std::mem::take(&mut self.changes);
        let changes = self.graph.push(MontyNode::List(changes));
        self.graph.push(MontyNode::Tuple(vec![forget, changes]))
    }

    fn kept(
        &mut self,
        r: &mut Reader<'_>,
        depth: usize,
        what: &str,
    ) -> Result<(NodeId, Child), Malformed> {
        let slot = i64::try_from(r.uint()?).map_err(|_| Malformed)?;
        let slot = self.graph.push(MontyNode::Int(slot));
        let value = match what {
            "kept" => self.graph.push(MontyNode::None),
            _ => self.list(r, 1, depth)?,
        };
        let what = self.text(what);
        Ok((self.graph.push(MontyNode::None), Child::Kept([slot, what, value])))
    }

    fn repair(&mut self, container: NodeId, key: NodeId, id: NodeId, child: Child) {
        match child {
            Child::Done => {}
            Child::Tagged => {
                let triple = self.graph.push(MontyNode::Tuple(vec![container, key, id]));
                self.repairs.push(triple);
            }
            Child::Kept(parts) => {
                let all = [container, key].into_iter().chain(parts).collect();
                let tuple = self.graph.push(MontyNode::Tuple(all));
                self.changes.push(tuple);
            }
            Child::Message(parts) => {
                let all = [container, key].into_iter().chain(parts).collect();
                let tuple = self.graph.push(MontyNode::Tuple(all));
                self.messages.push(tuple);
            }
        }
    }

    fn value(&mut self, r: &mut Reader<'_>, depth: usize) -> Result<(NodeId, Child), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        let node = match r.u8()? {
            wire::NULL => MontyNode::None,
            wire::FALSE => MontyNode::Bool(false),
            wire::TRUE => MontyNode::Bool(true),
            wire::INT => MontyNode::Int(r.int()?),
            wire::FLOAT => MontyNode::Float(r.float()?),
            wire::STR => return Ok((self.text(r.str()?), Child::Done)),
            wire::LIST => {
                let n = r.count()?;
                return Ok((self.list(r, n, depth)?, Child::Done));
            }
            wire::MAP => return self.map(r, depth),
            wire::KEEP => return self.kept(r, depth, "keep"),
            wire::KEPT => return self.kept(r, depth, "kept"),
            wire::MORE => return self.kept(r, depth, "more"),
            _ => return Err(Malformed),
        };
        Ok((self.graph.push(node), Child::Done))
    }

    /// The Python object of a tagged map, where Python has one; a map that only
    /// looks like one stays a dict.
    fn native(&mut self, tag: &str, pairs: &[(NodeId, NodeId)]) -> Option<MontyNode> {
        let part = |name: &str| {
            let is_name = |id| matches!(self.graph.node(id), MontyNode::String(key) if key == name);
            pairs.iter().find(|(key, _)| is_name(*key)).map(|(_, value)| *value)
        };
        let text = |name| match self.graph.node(part(name)?) {
            MontyNode::String(text) => Some(text.as_str()),
            _ => None,
        };
        let items = |id| match self.graph.node(id) {
            MontyNode::List(ids) => Some(ids.clone()),
            _ => None,
        };
        match tag {
            "int" => Some(MontyNode::BigInt(text("value")?.parse().ok()?)),
            "bytes" => {
                use base64::{Engine, prelude::BASE64_STANDARD};
                Some(MontyNode::Bytes(BASE64_STANDARD.decode(text("base64")?).ok()?))
            }
            "set" => {
                let ids = items(part("items")?)?;
                Some(MontyNode::Set(ids.into_iter().map(|id| self.hashable(id)).collect()))
            }
            "dict" => {
                let mut entries = Vec::new();
                for pair in items(part("items")?)? {
                    let [key, value] = items(pair)?.try_into().ok()?;
                    entries.push((key, value));
                }
                let hashable = entries.into_iter().map(|(key, value)| (self.hashable(key), value));
                Some(MontyNode::Dict(hashable.collect()))
            }
            "date" => parse_date(text("value")?).map(MontyNode::Date),
            "datetime" => parse_datetime(text("value")?).map(MontyNode::DateTime),
            "time" => parse_time(text("value")?).map(MontyNode::Time),
            "timedelta" => parse_timedelta(text("value")?).map(MontyNode::TimeDelta),
            _ => None,
        }
    }

    /// A list inside a set or as a key was a tuple.
    fn hashable(&mut self, id: NodeId) -> NodeId {
        match self.graph.node(id) {
            MontyNode::List(ids) => {
                let ids = ids.clone().into_iter().map(|id| self.hashable(id)).collect();
                self.graph.push(MontyNode::Tuple(ids))
            }
            _ => id,
        }
    }
}

fn parse_date(text: &str) -> Option<MontyDate> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next();
    let date = MontyDate {
        year: part()?.parse().ok()?,
        month: part()?.parse().ok()?,
        day: part()?.parse().ok()?,
    };
    let valid = (1..=9999).contains(&date.year)
        && (1..=12).contains(&date.month)
        && (1..=days_in_month(date.year, date.month)).contains(&date.day);
    valid.then_some(date)
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `HH:MM:SS[.ffffff][+HH:MM]`.
fn parse_time(text: &str) -> Option<MontyTime> {
    let (clock, offset_seconds) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], Some(parse_offset(&text[at..])?)),
        None => match text.strip_suffix('Z') {
            Some(clock) => (clock, Some(0)),
            None => (text, None),
        },
    };
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = seconds.split(':').map(|part| part.parse::<u8>().ok());
    let mut part = |limit| parts.next().flatten().filter(|n| *n < limit);
    let (hour, minute, second) = (part(24)?, part(60)?, part(60)?);
    let microsecond = match fraction {
        "" => 0,
        digits if digits.len() <= 6 => format!("{digits:0<6}").parse().ok()?,
        _ => return None,
    };
    Some(MontyTime {
        hour,
        minute,
        second,
        microsecond,
        offset_seconds,
        timezone_name: None,
        fold: 0,
    })
}

/// `+HH:MM[:SS]` in seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.get(1..)?.split(':') {
        seconds += part.parse::<i32>().ok()?.checked_mul(unit)?;
        unit /= 60;
    }
    (seconds < 86_400).then_some(sign * seconds)
}

fn parse_datetime(text: &str) -> Option<MontyDateTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    let (date, time) = (parse_date(date)?, parse_time(time)?);
    Some(MontyDateTime {
        year: date.year,
        month: date.month,
        day: date.day,
        hour: time.hour,
        minute: time.minute,
        second: time.second,
        microsecond: time.microsecond,
        offset_seconds: time.offset_seconds,
        timezone_name: None,
    })
}

/// `[-]PnDTnS` with a fraction of up to six digits: what [`super::export`] writes.
fn parse_timedelta(text: &str) -> Option<MontyTimeDelta> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (days, seconds) = text.strip_prefix('P')?.split_once("DT")?;
    let (whole, fraction) =
        seconds.strip_suffix('S')?.split_once('.').unwrap_or((seconds.strip_suffix('S')?, ""));
    let days: i64 = days.parse().ok()?;
    let micros: i64 =
        if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").parse().ok()? };
    let seconds: i64 = whole.parse().ok()?;
    let total = sign
        * (i128::from(days) * 86_400_000_000
            + i128::from(seconds) * 1_000_000
            + i128::from(micros));
    let days = total.div_euclid(86_400_000_000);
    let rest = total.rem_euclid(86_400_000_000);
    Some(MontyTimeDelta {
        days: i32::try_from(days).ok().filter(|days| days.unsigned_abs() <= 999_999_999)?,
        seconds: (rest / 1_000_000) as i32,
        microseconds: (rest % 1_000_000) as i32,
    })
}
