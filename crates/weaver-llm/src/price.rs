//! Prices in integers: millionths of a US dollar for a million tokens.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use weaver_core::event::Usage;

use crate::stream::TokenUsage;

/// What a million tokens cost, in micro-USD: $2.50 is 2,500,000. A bucket that has
/// no price of its own is charged as the one that it is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Sent and not read from or written to a cache.
    pub input: u64,
    /// Received.
    #[serde(default)]
    pub output: u64,
    /// Read from a cache; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<u64>,
    /// Written to a cache; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write: Option<u64>,
    /// Written to a cache that keeps it longer; absent: as `cached_write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write_long: Option<u64>,
    /// Spent on reasoning; absent: as `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Sound sent; absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<u64>,
    /// Sound read from a cache; absent: as `cached_read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_cached: Option<u64>,
    /// Sound received; absent: as `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<u64>,
    /// Other prices for all tokens of a call with a long prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<LongPrompt>,
}

/// Prices that replace those of a call whose prompt is long; absent ones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// Tokens sent, cached ones included, above which these hold.
    pub above: u64,
    /// As [`Price::input`].
    pub input: u64,
    /// As [`Price::output`].
    pub output: u64,
    /// As [`Price::cached_read`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<u64>,
    /// As [`Price::cached_write`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write: Option<u64>,
    /// As [`Price::cached_write_long`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write_long: Option<u64>,
}

/// A line of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BillLine {
    /// `input`, `cached_read`, `cached_write`, `cached_write_long`, `audio_input`,
    /// `audio_cached`, `output`, `reasoning`, `audio_output`.
    pub bucket: &'static str,
    /// Tokens that no other line counts.
    pub tokens: u64,
    /// Micro-USD for a million of them.
    pub price: u64,
}

impl Price {
    /// The cost of a call in micro-USD, rounded up once at the end. A call of the past
    /// is priced anew by calling this with another price.
    pub fn cost_micros(&self, usage: &TokenUsage) -> u64 {
        cost(&self.bill(usage))
    }

    /// The lines of the bill: each token in one of them, none without tokens.
    pub fn bill(&self, usage: &TokenUsage) -> Vec<BillLine> {
        self.of_prompt(usage.tokens.input).lines(usage)
    }

    /// The cost of many calls whose prompts were all of one [`prompt_class`], from the
    /// sums of their tokens; rounded up once.
    pub fn cost_micros_of_sum(&self, sum: &TokenUsage, class: u64) -> u64 {
        cost(&self.of_prompt(class.saturating_add(1)).lines(sum))
    }

    /// At these prices, however long the prompt.
    fn lines(&self, usage: &TokenUsage) -> Vec<BillLine> {
        let price = self;
        let (tokens, details) = (&usage.tokens, &usage.details);
        let cached_read = price.cached_read.unwrap_or(price.input);
        let cached_write = price.cached_write.unwrap_or(price.input);
        // Providers have been seen to count a part as more than the whole.
        let audio_cached = details.audio_cached.min(tokens.cached_read);
        let audio_input = details.audio_input.saturating_sub(audio_cached);
        let write_long = details.cached_write_long.min(tokens.cached_write);
        let cached = tokens.cached_read.saturating_add(tokens.cached_write);
        let input = tokens.input.saturating_sub(cached).saturating_sub(audio_input);
        let audio_output = details.audio_output.min(tokens.output);
        let said = tokens.output - audio_output;
        let reasoning = tokens.reasoning.min(said);
        let lines = [
            ("input", input, price.input),
            ("cached_read", tokens.cached_read - audio_cached, cached_read),
            ("cached_write", tokens.cached_write - write_long, cached_write),
            ("cached_write_long", write_long, price.cached_write_long.unwrap_or(cached_write)),
            ("audio_input", audio_input, price.audio_input.unwrap_or(price.input)),
            ("audio_cached", audio_cached, price.audio_cached.unwrap_or(cached_read)),
            ("output", said - reasoning, price.output),
            ("reasoning", reasoning, price.reasoning.unwrap_or(price.output)),
            ("audio_output", audio_output, price.audio_output.unwrap_or(price.output)),
        ];
        let line = |(bucket, tokens, price)| BillLine { bucket, tokens, price };
        lines.into_iter().map(line).filter(|line| line.tokens > 0).collect()
    }

