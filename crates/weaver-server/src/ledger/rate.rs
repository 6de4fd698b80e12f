//! [`Rates`]: how many calls a minute, counted in this process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use weaver_store::TenantId;

/// The pace of all tenants.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<TenantId, Bucket>>);

/// Where a tenant stands after a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls in a minute.
    pub limit: u64,
    /// Calls that may be made at once now.
    pub left: u64,
    /// Until all of them may be made again.
    pub reset: Duration,
    /// When the next may be made, if this one may not.
    pub wait: Option<Duration>,
}

/// Calls that may be made at `at`; they grow evenly, up to a minute's.
struct Bucket {
    calls: f64,
    at: Instant,
}

impl Rates {
    /// Takes a step, if one may be taken.
    pub fn step(&self, tenant: TenantId, per_minute: u64) -> Pace {
        let mut buckets = self.0.lock().expect("nothing panics while it is held");
        let now = Instant::now();
        let full = Bucket { calls: per_minute as f64, at: now };
        buckets.entry(tenant).or_insert(full).step(per_minute, now)
    }
}

impl Bucket {
    fn step(&mut self, per_minute: u64, now: Instant) -> Pace {
        let (limit, each) = (per_minute as f64, 60.0 / per_minute.max(1) as f64);
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.calls, self.at) = ((self.calls + since / each).min(limit), now);
        let may = self.calls >= 1.0;
        if may {
            self.calls -= 1.0;
        }
        let seconds = |calls: f64| Duration::from_secs_f64((calls * each).max(0.0));
        Pace {
            limit: per_minute,
            left: self.calls as u64,
            reset: seconds(limit - self.calls),
            wait: (!may).then(|| seconds(1.0 - self.calls)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_calls_at_once_and_then_evenly() {
        let start = Instant::now();
        let mut bucket = Bucket { calls: 2.0, at: start };
        let mut step = |seconds| bucket.step(2, start + Duration::from_secs(seconds));
        assert_eq!((step(0).left, step(0).left), (1, 0));
        assert_eq!(step(0).wait, Some(Duration::from_secs(30)));
        assert_eq!(step(29).wait, Some(Duration::from_secs(1)));
        let third = step(30);
        assert_eq!((third.wait, third.left, third.reset), (None, 0, Duration::from_secs(60)));
        assert_eq!(step(600).left, 1);
    }
}
