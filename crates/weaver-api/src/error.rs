//! [`Error`]: why a request has no answer.

use crate::Problem;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused it.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The server was not reached, or the connection broke; a request that carries
    /// an `Idempotency-Key` may be sent again as it is.
    #[error("no answer from {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// Whatever answered is no AgentWeaver server.
    #[error("{address} answered what no AgentWeaver server answers: {reason}")]
    Foreign {
        /// Where.
        address: String,
        /// What was wrong with it.
        reason: String,
    },
}
