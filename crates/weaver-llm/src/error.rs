//! Why a call of a model failed, in one vocabulary for all providers.

use std::time::Duration;

use weaver_core::{Failure, FailureKind};

/// Which part of a call ran out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Making the connection.
    Connect,
    /// Waiting for the first piece of the answer (or the whole of one that is not streamed).
    FirstToken,
    /// Waiting for the next piece.
    Idle,
    /// The caller's own deadline.
    Total,
}

/// A failed call. Each prints as a sentence or two that read alone and name the way out.
/// `message` is always the provider's own words, cut to a readable length.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name says no model that we can find.
    #[error("{message}")]
    UnknownModel {
        /// A sentence with near names.
        message: String,
    },
    /// The provider needs a key and has none.
    #[error(
        "`{model}` needs a key for {provider}: set {variable}, or use `--model scripted` to run offline."
    )]
    MissingKey {
        /// The name that was asked for.
        model: String,
        /// The provider's title.
        provider: String,
        /// The environment variable that would hold the key.
        variable: String,
    },
    /// The key was refused.
    #[error("{provider} refused the key ({message}). Check {variable}.")]
    Auth {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
        /// The environment variable that holds the key.
        variable: String,
    },
    /// The key is good but may not do this.
    #[error("{provider} does not allow this key to do that: {message}")]
    Forbidden {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
    },
    /// The account has no money or quota left; waiting does not help.
    #[error("The account at {provider} has no quota left: {message}")]
    Quota {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
    },
    /// Too many calls or tokens just now.
    #[error("{provider} is limiting the rate of calls{}: {message}", after(.reset))]
    RateLimited {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
        /// When it said to come back, counted from its answer.
        reset: Option<Duration>,
    },
    /// The provider cannot answer just now.
    #[error("{provider} is overloaded or failing (status {status}){}: {message}", after(.reset))]
    Overloaded {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
        /// The HTTP status.
        status: u16,
        /// When it said to come back.
        reset: Option<Duration>,
    },
    /// The endpoint kept failing and is left alone for a while; nobody was asked.
    #[error(
        "{provider} failed {failures} times in a row and is left alone{}.", after(&Some(*.reset))
    )]
    CircuitOpen {
        /// The provider's title.
        provider: String,
        /// How often.
        failures: u32,
        /// When it is tried again.
        reset: Duration,
    },
    /// The call costs more than it may. Before it is sent, nothing was spent; a stream is
    /// cut where it passes the limit.
    #[error("The call costs more than it may: {} of {} (in US dollars){}", dollars(.cost_micros), dollars(.budget_micros), if *.began { "; its answer was cut." } else { "; it was not sent." })]
    OverBudget {
        /// What it costs at least, in micro-USD.
        cost_micros: u64,
        /// What it may cost.
        budget_micros: u64,
        /// The answer had begun.
        began: bool,
    },
    /// The messages do not fit the model's window.
    #[error(
        "The messages are too long for the model: {message} Shorten them or take a model with a larger window."
    )]
    ContextTooLong {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
    },
    /// The provider's filter refused the request.
    #[error("{provider} filtered the content: {message}")]
    ContentFiltered {
        /// The provider's title.
        provider: String,
        /// The provider's words.
        message: String,
    },
    /// The provider does not know the model.
    #[error("{provider} has no model `{model}`: {message}")]
    ModelNotFound {
        /// The provider's title.
        provider: String,
        /// The model as it was asked for.
        model: String,
        /// The provider's words, and ours about the way out.
        message: String,
    },
    /// The request is wrong; it will be wrong again.
    #[error("{provider} rejected the request{}: {message}", status_note(.status))]
    BadRequest {
        /// The provider's title, or `the gateway` when we saw it before sending.
        provider: String,
        /// What is wrong.
        message: String,
        /// The HTTP status, when there was one.
        status: Option<u16>,
    },
    /// A part of the call took too long.
    #[error("{}", timeout_sentence(.provider, .phase, .limit))]
    Timeout {
        /// The provider's title.
        provider: String,
        /// Which part.
        phase: Phase,
        /// How long it was given.
        limit: Duration,
    },
    /// The connection could not be made or broke.
    #[error("No connection to {provider} at {address}: {message}.{}", network_help(.provider))]
    Network {
        /// The provider's title.
        provider: String,
        /// Scheme, host and port.
        address: String,
        /// What went wrong.
        message: String,
    },
    /// The answer began and broke off.
    #[error("The answer of {provider} broke off: {message}. Nothing of it is used.")]
    Cut {
        /// The provider's title.
        provider: String,
        /// How.
        message: String,
    },
    /// The answer is not what the protocol says.
    #[error("The answer of {provider} cannot be read: {message}")]
    Protocol {
        /// The provider's title.
        provider: String,
        /// What is wrong with it.
        message: String,
    },
    /// The script of the offline model is wrong, or no rule of it fits.
    #[error("{message}")]
    Script {
        /// A sentence with file, line and column where there is one.
        message: String,
    },
    /// The caller called it off.
    #[error("The call was cancelled.")]
    Cancelled,
}

