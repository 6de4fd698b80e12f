//! `store.get`, `store.put` and their siblings: long-term memory across threads.

use weaver_core::{Failure, Value};
use weaver_interpreter::{HostCall, HostException};
use weaver_runtime::{EffectPolicy, EffectRequest, TaskContext, now};
use weaver_store::{Filter, Item, ItemKey, ItemSearch, NamespaceSearch, Record, Store};

use crate::host_call::{Stop, argument};

/// Answers a call of the memory. What is read is recorded: a rerun of the task, and
/// whoever goes through the run again, sees what it saw.
pub async fn answer(context: &TaskContext, call: &HostCall) -> Result<Value, Stop> {
    let store = context.run().store.clone().ok_or_else(|| {
        raise("RuntimeError", "this run keeps nothing, so it has no store".to_string())
    })?;
    match call.name.as_str() {
        "store.put" => put(context, call)?,
        "store.delete" => context.run().journal.record(Record::ForgetItem(key(call)?)),
        _ => {
            let request = EffectRequest {
                kind: "memory",
                request: Value::map([
                    ("call", Value::str(&*call.name)),
                    ("args", Value::list(call.args.iter().cloned())),
                    ("kwargs", call.kwargs.clone().into()),
                ]),
                policy: EffectPolicy::Local,
            };
            let read = read(&store, context, call);
            return Ok(context.effect(request, |_| async { read.await.map_err(failure) }).await?);
        }
    }
    Ok(Value::Null)
}

async fn read(store: &Store, context: &TaskContext, call: &HostCall) -> Result<Value, Stop> {
    match call.name.as_str() {
        "store.get" => {
            written(context).await?;
            let found = store.item(key(call)?, now()).await.map_err(broken)?;
            Ok(found.as_ref().map(item_value).unwrap_or_default())
        }
        "store.search" => {
            written(context).await?;
            search(store, call).await
        }
        "store.list_namespaces" => {
            written(context).await?;
            let search = NamespaceSearch {
                prefix: path(&argument(call, 0, "prefix")).unwrap_or_default(),
                suffix: path(&argument(call, 1, "suffix")).unwrap_or_default(),
                ..NamespaceSearch::default()
            };
            let found = store.item_namespaces(search, now()).await.map_err(broken)?;
            Ok(Value::list(found.iter().map(|parts| path_value(parts))))
        }
        name => Err(raise("AttributeError", format!("the store has no `{name}`"))),
    }
}

/// What Python would have been given, as the failure of the read.
fn failure(stop: Stop) -> Failure {
    match stop {
        Stop::Raise(exception) => Failure::exception(&exception.class, exception.message),
        Stop::Raised(_, failure) => *failure,
        Stop::Fail(failure) => failure,
        Stop::Unwind => unreachable!("memory runs no graph"),
    }
}

fn put(context: &TaskContext, call: &HostCall) -> Result<(), Stop> {
    let key = key(call)?;
    let value = argument(call, 2, "value");
    let record = match value {
        Value::Null => Record::ForgetItem(key),
        value @ Value::Map(_) => {
            let minutes = argument(call, 3, "ttl").as_f64();
            let lifetime = minutes.map(|m| std::time::Duration::from_secs_f64(m.max(0.0) * 60.0));
            Record::Item(Item {
                key,
                value,
                created: now(),
                updated: now(),
                expires: lifetime.map(|lifetime| now().after(lifetime)),
            })
        }
        other => {
            let message = format!("a memory must be a dict, not {}", other.type_name());
            return Err(raise("TypeError", message));
        }
    };
    context.run().journal.record(record);
    Ok(())
}

/// Memories are read from disk: what this run has put must be there.
async fn written(context: &TaskContext) -> Result<(), Stop> {
    context.run().journal.flush().await.map_err(broken)
}

async fn search(store: &Store, call: &HostCall) -> Result<Value, Stop> {
    let namespace = argument(call, 0, "namespace");
    let prefix = path(&namespace).or_else(|| path(&argument(call, 0, "namespace_prefix")));
    let number = |name, otherwise| {
        argument(call, 99, name).as_int().and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise)
    };
    let search = ItemSearch {
        prefix: prefix.unwrap_or_default(),
        filter: Filter::parse(&argument(call, 99, "filter")).map_err(broken)?,
        limit: number("limit", 10),
        offset: number("offset", 0),
    };
    let found = store.search_items(search, now()).await.map_err(broken)?;
    Ok(Value::list(found.iter().map(item_value)))
}

/// `{"$type": "item", "namespace", "key", "value", "created_at", "updated_at"}`.
fn item_value(item: &Item) -> Value {
    Value::tagged(
        "item",
        [
            ("namespace", path_value(&item.key.namespace)),
            ("key", Value::str(&*item.key.key)),
            ("value", item.value.clone()),
            ("created_at", item.created.to_rfc3339().into()),
            ("updated_at", item.updated.to_rfc3339().into()),
        ],
    )
}

fn key(call: &HostCall) -> Result<ItemKey, Stop> {
    let namespace = path(&argument(call, 0, "namespace"))
        .ok_or_else(|| raise("TypeError", "a namespace is a tuple of texts".to_string()))?;
    match argument(call, 1, "key") {
        Value::Str(key) => Ok(ItemKey { namespace, key: key.to_string() }),
        other => Err(raise("TypeError", format!("a key must be text, not {}", other.type_name()))),
    }
}

fn path(value: &Value) -> Option<Vec<String>> {
    let parts = value.as_list()?.iter().map(|part| part.as_str().map(String::from));
    parts.collect()
}

fn path_value(parts: &[String]) -> Value {
    Value::list(parts.iter().map(|part| Value::str(&**part)))
}

fn raise(class: &str, message: String) -> Stop {
    Stop::Raise(HostException::new(class, message))
}

fn broken(error: weaver_store::Error) -> Stop {
    match error {
        weaver_store::Error::Invalid(message) => raise("ValueError", message),
        other => raise("RuntimeError", other.to_string()),
    }
}
