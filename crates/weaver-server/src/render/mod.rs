//! How things look on a terminal, in a pipe and as JSON.

pub mod graph;
pub mod source;