impl Error {
    /// Whether the same call may be made again as it is and may then succeed. A
    /// call whose answer was lost may have been billed.
    pub fn retry_is_safe(&self) -> bool {
        match self {
            Error::RateLimited { .. }
            | Error::Overloaded { .. }
            | Error::CircuitOpen { .. }
            | Error::Network { .. }
            | Error::Cut { .. }
            | Error::Protocol { .. } => true,
            Error::Timeout { phase, .. } => *phase != Phase::Total,
            _ => false,
        }
    }

    /// Whether the same messages may find an answer with another model or provider.
    pub(crate) fn another_model_may_help(&self) -> bool {
        match self {
            Error::BadRequest { .. } | Error::Script { .. } | Error::Cancelled => false,
            Error::Timeout { phase, .. } => *phase != Phase::Total,
            _ => true,
        }
    }

    /// How long the provider asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::RateLimited { reset, .. } | Error::Overloaded { reset, .. } => *reset,
            Error::CircuitOpen { reset, .. } => Some(*reset),
            _ => None,
        }
    }

    /// A stable word: `model_overloaded`, `model_key_missing` …
    pub fn code(&self) -> &'static str {
        match self {
            Error::UnknownModel { .. } => "model_unknown",
            Error::MissingKey { .. } => "model_key_missing",
            Error::Auth { .. } => "model_auth",
            Error::Forbidden { .. } => "model_forbidden",
            Error::Quota { .. } => "model_quota",
            Error::RateLimited { .. } => "model_rate_limited",
            Error::Overloaded { .. } => "model_overloaded",
            Error::CircuitOpen { .. } => "model_circuit_open",
            Error::OverBudget { .. } => "model_over_budget",
            Error::ContextTooLong { .. } => "model_context_too_long",
            Error::ContentFiltered { .. } => "model_content_filtered",
            Error::ModelNotFound { .. } => "model_not_found",
            Error::BadRequest { .. } => "model_bad_request",
            Error::Timeout { .. } => "model_timeout",
            Error::Network { .. } => "model_network",
            Error::Cut { .. } => "model_cut",
            Error::Protocol { .. } => "model_protocol",
            Error::Script { .. } => "model_script",
            Error::Cancelled => "model_cancelled",
        }
    }

    /// The part that may hold words from outside.
    pub(crate) fn message_mut(&mut self) -> Option<&mut String> {
        match self {
            Error::UnknownModel { message }
            | Error::Auth { message, .. }
            | Error::Forbidden { message, .. }
            | Error::Quota { message, .. }
            | Error::RateLimited { message, .. }
            | Error::Overloaded { message, .. }
            | Error::ContextTooLong { message, .. }
            | Error::ContentFiltered { message, .. }
            | Error::ModelNotFound { message, .. }
            | Error::BadRequest { message, .. }
            | Error::Network { message, .. }
            | Error::Cut { message, .. }
            | Error::Protocol { message, .. }
            | Error::Script { message } => Some(message),
            Error::MissingKey { .. }
            | Error::CircuitOpen { .. }
            | Error::OverBudget { .. }
            | Error::Timeout { .. }
            | Error::Cancelled => None,
        }
    }

    pub(crate) fn cut(provider: &str, message: impl Into<String>) -> Self {
        Error::Cut { provider: provider.into(), message: message.into() }
    }

    pub(crate) fn protocol(provider: &str, message: impl Into<String>) -> Self {
        Error::Protocol { provider: provider.into(), message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Error::BadRequest { provider: "The gateway".into(), message: message.into(), status: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Timeout { .. } => FailureKind::Timeout,
            Error::Cancelled => FailureKind::Cancelled,
            Error::OverBudget { .. } => FailureKind::Budget,
            _ => FailureKind::Model,
        };
        let mut failure = Failure::new(kind, error.code(), error.to_string());
        failure.retryable = error.retry_is_safe();
        failure
    }
}

fn dollars(micros: &u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn after(reset: &Option<Duration>) -> String {
    match reset {
        Some(reset) => format!(", free again in {:.1} s", reset.as_secs_f64()),
        None => String::new(),
    }
}

fn status_note(status: &Option<u16>) -> String {
    status.map(|status| format!(" (status {status})")).unwrap_or_default()
}

fn timeout_sentence(provider: &str, phase: &Phase, limit: &Duration) -> String {
    let seconds = limit.as_secs_f64();
    match phase {
        Phase::Connect => format!("{provider} could not be reached within {seconds} s."),
        Phase::FirstToken => format!("{provider} sent no answer within {seconds} s."),
        Phase::Idle => format!("{provider} stopped sending: nothing for {seconds} s."),
        Phase::Total => format!("The time for this call ran out while {provider} answered."),
    }
}

fn network_help(provider: &str) -> &'static str {
    match provider {
        "Ollama" => {
            " Is Ollama running (`ollama serve`)? OLLAMA_HOST says where; `--model scripted` runs offline."
        }
        _ => " `--model scripted` runs offline.",
    }
}
