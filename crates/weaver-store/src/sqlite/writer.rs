//! The one thread that writes. It takes all that is queued into one transaction
//! (group commit), so that many batches share one sync of the disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};
use weaver_core::Timestamp;

use super::apply::Applier;
use super::fault::{Fault, commit_error};
use super::maintain;
use super::rows::Db;
use crate::query::Garbage;
use crate::{Batch, Error, ExecutionId, Result, TenantId, Ticket, crash_point};

/// How many batches one transaction takes at most: at some 10 µs each, well
/// below the time people notice.
const GROUP_BATCHES_MAX: usize = 2048;

/// How many bytes one transaction takes at most, so that SQLite's log file stays
/// small.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many executions and lanes are remembered between transactions.
const REMEMBERED_MAX: usize = 8192;

/// The queue's sending side.
#[derive(Clone)]
pub(super) struct Queue {
    sender: Sender<Job>,
    load: Arc<Load>,
}

/// What is queued and not yet taken up.
struct Load {
    bytes: AtomicUsize,
    bytes_max: usize,
    taken: Notify,
}

enum Job {
    Append { tenant: TenantId, batch: Batch, bytes: usize, done: oneshot::Sender<Result<()>> },
    Recover { tenant: TenantId, execution: ExecutionId, done: oneshot::Sender<Result<()>> },
    Collect { tenant: TenantId, now: Timestamp, done: oneshot::Sender<Result<Garbage>> },
}

impl Queue {
    /// A queue and the loop that empties it. The loop ends when all senders are
    /// gone and everything sent is written.
    pub(super) fn new(
        connection: Connection,
        path: PathBuf,
        bytes_max: usize,
    ) -> (Self, impl FnOnce() + Send) {
        let (sender, receiver) = std::sync::mpsc::channel();
        let load = Arc::new(Load { bytes: AtomicUsize::new(0), bytes_max, taken: Notify::new() });
        let writer = Writer {
            connection,
            path,
            appliers: HashMap::new(),
            load: load.clone(),
            failed: HashMap::new(),
            broken: None,
        };
        (Queue { sender, load }, move || writer.run(receiver))
    }

    pub(super) fn append(&self, tenant: TenantId, batch: Batch) -> Ticket {
        let bytes = batch.size();
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let (done, answer) = oneshot::channel();
        match self.sender.send(Job::Append { tenant, batch, bytes, done }) {
            Ok(()) => Ticket::waiting(answer),
            Err(_) => Ticket::ready(Err(Error::Closed)),
        }
    }

    pub(super) async fn room(&self) {
        loop {
            let taken = self.load.taken.notified();
            if self.load.bytes.load(Ordering::Relaxed) <= self.load.bytes_max {
                return;
            }
            taken.await;
        }
    }

