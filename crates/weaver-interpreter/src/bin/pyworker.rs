//! A worker by itself, for this crate's tests and benchmark; `agentweaver` has
//! the same as a hidden subcommand.

#[global_allocator]
static ALLOCATOR: weaver_interpreter::Allocator = weaver_interpreter::Allocator;

fn main() -> std::process::ExitCode {
    weaver_interpreter::worker_main()
}
