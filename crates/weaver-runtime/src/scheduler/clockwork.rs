//! What becomes due: timers, leases of lost processes, schedules.

use std::time::Duration;

use weaver_store::{Error, Result, Retention, Schedule, ScheduleKey, Store};

use super::{Note, Shared};
use crate::schedules;

/// Rows that one transaction moves: it stays short, and the next follows at once.
const ROWS_MAX: usize = 500;

/// Moves on all that is due. Gives how long it is until the next timer.
pub(super) async fn turn(shared: &Shared) -> Result<Option<Duration>> {
    let store = &shared.store;
    loop {
        let reaped = store.queue().reap_expired(ROWS_MAX).await?;
        if reaped.requeued + reaped.dead > 0 {
            tracing::warn!(reaped.requeued, reaped.dead, "leases ran out");
            shared.note(Note::Expired { requeued: reaped.requeued, dead: reaped.dead });
        }
        if reaped.requeued + reaped.dead < ROWS_MAX {
            break;
        }
    }
    let next = loop {
        let promoted = store.queue().promote_due(ROWS_MAX).await?;
        if promoted.count < ROWS_MAX {
            break promoted.next;
        }
    };
    // Last: what is wrong with a schedule keeps nobody else waiting.
    fire_due(store).await?;
    let Some(next) = next else { return Ok(None) };
    let now = store.queue().now().await?;
    Ok(Some(Duration::from_micros(u64::try_from(next.0 - now.0).unwrap_or(0))))
}

/// Schedules that are looked at in one go.
const SCHEDULES_MAX: usize = 100;

/// Submits what schedules whose time has come submit. Of several processes that see a
/// slot one fires it: the use of the slot is in the batch of its executions.
async fn fire_due(store: &Store) -> Result<()> {
    loop {
        let due = store.queue().due_schedules(SCHEDULES_MAX).await?;
        let mut fired = 0;
        for schedule in &due {
            fired += usize::from(fire(store, schedule).await?);
        }
        if due.len() < SCHEDULES_MAX || fired == 0 {
            return Ok(());
        }
    }
}

/// Fires one schedule. Says whether it has moved on through this.
async fn fire(store: &Store, schedule: &Schedule) -> Result<bool> {
    let ScheduleKey { tenant, name } = &schedule.key;
    let now = store.queue().now().await?;
    let (plan, batch) = match schedules::firing(schedule, now) {
        Ok(Some(firing)) => firing,
        Ok(None) => return Ok(false),
        Err(error) => return stop(store, schedule, &error.to_string()).await,
    };
    match store.for_tenant(*tenant).append(batch).await {
        Ok(()) => {
            tracing::info!(%tenant, %name, executions = plan.fire.len(), "a schedule was fired");
            Ok(true)
        }
        // Another process did, or somebody changed the schedule.
        Err(Error::Conflict(_)) => Ok(false),
        Err(error @ Error::Invalid(_)) => stop(store, schedule, &error.to_string()).await,
        Err(error) => Err(error),
    }
}

/// Stops a schedule that would fail again each second.
async fn stop(store: &Store, schedule: &Schedule, error: &str) -> Result<bool> {
    let ScheduleKey { tenant, name } = &schedule.key;
    tracing::error!(%tenant, %name, error, "a schedule cannot be fired and is stopped");
    store.queue().enable_schedule(schedule.key.clone(), false).await?;
    Ok(true)
}

/// Forgets what is over, of every tenant, and makes room for what comes.
pub async fn tidy(store: Store, retention: Retention) {
    if let Err(error) = store.prepare_ahead().await {
        tracing::warn!(%error, "the partitions of the coming months are not made");
    }
    let forgotten: Result<u64> = async {
        let mut threads = 0;
        for tenant in store.tenants().await? {
            let now = store.queue().now().await?;
            threads += store.for_tenant(tenant).retain(&retention, now).await?.threads;
        }
        Ok(threads)
    }
    .await;
    match forgotten {
        Ok(threads) => tracing::info!(threads, "what is over was forgotten"),
        Err(error) => tracing::warn!(%error, "what is over stays for now"),
    }
}
