//! [`Recording`]: what the log holds of an execution.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weaver_core::spec::START;
use weaver_core::{Event, EventKind, Timestamp, Value};
use weaver_engine::{
    Answer, CheckpointId, CheckpointState, Input, InterruptId, Source, Targets, TaskId,
};
use weaver_store::{Batch, Execution, ExecutionId, ExecutionStatus, Lane, Record, Store};

use super::{ReplayRequest, clock};
use crate::error::Error;
use crate::graft::copied_row;
use crate::request::RunRequest;
use crate::steps::{Ends, Steps};
use crate::{codec, from_entry, thread};

/// What the log holds of an execution.
pub(crate) struct Recording {
    pub execution: Execution,
    /// The beginnings of its runs: the first, and one for each time it went on.
    pub starts: Vec<Event>,
    /// The namespaces in which it made checkpoints, with these, oldest first.
    pub lanes: Vec<(Arc<str>, Vec<CheckpointId>)>,
    /// The nodes of its tasks, by namespace and task.
    pub nodes: HashMap<(Arc<str>, TaskId), Arc<str>>,
    /// Tasks whose superstep ended.
    pub settled: HashSet<(Arc<str>, TaskId)>,
    /// What its first run started from.
    origin: Option<CheckpointId>,
    /// How its first checkpoint came about.
    source: Source,
    answers: HashMap<String, (Value, Timestamp)>,
    /// What its tasks came to that were not run, but taken from earlier runs.
    pub taken: HashMap<(Arc<str>, TaskId), Answer<Value>>,
}

impl Recording {
    /// Reads the log. Errors: see [`super::replay`].
    pub async fn read(store: &Store, execution: ExecutionId) -> Result<Self, Error> {
        let found = store.execution(execution).await?;
        let execution =
            found.ok_or_else(|| Error::NotFound(format!("there is no execution `{execution}`")))?;
        let entries = store.entries(execution.id, 0, 0).await?;
        let events: Vec<Event> = entries.iter().filter_map(from_entry).collect();
        let starts =
            events.iter().filter(|event| event.kind == EventKind::Start).cloned().collect();
        let mut recording = Recording {
            starts,
            lanes: Vec::new(),
            nodes: HashMap::new(),
            settled: HashSet::new(),
            origin: None,
            source: Source::Loop,
            answers: HashMap::new(),
            taken: HashMap::new(),
            execution,
        };
        recording.read_lanes(store, &Ends::of(events)).await?;
        recording.read_answers(store).await?;
        recording.check()?;
        Ok(recording)
    }

    async fn read_lanes(&mut self, store: &Store, ends: &Ends) -> Result<(), Error> {
        let thread = self.execution.thread.clone();
        for namespace in store.namespaces(thread.clone()).await? {
            let lane = Lane::new(thread.clone(), namespace.clone());
            let mut rows = store.checkpoints(lane.clone(), None, 0).await?;
            rows.retain(|row| row.execution == self.execution.id);
            rows.reverse();
            let Some(first) = rows.first() else { continue };
            if namespace.is_empty() {
                self.origin = first.parent.map(codec::engine_id);
                self.source = codec::engine_source(first.source);
            }
            let steps = Steps::read(store, &lane, &rows).await?;
            for (_, task, wrote, ended) in steps.tasks() {
                let name = (namespace.clone(), task.id);
                self.nodes.insert(name.clone(), task.node.clone());
                if ended {
                    self.settled.insert(name.clone());
                }
                let taken = wrote.and_then(|wrote| ends.taken(&task.id.to_string(), wrote));
                self.taken.extend(taken.map(|answer| (name, answer)));
            }
            let ids = rows.iter().map(|row| codec::engine_id(row.id)).collect();
            self.lanes.push((namespace, ids));
        }
        self.lanes.sort_by_key(|(namespace, _)| namespace.len());
        Ok(())
    }

