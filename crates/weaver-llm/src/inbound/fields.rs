//! Members of a JSON object, or a refusal that names the one that is wrong.

use serde_json::{Map, Value};

use super::Fault;
use crate::chat::Part;

/// An object of a request. `null` counts as absent everywhere.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value) -> Result<Self, Fault> {
        value.as_object().map(Fields).ok_or_else(|| shape("", "an object", value))
    }

    pub fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub fn text(self, key: &str) -> Result<Option<&'a str>, Fault> {
        self.typed(key, "a text", Value::as_str)
    }

    /// A text that must be there.
    pub fn need(self, key: &str) -> Result<&'a str, Fault> {
        self.text(key)?.ok_or_else(|| Fault::invalid(format!("`{key}` is missing.")).at(key))
    }

    pub fn flag(self, key: &str) -> Result<Option<bool>, Fault> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub fn number(self, key: &str) -> Result<Option<f64>, Fault> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub fn count(self, key: &str) -> Result<Option<u32>, Fault> {
        let whole = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        self.typed(key, "a whole number from 0", whole)
    }

    pub fn integer(self, key: &str) -> Result<Option<i64>, Fault> {
        self.typed(key, "a whole number", Value::as_i64)
    }

    pub fn list(self, key: &str) -> Result<&'a [Value], Fault> {
        let list = self.typed(key, "a list", |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    pub fn object(self, key: &str) -> Result<Option<Fields<'a>>, Fault> {
        self.typed(key, "an object", |value| value.as_object().map(Fields))
    }

    /// Texts that may come as one.
    pub fn texts(self, key: &str) -> Result<Vec<String>, Fault> {
        if let Some(Value::String(text)) = self.get(key) {
            return Ok(vec![text.clone()]);
        }
        let texts = self.list(key)?.iter().enumerate().map(|(i, text)| {
            let text = text.as_str().ok_or_else(|| shape("", "a text", text));
            text.map(str::to_string).map_err(|fault| fault.within(key, i))
        });
        texts.collect()
    }

    /// Each item of a list read, the place of a wrong one named.
    pub fn each<T>(
        self,
        key: &str,
        mut read: impl FnMut(&'a Value) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let items = self.list(key)?.iter().enumerate();
        items.map(|(i, item)| read(item).map_err(|fault| fault.within(key, i))).collect()
    }

    /// Content: a text, or a list of parts.
    pub fn parts(
        self,
        key: &str,
        read: impl FnMut(&'a Value) -> Result<Part, Fault>,
    ) -> Result<Vec<Part>, Fault> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![Part::text(text)]),
            Some(_) => self.each(key, read),
        }
    }

    fn typed<T>(
        self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| shape(key, wanted, value))
    }
}

/// A value of a wrong kind.
pub(super) fn shape(key: &str, wanted: &str, found: &Value) -> Fault {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let name = if key.is_empty() { "This".into() } else { format!("`{key}`") };
    Fault::invalid(format!("{name} must be {wanted} and is {found}.")).at(key)
}
