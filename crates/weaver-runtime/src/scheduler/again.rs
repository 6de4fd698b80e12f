//! An execution that does an earlier one again, and takes from it what has not changed.

use std::sync::Arc;

use weaver_engine::Input;
use weaver_store::Store;

use super::job::job_of;
use super::{Job, Shared};
use crate::error::Error;
use crate::request::RunRequest;
use crate::reuse::{Earlier, Reuse};
use crate::task::Handler;

/// How many executions back a chain of reruns is followed.
const EARLIER_MAX: usize = 10;

/// The handler of a run that does another again; `request` is told where it begins.
pub(super) async fn handler(
    shared: &Shared,
    store: &Store,
    job: &Job,
    handler: Arc<dyn Handler>,
    request: &mut RunRequest,
) -> Result<Arc<dyn Handler>, Error> {
    // Once it has its input it goes on like any other.
    if let (Input::Value(_), Some(again)) = (&request.input, &job.order.again) {
        request.at = again.at.as_deref().and_then(|at| at.parse().ok());
        request.anew = request.at.is_none();
    }
    request.ignore_cache = true;
    let Some(code) = shared.workshop.code(job) else { return Ok(handler) };
    let earlier = earlier(shared, store, job).await?;
    let reuse = Reuse::new(store, code, &earlier, request).await?;
    Ok(reuse.handler(handler))
}

/// The execution that is done again, the one that it did again, and so on.
async fn earlier(shared: &Shared, store: &Store, job: &Job) -> Result<Vec<Earlier>, Error> {
    let mut found = Vec::new();
    let mut next = job.order.again.clone();
    while let Some(again) = next.take().filter(|_| found.len() < EARLIER_MAX) {
        let Ok(id) = again.execution.parse() else { break };
        let Some(execution) = store.execution(id).await? else { break };
        let job = match job_of(shared, store, &execution).await {
            Ok(job) => job,
            // Nothing can be taken from it.
            Err(Error::NotFound(_) | Error::Unreadable(_)) => break,
            Err(error) => return Err(error),
        };
        let code = shared.workshop.code(&job);
        found.extend(code.map(|code| Earlier { execution: id, code }));
        next = job.order.again;
    }
    Ok(found)
}
