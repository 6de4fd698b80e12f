//! Executions: what is submitted, and how they stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::history::Savings;
use crate::worker::WaitingTask;
use crate::{Time, Usd};

/// A workflow as it is sent along. The server keeps one copy of each version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowSource {
    /// The file's name, for people.
    pub file: String,
    /// The file's text.
    pub source: String,
    /// Which of its compiled graphs; absent: the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// The text of the script that answers for models, where one stands beside the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
}

/// A request to run something: its own fields, then those that all of them have.
macro_rules! run_request {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $type,)*
            /// The input, an object of state keys.
            pub input: Value,
            /// The thread to run on; absent: a new one. One execution works on a thread at a time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub thread: Option<String>,
            /// The model for every model call.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub model: Option<String>,
            /// Values for the graph's context schema.
            #[serde(default, skip_serializing_if = "Value::is_null")]
            pub context: Value,
            /// Superstep limit.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub recursion_limit: Option<u32>,
            /// What goes first: 0 before 9.
            #[serde(default = "normal")]
            pub priority: u8,
            /// Executions with the same key are limited together.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub concurrency: Option<ConcurrencyKey>,
            /// Not before this moment.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub run_at: Option<Time>,
            /// What the execution and all that it starts may cost.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub budget: Option<Usd>,
            /// Names of the submitter, shown in lists: at most 16.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub labels: BTreeMap<String, String>,
            /// Where it stops and waits to be resumed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub breakpoints: Option<Breakpoints>,
            /// Answer when it has ended or waits for somebody, after so many seconds at the
            /// latest: then with the execution as it stands.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schema(minimum = 0, maximum = 300)]
            pub wait: Option<u32>,
            /// Answer with its events as they happen, as server-sent events.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub stream: bool,
        }
    };
}

run_request! {
    /// `POST /executions`. Send an `Idempotency-Key` with it: the same key and body
    /// gives the same execution.
    SubmitRequest {
        /// What to run.
        workflow: WorkflowSource,
    }
}

run_request! {
    /// `POST /workflows/{id}/execute`. Send an `Idempotency-Key` with it: the same key and
    /// body gives the same execution.
    ExecuteRequest {
        /// Which of the texts that the workflow has had; absent: the newest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// Which of its compiled graphs; absent: the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        graph: Option<String>,
    }
}

impl ExecuteRequest {
    /// The same of a text.
    pub fn of(self, workflow: WorkflowSource) -> SubmitRequest {
        SubmitRequest {
            workflow,
            input: self.input,
            thread: self.thread,
            model: self.model,
            context: self.context,
            recursion_limit: self.recursion_limit,
            priority: self.priority,
            concurrency: self.concurrency,
            run_at: self.run_at,
            budget: self.budget,
            labels: self.labels,
            breakpoints: self.breakpoints,
            wait: self.wait,
            stream: self.stream,
        }
    }
}

/// Nodes at which an execution stops; `"*"` is every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Breakpoints {
    /// Before they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// After they have run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// The priority of those that say none.
pub const PRIORITY_NORMAL: u8 = 5;

fn normal() -> u8 {
    PRIORITY_NORMAL
}

/// A limit that executions share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyKey {
    /// Its name.
    pub key: String,
    /// How many of them may be under way at once.
    pub limit: u32,
}

/// The answer to `POST /executions`: it is on disk now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// Its id.
    pub execution_id: String,
    /// Its thread.
    pub thread: String,
    /// `queued`, or how it stands by now if the same was submitted before.
    pub status: Status,
}

