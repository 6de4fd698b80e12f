//! Schedules: what is submitted by itself, by cron lines.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;
use crate::execution::SubmitRequest;

/// `POST /schedules`, and `PUT /schedules/{name}`. The same again changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Its name: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Minute, hour, day of month, month, day of week; with six fields seconds first.
    pub cron: String,
    /// The IANA name of the time zone that the line is meant in.
    #[serde(default = "utc")]
    pub zone: String,
    /// What happens to slots that passed while nobody could fire them.
    #[serde(default)]
    pub missed: Missed,
    /// What each slot submits, without a `run_at`.
    pub execution: SubmitRequest,
}

fn utc() -> String {
    "UTC".into()
}

/// What happens to slots that passed while nobody could fire them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing: the next slot is the next one in the future.
    Skip,
    /// One execution for all of them.
    #[default]
    Once,
    /// One execution for each, the oldest first; of more than a hundred the latest.
    All,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Its cron line.
    pub cron: String,
    /// The time zone of the line.
    pub zone: String,
    /// What happens to missed slots.
    pub missed: Missed,
    /// Whether it fires.
    pub enabled: bool,
    /// When it fires next, if it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// The file that it submits.
    pub workflow: String,
}

/// `PATCH /schedules/{name}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulePatch {
    /// Whether it fires from now on.
    pub enabled: bool,
}
