//! Schedules: a cron line in a time zone that starts executions.

use std::sync::Arc;

use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use weaver_core::Timestamp;

use super::rows::{Answer, Rows};
use crate::{Error, Result, TenantId};

/// Names a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleKey {
    /// Whose.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: Arc<str>,
}

/// What happens to slots that passed while nobody could fire them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Missed {
    /// Nothing: the next slot is the next one in the future.
    Skip,
    /// One run for all of them.
    #[default]
    Once,
    /// One run for each, the oldest first, at most [`Schedule::CATCH_UP_MAX`].
    All,
}

impl Missed {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Missed::Skip => "skip",
            Missed::Once => "once",
            Missed::All => "all",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Missed::Skip, Missed::Once, Missed::All].into_iter().find(|m| m.as_str() == word)
    }
}

/// A cron line that starts executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub key: ScheduleKey,
    /// Minute, hour, day of month, month, day of week; with six fields seconds first.
    pub cron: Arc<str>,
    /// The IANA name of the time zone that the line is meant in: `Europe/Berlin`.
    pub zone: Arc<str>,
    /// What happens to missed slots.
    pub missed: Missed,
    /// What to start. Its form is the writer's.
    pub payload: Vec<u8>,
    /// Whether it fires.
    pub enabled: bool,
    /// The slot that is to fire next.
    pub next: Option<Timestamp>,
}

/// What is to be fired of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The slots that get a run, the oldest first.
    pub fire: Vec<Timestamp>,
    /// The slot after them, the schedule's next.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// How many missed slots [`Missed::All`] fires at one time; older ones are left out.
    pub const CATCH_UP_MAX: usize = 100;

    /// A schedule that fires from `now` on. Refuses a line or a zone that is none,
    /// and a line for a day that never comes.
    pub fn new(
        key: ScheduleKey,
        cron: impl Into<Arc<str>>,
        zone: impl Into<Arc<str>>,
        now: Timestamp,
    ) -> Result<Self> {
        let (cron, zone) = (cron.into(), zone.into());
        let next = Some(Slots::parse(&cron, &zone)?.after(now)?);
        let missed = Missed::default();
        Ok(Schedule { key, cron, zone, missed, payload: Vec::new(), enabled: true, next })
    }

    /// Refuses a name that is no time zone's.
    pub fn check_zone(zone: &str) -> Result<()> {
        Slots::zone(zone).map(drop)
    }

    /// What is to be fired at `now`, by the rule for missed slots. A slot counts as
    /// missed when a later one has come too.
    pub fn plan(&self, now: Timestamp) -> Result<Plan> {
        let Some(next) = self.next.filter(|next| *next <= now) else {
            return Ok(Plan { fire: Vec::new(), next: self.next });
        };
        let slots = Slots::parse(&self.cron, &self.zone)?;
        // The last slots that have come, found from the end: years may have passed.
        let mut fire: Vec<Timestamp> = Vec::new();
        let mut slot = slots.at_or_before(now)?;
        while let Some(time) = slot.filter(|time| *time >= next) {
            fire.push(time);
            if fire.len() == Schedule::CATCH_UP_MAX {
                break;
            }
            slot = slots.at_or_before(Timestamp(time.0 - 1))?;
        }
        fire.reverse();
        match self.missed {
            Missed::All => {}
            Missed::Once => drop(fire.drain(..fire.len().saturating_sub(1))),
            // The latest is on time unless another one should have come by now.
            Missed::Skip => {
                fire.drain(..fire.len().saturating_sub(1));
                fire.retain(|time| now.0 - time.0 <= LATE_MICROS_MAX);
            }
        }
        Ok(Plan { fire, next: slots.after(now).ok() })
    }
}

/// A slot that is fired later than this was missed.
const LATE_MICROS_MAX: i64 = 60_000_000;

/// A cron line in its zone.
struct Slots {
    cron: Cron,
    zone: Tz,
    line: String,
}

impl Slots {
    fn parse(line: &str, zone: &str) -> Result<Self> {
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser
            .parse(line)
            .map_err(|error| Error::Invalid(format!("`{line}` is no cron line: {error}")))?;
        Ok(Slots { cron, zone: Slots::zone(zone)?, line: line.into() })
    }

    fn zone(name: &str) -> Result<Tz> {
        name.parse().map_err(|_| {
            Error::Invalid(format!("`{name}` is no time zone; use a name such as Europe/Berlin"))
        })
    }

    fn after(&self, time: Timestamp) -> Result<Timestamp> {
        match self.cron.find_next_occurrence(&self.local(time)?, false) {
            Ok(slot) => Ok(Timestamp(slot.timestamp_micros())),
            Err(_) => Err(Error::Invalid(format!(
                "the time of `{}` never comes: no year has such a day",
                self.line
            ))),
        }
    }

    fn at_or_before(&self, time: Timestamp) -> Result<Option<Timestamp>> {
        let found = self.cron.find_previous_occurrence(&self.local(time)?, true);
        Ok(found.ok().map(|slot| Timestamp(slot.timestamp_micros())))
    }

    fn local(&self, time: Timestamp) -> Result<chrono::DateTime<Tz>> {
        chrono::DateTime::from_timestamp_micros(time.0)
            .map(|utc| utc.with_timezone(&self.zone))
            .ok_or_else(|| Error::Invalid("a time beyond the calendar".into()))
    }
}

