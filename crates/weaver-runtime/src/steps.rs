//! [`Steps`] and [`Ends`]: what the log says of the tasks of an execution.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use weaver_core::spec::START;
use weaver_core::{Event, EventKind, Value};
use weaver_engine::checkpoint::TaskRef;
use weaver_engine::{
    Answer, CheckpointState, Command, Fields, Goto, NodeOutput, PendingRecord, Saved, SavedWrite,
    SendTo,
};
use weaver_store::{CheckpointInfo, Lane, Source, Store};

use crate::error::Error;
use crate::{codec, thread};

/// The last ends of tasks, by the task's id.
#[derive(Default)]
pub(crate) struct Ends(HashMap<String, Event>);

impl Ends {
    /// Those among the events of an execution.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let mut ends = Ends::default();
        let exits = events.into_iter().filter(|event| event.kind == EventKind::NodeExit);
        exits.for_each(|event| ends.take(event));
        ends
    }

    /// Notes the end of a task.
    pub fn take(&mut self, event: Event) {
        if let Some(task) = event.task.clone() {
            self.0.insert(task, event);
        }
    }

    /// Whether a task ended by itself; one that the cache of nodes answered did not.
    pub fn has(&self, task: &str) -> bool {
        self.0.contains_key(task)
    }

    /// What a task came to that was not run: its result was taken from an earlier run,
    /// or from the cache, which is told from its having no end of its own. Of the
    /// latter the log does not say where a command went.
    pub fn taken(&self, task: &str, wrote: Fields<Value>) -> Option<Answer<Value>> {
        match self.0.get(task) {
            None => Some(Answer::Node(NodeOutput::Fields(wrote))),
            Some(end) if end.data.get("cached").is_some() => self.answer(task, wrote),
            Some(_) => None,
        }
    }

    /// The whole of what a task came to, if the log has it: what it wrote is in the
    /// checkpoint, where it went in its last event.
    pub fn answer(&self, task: &str, wrote: Fields<Value>) -> Option<Answer<Value>> {
        let end = self.0.get(task)?;
        if end.data.get("error").is_some() || end.data.get("parent").is_some() {
            return None;
        }
        let goto = match end.data.get("goto") {
            None => Vec::new(),
            Some(gotos) => gotos.as_list()?.iter().map(goto_of).collect::<Option<Vec<_>>>()?,
        };
        Some(Answer::Node(NodeOutput::Command(Command { update: wrote, goto })))
    }
}

fn goto_of(value: &Value) -> Option<Goto<Value>> {
    if let Value::Str(node) = value {
        return Some(Goto::Node(node.clone()));
    }
    let arg = value.get("arg")?.clone();
    let timeout = value.get("timeout").and_then(Value::as_f64);
    Some(Goto::Send(SendTo {
        node: value.get("node")?.as_str()?.into(),
        arg,
        timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    }))
}

/// A task: the state before it, itself, what it wrote, whether its superstep ended.
type Told<'a> = (&'a CheckpointState<Value>, &'a TaskRef, Option<Fields<Value>>, bool);

/// The supersteps of an execution in one lane: the state before, and what came of it.
pub(crate) struct Steps(Vec<(Saved<Value>, Option<CheckpointState<Value>>)>);

impl Steps {
    pub async fn read(store: &Store, lane: &Lane, rows: &[CheckpointInfo]) -> Result<Self, Error> {
        let mut steps = Vec::new();
        let mut ended = HashSet::new();
        for row in rows.iter().filter(|row| row.source == Source::Loop) {
            let Some(parent) = row.parent else { continue };
            let (before, after) = (codec::engine_id(parent), codec::engine_id(row.id));
            let before = thread::load(store, &lane.thread, &lane.namespace, Some(before)).await?;
            let after = thread::load(store, &lane.thread, &lane.namespace, Some(after)).await?;
            if let (Some((before, _)), Some((after, _))) = (before, after) {
                ended.insert(parent);
                steps.push((before, Some(after.state)));
            }
        }
        // The last superstep may be open: tasks that had ended are in its records.
        if let Some(last) = rows.last().filter(|last| !ended.contains(&last.id)) {
            let id = codec::engine_id(last.id);
            if let Some((saved, _)) =
                thread::load(store, &lane.thread, &lane.namespace, Some(id)).await?
            {
                steps.push((saved, None));
            }
        }
        Ok(Steps(steps))
    }

    pub fn nodes(&self) -> HashSet<Arc<str>> {
        let tasks = self.0.iter().flat_map(|(before, _)| &before.state.next);
        tasks.map(|task| task.node.clone()).filter(|node| &**node != START).collect()
    }

    /// Each task with the state before it and what it wrote, if it ended itself; and
    /// whether its superstep did.
    pub fn tasks(&self) -> impl Iterator<Item = Told<'_>> {
        self.0.iter().flat_map(|(before, after)| {
            before.state.next.iter().enumerate().map(move |(position, task)| {
                let wrote = match after {
                    // With durability `exit` a checkpoint does not say who wrote it.
                    Some(after) if after.wrote.len() == before.state.next.len() => {
                        after.wrote[position].clone()
                    }
                    Some(_) => None,
                    None => pending(before, task),
                };
                (&before.state, task, wrote, after.is_some())
            })
        })
    }
}

fn pending(saved: &Saved<Value>, task: &TaskRef) -> Option<Fields<Value>> {
    let record = saved.pending.iter().find_map(|record| match record {
        PendingRecord::Task(record) if record.task.id == task.id => Some(record),
        _ => None,
    })?;
    let state = record.writes.as_ref()?.iter().filter_map(|write| match write {
        SavedWrite::State(key, value) => Some((key.clone(), value.clone())),
        _ => None,
    });
    Some(state.collect())
}
