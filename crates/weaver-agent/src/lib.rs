//! Node handlers: embedded Python, typed nodes, model and tool calls.

pub mod template;
