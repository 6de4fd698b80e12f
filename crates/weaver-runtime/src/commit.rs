//! [`Committer`]: checkpoints and pending writes on their way to disk.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use weaver_core::{EventKind, Value};
use weaver_engine::checkpoint::{Change, Stored};
use weaver_engine::{
    CheckpointId, CheckpointState, Commit, PendingRecord, SaveWrites, Saved, Source, TaskId,
};
use weaver_store::{
    Checkpoint, Enqueue, ExecutionId, Interrupt, Lane, Priority, Record, SnapshotMeter, State,
    Store, Ticket, Work, crash_point,
};

use crate::codec;
use crate::error::Error;
use crate::graft;
use crate::journal::{DATA_BYTES_MAX, Journal};
use crate::request::Durability;
use crate::tasks;

/// Writes what the engine commits, as early as the durability asks and never
/// out of order.
pub struct Committer {
    pub thread: Arc<str>,
    /// The namespace of the graph that the run is of: empty, unless a subgraph is edited.
    root: Arc<str>,
    pub execution: ExecutionId,
    pub store: Option<Store>,
    pub journal: Journal,
    pub durability: Durability,
    /// The namespaces that were loaded or written.
    lanes: HashMap<Arc<str>, LaneState>,
    /// Questions that the log holds already, by id.
    pub known_questions: HashMap<String, Interrupt>,
    /// Suspended functions, by task, until their question is saved.
    pub snapshots: HashMap<String, Vec<u8>>,
    /// Checkpoints whose tasks asked or failed: that stays in the log.
    telling: HashSet<CheckpointId>,
    tickets: VecDeque<Ticket>,
    /// Since when something recorded has not been handed to the store.
    unflushed_since: Option<Instant>,
    /// The last one of the graph that the run is of.
    pub last: Option<CheckpointId>,
    /// The place in the queue of tasks for workers, where there may be any.
    pub workers: Option<Priority>,
}

/// How long commits are gathered (durability `async`): handing each to the writer
/// by itself would wake its thread for every superstep. A call to the outside does
/// not wait for this, it flushes.
const FLUSH_INTERVAL: Duration = Duration::from_millis(2);

/// One namespace: its state at the last commit, to be saved whole when that is
/// due. Lists grow in it as they grow in the engine, at the cost of what is added.
struct LaneState {
    state: CheckpointState<Value>,
    meter: SnapshotMeter,
    /// Durability `exit`: the last commit, on the parent that is on disk.
    held: Option<Commit<Value>>,
    /// When it came to that state.
    since: Instant,
}

impl Committer {
    pub fn new(
        root: Lane,
        execution: ExecutionId,
        store: Option<Store>,
        journal: Journal,
        durability: Durability,
    ) -> Self {
        Committer {
            thread: root.thread,
            root: root.namespace,
            execution,
            store,
            journal,
            durability,
            lanes: HashMap::new(),
            known_questions: HashMap::new(),
            snapshots: HashMap::new(),
            telling: HashSet::new(),
            tickets: VecDeque::new(),
            unflushed_since: None,
            last: None,
            workers: None,
        }
    }

    /// Notes the state that a namespace goes on from.
    pub fn loaded(&mut self, saved: &Saved<Value>, meter: SnapshotMeter) {
        let state = &saved.state;
        let mut records = saved.pending.iter();
        if records.any(tells) {
            self.telling.insert(state.id);
        }
        let lane = LaneState { state: state.clone(), meter, held: None, since: Instant::now() };
        self.lanes.insert(state.namespace.clone(), lane);
    }

    /// Keeps a state of another lane as the beginning of this one.
    pub fn copy(&mut self, lane: &Lane, state: &CheckpointState<Value>) {
        let row = graft::copied_row(lane, self.execution, state);
        self.journal.record(Record::Checkpoint(row));
    }

