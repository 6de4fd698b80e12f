//! What becomes due: timers, leases of lost processes, schedules.

use std::time::Duration;

use weaver_store::{Result, Retention, Store};

/// Rows that one transaction moves: it stays short, and the next follows at once.
const ROWS_MAX: usize = 500;

/// Moves on all that is due. Gives how long it is until the next timer.
pub async fn turn(store: &Store) -> Result<Option<Duration>> {
    loop {
        let reaped = store.queue().reap_expired(ROWS_MAX).await?;
        if reaped.requeued + reaped.dead > 0 {
            tracing::warn!(reaped.requeued, reaped.dead, "leases ran out");
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
    let Some(next) = next else { return Ok(None) };
    let now = store.queue().now().await?;
    Ok(Some(Duration::from_micros(u64::try_from(next.0 - now.0).unwrap_or(0))))
}

/// Forgets what is over, of every tenant.
pub async fn tidy(store: Store, retention: Retention) {
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
