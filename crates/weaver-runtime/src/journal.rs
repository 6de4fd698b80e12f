//! [`Journal`]: the one way by which a run's events and records reach the log
//! and those who watch.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weaver_core::event::Usage;
use weaver_core::{Event, EventKind, Timestamp, Value};
use weaver_store::{Batch, Entry, ExecutionId, LeaseChange, Record, Store, Ticket, Totals, Work};

use crate::request::{Claimed, Clock};

/// Is shown every event as it happens, live-only ones included.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Sees the events of a run as the log has them: what the log keeps once it is on disk,
/// in order and one by one, and the rest as it happens.
pub trait Follower: Send + Sync {
    /// Whether anybody looks: what happens between events is made only then. May change
    /// at any time.
    fn is_there(&self) -> bool;

    /// Is shown an event, whether anybody looks or not.
    fn see(&self, event: &Event);

    /// Is told how long a superstep took, whether anybody looks or not.
    fn stepped(&self, took: Duration) {
        let _ = took;
    }
}

/// Event data above this size is not repeated in the log: values stand in
/// checkpoints, messages in the records of effects.
pub(crate) const DATA_BYTES_MAX: usize = 512;

/// In the data of a last event: the keys of its values, where these are what the
/// checkpoint of the event has under them. A long conversation would stand in the log
/// once for each of its turns otherwise.
pub(crate) const STAND_IN_STATE: &str = "keys";

/// Orders the events of one execution, shows them, and gathers what is to be
/// written until the next [`Journal::flush`].
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

struct Inner {
    store: Option<Store>,
    execution: ExecutionId,
    sequence: u64,
    batch: Batch,
    /// Of every batch.
    fence: Option<u64>,
    totals: Totals,
    listener: Option<Listener>,
    follower: Option<Arc<dyn Follower>>,
    /// What the batch holds of what the follower is to see.
    untold: Vec<Event>,
    /// Shows what the batch before held.
    telling: Option<JoinHandle<()>>,
    clock: Clock,
    /// It was claimed before, and no superstep has ended since.
    redelivered: bool,
    /// What was asked of the thread may not be on disk yet.
    asked: bool,
}

impl Journal {
    /// A journal that goes on after `sequence` and with earlier sums. Without a
    /// store nothing is kept.
    pub fn new(
        store: Option<Store>,
        execution: ExecutionId,
        sequence: u64,
        totals: Totals,
        listener: Option<Listener>,
    ) -> Self {
        let batch = Batch::of(execution);
        let inner = Inner {
            store,
            execution,
            sequence,
            batch,
            fence: None,
            totals,
            listener,
            follower: None,
            untold: Vec::new(),
            telling: None,
            clock: Clock::Wall,
            redelivered: false,
            asked: false,
        };
        Journal(Arc::new(Mutex::new(inner)))
    }

    /// Shows what follows to somebody who wants to see what the log keeps.
    pub(crate) fn show_to(&self, follower: Option<Arc<dyn Follower>>) {
        self.lock().follower = follower;
    }

    /// Takes the lease of a claimed execution: from here on nothing is kept unless
    /// its fence is still the execution's.
    pub(crate) fn take(&self, claimed: Claimed) {
        let Claimed { standing, lease, deliveries } = claimed;
        let execution = standing.execution.id;
        let fence = Some(lease.fence);
        {
            let inner = &mut *self.lock();
            (inner.fence, inner.batch.fence) = (fence, fence);
            inner.redelivered = deliveries > 1;
        }
        // The claim has raised the execution's fence; who holds it is known with the
        // first batch, which needs no commit of its own for that.
        self.record(Record::Lease(LeaseChange { execution, lease }));
    }

    /// A superstep is done: what the process died of before, if it did, is behind.
    pub(crate) fn got_on(&self, took: Duration) {
        let inner = &mut *self.lock();
        if let Some(follower) = &inner.follower {
            follower.stepped(took);
        }
        if let Some(fence) = inner.fence.filter(|_| inner.redelivered) {
            inner.redelivered = false;
            let execution = inner.execution;
            inner.batch.push(Record::Work(Work::GotOn { execution, fence }));
        }
    }

    /// Times what happens from here on by a clock.
    pub(crate) fn go_by(&self, clock: Clock) {
        self.lock().clock = clock;
    }

