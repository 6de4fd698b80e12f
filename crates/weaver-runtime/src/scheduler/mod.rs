//! [`Scheduler`]: claims executions that are queued and drives them, beside others
//! that do the same on the same store.
//!
//! Invariants:
//! - What is claimed is held under a lease that is renewed; who cannot renew stops
//!   working before another may begin.
//! - The end of a run and its place in the queue are one commit, made by
//!   [`crate::drive`]. Here nothing is decided that a crash could lose.
//! - A wake-up is a hint. Looking each second is the truth.

mod again;
mod clockwork;
mod job;
mod lease;
mod seats;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use weaver_core::{Event, Failure, Hash, Timestamp, Value};
use weaver_engine::{Graph, RunOptions};
use weaver_store::{
    Claim, ClaimRequest, ExecutionId, ROUTE_DRIVE, Retention, Standing, Store, TenantId, WorkKey,
    WorkflowVersion,
};

use crate::order::Order;
use crate::recent::Recent;
use crate::request::Clock;
use crate::reuse::Code;
use crate::task::Handler;
use job::{Unsettled, Versions};
use lease::Leases;
pub use seats::Seats;
use seats::Taken;

/// Makes runnable what was submitted.
pub trait Workshop: Send + Sync + 'static {
    /// Compiles the version and makes what runs its nodes. A failure ends the
    /// execution.
    fn prepare(&self, job: Job) -> BoxFuture<'_, Result<Prepared, Failure>>;

    /// What an execution that is done again is compared by. Nothing, where that is not
    /// known: then all of it runs.
    fn code(&self, job: &Job) -> Option<Arc<Code>> {
        let _ = job;
        None
    }
}

/// An execution that is about to be driven.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub execution: ExecutionId,
    /// The thread that it works on.
    pub thread: Arc<str>,
    /// What it is pinned to.
    pub version: WorkflowVersion,
    /// What it was asked to do.
    pub order: Order,
}

/// An execution that can be driven.
pub struct Prepared {
    /// The graph.
    pub graph: Graph<Value>,
    /// Runs its functions.
    pub handler: Arc<dyn Handler>,
    /// `context=`.
    pub context: Value,
    /// What nodes see as `config`, a map.
    pub config: Value,
    /// Limits and breakpoints.
    pub options: RunOptions,
    /// See [`RunRequest::surroundings`].
    ///
    /// [`RunRequest::surroundings`]: crate::RunRequest::surroundings
    pub surroundings: Option<Hash>,
}

/// Sees the events of every execution that this process drives, as a [`Follower`] sees
/// those of one run.
///
/// [`Follower`]: crate::Follower
pub trait Watcher: Send + Sync {
    /// Whether anybody looks at the execution. May change at any time.
    fn is_there(&self, watched: &Watched) -> bool;

    /// Is shown an event.
    fn see(&self, watched: &Watched, event: &Event);

    /// Is told what no event tells.
    fn note(&self, note: Note) {
        let _ = note;
    }
}

/// What a scheduler does that no event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// It took up an execution.
    Claimed {
        /// For how long that had waited for its turn.
        waited: Duration,
    },
    /// It lost the lease of an execution that it worked on: that was cancelled, or
    /// somebody else has it.
    LeaseLost,
    /// It found leases, anybody's, that were over.
    Expired {
        /// So much of the work is ready again.
        requeued: usize,
        /// So much was delivered too often.
        dead: usize,
    },
    /// An execution got on by a superstep.
    Stepped {
        /// How long that took.
        took: Duration,
    },
}

/// Which execution an event is of.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub execution: ExecutionId,
    /// The id of the kept workflow that it was made from, else the name of its file.
    pub workflow: Arc<str>,
}

/// How a scheduler works.
#[derive(Clone)]
pub struct Options {
    /// A name of this process that no other has.
    pub owner: Arc<str>,
    /// Executions at a time.
    pub slots: usize,
    /// For how long a claim holds unless it is renewed; it is, after a third of it.
    /// A crash is noticed after this time.
    pub lease: Duration,
    /// How often timers, schedules, lost leases and cancels are looked for.
    pub poll: Duration,
    /// For how long a drain lets supersteps end.
    pub grace: Duration,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Sees events.
    pub watcher: Option<Arc<dyn Watcher>>,
    /// Where those who submit in this process find its free slots.
    pub seats: Seats,
}

