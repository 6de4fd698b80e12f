//! One claimed execution, from its claim to its end or its wait.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use weaver_core::{Event, EventKind, Failure, Hash, Value};
use weaver_engine::{Input, InputCommand, Resume};
use weaver_store::{
    Claim, Execution, ExecutionChange, ExecutionStatus, Lease, Record, Standing, Store, TenantId,
    WorkKey, WorkflowVersion,
};

use super::lease::Hold;
use super::{Job, Note, Prepared, Shared, Watched, Watcher, again};
use crate::children::Children;
use crate::error::Error;
use crate::journal::{Follower, Journal};
use crate::order::Order;
use crate::purse::Purse;
use crate::request::{Claimed, Clock, RunRequest};
use crate::{codec, drive, ending, questions};

/// Drives an execution until it ends, waits, or is somebody else's.
///
/// `clock` is the database's time; `standing` how it stands, where that is known.
pub(super) async fn drive_claim(
    shared: Arc<Shared>,
    claim: Claim,
    standing: Option<Standing>,
    clock: Clock,
    mut hold: Hold,
) {
    let (execution, fence) = (claim.key.execution, claim.fence);
    let seen = hold.clone();
    let result = {
        let mut work = std::pin::pin!(work(&shared, &claim, standing, clock, &seen).fuse());
        tokio::select! {
            biased;
            // Dropping the work stops its nodes; what it has on its way is refused.
            () = hold.lost() => None,
            result = &mut work => Some(result),
        }
    };
    let error = match result {
        Some(Ok(())) => return,
        Some(Err(error)) => error,
        None => {
            shared.unsettled.note(&claim.key);
            shared.note(Note::LeaseLost);
            tracing::info!(%execution, fence, "the lease is lost");
            // It could not be renewed in time, and perhaps nobody has it yet: the store was
            // away, or this process had no turn. The execution is not to blame for either.
            tokio::select! {
                biased;
                () = hold.lost.cancelled() => {}
                () = hand_back(&shared, &claim) => {}
            }
            return;
        }
    };
    shared.unsettled.note(&claim.key);
    match error {
        Error::Store(error) if is_fenced(&error) => {
            shared.note(Note::LeaseLost);
            tracing::info!(%execution, fence, "the execution is somebody else's");
        }
        Error::Store(error) if is_passing(&error) => {
            tracing::warn!(%execution, fence, %error, "the store failed: handed back");
            tokio::select! {
                biased;
                () = hold.lost() => {}
                () = hand_back(&shared, &claim) => {}
            }
        }
        // Its lease runs out; then it is delivered again, so many times at most.
        error => tracing::error!(%execution, fence, %error, "cannot be driven now"),
    }
}

/// Executions that this process has written to and did not see the end of: what is
/// on its way to the store is awaited, and a failure there forgotten, before one of
/// them is driven again.
#[derive(Default)]
pub(super) struct Unsettled(Mutex<HashSet<WorkKey>>);

impl Unsettled {
    fn note(&self, key: &WorkKey) {
        self.lock().insert(key.clone());
    }

