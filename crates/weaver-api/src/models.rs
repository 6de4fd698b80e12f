//! Models that can be asked, and what they cost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A provider with its models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelProvider {
    /// The name in `provider/model`.
    pub provider: String,
    /// Scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why it cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its models.
    pub models: Vec<Model>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Its name at the provider.
    pub name: String,
    /// What it costs, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<ModelPrice>,
}

/// Millionths of a US dollar for a million tokens, by what is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrice {
    /// Sent.
    pub input: u64,
    /// Received.
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
    pub long: Option<LongPrice>,
}

/// Prices that replace those of a call whose prompt is long; absent ones stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LongPrice {
    /// Tokens sent, cached ones included, above which these hold.
    pub above: u64,
    /// Sent.
    pub input: u64,
    /// Received.
    pub output: u64,
    /// Read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_read: Option<u64>,
    /// Written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write: Option<u64>,
    /// Written to a cache that keeps it longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_write_long: Option<u64>,
}
