//! Chunks of the streams that were asked for.

use std::sync::Arc;

use super::frame::Frame;
use super::hub::Hub;
use super::task::TaskState;
use crate::channels::{Applied, Write};
use crate::snapshot::task_snapshot;
use crate::stream::{Chunk, StreamModes};
use crate::value::StateValue;

impl<V: StateValue> Frame<V> {
    /// Whether anybody takes the frame's chunks of a mode.
    pub fn streams(&self, hub: &Hub<V>, mode: StreamModes) -> bool {
        hub.streams(mode, self.is_root()) || self.collects.has(mode)
    }

    /// Gives a chunk to those who take its mode.
    pub fn emit(&self, hub: &mut Hub<V>, chunk: Chunk<V>) {
        let mode = chunk.mode();
        if self.collects.has(mode) {
            hub.collected.entry(self.number).or_default().push(chunk.clone());
        }
        if hub.streams(mode, self.is_root()) {
            hub.emit(&self.namespace, chunk);
        }
    }

    /// Tells the streams what starts, and what needs not.
    pub fn announce(&mut self, hub: &mut Hub<V>) {
        self.note_old_messages(hub);
        if self.streams(hub, StreamModes::TASKS) {
            for number in 0..self.tasks.len() {
                self.emit_task_start(hub, number);
            }
        }
        for number in 0..self.tasks.len() {
            if self.tasks[number].state == TaskState::Done {
                self.emit_update(hub, number, true);
            }
        }
    }

    /// Tells the checkpoint that the next superstep starts from.
    pub fn emit_checkpoint(&self, hub: &mut Hub<V>) {
        let (true, Some(id)) = (self.saves, self.checkpoint) else { return };
        if !self.streams(hub, StreamModes::CHECKPOINTS) {
            return;
        }
        let tasks = self.tasks.iter().map(|task| {
            let task = self.task_ref(task);
            task_snapshot(&self.graph, &self.namespace, &self.pending, &task)
        });
        let chunk = Chunk::Checkpoint {
            id,
            parent: self.checkpoint_parent,
            step: self.step - 1,
            source: self.source,
            values: self.view(&self.graph.0.all).to_value(),
            tasks: tasks.collect(),
        };
        self.emit(hub, chunk);
    }

    pub fn emit_task_start(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        let node = &self.graph.0.nodes[task.node as usize];
        if node.hidden {
            return;
        }
        let triggers = if task.path.is_push() {
            [Arc::from("__pregel_push")].into()
        } else {
            node.trigger_names.clone()
        };
        let chunk = Chunk::TaskStart {
            id: task.id,
            node: node.name.clone(),
            step: self.step,
            input: self.task_input(task).to_value(),
            triggers,
            path: task.path,
        };
        self.emit(hub, chunk);
    }

    /// Tells that a task asked.
    pub fn emit_interrupts(&self, hub: &mut Hub<V>, number: usize) {
        let interrupts = || self.tasks[number].interrupts.clone();
        if self.streams(hub, StreamModes::UPDATES) {
            self.emit(hub, Chunk::Interrupts(interrupts()));
        }
        if self.streams(hub, StreamModes::VALUES) {
            let chunk = Chunk::Values { values: self.shown(), interrupts: interrupts() };
            self.emit(hub, chunk);
        }
    }

    /// Whether what a step changed is something that the streams show.
    pub fn is_shown(&self, applied: &Applied) -> bool {
        if self.shows_all { applied.changed } else { applied.output_changed }
    }

    pub fn emit_values(&self, hub: &mut Hub<V>) {
        if self.streams(hub, StreamModes::VALUES) {
            let chunk = Chunk::Values { values: self.shown(), interrupts: Vec::new() };
            self.emit(hub, chunk);
        }
    }

    /// The state as the streams show it.
    fn shown(&self) -> V {
        let plan = &self.graph.0;
        self.view(if self.shows_all { &plan.all } else { &plan.output }).to_value()
    }

    /// What a task wrote to output keys, or to all keys of the state.
    fn written(&self, number: usize, all: bool) -> Vec<(Arc<str>, V)> {
        let plan = &self.graph.0;
        let writes = self.tasks[number].writes.iter();
        writes
            .filter_map(|write| match write {
                Write::Set(key, value) if all || plan.is_output[*key as usize] => {
                    Some((plan.keys[*key as usize].name.clone(), value.clone()))
                }
                _ => None,
            })
            .collect()
    }

    pub fn emit_update(&mut self, hub: &mut Hub<V>, number: usize, cached: bool) {
        let task = &self.tasks[number];
        if self.graph.0.nodes[task.node as usize].hidden {
            return;
        }
        let cached = cached || task.cached;
        // Those of a subgraph are no news for the graph above either, seen or not.
        let messages = hub.options.stream.and(self.collects).has(StreamModes::MESSAGES);
        if messages && !cached {
            self.emit_messages(hub, number);
        }
        if !self.streams(hub, StreamModes::UPDATES) {
            return;
        }
        let fields = self.written(number, self.shows_all);
        let twice = fields
            .iter()
            .enumerate()
            .any(|(position, (key, _))| fields[..position].iter().any(|(other, _)| other == key));
        let updates = if twice {
            fields.into_iter().map(|field| V::from_fields(vec![field])).collect()
        } else if fields.is_empty() {
            Vec::new()
        } else {
            vec![V::from_fields(fields)]
        };
        let node = self.node_name(&self.tasks[number]);
        self.emit(hub, Chunk::Update { node, updates, cached });
    }

    /// Messages that are in the state when a run starts or with its input are not
    /// news, even when a node writes them again.
    pub fn note_old_messages(&mut self, hub: &mut Hub<V>) {
        self.announced = self.announced.saturating_add(1);
        if self.announced > 2 || !self.streams(hub, StreamModes::MESSAGES) {
            return;
        }
        for value in self.channels.values.iter().flatten() {
            for message in value.items().unwrap_or_default() {
                hub.messages.extend(message.message_id());
            }
        }
    }

    fn emit_messages(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        for write in &task.writes {
            let Write::Set(_, value) = write else { continue };
            let one = std::slice::from_ref(value);
            for message in value.items().unwrap_or(one) {
                let Some(id) = message.message_id() else { continue };
                if hub.messages.insert(id) && self.streams(hub, StreamModes::MESSAGES) {
                    let node = self.node_name(task);
                    let chunk = Chunk::Message { message: message.clone(), node, step: self.step };
                    self.emit(hub, chunk);
                }
            }
        }
    }

    pub fn emit_task_end(&self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        if !self.streams(hub, StreamModes::TASKS) || self.graph.0.nodes[task.node as usize].hidden {
            return;
        }
        let unfinished = task.error.is_some() || !task.interrupts.is_empty();
        let chunk = Chunk::TaskEnd {
            id: task.id,
            node: self.node_name(task),
            step: self.step,
            result: if unfinished { Vec::new() } else { self.written(number, true) },
            error: task.error.clone(),
            interrupts: task.interrupts.clone(),
        };
        self.emit(hub, chunk);
    }
}
