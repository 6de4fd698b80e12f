//! [`Lease`]: a call's hold on a worker; [`Parked`]: where the worker of a call
//! is that waits for the host.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::desk::{Desk, Seat};
use crate::pool::{PoolError, lock};
use crate::process::Worker;

/// What a call holds. Dropping it gives back whatever is still good.
pub(crate) struct Lease {
    desk: Arc<Desk>,
    session: Option<u64>,
    role: Role,
    /// The worker, unless it has still to be started, or is parked.
    pub(crate) worker: Option<Worker>,
    seat: Option<Seat>,
    /// What the worker has or is to get.
    pub(crate) module: Module,
    /// Whether it counts as one that computes.
    computes: bool,
}

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The session's own module.
    Main,
    /// A copy of it, for a call beside another.
    Copy,
    /// No module.
    Bare,
}

/// The state of the module in a worker.
#[derive(Default)]
pub(crate) enum Module {
    /// It is there and waits for a call.
    Live,
    /// It was saved.
    Saved(Vec<u8>),
    /// It has to be made.
    New,
    /// It runs, or is broken.
    #[default]
    Dirty,
}

impl Lease {
    pub(crate) fn new(
        desk: &Arc<Desk>,
        session: Option<u64>,
        role: Role,
        worker: Option<Worker>,
        seat: Option<Seat>,
        module: Module,
    ) -> Self {
        let (desk, computes) = (desk.clone(), session.is_some());
        Lease { desk, session, role, worker, seat, module, computes }
    }

    /// Starts the worker if there is none yet. False when there never will be: an
    /// earlier start was cut off.
    pub(crate) async fn start(&mut self, tenant: &str, prepared: bool) -> Result<bool, PoolError> {
        if self.worker.is_none() {
            let Some(seat) = self.seat.take() else { return Ok(false) };
            let mut worker = Worker::start(&self.desk.spawner, seat, prepared).await?;
            worker.tenant = Some(tenant.to_owned());
            self.worker = Some(worker);
        }
        Ok(true)
    }

    /// Lets the worker go while the call waits for the host; a key for [`Lease::unpark`].
    pub(crate) fn park(&mut self, cell: &Arc<Parked>) -> Option<u64> {
        let (session, worker) = (self.session?, self.worker.take()?);
        self.computes = false;
        Some(self.desk.park(session, cell, worker))
    }

    /// The call goes on in a worker.
    pub(crate) fn unpark(&mut self, at: u64, worker: Worker) {
        if let Some(session) = self.session {
            self.desk.unpark(session, at, true);
            self.computes = true;
        }
        self.worker = Some(worker);
    }

    /// The call is over while it waits for the host.
    pub(crate) fn abandon(&mut self, at: u64, cell: &Parked) {
        if let Some(session) = self.session {
            self.desk.unpark(session, at, false);
        }
        if let Place::Here(mut worker) = cell.take() {
            worker.reusable = None;
            self.desk.shelve(*worker);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (worker, module) = (self.worker.take(), std::mem::take(&mut self.module));
        if let Some(session) = self.session {
            self.desk.give_back(session, self.role, module, worker, self.computes);
        }
    }
}

/// The worker of a call that waits for the host, or what it has been saved as.
#[derive(Default)]
pub(crate) struct Parked {
    place: Mutex<Place>,
    changed: Notify,
}

/// Where a waiting call is.
#[derive(Default)]
pub(crate) enum Place {
    /// With the call itself.
    #[default]
    Away,
    /// In its worker.
    Here(Box<Worker>),
    /// On its way out of the worker.
    Saving,
    /// Without a worker.
    Saved(Vec<u8>),
    /// Its worker died.
    Lost,
}

impl Parked {
    pub(crate) fn put(&self, place: Place) {
        *lock(&self.place) = place;
        self.changed.notify_waiters();
    }

    /// Takes what is there; what is on its way stays.
    pub(crate) fn take(&self) -> Place {
        let mut place = lock(&self.place);
        match &*place {
            Place::Saving => Place::Saving,
            _ => std::mem::take(&mut *place),
        }
    }

    /// The same, when nothing is on its way.
    pub(crate) async fn settled(&self) -> Place {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.take() {
                Place::Saving => changed.await,
                place => return place,
            }
        }
    }

    /// Takes the worker away for saving.
    pub(crate) fn start_saving(&self) -> Option<Worker> {
        let mut place = lock(&self.place);
        match std::mem::replace(&mut *place, Place::Saving) {
            Place::Here(worker) => Some(*worker),
            other => {
                *place = other;
                None
            }
        }
    }

    /// The id of the worker process.
    pub(crate) fn process_id(&self) -> Option<u32> {
        match &*lock(&self.place) {
            Place::Here(worker) => worker.id(),
            _ => None,
        }
    }
}
