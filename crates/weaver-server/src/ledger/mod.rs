//! [`Ledger`]: what clients of the gateway and executions use, and how much clients may.
//!
//! Money is set aside before a call, in chunks, so that a call costs no write to the
//! disk: a chunk is a reservation in the store, calls take from it in memory, and what
//! was spent of it is settled when it is quiet or used up. A server that dies leaves a
//! chunk set aside, and its next start counts it as spent and unconfirmed.
//!
//! Tokens are summed by day, model and size of the prompt, in the buckets that prices
//! are for, so that the past can be priced anew. Sums are written every second; a
//! server that is killed loses what came since.

mod bill;
mod meters;
mod purse;
mod rate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use weaver_api::Usd;
use weaver_llm::{Error, Gateway, ModelRef, Tally, TokenUsage};
use weaver_runtime::now;
use weaver_store::{Budget, Quota, Store, TenantId};

pub use bill::Bill;
use meters::{Counted, Meters};
pub use meters::{Line, day_of};
use purse::{Period, Purses};
pub use rate::Pace;
use rate::Rates;

type Result<T, E = Refused> = std::result::Result<T, E>;

/// What may be used in a period, and at which pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Millionths of a US dollar in a day, UTC.
    pub day_micros: Option<u64>,
    /// The same in a calendar month.
    pub month_micros: Option<u64>,
    /// Calls in a minute.
    pub per_minute: Option<u64>,
}

/// A call that is not made.
#[derive(Debug)]
pub enum Refused {
    /// It may cost more than what is left, in millionths of a US dollar.
    Money {
        /// The most that it can cost.
        cost_micros: u64,
        /// What is left.
        left_micros: u64,
        /// `day` or `month`.
        period: &'static str,
        /// When the next one begins.
        next: Duration,
    },
    /// The store failed.
    Store(weaver_store::Error),
}

/// What all clients of a store use. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

struct Shared {
    store: Store,
    meters: Meters,
    purses: Purses,
    rates: Rates,
    quotas: Mutex<HashMap<TenantId, (Instant, Quotas)>>,
}

/// Another process may change a quota; here it counts after so long.
const KEPT: Duration = Duration::from_secs(5);

/// Sums are written, and quiet chunks settled, so often.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);

const DAY: &str = "gateway_day_micros";
const MONTH: &str = "gateway_month_micros";
const PER_MINUTE: &str = "gateway_calls_per_minute";

impl Ledger {
    /// The ledger of a store. `holder` names this server among those that share it, the
    /// same after each start.
    pub fn new(store: Store, holder: &str) -> Self {
        Ledger(Arc::new(Shared {
            meters: Meters::default(),
            purses: Purses::new(store.clone(), holder),
            rates: Rates::default(),
            quotas: Mutex::default(),
            store,
        }))
    }

    /// Writes sums and settles chunks until `end`, then what is left.
    pub async fn keep(self, end: CancellationToken) {
        loop {
            let ends = tokio::select! {
                () = end.cancelled() => true,
                () = tokio::time::sleep(WRITTEN_EVERY) => false,
            };
            self.write().await;
            if ends {
                return;
            }
        }
    }

    /// Writes what is not on the disk yet.
    pub async fn write(&self) {
        let written = self.0.meters.write(&self.0.store).await;
        let settled = self.0.purses.settle().await;
        if let Err(error) = written.and(settled) {
            tracing::warn!(%error, code = error.code(), "usage is not written yet");
        }
    }

    /// Sets money aside for a call, if the tenant has a budget and the model a price.
    /// Gives what the call may cost with the bill that its cost goes to.
    pub async fn open(
        &self,
        tenant: TenantId,
        gateway: &Gateway,
        model: &ModelRef,
        worst: &TokenUsage,
    ) -> Result<(Bill, Option<u64>)> {
        let quotas = self.quotas(tenant).await?;
        let cost_micros = gateway.cost_micros(model, worst);
        let mut held = Vec::new();
        if let Some(cost_micros) = cost_micros {
            let periods = [
                (quotas.day_micros, Period::day(now())),
                (quotas.month_micros, Period::month(now())),
            ];
            for (limit, period) in periods {
                let Some(limit) = limit else { continue };
                // When the second is refused, the first is dropped and given back.
                held.push(self.0.purses.take(tenant, period, limit, cost_micros).await?);
            }
        }
        let limit = cost_micros.filter(|_| !held.is_empty());
        let bill = Bill::new(self.clone(), tenant, gateway.clone(), model.clone(), held);
        Ok((bill, limit))
    }

