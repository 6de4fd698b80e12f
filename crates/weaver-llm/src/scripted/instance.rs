//! Data that fits a JSON Schema, made without a model: the smallest instance that
//! makes sense, with words and numbers of the request where they fit.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use super::builtin::first_sentence;
use super::reading;

/// Depth at which optional members are left out, so that a schema that contains
/// itself comes to an end.
const DEPTH_OF_OPTIONAL: usize = 4;
/// Depth at which nothing more is made.
const DEPTH_MAX: usize = 32;
/// Items of a list when nothing says how many.
const ITEMS: usize = 3;
/// Names of numbers that point into a list.
const INDEXES: [&str; 7] = ["id", "index", "idx", "position", "rank", "offset", "page"];
/// Names of texts that take the whole request.
const WHOLE: [&str; 10] = [
    "query",
    "question",
    "text",
    "input",
    "message",
    "content",
    "prompt",
    "task",
    "request",
    "description",
];

/// What data is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An answer: all members, lists with several items.
    Answer,
    /// Arguments of a tool: what is required; members that have defaults keep them.
    Arguments,
}

/// What data is made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// What it is about: the request, or what tools answered to it.
    pub text: String,
    /// All that was said, for how many items are wanted.
    pub all: String,
    /// Numbers to take before those of the text.
    pub numbers: Vec<f64>,
    /// The conversation went on since the request: a choice may end it.
    pub went_on: bool,
}

/// An instance of a schema.
pub(super) fn instance(schema: &Value, subject: &Subject, purpose: Purpose) -> Value {
    let numbers = subject.numbers.iter().copied().chain(reading::numbers(&subject.text));
    let maker = Maker {
        root: schema,
        subject,
        purpose,
        numbers: numbers.collect(),
        taken: Cell::new(0),
        quotes: reading::quoted(&subject.text),
        quoted: Cell::new(0),
    };
    maker.make(schema, &Place::default())
}

/// Where in the data a value is.
#[derive(Clone, Default)]
struct Place<'a> {
    name: &'a str,
    depth: usize,
    /// In an item of a list: the list's name and the item's number from 1.
    item: Option<(&'a str, usize)>,
}

impl<'a> Place<'a> {
    fn down(&self) -> Place<'a> {
        Place { depth: self.depth + 1, ..self.clone() }
    }
}

