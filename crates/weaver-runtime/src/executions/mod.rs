//! [`Executions`]: what can be asked of executions from outside: submit, look,
//! answer, pause, cancel, try again.

mod again;
mod attention;
mod moving;
mod once;
mod retry;
mod search;
mod stepping;
mod submission;

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::{Event, EventKind, Timestamp, Value};
use weaver_engine::checkpoint::Stored;
use weaver_store::{
    Accepted, Budget, Cancel, Cancelled, Decision, Entry, Execution, ExecutionId, ExecutionQuery,
    ExecutionStatus, Interrupt, Store, TenantId, Totals, WorkInfo, WorkKey, WorkState,
};

use crate::error::Error;
use crate::journal::{self, STAND_IN_STATE, now};
use crate::order::Order;
use crate::questions::deadline_of;
use crate::scheduler::Seats;
use crate::tasks::{self, Tasks};
use crate::{children, codec, purse, thread};
pub use again::Rerun;
pub use attention::{OpenCall, Verdict};
pub use moving::AtRest;
pub use once::Once;
pub use search::Wanted;
pub use stepping::Held;
pub use submission::{INPUT_BYTES_MAX, Submission};

/// Executions of one tenant.
#[derive(Clone)]
pub struct Executions {
    store: Store,
    /// What makes a repeat of the next change harmless.
    once: Option<Once>,
    /// Where what is submitted may find its driver at once.
    seats: Seats,
}

/// One execution, with its place in the queue.
#[derive(Clone, Debug)]
pub struct View {
    /// How it stands in the log.
    pub execution: Execution,
    /// Its place in the queue; nothing when it has ended or was never queued.
    pub work: Option<WorkInfo>,
    /// The file that it runs.
    pub file: String,
    /// What it was asked to do.
    pub order: Order,
}

/// An open question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its id.
    pub id: Arc<str>,
    /// The subgraph that asks; empty for the root graph.
    pub namespace: Arc<str>,
    /// What is asked.
    pub value: Value,
    /// When.
    pub asked: Timestamp,
    /// Until when an answer counts.
    pub deadline: Option<Timestamp>,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A part of the request makes no sense.
    #[error("{message}")]
    Field {
        /// Which, as a JSON pointer into the request.
        pointer: &'static str,
        /// Why.
        message: String,
    },
    /// It does not fit how the thing stands that it is about.
    #[error("{0}")]
    Conflict(String),
    /// The key was used for another request.
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
    /// The log cannot be read or written.
    #[error(transparent)]
    Failed(#[from] crate::Error),
}

impl From<weaver_store::Error> for Refused {
    fn from(error: weaver_store::Error) -> Self {
        match error {
            // It does not fit how the execution stands by now.
            weaver_store::Error::Conflict(message) => Refused::Conflict(message),
            weaver_store::Error::Invalid(message) => Refused::Invalid(message),
            weaver_store::Error::KeyReused { .. } => Refused::KeyReused,
            other => Refused::Failed(other.into()),
        }
    }
}

impl Executions {
    /// The executions of a store's tenant.
    pub fn new(store: Store) -> Self {
        Executions { store, once: None, seats: Seats::default() }
    }

    /// The same, where a scheduler of this process may have room for what is submitted.
    pub fn beside(mut self, seats: Seats) -> Self {
        self.seats = seats;
        self
    }

    /// Accepts something to be executed. When this returns it is on disk, and will
    /// end or wait visibly.
    pub async fn submit(&self, submission: Submission) -> Result<Execution, Refused> {
        let on_new_thread = submission.thread.is_none();
        let queued = submission.queued()?;
        let execution = queued.execution.clone();
        match self.seats.submit(&self.store, queued, on_new_thread).await? {
            Accepted::New => Ok(execution),
            Accepted::Repeat(answer) => self.answered(&answer).await,
        }
    }

    /// The execution that the same request was answered with before.
    async fn answered(&self, answer: &[u8]) -> Result<Execution, Refused> {
        let id = uuid::Uuid::from_slice(answer).map(ExecutionId);
        let id = id.map_err(|error| crate::Error::Unreadable(error.to_string()))?;
        match self.store.execution(id).await? {
            Some(execution) => Ok(execution),
            None => Err(Refused::NotFound(format!("execution {id} was forgotten since"))),
        }
    }

