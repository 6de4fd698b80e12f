//! Conditional edges: decided inside the task, over the state with its own writes.

use std::sync::Arc;

use weaver_core::spec::{END, START};
use weaver_core::{Failure, FailureKind};

use super::frame::Frame;
use super::hub::{CallRole, Hub};
use crate::channels::Write;
use crate::effect::{Answer, CallKind, Route};
use crate::value::StateValue;
use crate::view::CallInput;

impl<V: StateValue> Frame<V> {
    /// Asks the task's next branch; before the first, works out what branches see.
    pub fn next_branch(&mut self, hub: &mut Hub<V>, number: usize) {
        let graph = self.graph.clone();
        let node = &graph.0.nodes[self.tasks[number].node as usize];
        if self.tasks[number].branch == 0 {
            let mut folds = Vec::new();
            let seed = self.message_seed(number);
            let writes = &self.tasks[number].writes;
            if self.tasks.len() == 1 {
                self.channels.append_early(&graph.0, writes, seed);
            }
            match self.channels.overlay(&graph.0, writes, seed, &mut folds) {
                Ok(overlay) => self.tasks[number].overlay = overlay,
                Err(failure) => return self.attempt_failed(hub, number, failure),
            }
            if !folds.is_empty() {
                let role = |key| CallRole::BranchFold(number, key);
                let count = self.call_folds(hub, folds, number, role);
                self.tasks[number].folding = count;
                return;
            }
        }
        self.ask_branch(hub, number, &node.branches[self.tasks[number].branch]);
    }

    fn ask_branch(&mut self, hub: &mut Hub<V>, number: usize, branch: &crate::graph::Branch<V>) {
        let mut view = self.view(&branch.view);
        view.overlay.clone_from(&self.tasks[number].overlay);
        if branch.passthrough {
            let seen = |name: &Arc<str>| branch.view.iter().any(|(other, _)| other == name);
            let extra = self.tasks[number].extra.iter().filter(|(name, _)| !seen(name));
            view.extra = extra.cloned().collect();
        }
        self.call(hub, number, CallKind::Branch, branch.what.clone(), CallInput::State(view));
    }

    /// A reducer folded a key for the task's branches.
    pub fn branch_folded(&mut self, hub: &mut Hub<V>, number: usize, key: u32, answer: Answer<V>) {
        let task = &mut self.tasks[number];
        if task.folding == 0 {
            return;
        }
        match answer {
            Answer::Value(value) => {
                task.overlay.retain(|(other, _)| *other != key);
                task.overlay.push((key, Some(value)));
                task.folding -= 1;
                if task.folding == 0 {
                    let graph = self.graph.clone();
                    let node = &graph.0.nodes[self.tasks[number].node as usize];
                    self.ask_branch(hub, number, &node.branches[0]);
                }
            }
            Answer::Failed(failure) => {
                task.folding = 0;
                self.attempt_failed(hub, number, failure);
            }
            _ => {
                task.folding = 0;
                self.attempt_failed(hub, number, super::step::not_a_value());
            }
        }
    }

    /// A routing function answered.
    pub fn branch_answered(&mut self, hub: &mut Hub<V>, number: usize, answer: Answer<V>) {
        let routes = match answer {
            Answer::Routes(routes) => routes,
            Answer::Value(value) => vec![Route::Key(value)],
            Answer::Failed(failure) => return self.attempt_failed(hub, number, failure),
            Answer::Interrupted(values) if self.updates.is_none() => {
                return self.branch_asked(hub, number, values);
            }
            _ => return self.attempt_failed(hub, number, no_destination()),
        };
        let graph = self.graph.clone();
        let task = &self.tasks[number];
        let node = &graph.0.nodes[task.node as usize];
        let targets = node.branches[task.branch].targets.as_deref();
        let mut writes = Vec::with_capacity(routes.len());
        for route in routes {
            match route {
                Route::Send(send) if &*send.node == END => {
                    return self.attempt_failed(hub, number, send_to_end());
                }
                Route::Send(send) if graph.0.node_ids.contains_key(&send.node) => {
                    writes.push(Write::Send(send));
                }
                Route::Send(send) => self.unknown_target(hub, number, &send.node),
                Route::Key(key) => match destination(targets, &key) {
                    Err(failure) => return self.attempt_failed(hub, number, failure),
                    Ok(name) if &*name == END => {}
                    Ok(name) => match graph.0.node_ids.get(&name) {
                        Some(target) => writes.push(Write::Go(*target)),
                        None => self.unknown_target(hub, number, &name),
                    },
                },
            }
        }
        let task = &mut self.tasks[number];
        task.writes.append(&mut writes);
        task.branch += 1;
        if task.branch < node.branches.len() {
            self.next_branch(hub, number);
        } else {
            self.task_done(hub, number);
        }
    }
}

impl<V: StateValue> Frame<V> {
    /// A routing function reached a question: the task waits, and all of it runs
    /// again once the answer is there.
    fn branch_asked(&mut self, hub: &mut Hub<V>, number: usize, values: Vec<V>) {
        let task = &mut self.tasks[number];
        if task.branch_answers.len() <= task.branch {
            task.branch_answers.resize(task.branch + 1, task.answers.len());
        }
        self.asked(hub, number, values);
    }
}

fn destination<V: StateValue>(
    targets: Option<&[(V, Arc<str>)]>,
    key: &V,
) -> Result<Arc<str>, Failure> {
    let name = match targets {
        Some(targets) => match targets.iter().find(|(other, _)| other == key) {
            Some((_, name)) => name.clone(),
            None => return Err(no_such_route(key)),
        },
        None => key.text().ok_or_else(no_destination)?,
    };
    if &*name == START { Err(no_destination()) } else { Ok(name) }
}

fn no_such_route<V: StateValue>(key: &V) -> Failure {
    let shown = key.text().map_or_else(|| format!("{key:?}"), |text| format!("'{text}'"));
    Failure::exception("KeyError", shown)
        .with_help("the routing function returned a key that is not in its path map")
}

fn no_destination() -> Failure {
    Failure::exception("ValueError", "Branch did not return a valid destination")
}

fn send_to_end() -> Failure {
    let mut failure = Failure::new(
        FailureKind::InvalidUpdate,
        "send_to_end",
        "Cannot send a packet to the END node",
    );
    failure.exception = Some("InvalidUpdateError".into());
    failure
}
