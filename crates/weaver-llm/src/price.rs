//! Prices in integers: millionths of a US dollar for a million tokens.

use serde::{Deserialize, Serialize};
use weaver_core::event::Usage;

/// What a million tokens cost, in micro-USD: $2.50 is 2,500,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Sent and not read from or written to a cache.
    pub input: u64,
    /// Received.
    pub output: u64,
    /// Read from a cache; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<u64>,
    /// Written to a cache; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write: Option<u64>,
}

impl Price {
    /// The cost of a call in micro-USD, rounded up once at the end.
    pub fn cost_micros(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_read + usage.cached_write;
        let buckets = [
            (usage.input.saturating_sub(cached), self.input),
            (usage.cached_read, self.cached_read.unwrap_or(self.input)),
            (usage.cached_write, self.cached_write.unwrap_or(self.input)),
            (usage.output, self.output),
        ];
        let total: u128 = buckets.iter().map(|(n, price)| *n as u128 * *price as u128).sum();
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}
