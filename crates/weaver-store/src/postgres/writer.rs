//! The writers: each takes all that is queued for it into one transaction (group
//! commit), of whatever tenants it is.
//!
//! An execution always has the same writer, so its batches keep their order. The
//! queue fills while a transaction commits; then the next takes all of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use weaver_core::Histogram;

use super::PostgresOptions;
use super::dsn::Dsn;
use super::group::Session;
use super::turns::Turns;
use super::wakers::Wakers;
use crate::stats::Commits;
use crate::{Batch, Error, ExecutionId, Result, TenantId, Ticket, crash_point};

/// How many batches one transaction takes at most.
const GROUP_BATCHES_MAX: usize = 1024;

/// How many bytes one transaction takes at most.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The writers' sending side.
pub(super) struct Queue {
    writers: Vec<UnboundedSender<Job>>,
    load: Arc<Load>,
}

/// What is queued and not yet taken up.
struct Load {
    bytes: AtomicUsize,
    bytes_max: usize,
    taken: Notify,
    commits: Commits,
}

enum Job {
    Append {
        append: Append,
        bytes: usize,
    },
    Recover {
        tenant: TenantId,
        execution: ExecutionId,
        done: oneshot::Sender<Result<()>>,
    },
    /// Answered when everything before it is done.
    Barrier {
        done: oneshot::Sender<Result<()>>,
    },
}

/// A batch on its way.
pub(super) struct Append {
    pub(super) tenant: TenantId,
    pub(super) batch: Batch,
    asked: Instant,
    done: oneshot::Sender<Result<()>>,
}

impl Append {
    fn execution(&self) -> Option<(TenantId, ExecutionId)> {
        Some((self.tenant, self.batch.execution?))
    }
}

