//! The `agentweaver` binary.
fn main() {}
