//! [`Pool`]: the worker processes.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use weaver_core::{Hash, Program};

use crate::process::{Spawner, Worker};
use crate::program::{self, Prepared};
use crate::protocol::{self, Reply, request};
use crate::session::{Binding, Session, Shared};

/// How to make workers.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The binary that runs [`crate::worker_main`] when given `args`.
    pub program: PathBuf,
    /// Its arguments, such as `["__pyworker"]`.
    pub args: Vec<String>,
    /// Processes at most. A call holds one from its first step until it ends or
    /// is dropped, also while it waits for the host.
    pub max_workers: usize,
    /// Workers kept ready for sessions to come.
    pub spare: usize,
    /// Key of the snapshots' seals: the same on all machines of a deployment.
    pub key: [u8; 32],
    /// Real time beyond the processor time: how long a worker may take before it
    /// is killed (`python_timeout`), and how long a call waits for a worker (`python_busy`).
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
    /// All workers were in use for longer than [`PoolOptions::grace`].
    #[error("all {0} interpreter processes were busy for too long")]
    Busy(usize),
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
        let inner = Arc::new(Inner {
            spawner: Spawner::new(&options),
            permits: Arc::new(Semaphore::new(options.max_workers.max(1))),
            shelf: Mutex::default(),
            changed: Notify::new(),
            programs: Mutex::default(),
            templates: Mutex::default(),
            base: Mutex::default(),
            options,
        });
        inner.refill();
        Pool { inner }
    }

    /// What a worker is isolated with; starts one to see.
    pub async fn isolation(&self) -> Result<Isolation, PoolError> {
        let worker = self.inner.acquire("").await?;
        let isolation = Isolation { seccomp: true, landlock: worker.landlock };
        self.inner.put_back(worker);
        Ok(isolation)
    }

    /// Tries from inside a worker what its walls must refuse: what was tried,
    /// and whether it was refused. For tests and `doctor`.
    pub async fn self_test(&self) -> Result<Vec<(String, bool)>, PoolError> {
        let mut worker = self.inner.acquire("").await?;
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
    spawner: Spawner,
    permits: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
    /// A worker was put on the shelf.
    changed: Notify,
    /// What has been prepared, for as long as somebody has the program.
    programs: Mutex<Vec<(Weak<Program>, Arc<Prepared>)>>,
    /// States of freshly made modules by code hash.
    templates: Mutex<HashMap<Hash, Arc<Vec<u8>>>>,
    base: Mutex<Option<Arc<Base>>>,
}

/// A state and its hash.
pub(crate) type Base = (Hash, Vec<u8>);

/// Workers that run nothing.
#[derive(Default)]
struct Shelf {
    /// Never used.
    fresh: Vec<Worker>,
    /// Used; only for the same tenant.
    used: Vec<Worker>,
    /// Sessions that hold an idle worker, longest idle first.
    idle: VecDeque<Weak<Shared>>,
    refilling: bool,
}

/// Used workers kept at most, and templates.
const USED_KEPT: usize = 4;
const TEMPLATES_KEPT: usize = 256;

impl Inner {
    /// A worker that no other tenant has used. Whatever it ran before, its next
    /// request must be to load or restore a module.
    pub(crate) async fn acquire(self: &Arc<Self>, tenant: &str) -> Result<Worker, PoolError> {
        let patience =
            tokio::time::timeout(self.options.grace, self.acquire_idle_or_permit(tenant));
        let busy = |_| PoolError::Busy(self.options.max_workers);
        let mut worker = match patience.await.map_err(busy)? {
            Ok(worker) => worker,
            Err(permit) => Worker::start(&self.spawner, permit).await?,
        };
        worker.tenant = Some(tenant.to_owned());
        self.refill();
        Ok(worker)
    }