impl Queue {
    /// Starts the writers, which end when the queue is dropped and everything sent
    /// is written.
    pub(super) fn start(
        dsn: &Dsn,
        options: &PostgresOptions,
        runtime: &Handle,
        wakeups: &Arc<Wakers>,
        turns: &Turns,
    ) -> (Self, Vec<JoinHandle<()>>) {
        let bytes_max = options.queue_bytes_max;
        let load = Arc::new(Load {
            bytes: AtomicUsize::new(0),
            bytes_max,
            taken: Notify::new(),
            commits: Commits::default(),
        });
        let (mut writers, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..options.writers.max(1) {
            let (sender, receiver) = unbounded_channel();
            let writer = Writer {
                session: Session::new(dsn.clone(), options.clone(), wakeups.clone(), turns.clone()),
                load: load.clone(),
                failed: HashMap::new(),
            };
            tasks.push(runtime.spawn(writer.run(receiver)));
            writers.push(sender);
        }
        (Queue { writers, load }, tasks)
    }

    /// The writer of an execution; batches of none have one for each tenant.
    fn writer(&self, tenant: TenantId, execution: Option<ExecutionId>) -> &UnboundedSender<Job> {
        let mut hasher = DefaultHasher::new();
        (tenant, execution).hash(&mut hasher);
        &self.writers[(hasher.finish() % self.writers.len() as u64) as usize]
    }

    pub(super) fn append(&self, tenant: TenantId, batch: Batch) -> Ticket {
        if batch.execution.is_none() && batch.is_empty() {
            return self.barrier();
        }
        let bytes = batch.size();
        let (done, answer) = oneshot::channel();
        let writer = self.writer(tenant, batch.execution);
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let append = Append { tenant, batch, asked: Instant::now(), done };
        match writer.send(Job::Append { append, bytes }) {
            Ok(()) => Ticket::waiting(answer),
            Err(_) => Ticket::ready(Err(Error::Closed)),
        }
    }

    /// How long commits took, and the bytes that wait.
    pub(super) fn stats(&self) -> (Histogram, usize) {
        (self.load.commits.so_far(), self.load.bytes.load(Ordering::Relaxed))
    }

    fn barrier(&self) -> Ticket {
        let mut answers = Vec::with_capacity(self.writers.len());
        for writer in &self.writers {
            let (done, answer) = oneshot::channel();
            if writer.send(Job::Barrier { done }).is_err() {
                return Ticket::ready(Err(Error::Closed));
            }
            answers.push(answer);
        }
        Ticket::from_future(async move {
            for answer in answers {
                answer.await.unwrap_or(Err(Error::Closed))?;
            }
            Ok(())
        })
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
        let job = Job::Recover { tenant, execution, done };
        self.writer(tenant, Some(execution)).send(job).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

struct Writer {
    session: Session,
    load: Arc<Load>,
    /// Executions that had a failed batch; later ones are refused.
    failed: HashMap<(TenantId, ExecutionId), Arc<Error>>,
}

impl Writer {
    async fn run(mut self, mut receiver: UnboundedReceiver<Job>) {
        let mut next = receiver.recv().await;
        while let Some(job) = next.take() {
            match job {
                Job::Append { append, bytes } => {
                    let (group, rest) = self.gather(append, bytes, &mut receiver);
                    crash_point!("before_insert");
                    self.write(group).await;
                    next = rest;
                }
                Job::Recover { tenant, execution, done } => {
                    let settled = self.session.settle().await;
                    if settled.is_ok() {
                        self.failed.remove(&(tenant, execution));
                    }
                    let _ = done.send(settled);
                }
                Job::Barrier { done } => {
                    let _ = done.send(Ok(()));
                }
            }
            if next.is_none() {
                next = receiver.recv().await;
            }
        }
        crash_point!("in_drain");
    }

    /// All appends that are queued, up to the limits, and the job that ended them.
    fn gather(
        &mut self,
        first: Append,
        first_bytes: usize,
        receiver: &mut UnboundedReceiver<Job>,
    ) -> (Vec<Append>, Option<Job>) {
        let (mut group, mut bytes, mut rest) = (vec![first], first_bytes, None);
        while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
            match receiver.try_recv() {
                Ok(Job::Append { append, bytes: more }) => {
                    bytes += more;
                    group.push(append);
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

    /// Writes a group in one transaction. When one of its batches is refused, it is
    /// cut in halves until that one is alone: the others are written, in order.
    async fn write(&mut self, group: Vec<Append>) {
        let mut todo = vec![group];
        while let Some(group) = todo.pop() {
            let mut group = self.without_failed(group);
            match self.session.write(&group).await {
                Ok(()) => {
                    crash_point!("after_commit");
                    self.load.commits.add(group.iter().map(|append| append.asked));
                    group.into_iter().for_each(|append| answer(append, Ok(())));
                }
                Err(error) if may_be_of_one(&error) && group.len() > 1 => {
                    let second = group.split_off(group.len() / 2);
                    todo.extend([second, group]);
                }
                Err(error) => self.refuse(group, error),
            }
        }
    }

    /// Answers batches of executions that had a failed one.
    fn without_failed(&self, group: Vec<Append>) -> Vec<Append> {
        if self.failed.is_empty() {
            return group;
        }
        let mut rest = Vec::with_capacity(group.len());
        for append in group {
            match append.execution().and_then(|id| self.failed.get(&id)) {
                Some(cause) => answer(append, Err(Error::Aborted { cause: cause.clone() })),
                None => rest.push(append),
            }
        }
        rest
    }

    fn refuse(&mut self, group: Vec<Append>, error: Error) {
        let cause = Arc::new(error.clone());
        if !error.is_of_batch() {
            tracing::warn!(%error, batches = group.len(), "nothing of a group of batches was saved");
        }
        for append in group {
            if let Some(id) = append.execution() {
                self.failed.entry(id).or_insert_with(|| cause.clone());
            }
            answer(append, Err(error.clone()));
        }
    }
}

/// Whether the failure of a group may be that of one batch in it: it is refused, or
/// waits for somebody who holds its execution.
fn may_be_of_one(error: &Error) -> bool {
    error.is_of_batch() || matches!(error, Error::Busy { .. })
}

fn answer(append: Append, result: Result<()>) {
    // Nobody may be waiting; the batch stands all the same.
    let _ = append.done.send(result);
}
