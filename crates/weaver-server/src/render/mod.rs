//! How things look on a terminal, in a pipe and as JSON.

pub mod graph;
mod live;
pub mod progress;
pub mod source;
pub mod term;
