//! [`Pool`]: the worker processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weaver_core::Program;

use crate::session::{Binding, Session};

/// How to make workers.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The binary that runs [`crate::worker_main`] when given `args`.
    pub program: PathBuf,
    /// Its arguments, such as `["__pyworker"]`.
    pub args: Vec<String>,
    /// Processes at most, idle ones included.
    pub max_workers: usize,
    /// Workers kept ready for sessions to come.
    pub spare: usize,
    /// Key of the snapshots' seals: the same on all machines of a deployment.
    pub key: [u8; 32],
    /// How long a worker may take beyond a call's processor time, in real time,
    /// before it is killed (`python_timeout`).
    pub grace: Duration,
}

impl PoolOptions {
    /// Sensible options: twice as many workers as processors, one spare, 10 s grace.
    pub fn new(program: PathBuf, args: Vec<String>, key: [u8; 32]) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        PoolOptions {
            program,
            args,
            max_workers: 2 * processors.max(2),
            spare: 1,
            key,
            grace: Duration::from_secs(10),
        }
    }
}

/// Which walls stand around a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// System calls are filtered. Always.
    pub seccomp: bool,
    /// The file system and network are closed by landlock; false only where
    /// the kernel has no landlock at all.
    pub landlock: bool,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The process could not be started.
    #[error("cannot start an interpreter process: {0}")]
    Spawn(#[from] std::io::Error),
    /// The process started but a wall of its sandbox could not be put up.
    #[error("an interpreter process could not be sandboxed: {0}")]
    Sandbox(String),
}

/// A pool of interpreter processes. Cheap to clone; dropping the last clone ends the processes.
#[derive(Clone)]
pub struct Pool {}

impl Pool {
    /// A pool; the first worker is started in the background. Needs a tokio runtime.
    pub fn new(options: PoolOptions) -> Self {
        let _ = options;
        unreachable!("skeleton")
    }

    /// What a worker is isolated with; starts one to see.
    pub async fn isolation(&self) -> Result<Isolation, PoolError> {
        unreachable!("skeleton")
    }

    /// A session for one execution. Costs nothing before its first call.
    pub fn session(&self, program: Arc<Program>, binding: Binding) -> Session {
        let _ = (program, binding);
        unreachable!("skeleton")
    }
}