    /// How many tokens of an answer can be paid with so much after a prompt of so many.
    /// None when the prompt alone costs as much or more; then its cost is given.
    pub(crate) fn affordable_output(&self, input: u64, budget_micros: u64) -> Result<u64, u64> {
        let prompt = TokenUsage::from(Usage { input, ..Usage::default() });
        let cost = self.cost_micros(&prompt);
        if cost >= budget_micros {
            return Err(cost);
        }
        let price = self.of_prompt(input);
        let output = price.output.max(price.reasoning.unwrap_or(0)).max(1);
        let left = u128::from(budget_micros - cost) * 1_000_000 / u128::from(output);
        match u64::try_from(left).unwrap_or(u64::MAX) {
            0 => Err(cost + output.div_ceil(1_000_000)),
            left => Ok(left),
        }
    }

    fn of_prompt(&self, input: u64) -> Price {
        match self.long {
            Some(long) if input > long.above => Price {
                input: long.input,
                output: long.output,
                cached_read: long.cached_read.or(self.cached_read),
                cached_write: long.cached_write.or(self.cached_write),
                cached_write_long: long.cached_write_long.or(self.cached_write_long),
                ..*self
            },
            _ => *self,
        }
    }
}

fn cost(lines: &[BillLine]) -> u64 {
    let total: u128 = lines.iter().map(|line| line.tokens as u128 * line.price as u128).sum();
    u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Where prices of some model change with the length of the prompt.
const CLASSES: [u64; 4] = [272_000, 200_000, 128_000, 100_000];

/// The class of a prompt of so many tokens: the greatest number that prices are known to
/// change above and that it is above, or 0. Sums of one class can be priced anew.
pub fn prompt_class(tokens: u64) -> u64 {
    CLASSES.into_iter().find(|above| tokens > *above).unwrap_or(0)
}

/// The built-in price of a model: that of its own name, or of the longest name that it
/// is a version of.
pub(crate) fn lookup(provider: &str, model: &str) -> Option<Price> {
    let provider = if provider == "vertex" { "google" } else { provider };
    let prices = table().providers.get(provider)?;
    let bare = model.rsplit('/').next().unwrap_or(model);
    let name = if provider == "google" { bare } else { model };
    let fits = |known: &str| name.strip_prefix(known).is_some_and(is_version);
    prices
        .iter()
        .filter(|(known, _)| fits(known))
        .max_by_key(|(known, _)| known.len())
        .map(|(_, price)| *price)
}

/// The names of a provider's models that we know.
pub(crate) fn names(provider: &str) -> impl Iterator<Item = &'static str> {
    table().providers.get(provider).into_iter().flat_map(|prices| prices.keys().map(String::as_str))
}

