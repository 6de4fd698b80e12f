//! [`Desk`]: who gets which worker, and when.
//!
//! Calls queue in the order in which they come, without a time limit. A call is
//! served by a worker that has its session's module at once; a session gets a
//! second such worker only when its first does not keep up, because making a
//! module costs as much as a hundred small calls. When calls wait and no process
//! is left, idle modules and then calls that wait for the host are saved and
//! their workers given to others; nobody notices but by the time it takes.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use weaver_core::Hash;

use self::state::{Evicted, Found, Main, Modules, Round, State, Waiter};
use crate::lease::{Lease, Module, Parked, Place, Role};
use crate::pool::{PoolOptions, lock};
use crate::process::{Spawner, Worker};
use crate::protocol::{self, Reply, request};

/// A session waits this long for each worker that it keeps busy before it gets
/// one more; about what making a module takes.
const GROWTH_DELAY: Duration = Duration::from_millis(4);
/// The same beyond one worker a processor, where more of them only help calls
/// that are slower than others.
const OVERGROWTH_DELAY: Duration = Duration::from_millis(40);
/// A spare worker is started this long after the last was taken, so that short
/// runs do not pay for it.
const REFILL_DELAY: Duration = Duration::from_millis(50);

/// Hands out workers.
pub(crate) struct Desk {
    state: Mutex<State>,
    pub(crate) spawner: Spawner,
    runtime: Handle,
    spare: usize,
    processors: usize,
    patience: Duration,
}

/// The right to one process.
pub(crate) struct Seat {
    desk: Weak<Desk>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.state().seats += 1;
            desk.dispatch();
        }
    }
}

impl Desk {
    pub(crate) fn new(options: &PoolOptions) -> Arc<Self> {
        let seats = options.max_workers.max(1);
        Arc::new(Desk {
            state: Mutex::new(State { seats, ..State::default() }),
            spawner: Spawner::new(options),
            runtime: Handle::current(),
            spare: options.spare,
            processors: std::thread::available_parallelism().map_or(2, usize::from),
            patience: options.grace,
        })
    }

    /// A number for a session. Sessions of one `program` may use each other's modules.
    pub(crate) fn admit(&self, program: Option<Hash>) -> u64 {
        let mut state = self.state();
        let id = state.tick();
        let grown = Instant::now();
        let modules = Modules { main: Main::Nowhere, computing: 0, waiting: 0, program, grown };
        state.sessions.insert(id, modules);
        id
    }

    /// The session is over.
    pub(crate) fn dismiss(self: &Arc<Self>, session: u64) {
        let mut state = self.state();
        let modules = state.sessions.remove(&session);
        for worker in state.used.iter_mut().filter(|worker| worker.holds == Some(session)) {
            worker.holds = None;
        }
        if let Some(Modules { main: Main::Idle(worker, at), .. }) = modules {
            state.idle.remove(&at);
            drop(state);
            self.shelve(*worker);
        }
    }

    /// A worker for a call of a session, with its module where one is free.
    pub(crate) async fn module(self: &Arc<Self>, session: u64, tenant: Arc<str>) -> Lease {
        self.wait(Some(session), tenant).await
    }

    /// A worker that no other tenant has used. Whatever it ran before, its next
    /// request must be to load or restore a module.
    pub(crate) async fn bare(self: &Arc<Self>, tenant: Arc<str>) -> Lease {
        self.wait(None, tenant).await
    }

    async fn wait(self: &Arc<Self>, session: Option<u64>, tenant: Arc<str>) -> Lease {
        let (grant, granted) = oneshot::channel();
        self.state().enqueue(Waiter { tenant, session, grant });
        self.dispatch();
        granted.await.expect("the desk lives as long as those who wait at it")
    }

    /// Takes back a worker that runs nothing that is still wanted.
    pub(crate) fn shelve(self: &Arc<Self>, worker: Worker) {
        let surplus = self.state().shelve(worker);
        drop(surplus);
        self.dispatch();
    }