    /// Executions, newest first.
    pub async fn list(&self, query: ExecutionQuery) -> Result<Vec<View>, Refused> {
        let found = self.store.executions(query).await?;
        self.views(found).await
    }

    /// One execution.
    pub async fn get(&self, id: ExecutionId) -> Result<View, Refused> {
        match self.store.queued(id).await? {
            Some((execution, work)) => self.view(execution, work).await,
            None => Err(Refused::NotFound(format!("there is no execution {id}"))),
        }
    }

    /// The same with the first and the last event of its log, read in one go.
    pub async fn overview(
        &self,
        id: ExecutionId,
    ) -> Result<(View, Option<(Event, Event)>), Refused> {
        let Some(found) = self.store.overview(id).await? else {
            return Err(Refused::NotFound(format!("there is no execution {id}")));
        };
        let view = self.view(found.execution, found.work).await?;
        Ok((view, found.ends.and_then(|ends| events(&ends))))
    }

    /// What [`Executions::overview`] gives of an execution that was seen from its submit to its
    /// good end: as it was submitted, with its first and its last event. Nothing if it did not
    /// end well.
    pub async fn completed(
        &self,
        mut execution: Execution,
        (first, last): (Event, Event),
    ) -> Result<Option<(View, Option<(Event, Event)>)>, Refused> {
        let word = last.data.get("status").and_then(Value::as_str);
        if last.kind != EventKind::Done || word != Some("completed") {
            return Ok(None);
        }
        execution.status = ExecutionStatus::Completed;
        execution.ended = Some(last.time);
        execution.totals = Totals {
            usage: last.usage.unwrap_or_default(),
            cost_micros: last.cost_micros.unwrap_or_default(),
        };
        Ok(Some((self.view(execution, None).await?, Some((first, last)))))
    }

    async fn views(&self, executions: Vec<Execution>) -> Result<Vec<View>, Refused> {
        let open = executions.iter().filter(|execution| !execution.status.is_end());
        let works = match open.map(|execution| execution.id).collect::<Vec<_>>() {
            open if open.is_empty() => Vec::new(),
            open => self.store.works(open).await?,
        };
        let mut works: HashMap<_, _> =
            works.into_iter().map(|work| (work.key.execution, work)).collect();
        let mut views = Vec::with_capacity(executions.len());
        for execution in executions {
            let work = works.remove(&execution.id);
            views.push(self.view(execution, work).await?);
        }
        Ok(views)
    }

    async fn view(&self, execution: Execution, work: Option<WorkInfo>) -> Result<View, Refused> {
        let file = match (&execution.workflow, execution.version) {
            (Some(file), _) => file.to_string(),
            (None, Some(hash)) => {
                self.store.version(hash).await?.map(|version| version.file).unwrap_or_default()
            }
            (None, None) => String::new(),
        };
        let order = Order::decode(&execution.input).unwrap_or_default();
        let work = work.filter(|_| !execution.status.is_end());
        Ok(View { execution, work, file, order })
    }

