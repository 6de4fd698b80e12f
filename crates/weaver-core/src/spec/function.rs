//! Functions and tools of the file.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;
use crate::value::Value;

/// A function that something uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FunctionSpec {
    /// Unique in the file: the name, `Class.method`, or `lambda@LINE:COLUMN`.
    pub id: String,
    /// How it can run.
    pub runs: Runs,
    /// `async def`.
    pub is_async: bool,
    /// Positional parameters in order, with annotations as written.
    pub parameters: Vec<ParameterSpec>,
    /// First line of the docstring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// Hash over its text and the text of all that it uses: changes when its meaning may have.
    pub code_hash: String,
    /// The definition.
    pub span: Span,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ParameterSpec {
    /// Its name: `config`, `runtime`, `store`, `writer`, `previous` are filled by name.
    pub name: String,
    /// The annotation as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<String>,
    /// Whether it has a default.
    pub has_default: bool,
    /// Keyword only.
    pub keyword_only: bool,
}

/// How a function can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "runs", rename_all = "snake_case")]
pub enum Runs {
    /// In the embedded interpreter.
    Embedded,
    /// Only on a Python worker: the problems in [`super::FileSpec::problems`] with these codes and places say why.
    Worker {
        /// One sentence for each reason.
        reasons: Vec<String>,
    },
}

/// A `@tool` function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ToolSpec {
    /// The name that models see.
    pub name: String,
    /// [`FunctionSpec::id`].
    pub function: String,
    /// The docstring or `description=`.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
    /// `return_direct=True`.
    pub return_direct: bool,
    /// `response_format="content_and_artifact"`: it returns what the model sees, and what it
    /// does not see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gives_artifact: bool,
    /// The definition.
    pub span: Span,
}