/// Keeps a schedule, if its line and zone can be read.
pub(super) async fn put<R: Rows>(rows: &mut R, schedule: &Schedule) -> Answer<(), R::Error> {
    Slots::parse(&schedule.cron, &schedule.zone)?;
    rows.put_schedule(schedule).await?;
    rows.wake().await
}

/// Keeps a schedule unless there is one of its name.
pub(super) async fn add<R: Rows>(rows: &mut R, schedule: &Schedule) -> Answer<bool, R::Error> {
    if rows.schedule(&schedule.key).await?.is_some() {
        return Ok(false);
    }
    put(rows, schedule).await?;
    Ok(true)
}

/// Lets a schedule fire, or stops it.
pub(super) async fn enable<R: Rows>(
    rows: &mut R,
    key: &ScheduleKey,
    enabled: &bool,
) -> Answer<Option<Schedule>, R::Error> {
    let Some(mut schedule) = rows.schedule(key).await? else { return Ok(None) };
    if schedule.enabled == *enabled {
        return Ok(Some(schedule));
    }
    schedule.enabled = *enabled;
    if *enabled {
        let now = rows.now().await?;
        schedule.next = Some(Slots::parse(&schedule.cron, &schedule.zone)?.after(now)?);
    }
    put(rows, &schedule).await?;
    Ok(Some(schedule))
}

/// One schedule.
pub(super) async fn get<R: Rows>(
    rows: &mut R,
    key: &ScheduleKey,
) -> Answer<Option<Schedule>, R::Error> {
    rows.schedule(key).await
}

/// Forgets a schedule.
pub(super) async fn remove<R: Rows>(rows: &mut R, key: &ScheduleKey) -> Answer<bool, R::Error> {
    let found = rows.schedule(key).await?.is_some();
    rows.remove_schedule(key).await?;
    Ok(found)
}

/// Uses a slot, once.
pub(super) async fn fired<R: Rows>(
    rows: &mut R,
    key: &ScheduleKey,
    slot: Timestamp,
    next: Option<Timestamp>,
) -> Answer<(), R::Error> {
    let found = rows.schedule(key).await?;
    let Some(mut schedule) = found.filter(|found| found.enabled && found.next == Some(slot)) else {
        let message = format!("the slot of schedule `{}` was fired already", key.name);
        return Err(Error::Conflict(message).into());
    };
    schedule.next = next;
    rows.put_schedule(&schedule).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let time = chrono::DateTime::parse_from_rfc3339(text).expect("a time");
        Timestamp(time.timestamp_micros())
    }

    fn schedule(cron: &str, zone: &str, now: &str) -> Schedule {
        let key = ScheduleKey { tenant: TenantId::LOCAL, name: "s".into() };
        Schedule::new(key, cron, zone, at(now)).expect("a schedule")
    }

    #[test]
    fn slots_follow_the_zone_through_the_change_of_clocks() {
        let mut daily = schedule("30 9 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z");
        assert_eq!(daily.next, Some(at("2026-03-28T08:30:00Z")));
        let plan = daily.plan(at("2026-03-28T08:30:00Z")).unwrap();
        assert_eq!(plan.fire, [at("2026-03-28T08:30:00Z")]);
        // Summer time begins in the night between.
        assert_eq!(plan.next, Some(at("2026-03-29T07:30:00Z")));
        daily.next = plan.next;
        assert_eq!(daily.plan(at("2026-03-29T07:29:59Z")).unwrap().fire, []);
    }

    #[test]
    fn missed_slots_follow_their_rule() {
        let mut hourly = schedule("0 * * * *", "UTC", "2026-01-01T00:00:00Z");
        let now = at("2026-01-01T04:30:00Z");
        let hours = |hours: &[u8]| -> Vec<Timestamp> {
            hours.iter().map(|hour| at(&format!("2026-01-01T{hour:02}:00:00Z"))).collect()
        };
        let next = Some(at("2026-01-01T05:00:00Z"));
        for (missed, fire) in [
            (Missed::All, hours(&[1, 2, 3, 4])),
            (Missed::Once, hours(&[4])),
            (Missed::Skip, vec![]),
        ] {
            hourly.missed = missed;
            assert_eq!(hourly.plan(now).unwrap(), Plan { fire, next });
        }
        // On time, every rule fires.
        let on_time = at("2026-01-01T01:00:00.5Z");
        assert_eq!(hourly.plan(on_time).unwrap().fire, hours(&[1]));
        hourly.missed = Missed::All;
        let later = hourly.plan(at("2027-01-01T00:00:00Z")).unwrap();
        assert_eq!(later.fire.len(), Schedule::CATCH_UP_MAX);
        assert_eq!(later.fire.last(), Some(&at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn what_never_comes_is_refused() {
        let key = ScheduleKey { tenant: TenantId::LOCAL, name: "s".into() };
        let refused = |cron: &str, zone: &str| {
            Schedule::new(key.clone(), cron, zone, at("2026-01-01T00:00:00Z"))
                .expect_err("it is refused")
                .to_string()
        };
        assert!(refused("0 0 30 2 *", "UTC").contains("never comes"));
        assert!(refused("61 * * * *", "UTC").contains("no cron line"));
        assert!(refused("* * * * *", "Berlin").contains("no time zone"));
    }
}
