//! `nodes.response` and `nodes.store`.

use weaver_core::{Failure, FailureKind, Map, Message, MessageKind, Value};
use weaver_engine::{Answer, NodeOutput};
use weaver_interpreter::HostCall;

use super::Task;
use super::settings::Settings;
use crate::host_call::Stop;
use crate::memory;

/// Answers the user.
pub fn response(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let text = settings.required("text")?;
    task.context
        .emit(weaver_core::EventKind::Custom, Value::map([("response", Value::str(&*text))]));
    let update = match settings.text("into") {
        Some("messages") => {
            let message = Message::new(MessageKind::Ai, text);
            Value::map([("messages", message.to_value())])
        }
        Some(key) => Value::map([(key, Value::str(text))]),
        None => return Ok(Answer::Node(NodeOutput::Nothing)),
    };
    Ok(Answer::Node(NodeOutput::Update(update)))
}

/// Reads or writes long-term memory.
pub async fn store(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let op = settings.text("op").unwrap_or("get");
    let mut kwargs = Map::new();
    kwargs.insert("namespace".into(), settings.tree("namespace")?.unwrap_or_default());
    for name in ["key", "value"] {
        if let Some(value) = settings.tree(name)? {
            kwargs.insert(name.into(), value);
        }
    }
    if let Some(limit) = settings.get("limit") {
        kwargs.insert("limit".into(), limit.clone());
    }
    // A plain value is kept under one name, because a memory is a dict.
    if op == "put" && kwargs.get("value").is_some_and(|value| value.as_map().is_none()) {
        let value = kwargs.get("value").cloned().unwrap_or_default();
        kwargs.insert("value".into(), Value::map([("value", value)]));
    }
    let call = HostCall { id: 0, name: format!("store.{op}"), args: Vec::new(), kwargs };
    let found = memory::answer(task.context, &call).await.map_err(|stop| match stop {
        Stop::Fail(failure) => failure,
        Stop::Raise(exception) | Stop::Raised(exception, _) => {
            Failure::new(FailureKind::InvalidInput, "store_invalid", exception.message)
        }
        Stop::Unwind => unreachable!("memory runs no graph"),
    })?;
    let result = match (op, settings.rendered("query")?) {
        ("get", _) => item_value(&found),
        ("search", query) => {
            let items = found.as_list().unwrap_or_default().iter();
            let words = query.map(|query| query.to_lowercase()).unwrap_or_default();
            let wanted = items.filter(|item| has_words(item, &words));
            Value::list(wanted.map(|item| {
                Value::map([
                    ("key", item.get("key").cloned().unwrap_or_default()),
                    ("value", item_value(item)),
                ])
            }))
        }
        _ => return Ok(Answer::Node(NodeOutput::Nothing)),
    };
    Ok(super::write(task, settings, result))
}

/// What was remembered: a plain value comes out as it went in.
fn item_value(item: &Value) -> Value {
    let value = item.get("value").cloned().unwrap_or_default();
    match value.as_map() {
        Some(map) if map.len() == 1 && map.contains_key("value") => map["value"].clone(),
        _ => value,
    }
}

/// Every word occurs somewhere in the memory.
fn has_words(item: &Value, words: &str) -> bool {
    let text = item.get("value").map(Value::to_json).unwrap_or_default().to_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}
