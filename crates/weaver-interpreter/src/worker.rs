//! What a worker process runs.

use std::process::ExitCode;

/// Serves one pool over standard input until it closes. The binary calls this
/// for its hidden subcommand, before it makes threads or a runtime, and must
/// have [`crate::Allocator`] as its global allocator.
pub fn worker_main() -> ExitCode {
    unreachable!("skeleton")
}