    /// The bill of a call that nobody is paid for.
    pub fn open_free(&self, tenant: TenantId, gateway: &Gateway, model: &ModelRef) -> Bill {
        Bill::new(self.clone(), tenant, gateway.clone(), model.clone(), Vec::new())
    }

    /// Counts what a gateway of the tenant's executions is answered. Their budgets are their
    /// own, so that nothing is set aside here.
    pub fn tally(&self, tenant: TenantId) -> Tally {
        let ledger = self.clone();
        let none = TokenUsage::default();
        Tally::new(move |told| {
            let usage = if told.cached { &none } else { told.usage };
            let counted = Counted { usage, cost_micros: told.cost_micros, cached: told.cached };
            ledger.0.meters.count(tenant, &told.model.to_string(), &counted);
        })
    }

    /// Whether a call may be made now, where the pace is limited.
    pub async fn pace(&self, tenant: TenantId) -> Result<Option<Pace>> {
        let quotas = self.quotas(tenant).await?;
        Ok(quotas.per_minute.map(|per_minute| self.0.rates.step(tenant, per_minute)))
    }

    /// What was used on these days (since 1970), by day and model; what is not written
    /// yet included.
    pub async fn usage(&self, tenant: TenantId, from: u32, to: u32) -> Result<Vec<Line>> {
        self.0.meters.write(&self.0.store).await?;
        let metrics = self.0.store.accounts().metrics(tenant, from, to).await?;
        Ok(meters::lines(metrics))
    }

    /// The quotas of a tenant.
    pub async fn quotas(&self, tenant: TenantId) -> Result<Quotas> {
        if let Some((at, quotas)) = self.kept().get(&tenant)
            && at.elapsed() < KEPT
        {
            return Ok(*quotas);
        }
        let quotas = Quotas::of(&self.0.store.accounts().quotas(tenant).await?);
        self.kept().insert(tenant, (Instant::now(), quotas));
        Ok(quotas)
    }

    /// Sets all quotas of a tenant.
    pub async fn set_quotas(&self, tenant: TenantId, quotas: Quotas) -> Result<()> {
        let accounts = self.0.store.accounts();
        for (kind, value) in [
            (DAY, quotas.day_micros),
            (MONTH, quotas.month_micros),
            (PER_MINUTE, quotas.per_minute),
        ] {
            accounts.set_quota(tenant, kind.into(), value).await?;
        }
        self.kept().remove(&tenant);
        Ok(())
    }

    /// How the budgets of this day and this month stand.
    pub async fn budgets(&self, tenant: TenantId) -> Result<[Budget; 2]> {
        self.0.purses.settle().await?;
        let mut budgets = [Budget::default(); 2];
        for (budget, period) in budgets.iter_mut().zip([Period::day(now()), Period::month(now())]) {
            let found = self.0.store.queue().budget(period.key(tenant)).await?;
            *budget = found.unwrap_or_default();
        }
        Ok(budgets)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, (Instant, Quotas)>> {
        self.0.quotas.lock().expect("nothing panics while it is held")
    }
}

impl Quotas {
    /// Whether money is limited.
    pub fn has_budget(&self) -> bool {
        self.day_micros.is_some() || self.month_micros.is_some()
    }

    fn of(quotas: &[Quota]) -> Self {
        let value =
            |kind: &str| quotas.iter().find(|quota| *quota.kind == *kind).map(|quota| quota.value);
        Quotas { day_micros: value(DAY), month_micros: value(MONTH), per_minute: value(PER_MINUTE) }
    }
}

impl From<weaver_store::Error> for Refused {
    fn from(error: weaver_store::Error) -> Self {
        Refused::Store(error)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Money { cost_micros, left_micros, period, .. } => {
                let (cost, left) = (Usd(*cost_micros), Usd(*left_micros));
                write!(
                    f,
                    "this call may cost up to ${cost}, and ${left} of the {period}'s budget is left"
                )
            }
            Refused::Store(error) => error.fmt(f),
        }
    }
}

/// Whether a call that failed was refused as a whole, or never sent: then it cost nothing.
fn is_unbilled(error: &Error) -> bool {
    !matches!(
        error,
        Error::Timeout { .. }
            | Error::Network { .. }
            | Error::Cut { .. }
            | Error::Protocol { .. }
            | Error::Cancelled
            | Error::OverBudget { began: true, .. }
    )
}