    /// Events after a sequence, in order; limit 0 means all.
    pub async fn events(
        &self,
        id: ExecutionId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Event>, Refused> {
        let entries = self.store.entries(id, after, limit).await?;
        Ok(entries.iter().filter_map(journal::from_entry).collect())
    }

    /// The state at an execution's end; null before, and when it did not end well.
    pub async fn output(&self, execution: &Execution) -> Result<Value, Refused> {
        if execution.status != ExecutionStatus::Completed {
            return Ok(Value::Null);
        }
        match self.store.ends(execution.id).await?.and_then(|ends| events(&ends)) {
            Some((_, last)) => self.output_at(execution, &last).await,
            None => Ok(Value::Null),
        }
    }

    /// The same, of an execution whose last event is known.
    pub async fn output_at(&self, execution: &Execution, last: &Event) -> Result<Value, Refused> {
        let is_output = execution.status == ExecutionStatus::Completed;
        if !is_output || last.kind != EventKind::Done {
            return Ok(Value::Null);
        }
        match last.data.get(STAND_IN_STATE).and_then(Value::as_list) {
            None => Ok(last.data.get("values").cloned().unwrap_or_default()),
            Some(keys) => self.values_at(execution, last, keys).await,
        }
    }

    /// What the checkpoint of an event has under some keys.
    async fn values_at(
        &self,
        execution: &Execution,
        event: &Event,
        keys: &[Value],
    ) -> Result<Value, Refused> {
        let gone =
            || Error::NotFound(format!("the last state of execution {} is gone", execution.id));
        let id = event.checkpoint.as_deref().and_then(|id| id.parse().ok()).ok_or_else(gone)?;
        let loaded = thread::load(&self.store, &execution.thread, "", Some(id)).await?;
        let (saved, _) = loaded.ok_or_else(gone)?;
        let value = |key: &Value| match saved.state.channels.get(key.as_str()?)?.stored.as_ref()? {
            Stored::Value(value) => Some((Arc::from(key.as_str()?), value.clone())),
            _ => None,
        };
        Ok(Value::Map(Arc::new(keys.iter().filter_map(value).collect())))
    }

    /// What an execution waits for a person to say, oldest first.
    pub async fn questions(&self, execution: &Execution) -> Result<Vec<Question>, Refused> {
        let mut questions = Vec::new();
        for (row, value) in self.open_waits(execution).await? {
            if is_for_a_person(&value) {
                questions.push(Question {
                    deadline: deadline_of(&value, row.time),
                    id: row.id,
                    namespace: row.lane.namespace,
                    value,
                    asked: row.time,
                });
            }
        }
        Ok(questions)
    }

    /// The executions that an execution has started and waits for.
    pub async fn waits_for(&self, execution: &Execution) -> Result<Vec<ExecutionId>, Refused> {
        let waits = self.open_waits(execution).await?;
        let child = |(_, value): &(Interrupt, Value)| children::child_of(value)?.parse().ok();
        Ok(waits.iter().filter_map(child).collect())
    }

    /// The tasks of an execution that are for workers.
    pub async fn tasks(&self, execution: &Execution) -> Result<Vec<tasks::Waiting>, Refused> {
        Ok(Tasks::new(self.store.clone()).waiting(execution).await?)
    }

    /// What an execution waits for, questions and children, with what was asked.
    async fn open_waits(&self, execution: &Execution) -> Result<Vec<(Interrupt, Value)>, Refused> {
        let mut open = Vec::new();
        for row in self.store.interrupts(execution.thread.clone(), true).await? {
            // A question whose superstep was left behind waits for nobody.
            let current = self.store.checkpoint(row.lane.clone(), None).await?;
            let is_current = current.is_some_and(|current| current.id == row.checkpoint);
            if is_current && row.execution == execution.id {
                let value = codec::decode(&row.value)?;
                open.push((row, value));
            }
        }
        Ok(open)
    }

    /// Answers a question; without a name, the only one. The first answer counts: the
    /// same again changes nothing, another one is a conflict.
    pub async fn answer(
        &self,
        id: ExecutionId,
        question: Option<&str>,
        answer: &Value,
    ) -> Result<View, Refused> {
        let view = self.get(id).await?;
        if self.was_done().await? {
            return Ok(view);
        }
        let row = self.question(&view.execution, question).await?;
        let decision = Decision {
            lane: row.lane,
            interrupt: row.id,
            answer: codec::encode(answer),
            time: now(),
            idempotency: self.idempotency(),
        };
        self.store.answer(decision).await?;
        self.get(id).await
    }

    /// The question that is meant: an open one, or one that was answered.
    async fn question(
        &self,
        execution: &Execution,
        name: Option<&str>,
    ) -> Result<Interrupt, Refused> {
        let Some(name) = name else {
            let mut open = self.open_waits(execution).await?;
            open.retain(|(_, value)| is_for_a_person(value));
            return match open.len() {
                1 => Ok(open.remove(0).0),
                0 => Err(Refused::Conflict(not_waiting(execution))),
                n => Err(Refused::Invalid(format!(
                    "the execution waits for {n} answers: say which question this one is for"
                ))),
            };
        };
        let rows = self.store.interrupts(execution.thread.clone(), false).await?;
        let mut own: Vec<Interrupt> = rows
            .into_iter()
            .filter(|row| row.execution == execution.id && row.id.starts_with(name))
            .filter(|row| codec::decode(&row.value).is_ok_and(|value| is_for_a_person(&value)))
            .collect();
        match own.len() {
            1 => Ok(own.remove(0)),
            0 => Err(Refused::NotFound(format!("the execution has no question `{name}`"))),
            n => Err(Refused::Invalid(format!("`{name}` may be {n} questions; write more of it"))),
        }
    }

    /// Holds an execution: before its next superstep, or before its turn.
    pub async fn pause(&self, id: ExecutionId) -> Result<View, Refused> {
        self.open(id).await?;
        self.store.pause(id).await?;
        self.get(id).await
    }

    async fn what_it_waits_for(
        &self,
        execution: &Execution,
        work: Option<WorkInfo>,
    ) -> Result<String, Refused> {
        let waits = match () {
            () if work.is_some_and(|work| work.state == WorkState::Dead) => {
                "was given up after too many deliveries: try it again"
            }
            () if execution.error.is_some() => "waits for a verdict on a call: reconcile it",
            () if !self.questions(execution).await?.is_empty() => "waits for an answer: give one",
            () if !self.waits_for(execution).await?.is_empty() => {
                "waits for an execution that it has started"
            }
            () if !self.tasks(execution).await?.is_empty() => "waits for a worker",
            () => "waits for its time",
        };
        Ok(format!("the execution is not paused, it {waits}"))
    }

    /// One execution that has not ended.
    async fn open(&self, id: ExecutionId) -> Result<View, Refused> {
        let view = self.get(id).await?;
        match view.execution.status.is_end() {
            true => Err(Refused::Conflict(has_ended(&view.execution))),
            false => Ok(view),
        }
    }

    /// Ends an execution and all that it has started. When this returns nothing
    /// more of them takes effect. A repeat gets the same answer.
    pub async fn cancel(&self, id: ExecutionId, reason: Option<&str>) -> Result<View, Refused> {
        self.get(id).await?;
        let data = Value::map([
            ("status", Value::str("cancelled")),
            ("reason", reason.map(String::from).into()),
        ]);
        let mut event = Event::new(EventKind::Done).with_data(data);
        event.time = now();
        let entry = journal::to_entry(id, &event);
        let cancel =
            Cancel { execution: id, kind: entry.kind, payload: entry.payload, time: event.time };
        let cancelled = self.store.cancel(cancel).await?;
        let view = self.get(id).await?;
        match cancelled {
            Cancelled::Cancelled => Ok(view),
            Cancelled::Ended(_) => Err(Refused::Conflict(has_ended(&view.execution))),
        }
    }

    /// How the budget of an execution's tree stands; nothing without one.
    pub async fn budget(&self, execution: &Execution) -> Result<Option<Budget>, Refused> {
        Ok(purse::budget_of(&self.store, execution).await?)
    }

    /// The execution that a text names: its id, or the beginning or end of exactly one.
    pub async fn find(&self, text: &str) -> Result<ExecutionId, Refused> {
        if let Ok(id) = uuid::Uuid::try_parse(text) {
            return Ok(ExecutionId(id));
        }
        let query = ExecutionQuery { limit: FIND_MAX, ..ExecutionQuery::default() };
        let wanted = text.to_ascii_lowercase();
        let all = self.store.executions(query).await?;
        let mut found = all.iter().map(|execution| execution.id).filter(|id| {
            let id = id.to_string();
            !wanted.is_empty() && (id.starts_with(&wanted) || id.ends_with(&wanted))
        });
        match (found.next(), found.count()) {
            (Some(id), 0) => Ok(id),
            (None, _) => Err(Refused::NotFound(format!("there is no execution `{text}`"))),
            (Some(_), more) => Err(Refused::Invalid(format!(
                "`{text}` may be {} executions; write more of it",
                more + 1
            ))),
        }
    }

    fn key(&self, id: ExecutionId) -> WorkKey {
        WorkKey::execution(self.store.tenant(), id)
    }

    /// Whose they are.
    pub fn tenant(&self) -> TenantId {
        self.store.tenant()
    }
}

fn events((first, last): &(Entry, Entry)) -> Option<(Event, Event)> {
    journal::from_entry(first).zip(journal::from_entry(last))
}

/// Whether somebody is to answer, and not a child or a worker.
fn is_for_a_person(question: &Value) -> bool {
    children::child_of(question).is_none() && !tasks::is_task(question)
}

/// So many of the newest executions are looked through for an abbreviated id.
const FIND_MAX: usize = 10_000;

fn has_ended(execution: &Execution) -> String {
    format!("the execution is {} already", execution.status.as_str())
}

fn not_waiting(execution: &Execution) -> String {
    match execution.status {
        ExecutionStatus::Waiting => "the execution waits for no answer of a person".into(),
        other => format!("the execution waits for no answer: it is {}", other.as_str()),
    }
}