    async fn settle(&self, store: &Store, key: &WorkKey) -> Result<(), Error> {
        let is_noted = self.lock().contains(key);
        if is_noted {
            store.recover(key.execution).await?;
            self.lock().remove(key);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<WorkKey>> {
        self.0.lock().expect("nobody panics while it is held")
    }
}

/// Gives an execution back that the store's trouble kept from going on: it is not
/// to blame, so this delivery does not count. Not at once, for the trouble may last.
async fn hand_back(shared: &Shared, claim: &Claim) {
    let held = || vec![(claim.key.clone(), claim.fence)];
    loop {
        tokio::time::sleep(shared.options.poll).await;
        let owner = shared.options.owner.clone();
        if shared.store.queue().release(owner, held()).await.is_ok() {
            return;
        }
    }
}

/// Whether an error is of the store's state and not of what was written.
fn is_passing(error: &weaver_store::Error) -> bool {
    match error {
        weaver_store::Error::UnknownCommit { .. } => true,
        weaver_store::Error::Aborted { cause } => is_passing(cause),
        error => error.is_retryable(),
    }
}

fn is_fenced(error: &weaver_store::Error) -> bool {
    match error {
        weaver_store::Error::Fenced { .. } => true,
        weaver_store::Error::Aborted { cause } => is_fenced(cause),
        _ => false,
    }
}

async fn work(
    shared: &Shared,
    claim: &Claim,
    standing: Option<Standing>,
    clock: Clock,
    hold: &Hold,
) -> Result<(), Error> {
    let store = shared.store.for_tenant(claim.key.tenant);
    shared.unsettled.settle(&store, &claim.key).await?;
    let id = claim.key.execution;
    let standing = match standing {
        Some(standing) => standing,
        None => {
            let found = store.standing(id).await?;
            found.ok_or_else(|| Error::NotFound(format!("there is no execution {id}")))?
        }
    };
    let execution = standing.execution.clone();
    let lease = Lease {
        owner: Some(shared.options.owner.clone()),
        until: Some(claim.until),
        fence: claim.fence,
    };
    let claimed = Claimed { standing, lease, deliveries: claim.deliveries };
    let job = job_of(shared, &store, &execution).await?;
    let workflow: Arc<str> = job.order.workflow_id.as_deref().unwrap_or(&job.version.file).into();
    let purse = Purse::open(&store, &execution, &job.order, claim.fence).await?;
    let children = Children::new(
        store.clone(),
        execution.clone(),
        job.version.clone(),
        job.order.clone(),
        claim.priority,
    );
    let again = job.order.again.is_some().then(|| job.clone());
    let prepared = match shared.workshop.prepare(job).await {
        Ok(prepared) => prepared,
        Err(failure) => return fail(&store, claimed, clock, failure).await,
    };
    let mut request =
        RunRequest::new(execution.thread.clone(), prepared.graph.clone(), Input::Continue);
    request.input = next_input(&store, &prepared, &claimed.standing).await?;
    request.tenant = claim.key.tenant.to_string().into();
    request.context = prepared.context;
    request.config = prepared.config;
    request.options = prepared.options;
    request.surroundings = prepared.surroundings;
    request.claimed = Some(claimed);
    request.clock = clock;
    request.drain = hold.drain.clone();
    request.recent = Some(shared.recent.clone());
    request.purse.clone_from(&purse);
    request.children = Some(children);
    request.workers = Some(claim.priority);
    request.follower = shared.options.watcher.clone().map(|watcher| -> Arc<dyn Follower> {
        let tenant = claim.key.tenant;
        Arc::new(Seat { watcher, watched: Watched { tenant, execution: id, workflow } })
    });
    let handler = match again {
        Some(job) => again::handler(shared, &store, &job, prepared.handler, &mut request).await?,
        None => prepared.handler,
    };
    drive(Some(store), handler, request).await?;
    if let Some(purse) = purse {
        purse.close().await?;
    }
    Ok(())
}

/// Where the watcher of all executions sees one of them from.
struct Seat {
    watcher: Arc<dyn Watcher>,
    watched: Watched,
}

impl Follower for Seat {
    fn is_there(&self) -> bool {
        self.watcher.is_there(&self.watched)
    }

    fn see(&self, event: &Event) {
        self.watcher.see(&self.watched, event);
    }

    fn stepped(&self, took: Duration) {
        self.watcher.note(Note::Stepped { took });
    }
}

pub(super) async fn job_of(
    shared: &Shared,
    store: &Store,
    execution: &Execution,
) -> Result<Job, Error> {
    let version = match execution.version {
        Some(hash) => shared.versions.get(store, hash).await?,
        None => None,
    };
    let Some(version) = version else {
        return Err(Error::NotFound(format!("execution {} has no source", execution.id)));
    };
    Ok(Job {
        tenant: store.tenant(),
        execution: execution.id,
        thread: execution.thread.clone(),
        version,
        order: Order::decode(&execution.input)?,
    })
}

/// The sources that executions were pinned to lately. A version never changes.
#[derive(Default)]
pub(super) struct Versions(Mutex<HashMap<(TenantId, Hash), WorkflowVersion>>);

/// Beyond this all are read again.
const VERSIONS_MAX: usize = 64;

impl Versions {
    async fn get(&self, store: &Store, hash: Hash) -> Result<Option<WorkflowVersion>, Error> {
        let key = (store.tenant(), hash);
        let kept = self.lock().get(&key).cloned();
        if kept.is_some() {
            return Ok(kept);
        }
        let Some(version) = store.version(hash).await? else { return Ok(None) };
        let mut kept = self.lock();
        if kept.len() >= VERSIONS_MAX {
            kept.clear();
        }
        kept.insert(key, version.clone());
        Ok(Some(version))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, Hash), WorkflowVersion>> {
        self.0.lock().expect("nobody panics while it is held")
    }
}

/// How the execution goes on: from its input, if its thread has not taken that yet;
/// else from its last checkpoint, with the answers that have come.
async fn next_input(
    store: &Store,
    prepared: &Prepared,
    standing: &Standing,
) -> Result<Input<Value>, Error> {
    let execution = &standing.execution;
    let taken = standing.latest.as_ref();
    if taken.is_none_or(|checkpoint| checkpoint.execution != execution.id) {
        let order = Order::decode(&execution.input)?;
        if !order.goes_on {
            return Ok(Input::Value(order.input));
        }
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
    claimed: Claimed,
    clock: Clock,
    failure: Failure,
) -> Result<(), Error> {
    let Standing { execution, head, .. } = &claimed.standing;
    let (id, totals) = (execution.id, execution.totals);
    let journal = Journal::new(Some(store.clone()), id, head.sequence, totals, None);
    let end = ending::end(&claimed);
    journal.go_by(clock);
    journal.take(claimed);
    let json = serde_json::to_value(&failure).expect("a failure has a JSON form");
    journal.emit(Event::new(EventKind::Error).with_data(Value::from(&json)));
    let data = Value::map([("status", Value::str("failed"))]);
    journal.emit(Event::new(EventKind::Done).with_data(data));
    journal.record(Record::ExecutionChange(ExecutionChange {
        id,
        status: ExecutionStatus::Failed,
        ended: Some(journal.now()),
        error: Some(codec::encode(&failure)),
        totals,
    }));
    end.into_iter().for_each(|work| journal.record(Record::Work(work)));
    journal.flush().await?;
    Ok(())
}
