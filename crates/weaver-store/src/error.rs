//! [`Error`]: what a caller of the store can do something about.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ExecutionId;

/// Why the store could not do what it was asked. Cloned to every ticket that
/// shares a failed transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process works with this data directory.
    #[error("the data directory {} is in use by {}", dir.display(), holder(*pid))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, when it could be read.
        pid: Option<u32>,
    },
    /// There is no store at this place, and it was opened for reading only.
    #[error("there is no log in {}", dir.display())]
    Missing {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory or a file in it cannot be created, read or written.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// The directory or file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file was written by a newer version of the program.
    #[error(
        "{} has schema version {found}, this program knows versions up to {supported}",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest that this program knows.
        supported: u32,
    },
    /// The file is something else than our database.
    #[error("{} is not an AgentWeaver log: {reason}", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What it is instead, as far as known.
        reason: String,
    },
    /// The file is damaged.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No room is left on the disk.
    #[error("no room left for {}: nothing of the batch was saved", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// A record clashes with what is stored: a sequence that is not the next, an
    /// id that exists, a parent that does not. Usually somebody else drives the
    /// same execution.
    #[error("{0}")]
    Conflict(String),
    /// The database server cannot be reached, or the connection to it broke before
    /// anything was asked to be final. Nothing of the batch was saved.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// Which server, without the password.
        server: Arc<str>,
        /// What the system or the server said.
        reason: String,
    },
    /// The database server does not let the user in, or not at what is needed.
    #[error("{server} refuses: {reason}")]
    Refused {
        /// Which server.
        server: Arc<str>,
        /// What it said.
        reason: String,
    },
    /// The database server is older than what the store needs.
    #[error("{server} is PostgreSQL {found}, and 15 or later is needed")]
    ServerTooOld {
        /// Which server.
        server: Arc<str>,
        /// Its version.
        found: String,
    },
    /// The database takes no writes: it is a copy, or was told so.
    #[error("{server} is read-only: {reason}")]
    ReadOnly {
        /// Which server.
        server: Arc<str>,
        /// What it said.
        reason: String,
    },
    /// Somebody held a lock, or the server was at work, for longer than was waited.
    #[error("{server} is busy: {reason}")]
    Busy {
        /// Which server.
        server: Arc<str>,
        /// What it said.
        reason: String,
    },
    /// The database has an older schema, or none, and may not be migrated now.
    #[error("{server} has schema version {found}, and {supported} is needed")]
    OlderSchema {
        /// Which server.
        server: Arc<str>,
        /// Its schema version, 0 for none.
        found: u32,
        /// The version that is needed.
        supported: u32,
    },
    /// Somebody else has taken the execution over since this batch's holder did:
    /// its fence is not the execution's. Nothing of the batch was saved; the
    /// holder must stop.
    #[error("execution {execution} was taken over: its fence is {found}, not {held}")]
    Fenced {
        /// Which execution.
        execution: ExecutionId,
        /// The fence that the batch came with.
        held: u64,
        /// The fence that counts.
        found: u64,
    },
    /// A request came under an idempotency key that another request has used.
    /// Nothing was done.
    #[error("the idempotency key `{key}` was used for another request")]
    KeyReused {
        /// The caller's key.
        key: Arc<str>,
    },
    /// The request itself makes no sense; nothing was tried.
    #[error("{0}")]
    Invalid(String),
    /// An earlier batch of the same execution, or the store as a whole, failed
    /// before this batch's turn; nothing of it was saved.
    #[error("not saved, because an earlier write failed: {cause}")]
    Aborted {
        /// The first failure.
        cause: Arc<Error>,
    },
    /// Nobody knows whether the batch was saved. Open the store again and look.
    #[error("it is unknown whether the last write was saved: {reason}")]
    UnknownCommit {
        /// What the database said.
        reason: String,
    },
    /// The store is closed.
    #[error("the log is closed")]
    Closed,
    /// Anything else that the system or the database reports.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".into(),
    }
}

