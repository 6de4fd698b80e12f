//! [`StateValue`]: the few things the engine needs of a state value.

use std::fmt::Debug;
use std::sync::Arc;

use weaver_core::message::{Message, MessageKind};
use weaver_core::{Map, Value};

use crate::operator::{self, Operator};

/// A value of graph state. [`Value`] is one; a binding may bring its own, such
/// as an opaque object of another language.
///
/// Cloning should cost no more than a reference count: the engine clones values
/// into node inputs, commits and stream chunks.
pub trait StateValue: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The absent value, Python's `None`.
    fn null() -> Self;
    /// Whether this is [`StateValue::null`].
    fn is_null(&self) -> bool;
    /// A truth value.
    fn from_bool(value: bool) -> Self;
    /// An integer.
    fn from_int(value: i64) -> Self;
    /// Text.
    fn from_text(text: Arc<str>) -> Self;
    /// The text, if this is text.
    fn text(&self) -> Option<Arc<str>>;

    /// An object of the given fields, in order.
    fn from_fields(fields: Vec<(Arc<str>, Self)>) -> Self;
    /// The fields of a mapping or of a schema instance (only those that are set);
    /// nothing for any other value.
    fn fields(&self) -> Option<Vec<(Arc<str>, Self)>>;
    /// One field.
    fn field(&self, key: &str) -> Option<Self>;

    /// A list.
    fn from_items(items: Vec<Self>) -> Self;
    /// The items, if this is a list.
    fn items(&self) -> Option<&[Self]>;
    /// Appends to a list in place, without a copy when nobody else holds it.
    /// Returns false, and changes nothing, if this is no list.
    fn append(&mut self, items: &[Self]) -> bool;
    /// Shortens a list.
    fn truncate(&mut self, length: usize);
    /// Replaces one item of a list. Returns false if there is none.
    fn replace(&mut self, index: usize, item: Self) -> bool;

    /// A binary operator of Python. The error is a sentence, as Python says it.
    fn operate(operator: Operator, left: Self, right: Self) -> Result<Self, String>;

    /// Coerces to a chat message as `add_messages` does: an error for what is none.
    fn into_message(self) -> Result<Self, String>;
    /// The id of a chat message, if this is one that has an id.
    fn message_id(&self) -> Option<Arc<str>>;
    /// The same message with an id.
    fn with_message_id(self, id: Arc<str>) -> Self;
    /// What kind of message this is to `add_messages`; nothing if it is no message.
    fn message_role(&self) -> Option<MessageRole>;

    /// The value inside `Overwrite(value)`, if this is one.
    fn overwrite(&self) -> Option<Self>;
    /// What Python calls the type: for error messages.
    fn type_name(&self) -> String;
    /// Bytes that are the same for equal values: for cache keys.
    fn digest_bytes(&self) -> Vec<u8>;
}

/// What `add_messages` asks of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRole {
    /// An ordinary message.
    Message,
    /// `RemoveMessage`: delete the message of the same id.
    Remove,
}

/// The id with which `RemoveMessage` discards everything before it.
pub const REMOVE_ALL_MESSAGES: &str = "__remove_all__";

impl StateValue for Value {
    fn null() -> Self {
        Value::Null
    }

    fn is_null(&self) -> bool {
        Value::is_null(self)
    }

    fn from_bool(value: bool) -> Self {
        Value::Bool(value)
    }

    fn from_int(value: i64) -> Self {
        Value::Int(value)
    }

    fn from_text(text: Arc<str>) -> Self {
        Value::Str(text)
    }

    fn text(&self) -> Option<Arc<str>> {
        match self {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn from_fields(fields: Vec<(Arc<str>, Self)>) -> Self {
        Value::Map(Arc::new(fields.into_iter().collect()))
    }

    fn fields(&self) -> Option<Vec<(Arc<str>, Self)>> {
        Some(state_fields(self)?.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn field(&self, key: &str) -> Option<Self> {
        state_fields(self)?.get(key).cloned()
    }

    fn from_items(items: Vec<Self>) -> Self {
        Value::List(Arc::new(items))
    }

    fn items(&self) -> Option<&[Self]> {
        self.as_list()
    }

    fn append(&mut self, items: &[Self]) -> bool {
        let Value::List(list) = self else { return false };
        Arc::make_mut(list).extend_from_slice(items);
        true
    }

    fn truncate(&mut self, length: usize) {
        if let Value::List(list) = self {
            Arc::make_mut(list).truncate(length);
        }
    }

    fn replace(&mut self, index: usize, item: Self) -> bool {
        let Value::List(list) = self else { return false };
        match Arc::make_mut(list).get_mut(index) {
            Some(slot) => {
                *slot = item;
                true
            }
            None => false,
        }
    }

    fn operate(op: Operator, left: Self, right: Self) -> Result<Self, String> {
        operator::apply(op, left, right)
    }

    fn into_message(self) -> Result<Self, String> {
        match self.tag() {
            Some("message") => Ok(self),
            _ => Message::from_value(&self).map(|message| message.to_value()),
        }
    }

    fn message_id(&self) -> Option<Arc<str>> {
        if self.tag() != Some("message") {
            return None;
        }
        self.get("id")?.text()
    }

    fn with_message_id(self, id: Arc<str>) -> Self {
        match self {
            Value::Map(mut map) => {
                Arc::make_mut(&mut map).insert("id".into(), Value::Str(id));
                Value::Map(map)
            }
            other => other,
        }
    }

    fn message_role(&self) -> Option<MessageRole> {
        if self.tag() != Some("message") {
            return None;
        }
        let remove = self.get("type")?.as_str() == Some(MessageKind::Remove.as_str());
        Some(if remove { MessageRole::Remove } else { MessageRole::Message })
    }

    fn overwrite(&self) -> Option<Self> {
        if self.tag() != Some("overwrite") {
            return None;
        }
        self.get("value").cloned()
    }

    fn type_name(&self) -> String {
        Value::type_name(self).to_owned()
    }

    fn digest_bytes(&self) -> Vec<u8> {
        self.to_json().into_bytes()
    }
}

/// The entries of a plain map, or the fields of an object; a tagged value of
/// another kind (a message, a set, bytes) is no state.
fn state_fields(value: &Value) -> Option<&Map> {
    let map = value.as_map()?;
    match value.tag() {
        None => Some(map),
        Some("object") => value.get("fields")?.as_map(),
        Some(_) => None,
    }
}