    /// A call gives back what it had.
    pub(crate) fn give_back(
        self: &Arc<Self>,
        session: u64,
        role: Role,
        module: Module,
        worker: Option<Worker>,
        computed: bool,
    ) {
        let mut state = self.state();
        let Some(modules) = state.sessions.get_mut(&session) else { return };
        modules.computing -= usize::from(computed);
        let mut ended = None;
        match (role, module, worker) {
            (Role::Main, Module::Live, Some(worker)) => {
                let at = state.tick();
                state.idle.insert(at, session);
                state.put_main(session, Main::Idle(Box::new(worker), at));
            }
            (Role::Main, Module::Saved(saved), worker) => {
                state.put_main(session, Main::Saved(saved));
                ended = worker;
            }
            (Role::Main, _, worker) => {
                state.put_main(session, Main::Nowhere);
                ended = worker;
            }
            (_, Module::Live, Some(mut worker)) => {
                worker.holds = Some(session);
                ended = state.shelve(worker);
            }
            (_, _, worker) => ended = worker,
        }
        let waited_for = !state.queue.is_empty();
        drop(state);
        drop(ended);
        if waited_for {
            self.dispatch();
        }
    }

    /// A call waits for the host: from now on its worker may be taken from it.
    pub(crate) fn park(self: &Arc<Self>, session: u64, cell: &Arc<Parked>, worker: Worker) -> u64 {
        cell.put(Place::Here(Box::new(worker)));
        let mut state = self.state();
        let at = state.tick();
        state.parked.insert(at, (Instant::now(), Arc::downgrade(cell)));
        state.compute(session, false);
        let waited_for = !state.queue.is_empty();
        drop(state);
        if waited_for {
            self.dispatch();
        }
        at
    }

    /// The call goes on, or is over when it does not compute.
    pub(crate) fn unpark(&self, session: u64, at: u64, computes: bool) {
        let mut state = self.state();
        state.parked.remove(&at);
        if computes {
            state.compute(session, true);
        }
    }

    /// Serves those who wait as far as possible.
    fn dispatch(self: &Arc<Self>) {
        let mut round = Round::default();
        let mut state = self.state();
        self.look(&mut state, &mut round);
        let sooner = round.due.filter(|due| state.due.is_none_or(|other| *due < other));
        state.due = sooner.or(state.due);
        drop(state);
        if let Some(due) = sooner {
            self.look_again(due);
        }
        for (worker, evicted) in round.evictions {
            self.evict(worker, evicted);
        }
        if !round.grants.is_empty() {
            self.refill_after(REFILL_DELAY);
        }
        // Who no longer wants its grant gives it back by dropping it.
        round.grants.into_iter().for_each(|(to, lease)| drop(to.send(lease)));
        drop(round.ended);
    }

    /// Goes through the queue in its order.
    fn look(self: &Arc<Self>, state: &mut State, round: &mut Round) {
        let now = Instant::now();
        let mut underway = state.evicting;
        let mut starting = state.starting;
        let mut exhausted = false;
        // Sessions that wait for their own workers, and how many calls need not be
        // looked at for that reason or were looked at in vain.
        let mut patient: Vec<u64> = Vec::new();
        let mut settled = 0;
        let mut at = 0;
        while at < state.queue.len() && settled < state.queue.len() {
            let waiter = &state.queue[at];
            if waiter.grant.is_closed() {
                state.dequeue(at);
                continue;
            }
            let session = waiter.session;
            if session.is_some_and(|session| patient.contains(&session)) {
                at += 1;
                continue;
            }
            let tenant = waiter.tenant.clone();
            let lease = if let Some((worker, role)) = session.and_then(|id| state.live(id, &tenant))
            {
                Lease::new(self, session, role, Some(worker), None, Module::Live)
            } else if let Some(id) = session
                && let Some(due) = self.may_grow(state, id, now)
            {
                round.due = round.due.into_iter().chain([due]).min();
                patient.push(id);
                settled += state.sessions.get(&id).map_or(0, |modules| modules.waiting);
                continue;
            } else {
                let found = match exhausted {
                    true => Found::Soon,
                    false => state.clean(&tenant, &mut starting),
                };
                match found {
                    Found::Soon => {}
                    Found::Nothing if underway > 0 => underway -= 1,
                    Found::Nothing => exhausted = !state.free_one(round, now),
                    found => {
                        let lease = self.clean_lease(state, session, found, now);
                        round.grants.extend(state.dequeue(at).map(|waiter| (waiter.grant, lease)));
                        continue;
                    }
                }
                settled += 1;
                at += 1;
                continue;
            };
            round.grants.extend(state.dequeue(at).map(|waiter| (waiter.grant, lease)));
        }
    }

