//! How the work stands, at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// `GET /monitoring/summary`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// When it was looked at.
    pub now: Time,
    /// Executions that have not ended, by how they stand. At most 1000 of each are counted.
    pub open: OpenCounts,
    /// Since when the oldest waits that nobody has taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_queued: Option<Time>,
    /// The last minutes, the oldest first; of at most 1000 executions.
    pub minutes: Vec<Minute>,
    /// How long executions of these minutes took from begin to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// What those that failed failed of, the most frequent first.
    pub errors: Vec<ErrorCount>,
}

/// Executions that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenCounts {
    /// Accepted; nobody works on them yet.
    pub queued: u64,
    /// A process works on them.
    pub running: u64,
    /// They wait for a person, a moment or another execution.
    pub waiting: u64,
    /// Held by a person.
    pub paused: u64,
}

/// What ended in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Minute {
    /// When it began.
    pub from: Time,
    /// Executions that ended well.
    pub completed: u64,
    /// Executions that failed.
    pub failed: u64,
}

/// How long executions took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// Half of them took at most so long.
    pub p50_ms: u64,
    /// 95 of 100 took at most so long.
    pub p95_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

/// How often something went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorCount {
    /// The failure's code.
    pub code: String,
    /// How often.
    pub count: u64,
}
