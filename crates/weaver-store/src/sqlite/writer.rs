//! The one thread that writes. It takes all that is queued into one transaction
//! (group commit), so that many batches share one sync of the disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{Notify, oneshot, watch};
use weaver_core::{Histogram, Timestamp};

use super::apply::Applier;
use super::fault::{Fault, commit_error};
use super::maintain;
use super::queue_rows::SqliteRows;
use super::rows::Db;
use crate::query::Garbage;
use crate::queue::{Operation, now_or_never};
use crate::stats::Commits;
use crate::{Batch, Clock, Error, ExecutionId, Result, TenantId, Ticket, Wakeups, crash_point};

/// How many batches one transaction takes at most: at some 10 µs each, well
/// below the time people notice.
const GROUP_BATCHES_MAX: usize = 2048;

/// How many bytes one transaction takes at most, so that SQLite's log file stays
/// small.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an operation of the work queue counts as in the limits above.
const OPERATION_BYTES: usize = 256;

/// How many executions and lanes are remembered between transactions.
const REMEMBERED_MAX: usize = 8192;

/// The queue's sending side.
#[derive(Clone)]
pub(super) struct Queue {
    sender: Sender<Job>,
    load: Arc<Load>,
    wakeups: Arc<watch::Sender<u64>>,
}

/// What is queued and not yet taken up.
struct Load {
    bytes: AtomicUsize,
    bytes_max: usize,
    taken: Notify,
    commits: Commits,
}

