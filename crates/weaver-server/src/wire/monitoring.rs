//! How the work stands, from the newest executions.

use std::collections::BTreeMap;

use weaver_api::monitoring::{ErrorCount, Latency, Minute, OpenCounts, Summary};
use weaver_core::{Failure, Timestamp};
use weaver_store::{Execution, ExecutionStatus};

/// Minutes that are looked back.
pub const MINUTES: i64 = 15;
const MINUTE_MICROS: i64 = 60_000_000;
/// Codes that are told apart.
const ERRORS_MAX: usize = 10;

/// Sums up executions that have not ended, and the newest of all.
pub fn summary(now: Timestamp, open: &[Execution], newest: &[Execution]) -> Summary {
    let count = |status| open.iter().filter(|it| it.status == status).count() as u64;
    let queued = open.iter().filter(|it| it.status == ExecutionStatus::Queued);
    let first = (now.0 / MINUTE_MICROS - (MINUTES - 1)) * MINUTE_MICROS;
    let ended: Vec<(&Execution, i64)> = newest
        .iter()
        .filter_map(|it| Some((it, it.ended?.0)))
        .filter(|(it, ended)| it.status.is_end() && *ended >= first)
        .collect();
    let minutes = (0..MINUTES).map(|n| {
        let from = first + n * MINUTE_MICROS;
        let count = |status| {
            let is_of = |(it, ended): &&(&Execution, i64)| {
                it.status == status && (from..from + MINUTE_MICROS).contains(ended)
            };
            ended.iter().filter(is_of).count() as u64
        };
        Minute {
            from: Timestamp(from).into(),
            completed: count(ExecutionStatus::Completed),
            failed: count(ExecutionStatus::Failed),
        }
    });
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    for (execution, _) in ended.iter().filter(|(it, _)| it.status == ExecutionStatus::Failed) {
        let failure = execution.error.as_deref().map(serde_json::from_slice::<Failure>);
        let code = failure.and_then(Result::ok).map(|failure| failure.code);
        *codes.entry(code.unwrap_or_else(|| "unknown".into())).or_default() += 1;
    }
    let mut errors: Vec<ErrorCount> =
        codes.into_iter().map(|(code, count)| ErrorCount { code, count }).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors.truncate(ERRORS_MAX);
    Summary {
        now: now.into(),
        open: OpenCounts {
            queued: count(ExecutionStatus::Queued),
            running: count(ExecutionStatus::Running),
            waiting: count(ExecutionStatus::Waiting),
            paused: count(ExecutionStatus::Paused),
        },
        oldest_queued: queued.map(|it| it.started).min().map(Into::into),
        minutes: minutes.collect(),
        latency: latency(ended.iter().map(|(it, ended)| (ended - it.started.0).max(0) / 1000)),
        errors,
    }
}

fn latency(took_ms: impl Iterator<Item = i64>) -> Option<Latency> {
    let mut took: Vec<u64> = took_ms.map(|ms| ms as u64).collect();
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() * share).div_ceil(100).saturating_sub(1)).copied();
    Some(Latency { p50_ms: at(50)?, p95_ms: at(95)?, max_ms: *took.last()? })
}

#[cfg(test)]
mod tests {
    use super::latency;

    #[test]
    fn half_of_them_took_at_most_the_median() {
        assert_eq!(latency([].into_iter()), None);
        let of = latency((1..=100).rev()).unwrap();
        assert_eq!((of.p50_ms, of.p95_ms, of.max_ms), (50, 95, 100));
        assert_eq!(latency([7].into_iter()).unwrap().p95_ms, 7);
    }
}
