//! Schedules: executions that begin by the clock.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::execution::SubmitRequest;

/// `POST /schedules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// Its name, unique for the tenant.
    pub name: String,
    /// Minute, hour, day of month, month, day of week: `30 9 * * MON-FRI`.
    pub cron: String,
    /// The zone whose clock counts: `Europe/Berlin`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// What becomes of runs that nobody was there to start.
    #[serde(default)]
    pub missed: Missed,
    /// What to submit each time.
    pub submit: SubmitRequest,
}

fn utc() -> String {
    "UTC".into()
}

/// What becomes of runs that nobody was there to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    #[default]
    Once,
    /// Each is made up for, the oldest first, at most a hundred.
    All,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// See [`ScheduleRequest::cron`].
    pub cron: String,
    /// See [`ScheduleRequest::timezone`].
    pub timezone: String,
    /// See [`ScheduleRequest::missed`].
    pub missed: Missed,
    /// The file that it runs.
    pub workflow: String,
    /// When it fires next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// When it fired last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Time>,
    /// Whether it is held.
    #[serde(default)]
    pub paused: bool,
}
