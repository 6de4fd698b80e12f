//! [`Purses`]: the money of a day or a month, taken in chunks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use uuid::Uuid;
use weaver_core::Timestamp;
use weaver_runtime::now;
use weaver_store::{BudgetKey, Error, ExecutionId, Reservation, Reserved, Store, TenantId};

use super::{Refused, Result, day_of};

/// A day or a month, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    word: &'static str,
    /// The first day, since 1970.
    first: u32,
    /// The first day after it.
    end: u32,
}

/// The purses of all tenants.
pub struct Purses {
    store: Store,
    holder: ExecutionId,
    /// Greater after each start.
    fence: u64,
    purses: Mutex<HashMap<(TenantId, Period), Arc<Purse>>>,
}

/// The money of one period of one tenant.
struct Purse {
    key: BudgetKey,
    /// Held by who goes to the store for more, with the limit that was last set there.
    drawing: tokio::sync::Mutex<Option<u64>>,
    chunks: Mutex<Vec<Chunk>>,
}

/// Money that is set aside in the store.
struct Chunk {
    reservation: Reservation,
    free: u64,
    spent: u64,
    /// Calls that are under way.
    open: u32,
}

/// What was taken for one call. Dropped without [`Held::spent`] it counts as spent.
pub struct Held {
    purse: Arc<Purse>,
    chunk: Uuid,
    amount: u64,
    spent: u64,
}

/// A chunk is this part of the limit: it is what a crash may leave unconfirmed.
const CHUNKS: u64 = 200;

impl Period {
    /// The day of a moment.
    pub fn day(time: Timestamp) -> Self {
        let first = day_of(time);
        Period { word: "day", first, end: first + 1 }
    }

    /// The month of a moment.
    pub fn month(time: Timestamp) -> Self {
        let today = day_of(time);
        let date = time.to_rfc3339();
        let month =
            |day: u32| Timestamp(i64::from(day) * 86_400_000_000).to_rfc3339()[..7].to_string();
        let day_of_month: u32 = date[8..10].parse().unwrap_or(1);
        let first = today + 1 - day_of_month;
        let end = (first + 28..first + 32).find(|day| month(*day) != date[..7]);
        Period { word: "month", first, end: end.unwrap_or(first + 31) }
    }

    /// Its budget in the store.
    pub fn key(&self, tenant: TenantId) -> BudgetKey {
        BudgetKey::named(tenant, &format!("gateway {} {}", self.word, self.first))
    }

    fn next(&self) -> Duration {
        let end = i64::from(self.end) * 86_400_000_000;
        Duration::from_micros(u64::try_from(end - now().0).unwrap_or(0))
    }
}

impl Purses {
    pub fn new(store: Store, holder: &str) -> Self {
        let fence = u64::try_from(now().0).unwrap_or(0);
        let holder = BudgetKey::named(TenantId::LOCAL, &format!("gateway holder {holder}")).root;
        Purses { store, holder, fence, purses: Mutex::default() }
    }

    /// Takes the most that a call can cost.
    pub async fn take(
        &self,
        tenant: TenantId,
        period: Period,
        limit: u64,
        amount: u64,
    ) -> Result<Held> {
        let purse = self.purse(tenant, period);
        if *purse.drawing.lock().await == Some(limit)
            && let Some(held) = purse.take(amount)
        {
            return Ok(held);
        }
        let mut drawn = purse.drawing.lock().await;
        self.set_limit(&purse, &mut drawn, limit).await?;
        // Somebody else may have fetched more meanwhile.
        if let Some(held) = purse.take(amount) {
            return Ok(held);
        }
        self.settle_quiet(&purse).await?;
        for wanted in [amount.max(limit / CHUNKS), amount] {
            match self.draw(&purse, wanted).await? {
                Reserved::Granted => {
                    let held = purse.take(amount);
                    return Ok(held.expect("nobody else takes while more is fetched"));
                }
                Reserved::Exceeded { left_micros } if wanted == amount => {
                    return Err(Refused::Money {
                        cost_micros: amount,
                        left_micros,
                        period: period.word,
                        next: period.next(),
                    });
                }
                Reserved::Exceeded { .. } => {}
            }
        }
        unreachable!("the last of the two is granted or refused")
    }