enum Job {
    Append { item: Item, bytes: usize },
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
        clock: Clock,
    ) -> (Self, impl FnOnce() + Send) {
        let (sender, receiver) = std::sync::mpsc::channel();
        let load = Arc::new(Load {
            bytes: AtomicUsize::new(0),
            bytes_max,
            taken: Notify::new(),
            commits: Commits::default(),
        });
        let wakeups = Arc::new(watch::Sender::new(0));
        let writer = Writer {
            connection,
            path,
            appliers: HashMap::new(),
            load: load.clone(),
            clock,
            wakeups: wakeups.clone(),
            failed: HashMap::new(),
            broken: None,
        };
        (Queue { sender, load, wakeups }, move || writer.run(receiver))
    }

    pub(super) fn append(&self, tenant: TenantId, batch: Batch) -> Ticket {
        let bytes = batch.size();
        let (done, answer) = oneshot::channel();
        let asked = Instant::now();
        match self.send(Item::Append { tenant, batch, asked, done }, bytes) {
            Ok(()) => Ticket::waiting(answer),
            Err(error) => Ticket::ready(Err(error)),
        }
    }

    /// Runs an operation of the work queue, in one transaction with what else is
    /// waiting.
    pub(super) async fn operate<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let (done, answer) = oneshot::channel();
        let operating = Operating { operation, output: None, done };
        self.send(Item::Operate(Box::new(operating)), OPERATION_BYTES)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    fn send(&self, item: Item, bytes: usize) -> Result<()> {
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.sender.send(Job::Append { item, bytes }).map_err(|_| Error::Closed)
    }

    pub(super) fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.wakeups.subscribe())
    }

    /// How long commits took, and the bytes that wait.
    pub(super) fn stats(&self) -> (Histogram, usize) {
        (self.load.commits.so_far(), self.load.bytes.load(Ordering::Relaxed))
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

/// What a transaction is made of.
enum Item {
    Append { tenant: TenantId, batch: Batch, asked: Instant, done: oneshot::Sender<Result<()>> },
    Operate(Box<dyn Operate>),
}

/// An operation of the work queue whose type is of no interest here.
trait Operate: Send {
    fn run(&mut self, rows: &mut SqliteRows<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, result: Result<()>);
}

struct Operating<O: Operation> {
    operation: O,
    output: Option<O::Output>,
    done: oneshot::Sender<Result<O::Output>>,
}

impl<O: Operation> Operate for Operating<O> {
    fn run(&mut self, rows: &mut SqliteRows<'_>) -> Result<(), Fault> {
        self.output = Some(now_or_never(self.operation.run(rows))?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<()>) {
        let output = self.output;
        // Nobody may be waiting; what was done stands all the same.
        let _ = self.done.send(result.map(|()| output.expect("it ran, or failed")));
    }
}

impl Item {
    fn execution(&self) -> Option<(TenantId, ExecutionId)> {
        match self {
            Item::Append { tenant, batch, .. } => Some((*tenant, batch.execution?)),
            Item::Operate(_) => None,
        }
    }

    /// When it was handed over, if it is a batch.
    fn asked(&self) -> Option<Instant> {
        match self {
            Item::Append { asked, .. } => Some(*asked),
            Item::Operate(_) => None,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Item::Append { batch, .. } if batch.is_empty())
    }

    fn run(&mut self, rows: &mut SqliteRows<'_>) -> Result<(), Fault> {
        match self {
            Item::Append { tenant, batch, .. } => rows.apply(*tenant, batch),
            Item::Operate(operate) => operate.run(rows),
        }
    }

    fn answer(self, result: Result<()>) {
        match self {
            // Nobody may be waiting; the batch stands all the same.
            Item::Append { done, .. } => drop(done.send(result)),
            Item::Operate(operate) => operate.answer(result),
        }
    }
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    /// What is remembered for each tenant.
    appliers: HashMap<TenantId, Applier>,
    load: Arc<Load>,
    clock: Clock,
    /// Counts the changes of the work queue that are worth a look.
    wakeups: Arc<watch::Sender<u64>>,
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
                Job::Append { item, bytes } => {
                    let (group, rest) = self.gather(item, bytes, &receiver);
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
        first: Item,
        first_bytes: usize,
        receiver: &Receiver<Job>,
    ) -> (Vec<Item>, Option<Job>) {
        let (mut group, mut bytes, mut rest) = (vec![first], first_bytes, None);
        while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
            match receiver.try_recv() {
                Ok(Job::Append { item, bytes: more }) => {
                    bytes += more;
                    group.push(item);
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

    fn write(&mut self, mut group: Vec<Item>) {
        if let Err(error) = self.usable() {
            group.into_iter().for_each(|item| item.answer(Err(error.clone())));
            return;
        }
        crash_point!("before_insert");
        match self.write_together(&mut group) {
            Ok(()) => {
                crash_point!("after_commit");
                self.load.commits.add(group.iter().filter_map(Item::asked));
                group.into_iter().for_each(|item| item.answer(Ok(())));
            }
            // One of them is refused: find out which, and write the others.
            Err(error) if error.is_of_batch() => self.write_apart(group),
            Err(error) => self.refuse(group, error),
        }
    }

    /// One transaction without a thought about single failures: the usual case.
    fn write_together(&mut self, group: &mut [Item]) -> Result<()> {
        if group.iter().any(|item| self.refusal(item).is_some()) {
            return Err(Error::Conflict("an execution in the group has failed".into()));
        }
        if group.iter().all(Item::is_empty) {
            return Ok(());
        }
        self.transaction(|rows| {
            for item in group {
                item.run(rows)?;
            }
            rows.flush()
        })
    }

    /// One transaction with a savepoint for each item.
    fn write_apart(&mut self, mut group: Vec<Item>) {
        let mut failed = self.failed.clone();
        let mut results = Vec::with_capacity(group.len());
        let path = self.path.clone();
        let outcome = self.transaction(|rows| {
            for item in &mut group {
                let execution = item.execution();
                let cause = execution.and_then(|id| failed.get(&id));
                if let Some(cause) = cause {
                    results.push(Err(Error::Aborted { cause: cause.clone() }));
                    continue;
                }
                let result = savepoint(rows, item);
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
                let written = group.iter().zip(&results).filter(|(_, result)| result.is_ok());
                self.load.commits.add(written.filter_map(|(item, _)| item.asked()));
                group.into_iter().zip(results).for_each(|(item, result)| item.answer(result));
            }
            Err(error) => self.refuse(group, error),
        }
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut SqliteRows<'_>) -> Result<(), Fault>,
    ) -> Result<()> {
        if self.appliers.values().map(Applier::remembered).sum::<usize>() > REMEMBERED_MAX {
            self.appliers.clear();
        }
        let mut rows = SqliteRows {
            connection: &mut self.connection,
            appliers: &mut self.appliers,
            clock: &self.clock,
            wake: false,
        };
        let result = rows
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(Fault::from)
            .and_then(|()| work(&mut rows))
            .map_err(|fault| fault.into_error(&self.path))
            .and_then(|()| {
                crash_point!("during_commit");
                rows.connection
                    .execute_batch("COMMIT")
                    .map_err(|error| commit_error(error, &self.path))
            });
        if result.is_ok() && rows.wake {
            self.wakeups.send_modify(|count| *count += 1);
        }
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
    fn refuse(&mut self, group: Vec<Item>, error: Error) {
        let cause = Arc::new(error.clone());
        if !matches!(error, Error::Full { .. } | Error::Locked { .. }) {
            tracing::error!(%error, "the log takes no more writes");
            self.broken = Some(cause.clone());
        }
        for item in group {
            if let Some(id) = item.execution() {
                self.failed.entry(id).or_insert_with(|| cause.clone());
            }
            item.answer(Err(error.clone()));
        }
    }

    fn refusal(&self, item: &Item) -> Option<&Arc<Error>> {
        self.failed.get(&item.execution()?)
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
        self.transaction(|rows| {
            garbage = maintain::collect(Db::of(rows.connection, tenant)?, now)?;
            Ok(())
        })?;
        Ok(garbage)
    }
}

fn savepoint(rows: &mut SqliteRows<'_>, item: &mut Item) -> Result<(), Fault> {
    if let Item::Append { tenant, .. } = item {
        Db::made_for(rows.connection, *tenant)?;
    }
    rows.connection.execute_batch("SAVEPOINT item")?;
    let result = item.run(rows).and_then(|()| rows.flush());
    if result.is_err() {
        rows.appliers.clear();
        if !rows.connection.is_autocommit() {
            rows.connection.execute_batch("ROLLBACK TO item")?;
        }
    }
    if !rows.connection.is_autocommit() {
        rows.connection.execute_batch("RELEASE item")?;
    }
    result
}
