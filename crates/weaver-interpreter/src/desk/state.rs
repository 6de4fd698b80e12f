//! What the desk knows, and the moves that need no waiting.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use weaver_core::Hash;

use crate::lease::{Lease, Parked, Role};
use crate::process::Worker;

/// A call is not evicted before it has waited this long for the host: many host
/// calls are answered at once.
const EVICTION_AGE: Duration = Duration::from_millis(5);
/// Workers kept without a call or a session's own module.
const USED_KEPT: usize = 4;

#[derive(Default)]
pub(super) struct State {
    /// Processes that may still be started.
    pub(super) seats: usize,
    /// Workers never used.
    pub(super) fresh: Vec<Worker>,
    /// Workers that run nothing; only for the same tenant.
    pub(super) used: Vec<Worker>,
    pub(super) sessions: HashMap<u64, Modules>,
    /// Sessions whose own module idles in a worker, longest first.
    pub(super) idle: BTreeMap<u64, u64>,
    /// Calls that wait for the host, longest first.
    pub(super) parked: BTreeMap<u64, (Instant, Weak<Parked>)>,
    pub(super) queue: VecDeque<Waiter>,
    /// Numbers sessions, and moments in `idle` and `parked`.
    pub(super) last: u64,
    /// Workers that are being freed.
    pub(super) evicting: usize,
    /// Spare workers that are being started.
    pub(super) starting: usize,
    /// When the queue will be looked at again without a cause.
    pub(super) due: Option<Instant>,
    pub(super) refilling: bool,
}

/// The workers of one session.
pub(super) struct Modules {
    pub(super) main: Main,
    /// Calls that compute in a worker.
    pub(super) computing: usize,
    /// Calls in the queue.
    pub(super) waiting: usize,
    /// Its program, where a module of it that others have used is as good as a new one.
    pub(super) program: Option<Hash>,
    /// When the session last got a worker that had to make its module.
    pub(super) grown: Instant,
}

/// Where the session's own module is: the one that calls made one after another share.
pub(super) enum Main {
    Nowhere,
    InUse,
    /// In a worker; its key in `idle`.
    Idle(Box<Worker>, u64),
    Saving,
    Saved(Vec<u8>),
}

pub(super) struct Waiter {
    pub(super) tenant: Arc<str>,
    /// Whose module is wanted; nothing: just a worker.
    pub(super) session: Option<u64>,
    pub(super) grant: oneshot::Sender<Lease>,
}

/// What a look at the queue has found. All of it is carried out, and dropped,
/// when the state is unlocked again: ends of workers come back to the desk.
#[derive(Default)]
pub(super) struct Round {
    pub(super) grants: Vec<(oneshot::Sender<Lease>, Lease)>,
    pub(super) ended: Vec<Worker>,
    pub(super) evictions: Vec<(Worker, Evicted)>,
    /// When waiting alone changes something.
    pub(super) due: Option<Instant>,
}

pub(super) enum Evicted {
    Session(u64),
    Call(Arc<Parked>),
}

pub(super) enum Found {
    Worker(Box<Worker>),
    Seat,
    /// A spare worker is being started: it will be there sooner than a new one.
    Soon,
    Nothing,
}

impl State {
    pub(super) fn tick(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn enqueue(&mut self, waiter: Waiter) {
        self.count(waiter.session, |waiting| waiting + 1);
        self.queue.push_back(waiter);
    }

    pub(super) fn dequeue(&mut self, at: usize) -> Option<Waiter> {
        let waiter = self.queue.remove(at)?;
        self.count(waiter.session, |waiting| waiting - 1);
        Some(waiter)
    }

    pub(super) fn count(&mut self, session: Option<u64>, change: impl Fn(usize) -> usize) {
        if let Some(modules) = session.and_then(|session| self.sessions.get_mut(&session)) {
            modules.waiting = change(modules.waiting);
        }
    }

    pub(super) fn put_main(&mut self, session: u64, main: Main) {
        if let Some(modules) = self.sessions.get_mut(&session) {
            modules.main = main;
        }
    }

    pub(super) fn compute(&mut self, session: u64, starts: bool) {
        if let Some(modules) = self.sessions.get_mut(&session) {
            match starts {
                true => modules.computing += 1,
                false => modules.computing -= 1,
            }
        }
    }

    /// Keeps a worker; gives back the one that is too many.
    #[must_use]
    pub(super) fn shelve(&mut self, worker: Worker) -> Option<Worker> {
        self.used.push(worker);
        (self.used.len() > USED_KEPT).then(|| self.used.remove(0))
    }

    /// An idle worker that has the session's module, or one that is as good.
    pub(super) fn live(&mut self, session: u64, tenant: &str) -> Option<(Worker, Role)> {
        let modules = self.sessions.get_mut(&session)?;
        if matches!(modules.main, Main::Idle(..))
            && let Main::Idle(worker, at) = std::mem::replace(&mut modules.main, Main::InUse)
        {
            modules.computing += 1;
            self.idle.remove(&at);
            return Some((*worker, Role::Main));
        }
        let own = self.used.iter().position(|worker| worker.holds == Some(session));
        let same = |worker: &Worker| {
            worker.reusable.is_some()
                && worker.reusable == modules.program
                && worker.tenant.as_deref() == Some(tenant)
        };
        let at = own.or_else(|| self.used.iter().position(same))?;
        modules.computing += 1;
        let role = match modules.main {
            Main::Nowhere => Role::Main,
            _ => Role::Copy,
        };
        if role == Role::Main {
            modules.main = Main::InUse;
        }
        let mut worker = self.used.swap_remove(at);
        // It is in use: should it be freed in the middle, its module is nobody's.
        worker.holds = None;
        Some((worker, role))
    }

    /// A worker that this tenant may have, or the right to start one.
    pub(super) fn clean(&mut self, tenant: &str, starting: &mut usize) -> Found {
        let mine = |worker: &Worker| worker.tenant.as_deref() == Some(tenant);
        let worker = match self.used.iter().position(mine) {
            Some(at) => Some(self.used.swap_remove(at)),
            None => self.fresh.pop(),
        };
        if let Some(mut worker) = worker {
            worker.tenant = Some(tenant.to_owned());
            worker.holds = None;
            worker.reusable = None;
            return Found::Worker(Box::new(worker));
        }
        if *starting > 0 {
            *starting -= 1;
            return Found::Soon;
        }
        if self.seats == 0 {
            return Found::Nothing;
        }
        self.seats -= 1;
        Found::Seat
    }

    /// Makes room for one more worker where nothing computes: ends another
    /// tenant's used worker, or takes that of an idle session or of the call that
    /// has waited longest for the host. False when there is none.
    pub(super) fn free_one(&mut self, round: &mut Round, now: Instant) -> bool {
        if !self.used.is_empty() {
            round.ended.push(self.used.remove(0));
            return true;
        }
        if let Some((_, session)) = self.idle.pop_first()
            && let Some(modules) = self.sessions.get_mut(&session)
            && let Main::Idle(worker, _) = std::mem::replace(&mut modules.main, Main::Saving)
        {
            self.evicting += 1;
            round.evictions.push((*worker, Evicted::Session(session)));
            return true;
        }
        for (since, cell) in self.parked.values() {
            let due = *since + EVICTION_AGE;
            if due > now {
                round.due = round.due.into_iter().chain([due]).min();
                return false;
            }
            if let Some(cell) = cell.upgrade()
                && let Some(worker) = cell.start_saving()
            {
                self.evicting += 1;
                round.evictions.push((worker, Evicted::Call(cell)));
                return true;
            }
        }
        false
    }
}
