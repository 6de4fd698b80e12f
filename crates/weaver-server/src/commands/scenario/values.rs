//! The canonical JSON of values, snapshots and errors.

use serde_json::{Map, Value as Json, json};
use weaver_core::value::TYPE_KEY;
use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{Interrupt, Snapshot, TaskSnapshot};

/// A value of graph state: sets sorted, messages cut to what both sides have.
pub fn value(value: &Value) -> Json {
    match value {
        Value::List(items) => items.iter().map(self::value).collect(),
        Value::Map(map) => match value.tag() {
            Some("message") => message(value),
            Some("set") => {
                let items = value.get("items").and_then(Value::as_list).unwrap_or_default();
                let mut items: Vec<Json> = items.iter().map(self::value).collect();
                items.sort_by_key(Json::to_string);
                json!({TYPE_KEY: "set", "items": items})
            }
            _ => map.iter().map(|(key, item)| (key.to_string(), self::value(item))).collect(),
        },
        plain => plain.into(),
    }
}

/// What a task wrote: several writes of one key are `{"$writes": [...]}`.
pub fn result(writes: &[(std::sync::Arc<str>, Value)]) -> Json {
    let mut shown: Map<String, Json> = Map::new();
    for (key, _) in writes {
        let of_key = writes.iter().filter(|(other, _)| other == key);
        let mut of_key: Vec<Json> = of_key.map(|(_, written)| value(written)).collect();
        let told = match of_key.len() {
            1 => of_key.remove(0),
            _ => json!({"$writes": of_key}),
        };
        shown.insert(key.to_string(), told);
    }
    Json::Object(shown)
}

/// The entries of an object.
pub fn fields<'a, K: AsRef<str> + 'a>(fields: impl IntoIterator<Item = &'a (K, Value)>) -> Json {
    let entries = fields.into_iter().map(|(key, item)| (key.as_ref().to_string(), value(item)));
    Json::Object(entries.collect())
}

/// Type, content, name, tool calls; the id only when somebody gave it.
fn message(message: &Value) -> Json {
    let text = |key| message.get(key).and_then(Value::as_str);
    let kind = text("type").unwrap_or_default();
    let mut entries = Map::new();
    entries.insert(TYPE_KEY.into(), "message".into());
    entries.insert("type".into(), kind.into());
    entries.insert("content".into(), message.get("content").map(value).unwrap_or_default());
    if let Some(id) = text("id").filter(|id| !is_generated(id)) {
        entries.insert("id".into(), id.into());
    }
    if let Some(name) = text("name") {
        entries.insert("name".into(), name.into());
    }
    let calls = message.get("tool_calls").and_then(Value::as_list).unwrap_or_default();
    if !calls.is_empty() {
        let part = |call: &Value, key: &str| call.get(key).map(value).unwrap_or_default();
        let calls = calls.iter().map(|call| {
            json!({"name": part(call, "name"), "args": part(call, "args"), "id": part(call, "id")})
        });
        entries.insert("tool_calls".into(), calls.collect());
    }
    if kind == "tool" {
        entries.insert("tool_call_id".into(), text("tool_call_id").into());
        if let Some(status) = text("status").filter(|status| *status != "success") {
            entries.insert("status".into(), status.into());
        }
    }
    Json::Object(entries)
}

fn is_generated(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok()
}

/// `[{"id", "value"}]`.
pub fn interrupts(interrupts: &[Interrupt<Value>]) -> Json {
    let shown = |interrupt: &Interrupt<Value>| json!({"id": interrupt.id.to_string(), "value": value(&interrupt.value)});
    interrupts.iter().map(shown).collect()
}

/// `{"values", "next", "source", "step", "tasks"}`; `tasks` gives the last.
pub fn snapshot(snapshot: Option<&Snapshot<Value>>, tasks: Vec<Json>) -> Json {
    let mut shown = brief(snapshot);
    shown.insert("tasks".into(), tasks.into());
    Json::Object(shown)
}

/// `{"values", "next", "source", "step"}`.
pub fn brief(snapshot: Option<&Snapshot<Value>>) -> Map<String, Json> {
    let shown = match snapshot {
        Some(snapshot) => json!({
            "values": fields(&snapshot.values),
            "next": next(snapshot),
            "source": snapshot.source,
            "step": snapshot.step,
        }),
        None => json!({"values": {}, "next": [], "source": null, "step": null}),
    };
    match shown {
        Json::Object(shown) => shown,
        _ => unreachable!("it was written as an object"),
    }
}

/// Node names in task order.
pub fn next(snapshot: &Snapshot<Value>) -> Json {
    snapshot.next.iter().map(|node| &**node).collect()
}

/// `{"name", "interrupts", "result"?, "error"?}`.
pub fn task(task: &TaskSnapshot<Value>) -> Map<String, Json> {
    let mut shown = Map::new();
    shown.insert("name".into(), (*task.node).into());
    shown.insert("interrupts".into(), interrupts(&task.interrupts));
    if let Some(result) = &task.result {
        shown.insert("result".into(), self::result(result));
    }
    if let Some(failure) = &task.error {
        shown.insert("error".into(), error_text(failure).into());
    }
    shown
}

/// `{"class", "message"}` when the file's own code raised it, else `{"class", "about"}`.
pub fn error(failure: &Failure) -> Json {
    let own = failure.exception.is_some() && !failure.traceback.is_empty();
    let key = if own { "message" } else { "about" };
    json!({"class": class(failure), key: failure.message})
}

/// `Class('message')`.
pub fn error_text(failure: &Failure) -> String {
    failure.python_repr(class(failure))
}

/// The exception class that LangGraph raises for it.
fn class(failure: &Failure) -> &str {
    if let Some(class) = &failure.exception {
        return class;
    }
    match (failure.kind, failure.code.as_str()) {
        (_, "empty_input") => "EmptyInputError",
        (_, "ambiguous_resume" | "no_checkpointer") => "RuntimeError",
        (_, "ambiguous_update" | "invalid_update" | "unknown_node") => "InvalidUpdateError",
        (_, "no_parent") => "InvalidUpdateError",
        (FailureKind::InvalidUpdate, _) => "InvalidUpdateError",
        (FailureKind::RecursionLimit, _) => "GraphRecursionError",
        (FailureKind::InvalidInput, _) => "ValueError",
        (FailureKind::Timeout, _) => "NodeTimeoutError",
        (FailureKind::Limit, _) => "MemoryError",
        _ => "RuntimeError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_left_out_and_sets_are_sorted() {
        let text = r#"{"m":{"$type":"message","type":"ai","content":"hi","id":"0123456789abcdef0123456789abcdef","tool_calls":[]},"s":{"$type":"set","items":[3,1]}}"#;
        let shown = value(&Value::from_json(text).unwrap());
        assert_eq!(
            shown,
            json!({
                "m": {"$type": "message", "type": "ai", "content": "hi"},
                "s": {"$type": "set", "items": [1, 3]},
            })
        );
    }
}