    /// A worker that idles, or the right to start one.
    async fn acquire_idle_or_permit(&self, tenant: &str) -> Result<Worker, OwnedSemaphorePermit> {
        loop {
            // Listening starts before looking, so that nothing put back in between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(worker) = self.take_idle(tenant) {
                return Ok(worker);
            }
            if let Ok(permit) = self.permits.clone().try_acquire_owned() {
                return Err(permit);
            }
            if self.free_one().await {
                continue;
            }
            tokio::select! {
                permit = self.permits.clone().acquire_owned() => {
                    return Err(permit.expect("the semaphore is never closed"));
                }
                () = changed => {}
            }
        }
    }

    fn take_idle(&self, tenant: &str) -> Option<Worker> {
        let mut shelf = self.shelf();
        let mine = |worker: &Worker| worker.tenant.as_deref() == Some(tenant);
        match shelf.used.iter().position(mine) {
            Some(at) => Some(shelf.used.swap_remove(at)),
            None => shelf.fresh.pop(),
        }
    }

    /// Takes back a worker that runs nothing that is still wanted.
    pub(crate) fn put_back(&self, worker: Worker) {
        let mut shelf = self.shelf();
        if shelf.used.len() >= USED_KEPT {
            shelf.used.remove(0);
        }
        shelf.used.push(worker);
        drop(shelf);
        self.changed.notify_one();
    }

    /// Notes that a session holds an idle worker, which may be taken from it.
    pub(crate) fn note_idle(&self, session: Weak<Shared>) {
        let mut shelf = self.shelf();
        shelf.idle.retain(|other| !other.ptr_eq(&session) && other.strong_count() > 0);
        shelf.idle.push_back(session);
        drop(shelf);
        self.changed.notify_one();
    }

    /// Makes room for one more process where one idles: a used worker, or the one
    /// of the session that has been idle longest, whose state is saved first.
    /// False when nothing idles.
    async fn free_one(&self) -> bool {
        let (used, idle) = {
            let mut shelf = self.shelf();
            let used = shelf.used.pop().or_else(|| shelf.fresh.pop());
            let idle = if used.is_none() { shelf.idle.pop_front() } else { None };
            (used, idle)
        };
        let freed = used.is_some() || idle.is_some();
        drop(used);
        if let Some(session) = idle.and_then(|session| session.upgrade()) {
            session.give_up_worker().await;
        }
        freed
    }

    /// Starts spare workers in the background.
    fn refill(self: &Arc<Self>) {
        {
            let mut shelf = self.shelf();
            if shelf.refilling || shelf.fresh.len() >= self.options.spare {
                return;
            }
            shelf.refilling = true;
        }
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(inner) = inner.upgrade() {
                let wanted = inner.shelf().fresh.len() < inner.options.spare;
                let permit = inner.permits.clone().try_acquire_owned();
                let (true, Ok(permit)) = (wanted, permit) else { break };
                match Worker::start(&inner.spawner, permit).await {
                    Ok(worker) => inner.shelf().fresh.push(worker),
                    Err(error) => {
                        tracing::warn!(%error, "no spare interpreter process");
                        break;
                    }
                }
            }
            if let Some(inner) = inner.upgrade() {
                inner.shelf().refilling = false;
            }
        });
    }

    /// The state of an empty module, which snapshots build on, and its hash.
    /// Nothing when no worker can be had for making it.
    pub(crate) async fn base(self: &Arc<Self>) -> Option<Arc<Base>> {
        if let Some(base) = lock(&self.base).clone() {
            return Some(base);
        }
        let mut worker = self.acquire("").await.ok()?;
        worker.send(&protocol::load("", &program::base_units())).await.ok()?;
        let Ok(Reply::Ready { .. }) = worker.receive().await else { return None };
        worker.send(&protocol::plain(request::SAVE)).await.ok()?;
        let Ok(Reply::State(state)) = worker.receive().await else { return None };
        self.put_back(worker);
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

    pub(crate) fn template(&self, code: Hash) -> Option<Arc<Vec<u8>>> {
        lock(&self.templates).get(&code).cloned()
    }

    pub(crate) fn keep_template(&self, code: Hash, state: Vec<u8>) {
        let mut templates = lock(&self.templates);
        if templates.len() >= TEMPLATES_KEPT {
            templates.clear();
        }
        templates.insert(code, Arc::new(state));
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.shelf)
    }
}

/// Locks; what a panicking thread left is still whole, as all changes are single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
