//! [`Committer`]: checkpoints and pending writes on their way to disk.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::FutureExt;
use weaver_core::{EventKind, Value};
use weaver_engine::checkpoint::{Change, Stored};
use weaver_engine::{CheckpointId, Commit, PendingRecord, Run, SaveWrites, TaskId};
use weaver_store::{
    ExecutionId, Interrupt, Lane, Record, SnapshotMeter, Store, Ticket, crash_point,
};

use crate::codec;
use crate::error::Error;
use crate::journal::{Journal, now};
use crate::request::Durability;

/// Writes what the engine commits, as early as the durability asks and never
/// out of order.
pub struct Committer {
    pub thread: Arc<str>,
    pub execution: ExecutionId,
    pub store: Option<Store>,
    pub journal: Journal,
    pub durability: Durability,
    /// Snapshot meters of the namespaces that were loaded or written.
    pub meters: HashMap<Arc<str>, SnapshotMeter>,
    /// Questions that the log holds already, by id.
    pub known_questions: HashMap<String, Interrupt>,
    /// Suspended functions, by task, until their question is saved.
    pub snapshots: HashMap<String, Vec<u8>>,
    /// The first checkpoint that was not written, by namespace (durability `exit`).
    held: HashMap<Arc<str>, Held>,
    tickets: VecDeque<Ticket>,
    /// Checkpoints committed so far.
    pub steps: u64,
    /// The root graph's last one.
    pub last: Option<CheckpointId>,
}

/// What `exit` keeps back of a namespace.
struct Held {
    parent: Option<CheckpointId>,
    last: Commit<Value>,
}

impl Committer {
    pub fn new(
        thread: Arc<str>,
        execution: ExecutionId,
        store: Option<Store>,
        journal: Journal,
        durability: Durability,
    ) -> Self {
        Committer {
            thread,
            execution,
            store,
            journal,
            durability,
            meters: HashMap::new(),
            known_questions: HashMap::new(),
            snapshots: HashMap::new(),
            held: HashMap::new(),
            tickets: VecDeque::new(),
            steps: 0,
            last: None,
        }
    }

    /// Takes a commit of the engine, which stands at it.
    pub async fn commit(&mut self, run: &Run<Value>, commit: Commit<Value>) -> Result<(), Error> {
        self.steps += 1;
        if commit.namespace.is_empty() {
            self.last = Some(commit.id);
        }
        self.show(&commit);
        let Some(store) = self.store.clone() else { return Ok(()) };
        if self.durability == Durability::Exit {
            let namespace = commit.namespace.clone();
            let parent = commit.parent;
            let parent = self.held.remove(&namespace).map_or(parent, |held| held.parent);
            self.held.insert(namespace, Held { parent, last: commit });
            return Ok(());
        }
        crash_point!("before_insert");
        let delta = codec::encode(&commit);
        let meter = self.meters.entry(commit.namespace.clone()).or_default();
        let mut state = None;
        let wants_full = meter.wants_full(delta.len(), || {
            state = run.checkpoint_state(&commit.namespace);
            state.as_ref().map_or(usize::MAX, |state| codec::encode(state).len())
        });
        let full = if wants_full { state.as_ref() } else { None };
        let row = codec::checkpoint_row(&self.thread, self.execution, &commit, delta, full);
        self.journal.record(Record::Checkpoint(row));
        let ticket = self.journal.flush();
        match self.durability {
            Durability::Sync => ticket.await?,
            _ => {
                self.tickets.push_back(ticket);
                self.settle_ready()?;
                store.room().await?;
            }
        }
        Ok(())
    }

