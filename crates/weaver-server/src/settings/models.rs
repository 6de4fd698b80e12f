//! What the settings file says of models: providers, and prices.

use std::collections::BTreeMap;

use serde::Deserialize;
use weaver_api::Usd;
use weaver_llm::{Dialect, Options, ProviderOptions};

/// `[providers.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    base_url: Option<String>,
    api_key: Option<String>,
    /// Calls are spread over all keys.
    more_keys: Vec<String>,
    /// The interface of the address: `openai`, `openai_responses`, `anthropic`, `gemini`, `ollama`.
    dialect: Option<Dialect>,
    /// Azure's `api-version`.
    api_version: Option<String>,
    /// Calls at a time with one key.
    concurrency: Option<usize>,
    headers: BTreeMap<String, String>,
}

impl Provider {
    /// Adds these settings to what variables say, which win.
    pub fn join(self, known: &mut ProviderOptions) {
        known.base_url = known.base_url.take().or(self.base_url);
        known.api_key = known.api_key.take().or(self.api_key);
        known.more_keys.extend(self.more_keys);
        known.dialect = known.dialect.or(self.dialect);
        known.api_version = known.api_version.take().or(self.api_version);
        known.concurrency = known.concurrency.or(self.concurrency);
        known.headers.extend(self.headers);
    }
}

/// `[cache]`: answers that are given again to the same question.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The memory of all that is kept.
    size_mib: Option<usize>,
    /// How old the answers of a model may be, by `provider/model`; callers may say otherwise.
    seconds: BTreeMap<String, u64>,
}

impl Cache {
    /// Adds these settings.
    pub fn join(self, options: &mut Options) {
        if let Some(mib) = self.size_mib {
            options.cache = weaver_llm::Cache::new(mib.saturating_mul(1 << 20));
        }
        options.cache_seconds = self.seconds;
    }
}

/// What a million tokens of a model cost, in US dollars: `"2.50"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    input: Usd,
    output: Usd,
    cached_read: Option<Usd>,
    cached_write: Option<Usd>,
    cached_write_long: Option<Usd>,
    reasoning: Option<Usd>,
    audio_input: Option<Usd>,
    audio_cached: Option<Usd>,
    audio_output: Option<Usd>,
}

impl Price {
    /// The price as the gateway counts it.
    pub fn micros(self) -> weaver_llm::Price {
        let micros = |price: Option<Usd>| price.map(|price| price.0);
        weaver_llm::Price {
            input: self.input.0,
            output: self.output.0,
            cached_read: micros(self.cached_read),
            cached_write: micros(self.cached_write),
            cached_write_long: micros(self.cached_write_long),
            reasoning: micros(self.reasoning),
            audio_input: micros(self.audio_input),
            audio_cached: micros(self.audio_cached),
            audio_output: micros(self.audio_output),
            long: None,
        }
    }
}
