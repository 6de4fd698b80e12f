//! Collects the chunks of a run in the form of the suite.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use weaver_core::{Event, EventKind, Value};
use weaver_engine::{Chunk, Emit, StreamModes};
use weaver_runtime::{ChunkListener, Listener};

use super::values;

/// The chunks of one run, as they come.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    modes: Vec<String>,
    subgraphs: bool,
    chunks: Mutex<Vec<Json>>,
}

impl Collector {
    /// Takes chunks of these modes, those of subgraphs if wanted.
    pub fn new(modes: Vec<String>, subgraphs: bool) -> Self {
        Collector(Arc::new(Inner { modes, subgraphs, chunks: Mutex::default() }))
    }

    /// What the engine has to emit.
    pub fn modes(&self) -> StreamModes {
        self.0.modes.iter().fold(StreamModes::NONE, |modes, mode| {
            modes.and(match mode.as_str() {
                "values" => StreamModes::VALUES,
                "updates" => StreamModes::UPDATES,
                "messages" => StreamModes::MESSAGES,
                "tasks" => StreamModes::TASKS,
                "checkpoints" => StreamModes::CHECKPOINTS,
                "debug" => StreamModes::DEBUG,
                _ => StreamModes::NONE,
            })
        })
    }

    /// Takes chunks of the engine.
    pub fn chunk_listener(&self) -> ChunkListener {
        let collector = self.clone();
        Arc::new(move |emit: &Emit<Value>| collector.emitted(emit))
    }

    /// Takes what nodes write to their stream.
    pub fn event_listener(&self) -> Listener {
        let collector = self.clone();
        Arc::new(move |event: &Event| {
            if event.kind == EventKind::Custom {
                collector.add("custom", event.namespace.clone(), || values::value(&event.data));
            }
        })
    }

    /// All chunks so far; nothing when no mode was asked for.
    pub fn take(&self) -> Option<Vec<Json>> {
        let chunks = std::mem::take(&mut *self.0.chunks.lock().expect("adding does not panic"));
        (!self.0.modes.is_empty()).then_some(chunks)
    }

    fn emitted(&self, emit: &Emit<Value>) {
        let namespace = emit.namespace.split('|').filter(|part| !part.is_empty());
        let namespace: Vec<String> = namespace.map(String::from).collect();
        let chunk = &emit.chunk;
        match chunk {
            Chunk::Values { .. } => self.add("values", namespace, || values_data(chunk)),
            Chunk::Update { .. } | Chunk::Interrupts(_) => {
                self.add("updates", namespace, || updates_data(chunk));
            }
            Chunk::Message { message, node, step } => self.add("messages", namespace, || {
                json!([values::value(message), {"langgraph_node": **node, "langgraph_step": step}])
            }),
            Chunk::TaskStart { step, .. } => {
                self.add_detail("tasks", "task", *step, namespace, task_data(chunk));
            }
            Chunk::TaskEnd { step, .. } => {
                self.add_detail("tasks", "task_result", *step, namespace, task_data(chunk));
            }
            Chunk::Checkpoint { step, .. } => {
                let data = checkpoint_data(chunk);
                self.add_detail("checkpoints", "checkpoint", *step, namespace, data);
            }
        }
    }

    /// A chunk that mode debug shows as well.
    fn add_detail(&self, mode: &str, kind: &str, step: i64, namespace: Vec<String>, data: Json) {
        self.add(mode, namespace.clone(), || data.clone());
        self.add("debug", namespace, || json!({"type": kind, "step": step, "payload": data}));
    }

    fn add(&self, mode: &str, namespace: Vec<String>, data: impl FnOnce() -> Json) {
        let Inner { modes, subgraphs, chunks } = &*self.0;
        if !modes.iter().any(|asked| asked == mode) || !(*subgraphs || namespace.is_empty()) {
            return;
        }
        let mut entry = json!({"mode": mode, "data": data()});
        if *subgraphs {
            entry["ns"] = namespace.into();
        }
        chunks.lock().expect("adding does not panic").push(entry);
    }
}

fn values_data(chunk: &Chunk<Value>) -> Json {
    let Chunk::Values { values, interrupts } = chunk else { return Json::Null };
    let mut data = values::value(values);
    if !interrupts.is_empty() && data.is_object() {
        data["__interrupt__"] = values::interrupts(interrupts);
    }
    data
}

fn updates_data(chunk: &Chunk<Value>) -> Json {
    match chunk {
        Chunk::Interrupts(interrupts) => json!({"__interrupt__": values::interrupts(interrupts)}),
        Chunk::Update { node, updates, cached } => {
            let update = match updates.as_slice() {
                [] => Json::Null,
                [one] => values::value(one),
                many => many.iter().map(values::value).collect(),
            };
            let mut data = json!({&**node: update});
            if *cached {
                data["__metadata__"] = json!({"cached": true});
            }
            data
        }
        _ => Json::Null,
    }
}

fn task_data(chunk: &Chunk<Value>) -> Json {
    match chunk {
        Chunk::TaskStart { id, node, input, triggers, .. } => {
            let mut triggers: Vec<&str> = triggers.iter().map(|name| &**name).collect();
            triggers.sort_unstable();
            let input = values::value(input);
            json!({"id": id.to_string(), "name": **node, "input": input, "triggers": triggers})
        }
        Chunk::TaskEnd { id, node, result, error, interrupts, .. } => json!({
            "id": id.to_string(),
            "name": **node,
            "result": values::result(result),
            "interrupts": values::interrupts(interrupts),
            "error": error.as_deref().map(values::error_text),
        }),
        _ => Json::Null,
    }
}

fn checkpoint_data(chunk: &Chunk<Value>) -> Json {
    let Chunk::Checkpoint { step, source, values, tasks, .. } = chunk else { return Json::Null };
    let shown = tasks.iter().map(|task| {
        let mut shown = values::task(task);
        // The mode leaves out what says nothing.
        shown
            .retain(|key, told| key != "result" || told.as_object().is_some_and(|t| !t.is_empty()));
        shown
    });
    json!({
        "values": values::value(values),
        "next": tasks.iter().map(|task| &*task.node).collect::<Vec<_>>(),
        "source": source,
        "step": step,
        "tasks": shown.collect::<Vec<_>>(),
    })
}