impl Error {
    /// From what the system says of a file or directory that is to be written.
    pub(crate) fn unwritable(path: &Path, error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full { path: path.into() },
            _ => Error::Unwritable { path: path.into(), reason: error.to_string() },
        }
    }

    /// Whether the batch itself is to blame, so that others beside it may succeed.
    pub(crate) fn is_of_batch(&self) -> bool {
        matches!(self, Error::Conflict(_) | Error::Fenced { .. } | Error::Invalid(_))
    }

    /// Whether the same call may be made again as it is, with hope. Before a batch
    /// of an execution is appended again, [`crate::Backend::recover`] it.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Error::Locked { .. }
                | Error::Full { .. }
                | Error::Unreachable { .. }
                | Error::Busy { .. }
                | Error::ReadOnly { .. }
        )
    }

    /// Whether the store as a whole takes no more writes after this and has to
    /// be opened again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Error::Conflict(_)
            | Error::Fenced { .. }
            | Error::KeyReused { .. }
            | Error::Invalid(_)
            | Error::Full { .. }
            | Error::Locked { .. }
            | Error::Unreachable { .. }
            | Error::Busy { .. }
            | Error::ReadOnly { .. } => false,
            Error::Aborted { cause } => cause.is_fatal(),
            _ => true,
        }
    }

    /// A stable word for exit codes, JSON and the page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Locked { .. } => "store_locked",
            Error::Missing { .. } => "store_missing",
            Error::Unwritable { .. } => "store_unwritable",
            Error::NewerSchema { .. } => "store_newer",
            Error::NotADatabase { .. } => "store_not_a_database",
            Error::Corrupt { .. } => "store_corrupt",
            Error::Full { .. } => "store_full",
            Error::Conflict(_) => "store_conflict",
            Error::Unreachable { .. } => "store_unreachable",
            Error::Refused { .. } => "store_refused",
            Error::ServerTooOld { .. } => "store_server_too_old",
            Error::ReadOnly { .. } => "store_read_only",
            Error::Busy { .. } => "store_busy",
            Error::OlderSchema { .. } => "store_older",
            Error::Fenced { .. } => "store_fenced",
            Error::KeyReused { .. } => "store_key_reused",
            Error::Invalid(_) => "store_invalid",
            Error::Aborted { .. } => "store_aborted",
            Error::UnknownCommit { .. } => "store_unknown_commit",
            Error::Closed => "store_closed",
            Error::Io { .. } => "store_io",
        }
    }

    /// What can be done, in a sentence for people.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Error::Locked { .. } => {
                "wait until that process ends, or choose another directory with --data"
            }
            Error::Missing { .. } => "run a workflow first, or name the directory with --data",
            Error::Unwritable { .. } => {
                "give yourself the right to write there, or choose another directory with --data"
            }
            Error::NewerSchema { .. } => {
                "use the newer program, or choose another directory with --data; the file was not changed"
            }
            Error::NotADatabase { .. } => {
                "choose another directory with --data, or move that file away; it was not changed"
            }
            Error::Corrupt { .. } => {
                "copy the whole directory first; `agentweaver doctor` says what is damaged, \
                 `sqlite3 FILE .recover` saves what can be read, a backup is the sure way"
            }
            Error::Full { .. } => {
                "free some space and run again; everything acknowledged before is safe"
            }
            Error::Aborted { cause } => return cause.help(),
            Error::UnknownCommit { .. } => "run again: the log is read first, nothing is doubled",
            Error::KeyReused { .. } => "give each request a key of its own",
            Error::Unreachable { .. } => {
                "see that the server runs and that the URL's host and port are right"
            }
            Error::Refused { .. } => "see that the URL's user, password and database are right",
            Error::ServerTooOld { .. } => "use a server of PostgreSQL 15 or later",
            Error::ReadOnly { .. } => "name the server that takes writes in the URL",
            Error::Busy { .. } => "run again; everything acknowledged before is safe",
            Error::OlderSchema { .. } => "run `agentweaver migrate` with the schema's owner",
            Error::Fenced { .. } => "nothing: the new holder goes on with the execution",
            Error::Conflict(_) | Error::Invalid(_) | Error::Closed | Error::Io { .. } => {
                return None;
            }
        })
    }
}