    pub(super) async fn recover(&self, tenant: TenantId, execution: ExecutionId) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.sender.send(Job::Recover { tenant, execution, done }).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    pub(super) async fn collect(&self, tenant: TenantId, now: Timestamp) -> Result<Garbage> {
        let (done, answer) = oneshot::channel();
        self.sender.send(Job::Collect { tenant, now, done }).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

struct Append {
    tenant: TenantId,
    batch: Batch,
    done: oneshot::Sender<Result<()>>,
}

impl Append {
    fn execution(&self) -> Option<(TenantId, ExecutionId)> {
        Some((self.tenant, self.batch.execution?))
    }
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    /// What is remembered for each tenant.
    appliers: HashMap<TenantId, Applier>,
    load: Arc<Load>,
    /// Executions that had a failed batch; later ones are refused.
    failed: HashMap<(TenantId, ExecutionId), Arc<Error>>,
    /// Set when the file can no longer be trusted with writes.
    broken: Option<Arc<Error>>,
}

impl Writer {
    fn run(mut self, receiver: Receiver<Job>) {
        let mut next = receiver.recv().ok();
        while let Some(job) = next.take() {
            match job {
                Job::Append { tenant, batch, bytes, done } => {
                    let (group, rest) =
                        self.gather(Append { tenant, batch, done }, bytes, &receiver);
                    self.write(group);
                    next = rest;
                }
                Job::Recover { tenant, execution, done } => {
                    self.failed.remove(&(tenant, execution));
                    let _ = done.send(self.usable());
                }
                Job::Collect { tenant, now, done } => {
                    let _ = done.send(self.collect(tenant, now));
                }
            }
            next = next.or_else(|| receiver.recv().ok());
        }
        crash_point!("in_drain");
        // Only tidies up: whatever fails here is done by the next opening.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// All appends that are queued, up to the limits, and the job that ended them.
    fn gather(
        &mut self,
        first: Append,
        first_bytes: usize,
        receiver: &Receiver<Job>,
    ) -> (Vec<Append>, Option<Job>) {
        let (mut group, mut bytes, mut rest) = (vec![first], first_bytes, None);
        while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
            match receiver.try_recv() {
                Ok(Job::Append { tenant, batch, bytes: more, done }) => {
                    bytes += more;
                    group.push(Append { tenant, batch, done });
                }
                Ok(job) => {
                    rest = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.load.taken.notify_waiters();
        (group, rest)
    }

    fn write(&mut self, group: Vec<Append>) {
        if let Err(error) = self.usable() {
            group.into_iter().for_each(|append| answer(append, Err(error.clone())));
            return;
        }
        crash_point!("before_insert");
        match self.write_together(&group) {
            Ok(()) => {
                crash_point!("after_commit");
                group.into_iter().for_each(|append| answer(append, Ok(())));
            }
            // One of them is refused: find out which, and write the others.
            Err(error) if error.is_of_batch() => self.write_apart(group),
            Err(error) => self.refuse(group, error),
        }
    }

    /// One transaction without a thought about single failures: the usual case.
    fn write_together(&mut self, group: &[Append]) -> Result<()> {
        if group.iter().any(|append| self.refusal(append).is_some()) {
            return Err(Error::Conflict("an execution in the group has failed".into()));
        }
        if group.iter().all(|append| append.batch.is_empty()) {
            return Ok(());
        }
        self.transaction(|appliers, connection| {
            for append in group {
                let db = Db::made_for(connection, append.tenant)?;
                appliers.entry(append.tenant).or_default().apply(db, &append.batch)?;
            }
            for (tenant, applier) in appliers {
                applier.flush(Db::made_for(connection, *tenant)?)?;
            }
            Ok(())
        })
    }

    /// One transaction with a savepoint for each batch.
    fn write_apart(&mut self, group: Vec<Append>) {
        let mut failed = self.failed.clone();
        let mut results = Vec::with_capacity(group.len());
        let path = self.path.clone();
        let outcome = self.transaction(|appliers, connection| {
            for append in &group {
                let execution = append.execution();
                let cause = execution.and_then(|id| failed.get(&id));
                if let Some(cause) = cause {
                    results.push(Err(Error::Aborted { cause: cause.clone() }));
                    continue;
                }
                let applier = appliers.entry(append.tenant).or_default();
                let result = savepoint(applier, connection, append);
                if let Err(fault) = result {
                    let error = fault.into_error(&path);
                    if !error.is_of_batch() {
                        return Err(Fault::Store(error));
                    }
                    if let Some(id) = execution {
                        failed.insert(id, Arc::new(error.clone()));
                    }
                    results.push(Err(error));
                } else {
                    results.push(Ok(()));
                }
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {
                crash_point!("after_commit");
                self.failed = failed;
                group.into_iter().zip(results).for_each(|(append, result)| answer(append, result));
            }
            Err(error) => self.refuse(group, error),
        }
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut HashMap<TenantId, Applier>, &Connection) -> Result<(), Fault>,
    ) -> Result<()> {
        if self.appliers.values().map(Applier::remembered).sum::<usize>() > REMEMBERED_MAX {
            self.appliers.clear();
        }
        let result = self
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(Fault::from)
            .and_then(|()| work(&mut self.appliers, &self.connection))
            .map_err(|fault| fault.into_error(&self.path))
            .and_then(|()| {
                crash_point!("during_commit");
                self.connection
                    .execute_batch("COMMIT")
                    .map_err(|error| commit_error(error, &self.path))
            });
        if result.is_err() {
            self.appliers.clear();
            if !self.connection.is_autocommit() {
                // Fails only if SQLite has rolled back by itself.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
        }
        result
    }

    /// The whole group failed. After a full or busy disk the next group may
    /// succeed; after anything else nothing more is written.
    fn refuse(&mut self, group: Vec<Append>, error: Error) {
        let cause = Arc::new(error.clone());
        if !matches!(error, Error::Full { .. } | Error::Locked { .. }) {
            tracing::error!(%error, "the log takes no more writes");
            self.broken = Some(cause.clone());
        }
        for append in group {
            if let Some(id) = append.execution() {
                self.failed.entry(id).or_insert_with(|| cause.clone());
            }
            answer(append, Err(error.clone()));
        }
    }

    fn refusal(&self, append: &Append) -> Option<&Arc<Error>> {
        self.failed.get(&append.execution()?)
    }

    fn usable(&self) -> Result<()> {
        match &self.broken {
            Some(cause) => Err(Error::Aborted { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn collect(&mut self, tenant: TenantId, now: Timestamp) -> Result<Garbage> {
        self.usable()?;
        let mut garbage = Garbage::default();
        self.transaction(|_, connection| {
            garbage = maintain::collect(Db::of(connection, tenant)?, now)?;
            Ok(())
        })?;
        Ok(garbage)
    }
}

fn answer(append: Append, result: Result<()>) {
    // Nobody may be waiting; the batch stands all the same.
    let _ = append.done.send(result);
}

fn savepoint(applier: &mut Applier, connection: &Connection, append: &Append) -> Result<(), Fault> {
    let db = Db::made_for(connection, append.tenant)?;
    connection.execute_batch("SAVEPOINT batch")?;
    let result = applier.apply(db, &append.batch).and_then(|()| applier.flush(db));
    if result.is_err() {
        applier.forget();
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK TO batch")?;
        }
    }
    if !connection.is_autocommit() {
        connection.execute_batch("RELEASE batch")?;
    }
    result
}
