//! [`Error`]: why a run could not be driven. A node that fails is no error but
//! an outcome.

use weaver_core::{Failure, FailureKind};

/// Why a run could not be driven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log could not be read or written.
    #[error(transparent)]
    Store(#[from] weaver_store::Error),
    /// The thread, checkpoint or interrupt that was named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What was asked does not fit the state the thread is in.
    #[error("{0}")]
    Invalid(String),
    /// The log holds something that this version cannot read.
    #[error("the log holds a checkpoint that cannot be read: {0}")]
    Unreadable(String),
    /// The engine waits for nothing that can happen: a bug of ours.
    #[error("the run waits for nothing that can happen; this is a bug")]
    Stalled,
}

/// A failed write, as the failure of the task that waited for it.
pub fn store_failure(error: weaver_store::Error) -> Failure {
    Failure::new(FailureKind::Internal, "store_failed", error.to_string())
}
