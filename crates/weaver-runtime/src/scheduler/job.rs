//! One claimed execution, from its claim to its end or its wait.

use std::sync::Arc;

use futures::FutureExt;
use weaver_core::{Event, EventKind, Failure, Value};
use weaver_engine::{Input, InputCommand, Resume};
use weaver_store::{
    Claim, Execution, ExecutionChange, ExecutionStatus, Lane, Lease, Record, Store,
};

use super::lease::Hold;
use super::{Job, Prepared, Shared};
use crate::children::Children;
use crate::error::Error;
use crate::journal::{Journal, now};
use crate::order::Order;
use crate::purse::Purse;
use crate::request::{Claimed, RunRequest};
use crate::{codec, drive, ending, questions};

/// Drives an execution until it ends, waits, or is somebody else's.
pub(super) async fn drive_claim(shared: Arc<Shared>, claim: Claim, mut hold: Hold) {
    let (execution, fence) = (claim.key.execution, claim.fence);
    let seen = hold.clone();
    let mut work = std::pin::pin!(work(&shared, &claim, &seen).fuse());
    let result = tokio::select! {
        result = &mut work => result,
        // Dropping the work stops its nodes; what it has on its way is refused.
        () = hold.lost() => {
            tracing::info!(%execution, fence, "the lease is lost");
            return;
        }
    };
    match result {
        Ok(()) => {}
        Err(Error::Store(error)) if is_fenced(&error) => {
            tracing::info!(%execution, fence, "the execution is somebody else's");
        }
        // Its lease runs out; then it is delivered again, so many times at most.
        Err(error) => tracing::error!(%execution, fence, %error, "cannot be driven now"),
    }
}

fn is_fenced(error: &weaver_store::Error) -> bool {
    match error {
        weaver_store::Error::Fenced { .. } => true,
        weaver_store::Error::Aborted { cause } => is_fenced(cause),
        _ => false,
    }
}

async fn work(shared: &Shared, claim: &Claim, hold: &Hold) -> Result<(), Error> {
    let store = shared.store.for_tenant(claim.key.tenant);
    let id = claim.key.execution;
    let Some(execution) = store.execution(id).await? else {
        return Err(Error::NotFound(format!("there is no execution {id}")));
    };
    let lease = Lease {
        owner: Some(shared.options.owner.clone()),
        until: Some(claim.until),
        fence: claim.fence,
    };
    let claimed = Claimed { execution: id, lease, parent: execution.parent };
    let purse = Purse::open(&store, &execution, claim.fence).await?;
    let job = job_of(&store, claim, &execution).await?;
    let children = Children::new(
        store.clone(),
        execution.clone(),
        job.version.clone(),
        job.order.clone(),
        claim.priority,
    );
    let prepared = match shared.workshop.prepare(job).await {
        Ok(prepared) => prepared,
        Err(failure) => return fail(&store, &execution, claimed, failure).await,
    };
    let mut request =
        RunRequest::new(execution.thread.clone(), prepared.graph.clone(), Input::Continue);
    request.input = next_input(&store, &prepared, &execution).await?;
    request.tenant = claim.key.tenant.to_string().into();
    request.context = prepared.context;
    request.config = prepared.config;
    request.options = prepared.options;
    request.claimed = Some(claimed);
    request.drain = hold.drain.clone();
    request.recent = Some(shared.recent.clone());
    request.purse.clone_from(&purse);
    request.children = Some(children);
    if let Some(watcher) = shared.options.watcher.clone() {
        let tenant = claim.key.tenant;
        request.listener = Some(Arc::new(move |event: &Event| watcher(tenant, id, event)));
    }
    drive(Some(store), prepared.handler, request).await?;
    if let Some(purse) = purse {
        purse.close().await?;
    }
    Ok(())
}

async fn job_of(store: &Store, claim: &Claim, execution: &Execution) -> Result<Job, Error> {
    let version = match execution.version {
        Some(hash) => store.version(hash).await?,
        None => None,
    };
    let Some(version) = version else {
        return Err(Error::NotFound(format!("execution {} has no source", execution.id)));
    };
    Ok(Job {
        tenant: claim.key.tenant,
        execution: execution.id,
        thread: execution.thread.clone(),
        version,
        order: Order::decode(&execution.input)?,
    })
}

/// How the execution goes on: from its input, if its thread has not taken that yet;
/// else from its last checkpoint, with the answers that have come.
async fn next_input(
    store: &Store,
    prepared: &Prepared,
    execution: &Execution,
) -> Result<Input<Value>, Error> {
    let lane = Lane::root(execution.thread.clone());
    let taken = store.checkpoint(lane, None).await?;
    if taken.is_none_or(|checkpoint| checkpoint.execution != execution.id) {
        return Ok(Input::Value(Order::decode(&execution.input)?.input));
    }
    let now = store.queue().now().await?;
    let answers = questions::answers(store, &prepared.graph, &execution.thread, now).await?;
    Ok(match answers.is_empty() {
        true => Input::Continue,
        false => Input::Command(InputCommand {
            resume: Some(Resume::ById(answers)),
            ..InputCommand::default()
        }),
    })
}

/// Ends an execution that cannot even begin.
async fn fail(
    store: &Store,
    execution: &Execution,
    claimed: Claimed,
    failure: Failure,
) -> Result<(), Error> {
    let id = execution.id;
    let head = store.head(id).await?;
    let journal = Journal::new(Some(store.clone()), id, head.sequence, execution.totals, None);
    let end = ending::end(&claimed);
    journal.take(claimed);
    let json = serde_json::to_value(&failure).expect("a failure has a JSON form");
    journal.emit(Event::new(EventKind::Error).with_data(Value::from(&json)));
    let data = Value::map([("status", Value::str("failed"))]);
    journal.emit(Event::new(EventKind::Done).with_data(data));
    journal.record(Record::ExecutionChange(ExecutionChange {
        id,
        status: ExecutionStatus::Failed,
        ended: Some(now()),
        error: Some(codec::encode(&failure)),
        totals: execution.totals,
    }));
    end.into_iter().for_each(|work| journal.record(Record::Work(work)));
    journal.flush().await?;
    Ok(())
}
