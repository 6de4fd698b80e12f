//! [`Index`]: step results of earlier executions, read from their logs.

use std::collections::HashMap;

use weaver_core::spec::START;
use weaver_core::{Event, EventKind, Hash, Value};
use weaver_engine::checkpoint::TaskRef;
use weaver_engine::{CheckpointState, Fields, Graph};
use weaver_store::{ExecutionId, Lane, Source, Store};

use super::{Beginning, Cost, Earlier, Results, StepResult, key_of};
use crate::error::Error;
use crate::steps::{Ends, Steps};
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
    ends: Ends,
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
                self.ends.take(event);
            }
            _ => {}
        }
    }
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
        for (before, task, wrote, _) in steps.tasks() {
            let Some((key, result)) =
                step_result(earlier, tasks, &graph, &lane, before, task, wrote)
            else {
                continue;
            };
            results.entry(key).or_default().push_back(result);
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
    // What the cache of nodes answered is found where it was run.
    if wrote.is_some() && !tasks.ends.has(&name) {
        return None;
    }
    let answer = wrote.and_then(|wrote| tasks.ends.answer(&name, wrote));
    let cost = tasks.costs.get(&name).copied().unwrap_or_default();
    let key = key_of(code.hash, &task.node, &input);
    Some((key, StepResult { lane: lane.clone(), task: name.into(), answer, cost }))
}