impl Options {
    /// Defaults, for a process of that name.
    pub fn new(owner: impl Into<Arc<str>>) -> Self {
        Options {
            owner: owner.into(),
            slots: 256,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            retention: Retention::default(),
            watcher: None,
            seats: Seats::default(),
        }
    }
}

/// Claims executions and drives them.
pub struct Scheduler {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    workshop: Arc<dyn Workshop>,
    options: Options,
    recent: Arc<Recent>,
    unsettled: Unsettled,
    versions: Versions,
}

impl Shared {
    fn note(&self, note: Note) {
        if let Some(watcher) = &self.options.watcher {
            watcher.note(note);
        }
    }
}

impl Scheduler {
    /// A scheduler of all tenants of a store.
    pub fn new(store: Store, workshop: Arc<dyn Workshop>, options: Options) -> Self {
        let recent = Arc::default();
        let (unsettled, versions) = (Unsettled::default(), Versions::default());
        let shared = Shared { store, workshop, options, recent, unsettled, versions };
        Scheduler { shared: Arc::new(shared) }
    }

    /// Works until `drain` is cancelled, then lets supersteps end, hands back what
    /// is left and returns. A store that cannot be reached is waited for.
    pub async fn run(self, drain: CancellationToken) {
        let mut floor = Floor {
            shared: self.shared.clone(),
            running: JoinSet::new(),
            held: HashMap::new(),
            leases: Leases::default(),
            next_due: None,
            renewed_at: Instant::now(),
            tidy_at: Instant::now() + TIDY_AGAIN_AFTER,
            work_may_be_ready: true,
            reachable: true,
        };
        let mut wakeups = self.shared.store.queue().wakeups();
        let options = &self.shared.options;
        let mut taken = options.seats.open(options.owner.clone(), options.lease);
        let mut tick = tokio::time::interval(options.poll.min(options.lease / 3));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !drain.is_cancelled() {
            let due = floor.next_due;
            tokio::select! {
                biased;
                () = drain.cancelled() => break,
                Some(ended) = floor.running.join_next_with_id() => floor.ended(ended),
                Some(taken) = taken.recv() => floor.seat(taken),
                _ = tick.tick() => floor.look_around().await,
                () = sleep_until(due) => floor.look_around().await,
                () = wakeups.changed() => floor.hear().await,
            }
            floor.fill().await;
        }
        options.seats.withhold();
        taken.close();
        while let Some(taken) = taken.recv().await {
            floor.seat(taken);
        }
        floor.drain().await;
    }
}

/// The executions that this process drives.
struct Floor {
    shared: Arc<Shared>,
    running: JoinSet<()>,
    held: HashMap<tokio::task::Id, (WorkKey, u64)>,
    leases: Leases,
    /// When the next timer fires.
    next_due: Option<Instant>,
    renewed_at: Instant,
    /// When what is over is looked for again.
    tidy_at: Instant,
    /// There was news since the last claim, or that one took all that it could: without
    /// either a free slot is no reason to ask.
    work_may_be_ready: bool,
    reachable: bool,
}

/// What is over may stay an hour longer.
const TIDY_AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// Many wake-ups in a row are heard together.
const HEAR_AGAIN_AFTER: Duration = Duration::from_millis(50);

type Ended = Result<(tokio::task::Id, ()), tokio::task::JoinError>;

