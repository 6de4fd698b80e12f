//! Limits: how many executions may be under way at once, and how fast they start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// Executions with a concurrency key.
    Key,
    /// Executions of a workflow.
    Workflow,
    /// All executions of the tenant.
    Tenant,
}

/// `PUT /limits`: takes the place of what the scope had. With neither part the scope is
/// without limits again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitRequest {
    /// What is counted.
    pub scope: LimitScope,
    /// The key, or the workflow's file as it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many may be under way at once, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How fast they start; not of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// How fast executions start: `burst` at once, then one each so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Seconds between two starts in the long run.
    pub every_seconds: f64,
    /// How many may start at once after a pause, at least 1.
    #[serde(default = "one")]
    pub burst: u32,
}

fn one() -> u32 {
    1
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Limit {
    /// What is counted.
    pub scope: LimitScope,
    /// The key or the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How many are, where that is limited.
    pub in_use: u32,
    /// How fast they start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}
