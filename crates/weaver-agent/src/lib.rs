//! Node handlers: embedded Python, typed nodes, model and tool calls.
//!
//! Start with [`plan::compile`], which turns a file into a [`plan::Plan`], and
//! [`Host`], which runs what the engine calls while the runtime drives the plan's
//! graph.
//!
//! Invariants:
//! - Every call to the outside goes through `TaskContext::effect`, so a rerun of a
//!   task fires nothing again that has an answer.
//! - This crate reads no file, variable or clock of its own: what nodes may use
//!   comes as [`Services`].

pub mod convert;
mod cost;
mod cpython;
pub mod fit;
mod host;
mod host_call;
mod memory;
mod model;
pub mod plan;
mod python;
mod structured;
mod subgraph;
pub mod template;
mod tool_arguments;
mod tool_node;
mod typed;

pub use cpython::{Machine, Process};
pub use host::Host;
pub use host_call::Services;
pub use plan::Plan;
pub use typed::timeout_answer;