    /// Settles all chunks that no call is under way with, and forgets periods that are over.
    pub async fn settle(&self) -> weaver_store::Result<()> {
        let all: Vec<_> = self.lock().iter().map(|(key, purse)| (*key, purse.clone())).collect();
        for (key, purse) in all {
            let _drawing = purse.drawing.lock().await;
            self.settle_quiet(&purse).await?;
            if key.1.end < day_of(now()) && purse.lock().is_empty() {
                self.lock().remove(&key);
            }
        }
        Ok(())
    }

    /// The limit is in the store, and what an earlier start of this server had set aside
    /// counts as spent.
    async fn set_limit(
        &self,
        purse: &Purse,
        drawn: &mut Option<u64>,
        limit: u64,
    ) -> weaver_store::Result<()> {
        if *drawn == Some(limit) {
            return Ok(());
        }
        let queue = self.store.queue();
        queue.set_budget(purse.key, limit).await?;
        if drawn.is_none() {
            let lost = queue.abandon_reservations(purse.key, self.holder, self.fence).await?;
            if lost > 0 {
                tracing::warn!(lost, "nobody knows what calls before the last start have cost");
            }
        }
        *drawn = Some(limit);
        Ok(())
    }

    async fn draw(&self, purse: &Purse, amount_micros: u64) -> weaver_store::Result<Reserved> {
        let reservation = Reservation {
            budget: purse.key,
            id: Uuid::now_v7(),
            execution: self.holder,
            fence: self.fence,
            amount_micros,
        };
        let mut reserved = self.store.queue().reserve(reservation).await;
        if matches!(reserved, Err(Error::UnknownCommit { .. })) {
            // It has a name: if it is there already, this is the same one.
            reserved = self.store.queue().reserve(reservation).await;
        }
        let reserved = reserved?;
        if reserved == Reserved::Granted {
            purse.lock().push(Chunk { reservation, free: amount_micros, spent: 0, open: 0 });
        }
        Ok(reserved)
    }

    /// Only with [`Purse::drawing`] held.
    async fn settle_quiet(&self, purse: &Purse) -> weaver_store::Result<()> {
        let quiet: Vec<Chunk> = {
            let mut chunks = purse.lock();
            chunks.extract_if(.., |chunk| chunk.open == 0).collect()
        };
        for chunk in quiet {
            let settled = self.store.queue().settle(chunk.reservation, chunk.spent).await;
            if let Err(error) = settled {
                purse.lock().push(chunk);
                return Err(error);
            }
        }
        Ok(())
    }

    fn purse(&self, tenant: TenantId, period: Period) -> Arc<Purse> {
        let mut purses = self.lock();
        let purse = purses.entry((tenant, period)).or_insert_with(|| {
            Arc::new(Purse {
                key: period.key(tenant),
                drawing: tokio::sync::Mutex::default(),
                chunks: Mutex::default(),
            })
        });
        purse.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, Period), Arc<Purse>>> {
        self.purses.lock().expect("nothing panics while it is held")
    }
}

