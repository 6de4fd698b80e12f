//! Calls that must happen at most once and whose outcome nobody knows: a person says.

use std::sync::Arc;

use weaver_core::{Event, EventKind, Failure, FailureKind, Timestamp, Value};
use weaver_store::{
    Batch, Effect, EffectStatus, Execution, ExecutionChange, ExecutionId, ExecutionStatus, Record,
    Work,
};

use super::{Executions, Refused, View};
use crate::journal::{self, now};
use crate::{codec, effects};

/// A call that was under way when its process died.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenCall {
    /// The idempotency key that the other side was given.
    pub key: Arc<str>,
    /// What is called: `tool`, `http` …
    pub kind: Arc<str>,
    /// What was asked.
    pub request: Value,
    /// When it was about to be made.
    pub since: Timestamp,
}

/// What a person has found out about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It happened, and this came of it: the execution goes on with that.
    Happened(Value),
    /// It did not happen: the execution goes on and makes it.
    NotHappened,
    /// The execution ends as failed, for this reason.
    Fail(String),
}

impl Executions {
    /// Calls of an execution that wait for a person to say what came of them.
    pub async fn open_calls(&self, execution: &Execution) -> Result<Vec<OpenCall>, Refused> {
        if execution.status != ExecutionStatus::Waiting || execution.error.is_none() {
            return Ok(Vec::new());
        }
        let open = self.open_effects(execution).await?;
        Ok(open.iter().map(open_call).collect())
    }

    async fn open_effects(&self, execution: &Execution) -> Result<Vec<Effect>, Refused> {
        let mut open = self.store.open_effects(execution.thread.clone()).await?;
        open.retain(|effect| effect.execution == execution.id);
        Ok(open)
    }

    /// Says what came of a call, and lets the execution go on; without a key, of the
    /// only one. The first verdict counts.
    pub async fn reconcile(
        &self,
        id: ExecutionId,
        call: Option<&str>,
        verdict: &Verdict,
    ) -> Result<View, Refused> {
        if self.was_done().await? {
            return self.get(id).await;
        }
        let fence = self.fence(id).await?;
        let execution = self.get(id).await?.execution;
        let open = self.open_effects(&execution).await?;
        let effect = chosen(&execution, open, call)?;
        let mut batch = Batch::standalone();
        batch.push(Work::Idle { execution: id, fence });
        match verdict {
            Verdict::Happened(result) => {
                let result = result.to_json().into_bytes();
                batch.push(Effect { status: EffectStatus::Done, result, time: now(), ..effect });
                batch.push(Work::Wake(id));
            }
            Verdict::NotHappened => {
                let result = codec::encode(&not_made());
                batch.push(Effect { status: EffectStatus::Failed, result, time: now(), ..effect });
                batch.push(Work::Wake(id));
            }
            Verdict::Fail(reason) => self.end_failed(&mut batch, &execution, reason).await?,
        }
        self.change(batch).await?;
        self.get(id).await
    }

    async fn end_failed(
        &self,
        batch: &mut Batch,
        execution: &Execution,
        reason: &str,
    ) -> Result<(), Refused> {
        let message = format!("the outcome of a call is not known: {reason}");
        let failure = Failure::new(FailureKind::Tool, effects::NEEDS_ATTENTION, message);
        let json = serde_json::to_value(&failure).expect("a failure has a JSON form");
        let data = Value::map([("status", Value::str("failed"))]);
        let events = [
            Event::new(EventKind::Error).with_data(Value::from(&json)),
            Event::new(EventKind::Done).with_data(data),
        ];
        let mut sequence = self.store.head(execution.id).await?.sequence;
        for mut event in events {
            sequence += 1;
            (event.sequence, event.time) = (sequence, now());
            batch.push(journal::to_entry(execution.id, &event));
        }
        batch.push(ExecutionChange {
            id: execution.id,
            status: ExecutionStatus::Failed,
            ended: Some(now()),
            error: Some(codec::encode(&failure)),
            totals: execution.totals,
        });
        batch.push(Work::Done(execution.id));
        batch.records.extend(execution.parent.map(|parent| Record::Work(Work::Wake(parent))));
        Ok(())
    }
}

fn open_call(effect: &Effect) -> OpenCall {
    OpenCall {
        key: effect.key.clone(),
        kind: effect.kind.clone(),
        request: serde_json::from_slice(&effect.result).unwrap_or_default(),
        since: effect.time,
    }
}

/// The call that is meant.
fn chosen(execution: &Execution, open: Vec<Effect>, key: Option<&str>) -> Result<Effect, Refused> {
    let is_meant = |effect: &Effect| key.is_none_or(|key| effect.key.starts_with(key));
    let mut meant: Vec<Effect> = open.into_iter().filter(is_meant).collect();
    match (meant.len(), key) {
        (1, _) => Ok(meant.remove(0)),
        (0, None) => Err(Refused::Conflict(format!(
            "no call of the execution has an unknown outcome: it is {}",
            execution.status.as_str()
        ))),
        (0, Some(key)) => Err(Refused::Conflict(format!(
            "no call `{key}` of the execution has an unknown outcome; somebody may have said it already"
        ))),
        (n, None) => Err(Refused::Invalid(format!(
            "{n} calls have an unknown outcome: say which one this is about"
        ))),
        (n, Some(key)) => {
            Err(Refused::Invalid(format!("`{key}` may be {n} calls; write more of it")))
        }
    }
}

/// What is recorded of a call that a person says was not made: it may be made again.
fn not_made() -> Failure {
    Failure::new(FailureKind::Tool, "call_not_made", "a person says that it did not happen")
}