    async fn read_answers(&mut self, store: &Store) -> Result<(), Error> {
        for row in store.interrupts(self.execution.thread.clone(), false).await? {
            let Some((answer, time)) = row.answer else { continue };
            let answer = serde_json::from_slice(&answer)
                .map_err(|error| Error::Unreadable(error.to_string()))?;
            self.answers.insert(row.id.to_string(), (answer, time));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let id = self.execution.id;
        let invalid = |text: String| Err(Error::Invalid(text));
        let Some(first) = self.starts.first() else {
            return invalid(format!("the execution {id} has no beginning in its log"));
        };
        if self.lanes.first().is_none_or(|(namespace, _)| !namespace.is_empty()) {
            return invalid(format!("the execution {id} ran nothing"));
        }
        if self.source == Source::Update {
            return invalid(format!("the execution {id} is an edit of the state: nothing ran"));
        }
        let given = first.data.get("input").is_some_and(|input| !input.is_null());
        if given && self.source != Source::Input {
            return invalid(format!(
                "the execution {id} was run with durability `exit`: its log has only its end"
            ));
        }
        let version = first.data.get("version");
        if self.starts.iter().any(|start| start.data.get("version") != version) {
            return invalid(format!(
                "the execution {id} was moved to another version of its file while it ran: no one file can repeat it"
            ));
        }
        let commanded = |(position, start): (usize, &Event)| {
            let input = start.data.get("input").filter(|input| input.tag() == Some("command"));
            let update = input.and_then(|input| input.get("update")).and_then(Value::as_map);
            input.is_some() && (position == 0 || update.is_none_or(|update| !update.is_empty()))
        };
        if self.starts.iter().enumerate().any(commanded) {
            return invalid(format!(
                "the execution {id} was given a command with an update, which its log does not keep"
            ));
        }
        Ok(())
    }

    /// The root's first checkpoint.
    pub fn first(&self) -> CheckpointId {
        self.lanes[0].1[0]
    }

    /// The answer that a question had before the run went on for the next time.
    pub fn answer(&self, question: InterruptId, segment: usize) -> Option<Value> {
        let (answer, time) = self.answers.get(&question.to_string())?;
        let next = self.starts.get(segment + 1);
        next.is_none_or(|start| *time < start.time).then(|| answer.clone())
    }

    /// Puts what the first run started from into an empty store.
    pub async fn seed(&self, store: &Store, scratch: &Store) -> Result<(), Error> {
        let mut batch = Batch::standalone().with(Record::Execution(Execution {
            status: ExecutionStatus::Completed,
            version: None,
            parent: None,
            ..self.execution.clone()
        }));
        let below = self.below(&self.starts[0]);
        let mut open: Vec<(Arc<str>, CheckpointId)> =
            self.origin.map(|origin| ("".into(), origin)).into_iter().chain(below).collect();
        let mut seen = HashSet::new();
        while let Some((namespace, id)) = open.pop() {
            if !seen.insert((namespace.clone(), id)) {
                continue;
            }
            let thread = &self.execution.thread;
            let loaded = thread::load(store, thread, &namespace, Some(id)).await?;
            let Some((saved, _)) = loaded else { continue };
            open.extend(saved.state.children.iter().map(|(name, id)| (name.clone(), *id)));
            self.copy(&mut batch, &namespace, &saved.state);
            if namespace.is_empty() && self.source == Source::Fork {
                // The branch that the run left: without it nothing would be forked.
                let left = CheckpointState { id: CheckpointId(id.0 + 1), ..saved.state };
                self.copy(&mut batch, &namespace, &left);
            }
        }
        Ok(scratch.append(batch).await?)
    }

    fn copy(&self, batch: &mut Batch, namespace: &Arc<str>, state: &CheckpointState<Value>) {
        let lane = Lane::new(self.execution.thread.clone(), namespace.clone());
        batch.push(copied_row(&lane, self.execution.id, state));
    }

    fn below(&self, start: &Event) -> Vec<(Arc<str>, CheckpointId)> {
        let below = start.data.get("below").and_then(Value::as_list).unwrap_or_default();
        let pair = |pair: &Value| {
            let [namespace, id] = pair.as_list()? else { return None };
            Some((namespace.as_str()?.into(), id.as_str()?.parse().ok()?))
        };
        below.iter().filter_map(pair).collect()
    }

    /// The first run as it was.
    pub async fn first_run(
        &self,
        store: &Store,
        request: &ReplayRequest,
    ) -> Result<RunRequest, Error> {
        let thread = self.execution.thread.clone();
        let loaded = thread::load(store, &thread, "", Some(self.first())).await?;
        let state = loaded.map(|(saved, _)| saved.state);
        let input = match self.source {
            Source::Input => state.and_then(|state| state.value(START).cloned()).map(Input::Value),
            _ => Some(Input::Continue),
        };
        let input = input.ok_or_else(|| {
            Error::Invalid(format!("the input of the execution {} is gone", self.execution.id))
        })?;
        let mut run = RunRequest::new(thread, request.graph.clone(), input);
        run.at = self.origin.filter(|_| self.source == Source::Fork);
        run.below = self.below(&self.starts[0]);
        run.context = request.context.clone();
        run.config = request.config.clone();
        run.clock = clock(self);
        self.set_terms(&mut run, 0);
        Ok(run)
    }

    /// The terms under which a run of the execution went.
    pub fn set_terms(&self, run: &mut RunRequest, segment: usize) {
        let data = &self.starts[segment].data;
        let nodes = |key: &str| {
            let names = data.get(key)?.as_list()?.iter().filter_map(Value::as_str);
            let names: Vec<Arc<str>> = names.map(Arc::from).collect();
            Some(match names.as_slice() {
                [all] if &**all == "*" => Targets::All,
                _ => Targets::Names(names),
            })
        };
        let limit = data.get("recursion_limit").and_then(Value::as_int);
        run.options.recursion_limit = limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(weaver_engine::RunOptions::default().recursion_limit);
        run.options.interrupt_before = nodes("interrupt_before");
        run.options.interrupt_after = nodes("interrupt_after");
    }
}
