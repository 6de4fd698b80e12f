//! `agentweaver history THREAD --diff A B`: what lies between two states.

use console::style;
use serde_json::{Value as Json, json};
use weaver_core::Value;
use weaver_engine::CheckpointState;
use weaver_runtime::thread;
use weaver_store::Store;

use super::short;
use crate::cli::HistoryArgs;
use crate::commands::run::unknown_thread;
use crate::error::CliError;
use crate::render::term;

/// Characters of a value that are shown.
const SHOWN: usize = 120;

/// How a key differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Added,
    Removed,
    /// Its list has more items behind the old ones.
    Appended(usize),
    Changed,
}

struct Change {
    key: String,
    kind: Kind,
    from: Value,
    to: Value,
}

/// Prints the keys that differ, and the nodes that run next.
pub async fn run(store: &Store, thread: &str, args: &HistoryArgs) -> Result<(), CliError> {
    let mut states = Vec::new();
    for text in &args.diff {
        let place = thread::locate(store, thread, args.namespace.as_deref(), text).await?;
        let loaded = thread::load(store, thread, &place.namespace, Some(place.id)).await?;
        states.push(loaded.ok_or_else(|| unknown_thread(thread))?.0.state);
    }
    let [from, to] = states.as_slice() else {
        return Err(CliError::usage("--diff needs two checkpoints"));
    };
    let changes = changes(&thread::values(from), &thread::values(to));
    if args.json {
        term::json(&as_json(from, to, &changes));
        return Ok(());
    }
    for state in [from, to] {
        let word = if state.id == from.id { "from" } else { "to  " };
        term::out(&format!("{word} {}  step {}", style(short(state.id)).cyan(), state.step));
    }
    changes.iter().for_each(print);
    let (before, after) = (next_of(from), next_of(to));
    if before != after {
        term::out(&format!("{} next: {} → {}", style("~").yellow(), names(&before), names(&after)));
    }
    if changes.is_empty() && before == after {
        term::note("the states are the same");
    }
    Ok(())
}

fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let empty = Default::default();
    let (from, to) = (from.as_map().unwrap_or(&empty), to.as_map().unwrap_or(&empty));
    let new = to.keys().filter(|key| !from.contains_key(*key));
    let changed = from.keys().chain(new).filter(|key| from.get(*key) != to.get(*key));
    let change = |key: &std::sync::Arc<str>| {
        let kind = match (from.get(key), to.get(key)) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (Some(Value::List(old)), Some(Value::List(new))) if new.starts_with(old) => {
                Kind::Appended(old.len())
            }
            _ => Kind::Changed,
        };
        let side = |map: &weaver_core::Map| map.get(key).cloned().unwrap_or_default();
        Change { key: key.to_string(), kind, from: side(from), to: side(to) }
    };
    changed.map(change).collect()
}

fn print(change: &Change) {
    let key = style(&change.key).bold();
    let shown = |value: &Value| term::one_line(&value.plain().to_json(), SHOWN);
    match change.kind {
        Kind::Added => term::out(&format!("{} {key}: {}", style("+").green(), shown(&change.to))),
        Kind::Removed => term::out(&format!("{} {key}: {}", style("-").red(), shown(&change.from))),
        Kind::Appended(old) => {
            let items = change.to.as_list().unwrap_or_default();
            term::out(&format!(
                "{} {key}: {} more behind {old}",
                style("+").green(),
                items.len() - old
            ));
            for item in &items[old..] {
                term::out(&format!("    {} {}", style("+").green(), shown(item)));
            }
        }
        Kind::Changed => {
            term::out(&format!("{} {key}", style("~").yellow()));
            term::out(&format!("    {} {}", style("-").red(), shown(&change.from)));
            term::out(&format!("    {} {}", style("+").green(), shown(&change.to)));
        }
    }
}

fn as_json(from: &CheckpointState<Value>, to: &CheckpointState<Value>, changes: &[Change]) -> Json {
    let plain = |value: &Value| Json::from(&value.plain());
    let change = |change: &Change| {
        let kind = match change.kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Appended(_) => "appended",
            Kind::Changed => "changed",
        };
        json!({"key": change.key, "kind": kind, "from": plain(&change.from), "to": plain(&change.to)})
    };
    let side = |state: &CheckpointState<Value>| json!({"checkpoint": state.id.to_string(), "step": state.step, "next": next_of(state)});
    json!({
        "from": side(from),
        "to": side(to),
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn next_of(state: &CheckpointState<Value>) -> Vec<&str> {
    state.next.iter().map(|task| &*task.node).collect()
}

fn names(nodes: &[&str]) -> String {
    if nodes.is_empty() { "the end".into() } else { nodes.join(", ") }
}
