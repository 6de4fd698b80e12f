//! Workers and their leases, between the API's types and the runtime's.

use uuid::Uuid;
use weaver_api::worker::{About, LeasedTask, TaskStatus, WaitingTask, Worker, WorkerStatus};
use weaver_core::Timestamp;
use weaver_runtime::tasks::{Claimed, LeaseRef, TaskState, Waiting};

use crate::http::Refusal;

/// A worker that was not heard of for so long is shown as offline, in microseconds.
const OFFLINE_AFTER_US: i64 = 120_000_000;

/// How workers may stand, in words.
pub const WORKER_STATUSES: [(WorkerStatus, &str); 3] = [
    (WorkerStatus::Online, "online"),
    (WorkerStatus::Draining, "draining"),
    (WorkerStatus::Offline, "offline"),
];

/// How a worker stands.
pub fn worker_status(kept: &weaver_store::Worker, now: Timestamp) -> WorkerStatus {
    match kept {
        kept if now.0 - kept.seen.0 > OFFLINE_AFTER_US => WorkerStatus::Offline,
        kept if kept.draining => WorkerStatus::Draining,
        _ => WorkerStatus::Online,
    }
}

/// A worker as it is shown.
pub fn worker(kept: &weaver_store::Worker, now: Timestamp) -> Worker {
    Worker {
        id: kept.id.to_string(),
        name: kept.name.to_string(),
        status: worker_status(kept, now),
        running: kept.running,
        registered_at: kept.registered.into(),
        last_heartbeat: kept.seen.into(),
        about: serde_json::from_slice(&kept.about).unwrap_or_default(),
    }
}

/// What a worker can do, as it is kept.
pub fn about(about: &About) -> Vec<u8> {
    serde_json::to_vec(about).expect("it has a JSON form")
}

/// A task as it is sent.
pub fn task(claimed: Claimed) -> LeasedTask {
    LeasedTask {
        lease: lease_token(&claimed.lease),
        execution: claimed.lease.execution.to_string(),
        deliveries: claimed.deliveries,
        assignment: claimed.assignment,
    }
}

fn lease_token(lease: &LeaseRef) -> String {
    format!("{}.{}.{}", lease.execution.0.simple(), lease.row, lease.fence)
}

/// The lease that a token names.
pub fn lease(token: &str) -> Result<LeaseRef, Refusal> {
    let mut parts = token.splitn(3, '.');
    let mut next = || parts.next().unwrap_or_default();
    let (execution, row, fence) = (next(), next(), next());
    let parsed = Uuid::try_parse(execution).ok().zip(fence.parse().ok());
    let parsed = parsed.filter(|_| row.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    match parsed {
        Some((execution, fence)) => {
            Ok(LeaseRef { execution: weaver_store::ExecutionId(execution), row: row.into(), fence })
        }
        None => Err(Refusal::not_found("there is no such lease")),
    }
}

/// A task that an execution waits for, as it is shown.
pub fn waiting_task(waiting: &Waiting) -> WaitingTask {
    WaitingTask {
        node: waiting.node.clone(),
        function: waiting.function.clone(),
        text: waiting.text.clone(),
        status: match waiting.state {
            TaskState::Queued => TaskStatus::Queued,
            TaskState::Running => TaskStatus::Running,
            TaskState::GivenUp => TaskStatus::GivenUp,
        },
        worker: waiting.worker.as_deref().map(String::from),
        since: waiting.since.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        let kept = LeaseRef {
            execution: weaver_store::ExecutionId::generate(),
            row: "0123456789abcdef".into(),
            fence: 7,
        };
        assert_eq!(lease(&lease_token(&kept)).unwrap(), kept);
        for wrong in ["", "a.b", "a.b.c", "....", &format!("{}.a b.1", kept.execution)] {
            assert!(lease(wrong).is_err(), "{wrong}");
        }
    }
}
