//! Retry, timeout and cache policies of a node.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::{Failure, FailureKind};

/// When and how often a failed attempt is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Pause before the first retry.
    pub initial_interval: Duration,
    /// Factor from one pause to the next.
    pub backoff_factor: f64,
    /// Longest pause.
    pub max_interval: Duration,
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// Whether up to one second is added at random.
    pub jitter: bool,
    /// Which failures.
    pub retry_on: RetryOn,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            initial_interval: Duration::from_millis(500),
            backoff_factor: 2.0,
            max_interval: Duration::from_secs(128),
            max_attempts: 3,
            jitter: true,
            retry_on: RetryOn::Default,
        }
    }
}

impl RetryPolicy {
    /// The pause after the given attempt (from 1) failed; `fraction` is in 0..1.
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let exponent = attempt.saturating_sub(1).min(1_000_000) as i32;
        let factor = self.backoff_factor.max(0.0).powi(exponent);
        let seconds = self.initial_interval.as_secs_f64() * factor;
        let seconds = seconds.min(self.max_interval.as_secs_f64());
        Duration::from_secs_f64(if self.jitter { seconds + fraction } else { seconds })
    }
}

/// Which failures a policy retries.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RetryOn {
    /// What LangGraph retries: connections, server errors and unknown exceptions.
    #[default]
    Default,
    /// Exceptions of these classes or their subclasses.
    Classes(Vec<Arc<str>>),
    /// What this predicate of the host says of it.
    External(Arc<str>),
}

/// Limits of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutPolicy {
    /// Of the whole attempt.
    pub run: Option<Duration>,
    /// Without a sign of life ([`crate::Happened::Progress`]).
    pub idle: Option<Duration>,
}

/// Reuse of a node's writes for the same input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePolicy {
    /// A function of the host that makes the key; absent: hash of the input.
    pub key: Option<Arc<str>>,
    /// How long an entry may be used; absent: for ever.
    pub ttl: Option<Duration>,
}

/// LangGraph's default: whether a failure is worth another attempt.
pub fn default_retry_on(failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::Exception | FailureKind::InvalidUpdate => {
            failure.exception.is_none()
                || failure.retryable
                || is_instance(failure, "ConnectionError")
                || !NOT_RETRIED.iter().any(|base| is_instance(failure, base))
        }
        FailureKind::Timeout | FailureKind::Crash => true,
        FailureKind::Model | FailureKind::Tool => failure.retryable,
        FailureKind::Limit
        | FailureKind::RecursionLimit
        | FailureKind::InvalidInput
        | FailureKind::Budget
        | FailureKind::Cancelled
        | FailureKind::Internal => false,
    }
}

const NOT_RETRIED: [&str; 12] = [
    "ValueError",
    "TypeError",
    "ArithmeticError",
    "ImportError",
    "LookupError",
    "NameError",
    "SyntaxError",
    "RuntimeError",
    "ReferenceError",
    "StopIteration",
    "StopAsyncIteration",
    "OSError",
];

/// Whether a failure is an exception of the class or of a subclass.
pub fn is_instance(failure: &Failure, class: &str) -> bool {
    let own = failure.exception.as_deref().unwrap_or(match failure.kind {
        FailureKind::Timeout => "NodeTimeoutError",
        _ => "Exception",
    });
    is_subclass(own, class) || failure.bases.iter().any(|base| is_subclass(base, class))
}

/// Whether a Python class is, or derives from, another. Knows the built-in
/// hierarchy; any other class derives from `Exception` only.
pub fn is_subclass(class: &str, base: &str) -> bool {
    let mut class = class.rsplit('.').next().unwrap_or(class);
    let base = base.rsplit('.').next().unwrap_or(base);
    loop {
        if class == base || ALIASES.contains(&(base, class)) {
            return true;
        }
        class = match parent(class) {
            Some(parent) => parent,
            None => return false,
        };
    }
}

/// Names of one and the same class.
const ALIASES: [(&str, &str); 2] = [("IOError", "OSError"), ("EnvironmentError", "OSError")];

fn parent(class: &str) -> Option<&'static str> {
    Some(match class {
        "BaseException" => return None,
        "Exception" | "KeyboardInterrupt" | "SystemExit" | "GeneratorExit" => "BaseException",
        "ZeroDivisionError" | "OverflowError" | "FloatingPointError" => "ArithmeticError",
        "IndexError" | "KeyError" => "LookupError",
        "ModuleNotFoundError" => "ImportError",
        "UnboundLocalError" => "NameError",
        "IndentationError" => "SyntaxError",
        "TabError" => "IndentationError",
        "NotImplementedError" | "RecursionError" => "RuntimeError",
        "GraphRecursionError" => "RecursionError",
        "UnicodeError" | "JSONDecodeError" | "ValidationError" | "UnsupportedOperation" => {
            "ValueError"
        }
        "UnicodeDecodeError" | "UnicodeEncodeError" | "UnicodeTranslateError" => "UnicodeError",
        "IOError" | "EnvironmentError" => "OSError",
        "ConnectionError" | "TimeoutError" | "FileNotFoundError" | "FileExistsError"
        | "PermissionError" | "IsADirectoryError" | "NotADirectoryError" | "InterruptedError"
        | "BlockingIOError" | "ChildProcessError" | "ProcessLookupError" => "OSError",
        "ConnectionResetError"
        | "ConnectionRefusedError"
        | "ConnectionAbortedError"
        | "BrokenPipeError" => "ConnectionError",
        _ => "Exception",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_langgraphs() {
        let retried = |class| default_retry_on(&Failure::exception(class, ""));
        for class in ["ConnectionError", "ConnectionResetError", "MyError", "AssertionError"] {
            assert!(retried(class), "{class}");
        }
        for class in
            ["ValueError", "KeyError", "TimeoutError", "FileNotFoundError", "JSONDecodeError"]
        {
            assert!(!retried(class), "{class}");
        }
        assert!(default_retry_on(&Failure::new(FailureKind::Timeout, "node_timeout", "")));
    }

    #[test]
    fn pauses_grow_to_the_cap() {
        let policy = RetryPolicy { max_interval: Duration::from_secs(3), ..Default::default() };
        let delays: Vec<_> = (1..5).map(|n| policy.delay(n, 0.25).as_millis()).collect();
        assert_eq!(delays, [750, 1250, 2250, 3250]);
    }
}