impl Purse {
    fn take(self: &Arc<Self>, amount: u64) -> Option<Held> {
        let mut chunks = self.lock();
        let chunk = chunks.iter_mut().find(|chunk| chunk.free >= amount)?;
        chunk.free -= amount;
        chunk.open += 1;
        let chunk = chunk.reservation.id;
        Some(Held { purse: self.clone(), chunk, amount, spent: amount })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Chunk>> {
        self.chunks.lock().expect("nothing panics while it is held")
    }
}

impl Held {
    /// What the call has cost.
    pub fn spent(mut self, micros: u64) {
        self.spent = micros;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut chunks = self.purse.lock();
        let own = chunks.iter_mut().find(|chunk| chunk.reservation.id == self.chunk);
        let chunk = own.expect("a chunk stays while a call is under way with it");
        // A call that cost more than it could takes from the others' share.
        let back = self.amount.saturating_sub(self.spent);
        let over = self.spent.saturating_sub(self.amount);
        chunk.free = (chunk.free + back).saturating_sub(over);
        chunk.spent = chunk.spent.saturating_add(self.spent);
        chunk.open -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1000;

    fn today() -> Period {
        Period::day(now())
    }

    async fn take(purses: &Purses, amount: u64) -> Result<Held> {
        purses.take(TenantId::LOCAL, today(), LIMIT, amount).await
    }

    async fn budget(store: &Store) -> weaver_store::Budget {
        store.queue().budget(today().key(TenantId::LOCAL)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn no_more_is_taken_than_there_is_and_all_is_settled() {
        let store = Store::in_memory();
        let purses = Purses::new(store.clone(), "a");
        let first = take(&purses, 600).await.unwrap();
        let Err(Refused::Money { left_micros: 400, .. }) = take(&purses, 401).await else {
            panic!("401 of 400");
        };
        let second = take(&purses, 400).await.unwrap();
        first.spent(10);
        // What the first gave back is there for others, though the chunk was larger.
        let third = take(&purses, 590).await.unwrap();
        third.spent(1);
        drop(second);
        purses.settle().await.unwrap();
        let found = budget(&store).await;
        assert_eq!((found.settled_micros, found.reserved_micros), (411, 0));
        let small: Vec<_> = {
            let mut all = Vec::new();
            for _ in 0..5 {
                all.push(take(&purses, 1).await.unwrap());
            }
            all
        };
        assert_eq!(budget(&store).await.reserved_micros, 5, "one chunk is enough for all");
        small.into_iter().for_each(|held| held.spent(0));
    }

    #[tokio::test]
    async fn what_a_dead_server_had_set_aside_counts_as_spent() {
        let store = Store::in_memory();
        let dead = Purses::new(store.clone(), "a");
        std::mem::forget(take(&dead, 300).await.unwrap());
        let mut next = Purses::new(store.clone(), "a");
        next.fence = dead.fence + 1;
        take(&next, 600).await.unwrap().spent(1);
        next.settle().await.unwrap();
        let found = budget(&store).await;
        assert_eq!((found.settled_micros, found.unconfirmed_micros), (301, 300));
        assert_eq!(found.reserved_micros, 0);
    }

    #[tokio::test]
    async fn many_at_once_never_pass_the_limit() {
        let store = Store::in_memory();
        let purses = Arc::new(Purses::new(store.clone(), "a"));
        let calls = (0..200).map(|n| {
            let purses = purses.clone();
            tokio::spawn(async move {
                let Ok(held) = take(&purses, 20).await else { return 0 };
                tokio::task::yield_now().await;
                let cost = n % 21;
                held.spent(cost);
                cost
            })
        });
        let mut spent = 0;
        for call in calls.collect::<Vec<_>>() {
            spent += call.await.unwrap();
        }
        purses.settle().await.unwrap();
        let found = budget(&store).await;
        assert_eq!((found.settled_micros, found.reserved_micros), (spent, 0));
        assert!(spent <= LIMIT, "{spent}");
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let month = |text: &str| {
            let time: weaver_api::Time = text.parse().unwrap();
            let period = Period::month(time.0);
            (period.end - period.first, period)
        };
        assert_eq!(month("2028-02-29T23:59:59Z").0, 29);
        assert_eq!(month("2027-02-01T00:00:00Z").0, 28);
        assert_eq!(month("2027-12-31T12:00:00Z").0, 31);
        assert_eq!(month("2027-04-01T00:00:00Z").1, month("2027-04-30T23:00:00Z").1);
    }
}
