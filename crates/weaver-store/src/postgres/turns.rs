//! [`Turns`]: how far the queue has come, as far as this process knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;
use super::pool::Tx;
use crate::Priority;

/// The ranks that this process claimed last, by route and priority. They get into the
/// database shortly after their claims, so that no claim waits for that; until then what
/// is queued here is ranked by these.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<Ranks>>);

type Ranks = HashMap<(Arc<str>, Priority), i64>;

impl Turns {
    /// Notes what was claimed.
    pub(super) fn note(&self, claimed: &[(Arc<str>, Priority, i64)]) {
        let mut ranks = self.lock();
        for (route, priority, rank) in claimed {
            let known = ranks.entry((route.clone(), *priority)).or_insert(*rank);
            *known = (*known).max(*rank);
        }
    }

    /// The later of the database's rank and the one known here.
    pub(super) fn latest(&self, route: &Arc<str>, priority: Priority, stored: i64) -> i64 {
        let known = self.lock().get(&(route.clone(), priority)).copied();
        known.map_or(stored, |known| known.max(stored))
    }

    fn lock(&self) -> MutexGuard<'_, Ranks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the ranks claimed last. It need not be on the disk at once: what is lost of it makes
/// nothing wrong, a tenant's next row only comes a little early.
pub(super) async fn keep(tx: &Tx, claimed: &[(Arc<str>, Priority, i64)]) -> Result<(), Fault> {
    for (route, priority, rank) in claimed {
        tx.execute(
            "INSERT INTO queue_clocks AS c VALUES ($1, $2, $3) ON CONFLICT (route, priority)
                DO UPDATE SET rank = EXCLUDED.rank WHERE c.rank < EXCLUDED.rank",
            &[&&**route, &i64::from(priority.level()), rank],
        )
        .await?;
    }
    Ok(())
}
