//! What clients of the gateway have used, and how much they may.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Usd;
use crate::execution::Budget;

/// `GET /usage?from=2026-01-01&to=2026-01-31`: days in UTC, both included; today when
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// The first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What one model was used for on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
// The events' own `Usage` is in the same document.
#[schema(as = ModelUsage)]
pub struct Usage {
    /// `2026-01-31`, UTC.
    pub day: String,
    /// `provider/model`.
    pub model: String,
    /// Calls that were answered.
    pub calls: u64,
    /// Of those, the ones with an answer that was given before: they cost nothing, and
    /// their tokens are not counted again.
    #[serde(default)]
    pub cached_calls: u64,
    /// Tokens.
    pub tokens: Tokens,
    /// What the calls cost at the prices of then.
    pub cost: Usd,
    /// What they would cost at the prices of now, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_now: Option<Usd>,
}

/// Tokens by what prices are for. `input` and `output` hold the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Sent.
    pub input: u64,
    /// Of those, read from the provider's cache.
    pub cached_read: u64,
    /// Of those sent, written to its cache.
    pub cached_write: u64,
    /// Of those, kept longer than usual.
    pub cached_write_long: u64,
    /// Of those sent, of sound.
    pub audio_input: u64,
    /// Of those, read from the cache.
    pub audio_cached: u64,
    /// Received.
    pub output: u64,
    /// Of those, thinking.
    pub reasoning: u64,
    /// Of those received, of sound.
    pub audio_output: u64,
}

/// `PUT /quotas`: takes the place of all; what is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotasRequest {
    /// What calls of the gateway's clients may cost in a day, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_day: Option<Usd>,
    /// The same in a calendar month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_month: Option<Usd>,
    /// How many calls they may make in a minute, at each server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_calls_per_minute: Option<u64>,
}

/// Quotas, and how they stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quotas {
    /// The money of today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_day: Option<Budget>,
    /// The money of this month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_month: Option<Budget>,
    /// Calls in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_calls_per_minute: Option<u64>,
}
