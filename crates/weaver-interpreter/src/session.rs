//! [`Session`]: the interpreter state of one execution.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::{Failure, Hash, Map, Value};

use crate::call::Call;
use crate::pool::Inner;
use crate::program::Prepared;
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
/// unfinished waits for it a little, if it computes, or gets another interpreter
/// with a copy of the module; copies serve several such calls, and what they
/// change in module-level state may or may not be seen by later calls. After
/// a limit or a crash, and after an unfinished call is dropped, the module is
/// made anew.
///
/// Where no call of the program can leave anything behind, neither in the module
/// nor in its arguments, a session goes on in the module that another one of the
/// same program and tenant has left.
///
/// Calls wait for a free interpreter as long as it takes, first come first served.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    pub(crate) fn new(pool: Arc<Inner>, prepared: Arc<Prepared>, binding: Binding) -> Self {
        let program = prepared.traceless.then_some(prepared.code_hash);
        let (id, tenant) = (pool.desk.admit(program), binding.tenant.as_str().into());
        Session { shared: Arc::new(Shared { pool, prepared, binding, id, tenant }) }
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
    /// Its number at the desk.
    pub(crate) id: u64,
    pub(crate) tenant: Arc<str>,
}

impl Shared {
    /// Places of the lowered source become places of the user's.
    pub(crate) fn place(&self, mut failure: Failure) -> Failure {
        for frame in &mut failure.traceback {
            let lowered = &self.prepared.lowered;
            frame.line = lowered.original_line(frame.line);
            let original = |column| lowered.original_column(frame.line, column);
            frame.column = frame.column.map(original);
            frame.end_column = frame.end_column.map(original);
        }
        failure
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.desk.dismiss(self.id);
    }
}
