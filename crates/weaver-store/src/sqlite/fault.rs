//! From what SQLite reports to [`Error`].

use std::path::Path;

use rusqlite::ErrorCode;

use crate::Error;
use crate::pack::Damaged;

/// What can go wrong inside a transaction: SQLite's error, or ours.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Store(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<Damaged> for Fault {
    fn from(damaged: Damaged) -> Self {
        Fault::Sql(super::rows::unreadable(0, damaged))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Store(error)
    }
}

impl Fault {
    pub(super) fn conflict(message: String) -> Self {
        Fault::Store(Error::Conflict(message))
    }

    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Fault::Store(error) => error,
            Fault::Sql(error) => sql_error(error, path),
        }
    }
}

fn sql_error(error: rusqlite::Error, path: &Path) -> Error {
    let path = path.to_path_buf();
    let reason = error.to_string();
    let Some(code) = error.sqlite_error_code() else {
        // A value that is not what the schema says it is.
        return Error::Corrupt { path, detail: reason };
    };
    match code {
        ErrorCode::DatabaseCorrupt => Error::Corrupt { path, detail: reason },
        ErrorCode::NotADatabase => Error::NotADatabase { path, reason: "it is no database".into() },
        ErrorCode::DiskFull => Error::Full { path },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            Error::Unwritable { path, reason }
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::Locked { dir: path.parent().map(Path::to_path_buf).unwrap_or(path), pid: None }
        }
        ErrorCode::ConstraintViolation => Error::Conflict(reason),
        _ => Error::Io { path, reason },
    }
}

/// The error of a failed `COMMIT`. After an IO error SQLite has rolled back in
/// memory, but a complete commit may be in the log file and be found there by
/// the next opening.
pub(super) fn commit_error(error: rusqlite::Error, path: &Path) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => Error::UnknownCommit { reason: error.to_string() },
        _ => sql_error(error, path),
    }
}
