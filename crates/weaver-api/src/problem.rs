//! [`Problem`]: what every refused request is answered with (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The content type of a [`Problem`].
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URN that holds [`Problem::code`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, the same for all of its cases.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, in a sentence.
    pub detail: String,
    /// A stable word, to decide by.
    pub code: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What is wrong with which part of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The version that is there now, where the request was about an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The request's name in the server's log.
    #[serde(default)]
    pub request_id: String,
}

/// What is wrong with one part of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Where, as a JSON pointer: `/input/messages`.
    pub pointer: String,
    /// What.
    pub detail: String,
    /// Where inside a text that the part is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What is wrong at one place of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// A stable word, to decide by.
    pub code: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The line with a caret under the place, for people.
    pub excerpt: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        // What is said once of the whole is not said again of its one part.
        for error in self.errors.iter().filter(|error| error.detail != self.detail) {
            match &error.place {
                Some(place) => write!(f, "\n{}", place.excerpt)?,
                None => write!(f, "\n  {}: {}", error.pointer, error.detail)?,
            }
        }
        Ok(())
    }
}
