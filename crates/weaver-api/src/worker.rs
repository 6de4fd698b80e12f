//! Workers: processes outside that pull node tasks, and the leases that they hold.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weaver_core::Failure;
use weaver_core::task::{Assignment, CallResult, Emitted, TaskCall};

use crate::Time;

/// The header in which a worker says who it is: `ID.SECRET`, as it got them when it
/// registered.
pub const WORKER_HEADER: &str = "x-agentweaver-worker";

/// `POST /workers/register`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Its name, for people: 1 to 100 characters.
    pub name: String,
    /// What it can do.
    #[serde(flatten)]
    pub about: About,
}

/// What a worker can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// The machine that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Workflow files whose functions it runs, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Tools that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// What it is good at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// Tasks that it does at a time.
    #[serde(default = "one")]
    pub capacity: u32,
}

fn one() -> u32 {
    1
}

/// A worker that has registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// The worker.
    pub worker: Worker,
    /// Proves from here on who it is; the server keeps only a hash.
    pub secret: String,
    /// For how long a task is its own, in seconds, unless it extends the lease.
    pub lease_seconds: u32,
    /// How often it is to give a sign of life, in seconds.
    pub heartbeat_seconds: u32,
}

/// A worker, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Worker {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub status: WorkerStatus,
    /// Tasks that it has.
    pub running: u32,
    /// When it came.
    pub registered_at: Time,
    /// When it was heard of last.
    pub last_heartbeat: Time,
    /// What it can do.
    #[serde(flatten)]
    pub about: About,
}

/// How a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerStatus {
    /// It is there.
    Online,
    /// It ends what it has, and is given no more.
    Draining,
    /// It was not heard of for two minutes.
    Offline,
}

/// `POST /workers/{id}/heartbeat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// Tasks that it has.
    #[serde(default)]
    pub running: u32,
}

/// `POST /workers/{id}/poll`: waits until there is something to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// Hashes (BLAKE3, 64 hex digits) of the workflow texts that it has.
    pub texts: Vec<String>,
    /// Tasks that it takes at most.
    #[serde(default = "one")]
    pub count: u32,
    /// For how long the answer may wait, in seconds; at most 30.
    #[serde(default)]
    pub wait_seconds: u32,
    /// Tasks that it has.
    #[serde(default)]
    pub running: u32,
}

/// Tasks for a worker; none when nothing came in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Polled {
    /// What it is to do.
    pub tasks: Vec<LeasedTask>,
    /// It is to end what it has, and then itself.
    pub draining: bool,
}

/// A task that a worker was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeasedTask {
    /// Names the lease in `/leases/{token}`; means nothing without the worker's secret.
    pub lease: String,
    /// Whose task.
    pub execution: String,
    /// How often it was given to a worker, this time included.
    pub deliveries: u32,
    /// What is to be done.
    pub assignment: Assignment,
}

/// `POST /leases/{token}/complete`: the function returned, or waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteRequest {
    /// What came of it.
    pub outcome: Completed,
    /// What was shown since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
}

/// How a function ended that did not fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Completed {
    /// It returned.
    Returned(weaver_core::Value),
    /// It waits for a person's answer to this.
    Asked(weaver_core::Value),
}

/// `POST /leases/{token}/fail`: it raised, or could not be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailRequest {
    /// Why.
    pub failure: Failure,
    /// What was shown since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
}

/// `POST /leases/{token}/progress`: a sign of life, and what is to be seen at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgressRequest {
    /// Is shown to who watches. The log has it when it comes with a report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
}

/// A lease that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// For how long from now, in seconds.
    pub lease_seconds: u32,
}

/// `POST /leases/{token}/call`: the function calls a model, a tool or the memory. The
/// same call again gets the same answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// What is asked.
    pub call: TaskCall,
    /// What was shown since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
}

/// How a call stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallAnswer {
    /// What came of it; absent: it is being made, ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<CallResult>,
}

/// A task that an execution waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingTask {
    /// The node.
    pub node: String,
    /// Its function.
    pub function: String,
    /// Hash of the text that a worker must have.
    pub text: String,
    /// How it stands.
    pub status: TaskStatus,
    /// The id of the worker that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Since when it has been asked for.
    pub since: Time,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Too many workers had it and did not report: retry the execution.
    GivenUp,
}