    /// The time by which events are timed.
    pub(crate) fn now(&self) -> Timestamp {
        self.lock().clock.now()
    }

    /// Numbers and times an event, shows it, and keeps it unless it is live only. Gives its
    /// time.
    pub fn emit(&self, mut event: Event) -> Timestamp {
        let inner = &mut *self.lock();
        let time = inner.clock.now();
        if inner.store.is_none() && inner.listener.is_none() && inner.follower.is_none() {
            return time;
        }
        event.time = time;
        if !event.kind.is_live_only() {
            inner.sequence += 1;
        }
        event.sequence = inner.sequence;
        if event.kind == EventKind::LlmResponse {
            inner.totals.usage += event.usage.unwrap_or_default();
            inner.totals.cost_micros += event.cost_micros.unwrap_or_default();
        }
        if inner.store.is_some() && !event.kind.is_live_only() {
            // Whoever submitted it asks for what came of it; a run in a terminal has said it.
            let data = match (event.kind, inner.fence) {
                (EventKind::Done, Some(_)) if event.data.get(STAND_IN_STATE).is_none() => {
                    event.data.clone()
                }
                _ => small(event.kind, &event.data),
            };
            let kept = Event { data, ..event.clone() };
            inner.batch.push(Record::Entry(entry(inner.execution, &kept)));
            if inner.follower.is_some() {
                inner.untold.push(kept);
            }
        } else if let Some(follower) = &inner.follower {
            follower.see(&event);
        }
        if let Some(listener) = inner.listener.clone() {
            listener(&event);
        }
        time
    }

    /// Adds a record to what is written next.
    pub fn record(&self, record: Record) {
        let inner = &mut *self.lock();
        if inner.store.is_some() {
            inner.batch.push(record);
        }
    }

    /// Hands everything gathered to the store. The ticket of an empty batch is a
    /// barrier for all that went before.
    pub fn flush(&self) -> Ticket {
        let inner = &mut *self.lock();
        let Some(store) = &inner.store else { return Ticket::ready(Ok(())) };
        let next = Batch { fence: inner.fence, ..Batch::of(inner.execution) };
        let batch = std::mem::replace(&mut inner.batch, next);
        let ticket = store.append(batch);
        match &inner.follower {
            Some(follower) if !inner.untold.is_empty() => {
                let events = std::mem::take(&mut inner.untold);
                let (ticket, telling) =
                    tell(ticket, events, follower.clone(), inner.telling.take());
                inner.telling = Some(telling);
                ticket
            }
            _ => ticket,
        }
    }

    /// Something was asked of the thread, and recorded: [`Journal::settle_asked`].
    pub(crate) fn note_asked(&self) {
        let inner = &mut *self.lock();
        inner.asked = inner.store.is_some();
    }

    /// Waits until what was asked of the thread is on disk.
    pub(crate) async fn settle_asked(&self) -> weaver_store::Result<()> {
        if self.lock().asked {
            // Taken back only afterwards: calls beside this one wait as well.
            self.flush().await?;
            self.lock().asked = false;
        }
        Ok(())
    }

    /// Whether anybody looks at events as they happen.
    pub fn is_watched(&self) -> bool {
        let inner = self.lock();
        inner.listener.is_some() || inner.follower.as_ref().is_some_and(|it| it.is_there())
    }

    /// Tokens and money so far.
    pub fn totals(&self) -> Totals {
        self.lock().totals
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no listener panics while the journal is held")
    }
}

/// Shows events once the ticket of their batch says that they are on disk, whoever
/// waits for that, and once those before them were shown.
fn tell(
    ticket: Ticket,
    events: Vec<Event>,
    follower: Arc<dyn Follower>,
    earlier: Option<JoinHandle<()>>,
) -> (Ticket, JoinHandle<()>) {
    let (done, answer) = oneshot::channel();
    let telling = tokio::spawn(async move {
        let result = ticket.await;
        if let Some(earlier) = earlier {
            // A follower that panics has told its own story.
            let _ = earlier.await;
        }
        if result.is_ok() {
            events.iter().for_each(|event| follower.see(event));
        }
        // The run may be over.
        let _ = done.send(result);
    });
    (Ticket::waiting(answer), telling)
}

/// The wall clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// What an [`Entry`] holds besides its columns. A promise: fields are only added.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_micros: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
}

