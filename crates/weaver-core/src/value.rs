//! [`Value`]: an immutable, cheaply cloned tree of state.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A mapping in insertion order, like a Python `dict` with string keys.
pub type Map = IndexMap<Arc<str>, Value>;

/// A state value. Cloning costs a reference count; growing a list that nobody
/// else holds costs no copy.
///
/// The JSON form is plain JSON. What Python has and JSON lacks is a map with
/// the reserved key [`TYPE_KEY`]:
///
/// | Python | map |
/// |---|---|
/// | `nan`, `inf`, `-inf` | `{"$type": "float", "value": "nan"}` (a [`Value::Float`] in memory) |
/// | `int` beyond 64 bits | `{"$type": "int", "value": "123…"}` |
/// | `bytes` | `{"$type": "bytes", "base64": "…"}` |
/// | `set`, `frozenset` | `{"$type": "set", "items": […]}` in a canonical order |
/// | `date`, `datetime`, `time`, `timedelta` | `{"$type": "datetime", "value": "ISO 8601"}` |
/// | a dataclass or schema instance | `{"$type": "object", "class": "Name", "fields": {…}}` |
/// | a LangChain message | `{"$type": "message", "type": "ai", "content": …}`, see [`crate::Message`] |
/// | a dict with a key that is no string | `{"$type": "dict", "items": [[k, v], …]}` |
/// | `Send`, `Command`, `Overwrite` | `{"$type": "send" / "command" / "overwrite", …}` |
///
/// Tuples become lists, as they do when LangGraph saves them.
#[derive(Clone, Default)]
pub enum Value {
    /// `None`.
    #[default]
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A float; not-a-number and the infinities are allowed.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A mapping with string keys.
    Map(Arc<Map>),
}

/// The reserved key that marks a tagged map.
pub const TYPE_KEY: &str = "$type";

impl Value {
    /// Text from anything that is text.
    pub fn str(text: impl Into<Arc<str>>) -> Self {
        Value::Str(text.into())
    }

    /// A list of the given items.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(Arc::new(items.into_iter().collect()))
    }

    /// A map of the given entries; a later entry replaces an earlier one of the same key.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Value::Map(Arc::new(entries.into_iter().map(|(k, v)| (k.into(), v)).collect()))
    }

    /// A tagged map: `{"$type": tag, …entries}`.
    pub fn tagged<K: Into<Arc<str>>>(
        tag: &str,
        entries: impl IntoIterator<Item = (K, Value)>,
    ) -> Self {
        let head = (Arc::from(TYPE_KEY), Value::str(tag));
        let rest = entries.into_iter().map(|(k, v)| (k.into(), v));
        Value::Map(Arc::new(std::iter::once(head).chain(rest).collect()))
    }

    /// The tag of a tagged map.
    pub fn tag(&self) -> Option<&str> {
        let map = self.as_map()?;
        // What the platform makes has its tag first, and this is asked of every
        // message of every step: a look there is cheaper than a search.
        match map.first() {
            Some((key, tag)) if **key == *TYPE_KEY => tag.as_str(),
            _ => map.get(TYPE_KEY)?.as_str(),
        }
    }

    /// The entry of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if this is a map.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The number as a float, if this is an integer or a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// Whether this is `None`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Python's truth: empty, zero and `None` are false.
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(map) => match self.tag() {
                Some("set" | "dict") => self
                    .get("items")
                    .and_then(Value::as_list)
                    .is_some_and(|items| !items.is_empty()),
                _ => !map.is_empty(),
            },
        }
    }

    /// What Python calls the type, for messages: `str`, `dict`, `list`, `AIMessage` …
    pub fn type_name(&self) -> &str {
        match self {
            Value::Null => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::List(_) => "list",
            Value::Map(_) => match self.tag() {
                Some("object") => self.get("class").and_then(Value::as_str).unwrap_or("object"),
                Some("message") => match self.get("type").and_then(Value::as_str) {
                    Some("human") => "HumanMessage",
                    Some("ai") => "AIMessage",
                    Some("system") => "SystemMessage",
                    Some("tool") => "ToolMessage",
                    Some("remove") => "RemoveMessage",
                    _ => "BaseMessage",
                },
                Some("send") => "Send",
                Some("command") => "Command",
                Some("overwrite") => "Overwrite",
                Some(
                    tag @ ("int" | "bytes" | "set" | "date" | "datetime" | "time" | "timedelta"),
                ) => tag,
                _ => "dict",
            },
        }
    }

    /// The compact JSON text; the same value always gives the same bytes.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a Value has string keys and no failing part")
    }

    /// Reads JSON text.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value for people: tags that only the machine needs are taken off, so
    /// a message shows as `{"type": "ai", "content": …}` and an object as its fields.
    pub fn plain(&self) -> Value {
        match self {
            Value::List(items) => Value::list(items.iter().map(Value::plain)),
            Value::Map(map) => match self.tag() {
                Some("object") => self.get("fields").map(Value::plain).unwrap_or_default(),
                Some("set") => self.get("items").map(Value::plain).unwrap_or_default(),
                Some("date" | "datetime" | "time" | "timedelta") => {
                    self.get("value").cloned().unwrap_or_default()
                }
                _ => Value::map(
                    map.iter()
                        .filter(|(key, value)| {
                            &***key != TYPE_KEY || value.as_str() != Some("message")
                        })
                        .map(|(key, value)| (key.clone(), value.plain())),
                ),
            },
            other => other.clone(),
        }
    }

    /// How many bytes the value takes in memory, roughly: enough to decide what
    /// is large.
    pub fn approximate_size(&self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 8,
            Value::Str(text) => 16 + text.len(),
            Value::List(items) => 16 + items.iter().map(Value::approximate_size).sum::<usize>(),
            Value::Map(map) => {
                16 + map.iter().map(|(k, v)| 16 + k.len() + v.approximate_size()).sum::<usize>()
            }
        }
    }
}

