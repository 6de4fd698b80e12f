//! `update_state` and `bulk_update_state`: edits from outside, as supersteps
//! without node runs.

use std::collections::VecDeque;

use weaver_core::spec::END;

use super::frame::Frame;
use super::hub::{End, Hub};
use super::step::After;
use super::task::{Task, TaskState};
use crate::channels::Write;
use crate::checkpoint::{Source, TaskPath};
use crate::effect::{Command, Goto, NodeOutput};
use crate::graph::Plan;
use crate::hash::TaskId;
use crate::input::StateUpdate;
use crate::value::StateValue;

/// Supersteps that are still to be applied.
pub(super) struct Updates<V> {
    rest: VecDeque<Vec<StateUpdate<V>>>,
}

impl<V: StateValue> Frame<V> {
    pub fn begin_update(&mut self, hub: &mut Hub<V>, updates: Vec<Vec<StateUpdate<V>>>) {
        if !self.saves {
            return self.refuse(hub, "no_checkpointer", "Updating state needs a checkpointer.");
        }
        if updates.is_empty() || updates.iter().any(Vec::is_empty) {
            return self.refuse(hub, "empty_update", "No updates were given.");
        }
        let first = updates[0][0].as_node.as_deref();
        if self.checkpoint.is_none() && first != Some("__input__") {
            // Step −1 of a thread is input only.
            self.step = 0;
        }
        self.updates = Some(Updates { rest: updates.into() });
        self.next_update(hub);
    }

    fn next_update(&mut self, hub: &mut Hub<V>) {
        let Some(updates) = self.updates.as_mut().and_then(|updates| updates.rest.pop_front())
        else {
            let output = self.output();
            return self.end(hub, End::Done { output });
        };
        let special = updates.iter().find_map(|update| match update.as_node.as_deref() {
            Some(END) if update.values.is_none() => Some(END),
            Some("__input__") => Some("__input__"),
            Some("__copy__") => Some("__copy__"),
            _ => None,
        });
        match special {
            Some(_) if updates.len() > 1 => {
                self.refuse(
                    hub,
                    "invalid_update",
                    "This update must be the only one of its superstep.",
                );
            }
            Some(END) => self.clear_tasks(hub),
            Some("__input__") => self.update_as_input(hub, updates),
            Some(_) => self.copy(hub),
            None => self.update_as_nodes(hub, updates),
        }
    }

    /// Drops what would run next, with what it has already written applied.
    fn clear_tasks(&mut self, hub: &mut Hub<V>) {
        self.prepare(true, self.step);
        self.reapply();
        let mut order: Vec<usize> = (0..self.tasks.len()).collect();
        order.sort_by_key(|number| self.tasks[*number].path.rank());
        self.apply_updates(hub, &order);
    }

    fn update_as_input(&mut self, hub: &mut Hub<V>, updates: Vec<StateUpdate<V>>) {
        let Some(value) = updates.into_iter().next().and_then(|update| update.values) else {
            return self.empty_input(hub);
        };
        let plan = self.graph.0.clone();
        self.channels.begin_step(&plan, std::iter::empty(), false);
        let mut folds = Vec::new();
        // The entry's input channel has no reducer, so nothing can fail here.
        let _ = self.channels.write(&plan, vec![Write::Start(value)], 0, &mut folds);
        self.channels.end_step(&plan);
        self.commit(hub, Source::Input);
        self.next_update(hub);
    }

    /// A copy of the checkpoint, beside it.
    fn copy(&mut self, hub: &mut Hub<V>) {
        if self.checkpoint.is_none() {
            return self.refuse(hub, "invalid_update", "Cannot copy a non-existent checkpoint.");
        }
        let plan = self.graph.0.clone();
        self.channels.mark_all_dirty(&plan);
        self.channels.interrupt_moved = true;
        self.moved_heads = std::mem::take(&mut self.heads);
        let parent = self.checkpoint_parent;
        self.commit_at(hub, Source::Fork, parent);
        self.next_update(hub);
    }

    fn update_as_nodes(&mut self, hub: &mut Hub<V>, updates: Vec<StateUpdate<V>>) {
        let plan = self.graph.0.clone();
        let several = updates.len() > 1;
        // An edit stands for the task of its node, where one is open: the history
        // shows it as what that task wrote.
        self.prepare(true, self.step);
        let open: Vec<(TaskId, u32)> = self.tasks.iter().map(|task| (task.id, task.node)).collect();
        let is_pulled = |task: &&Task<V>| matches!(task.path, TaskPath::Pull(_));
        let next: Vec<u32> = self.tasks.iter().filter(is_pulled).map(|task| task.node).collect();
        self.tasks.clear();
        let mut outputs = Vec::with_capacity(updates.len());
        for (index, update) in updates.into_iter().enumerate() {
            let node = match &update.as_node {
                Some(name) => plan.node_ids.get(name).copied(),
                None if several => {
                    let message = "as_node is required when applying multiple updates";
                    return self.refuse(hub, "ambiguous_update", message);
                }
                None => match self.channels.last_writer(&plan) {
                    Some(node) => Some(node),
                    None => {
                        let message = "Ambiguous update, specify as_node";
                        return self.refuse(hub, "ambiguous_update", message);
                    }
                },
            };
            let Some(node) = node else {
                let name = update.as_node.as_deref().unwrap_or_default();
                return self.refuse(hub, "unknown_node", &format!("Node {name} does not exist"));
            };
            let path = TaskPath::Update(index as u32);
            let taken = |id: &TaskId| self.tasks.iter().any(|task| task.id == *id);
            let of_node = |(id, other): &&(TaskId, u32)| *other == node && !taken(id);
            let id = update.task.or_else(|| open.iter().find(of_node).map(|(id, _)| *id));
            let id = id.unwrap_or_else(|| self.task_id(self.step, node, path));
            self.tasks.push(Task::new(id, node, path));
            let output = update.values.map_or(NodeOutput::Nothing, NodeOutput::Update);
            let chose = update.keeps_next
                && update.as_node.is_none()
                && plan.nodes[node as usize].chooses_by_commands();
            outputs.push(match chose {
                true => NodeOutput::Many(vec![output, goes_to(&plan, &next)]),
                false => output,
            });
        }
        self.edited = open.into_iter().map(|(id, _)| id).collect();
        self.pending.clear();
        self.in_step = true;
        self.open = self.tasks.len();
        for (number, output) in outputs.into_iter().enumerate() {
            self.tasks[number].state = TaskState::Running;
            self.tasks[number].attempt = 1;
            self.node_returned(hub, number, output);
        }
    }

    fn apply_updates(&mut self, hub: &mut Hub<V>, order: &[usize]) {
        let mut folds = Vec::new();
        if let Err(failure) = self.write_all(order, &mut folds) {
            return self.end(hub, End::Failed(failure));
        }
        self.await_folds(hub, folds, After::Step { stops: false });
    }

    /// The superstep is in the channels.
    pub fn update_applied(&mut self, hub: &mut Hub<V>) {
        self.commit(hub, Source::Update);
        self.next_update(hub);
    }
}

/// A command that has these nodes run next.
fn goes_to<V: StateValue>(plan: &Plan<V>, nodes: &[u32]) -> NodeOutput<V> {
    let name = |node: &u32| Goto::Node(plan.nodes[*node as usize].name.clone());
    NodeOutput::Command(Command { update: Vec::new(), goto: nodes.iter().map(name).collect() })
}
