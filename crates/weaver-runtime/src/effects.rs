//! [`TaskEffects`]: the recorded calls of one task, served again instead of fired.

use std::future::Future;
use std::sync::{Arc, Mutex};

use weaver_core::{Failure, FailureKind, Hash, Value};
use weaver_store::{Effect, EffectStatus, ExecutionId, Lane, Record, crash_point};

use crate::journal::Journal;
use crate::past::{Answered, Past};

/// What kind of call it is, and what that means after a crash or a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectPolicy {
    /// Depends on nothing outside (an offline model): recorded in passing.
    Local,
    /// Asks the outside without changing it (a model, a read): the result is on
    /// disk before the node sees it; a retry of the node asks again.
    Ask,
    /// Changes the outside (a tool, a POST): as `Ask`, and a retry of the node is
    /// given the recorded result.
    Change,
    /// As `Change`, and never fired when an earlier firing's outcome is unknown:
    /// the intent is on disk before the call.
    AtMostOnce,
}

/// One call out of a node.
#[derive(Clone, Debug)]
pub struct EffectRequest {
    /// `model`, `tool`, `http`, `clock` …
    pub kind: &'static str,
    /// What is asked. The log keeps its hash; of a call that is made at most once it keeps
    /// the request too, until the outcome is known.
    pub request: Value,
    /// See [`EffectPolicy`].
    pub policy: EffectPolicy,
}

/// What a call in the outside is given.
#[derive(Clone, Debug)]
pub struct Fire {
    /// Idempotency key: the same for the same call of the same task, whatever
    /// the attempt or the process.
    pub key: String,
    /// How often this very call failed in this attempt before.
    pub earlier_failures: u32,
}

/// The calls of one task, in order. Shared by all that the task does at once.
#[derive(Clone)]
pub struct TaskEffects(Arc<Mutex<Inner>>);

struct Inner {
    lane: Lane,
    task: Arc<str>,
    execution: ExecutionId,
    step: i64,
    attempt: u32,
    next: u32,
    recorded: Vec<Effect>,
    /// Results of earlier attempts that were served again.
    served: Vec<u32>,
    /// What an earlier execution recorded, where this one goes by it.
    past: Option<Past>,
    journal: Journal,
}

/// The code of a call whose outcome only a person can find out, as [`needs_attention`]
/// gives it.
pub(crate) const NEEDS_ATTENTION: &str = "needs_attention";

/// Ordinals of an attempt start at its number times this.
const ORDINALS_PER_ATTEMPT: u32 = 1 << 16;

impl TaskEffects {
    /// The calls of a task's attempt; `recorded` is what the log holds of the task.
    pub fn new(
        lane: Lane,
        task: Arc<str>,
        execution: ExecutionId,
        step: i64,
        attempt: u32,
        recorded: Vec<Effect>,
        journal: Journal,
    ) -> Self {
        TaskEffects(Arc::new(Mutex::new(Inner {
            lane,
            task,
            execution,
            step,
            attempt,
            next: 0,
            recorded,
            served: Vec::new(),
            past: None,
            journal,
        })))
    }

    /// Answers calls from what an earlier execution recorded.
    pub(crate) fn follow(&self, past: Past) {
        self.lock().past = Some(past);
    }

    /// The lane and the name of the task in the records.
    pub(crate) fn name(&self) -> (Lane, Arc<str>) {
        let inner = self.lock();
        (inner.lane.clone(), inner.task.clone())
    }

    /// Whether nothing is ever fired here.
    pub fn is_replay(&self) -> bool {
        self.lock().past.as_ref().is_some_and(Past::is_strict)
    }

    /// How many calls were made: the place to go on from after a suspension.
    pub fn position(&self) -> u32 {
        self.lock().next
    }

    /// Goes on as if `position` calls had been made already.
    pub fn skip_to(&self, position: u32) {
        self.lock().next = position;
    }