/// How an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; nobody works on it yet.
    Queued,
    /// A process works on it.
    Running,
    /// Waits for a person or a moment.
    Waiting,
    /// Held by a person until it is resumed.
    Paused,
    /// A call of it may or may not have happened: a person must say.
    NeedsAttention,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Was cancelled.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Status; 8] = [
        Status::Queued,
        Status::Running,
        Status::Waiting,
        Status::Paused,
        Status::NeedsAttention,
        Status::Completed,
        Status::Failed,
        Status::Cancelled,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Waiting => "waiting",
            Status::Paused => "paused",
            Status::NeedsAttention => "needs_attention",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// The execution that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The file that it runs.
    pub workflow: String,
    /// The version of that file that it is pinned to, a hash.
    pub version: String,
    /// Its thread.
    pub thread: String,
    /// How it stands.
    pub status: Status,
    /// Its priority.
    pub priority: u8,
    /// When it was accepted.
    pub created_at: Time,
    /// When a process first took it up; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// From when on it may go on, if it waits for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Time>,
    /// What it waits for a person to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// Executions that it has started and waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Node tasks that it waits for a worker to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worker_tasks: Vec<WaitingTask>,
    /// Calls that may or may not have happened: a person must say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_calls: Vec<OpenCall>,
    /// The state at its end; in lists it is left out.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub error: Value,
    /// Tokens sent.
    pub tokens_input: u64,
    /// Tokens received.
    pub tokens_output: u64,
    /// What it has cost.
    pub cost: Usd,
    /// How its budget stands, if it has one; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The process that works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_owner: Option<String>,
    /// How often a process has taken it up.
    pub deliveries: u32,
    /// Names of the submitter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The kept workflow that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// Where it branched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkedFrom>,
    /// The execution that it does again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<String>,
    /// What it took from that one so far; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savings: Option<Savings>,
    /// Where it is to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
    /// The nodes that run next, if it stands at a breakpoint; in lists they are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped_before: Vec<String>,
}

/// Where an execution branched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForkedFrom {
    /// From which execution.
    pub execution: String,
    /// At which checkpoint of it.
    pub checkpoint: String,
}

/// What an execution asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// Its id, to answer by.
    pub id: String,
    /// The subgraph that asks; empty for the root graph.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What it asks.
    pub value: Value,
    /// When it asked.
    pub asked_at: Time,
    /// Until when an answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
}

/// `POST /executions/{id}/resume`: an answer, or without one the end of a pause or the
/// way on from a breakpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The question; may be left out when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The answer; null counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub answer: Option<Value>,
    /// Where it stops from now on; absent: where it did. One superstep:
    /// `{"before": ["*"]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoints: Option<Breakpoints>,
}

/// `POST /executions/{id}/retry`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// What the execution's tree may cost from now on, what it has cost included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Usd>,
}

/// How the budget of an execution and all that it starts stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// What may be spent.
    pub limit: Usd,
    /// What was spent, the unconfirmed part included.
    pub spent: Usd,
    /// What is set aside for calls that are under way.
    pub reserved: Usd,
    /// What calls whose outcome was lost may have cost at most.
    pub unconfirmed: Usd,
}

/// `POST /executions/{id}/migrate`: it goes on with another version of its workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrateRequest {
    /// The version; the graph and the script of the execution stay.
    pub workflow: WorkflowSource,
}

/// `POST /executions/{id}/reconcile`: what came of a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileRequest {
    /// The call's key or its beginning; may be left out when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What a person found out.
    pub outcome: CallOutcome,
    /// What came of a call that happened; null counts.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub result: Option<Value>,
    /// Why the execution is to fail, for its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a person found out about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// It happened; the execution goes on with the result.
    Happened,
    /// It did not; the execution goes on and makes it.
    NotHappened,
    /// That cannot be known: the execution fails.
    Fail,
}

/// A call that must happen at most once and may or may not have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenCall {
    /// The idempotency key that the other side was given.
    pub key: String,
    /// What was called: `tool`, `http`.
    pub kind: String,
    /// What was asked.
    pub request: Value,
    /// When it was about to be made.
    pub since: Time,
}

/// `POST /executions/{id}/cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A field that is there, whatever it holds.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    field: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_null_is_an_answer() {
        let answer = |json| serde_json::from_str::<ResumeRequest>(json).unwrap().answer;
        assert_eq!(answer(r#"{"answer": null}"#), Some(Value::Null));
        assert_eq!(answer("{}"), None);
    }
}