pub(crate) fn to_entry(execution: ExecutionId, event: &Event) -> Entry {
    entry(execution, &Event { data: small(event.kind, &event.data), ..event.clone() })
}

fn entry(execution: ExecutionId, event: &Event) -> Entry {
    let payload = Payload {
        node: event.node.clone(),
        task: event.task.clone(),
        duration_us: event.duration_us,
        usage: event.usage,
        cost_micros: event.cost_micros,
        checkpoint: event.checkpoint.clone(),
        data: event.data.clone(),
    };
    Entry {
        execution,
        sequence: event.sequence,
        kind: kind_word(event.kind).into(),
        namespace: event.namespace.join("|").into(),
        step: event.step,
        time: event.time,
        payload: serde_json::to_vec(&payload).expect("a payload has a JSON form"),
    }
}

/// The event that an entry was made of; an unknown kind gives nothing.
pub fn from_entry(entry: &Entry) -> Option<Event> {
    let kind = serde_json::from_value(serde_json::Value::String(entry.kind.to_string())).ok()?;
    let payload: Payload = serde_json::from_slice(&entry.payload).ok()?;
    let namespace = entry.namespace.split('|').filter(|part| !part.is_empty());
    Some(Event {
        sequence: entry.sequence,
        time: entry.time,
        kind,
        step: entry.step,
        namespace: namespace.map(String::from).collect(),
        node: payload.node,
        task: payload.task,
        duration_us: payload.duration_us,
        usage: payload.usage,
        cost_micros: payload.cost_micros,
        checkpoint: payload.checkpoint,
        data: payload.data,
    })
}

fn kind_word(kind: EventKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(word)) => word,
        _ => unreachable!("an event kind is a word"),
    }
}

/// Large parts of event data stand elsewhere in the log: only their size is kept here.
fn small(kind: EventKind, data: &Value) -> Value {
    let whole = matches!(kind, EventKind::Error | EventKind::Interrupt | EventKind::Notice);
    if whole || data.approximate_size() <= DATA_BYTES_MAX {
        return data.clone();
    }
    match data {
        Value::Map(map) => Value::map(map.iter().map(|(key, value)| {
            let size = value.approximate_size();
            // These stand nowhere else: of a beginning all but the input, and what a reused
            // result had cost.
            let sole = (kind == EventKind::Start && &**key != "input")
                || matches!(&**key, "cost" | "spared" | STAND_IN_STATE);
            let kept = match sole || size <= DATA_BYTES_MAX / 4 {
                true => value.clone(),
                false => elided(size),
            };
            (key.clone(), kept)
        })),
        other => elided(other.approximate_size()),
    }
}

/// An input as lists of executions show it: what is large stands whole in the
/// execution's first checkpoint.
pub(crate) fn brief(input: &Value) -> Value {
    match input.approximate_size() {
        0..=INPUT_BYTES_MAX => input.clone(),
        size => elided(size),
    }
}

/// See [`brief`].
const INPUT_BYTES_MAX: usize = 256;

fn elided(bytes: usize) -> Value {
    Value::tagged("elided", [("bytes", Value::from(bytes))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_its_event_back_without_large_data() {
        let mut event = Event::new(EventKind::NodeExit);
        event.namespace = vec!["a:1".into(), "b:2".into()];
        event.node = Some("n".into());
        event.data = Value::map([("update", Value::str("x".repeat(4000))), ("ok", true.into())]);
        let back = from_entry(&to_entry(ExecutionId::generate(), &event)).unwrap();
        assert_eq!(back.namespace, event.namespace);
        assert_eq!(back.data.get("ok"), Some(&true.into()));
        assert_eq!(back.data.get("update").unwrap().tag(), Some("elided"));
    }

    #[test]
    fn only_durable_events_are_numbered() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let listener: Listener = Arc::new(move |event: &Event| {
            sink.lock().unwrap().push((event.kind, event.sequence));
        });
        let journal =
            Journal::new(None, ExecutionId::generate(), 0, Totals::default(), Some(listener));
        for kind in [EventKind::Start, EventKind::LlmStreamChunk, EventKind::Done] {
            journal.emit(Event::new(kind));
        }
        let seen = seen.lock().unwrap();
        assert_eq!(
            *seen,
            [(EventKind::Start, 1), (EventKind::LlmStreamChunk, 1), (EventKind::Done, 2)]
        );
    }
}
