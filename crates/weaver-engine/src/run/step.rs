//! The end of a superstep: all writes at once, then the checkpoint.

use weaver_core::{Failure, FailureKind};

use super::frame::Frame;
use super::hub::{CallRole, End, Hub, Work};
use super::task::TaskState;
use crate::channels::Fold;
use crate::checkpoint::{Source, TaskPath};
use crate::effect::Answer;
use crate::value::StateValue;

/// What comes after reducers have answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// The superstep ends; whether a node ran after which the run stops.
    Step { stops: bool },
    /// The command that continued the run is applied.
    Begin { forks: bool },
}

impl<V: StateValue> Frame<V> {
    /// Ends the superstep if no task of it is left to run.
    pub fn close_step_if_done(&mut self, hub: &mut Hub<V>) {
        if !self.in_step || self.open > 0 || !self.queue.is_empty() {
            return;
        }
        self.in_step = false;
        let mut order: Vec<usize> = (0..self.tasks.len()).collect();
        order.sort_by_key(|number| self.tasks[*number].path.rank());
        let first = |state| order.iter().copied().find(|number| self.tasks[*number].state == state);
        // Before all else: what the others came to is saved, and shows again when
        // the run goes on, with what the drained ones come to.
        if first(TaskState::Drained).is_some() {
            return self.end(hub, End::Drained);
        }
        if let Some(number) = first(TaskState::Failed) {
            let failure =
                self.tasks[number].error.take().map_or_else(not_a_value, |failure| *failure);
            let failure = failure.in_node(&self.node_name(&self.tasks[number]));
            return self.end(hub, End::Failed(failure));
        }
        if let Some(number) = first(TaskState::Left) {
            let command = self.tasks[number].command.take().unwrap_or_default();
            return self.end(hub, End::Parent(*command));
        }
        if first(TaskState::Interrupted).is_some() {
            return self.wait_for_answers(hub, &order);
        }
        self.apply(hub, &order);
    }

    /// Ends the frame with its questions. What finished tasks wrote is in the
    /// values, though not in the checkpoint.
    fn wait_for_answers(&mut self, hub: &mut Hub<V>, order: &[usize]) {
        let mut interrupts = Vec::new();
        for task in self.tasks.iter_mut().filter(|task| task.state == TaskState::Interrupted) {
            interrupts.append(&mut task.interrupts);
        }
        if self.is_root() {
            let mut folds = Vec::new();
            let kept = self.channels.values.clone();
            if self.write_all(order, &mut folds).is_err() || !folds.is_empty() {
                self.channels.values = kept;
            } else if self.is_shown(&self.channels.applied()) {
                self.emit_values(hub);
            }
        }
        let values = self.output();
        self.end(hub, End::Interrupted { interrupts, values });
    }

    fn apply(&mut self, hub: &mut Hub<V>, order: &[usize]) {
        if self.saves {
            self.note_wrote();
        }
        let mut folds = Vec::new();
        if let Err(failure) = self.write_all(order, &mut folds) {
            return self.end(hub, End::Failed(failure));
        }
        let stops = self
            .interrupt_after
            .as_ref()
            .is_some_and(|stops| self.tasks.iter().any(|task| stops[task.node as usize]));
        self.await_folds(hub, folds, After::Step { stops });
    }

    /// Applies the writes of all tasks, in the order of their paths.
    pub fn write_all(&mut self, order: &[usize], folds: &mut Vec<Fold<V>>) -> Result<(), Failure> {
        let plan = self.graph.0.clone();
        let tasks = &self.tasks;
        let pulled = order.iter().filter_map(|number| match tasks[*number].path {
            TaskPath::Pull(_) => Some(tasks[*number].node),
            _ => None,
        });
        self.channels.begin_step(&plan, pulled, true);
        for number in order {
            let seed = self.message_seed(*number);
            let writes = std::mem::take(&mut self.tasks[*number].writes);
            self.channels.write(&plan, writes, seed, folds)?;
        }
        Ok(())
    }

    /// Goes on after the host has folded what it must, at once if that is nothing.
    pub fn await_folds(&mut self, hub: &mut Hub<V>, folds: Vec<Fold<V>>, after: After) {
        self.after = after;
        if folds.is_empty() {
            return self.folds_done(hub);
        }
        self.folding = self.call_folds(hub, folds, 0, CallRole::StepFold);
    }

    /// A reducer folded a key for the step.
    pub fn step_folded(&mut self, hub: &mut Hub<V>, key: u32, answer: Answer<V>) {
        let failure = match answer {
            Answer::Value(value) => {
                self.channels.folded(key, value);
                self.folding -= 1;
                if self.folding == 0 {
                    self.folds_done(hub);
                }
                return;
            }
            Answer::Failed(failure) => failure,
            _ => not_a_value(),
        };
        hub.stop_calls_of(self.number);
        self.end(hub, End::Failed(failure));
    }

    fn folds_done(&mut self, hub: &mut Hub<V>) {
        match self.after {
            After::Step { stops } => self.finish_step(hub, stops),
            After::Begin { forks } => self.command_applied(hub, forks),
        }
    }

    fn finish_step(&mut self, hub: &mut Hub<V>, stops: bool) {
        let plan = self.graph.0.clone();
        let applied = self.channels.end_step(&plan);
        if self.updates.is_some() {
            return self.update_applied(hub);
        }
        if self.is_shown(&applied) {
            self.emit_values(hub);
        }
        self.pending.clear();
        self.commit(hub, Source::Loop);
        (self.resuming, self.replaying) = (false, false);
        if stops && self.channels.version > self.channels.interrupt_seen {
            return self.stop_at_breakpoint(hub);
        }
        hub.work.push_back(Work::Tick(self.number));
    }
}

pub(super) fn not_a_value() -> Failure {
    Failure::new(
        FailureKind::Internal,
        "wrong_answer",
        "The host answered a call with something of another kind.",
    )
}
