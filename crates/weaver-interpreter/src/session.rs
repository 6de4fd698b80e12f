//! [`Session`]: the interpreter state of one execution.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use weaver_core::{Failure, Hash, Map, Value};

use crate::call::Call;
use crate::pool::{Inner, lock};
use crate::process::Worker;
use crate::program::Prepared;
use crate::protocol::{self, Reply, request};
use crate::snapshot::{RestoreError, Snapshot};

/// Whose session it is; sealed into every snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The tenant; workers are never shared between two of them.
    pub tenant: String,
    /// The execution.
    pub execution: String,
}

/// One call of a function of the program.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// `FunctionSpec::id`: a function's name, `Class.method`, or the id of a lambda.
    pub function: String,
    /// Positional arguments, tagged maps decoded on the way in.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Map,
    /// Schema that the first positional argument becomes an instance of (a
    /// dataclass or pydantic model of [`weaver_core::Program::schemas`]); absent: it stays a dict.
    pub input_class: Option<String>,
    /// What the call may use.
    pub limits: Limits,
}

/// What one call may use. Time in host calls does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processor time.
    pub cpu: Duration,
    /// Bytes of interpreter memory above what an idle worker needs.
    pub memory: usize,
    /// Nested Python calls.
    pub depth: usize,
    /// Bytes that one value or print may have on its way out, and printed bytes in all.
    pub output: usize,
    /// Host calls.
    pub host_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            cpu: Duration::from_secs(2),
            memory: 64 << 20,
            depth: 500,
            output: 16 << 20,
            host_calls: 10_000,
        }
    }
}

/// The interpreter state of one execution of one program.
///
/// Calls made one after another run in the same live module, so module-level
/// state is shared between them as in CPython. A call made while another is
/// unfinished gets an interpreter of its own with the module freshly made. After
/// a limit or a crash, and after an unfinished call is dropped, the module is
/// made anew.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    pub(crate) fn new(pool: Arc<Inner>, prepared: Arc<Prepared>, binding: Binding) -> Self {
        let slot = Mutex::new(Slot::Empty);
        Session { shared: Arc::new(Shared { pool, prepared, binding, slot }) }
    }

    /// Starts a call; nothing runs before [`Call::next`].
    pub fn call(&self, request: CallRequest) -> Call {
        Call::new(self.shared.clone(), request)
    }

    /// Makes a suspended call again, here; answer its pending host calls with
    /// [`Call::resume`] and go on with [`Call::next`].
    pub fn restore(&self, snapshot: &Snapshot, limits: Limits) -> Result<Call, RestoreError> {
        let Shared { pool, binding, prepared, .. } = &*self.shared;
        snapshot.check(&pool.options.key, binding, prepared.code_hash)?;
        Ok(Call::restored(self.shared.clone(), snapshot, limits))
    }

    /// Hash of the program and of everything of ours that it runs with.
    pub fn code_hash(&self) -> Hash {
        self.shared.prepared.code_hash
    }
}

/// What a session and its calls share.
pub(crate) struct Shared {
    pub(crate) pool: Arc<Inner>,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) binding: Binding,
    slot: Mutex<Slot>,
}

/// Where the session's module lives.
#[derive(Default)]
pub(crate) enum Slot {
    /// Nowhere yet, or no longer.
    #[default]
    Empty,
    /// In a call that runs.
    Busy,
    /// In an idle worker.
    Idle(Box<Worker>),
    /// Saved, because the pool needed the worker.
    Saved(Vec<u8>),
}

impl Shared {
    /// Places of the lowered source become places of the user's.
    pub(crate) fn place(&self, mut failure: Failure) -> Failure {
        for frame in &mut failure.traceback {
            let original = |column| self.prepared.lowered.original_column(frame.line, column);
            frame.column = frame.column.map(original);
            frame.end_column = frame.end_column.map(original);
        }
        failure
    }

    /// Takes the module for a call. Nothing: another call has it.
    pub(crate) fn take(&self) -> Option<Slot> {
        let mut slot = lock(&self.slot);
        if matches!(*slot, Slot::Busy) {
            return None;
        }
        Some(std::mem::replace(&mut *slot, Slot::Busy))
    }

    /// Gives the module back after a call.
    pub(crate) fn give_back(self: &Arc<Self>, slot: Slot) {
        let idle = matches!(slot, Slot::Idle(_));
        *lock(&self.slot) = slot;
        if idle {
            self.pool.note_idle(Arc::downgrade(self));
        }
    }

    /// Saves the module and ends its worker, which the pool needs elsewhere.
    pub(crate) async fn give_up_worker(self: &Arc<Self>) {
        let mut worker = {
            let mut slot = lock(&self.slot);
            match std::mem::replace(&mut *slot, Slot::Busy) {
                Slot::Idle(worker) => worker,
                other => {
                    *slot = other;
                    return;
                }
            }
        };
        let saved = match worker.send(&protocol::plain(request::SAVE)).await {
            Ok(()) => worker.receive().await.ok(),
            Err(_) => None,
        };
        self.give_back(match saved {
            Some(Reply::State(state)) => Slot::Saved(state),
            _ => Slot::Empty,
        });
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Slot::Idle(worker) = std::mem::take(&mut *lock(&self.slot)) {
            self.pool.put_back(*worker);
        }
    }
}
