//! The vocabulary every other crate speaks: values, messages, graph specs,
//! diagnostics, run events and failures.
//!
//! Start with [`Value`], the immutable state value that travels between the
//! interpreter, the engine, the log and the terminal.
//!
//! Invariants:
//! - This crate does no IO and knows no clock, engine, store or model.
//! - Everything here that is serialized is a promise: journal events and specs
//!   are read back by later versions.

pub mod collections;
pub mod diagnostic;
pub mod embedded;
pub mod event;
pub mod failure;
pub mod histogram;
pub mod id;
pub mod message;
pub mod program;
#[cfg(feature = "schema")]
mod schema;
pub mod spec;
pub mod sse;
pub mod task;
pub mod value;

pub use collections::{FastMap, FastSet};
pub use diagnostic::{Diagnostic, LineIndex, Severity, Span};
pub use event::{Event, EventKind};
pub use failure::{Failure, FailureKind, Frame};
pub use histogram::Histogram;
pub use id::{Hash, Timestamp};
pub use message::{Message, MessageKind, ToolCall};
pub use program::{HostImport, Program};
pub use value::{Map, Value};
