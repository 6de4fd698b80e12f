//! [`Retention`]: how long what is over is kept.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::Timestamp;

use crate::batch::{Batch, Record};
use crate::query::Garbage;
use crate::{Forgotten, Result, Store};

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A thread is forgotten, with its checkpoints and logs, when the last of its
    /// executions has ended so long ago. `None` for never; 90 days if nobody says
    /// otherwise. A thread with an execution that has not ended is kept.
    pub finished_threads: Option<Duration>,
    /// For so long the same request under the same key gets the first answer; later it
    /// is a new one. `None` for ever; 7 days if nobody says otherwise.
    pub idempotency_keys: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Retention { finished_threads: Some(90 * DAY), idempotency_keys: Some(7 * DAY) }
    }
}

/// What a retention forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Threads.
    pub threads: u64,
    /// Idempotency keys, settled reservations, budgets of what was forgotten.
    pub queue: Forgotten,
    /// What was freed because nothing names it any more, or its time was over.
    pub garbage: Garbage,
}

/// Threads that are forgotten in one transaction: others wait that long at most.
const THREADS_AT_ONCE: usize = 20;

impl Store {
    /// Forgets what is over in this tenant, a little at a time, and frees what nothing
    /// names. Safe beside runs: a thread on which something begins stays.
    pub async fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Retained> {
        let mut retained = Retained::default();
        if let Some(before) = retention.finished_threads.and_then(|age| ago(now, age)) {
            let mut last: Option<Arc<str>> = None;
            loop {
                let threads = self.idle_threads(before, last.clone(), THREADS_AT_ONCE).await?;
                let Some(thread) = threads.last() else { break };
                last = Some(thread.clone());
                retained.threads += threads.len() as u64;
                let mut batch = Batch::standalone();
                for thread in threads {
                    batch.push(Record::ForgetIdleThread { thread, before });
                }
                self.append(batch).await?;
            }
        }
        let keys_before = retention.idempotency_keys.and_then(|age| ago(now, age));
        retained.queue = self.queue().forget_over(self.tenant(), keys_before).await?;
        retained.garbage = self.collect_garbage(now).await?;
        Ok(retained)
    }
}

/// A moment that long before; nothing when that is before all time.
fn ago(now: Timestamp, age: Duration) -> Option<Timestamp> {
    let micros = i64::try_from(age.as_micros()).ok()?;
    Some(Timestamp(now.0.saturating_sub(micros)))
}
