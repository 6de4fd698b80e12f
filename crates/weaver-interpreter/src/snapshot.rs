//! [`Snapshot`]: a suspended call as bytes that only this deployment can have made.

use serde::{Deserialize, Serialize};
use weaver_core::Hash;

/// A suspended call. May be stored anywhere and restored in another process or
/// on another machine that has the same key, program and interpreter version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The interpreter's state, opaque.
    pub bytes: Vec<u8>,
    /// HMAC-SHA-256 over the bytes, the binding, the code hash and the version.
    pub mac: [u8; 32],
    /// Version of the interpreter that made it.
    pub version: String,
    /// Hash of the program that it runs.
    pub code_hash: Hash,
    /// The host calls that wait for answers: ids as in [`crate::HostCall::id`].
    pub pending: Vec<u32>,
}

/// Why a snapshot is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It was changed, or made with another key, or for another tenant or execution.
    #[error(
        "the snapshot's seal does not fit: it was changed, or belongs to another tenant, execution or deployment"
    )]
    Forged,
    /// It was made by another version of the interpreter.
    #[error("the snapshot was made by interpreter {made_by}, this is {running}")]
    Version {
        /// The version that made it.
        made_by: String,
        /// The version that runs here.
        running: String,
    },
    /// It was made from other code.
    #[error(
        "the snapshot was made from other code ({made_from}) than this session has ({session})"
    )]
    Code {
        /// Hash of the code that it was made from.
        made_from: Hash,
        /// Hash of the session's code.
        session: Hash,
    },
}
