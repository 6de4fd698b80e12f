//! [`Seats`]: the free slots of a scheduler, for those who submit in the same process.
//!
//! What is submitted while nothing waits and a slot is free is claimed by the batch that
//! queues it, and driven from what is known then: no claim, and no read.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use weaver_store::{Accepted, Claim, Standing, Store, Submission, Taker};

/// Where those who submit find out whether a scheduler in their process has room. None has
/// until one that was given them runs.
#[derive(Clone, Default)]
pub struct Seats(Arc<Mutex<Room>>);

#[derive(Default)]
struct Room {
    desk: Option<Desk>,
    /// How many seats there are.
    free: usize,
    /// How many of them are promised.
    promised: usize,
}

/// Whose seats they are.
#[derive(Clone)]
struct Desk {
    owner: Arc<str>,
    lease: Duration,
    taken: UnboundedSender<Taken>,
}

/// An execution that its submitter has claimed for the scheduler.
pub(super) struct Taken {
    pub(super) claim: Claim,
    /// How it stands, if that needs no look into the store.
    pub(super) standing: Option<Standing>,
    /// Before its lease began.
    pub(super) asked: Instant,
    /// Kept until it counts among what runs.
    pub(super) seat: Seat,
}

/// A slot that is kept free for what is about to be submitted.
pub(super) struct Seat {
    seats: Seats,
    desk: Desk,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.room().promised -= 1;
    }
}

impl Seats {
    /// They are a scheduler's from now on. None is free until [`Seats::offer`] says so.
    pub(super) fn open(&self, owner: Arc<str>, lease: Duration) -> UnboundedReceiver<Taken> {
        let (taken, receiver) = unbounded_channel();
        self.room().desk = Some(Desk { owner, lease, taken });
        receiver
    }

    /// So many are free, those that are promised among them.
    pub(super) fn offer(&self, free: usize) {
        self.room().free = free;
    }

    /// No more are promised. Gives how many are.
    pub(super) fn withhold(&self) -> usize {
        let mut room = self.room();
        room.free = 0;
        room.promised
    }

    /// Submits something, and has it driven at once where there is a seat for it.
    /// `on_new_thread` says that nothing of its thread is in the store.
    pub(crate) async fn submit(
        &self,
        store: &Store,
        submission: Submission,
        on_new_thread: bool,
    ) -> weaver_store::Result<Accepted> {
        let Some(seat) = self.reserve() else { return store.submit(submission).await };
        // A caller who goes away must not leave what was claimed to nobody.
        let submitting = tokio::spawn(seat.submit(store.clone(), submission, on_new_thread));
        submitting.await.unwrap_or(Err(weaver_store::Error::Closed))
    }

    fn reserve(&self) -> Option<Seat> {
        let mut room = self.room();
        let desk = room.desk.clone().filter(|_| room.promised < room.free)?;
        room.promised += 1;
        Some(Seat { seats: self.clone(), desk })
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().expect("nobody panics while it is held")
    }
}

impl Seat {
    async fn submit(
        self,
        store: Store,
        mut submission: Submission,
        on_new_thread: bool,
    ) -> weaver_store::Result<Accepted> {
        let asked = Instant::now();
        let Desk { owner, lease, taken } = self.desk.clone();
        let taker = Taker::new(owner.clone(), lease);
        submission.enqueue.taker = Some(taker.clone());
        let standing = on_new_thread.then(|| Standing::of_new(submission.execution.clone()));
        let accepted = store.submit(submission).await?;
        if let Some(claim) = taker.claim().filter(|_| accepted == Accepted::New) {
            let held = vec![(claim.key.clone(), claim.fence)];
            if taken.send(Taken { claim, standing, asked, seat: self }).is_err() {
                // Nobody drives here any more. What cannot be handed back now is free when
                // its lease is over.
                drop(store.queue().release(owner, held).await);
            }
        }
        Ok(accepted)
    }
}