    /// Takes a commit of the engine.
    pub async fn commit(&mut self, commit: Commit<Value>) -> Result<(), Error> {
        if commit.namespace == self.root {
            self.last = Some(commit.id);
        }
        self.show(&commit);
        let Some(store) = self.store.clone() else { return Ok(()) };
        let lane = advance(&mut self.lanes, &commit);
        let took = std::mem::replace(&mut lane.since, Instant::now()).elapsed();
        if self.durability == Durability::Exit {
            let parent = lane.held.as_ref().map_or(commit.parent, |held| held.parent);
            lane.held = Some(Commit { parent, ..commit });
            return Ok(());
        }
        crash_point!("before_insert");
        let delta = codec::encode(&commit);
        let mut whole = None;
        let wants_full =
            lane.meter.wants_full(delta.len(), || whole.insert(codec::encode(&lane.state)).len());
        let state = match whole.filter(|_| wants_full) {
            Some(whole) => State::Full(whole),
            None => State::Delta(delta),
        };
        let told = commit.parent.is_some_and(|parent| self.telling.remove(&parent));
        let row =
            settling(codec::checkpoint_row(&self.thread, self.execution, &commit, state), told);
        self.journal.record(Record::Checkpoint(row));
        if commit.source == Source::Loop {
            self.journal.got_on(took);
        }
        // All later ids, and so the keys of calls to the outside, go back to what was
        // asked of the thread: it is on disk before the first of those calls.
        if commit.source != Source::Loop && commit.namespace == self.root {
            self.journal.note_asked();
        }
        match self.durability {
            Durability::Sync => self.journal.flush().await?,
            _ => {
                self.unflushed();
                if self.flush_due().is_some_and(|due| due <= Instant::now()) {
                    self.flush()?;
                    store.room().await?;
                }
            }
        }
        Ok(())
    }

    /// When what was recorded must go to the store, if anything waits.
    pub fn flush_due(&self) -> Option<Instant> {
        Some(self.unflushed_since? + FLUSH_INTERVAL)
    }

