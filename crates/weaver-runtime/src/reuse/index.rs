//! [`Index`]: step results of earlier executions, read from their logs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use weaver_core::spec::START;
use weaver_core::{Event, EventKind, Hash, Value};
use weaver_engine::checkpoint::TaskRef;
use weaver_engine::{
    Answer, CheckpointState, Command, Fields, Goto, Graph, NodeOutput, PendingRecord, Saved,
    SavedWrite, SendTo,
};
use weaver_store::{CheckpointInfo, ExecutionId, Lane, Source, Store};

use super::{Beginning, Cost, Earlier, Results, StepResult, key_of};
use crate::error::Error;
use crate::{codec, from_entry, thread};

/// Step results of earlier executions.
pub(super) struct Index {
    pub results: Results,
    /// How many executions are in it.
    pub executions: usize,
}

/// See [`Beginning::of`].
pub(super) async fn beginning(
    store: &Store,
    execution: ExecutionId,
) -> Result<Option<Beginning>, Error> {
    let Some(execution) = store.execution(execution).await? else { return Ok(None) };
    let rows = store.checkpoints(Lane::root(&*execution.thread), None, 0).await?;
    let first = rows.iter().rev().find(|row| row.execution == execution.id);
    let Some(first) = first.filter(|first| first.source == Source::Input) else { return Ok(None) };
    let id = codec::engine_id(first.id);
    let loaded = thread::load(store, &execution.thread, "", Some(id)).await?;
    let input = loaded.and_then(|(saved, _)| saved.state.value(START).cloned());
    let at = first.parent.map(codec::engine_id);
    Ok(input.map(|input| Beginning { input, at }))
}

/// What the events of an execution say of its tasks.
#[derive(Default)]
struct Tasks {
    ends: HashMap<String, Event>,
    costs: HashMap<String, Cost>,
}

impl Index {
    pub async fn read(
        store: &Store,
        earlier: &[Earlier],
        surroundings: Hash,
    ) -> Result<Self, Error> {
        let mut index = Index { results: Results::new(), executions: 0 };
        for earlier in earlier {
            let Some(tasks) = Tasks::read(store, earlier.execution, surroundings).await? else {
                continue;
            };
            index.executions += 1;
            let mut found = Results::new();
            add_execution(store, earlier, &tasks, &mut found).await?;
            for (key, results) in found {
                index.results.entry(key).or_insert(results);
            }
        }
        Ok(index)
    }
}

impl Tasks {
    /// Nothing for an execution that was under other terms than the run that is to come.
    async fn read(
        store: &Store,
        execution: ExecutionId,
        surroundings: Hash,
    ) -> Result<Option<Self>, Error> {
        let mut tasks = Tasks::default();
        let hash = surroundings.to_hex();
        let mut version = None;
        for event in store.entries(execution, 0, 0).await?.iter().filter_map(from_entry) {
            if event.kind == EventKind::Start {
                let own = event.data.get("surroundings").and_then(Value::as_str);
                let pinned = event.data.get("version").cloned();
                // Moved between versions: which code a task ran is not known.
                if own != Some(&hash) || *version.get_or_insert(pinned.clone()) != pinned {
                    return Ok(None);
                }
            }
            tasks.take(event);
        }
        Ok(Some(tasks))
    }

    fn take(&mut self, event: Event) {
        let Some(task) = event.task.clone() else { return };
        let cost = self.costs.entry(task.clone()).or_default();
        match event.kind {
            EventKind::LlmResponse => {
                cost.model_calls += 1;
                cost.usage += event.usage.unwrap_or_default();
                cost.cost_micros += event.cost_micros.unwrap_or_default();
            }
            EventKind::ToolResult => cost.tool_calls += 1,
            EventKind::NodeExit => {
                cost.duration_us += event.duration_us.unwrap_or_default();
                // What was reused then cost what it cost in the first place.
                let first = event.data.get("cost").map(serde_json::Value::from);
                if let Some(first) = first.and_then(|cost| serde_json::from_value(cost).ok()) {
                    *cost = first;
                }
                self.ends.insert(task, event);
            }
            _ => {}
        }
    }

    /// The whole of what a task came to, if the log has it: what it wrote is in the
    /// checkpoint, where it went in its last event.
    fn answer(&self, task: &str, wrote: Fields<Value>) -> Option<Answer<Value>> {
        let end = self.ends.get(task)?;
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

async fn add_execution(
    store: &Store,
    earlier: &Earlier,
    tasks: &Tasks,
    results: &mut Results,
) -> Result<(), Error> {
    let Some(execution) = store.execution(earlier.execution).await? else { return Ok(()) };
    let code = &*earlier.code;
    for namespace in store.namespaces(execution.thread.clone()).await? {
        let lane = Lane::new(execution.thread.clone(), namespace.clone());
        let mut rows = store.checkpoints(lane.clone(), None, 0).await?;
        rows.retain(|row| row.execution == execution.id);
        rows.reverse();
        let steps = Steps::read(store, &lane, &rows).await?;
        let nodes = steps.nodes();
        let graph = thread::graph_of(&code.graph, code.graphs.iter(), &namespace, Some(&nodes));
        let Some(graph) = graph else { continue };
        for (before, task, wrote) in steps.tasks() {
            let Some((key, result)) =
                step_result(earlier, tasks, &graph, &lane, before, task, wrote)
            else {
                continue;
            };
            results.entry(key).or_insert_with(VecDeque::new).push_back(result);
        }
    }
    Ok(())
}

fn step_result(
    earlier: &Earlier,
    tasks: &Tasks,
    graph: &Graph<Value>,
    lane: &Lane,
    before: &CheckpointState<Value>,
    task: &TaskRef,
    wrote: Option<Fields<Value>>,
) -> Option<(Hash, StepResult)> {
    let code = earlier.code.nodes.get(&**graph.function(&task.node)?)?;
    let input = graph.task_input(before, task)?;
    let name = task.id.to_string();
    let answer = wrote.and_then(|wrote| tasks.answer(&name, wrote));
    let cost = tasks.costs.get(&name).copied().unwrap_or_default();
    let key = key_of(code.hash, &task.node, &input);
    Some((key, StepResult { lane: lane.clone(), task: name.into(), answer, cost }))
}

/// The supersteps of an execution in one lane: the state before, and what came of it.
struct Steps(Vec<(Saved<Value>, Option<CheckpointState<Value>>)>);

impl Steps {
    async fn read(store: &Store, lane: &Lane, rows: &[CheckpointInfo]) -> Result<Self, Error> {
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

    fn nodes(&self) -> HashSet<Arc<str>> {
        let tasks = self.0.iter().flat_map(|(before, _)| &before.state.next);
        tasks.map(|task| task.node.clone()).filter(|node| &**node != START).collect()
    }

    /// Each task with the state before it and what it wrote, if it ended.
    fn tasks(
        &self,
    ) -> impl Iterator<Item = (&CheckpointState<Value>, &TaskRef, Option<Fields<Value>>)> {
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
                (&before.state, task, wrote)
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
