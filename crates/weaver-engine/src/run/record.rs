//! What a task has come to, as it is saved on top of the checkpoint.

use std::collections::BTreeMap;

use super::frame::Frame;
use super::hub::Hub;
use super::task::{Task, TaskState};
use crate::channels::Write;
use crate::channels::saved::{Changes, saved_send};
use crate::checkpoint::{PendingRecord, SavedWrite, TaskRecord};
use crate::effect::{Effect, SaveWrites};
use crate::graph::Plan;
use crate::hash::TaskId;
use crate::value::StateValue;
use crate::wrote::{Wrote, tell};

impl<V: StateValue> Frame<V> {
    /// Saves what a task has come to.
    pub fn save_record(&mut self, hub: &mut Hub<V>, number: usize) {
        let (true, Some(checkpoint)) = (self.saves, self.checkpoint) else { return };
        let task = &self.tasks[number];
        let done = matches!(task.state, TaskState::Done);
        let failure = task.error.as_ref().or(task.failed_before.as_ref().filter(|_| done));
        let record = TaskRecord {
            task: self.task_ref(task),
            writes: done
                .then(|| task.writes.iter().filter_map(|write| self.saved_write(write)).collect()),
            answers: task.answers.clone(),
            branch_answers: task.branch_answers.clone(),
            interrupts: if done { Vec::new() } else { task.interrupts.clone() },
            asked: task.asked.clone(),
            error: failure.map(|failure| (**failure).clone()),
            children: task.heads.clone(),
        };
        hub.effects.push_back(Effect::SaveWrites(SaveWrites {
            namespace: self.namespace.clone(),
            checkpoint,
            record: PendingRecord::Task(record),
        }));
    }

    /// A write by name; nothing for what is never saved.
    pub fn saved_write(&self, write: &Write<V>) -> Option<SavedWrite<V>> {
        let plan = &self.graph.0;
        Some(match write {
            Write::Set(key, _) if plan.is_untracked(*key as usize) => return None,
            Write::Set(key, value) => {
                SavedWrite::State(plan.keys[*key as usize].name.clone(), value.clone())
            }
            Write::Start(_) => return None,
            Write::Go(node) => SavedWrite::Goto(plan.nodes[*node as usize].name.clone()),
            Write::Join(control, slot) => {
                let spec = &plan.controls[*control as usize];
                let sources = spec.sources.as_ref()?;
                SavedWrite::Join(spec.name.clone(), sources[*slot as usize].clone())
            }
            Write::Send(send) => SavedWrite::Send(saved_send(plan, send)),
        })
    }

    /// A saved write by number; nothing if the graph no longer has what it names.
    pub fn loaded_write(&self, write: &SavedWrite<V>) -> Option<Write<V>> {
        loaded_write(&self.graph.0, write)
    }

    /// What the tasks write, before it is applied: for the history.
    pub fn note_wrote(&mut self) {
        let state_writes = |task: &Task<V>| {
            let state = task.writes.iter().filter_map(|write| match write {
                Write::Set(key, value) => Some((*key, value.clone())),
                _ => None,
            });
            (task.state == TaskState::Done).then(|| state.collect())
        };
        self.wrote = match self.updates {
            None => {
                let tasks = self.tasks.iter().filter(|task| task.handles.is_none());
                tasks.map(state_writes).collect()
            }
            Some(_) => {
                let edit = |id: &TaskId| self.tasks.iter().find(|task| task.id == *id);
                self.edited.iter().map(|id| edit(id).and_then(state_writes)).collect()
            }
        };
    }

    /// What the tasks wrote, told by the changes of the commit where possible.
    pub fn take_wrote(&mut self, changes: &Changes<V>) -> Vec<Option<Vec<Wrote<V>>>> {
        let plan = self.graph.0.clone();
        let mut taken = BTreeMap::new();
        let tasks = std::mem::take(&mut self.wrote).into_iter();
        tasks
            .map(|task| {
                let saved = |(key, _): &(u32, V)| !plan.is_untracked(*key as usize);
                let writes = task?.into_iter().filter(saved);
                Some(
                    writes
                        .map(|(key, value)| tell(&plan, key, value, changes, &mut taken))
                        .collect(),
                )
            })
            .collect()
    }
}

/// A saved write by number; nothing if the graph no longer has what it names.
pub(crate) fn loaded_write<V: StateValue>(
    plan: &Plan<V>,
    write: &SavedWrite<V>,
) -> Option<Write<V>> {
    Some(match write {
        SavedWrite::State(key, value) => Write::Set(*plan.key_ids.get(key)?, value.clone()),
        SavedWrite::Goto(node) => Write::Go(*plan.node_ids.get(node)?),
        SavedWrite::Join(control, source) => {
            let control = *plan.control_ids.get(control)?;
            let sources = plan.controls[control as usize].sources.as_ref()?;
            let slot = sources.iter().position(|other| other == source)?;
            Write::Join(control, slot as u32)
        }
        SavedWrite::Send(send) => {
            plan.node_ids.get(&send.node)?;
            Write::Send(send.clone())
        }
    })
}
