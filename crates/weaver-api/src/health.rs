//! What a server says of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong in a word: `starting`, `draining`, `database_unreachable`.
    pub status: String,
    /// What is wrong, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The program's version.
    pub version: String,
    /// What the process does: `all`, `api`, `scheduler`.
    pub role: String,
    /// `sqlite` or `postgresql`.
    pub store: String,
}

/// `GET /health/detailed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detailed {
    /// The same as `GET /health`.
    #[serde(flatten)]
    pub health: Health,
    /// How long the process has been answering.
    pub uptime_seconds: u64,
    /// The folder whose files are workflows, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What the process stands on.
    pub checks: Vec<Check>,
}

/// How one thing stands that a server needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// `database`.
    pub name: String,
    /// `ok`, or what is wrong in a word.
    pub status: String,
    /// What is wrong, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the answer took, in microseconds.
    pub took_us: u64,
}
