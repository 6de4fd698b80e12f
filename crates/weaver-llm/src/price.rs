//! Prices in integers: millionths of a US dollar for a million tokens.

use std::collections::BTreeMap;
use std::sync::LazyLock;

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

/// The built-in price of a model: the entry whose name the model's name begins
/// with (the longest wins, so that dated versions find their family).
pub(crate) fn lookup(provider: &str, model: &str) -> Option<Price> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../data/prices.json"))
            .expect("the price table in the repository is good; a test reads it")
    });
    let prices = TABLE.providers.get(provider)?;
    let fits = |name: &str| {
        model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@']))
    };
    prices
        .iter()
        .filter(|(name, _)| fits(name))
        .max_by_key(|(name, _)| name.len())
        .map(|(_, price)| *price)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "as_of")]
    _as_of: String,
    #[serde(rename = "unit")]
    _unit: String,
    #[serde(rename = "sources")]
    _sources: BTreeMap<String, String>,
    providers: BTreeMap<String, BTreeMap<String, Price>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_priced_apart_and_rounded_up_once() {
        let price = Price {
            input: 3_000_000,
            output: 15_000_000,
            cached_read: Some(300_000),
            cached_write: None,
        };
        let usage = Usage { input: 1000, cached_read: 600, output: 10, ..Usage::default() };
        assert_eq!(price.cost_micros(&usage), 400 * 3 + 180 + 150);
        let tiny = Usage { input: 1, cached_read: 1, ..Usage::default() };
        assert_eq!(price.cost_micros(&tiny), 1, "0.3 micro-USD is rounded up");
        assert_eq!(price.cost_micros(&Usage { input: u64::MAX, ..tiny }), u64::MAX);
    }

    #[test]
    fn dated_versions_find_their_family() {
        let mini = lookup("openai", "gpt-4o-mini-2024-07-18").unwrap();
        assert_eq!(mini, lookup("openai", "gpt-4o-mini").unwrap());
        assert_ne!(mini, lookup("openai", "gpt-4o").unwrap());
        assert_eq!(lookup("openai", "gpt-4omega"), None);
        assert_eq!(lookup("ollama", "llama3.2"), None);
    }
}