impl Floor {
    /// Takes as much ready work as there are free slots. What is free then is offered to
    /// those who submit, unless something still waits.
    async fn fill(&mut self) {
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.ended(ended);
        }
        let shared = self.shared.clone();
        if self.work_may_be_ready {
            let promised = shared.options.seats.withhold();
            let count = self.free().saturating_sub(promised);
            if count > 0 {
                self.claim(count).await;
            }
        }
        shared.options.seats.offer(if self.work_may_be_ready { 0 } else { self.free() });
    }

    fn free(&self) -> usize {
        self.shared.options.slots.saturating_sub(self.running.len())
    }

    async fn claim(&mut self, count: usize) {
        let options = &self.shared.options;
        // A lease counts from before its claim: the answer may have been slow.
        let asked = Instant::now();
        let request = ClaimRequest {
            route: ROUTE_DRIVE.into(),
            owner: options.owner.clone(),
            count,
            lease: options.lease,
        };
        let claims = self.shared.store.queue().claim(request).await;
        let Some(claims) = self.noted(claims) else { return };
        self.work_may_be_ready = claims.len() == count;
        claims.into_iter().for_each(|claim| self.drive(claim, None, asked));
    }

    /// What was claimed for this process by who submitted it.
    fn seat(&mut self, taken: Taken) {
        let Taken { claim, standing, asked, seat } = taken;
        self.drive(claim, standing, asked);
        drop(seat);
    }

    fn drive(&mut self, claim: Claim, standing: Option<Standing>, asked: Instant) {
        let hold = self.leases.add(&claim, asked + self.shared.options.lease);
        let held = (claim.key.clone(), claim.fence);
        // What the database said then. Ahead of it by the way of the question at
        // most, so that no timer that counts from it is early.
        let time = Timestamp(claim.until.0 - self.shared.options.lease.as_micros() as i64);
        let waited = u64::try_from(time.0 - claim.since.0).unwrap_or_default();
        self.shared.note(Note::Claimed { waited: Duration::from_micros(waited) });
        let clock = Clock::Running { time, at: asked };
        let job = job::drive_claim(self.shared.clone(), claim, standing, clock, hold);
        let handle = self.running.spawn(job);
        self.held.insert(handle.id(), held);
    }

    fn ended(&mut self, ended: Ended) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some((key, fence)) = self.held.remove(&id) else { return };
        // After a panic the lease runs out, and the next delivery is counted.
        if let Err(error) = ended {
            tracing::error!(execution = %key.execution, %error, "an execution's driver panicked");
        }
        self.leases.remove(&key, fence);
    }

    /// Timers, schedules, lost leases of others, our own leases.
    async fn look_around(&mut self) {
        self.next_due = None;
        self.work_may_be_ready = true;
        if !self.renew().await {
            // A store that comes back just now would have what is held here taken for lost.
            return;
        }
        let looked = clockwork::turn(&self.shared).await;
        if let Some(next) = self.noted(looked).flatten() {
            self.next_due = Some(Instant::now() + next);
        }
        if self.tidy_at <= Instant::now() {
            self.tidy_at = Instant::now() + TIDY_AGAIN_AFTER;
            let Shared { store, options, .. } = &*self.shared;
            tokio::spawn(clockwork::tidy(store.clone(), options.retention));
        }
    }

    /// Something has changed: there is work, or what is held was cancelled or paused.
    async fn hear(&mut self) {
        self.work_may_be_ready = true;
        if self.renewed_at.elapsed() >= HEAR_AGAIN_AFTER {
            self.renew().await;
        }
    }

    /// Says whether what is held was renewed.
    async fn renew(&mut self) -> bool {
        self.renewed_at = Instant::now();
        let options = &self.shared.options;
        let held = self.leases.held();
        if held.is_empty() {
            return true;
        }
        let asked = Instant::now();
        let lease = options.lease;
        let renewed = self.shared.store.queue().renew(options.owner.clone(), held, lease).await;
        let renewed = self.noted(renewed);
        if let Some(renewed) = &renewed {
            self.leases.renewed(renewed, asked + lease);
        }
        renewed.is_some()
    }

    /// Stops claiming, lets every run end its superstep, hands the rest back.
    async fn drain(mut self) {
        self.leases.drain();
        let deadline = Instant::now() + self.shared.options.grace;
        let options = &self.shared.options;
        let mut tick = tokio::time::interval(options.poll.min(options.lease / 3));
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                _ = tick.tick() => drop(self.renew().await),
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.running.shutdown().await;
        let held = self.leases.held();
        if !held.is_empty() {
            let owner = self.shared.options.owner.clone();
            let released = self.shared.store.queue().release(owner, held).await;
            self.noted(released);
        }
    }

    /// Logs once that the store is gone, and once that it is back.
    fn noted<T>(&mut self, result: weaver_store::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                if !std::mem::replace(&mut self.reachable, true) {
                    tracing::info!("the store answers again");
                }
                Some(value)
            }
            Err(error) => {
                if std::mem::replace(&mut self.reachable, false) {
                    tracing::error!(%error, code = error.code(), "the store does not answer");
                }
                None
            }
        }
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
