//! The beginning of a run: new input, going on, answers, replay.

use std::sync::Arc;

use weaver_core::spec::END;
use weaver_core::{Failure, FailureKind};

use super::frame::Frame;
use super::hub::{CallRole, End, Hub, Work};
use super::step::After;
use super::task::TaskState;
use crate::channels::{Channels, Write};
use crate::checkpoint::{CommandRecord, PendingRecord, Saved, Source};
use crate::effect::{Effect, Goto, Interrupt, Load, Notice, SaveWrites};
use crate::graph::Persistence;
use crate::hash::CheckpointId;
use crate::input::{Input, InputCommand, Origin, Resume};
use crate::value::StateValue;

impl<V: StateValue> Frame<V> {
    /// Begins the root.
    pub fn begin_root(&mut self, hub: &mut Hub<V>, origin: Origin<V>, input: Input<V>) {
        let Origin { saved, chosen, superseded } = origin;
        let source = saved.as_ref().map(|saved| saved.state.source);
        if let Some(saved) = saved {
            self.restore(hub, saved);
        }
        if hub.options.recursion_limit == 0 && !matches!(input, Input::Update(_)) {
            return self.refuse(hub, "invalid_limit", "`recursion_limit` must be at least 1");
        }
        let input = match input {
            Input::Update(updates) => return self.begin_update(hub, updates),
            // Without a state there is nothing to command: it is new input.
            Input::Command(command) if source.is_none() && command.resume.is_none() => {
                self.entry_goto = command.goto;
                Input::Value(V::from_fields(command.update))
            }
            input => input,
        };
        let Some(source) = source else {
            return match input {
                Input::Value(value) if !value.is_null() => self.take_input(hub, value),
                Input::Command(_) => {
                    self.refuse(hub, "nothing_to_resume", "There is no checkpoint to resume.")
                }
                _ => self.empty_input(hub),
            };
        };
        let answers = matches!(&input, Input::Command(command) if command.resume.is_some());
        let time_travel = chosen && !answers;
        self.replaying = time_travel || superseded;
        if time_travel {
            self.forget_answers();
        }
        let copied = matches!(source, Source::Update | Source::Fork);
        let forks = time_travel && (!copied || superseded);
        match input {
            Input::Value(value) if !value.is_null() => self.take_input(hub, value),
            Input::Command(command) => self.take_command(hub, command, forks),
            _ => self.resume(hub, CommandRecord::default(), forks),
        }
    }

    /// Takes on a saved state.
    pub fn restore(&mut self, hub: &Hub<V>, saved: Saved<V>) {
        let Saved { state, pending } = saved;
        self.channels = Channels::restore(&self.graph.0, &state, self.saves);
        self.checkpoint = Some(state.id);
        self.checkpoint_parent = state.parent;
        self.source = state.source;
        if self.is_root() {
            self.parents = state.parents;
        }
        self.floor = self.floor.max(self.checkpoint);
        self.heads = state.children;
        self.step = state.step + 1;
        self.stop = self.step + i64::from(hub.options.recursion_limit) + 1;
        self.pending = pending;
    }

    fn forget_answers(&mut self) {
        for record in &mut self.pending {
            match record {
                PendingRecord::Task(task) => {
                    task.answers.clear();
                    task.branch_answers.clear();
                    task.interrupts.clear();
                }
                PendingRecord::Command(command) => {
                    command.answers.clear();
                    command.bare = None;
                    command.lone = None;
                }
            }
        }
    }

    /// Begins a subgraph: reads its checkpoint first, if it can have one. `at` is
    /// what one with its own memory came to in an earlier step.
    pub fn begin_below(
        &mut self,
        hub: &mut Hub<V>,
        input: V,
        resuming: bool,
        at: Option<CheckpointId>,
    ) {
        let own = self.persistence == Persistence::Own;
        let under = self.parents.last().map(|(_, id)| *id);
        let (Some(under), true) = (under, self.saves && (resuming || own)) else {
            return self.begin_with(hub, input, false, None);
        };
        self.waiting = Some((input, resuming));
        let id = hub.calls.add(self.number, CallRole::Load);
        let namespace = self.namespace.clone();
        hub.effects.push_back(Effect::Load(Load { id, namespace, under, at }));
    }