    /// Nothing when the session may have one more worker, else when it may.
    fn may_grow(&self, state: &State, session: u64, now: Instant) -> Option<Instant> {
        let modules = state.sessions.get(&session)?;
        if matches!(modules.main, Main::Saving) {
            // Comes back by itself.
            return Some(now + GROWTH_DELAY);
        }
        let step =
            if modules.computing < self.processors { GROWTH_DELAY } else { OVERGROWTH_DELAY };
        let due = modules.grown + step * u32::try_from(modules.computing).unwrap_or(u32::MAX);
        (modules.computing > 0 && due > now).then_some(due)
    }

    /// A lease of a worker that has not the module.
    fn clean_lease(
        self: &Arc<Self>,
        state: &mut State,
        session: Option<u64>,
        found: Found,
        now: Instant,
    ) -> Lease {
        let (worker, seat) = match found {
            Found::Worker(worker) => (Some(*worker), None),
            _ => (None, Some(Seat { desk: Arc::downgrade(self) })),
        };
        let Some(modules) = session.and_then(|session| state.sessions.get_mut(&session)) else {
            return Lease::new(self, None, Role::Bare, worker, seat, Module::New);
        };
        modules.grown = now;
        modules.computing += 1;
        let (role, module) = match std::mem::replace(&mut modules.main, Main::InUse) {
            Main::Nowhere => (Role::Main, Module::New),
            Main::Saved(saved) => (Role::Main, Module::Saved(saved)),
            other => {
                modules.main = other;
                (Role::Copy, Module::New)
            }
        };
        Lease::new(self, session, role, worker, seat, module)
    }

    /// Looks at the queue again at a moment.
    fn look_again(self: &Arc<Self>, due: Instant) {
        let desk = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            if let Some(desk) = desk.upgrade() {
                desk.state().due.take_if(|other| *other <= due);
                desk.dispatch();
            }
        });
    }

    /// Saves what a worker holds and gives it to others. In a task of its own: who
    /// waits for the worker may go away in the middle.
    fn evict(self: &Arc<Self>, mut worker: Worker, evicted: Evicted) {
        let desk = self.clone();
        self.runtime.spawn(async move {
            let save = async {
                worker.send(&protocol::plain(request::SAVE)).await.ok()?;
                match worker.receive().await.ok()? {
                    Reply::State(state) => Some(state),
                    _ => None,
                }
            };
            let saved = tokio::time::timeout(desk.patience, save).await.ok().flatten();
            let well = saved.is_some();
            match evicted {
                Evicted::Session(session) => {
                    let main = saved.map_or(Main::Nowhere, Main::Saved);
                    desk.state().put_main(session, main);
                }
                Evicted::Call(cell) => {
                    worker.reusable = None;
                    cell.put(saved.map_or(Place::Lost, Place::Saved));
                }
            }
            desk.state().evicting -= 1;
            match well {
                true => desk.shelve(worker),
                false => {
                    drop(worker);
                    desk.dispatch();
                }
            }
        });
    }

    /// Starts spare workers in the background: the first at once.
    pub(crate) fn start_spare(self: &Arc<Self>) {
        self.refill_after(Duration::ZERO);
    }

    fn refill_after(self: &Arc<Self>, delay: Duration) {
        {
            let mut state = self.state();
            if state.refilling || state.fresh.len() >= self.spare {
                return;
            }
            state.refilling = true;
        }
        let desk = Arc::downgrade(self);
        self.runtime.spawn(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            while let Some(desk) = desk.upgrade() {
                let Some(seat) = desk.spare_seat() else { break };
                let started = Worker::start(&desk.spawner, seat, true).await;
                let mut state = desk.state();
                state.starting -= 1;
                match started {
                    Ok(worker) => state.fresh.push(worker),
                    Err(error) => {
                        // Who needs one tries it again and hears why not.
                        state.refilling = false;
                        drop(state);
                        tracing::warn!(%error, "no spare interpreter process");
                        return desk.dispatch();
                    }
                }
                drop(state);
                desk.dispatch();
            }
            if let Some(desk) = desk.upgrade() {
                desk.state().refilling = false;
            }
        });
    }

    /// A seat for a spare worker, where one is wanted and nobody waits for it.
    fn spare_seat(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.state();
        let wanted = state.fresh.len() < self.spare && state.seats > 0;
        wanted.then(|| {
            state.seats -= 1;
            state.starting += 1;
            Seat { desk: Arc::downgrade(self) }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
