//! What a server says of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong in a word: `draining`, `database_unreachable`.
    pub status: String,
    /// The program's version.
    pub version: String,
    /// What the process does: `all`, `api`, `scheduler`.
    pub role: String,
    /// `sqlite` or `postgresql`.
    pub store: String,
}
