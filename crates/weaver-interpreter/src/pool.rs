//! [`Pool`]: the worker processes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use weaver_core::{Hash, Program};

use crate::desk::Desk;
use crate::process::Worker;
use crate::program::{self, Prepared};
use crate::protocol::{self, Reply, request};
use crate::session::{Binding, Session};

/// How to make workers.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The binary that runs [`crate::worker_main`] when given `args`.
    pub program: PathBuf,
    /// Its arguments, such as `["__pyworker"]`.
    pub args: Vec<String>,
    /// Processes at most. A call that finds none free waits its turn; one that waits
    /// for the host lends its own to others when it is needed.
    pub max_workers: usize,
    /// Workers kept ready for sessions to come.
    pub spare: usize,
    /// Key of the snapshots' seals: the same on all machines of a deployment.
    pub key: [u8; 32],
    /// Real time beyond the processor time that a worker may take before it is
    /// killed (`python_timeout`).
    pub grace: Duration,
}

impl PoolOptions {
    /// Sensible options: eight workers a processor, one spare, 10 s grace.
    pub fn new(program: PathBuf, args: Vec<String>, key: [u8; 32]) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        PoolOptions {
            program,
            args,
            max_workers: 8 * processors.max(2),
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

/// A pool of interpreter processes. Cheap to clone; the processes end with the
/// last clone, session and call.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

impl Pool {
    /// A pool; the first worker is started in the background. Needs a tokio runtime.
    pub fn new(options: PoolOptions) -> Self {
        let desk = Desk::new(&options);
        desk.start_spare();
        let inner = Arc::new(Inner {
            desk,
            programs: Mutex::default(),
            templates: Mutex::default(),
            base: Mutex::default(),
            options,
        });
        Pool { inner }
    }

    /// What a worker is isolated with; starts one to see.
    pub async fn isolation(&self) -> Result<Isolation, PoolError> {
        let worker = self.inner.worker().await?;
        let isolation = Isolation { seccomp: true, landlock: worker.landlock };
        self.inner.desk.shelve(worker);
        Ok(isolation)
    }

    /// Tries from inside a worker what its walls must refuse: what was tried,
    /// and whether it was refused. For tests and `doctor`.
    pub async fn self_test(&self) -> Result<Vec<(String, bool)>, PoolError> {
        let mut worker = self.inner.worker().await?;
        let broken = || PoolError::Sandbox("the worker gave no answer to its self-test".into());
        worker.send(&protocol::plain(request::PROBE)).await.map_err(|_| broken())?;
        match worker.receive().await {
            Ok(Reply::Probed(results)) => Ok(results),
            _ => Err(broken()),
        }
    }

    /// A session for one execution. Costs nothing before its first call.
    pub fn session(&self, program: Arc<Program>, binding: Binding) -> Session {
        Session::new(self.inner.clone(), self.inner.prepare(&program), binding)
    }
}

/// What pool, sessions and calls share.
pub(crate) struct Inner {
    pub(crate) options: PoolOptions,
    pub(crate) desk: Arc<Desk>,
    /// What has been prepared, for as long as somebody has the program.
    programs: Mutex<Vec<(Weak<Program>, Arc<Prepared>)>>,
    /// States of freshly made modules by code hash; nothing: one has been made,
    /// and the next time its state is worth keeping.
    templates: Mutex<HashMap<Hash, Option<Arc<Vec<u8>>>>>,
    base: Mutex<Option<Arc<Base>>>,
}

/// A state and its hash.
pub(crate) type Base = (Hash, Vec<u8>);

/// How a session gets its module.
pub(crate) enum Template {
    /// From this state.
    Saved(Arc<Vec<u8>>),
    /// By running the source; the state is to be kept, because this happens again.
    MakeAndKeep,
    /// By running the source.
    Make,
}

/// Templates kept at most.
const TEMPLATES_KEPT: usize = 256;

impl Inner {
    /// A worker outside of all sessions.
    async fn worker(&self) -> Result<Worker, PoolError> {
        let mut lease = self.desk.bare("".into()).await;
        lease.start("", false).await?;
        let lost = || PoolError::Sandbox("its start was cut off".into());
        lease.worker.take().ok_or_else(lost)
    }

    /// The state of an empty module, which snapshots build on, and its hash.
    /// Nothing when no worker can be had for making it.
    pub(crate) async fn base(&self) -> Option<Arc<Base>> {
        if let Some(base) = lock(&self.base).clone() {
            return Some(base);
        }
        let mut worker = self.worker().await.ok()?;
        worker.send(&protocol::load("", &program::base_units())).await.ok()?;
        let Ok(Reply::Ready { .. }) = worker.receive().await else { return None };
        worker.send(&protocol::plain(request::SAVE)).await.ok()?;
        let Ok(Reply::State(state)) = worker.receive().await else { return None };
        self.desk.shelve(worker);
        let base = Arc::new((Hash::of(&state), state));
        *lock(&self.base) = Some(base.clone());
        Some(base)
    }

    fn prepare(&self, program: &Arc<Program>) -> Arc<Prepared> {
        let mut programs = lock(&self.programs);
        programs.retain(|(known, _)| known.strong_count() > 0);
        let this = Arc::as_ptr(program);
        if let Some((_, prepared)) = programs.iter().find(|(known, _)| known.as_ptr() == this) {
            return prepared.clone();
        }
        let prepared = Arc::new(Prepared::new(program));
        programs.push((Arc::downgrade(program), prepared.clone()));
        prepared
    }

    /// How the next module of a program is made. Saving a state costs about as much
    /// as a few hundred calls, so the first module of a program goes without.
    pub(crate) fn template(&self, code: Hash) -> Template {
        let mut templates = lock(&self.templates);
        if templates.len() >= TEMPLATES_KEPT && !templates.contains_key(&code) {
            templates.clear();
        }
        match templates.get(&code) {
            Some(Some(template)) => Template::Saved(template.clone()),
            Some(None) => Template::MakeAndKeep,
            None => {
                templates.insert(code, None);
                Template::Make
            }
        }
    }

    /// Whether the next module will be made from its source.
    pub(crate) fn has_template(&self, code: Hash) -> bool {
        matches!(lock(&self.templates).get(&code), Some(Some(_)))
    }

    pub(crate) fn keep_template(&self, code: Hash, state: Vec<u8>) {
        lock(&self.templates).insert(code, Some(Arc::new(state)));
    }
}

/// Locks; what a panicking thread left is still whole, as all changes are single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
