//! [`Taker`]: who works on an execution as soon as it is queued.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weaver_core::Timestamp;

use super::rows::{Answer, Row, Rows};
use super::work::Claim;

/// Somebody with a free slot, who claims what is queued in the very batch that queues
/// it: that saves the claim. It is theirs only if nothing holds it back; with a limit in
/// its way, or before its time, it is queued like any other.
///
/// It goes past the order of the queue, so it is for who has seen that nothing waits.
/// What is taken like that waits for nobody and is not counted in its tenant's share.
#[derive(Clone, Debug)]
pub struct Taker {
    owner: Arc<str>,
    lease: Duration,
    claim: Arc<Mutex<Option<Claim>>>,
}

impl Taker {
    /// A process of this name, for so long unless it is renewed.
    pub fn new(owner: Arc<str>, lease: Duration) -> Self {
        Taker { owner, lease, claim: Arc::default() }
    }

    /// What was claimed. To be asked once the batch is on disk.
    pub fn claim(&self) -> Option<Claim> {
        self.taken().take()
    }

    /// Leases a row that may be worked on at once.
    pub(super) async fn take<R: Rows>(
        &self,
        rows: &mut R,
        row: &mut Row,
        now: Timestamp,
    ) -> Answer<(), R::Error> {
        // On disk with the batch, or never: no claim that was lost had this fence.
        row.lease_to(&self.owner, now.after(self.lease), 1);
        match row.key.is_execution() {
            true => rows.put_leased(row).await?,
            false => rows.put(row).await?,
        }
        *self.taken() = Some(row.clone().into_claim());
        Ok(())
    }

    /// The batch is tried, perhaps not for the first time.
    pub(super) fn tried(&self) {
        *self.taken() = None;
    }

    fn taken(&self) -> MutexGuard<'_, Option<Claim>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same wish; what came of it is not part of that.
impl PartialEq for Taker {
    fn eq(&self, other: &Self) -> bool {
        (&self.owner, self.lease) == (&other.owner, other.lease)
    }
}

impl Eq for Taker {}
