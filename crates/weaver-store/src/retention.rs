//! [`Retention`]: how long what is over is kept.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::Timestamp;

use crate::batch::{Batch, Record};
use crate::query::Garbage;
use crate::{Result, Store};

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A thread is forgotten, with its checkpoints and logs, when the last of its
    /// executions has ended so long ago. `None` for never; 90 days if nobody says
    /// otherwise. A thread with an execution that has not ended is kept.
    pub finished_threads: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Retention { finished_threads: Some(90 * DAY) }
    }
}

/// What a retention forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Threads.
    pub threads: u64,
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
        let age = retention.finished_threads.map(|age| age.as_micros().try_into());
        if let Some(Ok(age)) = age {
            let before = Timestamp(now.0.saturating_sub(age));
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
        retained.garbage = self.collect_garbage(now).await?;
        Ok(retained)
    }
}
