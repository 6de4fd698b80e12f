//! [`Stats`]: what a store has been doing, for who watches over it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use weaver_core::Histogram;

/// What a store has been doing in this process since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// From when a batch was handed over until it was on disk.
    pub commits: Histogram,
    /// Bytes of batches that nobody has taken up yet.
    pub queued_bytes: usize,
    /// The connections that read, and on a server write what is no batch.
    pub connections: Connections,
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// At work.
    pub used: usize,
    /// Open, and free.
    pub idle: usize,
    /// So many may be at work; `None` for as many as are wanted.
    pub max: Option<usize>,
}

/// How long commits took.
#[derive(Default)]
pub(crate) struct Commits(Mutex<Histogram>);

impl Commits {
    /// Counts batches that are on disk now, by when they were handed over.
    pub(crate) fn add(&self, asked: impl Iterator<Item = Instant>) {
        let now = Instant::now();
        let mut took = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.for_each(|asked| took.add((now - asked).as_micros() as u64));
    }

    pub(crate) fn so_far(&self) -> Histogram {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
