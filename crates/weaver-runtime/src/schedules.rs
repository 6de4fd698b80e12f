//! [`Schedules`]: what is submitted by itself, by cron lines.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weaver_core::{Hash, Timestamp};
use weaver_store::{
    Batch, ConcurrencyKey, Missed, Plan, Priority, Schedule, ScheduleKey, Store, Work,
    WorkflowVersion,
};

use crate::Error;
use crate::executions::{Refused, Submission};
use crate::journal::now;
use crate::order::Order;

/// Schedules of one tenant.
#[derive(Clone)]
pub struct Schedules {
    store: Store,
}

/// A schedule that is to be kept.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name: 1 to [`NAME_CHARS_MAX`] letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Minute, hour, day of month, month, day of week; with six fields seconds first.
    pub cron: String,
    /// The IANA name of the time zone that the line is meant in.
    pub zone: String,
    /// What happens to slots that passed while nobody could fire them.
    pub missed: Missed,
    /// What each slot submits.
    pub submission: Submission,
}

/// A schedule, with what it submits.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// When.
    pub schedule: Schedule,
    /// What.
    pub template: Template,
}

/// What each slot of a schedule submits. Its JSON form is kept with the schedule, a
/// promise: fields are only added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Hash of the source.
    version: Hash,
    /// The file's name, for people.
    pub file: String,
    source: String,
    order: Order,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<Arc<str>>,
    priority: u8,
    /// Name and limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<(Arc<str>, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget_micros: Option<u64>,
}

/// The longest name.
pub const NAME_CHARS_MAX: usize = 64;

/// The most that each slot may submit, source and input together: slots that were missed
/// are submitted in one batch.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;

impl Schedules {
    /// The schedules of a store's tenant.
    pub fn new(store: Store) -> Self {
        Schedules { store }
    }

    /// All of them, by name.
    pub async fn list(&self) -> Result<Vec<Scheduled>, Refused> {
        let all = self.store.queue().schedules(self.store.tenant()).await?;
        all.into_iter().map(scheduled).collect()
    }

    /// One of them.
    pub async fn get(&self, name: &str) -> Result<Scheduled, Refused> {
        let found = self.store.queue().schedule(self.key(name)).await?;
        scheduled(found.ok_or_else(|| not_found(name))?)
    }

    /// Keeps a new one. The same again changes nothing; another of its name is a
    /// conflict.
    pub async fn create(&self, draft: Draft) -> Result<Scheduled, Refused> {
        let name = draft.name.clone();
        let schedule = self.checked(draft).await?;
        let added = self.store.queue().add_schedule(schedule.clone()).await?;
        let kept = self.get(&name).await?;
        match added || is_same(&kept.schedule, &schedule) {
            true => Ok(kept),
            false => Err(Refused::Conflict(format!("there is a schedule `{name}` already"))),
        }
    }

    /// Keeps one, in place of an earlier one of its name. It fires from now on.
    pub async fn replace(&self, draft: Draft) -> Result<Scheduled, Refused> {
        let name = draft.name.clone();
        let schedule = self.checked(draft).await?;
        self.store.queue().put_schedule(schedule).await?;
        self.get(&name).await
    }

    /// Lets one fire, or stops it. Slots that pass while it is stopped are not missed.
    pub async fn enable(&self, name: &str, enabled: bool) -> Result<Scheduled, Refused> {
        let found = self.store.queue().enable_schedule(self.key(name), enabled).await?;
        scheduled(found.ok_or_else(|| not_found(name))?)
    }

    /// Forgets one. What it has submitted goes on.
    pub async fn remove(&self, name: &str) -> Result<(), Refused> {
        match self.store.queue().remove_schedule(self.key(name)).await? {
            true => Ok(()),
            false => Err(not_found(name)),
        }
    }

