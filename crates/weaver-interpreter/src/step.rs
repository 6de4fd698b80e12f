//! [`Step`]: why a call stopped, and what the host may answer.

use weaver_core::{Failure, Map, Value};

/// Why a [`crate::Call`] stopped.
#[derive(Clone, Debug)]
pub enum Step {
    /// The function returned; the call is over.
    Returned(Value),
    /// The function raised; the call is over. [`Failure::exception`] is the
    /// class, [`Failure::bases`] its base classes, [`Failure::traceback`] the
    /// user's own frames, innermost last.
    Raised(Failure),
    /// The function waits for one answer; see [`crate::Call::resume`].
    HostCall(HostCall),
    /// Asynchronous code waits for at least one of several answers (`asyncio.gather`).
    /// Calls that were listed before and are still unanswered are listed again.
    HostCalls(Vec<HostCall>),
    /// The code printed; the next step follows by itself. Complete lines
    /// where possible, with their line ends.
    Printed(String),
    /// A limit was hit; the call is over and the session starts over from its module.
    /// Codes: `python_cpu_limit`, `python_memory_limit`, `python_recursion`,
    /// `python_output_limit`, `python_call_limit`, `python_timeout`.
    Limit(Failure),
    /// The interpreter process died; the call is over and the session starts
    /// over from its module. Code `interpreter_crashed`.
    Crashed(Failure),
}

/// A call out of Python that the host answers.
#[derive(Clone, Debug, PartialEq)]
pub struct HostCall {
    /// Names the call in [`crate::Call::resume`]; unique within the call.
    pub id: u32,
    /// What is asked: `llm`, `model.invoke`, `tool`, `interrupt`, `clock` …; the
    /// crate documentation has the list.
    pub name: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Map,
}

/// The host's answer to a [`HostCall`].
pub type Answer = Result<Value, HostException>;

/// An exception that a host call raises in Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostException {
    /// Python's class: `TimeoutError`, `ValueError` … A name that Python does
    /// not have builtin is caught by `except Exception` and keeps its name in the [`Failure`].
    pub class: String,
    /// What `str(e)` gives.
    pub message: String,
}

impl HostException {
    /// An exception of a class.
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        HostException { class: class.into(), message: message.into() }
    }
}
