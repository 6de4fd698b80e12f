//! From what the driver and the server report to [`Error`].

use std::error::Error as _;
use std::sync::Arc;

use tokio_postgres::error::{Severity, SqlState};

use super::dsn::chain;
use super::value::OutOfRange;
use crate::Error;
use crate::pack::Damaged;

/// What can go wrong inside a transaction: the database's error, or ours.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(tokio_postgres::Error),
    Store(Error),
    /// A value in the database that is not what we write.
    Unreadable(String),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Store(error)
    }
}

impl From<Damaged> for Fault {
    fn from(damaged: Damaged) -> Self {
        Fault::Unreadable(damaged.to_string())
    }
}

impl Fault {
    pub(super) fn conflict(message: String) -> Self {
        Fault::Store(Error::Conflict(message))
    }

    pub(super) fn unreadable(what: impl Into<String>) -> Self {
        Fault::Unreadable(what.into())
    }

    /// Whether the connection is of no more use, so that another may do better.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Fault::Sql(error) if is_lost(error))
    }

    /// The table that has a row of that key already. Which key, the server does not
    /// say where row-level security holds.
    pub(super) fn duplicate(&self) -> Option<&str> {
        let Fault::Sql(error) = self else { return None };
        let error = error.as_db_error()?;
        (*error.code() == SqlState::UNIQUE_VIOLATION).then(|| error.table()).flatten()
    }

    pub(super) fn into_error(self, server: &Arc<str>) -> Error {
        match self {
            Fault::Store(error) => error,
            Fault::Unreadable(detail) => Error::Corrupt { path: path(server), detail },
            Fault::Sql(error) => sql_error(error, server),
        }
    }
}

fn path(server: &str) -> std::path::PathBuf {
    server.into()
}

/// Whether an error ended the connection, or found it ended.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(error) => {
            matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                || *error.code() == SqlState::ADMIN_SHUTDOWN
        }
        None => error.is_closed() || find::<std::io::Error>(error).is_some(),
    }
}

/// A cause of a certain kind.
fn find<T: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&T> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}

fn sql_error(error: tokio_postgres::Error, server: &Arc<str>) -> Error {
    if let Some(wrong) = find::<OutOfRange>(&error) {
        return Error::Invalid(wrong.to_string());
    }
    let reason = match error.as_db_error() {
        Some(error) => error.message().to_string(),
        None => chain(&error),
    };
    let server = server.clone();
    let Some(code) = error.code() else {
        return match is_lost(&error) {
            true => Error::Unreachable { server, reason },
            false => Error::Corrupt { path: path(&server), detail: reason },
        };
    };
    match code.code() {
        "23505" | "23514" | "23503" => Error::Conflict(reason),
        // Only load.rs divides.
        "22012" => Error::Conflict("an execution was taken over or forgotten meanwhile".into()),
        "25006" => Error::ReadOnly { server, reason },
        "53100" => Error::Full { path: path(&server) },
        "55P03" | "57014" | "40P01" | "40001" => Error::Busy { server, reason },
        "28000" | "28P01" | "3D000" | "42501" => Error::Refused { server, reason },
        "XX001" | "XX002" => Error::Corrupt { path: path(&server), detail: reason },
        "53300" | "57P01" | "57P02" | "57P03" | "25P03" | "57P05" => {
            Error::Unreachable { server, reason }
        }
        code if code.starts_with("08") => Error::Unreachable { server, reason },
        _ => Error::Io { path: path(&server), reason },
    }
}

/// The error of a `COMMIT`, or of anything in flight together with it. A refusal
/// is certain; a connection that ended before the answer came says nothing.
pub(super) fn commit_fault(fault: Fault) -> Fault {
    match fault {
        Fault::Sql(error) if is_lost(&error) => {
            Fault::Store(Error::UnknownCommit { reason: chain(&error) })
        }
        fault => fault,
    }
}
