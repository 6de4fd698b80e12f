//! [`Submission`]: what is handed over to be executed.

use std::sync::Arc;

use weaver_core::Timestamp;
use weaver_store::{
    ConcurrencyKey, Enqueue, Execution, ExecutionId, ExecutionStatus, Idempotency, Priority,
    Record, Work, WorkflowVersion,
};

use super::{Once, Refused};
use crate::journal::now;
use crate::order::Order;
use crate::thread;

/// Something to be executed.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The id of the execution that it becomes, unless it is a repeat.
    pub id: ExecutionId,
    /// The source.
    pub version: WorkflowVersion,
    /// What to do with it.
    pub order: Order,
    /// The thread to work on; absent: a new one. Executions of a thread take turns.
    pub thread: Option<Arc<str>>,
    /// The execution that starts this one.
    pub parent: Option<ExecutionId>,
    /// What goes first.
    pub priority: Priority,
    /// Work that may not be done at the same time.
    pub key: Option<ConcurrencyKey>,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// What it may cost with all that it starts, in millionths of a US dollar.
    pub budget_micros: Option<u64>,
    /// Makes a repeat harmless.
    pub once: Option<Once>,
}

/// The most that one execution may be given as its input.
pub const INPUT_BYTES_MAX: usize = 8 << 20;

impl Submission {
    /// A submission that says nothing of its own.
    pub fn new(version: WorkflowVersion, order: Order) -> Self {
        Submission {
            id: ExecutionId::generate(),
            version,
            order,
            thread: None,
            parent: None,
            priority: Priority::default(),
            key: None,
            run_at: None,
            budget_micros: None,
            once: None,
        }
    }

    /// What becomes of it in the log and in the queue.
    pub(crate) fn queued(mut self) -> Result<weaver_store::Submission, Refused> {
        self.order.has_budget |= self.budget_micros.is_some();
        let input = self.order.encode();
        if input.len() > INPUT_BYTES_MAX {
            return Err(Refused::Field {
                pointer: "/input",
                message: format!(
                    "an input has at most {} MiB, this one has {:.1}",
                    INPUT_BYTES_MAX >> 20,
                    input.len() as f64 / f64::from(1 << 20)
                ),
            });
        }
        let key = match (&self.thread, self.key) {
            (Some(_), Some(_)) => {
                let message = "executions of a thread take turns: give a thread or a concurrency key, not both";
                return Err(Refused::Invalid(message.into()));
            }
            (Some(thread), None) => {
                Some(ConcurrencyKey { name: format!("thread:{thread}").into(), limit: 1 })
            }
            (None, key) => key,
        };
        let execution = Execution {
            id: self.id,
            parent: self.parent,
            thread: self.thread.unwrap_or_else(thread::new_thread_id),
            version: Some(self.version.hash),
            workflow: Some(self.version.file.as_str().into()),
            status: ExecutionStatus::Queued,
            input,
            started: now(),
            ended: None,
            error: None,
            totals: Default::default(),
        };
        let idempotency = self.once.map(|once| Idempotency {
            key: once.key,
            body: once.body,
            answer: execution.id.0.as_bytes().to_vec(),
            time: execution.started,
        });
        let enqueue = Enqueue {
            priority: self.priority,
            workflow: execution.workflow.clone(),
            key,
            run_at: self.run_at,
            ..Enqueue::execution(execution.id)
        };
        let mut records = vec![Record::Version(self.version)];
        records.extend(
            self.budget_micros.map(|limit_micros| {
                Record::Work(Work::Budget { root: execution.id, limit_micros })
            }),
        );
        Ok(weaver_store::Submission { execution, enqueue, records, idempotency })
    }
}
