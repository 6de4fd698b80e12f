//! [`Session`]: the interpreter state of one execution.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::{Hash, Map, Program, Value};

use crate::call::Call;
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
    /// dataclass or pydantic model of [`Program::schemas`]); absent: it stays a dict.
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
/// a limit or a crash the module is made anew.
#[derive(Clone)]
pub struct Session {
    program: Arc<Program>,
}

impl Session {
    /// Starts a call; nothing runs before [`Call::next`].
    pub fn call(&self, request: CallRequest) -> Call {
        let _ = (&self.program, request);
        unreachable!("skeleton")
    }

    /// Makes a suspended call again, here; answer its pending host calls with
    /// [`Call::resume`] and go on with [`Call::next`].
    pub fn restore(&self, snapshot: &Snapshot, limits: Limits) -> Result<Call, RestoreError> {
        let _ = (snapshot, limits);
        unreachable!("skeleton")
    }

    /// Hash of the program and of everything of ours that it runs with.
    pub fn code_hash(&self) -> Hash {
        unreachable!("skeleton")
    }
}