struct Maker<'a> {
    root: &'a Value,
    subject: &'a Subject,
    purpose: Purpose,
    numbers: Vec<f64>,
    /// How many of the numbers are used up.
    taken: Cell<usize>,
    quotes: Vec<String>,
    quoted: Cell<usize>,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, place: &Place<'_>) -> Value {
        if place.depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.root.pointer(target.trim_start_matches('#'));
            return target.map_or(Value::Null, |target| self.make(target, &place.down()));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return self.choose(options);
        }
        if let Some(value) = schema.get("default").filter(|value| !value.is_null()) {
            return value.clone();
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(options) = schema.get(key).and_then(Value::as_array) {
                let real = options.iter().find(|option| option["type"] != "null");
                return real.map_or(Value::Null, |option| self.make(option, &place.down()));
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.make(&merged(schema, parts, self.root), &place.down());
        }
        match type_of(schema) {
            "object" => self.object(schema, place),
            "array" => self.array(schema, place),
            "integer" => json!(self.number(schema, place).round() as i64),
            "number" => json!(self.number(schema, place)),
            // A loop that waits for `approved` or `done` should end.
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => Value::String(self.string(schema, place)),
        }
    }

    fn object(&self, schema: &Value, place: &Place<'_>) -> Value {
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let all = self.purpose == Purpose::Answer && place.depth < DEPTH_OF_OPTIONAL;
        let mut object = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            if all || required.contains(&name.as_str()) {
                let place = Place { name, ..place.down() };
                object.insert(name.clone(), self.make(member, &place));
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, place: &Place<'_>) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
        let most = schema["maxItems"].as_u64().map_or(usize::MAX, |most| most as usize);
        let item = schema.get("items").cloned().unwrap_or(json!({"type": "string"}));
        let listed = match type_of(&item) {
            "string" if item.get("enum").is_none() => reading::listed(&self.subject.text),
            _ => Vec::new(),
        };
        let wanted = match self.purpose {
            _ if place.depth >= DEPTH_OF_OPTIONAL => least,
            _ if !listed.is_empty() => listed.len(),
            Purpose::Answer if place.item.is_none() => self.asked_for(place.name).unwrap_or(ITEMS),
            Purpose::Answer => 2,
            Purpose::Arguments => 1,
        };
        let count = wanted.max(least).min(most).min(1000);
        let items = (0..count).map(|i| match listed.get(i) {
            Some(text) => Value::String(limited(text.clone(), &item)),
            None => {
                let item_place = match self.purpose {
                    Purpose::Answer => Some((place.name, i + 1)),
                    Purpose::Arguments => place.item,
                };
                self.make(&item, &Place { item: item_place, ..place.down() })
            }
        });
        Value::Array(items.collect())
    }

    /// How many of something the request names: `3 analysts`.
    fn asked_for(&self, name: &str) -> Option<usize> {
        let tokens: Vec<&str> = self.subject.all.split_whitespace().collect();
        let counts = tokens.iter().enumerate().filter_map(|(at, token)| {
            let count: usize = token.parse().ok().filter(|n| (1..=20).contains(n))?;
            let words = reading::words(
                &tokens[at + 1..].iter().take(3).copied().collect::<Vec<_>>().join(" "),
            );
            words.iter().any(|word| reading::alike(word, &name.to_lowercase())).then_some(count)
        });
        counts.into_iter().next()
    }

    /// An option that the text mentions, else the first; the one that ends a
    /// conversation once it went on.
    fn choose(&self, options: &[Value]) -> Value {
        const ENDS: [&str; 7] = ["finish", "end", "done", "__end__", "stop", "final", "complete"];
        let ending = options.iter().find(|option| {
            option.as_str().is_some_and(|word| ENDS.contains(&word.to_lowercase().as_str()))
        });
        if let Some(ending) = ending.filter(|_| self.subject.went_on) {
            return ending.clone();
        }
        let text = self.subject.text.to_lowercase();
        let said = reading::words(&text);
        let mentioned = options.iter().filter_map(|option| {
            let name = option.as_str()?.to_lowercase().replace(['_', '-'], " ");
            let whole = text.contains(&name) && !name.is_empty();
            let share = reading::shared(&reading::words(&name), &said);
            (whole || share > 0).then_some((whole, share, option))
        });
        let best = mentioned.reduce(
            |best, next| {
                if (next.0, next.1) > (best.0, best.1) { next } else { best }
            },
        );
        best.map(|(_, _, option)| option).or(options.first()).cloned().unwrap_or_default()
    }

    /// The next number of the text that lies within the bounds; else the upper bound
    /// (a score that ends a loop), else the lower one, else 1. What points into a
    /// list points at its first item.
    fn number(&self, schema: &Value, place: &Place<'_>) -> f64 {
        let bound = |inclusive: &str, exclusive: &str, step: f64| {
            let exclusive = schema[exclusive].as_f64().map(|limit| limit + step);
            schema[inclusive].as_f64().or(exclusive)
        };
        let step = if type_of(schema) == "integer" { 1.0 } else { 0.001 };
        let low = bound("minimum", "exclusiveMinimum", step);
        let high = bound("maximum", "exclusiveMaximum", -step);
        if self.purpose == Purpose::Answer && points(schema, place.name) {
            return low.unwrap_or(0.0);
        }
        let fits = |n: &f64| low.is_none_or(|low| *n >= low) && high.is_none_or(|high| *n <= high);
        let rest = self.numbers.iter().enumerate().skip(self.taken.get());
        let next = rest.map(|(at, number)| (at, *number)).find(|(_, number)| fits(number));
        match next {
            Some((at, number)) => {
                self.taken.set(at + 1);
                number
            }
            None => {
                let last = self.numbers.iter().rev().copied().find(fits);
                let again = last.filter(|_| self.purpose == Purpose::Arguments);
                again.or(high).or(low).unwrap_or(1.0)
            }
        }
    }

    fn string(&self, schema: &Value, place: &Place<'_>) -> String {
        let fixed = match schema["format"].as_str() {
            Some("date") => Some("2000-01-01"),
            Some("date-time") => Some("2000-01-01T00:00:00Z"),
            Some("time") => Some("00:00:00Z"),
            Some("email") => Some("someone@example.com"),
            Some("uri" | "url") => Some("https://example.com/"),
            Some("uuid") => Some("00000000-0000-0000-0000-000000000000"),
            _ => None,
        };
        if let Some(fixed) = fixed {
            return fixed.into();
        }
        // `Field(description="'yes' or 'no'")` is a choice in all but name.
        let options = reading::quoted(schema["description"].as_str().unwrap_or_default());
        if options.len() > 1 && options.iter().all(|option| option.len() <= 24) {
            let options: Vec<Value> = options.into_iter().map(Value::String).collect();
            return self.choose(&options).as_str().unwrap_or_default().into();
        }
        let text = match self.purpose {
            Purpose::Arguments => self.argument(place.name),
            Purpose::Answer => None,
        };
        limited(text.unwrap_or_else(|| self.sentence(place)), schema)
    }

    /// The first sentence of the request, numbered in a list.
    fn sentence(&self, place: &Place<'_>) -> String {
        let whole = WHOLE.contains(&place.name);
        let text = first_sentence(&self.subject.text, if whole { 400 } else { 120 });
        let label = |name: &str| name.replace('_', " ");
        match place.item {
            Some((list, number)) if list == place.name || place.name.is_empty() => {
                format!("{} {number}: {text}", singular(&label(list)))
            }
            Some((_, number)) => format!("{} {number}: {text}", label(place.name)),
            None if text.is_empty() && place.name.is_empty() => "text".into(),
            None if text.is_empty() => place.name.into(),
            None => text,
        }
    }

    /// The piece of the request that an argument's name asks for.
    fn argument(&self, name: &str) -> Option<String> {
        let text = self.subject.text.as_str();
        let name = name.to_lowercase();
        let says = |parts: &[&str]| name.split('_').any(|part| parts.contains(&part));
        let token = |fits: &dyn Fn(&str) -> bool| {
            let bare =
                |word: &str| word.trim_matches([',', '.', '?', '!', ';', '"', '\'']).to_string();
            text.split_whitespace().find(|word| fits(word)).map(bare)
        };
        if WHOLE.contains(&name.as_str()) {
            return None;
        }
        if says(&["expression", "formula", "equation"]) {
            return reading::expression(text);
        }
        if let Some(quote) = self.quotes.get(self.quoted.get()) {
            self.quoted.set(self.quoted.get() + 1);
            return Some(quote.clone());
        }
        if says(&["email", "mail"]) {
            return token(&|word| word.contains('@'));
        }
        if says(&["url", "link", "address"])
            && let Some(url) = token(&|word| word.starts_with("http"))
        {
            return Some(url);
        }
        if says(&["id", "number", "no", "code"]) {
            return token(&|word| word.contains(|c: char| c.is_ascii_digit()));
        }
        let prepositions: &[&str] = if says(&["from", "origin", "source", "departure"]) {
            &["from"]
        } else if says(&["to", "destination", "target", "arrival", "recipient"]) {
            &["to"]
        } else if says(&["city", "location", "place", "country", "region", "town", "airport"]) {
            &["in", "for", "at", "near", "of", "from", "to"]
        } else if says(&["date", "day", "time", "when"]) {
            &["on", "at", "by", "until"]
        } else if says(&["topic", "subject", "keyword", "term"]) {
            &["about", "on", "of", "for"]
        } else if says(&["name", "title", "person", "user", "company"]) {
            return reading::phrase_after(text, &["named", "called"])
                .or_else(|| reading::proper_name(text));
        } else {
            return None;
        };
        reading::phrase_after(text, prepositions).or_else(|| reading::proper_name(text))
    }
}

