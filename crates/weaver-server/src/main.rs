//! The `agentweaver` binary.
mod render;
fn main() {}
