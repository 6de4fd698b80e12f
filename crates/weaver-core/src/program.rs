//! [`Program`]: the part of a file that the embedded interpreter runs.

use serde::{Deserialize, Serialize};

use crate::spec::{SchemaSpec, ToolSpec};

/// What the compiler cut out of a graph file for the interpreter. `studio` makes
/// it, `interpreter` runs it.
///
/// The source has the file's own line numbers and columns: what is not needed
/// (graph building, class-based schemas, imports that the host answers) is
/// blanked with spaces, never removed, so a traceback points into the user's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The file as the user named it, for tracebacks.
    pub file: String,
    /// The cut source.
    pub source: String,
    /// Names that the host provides, in the order of their imports.
    pub imports: Vec<HostImport>,
    /// Class-based schemas that the code names (`Route(...)`, `with_structured_output(Route)`,
    /// `isinstance(x, Route)`); the host makes a class of each.
    pub schemas: Vec<SchemaSpec>,
    /// The `@tool` functions that the source holds.
    pub tools: Vec<ToolSpec>,
    /// Compiled graphs that functions name (`sub.invoke(...)`): local name and
    /// [`crate::spec::GraphSpec::name`], with `/variable` for one of its
    /// [`crate::spec::GraphSpec::variants`].
    pub graphs: Vec<(String, String)>,
    /// Lambdas that nodes, branches or reducers are: [`crate::spec::FunctionSpec::id`]
    /// and the expression's text.
    pub lambdas: Vec<(String, String)>,
}

/// One name bound by an import that the host answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostImport {
    /// The module: `langchain_core.messages`.
    pub module: String,
    /// The name in it, or nothing for `import module`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name in the file.
    pub local: String,
}
