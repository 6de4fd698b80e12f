//! [`Report`]: what a worker says of a task, kept as the answer to its question.

use serde::{Deserialize, Serialize};
use weaver_core::task::{Emitted, Made, Outcome};
use weaver_core::{Event, EventKind, Value};

/// What a worker says of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it came to.
    pub outcome: Outcome,
    /// Which attempt it was.
    pub attempt: u32,
    /// The calls that the attempt had made before, for who goes on with it.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub made: Made,
    /// What the function printed and wrote to its stream since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
    /// Who did it.
    pub worker: String,
    /// The row that it was done under.
    pub row: String,
    /// The fence that it was done under.
    pub fence: u64,
}

impl Report {
    /// Reads the answer to a task's question; nothing for a person's.
    pub fn from_answer(answer: &Value) -> Option<Self> {
        let report = answer.get("report").filter(|_| answer.tag() == Some(TAG))?;
        serde_json::from_str(&report.to_json()).ok()
    }

    pub(super) fn to_answer(&self) -> Value {
        let json = serde_json::to_string(self).expect("a report has a JSON form");
        Value::tagged(TAG, [("report", Value::from_json(&json).expect("JSON is a value"))])
    }
}

const TAG: &str = "worker_report";

/// What a function has shown, as an event of its task.
pub fn onto(emitted: &Emitted, mut event: Event) -> Event {
    (event.kind, event.data) = match emitted {
        Emitted::Print(text) => (EventKind::Print, Value::map([("text", Value::str(&**text))])),
        Emitted::Custom(value) => (EventKind::Custom, value.clone()),
    };
    event
}
