//! Why a node, a task or a run failed. A failing agent is data, not an `Error`.

use serde::{Deserialize, Serialize};

/// What kind of failure it is; decides retries and exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The node's code raised an exception; [`Failure::exception`] names its class.
    Exception,
    /// A model call failed.
    Model,
    /// A tool call failed in a way the model is not shown.
    Tool,
    /// A time limit ran out.
    Timeout,
    /// A CPU, memory, depth or size limit was hit.
    Limit,
    /// The interpreter process died.
    Crash,
    /// Two writers, an unknown node, a bad update: the graph was used wrongly.
    InvalidUpdate,
    /// The recursion limit was reached with work perhaps left.
    RecursionLimit,
    /// The input or a resume does not fit.
    InvalidInput,
    /// A budget would be passed.
    Budget,
    /// Cancelled from outside.
    Cancelled,
    /// A bug of ours, or a broken store.
    Internal,
}

/// One line of a Python traceback, in the user's own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Frame {
    /// File as the user named it.
    pub file: String,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// End column from 1 (exclusive) on the same line, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// The enclosing function.
    pub function: String,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// A stable word such as `node_failed` or `model_overloaded`; has a page in `docs/errors/`.
    pub code: String,
    /// One or two sentences that read alone.
    pub message: String,
    /// The Python exception class, for kind `exception`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The exception's base classes, nearest first, without `Exception`, `BaseException`
    /// and `object`: what `retry_on` and `except` also match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<String>,
    /// The node it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The state key it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Innermost frame last, as Python prints it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traceback: Vec<Frame>,
    /// How to mend it, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether the same call may be made again as it is.
    #[serde(default)]
    pub retryable: bool,
}

impl Failure {
    /// A failure without traceback or help.
    pub fn new(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Failure {
            kind,
            code: code.into(),
            message: message.into(),
            exception: None,
            bases: Vec::new(),
            node: None,
            key: None,
            traceback: Vec::new(),
            help: None,
            retryable: false,
        }
    }

    /// A Python exception.
    pub fn exception(class: &str, message: impl Into<String>) -> Self {
        let mut failure = Failure::new(FailureKind::Exception, "node_failed", message);
        failure.exception = Some(class.into());
        failure
    }

    /// `Class('message')`, as Python writes an exception of that class.
    pub fn python_repr(&self, class: &str) -> String {
        match class {
            "KeyError" => format!("{class}({})", self.message),
            _ if self.message.is_empty() => format!("{class}()"),
            _ => format!("{class}({})", python_quoted(&self.message)),
        }
    }

    /// What the exception was made with: its message; of a `KeyError`, whose message
    /// is its key as Python writes it, the key.
    pub fn argument(&self) -> &str {
        let quoted = |quote| self.message.strip_prefix(quote)?.strip_suffix(quote);
        let key = || quoted('\'').or_else(|| quoted('"'));
        let is_key = self.exception.as_deref() == Some("KeyError");
        is_key.then(key).flatten().unwrap_or(&self.message)
    }

    /// The same with the way out.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, about a state key.
    pub fn about(mut self, key: &str) -> Self {
        self.key.get_or_insert_with(|| key.into());
        self
    }

    /// The same, marked as safe to try again.
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The same, in a node.
    pub fn in_node(mut self, node: &str) -> Self {
        self.node.get_or_insert_with(|| node.into());
        self
    }
}

/// Text as Python's `repr` writes it.
pub fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == '\\' || c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(class) = &self.exception {
            write!(f, "{class}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_read_as_in_python() {
        let text =
            |class: &str, message: &str| Failure::exception(class, message).python_repr(class);
        assert_eq!(text("ValueError", "it's"), "ValueError(\"it's\")");
        assert_eq!(text("KeyError", "'x'"), "KeyError('x')");
        assert_eq!(text("RuntimeError", ""), "RuntimeError()");
        assert_eq!(Failure::exception("KeyError", "'x'").argument(), "x");
        assert_eq!(Failure::exception("ValueError", "'x'").argument(), "'x'");
    }
}