    /// Hands everything recorded to the store, and notices writes that failed.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.unflushed_since = None;
        self.tickets.push_back(self.journal.flush());
        self.settle_ready()
    }

    fn unflushed(&mut self) {
        self.unflushed_since.get_or_insert_with(Instant::now);
    }

    /// Takes what a task of an open superstep has come to.
    pub fn save_writes(&mut self, writes: &SaveWrites<Value>) {
        if tells(&writes.record) {
            self.telling.insert(writes.checkpoint);
        }
        if let PendingRecord::Task(record) = &writes.record {
            for question in &record.interrupts {
                let id = question.id.to_string();
                // A question that is asked again keeps the time of its first asking,
                // which its deadline counts from.
                if !self.known_questions.contains_key(&id) {
                    let lane = Lane::new(self.thread.clone(), writes.namespace.clone());
                    let row = Interrupt {
                        lane,
                        id: id.as_str().into(),
                        checkpoint: codec::row_id(writes.checkpoint),
                        task: record.task.id.to_string().into(),
                        execution: self.execution,
                        value: codec::encode(&question.value),
                        snapshot: self.snapshots.remove(&record.task.id.to_string()),
                        time: self.journal.now(),
                        answer: None,
                    };
                    self.known_questions.insert(id.clone(), row.clone());
                    self.journal.record(Record::Interrupt(row));
                    self.hand_out(&id, &question.value);
                }
                // What is for a worker is no news for people, and as long as the state.
                if !tasks::is_task(&question.value) {
                    self.show_question(
                        record.task.id,
                        &record.task.node,
                        &writes.namespace,
                        &id,
                        &question.value,
                    );
                }
            }
        }
        let row = codec::pending_row(&self.thread, writes);
        self.journal.record(Record::PendingWrite(row));
        if self.durability != Durability::Exit {
            self.unflushed();
        }
    }

    /// Queues the task that a question is about, unless it goes on under its old row.
    fn hand_out(&mut self, id: &str, question: &Value) {
        let (Some(priority), Some(store)) = (self.workers, &self.store) else { return };
        let Some(task) = tasks::task_of(question).filter(|task| task.row.is_none()) else {
            return;
        };
        let route = tasks::route(store.tenant(), &task.text);
        let enqueue = Enqueue { priority, ..Enqueue::task(self.execution, id, route) };
        self.journal.record(Record::Work(Work::Enqueue(enqueue)));
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
            time: self.journal.now(),
        });
    }

    /// Waits until everything is on disk.
    pub async fn barrier(&mut self) -> Result<(), Error> {
        let namespaces: Vec<Arc<str>> = self.lanes.keys().cloned().collect();
        namespaces.iter().for_each(|namespace| self.release(namespace));
        self.tickets.push_back(self.journal.flush());
        self.settle().await?;
        crash_point!("after_commit");
        Ok(())
    }

    /// Takes out the state at the last checkpoint of the root graph; for when all is on disk.
    pub fn root_state(&mut self) -> Option<(CheckpointState<Value>, SnapshotMeter)> {
        let root = self.lanes.remove("").filter(|_| self.store.is_some())?;
        Some((root.state, root.meter))
    }

    /// The keys of large values that are all in the last checkpoint of the root graph.
    pub fn keys_of(&self, values: &Value) -> Option<Value> {
        let state = &self.lanes.get("").filter(|_| self.store.is_some())?.state;
        let stands = |(key, value): (&Arc<str>, &Value)| {
            let stored = state.channels.get(key)?.stored.as_ref()?;
            matches!(stored, Stored::Value(stored) if stored == value).then_some(())
        };
        let map = values.as_map().filter(|_| values.approximate_size() > DATA_BYTES_MAX)?;
        map.iter().try_for_each(stands)?;
        Some(Value::list(map.keys().cloned().map(Value::Str)))
    }

    /// Waits until what this run committed to a namespace can be read from the store.
    pub async fn readable(&mut self, namespace: &str) -> Result<(), Error> {
        if self.lanes.contains_key(namespace) {
            self.release(namespace);
            self.flush()?;
            self.settle().await?;
        }
        Ok(())
    }

    /// Records the commit that durability `exit` holds back, if there is one.
    fn release(&mut self, namespace: &str) {
        let Some(lane) = self.lanes.get_mut(namespace) else { return };
        let Some(commit) = lane.held.take() else { return };
        // What the tasks of one step wrote says nothing about the whole way.
        lane.state.wrote.clear();
        lane.state.parent = commit.parent;
        let state = State::Full(codec::encode(&lane.state));
        let told = commit.parent.is_some_and(|parent| self.telling.remove(&parent));
        let row = codec::checkpoint_row(&self.thread, self.execution, &commit, state);
        self.journal.record(Record::Checkpoint(settling(row, told)));
    }

    /// Waits for everything that was handed to the store.
    async fn settle(&mut self) -> Result<(), Error> {
        while let Some(ticket) = self.tickets.pop_front() {
            ticket.await?;
        }
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

/// Whether a record is worth keeping when its superstep is over.
fn tells(record: &PendingRecord<Value>) -> bool {
    match record {
        PendingRecord::Task(task) => {
            task.error.is_some() || !(task.interrupts.is_empty() && task.asked.is_empty())
        }
        PendingRecord::Command(command) => !command.writes.is_empty(),
    }
}

/// A row that leaves the records of its parent where they tell something.
fn settling(mut row: Checkpoint, told: bool) -> Checkpoint {
    row.settles_parent = row.settles_parent && !told;
    row
}

/// Moves a namespace's state on by one commit.
fn advance<'a>(
    lanes: &'a mut HashMap<Arc<str>, LaneState>,
    commit: &Commit<Value>,
) -> &'a mut LaneState {
    let lane = lanes.entry(commit.namespace.clone()).or_insert_with(|| LaneState {
        state: CheckpointState::from_first(commit),
        meter: SnapshotMeter::default(),
        held: None,
        since: Instant::now(),
    });
    if lane.state.id != commit.id {
        match commit.parent {
            None => lane.state = CheckpointState::from_first(commit),
            Some(_) => lane.state.apply(commit),
        }
    }
    lane
}
