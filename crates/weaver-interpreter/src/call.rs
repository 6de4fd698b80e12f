//! [`Call`]: one function run, step by step.

use weaver_core::Failure;

use crate::snapshot::Snapshot;
use crate::step::{Answer, Step};

/// A running function. Dropping it ends the run; its worker is recycled or killed.
pub struct Call {}

impl Call {
    /// Runs to the next stop. After [`Step::HostCall`] or [`Step::HostCalls`]
    /// give answers with [`Call::resume`] first; without any the same step comes again.
    /// After a final step (`Returned`, `Raised`, `Limit`, `Crashed`) it comes again.
    pub async fn next(&mut self) -> Step {
        unreachable!("skeleton")
    }

    /// Answers a host call; takes effect with the next [`Call::next`]. An id
    /// that does not wait is ignored.
    pub fn resume(&mut self, id: u32, answer: Answer) {
        let _ = (id, answer);
    }

    /// The suspended call as bytes. Only between a `HostCall(s)` step and the
    /// following [`Call::next`]; else, and when the worker is gone, a failure.
    pub async fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        unreachable!("skeleton")
    }
}
