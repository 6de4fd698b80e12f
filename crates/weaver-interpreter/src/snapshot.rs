//! [`Snapshot`]: a suspended call as bytes that only this deployment can have made.

use hmac::{Hmac, KeyInit, Mac};
use monty_types::MONTY_VERSION;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use weaver_core::Hash;

use crate::session::Binding;

/// Counts the ways in which a worker has written its state besides the interpreter's own.
const STATE_FORMAT: u32 = 2;

/// A suspended call. May be stored anywhere and restored in another process or
/// on another machine that has the same key, program and interpreter version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The interpreter's state, opaque; usually what differs from `base`.
    pub bytes: Vec<u8>,
    /// Hash of the state of an empty module that the bytes build on. Every
    /// process of the same version has it; absent: the bytes are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Hash>,
    /// HMAC-SHA-256 over the bytes, the base, the binding, the code hash and the version.
    pub mac: [u8; 32],
    /// Version of the interpreter that made it.
    pub version: String,
    /// Hash of the program that it runs.
    pub code_hash: Hash,
}

impl Snapshot {
    pub(crate) fn seal(
        bytes: Vec<u8>,
        base: Option<Hash>,
        key: &[u8; 32],
        binding: &Binding,
        code_hash: Hash,
    ) -> Self {
        let version = version();
        let mut snapshot = Snapshot { bytes, base, mac: [0; 32], version, code_hash };
        snapshot.mac = snapshot.seal_over(key, binding).finalize().into_bytes().into();
        snapshot
    }

    /// Everything that must fit before a single byte is looked at: the
    /// interpreter trusts what it loads.
    pub(crate) fn check(
        &self,
        key: &[u8; 32],
        binding: &Binding,
        code_hash: Hash,
    ) -> Result<(), RestoreError> {
        let seal = self.seal_over(key, binding);
        seal.verify_slice(&self.mac).map_err(|_| RestoreError::Forged)?;
        let running = version();
        if self.version != running {
            let made_by = self.version.clone();
            return Err(RestoreError::Version { made_by, running });
        }
        if self.code_hash != code_hash {
            return Err(RestoreError::Code { made_from: self.code_hash, session: code_hash });
        }
        Ok(())
    }

    fn seal_over(&self, key: &[u8; 32], binding: &Binding) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length fits HMAC");
        let parts: [&[u8]; 6] = [
            self.version.as_bytes(),
            &self.code_hash.0,
            self.base.as_ref().map_or(&[], |base| &base.0),
            binding.tenant.as_bytes(),
            binding.execution.as_bytes(),
            &self.bytes,
        ];
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

fn version() -> String {
    format!("{MONTY_VERSION}/{STATE_FORMAT}")
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
