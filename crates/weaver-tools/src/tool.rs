//! What a tool is, and how a call of one can fail.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use weaver_core::{Failure, FailureKind, Value};

/// What a call of a tool may do to the world; decides what happens after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Computes from its arguments alone.
    Pure,
    /// Looks at the world; may be called again freely.
    Read,
    /// Changes the world in a way that may be done twice.
    Write,
    /// Must never be done twice: an intent is logged before the call, and an
    /// unknown outcome waits for a person.
    AtMostOnce,
}

/// A tool as models and people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments, an object schema.
    pub parameters: Value,
    /// What it may do.
    pub effect: Effect,
    /// Whether a person has to say yes before each call.
    pub needs_approval: bool,
    /// Limit of one call.
    pub timeout: Duration,
}

/// Where a call stands. Dropping the future of a call ends the call.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// When the caller stops waiting; the tool's own timeout counts too.
    pub deadline: Option<Instant>,
    /// The call's idempotency key, sent along by tools that can.
    pub idempotency_key: Option<String>,
}

/// Something that can be called.
pub trait Tool: Send + Sync {
    /// What it is; always the same.
    fn definition(&self) -> &Definition;

    /// What a call with these arguments may do: a GET reads, a POST writes.
    fn effect(&self, args: &Value) -> Effect {
        let _ = args;
        self.definition().effect
    }

    /// Calls it with arguments that fit its schema.
    fn call<'a>(
        &'a self,
        args: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, ToolError>>;
}

type Run = dyn Fn(Value, Context) -> BoxFuture<'static, Result<Value, ToolError>> + Send + Sync;

/// A tool made of a definition and a function.
pub struct FnTool {
    definition: Definition,
    run: Box<Run>,
    effect: Option<fn(&Value) -> Effect>,
}

impl FnTool {
    /// A tool that runs a function.
    pub fn new<F, R>(definition: Definition, run: F) -> Self
    where
        F: Fn(Value, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        let run = Box::new(move |args, context| -> BoxFuture<'static, _> {
            Box::pin(run(args, context))
        });
        FnTool { definition, run, effect: None }
    }

    /// The same, where what it may do depends on the arguments.
    pub fn with_effect(self, effect: fn(&Value) -> Effect) -> Self {
        FnTool { effect: Some(effect), ..self }
    }
}

impl Tool for FnTool {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn effect(&self, args: &Value) -> Effect {
        self.effect.map_or(self.definition.effect, |effect| effect(args))
    }

    fn call<'a>(
        &'a self,
        args: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, ToolError>> {
        (self.run)(args, context.clone())
    }
}

/// An argument that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentProblem {
    /// JSON pointer of the argument: `/query`; empty for the arguments as a whole.
    pub pointer: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A call that failed. It is an answer: a model is shown it (see
/// [`ToolError::to_value`]) and may do better.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// No tool has the name.
    #[error("There is no tool `{name}`.{hint}")]
    UnknownTool {
        /// The name.
        name: String,
        /// Near names, or those that exist, as a sentence with a blank before it.
        hint: String,
    },
    /// The arguments do not fit the schema; nothing was done.
    #[error("The arguments do not fit: {}", problems_sentence(.0))]
    InvalidArguments(Vec<ArgumentProblem>),
    /// A guard said no; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// It took too long; what it did is not known.
    #[error("The tool `{tool}` took longer than {} s.", .limit.as_secs_f64())]
    Timeout {
        /// The tool's name.
        tool: String,
        /// Its limit.
        limit: Duration,
    },
    /// The answer is larger than the limit.
    #[error("{0}")]
    TooLarge(String),
    /// Nothing is there under that name.
    #[error("{0}")]
    NotFound(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
}

impl ToolError {
    /// A stable word: `tool_unknown`, `tool_refused` …
    pub fn code(&self) -> &'static str {
        match self {
            ToolError::UnknownTool { .. } => "tool_unknown",
            ToolError::InvalidArguments(_) => "tool_arguments",
            ToolError::Refused(_) => "tool_refused",
            ToolError::Timeout { .. } => "tool_timeout",
            ToolError::TooLarge(_) => "tool_too_large",
            ToolError::NotFound(_) => "tool_not_found",
            ToolError::Failed(_) => "tool_failed",
        }
    }

    /// What a model is shown: `{"error": {"code", "message", "problems"?}}`.
    pub fn to_value(&self) -> Value {
        let mut error =
            vec![("code", Value::str(self.code())), ("message", self.to_string().into())];
        if let ToolError::InvalidArguments(problems) = self {
            let problems = problems.iter().map(|problem| {
                Value::map([
                    ("pointer", Value::str(&*problem.pointer)),
                    ("message", Value::str(&*problem.message)),
                ])
            });
            error.push(("problems", Value::list(problems)));
        }
        Value::map([("error", Value::map(error))])
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        ToolError::Failed(message.into())
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        ToolError::Refused(message.into())
    }
}

impl From<ToolError> for Failure {
    /// For callers where a failed call ends the node, such as typed nodes.
    fn from(error: ToolError) -> Self {
        let kind = match error {
            ToolError::Timeout { .. } => FailureKind::Timeout,
            _ => FailureKind::Tool,
        };
        Failure::new(kind, error.code(), error.to_string())
    }
}

fn problems_sentence(problems: &[ArgumentProblem]) -> String {
    let sentences = problems.iter().map(|problem| match problem.pointer.as_str() {
        "" => problem.message.clone(),
        pointer => format!("{pointer}: {}", problem.message),
    });
    sentences.collect::<Vec<_>>().join("; ")
}