    /// Gives the recorded result of this call, or fires it and records what came.
    pub async fn call<F>(
        &self,
        request: EffectRequest,
        fire: impl FnOnce(Fire) -> F,
    ) -> Result<Value, Failure>
    where
        F: Future<Output = Result<Value, Failure>>,
    {
        let slot = self.lock().take_slot(&request);
        if let Some(result) = slot.result {
            return Ok(result);
        }
        if slot.unknown {
            return Err(needs_attention(&request, &slot.key));
        }
        match self.past_answer(&slot, &request) {
            Answered::Fire => {}
            Answered::Done(value) => {
                self.record(&slot, &request, EffectStatus::Done, value.to_json().into_bytes());
                return Ok(value);
            }
            Answered::Failed(failure) => return Err(failure),
            Answered::Unknown => return Err(needs_attention(&request, &slot.key)),
        }
        if request.policy != EffectPolicy::Local {
            let journal = self.lock().journal.clone();
            journal.settle_asked().await.map_err(crate::error::store_failure)?;
        }
        if request.policy == EffectPolicy::AtMostOnce {
            // Should the outcome stay unknown, a person wants to know of what.
            let asked = request.request.to_json().into_bytes();
            self.record(&slot, &request, EffectStatus::Intent, asked);
            self.durable().await?;
        }
        crash_point!("during_effect");
        let fired = fire(Fire { key: slot.key.clone(), earlier_failures: slot.failures }).await;
        crash_point!("after_effect");
        match &fired {
            Ok(value) => {
                self.record(&slot, &request, EffectStatus::Done, value.to_json().into_bytes());
                if request.policy != EffectPolicy::Local {
                    self.durable().await?;
                }
            }
            Err(failure) => {
                let error = serde_json::to_vec(failure).expect("a failure has a JSON form");
                self.record(&slot, &request, EffectStatus::Failed, error);
            }
        }
        fired
    }

    fn past_answer(&self, slot: &Slot, request: &EffectRequest) -> Answered {
        let inner = &mut *self.lock();
        let Some(past) = &mut inner.past else { return Answered::Fire };
        past.answer(slot.ordinal, request, slot.request)
    }

    fn record(&self, slot: &Slot, request: &EffectRequest, status: EffectStatus, result: Vec<u8>) {
        let inner = &mut *self.lock();
        let effect = Effect {
            lane: inner.lane.clone(),
            task: inner.task.clone(),
            ordinal: slot.ordinal,
            execution: inner.execution,
            step: inner.step,
            kind: request.kind.into(),
            request: slot.request,
            key: slot.key.as_str().into(),
            status,
            result,
            time: inner.journal.now(),
        };
        inner.recorded.retain(|old| old.ordinal != slot.ordinal);
        inner.recorded.push(effect.clone());
        inner.journal.record(Record::Effect(effect));
    }

    async fn durable(&self) -> Result<(), Failure> {
        let ticket = self.lock().journal.flush();
        ticket.await.map_err(crate::error::store_failure)
    }

    /// What was recorded, for a following attempt in this process.
    pub fn recorded(&self) -> Vec<Effect> {
        self.lock().recorded.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while the effects are held")
    }
}

/// Where a call stands before it is fired.
struct Slot {
    ordinal: u32,
    key: String,
    request: Hash,
    result: Option<Value>,
    unknown: bool,
    failures: u32,
}

impl Inner {
    fn take_slot(&mut self, request: &EffectRequest) -> Slot {
        let position = self.next;
        self.next += 1;
        let ordinal = self.attempt.saturating_sub(1) * ORDINALS_PER_ATTEMPT + position;
        let hash = Hash::of(request.request.to_json().as_bytes());
        let mut slot = Slot {
            ordinal,
            key: self.key(request.kind, position),
            request: hash,
            result: None,
            unknown: false,
            failures: 0,
        };
        let same = |effect: &&Effect| effect.request == hash && &*effect.kind == request.kind;
        if let Some(own) = self.recorded.iter().filter(same).find(|e| e.ordinal == ordinal) {
            match own.status {
                EffectStatus::Done => slot.result = parse(own),
                EffectStatus::Failed => slot.failures = 1,
                EffectStatus::Intent => slot.unknown = request.policy == EffectPolicy::AtMostOnce,
            }
            return slot;
        }
        if matches!(request.policy, EffectPolicy::Change | EffectPolicy::AtMostOnce) {
            let first_of_attempt = ordinal - position;
            let earlier = self.recorded.iter().filter(same).find(|effect| {
                effect.ordinal < first_of_attempt
                    && effect.status != EffectStatus::Failed
                    && !self.served.contains(&effect.ordinal)
            });
            if let Some(earlier) = earlier {
                match earlier.status {
                    EffectStatus::Done => slot.result = parse(earlier),
                    _ => slot.unknown = request.policy == EffectPolicy::AtMostOnce,
                }
                self.served.push(earlier.ordinal);
            }
        }
        slot
    }

