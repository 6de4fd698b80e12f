//! [`misfits`]: whether what a thread stands at fits another version of its file.
//!
//! Who goes on with an execution goes on with the version that it is pinned to. Moving
//! it to another one is safe when all that is open in its checkpoints has a place
//! there: the nodes that run next, the values of the state, joins that wait for the
//! rest of their sources, subgraphs in the midst of a superstep, questions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weaver_core::spec::{FieldSpec, FileSpec, START};
use weaver_core::{Hash, Value};
use weaver_engine::checkpoint::{Stored, TaskRecord};
use weaver_engine::{CheckpointId, Graph, PendingRecord, Saved};
use weaver_runtime::reuse::Code;
use weaver_runtime::{Error, thread};
use weaver_store::{Effect, Lane, Store};
use weaver_studio::Analysis;

use crate::plan::{self, Plan};

/// One version of a file.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    /// What the parser knows of it.
    pub analysis: &'a Analysis,
    /// What is run of it.
    pub plan: &'a Plan,
}

/// One thing that has no place in the new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A stable word: `node_gone`, `key_gone`, `key_type`, `join_gone`, `subgraph_gone`,
    /// `question_gone`, `call_before_question`.
    pub code: &'static str,
    /// The graph: empty for the root.
    pub namespace: Arc<str>,
    /// One sentence that reads alone.
    pub message: String,
}

/// What keeps a thread from going on with another version of its file: from its latest
/// checkpoint, or from the one that is named, where everything starts anew and no
/// question is open. Empty: it fits.
pub async fn misfits(
    store: &Store,
    thread: &str,
    at: Option<CheckpointId>,
    old: Version<'_>,
    new: Version<'_>,
) -> Result<Vec<Misfit>, Error> {
    let mut check = Check {
        store,
        thread,
        new,
        old_code: plan::code(old.analysis, old.plan),
        new_code: plan::code(new.analysis, new.plan),
        misfits: Vec::new(),
    };
    let Some((saved, _)) = thread::load(store, thread, "", at).await? else {
        return Ok(Vec::new());
    };
    let (graph, before) = (new.plan.graph.clone(), old.plan.graph.clone());
    check.state(&saved, &graph, &before);
    if at.is_some() {
        return Ok(check.misfits);
    }
    check.questions(&saved, &graph, &before).await?;
    check.below(saved.state.id).await?;
    Ok(check.misfits)
}

struct Check<'a> {
    store: &'a Store,
    thread: &'a str,
    new: Version<'a>,
    old_code: Code,
    new_code: Code,
    misfits: Vec<Misfit>,
}

impl Check<'_> {
    fn add(&mut self, code: &'static str, namespace: &Arc<str>, message: String) {
        self.misfits.push(Misfit { code, namespace: namespace.clone(), message });
    }

    /// The nodes that run next, the values, the joins.
    fn state(&mut self, saved: &Saved<Value>, graph: &Graph<Value>, before: &Graph<Value>) {
        let namespace = &saved.state.namespace;
        let mut gone = HashSet::new();
        for task in saved.state.next.iter().filter(|task| &*task.node != START) {
            let done = record_of(saved, task.id).is_some_and(|record| record.writes.is_some());
            if done || !gone.insert(task.node.clone()) {
                continue;
            }
            let is_there = graph.nodes().any(|node| *node == task.node);
            let was_graph = before.subgraph(&task.node).is_some();
            if !is_there {
                let message = format!("`{}` runs next, and there is no such node", task.node);
                self.add("node_gone", namespace, message);
            } else if was_graph && graph.subgraph(&task.node).is_none() {
                let message = format!("`{}` is in the midst of a subgraph, and is none", task.node);
                self.add("subgraph_gone", namespace, message);
            }
        }
        let fields = fields_of(self.new, graph);
        for (name, channel) in &saved.state.channels {
            match &channel.stored {
                Some(Stored::Value(value)) if !name.starts_with("__") => {
                    if !graph.has_channel(name) {
                        let message = format!("the state holds `{name}`, and has no such key");
                        self.add("key_gone", namespace, message);
                    } else if let Some(field) = fields.get(&**name)
                        && !accepts(&field.annotation, value)
                    {
                        let message = format!(
                            "`{name}` holds {}, and is to be `{}`",
                            value.type_name(),
                            field.annotation
                        );
                        self.add("key_type", namespace, message);
                    }
                }
                Some(Stored::Names { names, .. })
                    if !names.is_empty() && !graph.has_channel(name) =>
                {
                    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                    let message = format!(
                        "a join has {} and waits for the rest, and there is no such join",
                        names.join(", ")
                    );
                    self.add("join_gone", namespace, message);
                }
                _ => {}
            }
        }
    }

    /// Tasks that wait for an answer: their functions start from the top where the code
    /// has changed, which must ask again and may not change anything outside twice.
    async fn questions(
        &mut self,
        saved: &Saved<Value>,
        graph: &Graph<Value>,
        before: &Graph<Value>,
    ) -> Result<(), Error> {
        for record in saved.pending.iter().filter_map(waiting) {
            let node = &record.task.node;
            let codes = (before.function(node), graph.function(node));
            let (Some(was), Some(is)) = codes else { continue };
            let hash =
                |code: &Code, what: &str| -> Option<Hash> { Some(code.nodes.get(what)?.hash) };
            if hash(&self.old_code, was) == hash(&self.new_code, is) {
                continue;
            }
            let namespace = &saved.state.namespace;
            if !asks(self.new, is) {
                let message = format!("`{node}` waits for an answer, and asks nothing");
                self.add("question_gone", namespace, message);
                continue;
            }
            let lane = Lane::new(self.thread, namespace.clone());
            let calls = self.store.effects(lane, record.task.id.to_string().into()).await?;
            let changes =
                |call: &&Effect| matches!(&*call.kind, "tool" | "http" | "database" | "file");
            if let Some(call) = calls.iter().find(changes) {
                let message = format!(
                    "`{node}` made a {} call before it asked; its changed code starts from the top and may make it again",
                    call.kind
                );
                self.add("call_before_question", namespace, message);
            }
        }
        Ok(())
    }

    /// Subgraphs that are in the midst of the open superstep.
    async fn below(&mut self, root: CheckpointId) -> Result<(), Error> {
        let mut open: HashMap<Arc<str>, CheckpointId> = HashMap::from([("".into(), root)]);
        let mut lanes = self.store.namespaces(self.thread.into()).await?;
        lanes.sort_by_key(|lane| lane.len());
        for namespace in lanes.iter().filter(|lane| !lane.is_empty()) {
            let loaded = thread::load(self.store, self.thread, namespace, None).await?;
            let Some((saved, _)) = loaded else { continue };
            let above = saved.state.parents.last();
            let is_open = above.is_some_and(|(above, id)| open.get(above) == Some(id));
            if !is_open || saved.state.next.is_empty() {
                continue;
            }
            open.insert(namespace.clone(), saved.state.id);
            let nodes = saved.state.next.iter().map(|task| task.node.clone()).collect();
            let graph_in = |code: &Code| {
                thread::graph_of(&code.graph, code.graphs.iter(), namespace, Some(&nodes))
            };
            // Where the node above is gone or no graph any more, that was said there.
            let (Some(before), Some(graph)) = (graph_in(&self.old_code), graph_in(&self.new_code))
            else {
                continue;
            };
            self.state(&saved, &graph, &before);
            self.questions(&saved, &graph, &before).await?;
        }
        Ok(())
    }
}