    /// Takes what a task of an open superstep has come to.
    pub fn save_writes(&mut self, writes: &SaveWrites<Value>) {
        if let PendingRecord::Task(record) = &writes.record {
            for question in &record.interrupts {
                let id = question.id.to_string();
                if self.known_questions.contains_key(&id) {
                    continue;
                }
                let lane = Lane::new(self.thread.clone(), writes.namespace.clone());
                let row = Interrupt {
                    lane,
                    id: id.as_str().into(),
                    checkpoint: codec::row_id(writes.checkpoint),
                    task: record.task.id.to_string().into(),
                    execution: self.execution,
                    value: codec::encode(&question.value),
                    snapshot: self.snapshots.remove(&record.task.id.to_string()),
                    time: now(),
                    answer: None,
                };
                self.known_questions.insert(id.clone(), row.clone());
                self.journal.record(Record::Interrupt(row));
                self.show_question(
                    record.task.id,
                    &record.task.node,
                    &writes.namespace,
                    &id,
                    &question.value,
                );
            }
        }
        let row = codec::pending_row(&self.thread, writes);
        self.journal.record(Record::PendingWrite(row));
        if self.durability != Durability::Exit {
            self.tickets.push_back(self.journal.flush());
        }
    }

    /// Notes the answer to a question.
    pub fn answer(&mut self, id: &str, answer: &Value) {
        let Some(question) = self.known_questions.get(id).filter(|q| q.answer.is_none()) else {
            return;
        };
        self.journal.record(Record::Answer {
            lane: question.lane.clone(),
            interrupt: question.id.clone(),
            answer: codec::encode(answer),
            time: now(),
        });
    }

    /// Waits until everything is on disk.
    pub async fn barrier(&mut self, run: &Run<Value>) -> Result<(), Error> {
        for (namespace, held) in std::mem::take(&mut self.held) {
            let Some(state) = run.checkpoint_state(&namespace) else { continue };
            let mut commit = held.last;
            commit.parent = held.parent;
            let row = codec::checkpoint_row(
                &self.thread,
                self.execution,
                &commit,
                Vec::new(),
                Some(&state),
            );
            self.journal.record(Record::Checkpoint(row));
        }
        self.tickets.push_back(self.journal.flush());
        while let Some(ticket) = self.tickets.pop_front() {
            ticket.await?;
        }
        crash_point!("after_commit");
        Ok(())
    }

    /// Notices a failed write as soon as it is known.
    fn settle_ready(&mut self) -> Result<(), Error> {
        while let Some(ticket) = self.tickets.front_mut() {
            match ticket.now_or_never() {
                Some(result) => {
                    self.tickets.pop_front();
                    result?;
                }
                None => break,
            }
        }
        Ok(())
    }

    fn show(&self, commit: &Commit<Value>) {
        if !self.journal.is_watched() {
            return;
        }
        let mut values = Vec::new();
        for change in &commit.changes {
            let value = match &change.change {
                Change::Set(Stored::Value(value)) => value.clone(),
                Change::Append(items) => {
                    Value::tagged("append", [("items", Value::list(items.iter().cloned()))])
                }
                _ => continue,
            };
            values.push((change.channel.clone(), value));
        }
        let next = commit.next.iter().map(|task| Value::Str(task.node.clone()));
        let checkpoint = commit.id.to_string();
        let emit = |kind, data: Value| {
            let mut event = weaver_core::Event::new(kind).with_data(data);
            event.step = Some(commit.step);
            event.namespace = crate::task::split_namespace(&commit.namespace);
            event.checkpoint = Some(checkpoint.clone());
            self.journal.emit(event);
        };
        if !values.is_empty() {
            emit(EventKind::StateUpdate, Value::map([("values", Value::map(values))]));
        }
        let source = serde_json::to_value(commit.source).expect("a source is a word");
        let data = Value::map([
            ("checkpoint", Value::str(&*checkpoint)),
            ("source", Value::from(&source)),
            ("next", Value::list(next)),
        ]);
        emit(EventKind::CheckpointSave, data);
    }

    fn show_question(&self, task: TaskId, node: &str, namespace: &str, id: &str, value: &Value) {
        let data = Value::map([("id", Value::str(id)), ("value", value.clone())]);
        let mut event = weaver_core::Event::new(EventKind::Interrupt).with_data(data);
        event.namespace = crate::task::split_namespace(namespace);
        event.node = Some(node.to_string());
        event.task = Some(task.to_string());
        self.journal.emit(event);
    }
}
