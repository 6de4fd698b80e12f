//! Embedded Python: a pool of sandboxed interpreter processes that run the node
//! functions, routers, reducers and tools of a graph file.
//!
//! Start with [`Pool`]: it re-executes the program as worker processes
//! ([`worker_main`] is what a worker runs). A [`Session`] belongs to one
//! execution and one [`weaver_core::Program`]; a [`Call`] runs one function and
//! stops at each [`Step`] that the host must answer or should see.
//!
//! Invariants:
//! - Python runs only in a worker process that has no files, network, clock,
//!   environment or right to start anything; a missing wall fails the spawn.
//! - A worker serves one session at a time and is replaced before another
//!   tenant's session is served: nothing is shared between tenants.
//! - Whatever the code does (endless loop, memory bomb, crash of the
//!   interpreter) ends that call with a [`weaver_core::Failure`] and nothing else.
//! - This crate does not know what a graph, a model or a tool is; it knows names
//!   of host calls and passes values.

#[cfg(not(target_os = "linux"))]
compile_error!("the interpreter's sandbox is made of Linux parts (seccomp, landlock, prctl)");

mod allocator;
mod call;
mod lower;
mod pool;
mod process;
mod program;
mod protocol;
mod session;
mod snapshot;
mod step;
mod wire;
mod worker;

pub use allocator::Allocator;
pub use call::Call;
pub use pool::{Isolation, Pool, PoolError, PoolOptions};
pub use session::{Binding, CallRequest, Limits, Session};
pub use snapshot::{RestoreError, Snapshot};
pub use step::{Answer, HostCall, HostException, Step};
pub use worker::worker_main;