fn record_of(saved: &Saved<Value>, task: weaver_engine::TaskId) -> Option<&TaskRecord<Value>> {
    saved.pending.iter().find_map(|record| match record {
        PendingRecord::Task(record) if record.task.id == task => Some(record),
        _ => None,
    })
}

fn waiting(record: &PendingRecord<Value>) -> Option<&TaskRecord<Value>> {
    match record {
        PendingRecord::Task(record) => {
            (record.writes.is_none() && !record.interrupts.is_empty()).then_some(record)
        }
        PendingRecord::Command(_) => None,
    }
}

/// The state fields of a graph by name.
fn fields_of<'a>(version: Version<'a>, graph: &Graph<Value>) -> HashMap<&'a str, &'a FieldSpec> {
    let spec: &FileSpec = &version.analysis.spec;
    let name = match *graph == version.plan.graph {
        true => Some(&version.plan.name),
        false => version.plan.graphs.iter().find(|(_, own)| *own == graph).map(|(name, _)| name),
    };
    let graph = spec.graphs.iter().find(|own| Some(&own.name) == name);
    let fields = graph.into_iter().flat_map(|graph| &graph.state.fields);
    fields.map(|field| (field.name.as_str(), field)).collect()
}

/// Whether a node's code can ask a person at all.
fn asks(version: Version<'_>, what: &str) -> bool {
    match version.plan.targets.get(what) {
        Some(plan::Target::Function { id, .. }) => weaver_studio::function(version.analysis, id)
            .is_none_or(|(text, graphs)| text.contains("interrupt") || !graphs.is_empty()),
        // Which of these ask depends on their settings and tools.
        Some(_) => true,
        None => false,
    }
}

/// Whether a value can be of an annotated type. Only what is sure is refused.
fn accepts(annotation: &str, value: &Value) -> bool {
    let annotation = annotation.trim();
    if annotation.contains('|') || value.is_null() {
        return value.is_null() || annotation.split('|').any(|part| accepts(part, value));
    }
    let fits: fn(&Value) -> bool = match annotation.split('[').next().unwrap_or_default().trim() {
        "int" | "bool" => |value| matches!(value, Value::Int(_) | Value::Bool(_)),
        "float" => |value| matches!(value, Value::Int(_) | Value::Bool(_) | Value::Float(_)),
        "str" => |value| matches!(value, Value::Str(_)),
        "list" | "List" | "Sequence" => |value| matches!(value, Value::List(_)),
        "dict" | "Dict" => |value| matches!(value, Value::Map(_)),
        "None" => |value| value.is_null(),
        _ => return true,
    };
    // A tagged map is an instance of something.
    value.tag().is_some() || fits(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_of_another_type_is_refused() {
        let fits = |annotation, json| accepts(annotation, &Value::from_json(json).unwrap());
        for (annotation, json) in [
            ("int", "1"),
            ("float", "1"),
            ("str", "\"a\""),
            ("str | None", "null"),
            ("int | str", "\"a\""),
            ("list[int]", "[]"),
            ("dict", "{}"),
            ("Any", "[1]"),
            ("Plan", "{\"$type\":\"object\",\"class\":\"Plan\",\"fields\":{}}"),
            ("Optional[int]", "\"text\""),
        ] {
            assert!(fits(annotation, json), "{annotation} {json}");
        }
        for (annotation, json) in [
            ("int", "\"1\""),
            ("str", "1"),
            ("list[str]", "\"a\""),
            ("list", "{\"a\":1}"),
            ("dict", "[]"),
            ("int | None", "\"a\""),
            ("str", "{\"a\":1}"),
        ] {
            assert!(!fits(annotation, json), "{annotation} {json}");
        }
    }
}