    /// A task's id follows from the id of an input, which no other tenant, thread or
    /// execution shares. A thread that goes on after a crash is another execution with the
    /// same tasks, so the execution must not be part of the key.
    fn key(&self, kind: &str, position: u32) -> String {
        let position = position.to_string();
        let parts = [&*self.lane.thread, &*self.lane.namespace, &*self.task, kind, &*position];
        Hash::of_parts(parts.map(str::as_bytes)).to_hex()[..32].to_string()
    }
}

fn parse(effect: &Effect) -> Option<Value> {
    serde_json::from_slice(&effect.result).ok()
}

fn needs_attention(request: &EffectRequest, key: &str) -> Failure {
    Failure::new(
        FailureKind::Tool,
        "needs_attention",
        format!(
            "a {} call that must happen at most once was under way when the process died, and its outcome is not known (key {key})",
            request.kind
        ),
    )
    .with_help(
        "look at the other side whether it happened, then say so with `agentweaver reconcile`, or fork before it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn effects(attempt: u32, recorded: Vec<Effect>) -> TaskEffects {
        let execution = ExecutionId::generate();
        let journal = Journal::new(None, execution, 0, Default::default(), None);
        TaskEffects::new(Lane::root("t"), "task".into(), execution, 1, attempt, recorded, journal)
    }

    fn request(policy: EffectPolicy, what: &str) -> EffectRequest {
        EffectRequest { kind: "tool", request: what.into(), policy }
    }

    async fn fire(effects: &TaskEffects, request: EffectRequest, count: &AtomicU32) -> Value {
        let fired = effects.call(request, |_| async {
            Ok(Value::Int(i64::from(count.fetch_add(1, Ordering::Relaxed))))
        });
        fired.await.unwrap()
    }

    #[tokio::test]
    async fn a_rerun_of_the_same_attempt_fires_nothing_again() {
        let count = AtomicU32::new(0);
        let first = effects(1, Vec::new());
        for what in ["a", "b"] {
            fire(&first, request(EffectPolicy::Ask, what), &count).await;
        }
        let again = effects(1, first.recorded());
        for (what, value) in [("a", 0), ("b", 1)] {
            assert_eq!(fire(&again, request(EffectPolicy::Ask, what), &count).await, value.into());
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
        fire(&again, request(EffectPolicy::Ask, "c"), &count).await;
        assert_eq!(count.load(Ordering::Relaxed), 3, "a new call is fired");
    }

    #[tokio::test]
    async fn a_retry_asks_again_but_changes_nothing_twice() {
        let count = AtomicU32::new(0);
        let first = effects(1, Vec::new());
        fire(&first, request(EffectPolicy::Ask, "model"), &count).await;
        fire(&first, request(EffectPolicy::Change, "pay"), &count).await;
        let retry = effects(2, first.recorded());
        fire(&retry, request(EffectPolicy::Ask, "model"), &count).await;
        assert_eq!(fire(&retry, request(EffectPolicy::Change, "pay"), &count).await, 1.into());
        assert_eq!(count.load(Ordering::Relaxed), 3);
        fire(&retry, request(EffectPolicy::Change, "pay"), &count).await;
        assert_eq!(count.load(Ordering::Relaxed), 4, "a second, equal wish is another call");
    }

    #[tokio::test]
    async fn an_unknown_outcome_is_never_fired_again() {
        let first = effects(1, Vec::new());
        let wish = request(EffectPolicy::AtMostOnce, "pay");
        let slot = first.lock().take_slot(&wish);
        first.record(&slot, &wish, EffectStatus::Intent, Vec::new());
        let again = effects(1, first.recorded());
        let failed = again.call(wish, |_| async { Ok(Value::Null) }).await.unwrap_err();
        assert_eq!(failed.code, "needs_attention");
    }

    #[tokio::test]
    async fn the_key_does_not_depend_on_the_attempt() {
        let keys = Mutex::new(Vec::new());
        for attempt in [1, 2] {
            let effects = effects(attempt, Vec::new());
            let fired = effects.call(request(EffectPolicy::Ask, "a"), |fire| {
                keys.lock().unwrap().push(fire.key);
                async { Ok(Value::Null) }
            });
            fired.await.unwrap();
        }
        let keys = keys.into_inner().unwrap();
        assert_eq!(keys[0], keys[1]);
    }
}