    /// A subgraph's checkpoint has been read.
    pub fn begin_child(&mut self, hub: &mut Hub<V>, saved: Option<Saved<V>>) {
        let Some((input, resuming)) = self.waiting.take() else { return };
        // A subgraph with its own memory may have ended long ago: it goes on only
        // if it belongs to the very task that is being resumed.
        let resuming = resuming
            && saved
                .as_ref()
                .is_some_and(|saved| saved.state.parents.last() == self.parents.last());
        self.begin_with(hub, input, resuming, saved);
    }

    fn begin_with(&mut self, hub: &mut Hub<V>, input: V, resuming: bool, saved: Option<Saved<V>>) {
        let known = saved.is_some();
        if let Some(saved) = saved {
            self.restore(hub, saved);
        }
        if resuming {
            self.resume(hub, CommandRecord::default(), false);
        } else if !input.is_null() {
            self.take_input(hub, input);
        } else if known {
            self.resume(hub, CommandRecord::default(), false);
        } else {
            self.empty_input(hub);
        }
    }

    /// New input: unfinished tasks are dropped.
    fn take_input(&mut self, hub: &mut Hub<V>, value: V) {
        self.pending.clear();
        let plan = self.graph.0.clone();
        self.prepare(true, self.step);
        let pulled: Vec<u32> =
            self.tasks.iter().filter(|task| !task.path.is_push()).map(|task| task.node).collect();
        let bump = !self.tasks.is_empty();
        self.channels.begin_step(&plan, pulled.into_iter(), bump);
        let mut folds = Vec::new();
        // The entry's input channel has no reducer, so nothing can fail here.
        let _ = self.channels.write(&plan, vec![Write::Start(value)], 0, &mut folds);
        self.channels.end_step(&plan);
        self.commit(hub, Source::Input);
        hub.work.push_back(Work::Tick(self.number));
    }

    fn take_command(&mut self, hub: &mut Hub<V>, command: InputCommand<V>, forks: bool) {
        let mut record = CommandRecord::default();
        let given = command.resume.is_some();
        match command.resume {
            Some(_) if !self.saves => {
                let message = "Cannot use Command(resume=...) without checkpointer";
                return self.refuse(hub, "no_checkpointer", message);
            }
            Some(Resume::ById(answers)) => record.answers = answers,
            Some(Resume::Bare(value)) => match self.pending_interrupts()[..] {
                [] => record.bare = Some(value),
                [asked] => {
                    record.lone = Some((asked.namespace.clone(), asked.id));
                    record.answers.push((asked.id, value));
                }
                _ => {
                    let message = "When there are multiple pending interrupts, you must specify the interrupt id when resuming.";
                    return self.refuse(hub, "ambiguous_resume", message);
                }
            },
            None => {}
        }
        let plan = self.graph.0.clone();
        for (name, value) in command.update {
            match plan.key_ids.get(&name) {
                Some(key) => {
                    let write = Write::Set(*key, value);
                    record.writes.extend(self.saved_write(&write));
                }
                None => self.drop_write(hub, &name),
            }
        }
        for goto in command.goto {
            match goto {
                Goto::Send(send) => record.writes.extend(self.saved_write(&Write::Send(send))),
                Goto::Node(name) if &*name == END => {}
                Goto::Node(name) => match plan.node_ids.get(&name) {
                    Some(node) => record.writes.extend(self.saved_write(&Write::Go(*node))),
                    None => self.drop_write(hub, &name),
                },
            }
        }
        if !given && record.writes.is_empty() {
            return self.empty_input(hub);
        }
        self.resume(hub, record, forks);
    }

    fn drop_write(&self, hub: &mut Hub<V>, name: &str) {
        let message = format!("the command names `{name}`, which the graph does not have");
        let node: Arc<str> = "__input__".into();
        hub.effects.push_back(Effect::Notice(Notice { code: "unknown_channel", message, node }));
    }

    /// Questions that wait for an answer.
    fn pending_interrupts(&self) -> Vec<&Interrupt<V>> {
        let tasks = self.pending.iter().filter_map(|record| match record {
            PendingRecord::Task(task) if task.writes.is_none() => Some(task),
            _ => None,
        });
        tasks.flat_map(|task| &task.interrupts).collect()
    }

