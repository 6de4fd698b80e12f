//! Node tasks that a worker runs: a process outside that pulls them.
//!
//! A task that needs a worker asks a question whose value is an [`Assignment`]. With the
//! question a row comes into the queue, on the route of the workflow's text. Who claims
//! the row under a lease ([`Tasks`]) answers the question with a [`Report`], which wakes
//! the execution: what a worker did and what a person said come back by one way.
//!
//! Invariants:
//! - A row is named by the question that brought it, and no question is asked twice: a
//!   fence of one row says nothing about another.
//! - A report is kept with the proof of its lease or not at all.
//! - Whether a failed task is tried again is for the graph's engine to say; whether a
//!   worker that was lost is replaced, for the queue.

mod report;
mod service;

use std::sync::Arc;

use weaver_core::Value;
use weaver_core::task::Assignment;
use weaver_store::TenantId;

pub use report::{Report, onto};
pub use service::{Called, Claimed, LeaseRef, Refused, TaskState, Tasks, Waiting};

const TAG: &str = "worker_task";

/// The question that a task for a worker asks: none for a person.
pub fn question(assignment: &Assignment) -> Value {
    let json = serde_json::to_string(assignment).expect("an assignment has a JSON form");
    let task = Value::from_json(&json).expect("any JSON text is a value");
    Value::tagged(TAG, [("task", task)])
}

/// The task that a question is about, if it is about one.
pub(crate) fn task_of(question: &Value) -> Option<Assignment> {
    let task = question.get("task").filter(|_| is_task(question))?;
    serde_json::from_str(&task.to_json()).ok()
}

/// Whether a question is for a worker.
pub(crate) fn is_task(question: &Value) -> bool {
    question.tag() == Some(TAG)
}

/// Where the tasks of a workflow's text wait for those who have it.
pub(crate) fn route(tenant: TenantId, text: &str) -> Arc<str> {
    format!("python/{tenant}/{text}").into()
}