/// Whether the rest of a name says which version of a model it is. Any other word may
/// be another model with another price: `gpt-5-pro` is no version of `gpt-5`.
fn is_version(rest: &str) -> bool {
    if rest.is_empty() {
        return true;
    }
    if !rest.starts_with(['-', '@', ':']) {
        return false;
    }
    rest[1..].split(['-', '@', ':']).all(|word| {
        matches!(word, "latest" | "preview" | "exp") || word.chars().all(|c| c.is_ascii_digit())
    })
}

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../data/prices.json"))
            .expect("the price table in the repository is good; a test reads it")
    });
    &TABLE
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
    use crate::stream::TokenDetails;

    fn plain(tokens: Usage) -> TokenUsage {
        TokenUsage { tokens, ..TokenUsage::default() }
    }

    #[test]
    fn buckets_are_priced_apart_and_rounded_up_once() {
        let price = Price {
            input: 3_000_000,
            output: 15_000_000,
            cached_read: Some(300_000),
            ..Price::default()
        };
        let usage = Usage { input: 1000, cached_read: 600, output: 10, ..Usage::default() };
        assert_eq!(price.cost_micros(&plain(usage)), 400 * 3 + 180 + 150);
        let tiny = Usage { input: 1, cached_read: 1, ..Usage::default() };
        assert_eq!(price.cost_micros(&plain(tiny)), 1, "0.3 micro-USD is rounded up");
        assert_eq!(price.cost_micros(&plain(Usage { input: u64::MAX, ..tiny })), u64::MAX);
    }

    #[test]
    fn every_token_is_in_one_line() {
        let price = Price {
            input: 1,
            output: 10,
            cached_read: Some(2),
            cached_write: Some(3),
            cached_write_long: Some(4),
            reasoning: Some(11),
            audio_input: Some(5),
            audio_cached: Some(6),
            audio_output: Some(12),
            long: None,
        };
        let tokens =
            Usage { input: 100, cached_read: 30, cached_write: 20, output: 50, reasoning: 15 };
        let details = TokenDetails {
            cached_write_long: 5,
            audio_input: 12,
            audio_cached: 2,
            audio_output: 8,
        };
        let bill = price.bill(&TokenUsage { tokens, details, ..TokenUsage::default() });
        let lines: Vec<_> = bill.iter().map(|line| (line.tokens, line.price)).collect();
        let expected =
            [(40, 1), (28, 2), (15, 3), (5, 4), (10, 5), (2, 6), (27, 10), (15, 11), (8, 12)];
        assert_eq!(lines, expected);
        assert_eq!(bill.iter().map(|line| line.tokens).sum::<u64>(), 150);
    }

    #[test]
    fn a_long_prompt_changes_all_prices_of_its_call() {
        let price = lookup("google", "gemini-2.5-pro").unwrap();
        let cost =
            |input| price.cost_micros(&plain(Usage { input, output: 1000, ..Usage::default() }));
        assert_eq!(cost(200_000), 250_000 + 10_000);
        assert_eq!(cost(200_001), 500_003 + 15_000);
    }

    #[test]
    fn sums_of_a_class_cost_what_their_calls_do() {
        let price = lookup("google", "gemini-2.5-pro").unwrap();
        for input in [100, 199_999, 200_000, 200_001, 900_000] {
            let one = plain(Usage { input, output: 1000, ..Usage::default() });
            let four = plain(Usage { input: 4 * input, output: 4000, ..Usage::default() });
            let sum = price.cost_micros_of_sum(&four, prompt_class(input));
            assert!(sum.abs_diff(4 * price.cost_micros(&one)) <= 4, "{input}");
        }
    }

    #[test]
    fn versions_find_their_family_and_other_models_do_not() {
        let mini = lookup("openai", "gpt-4o-mini-2024-07-18").unwrap();
        assert_eq!(mini, lookup("openai", "gpt-4o-mini").unwrap());
        assert_ne!(mini, lookup("openai", "gpt-4o").unwrap());
        assert_eq!(lookup("openai", "gpt-4o-sparkle"), None);
        assert_eq!(lookup("openai", "gpt-4omega"), None);
        assert_eq!(lookup("ollama", "llama3.2"), None);
        assert!(lookup("anthropic", "claude-sonnet-4-20250514").is_some());
        assert!(lookup("vertex", "gemini-2.5-flash").is_some());
    }

    #[test]
    fn the_table_is_sane() {
        for (provider, models) in &table().providers {
            for (name, price) in models {
                let read = price.cached_read.unwrap_or(price.input);
                assert!(read <= price.input, "{provider}/{name}: a cache that costs more");
                assert!(price.input <= 200_000_000, "{provider}/{name}: a slip of the units");
                if let Some(long) = price.long {
                    assert!(CLASSES.contains(&long.above), "{provider}/{name}: a class is missing");
                    assert!(long.input > price.input, "{provider}/{name}");
                }
            }
        }
    }
}