/// Whether a number points into a list, as its name or description says.
fn points(schema: &Value, name: &str) -> bool {
    let description = schema["description"].as_str().unwrap_or_default().to_lowercase();
    name.to_lowercase().split('_').any(|part| INDEXES.contains(&part))
        || description.starts_with("index ")
        || description.starts_with("the index ")
}

/// A text within the schema's limits of length.
fn limited(mut text: String, schema: &Value) -> String {
    let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000) as usize;
    while text.chars().count() < least {
        text.push('.');
    }
    match schema["maxLength"].as_u64() {
        Some(most) => text.chars().take(most as usize).collect(),
        None => text,
    }
}

fn singular(name: &str) -> String {
    match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => name.strip_suffix('s').filter(|stem| !stem.ends_with('s')).unwrap_or(name).into(),
    }
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// One object schema out of the parts of an `allOf`.
fn merged(schema: &Value, parts: &[Value], root: &Value) -> Value {
    let mut merged = schema.clone();
    let Some(whole) = merged.as_object_mut() else { return merged };
    whole.remove("allOf");
    for part in parts {
        let target = part["$ref"].as_str().and_then(|to| root.pointer(to.trim_start_matches('#')));
        for (key, value) in target.unwrap_or(part).as_object().into_iter().flatten() {
            match (whole.get_mut(key), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.clone()),
                _ => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
    }
    merged
}