    async fn checked(&self, draft: Draft) -> Result<Schedule, Refused> {
        let field = |pointer, error: weaver_store::Error| Refused::Field {
            pointer,
            message: error.to_string(),
        };
        if !is_name(&draft.name) {
            return Err(Refused::Field {
                pointer: "/name",
                message: format!(
                    "`{}` is no name: it has 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`",
                    draft.name
                ),
            });
        }
        let template = Template::of(&draft.submission);
        // Whatever is wrong with it is said now, not at each slot.
        draft.submission.queued()?;
        Schedule::check_zone(&draft.zone).map_err(|error| field("/zone", error))?;
        let now = self.store.queue().now().await?;
        let mut schedule = Schedule::new(self.key(&draft.name), draft.cron, draft.zone, now)
            .map_err(|error| field("/cron", error))?;
        schedule.missed = draft.missed;
        schedule.payload = serde_json::to_vec(&template).expect("a template has a JSON form");
        match schedule.payload.len() {
            0..=PAYLOAD_BYTES_MAX => Ok(schedule),
            bytes => Err(Refused::Field {
                pointer: "/execution",
                message: format!(
                    "what a schedule submits has at most {} KiB, this has {}",
                    PAYLOAD_BYTES_MAX >> 10,
                    bytes.div_ceil(1 << 10)
                ),
            }),
        }
    }

    fn key(&self, name: &str) -> ScheduleKey {
        ScheduleKey { tenant: self.store.tenant(), name: name.into() }
    }
}

impl Template {
    fn of(submission: &Submission) -> Self {
        let Submission { version, order, thread, priority, key, budget_micros, .. } = submission;
        Template {
            version: version.hash,
            file: version.file.clone(),
            source: version.source.clone(),
            order: order.clone(),
            thread: thread.clone(),
            priority: priority.level(),
            key: key.as_ref().map(|key| (key.name.clone(), key.limit)),
            budget_micros: *budget_micros,
        }
    }

    /// What a slot submits.
    fn submission(&self, name: &str, slot: Timestamp) -> Result<Submission, Refused> {
        let version = WorkflowVersion {
            hash: self.version,
            file: self.file.clone(),
            source: self.source.clone(),
            created: now(),
        };
        let mut order = self.order.clone();
        order.labels.insert("schedule".into(), name.into());
        order.labels.insert("slot".into(), slot.to_rfc3339());
        let mut submission = Submission::new(version, order);
        submission.thread = self.thread.clone();
        submission.priority = Priority::new(self.priority)?;
        let key = self.key.clone();
        submission.key = key.map(|(name, limit)| ConcurrencyKey { name, limit });
        submission.budget_micros = self.budget_micros;
        Ok(submission)
    }
}

/// What a schedule's due slots do, as one batch: its executions and the use of the slots
/// are on disk together or not at all. Nothing when no slot is due.
pub(crate) fn firing(schedule: &Schedule, now: Timestamp) -> Result<Option<(Plan, Batch)>, Error> {
    let plan = schedule.plan(now)?;
    let Some(slot) = schedule.next.filter(|slot| *slot <= now) else { return Ok(None) };
    let used = Work::Fired { schedule: schedule.key.clone(), slot, next: plan.next };
    let mut batch = Batch::standalone().with(used);
    let template = decode(&schedule.payload)?;
    for slot in &plan.fire {
        let queued = template
            .submission(&schedule.key.name, *slot)
            .and_then(Submission::queued)
            .map_err(|refused| Error::Invalid(refused.to_string()))?;
        batch.push(queued.execution);
        batch.records.extend(queued.records);
        batch.push(Work::Enqueue(queued.enqueue));
    }
    Ok(Some((plan, batch)))
}

fn scheduled(schedule: Schedule) -> Result<Scheduled, Refused> {
    let template = decode(&schedule.payload)?;
    Ok(Scheduled { schedule, template })
}

fn decode(payload: &[u8]) -> Result<Template, Error> {
    serde_json::from_slice(payload)
        .map_err(|error| Error::Unreadable(format!("what a schedule submits: {error}")))
}

/// Whether two say the same, whenever they were made.
fn is_same(one: &Schedule, other: &Schedule) -> bool {
    let (enabled, next) = (one.enabled, one.next);
    *one == Schedule { enabled, next, ..other.clone() }
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // Not `.` and `..`: they mean something else in an address.
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.chars().all(is_letter)
        && text.chars().any(|c| c != '.')
}

fn not_found(name: &str) -> Refused {
    Refused::NotFound(format!("there is no schedule `{name}`"))
}