impl PartialEq for Value {
    /// Python's equality: `1 == 1.0`, and dicts do not compare their order.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b) || a == b,
            (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

macro_rules! value_from {
    ($($source:ty => $make:expr),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from(source: $source) -> Self {
                let make: fn($source) -> Value = $make;
                make(source)
            }
        }
    )*};
}

value_from! {
    bool => Value::Bool,
    i64 => Value::Int,
    i32 => |n| Value::Int(n.into()),
    u32 => |n| Value::Int(n.into()),
    usize => |n| Value::Int(n as i64),
    f64 => Value::Float,
    &str => |text| Value::str(text),
    String => Value::str,
    Arc<str> => Value::Str,
    Vec<Value> => Value::list,
    Map => |map| Value::Map(Arc::new(map)),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(source: Option<T>) -> Self {
        source.map(Into::into).unwrap_or_default()
    }
}

impl From<&serde_json::Value> for Value {
    fn from(source: &serde_json::Value) -> Self {
        Value::deserialize(source).expect("any JSON value is a Value")
    }
}

impl From<&Value> for serde_json::Value {
    fn from(source: &Value) -> Self {
        serde_json::to_value(source).expect("any Value has a JSON form")
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Int(n) => serializer.serialize_i64(*n),
            Value::Float(x) if x.is_finite() => serializer.serialize_f64(*x),
            Value::Float(x) => {
                let name = if x.is_nan() {
                    "nan"
                } else if *x > 0.0 {
                    "inf"
                } else {
                    "-inf"
                };
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry(TYPE_KEY, "float")?;
                map.serialize_entry("value", name)?;
                map.end()
            }
            Value::Str(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter()),
            Value::Map(map) => serializer.collect_map(map.iter().map(|(k, v)| (&**k, v))),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map(Value::Int).unwrap_or_else(|_| big_int(&n.to_string())))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(Arc::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = access.next_entry::<Arc<str>, Value>()? {
            map.insert(key, value);
        }
        if map.get(TYPE_KEY).and_then(Value::as_str) == Some("float") {
            return match map.get("value").and_then(Value::as_str) {
                Some("nan") => Ok(Value::Float(f64::NAN)),
                Some("inf") => Ok(Value::Float(f64::INFINITY)),
                Some("-inf") => Ok(Value::Float(f64::NEG_INFINITY)),
                _ => Err(de::Error::custom("a tagged float must be nan, inf or -inf")),
            };
        }
        Ok(Value::Map(Arc::new(map)))
    }
}

/// An integer that does not fit 64 bits, from its decimal digits.
pub fn big_int(digits: &str) -> Value {
    Value::tagged("int", [("value", Value::str(digits))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip_keeps_order_and_odd_floats() {
        let text = r#"{"b":1,"a":[null,true,2.5,"x"],"n":{"$type":"float","value":"nan"}}"#;
        let value = Value::from_json(text).unwrap();
        assert_eq!(value.to_json(), text);
        assert!(matches!(value.get("n"), Some(Value::Float(x)) if x.is_nan()));
    }

    #[test]
    fn integers_beyond_64_bits_keep_their_digits() {
        let value = Value::from_json("18446744073709551615").unwrap();
        assert_eq!(value, big_int("18446744073709551615"));
    }

    #[test]
    fn plain_takes_message_and_object_tags_off() {
        let message = Value::tagged("message", [("type", "ai".into()), ("content", "hi".into())]);
        assert_eq!(message.plain().to_json(), r#"{"type":"ai","content":"hi"}"#);
        let fields = Value::map([("x", Value::Int(1))]);
        let object = Value::tagged("object", [("class", "P".into()), ("fields", fields)]);
        assert_eq!(object.plain().to_json(), r#"{"x":1}"#);
    }

    #[test]
    fn equality_is_pythons() {
        assert_eq!(Value::Int(1), Value::Float(1.0));
        assert_eq!(
            Value::from_json(r#"{"a":1,"b":2}"#).unwrap(),
            Value::from_json(r#"{"b":2,"a":1}"#).unwrap()
        );
    }
}
