//! The past of an execution as it is shown.

use weaver_api::Usd;
use weaver_api::history::{
    Checkpoint, Difference, Level, LogLine, ReplayReport, Savings, StateAt, Task,
};
use weaver_core::{Event, EventKind, Value};
use weaver_engine::{PendingRecord, Saved};
use weaver_runtime::replay::{self, DifferenceKind, Replayed};
use weaver_runtime::reuse;
use weaver_runtime::thread::{self, HistoryEntry};

use crate::render::source;
use crate::workflow::Workflow;

/// Checkpoints of a namespace, as they were listed: the newest first. Here the oldest is
/// first.
pub fn checkpoints(namespace: &str, entries: &[HistoryEntry]) -> Vec<Checkpoint> {
    let parent_of = |entry: &HistoryEntry| entries.iter().find(|p| Some(p.id) == entry.parent);
    let shown = entries.iter().rev().map(|entry| Checkpoint {
        id: entry.id.to_string(),
        parent: entry.parent.map(|id| id.to_string()),
        step: entry.step,
        source: entry.source.into(),
        namespace: namespace.into(),
        next: entry.next.clone(),
        // What stood next at its parent is what ran, but where a person wrote.
        writes_by: match entry.source {
            "loop" => parent_of(entry).map(|parent| parent.next.clone()).unwrap_or_default(),
            _ => Vec::new(),
        },
        execution: entry.execution.clone(),
        created_at: entry.time.into(),
    });
    shown.collect()
}

/// A state with the tasks that run next.
pub fn state(saved: &Saved<Value>) -> StateAt {
    let state = &saved.state;
    let task = |task: &weaver_engine::checkpoint::TaskRef| {
        let mut records = saved.pending.iter().filter_map(|record| match record {
            PendingRecord::Task(record) if record.task.id == task.id => Some(record),
            _ => None,
        });
        let record = records.next_back();
        let questions = record.map(|record| &record.interrupts[..]).unwrap_or_default();
        let error = record.and_then(|record| record.error.as_ref());
        Task {
            id: task.id.to_string(),
            node: task.node.to_string(),
            done: record.is_some_and(|record| record.writes.is_some()),
            questions: questions.iter().map(|question| plain(&question.value)).collect(),
            error: error.and_then(|error| serde_json::to_value(error).ok()).unwrap_or_default(),
        }
    };
    StateAt {
        checkpoint: state.id.to_string(),
        parent: state.parent.map(|id| id.to_string()),
        step: state.step,
        namespace: state.namespace.to_string(),
        created_at: state.time.into(),
        values: plain(&thread::values(state)),
        tasks: state.next.iter().map(task).collect(),
    }
}

/// What was taken from an earlier execution.
pub fn savings(savings: &reuse::Savings) -> Savings {
    let reuse::Savings { ran, reused, saved } = *savings;
    Savings {
        ran,
        reused,
        model_calls: saved.model_calls,
        tool_calls: saved.tool_calls,
        tokens_input: saved.usage.input,
        tokens_output: saved.usage.output,
        cost: Usd(saved.cost_micros),
        duration_ms: saved.duration_us / 1000,
    }
}

/// The report of a replay with a workflow.
pub fn replayed(replayed: &Replayed, workflow: &Workflow) -> ReplayReport {
    let difference = |difference: &replay::Difference| {
        let (kind, what) = kind_of(&difference.kind);
        Difference {
            kind: kind.into(),
            what: what.map(String::from),
            namespace: difference.namespace.to_string(),
            step: difference.step,
            node: difference.node.as_ref().map(ToString::to_string),
            file: workflow.file.clone(),
            line: line_of(difference, workflow),
            recorded: plain(&difference.recorded),
            now: plain(&difference.now),
        }
    };
    ReplayReport {
        execution: replayed.execution.id.to_string(),
        thread: replayed.execution.thread.to_string(),
        equal: replayed.differences.is_empty(),
        same_checkpoints: replayed.same_checkpoints,
        served: replayed.served.iter().map(|(kind, n)| (kind.to_string(), *n)).collect(),
        differences: replayed.differences.iter().map(difference).collect(),
    }
}

/// The line of the node whose doing a difference is.
pub fn line_of(difference: &replay::Difference, workflow: &Workflow) -> Option<u32> {
    let span = source::place_of(&workflow.analysis.spec, difference.node.as_deref()?)?;
    Some(span.line)
}

/// A stable word for a kind, and the key or the kind of call that it is about.
fn kind_of(kind: &DifferenceKind) -> (&'static str, Option<&str>) {
    match kind {
        DifferenceKind::CallNotRecorded(kind) => ("call_not_recorded", Some(kind)),
        DifferenceKind::CallChanged(kind) => ("call_changed", Some(kind)),
        DifferenceKind::CallNotMade(kind) => ("call_not_made", Some(kind)),
        DifferenceKind::Wrote(key) => ("wrote", Some(key)),
        DifferenceKind::State(key) => ("state", Some(key)),
        DifferenceKind::Next => ("next", None),
        DifferenceKind::Shorter => ("shorter", None),
        DifferenceKind::Longer => ("longer", None),
        DifferenceKind::Outcome => ("outcome", None),
    }
}

/// What an event says to people; nothing for those that are for programs.
pub fn log_line(event: &Event) -> Option<LogLine> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).map(String::from);
    let node = event.node.as_deref().unwrap_or("a node");
    let failed = event.data.get("error").filter(|error| !error.is_null());
    let (level, message) = match event.kind {
        EventKind::Start => (Level::Info, "started".to_string()),
        EventKind::NodeExit if failed.is_some() => (Level::Error, format!("`{node}` failed")),
        EventKind::NodeExit => (Level::Info, format!("`{node}` ended")),
        EventKind::NodeRetry => (Level::Warning, format!("`{node}` failed and is tried again")),
        EventKind::LlmResponse => {
            let model = text("model").unwrap_or_else(|| "a model".into());
            (Level::Info, format!("{model} answered"))
        }
        EventKind::ToolResult => {
            let tool = text("tool").unwrap_or_else(|| "a tool".into());
            match failed {
                Some(_) => (Level::Warning, format!("{tool} failed")),
                None => (Level::Info, format!("{tool} answered")),
            }
        }
        EventKind::Print => (Level::Info, text("text")?),
        EventKind::Notice => (Level::Warning, text("message")?),
        EventKind::Interrupt => (Level::Warning, format!("`{node}` waits for a person")),
        EventKind::Error => (Level::Error, text("message").unwrap_or_else(|| "failed".into())),
        EventKind::Done => (Level::Info, text("status").unwrap_or_else(|| "ended".into())),
        _ => return None,
    };
    Some(LogLine {
        sequence: event.sequence,
        time: event.time.into(),
        level,
        node: event.node.clone(),
        message,
    })
}

fn plain(value: &Value) -> serde_json::Value {
    serde_json::Value::from(&value.plain())
}