    /// Goes on from the checkpoint with what a command brought, now or before.
    fn resume(&mut self, hub: &mut Hub<V>, new: CommandRecord<V>, forks: bool) {
        let position = self.pending.iter().position(|record| record.slot().is_none());
        let mut record = match position.map(|position| self.pending.remove(position)) {
            Some(PendingRecord::Command(record)) => record,
            _ => CommandRecord::default(),
        };
        let news = new != CommandRecord::default();
        record.writes.extend(new.writes);
        record.answers.retain(|(id, _)| new.answers.iter().all(|(other, _)| other != id));
        record.answers.extend(new.answers);
        record.bare = new.bare.or(record.bare);
        record.lone = new.lone.or(record.lone);
        if let (true, true, false, Some(checkpoint)) = (news, self.saves, forks, self.checkpoint) {
            hub.effects.push_back(Effect::SaveWrites(SaveWrites {
                namespace: self.namespace.clone(),
                checkpoint,
                record: PendingRecord::Command(record.clone()),
            }));
        }
        hub.answers.extend(record.answers);
        hub.bare = hub.bare.take().or(record.bare);
        hub.lone = hub.lone.take().or(record.lone);
        let writes: Vec<Write<V>> =
            record.writes.iter().filter_map(|write| self.loaded_write(write)).collect();
        let plan = self.graph.0.clone();
        let mut folds = Vec::new();
        if !writes.is_empty() {
            self.channels.begin_step(&plan, std::iter::empty(), false);
            let seed = self.checkpoint.map_or(0, |id| id.0);
            if let Err(failure) = self.channels.write(&plan, writes, seed, &mut folds) {
                return self.end(hub, End::Failed(failure));
            }
        }
        self.resuming = true;
        if !folds.is_empty() {
            self.prepare(true, self.step);
        }
        self.await_folds(hub, folds, After::Begin { forks });
    }

    /// The command's writes are in the channels: go on.
    pub fn command_applied(&mut self, hub: &mut Hub<V>, forks: bool) {
        self.channels.interrupt_seen = self.channels.version;
        self.channels.interrupt_moved = true;
        if forks {
            self.commit(hub, Source::Fork);
        } else {
            self.prepare(true, self.step);
        }
        self.emit_values(hub);
        hub.work.push_back(Work::Tick(self.number));
    }

    /// Gives tasks of the first superstep what they had come to before.
    pub fn reapply(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        // Handlers are added on the way, so their own records come second.
        for _ in 0..2 {
            for record in &pending {
                let PendingRecord::Task(record) = record else { continue };
                let same = |task: &super::task::Task<V>| task.id == record.task.id;
                let Some(number) = self.tasks.iter().position(same) else { continue };
                if self.tasks[number].state != TaskState::Waiting {
                    continue;
                }
                self.tasks[number].answers.clone_from(&record.answers);
                self.tasks[number].branch_answers.clone_from(&record.branch_answers);
                let asked =
                    [&record.asked, &record.interrupts].into_iter().rfind(|a| !a.is_empty());
                self.tasks[number].asked = asked.cloned().unwrap_or_default();
                self.tasks[number].failed_before = record.error.clone().map(Box::new);
                if self.replaying {
                    continue;
                }
                self.moved_heads.extend(record.children.iter().cloned());
                self.tasks[number].heads.clone_from(&record.children);
                if let Some(writes) = &record.writes {
                    let writes = writes.iter().filter_map(|write| self.loaded_write(write));
                    self.tasks[number].writes = writes.collect();
                    self.tasks[number].state = TaskState::Done;
                    self.tasks[number].cached = true;
                } else if record.error.is_some() {
                    self.tasks[number].error = record.error.clone().map(Box::new);
                    if self.add_handler(number) {
                        self.tasks[number].state = TaskState::Handled;
                    } else {
                        self.tasks[number].error = None;
                    }
                }
            }
        }
    }

    pub fn empty_input(&mut self, hub: &mut Hub<V>) {
        self.refuse(hub, "empty_input", "Received no input.");
    }

    pub fn refuse(&mut self, hub: &mut Hub<V>, code: &str, message: &str) {
        let failure = Failure::new(FailureKind::InvalidInput, code, message);
        self.end(hub, End::Failed(failure));
    }
}
