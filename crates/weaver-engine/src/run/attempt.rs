//! Attempts: limits, retries, error handlers, the cache.

use std::sync::Arc;
use std::time::Duration;

use weaver_core::{Failure, FailureKind, Hash};

use super::frame::Frame;
use super::hub::{CallRole, Hub, Timer, TimerKind, Work};
use super::task::{Task, TaskState};
use crate::checkpoint::{SavedWrite, TaskPath};
use crate::effect::{Answer, CacheKey, CallKind, Effect};
use crate::graph::Body;
use crate::hash::IdHasher;
use crate::input::Siblings;
use crate::policy::{RetryOn, RetryPolicy, TimeoutPolicy, default_retry_on, is_instance};
use crate::value::StateValue;
use crate::view::CallInput;

impl<V: StateValue> Frame<V> {
    fn limits(&self, number: usize) -> TimeoutPolicy {
        let task = &self.tasks[number];
        let send = match task.path {
            TaskPath::Push(index) => self.channels.sends[index as usize].timeout,
            _ => None,
        };
        self.graph.0.nodes[task.node as usize].limits(send)
    }

    pub fn set_limits(&mut self, hub: &mut Hub<V>, number: usize) {
        let limits = self.limits(number);
        self.tasks[number].last_sign = hub.now;
        if let Some(limit) = limits.run {
            self.add_timer(hub, number, limit, TimerKind::Run);
        }
        if let Some(limit) = limits.idle {
            self.add_timer(hub, number, limit, TimerKind::Idle);
        }
    }

    fn add_timer(&self, hub: &mut Hub<V>, number: usize, after: Duration, kind: TimerKind) {
        let task = &self.tasks[number];
        hub.timers.add(Timer {
            at: hub.now.after(after),
            order: 0,
            frame: self.number,
            task: number,
            attempt: task.attempt,
            serial: task.serial,
            kind,
        });
    }

    /// A limit of an attempt may be reached.
    pub fn limit_due(&mut self, hub: &mut Hub<V>, timer: Timer) {
        let Some(task) = self.tasks.get(timer.task) else { return };
        let current = task.serial == timer.serial && task.state == TaskState::Running;
        if !current {
            return;
        }
        let limits = self.limits(timer.task);
        let idle = timer.kind == TimerKind::Idle;
        let Some(limit) = (if idle { limits.idle } else { limits.run }) else { return };
        let due = task.last_sign.after(limit);
        if idle && due > hub.now {
            return hub.timers.add(Timer { at: due, ..timer });
        }
        let what = if idle { "without a sign of life" } else { "in all" };
        let mut failure = Failure::new(
            FailureKind::Timeout,
            "node_timeout",
            format!("The attempt took longer than its limit of {} s {what}.", limit.as_secs_f64()),
        );
        failure.exception = Some("NodeTimeoutError".into());
        self.abandon(hub, timer.task);
        self.attempt_failed(hub, timer.task, failure);
    }

    /// Stops whatever runs for a task.
    fn abandon(&mut self, hub: &mut Hub<V>, number: usize) {
        let task = &mut self.tasks[number];
        if let Some(call) = task.call.take() {
            hub.stop(call);
        }
        hub.work.extend(task.children.drain(..).map(Work::Abort));
    }

    /// An attempt failed: is there another?
    pub fn attempt_failed(&mut self, hub: &mut Hub<V>, number: usize, failure: Failure) {
        self.abandon(hub, number);
        self.channels.undo_early();
        let task = &mut self.tasks[number];
        task.serial = hub.serial();
        task.policy = 0;
        task.error = Some(Box::new(failure));
        self.decide_retry(hub, number);
    }

    /// Looks for the first policy that matches the failure; the host is asked
    /// where a policy says so.
    fn decide_retry(&mut self, hub: &mut Hub<V>, number: usize) {
        if self.updates.is_some() {
            return self.fail_task(hub, number);
        }
        let graph = self.graph.clone();
        let node = &graph.0.nodes[self.tasks[number].node as usize];
        while let Some(policy) = node.retry.get(self.tasks[number].policy) {
            let task = &self.tasks[number];
            let Some(failure) = &task.error else { return };
            let matches = match &policy.retry_on {
                RetryOn::Default => default_retry_on(failure),
                RetryOn::Classes(classes) => {
                    classes.iter().any(|class| is_instance(failure, class))
                }
                RetryOn::External(what) => {
                    let input = CallInput::Failed {
                        input: Box::new(self.task_input(task)),
                        node: node.name.clone(),
                        failure: (**failure).clone(),
                    };
                    return self.call(hub, number, CallKind::RetryOn, what.clone(), input);
                }
            };
            if matches {
                return self.retry_or_fail(hub, number, policy);
            }
            self.tasks[number].policy += 1;
        }
        self.fail_task(hub, number);
    }

    /// The host says whether a policy matches.
    pub fn retry_decided(&mut self, hub: &mut Hub<V>, number: usize, answer: Answer<V>) {
        let graph = self.graph.clone();
        let node = &graph.0.nodes[self.tasks[number].node as usize];
        let matches = matches!(&answer, Answer::Value(value) if *value == V::from_bool(true));
        match node.retry.get(self.tasks[number].policy) {
            Some(policy) if matches => self.retry_or_fail(hub, number, policy),
            _ => {
                self.tasks[number].policy += 1;
                self.decide_retry(hub, number);
            }
        }
    }

    fn retry_or_fail(&mut self, hub: &mut Hub<V>, number: usize, policy: &RetryPolicy) {
        let attempt = self.tasks[number].attempt;
        if attempt >= policy.max_attempts {
            return self.fail_task(hub, number);
        }
        let random =
            IdHasher::new(17).wide(self.tasks[number].id.0).number(attempt.into()).finish();
        let delay = policy.delay(attempt, (random as u64 >> 11) as f64 / (1u64 << 53) as f64);
        let info = self.task_info(number);
        if let Some(failure) = self.tasks[number].error.take() {
            hub.effects.push_back(Effect::Retry { task: info, failure: *failure, delay });
        }
        self.tasks[number].state = TaskState::Waiting;
        self.tasks[number].serial = hub.serial();
        self.add_timer(hub, number, delay, TimerKind::Retry);
    }

    /// The pause before an attempt is over.
    pub fn retry_due(&mut self, hub: &mut Hub<V>, timer: Timer) {
        let current = self
            .tasks
            .get(timer.task)
            .is_some_and(|task| task.serial == timer.serial && task.state == TaskState::Waiting);
        if current {
            self.start_attempt(hub, timer.task);
        }
    }

    /// A task has failed for good; its error handler stands in, if it has one.
    fn fail_task(&mut self, hub: &mut Hub<V>, number: usize) {
        self.tasks[number].writes.clear();
        if self.updates.is_some() {
            return self.close_task(hub, number, TaskState::Failed);
        }
        self.save_record(hub, number);
        self.emit_task_end(hub, number);
        if self.add_handler(number) {
            self.queue.push(self.tasks.len() - 1);
            return self.close_task(hub, number, TaskState::Handled);
        }
        if hub.options.siblings == Siblings::Stop {
            self.stop_siblings(hub, number);
        }
        self.close_task(hub, number, TaskState::Failed);
    }

    /// Adds the task that handles the failure of another.
    pub fn add_handler(&mut self, failed: usize) -> bool {
        let task = &self.tasks[failed];
        let Some(handler) = self.graph.0.nodes[task.node as usize].handler else { return false };
        let path = match task.path {
            TaskPath::Push(index) => TaskPath::PushHandler(index),
            _ => TaskPath::PullHandler(task.node),
        };
        let id = IdHasher::new(19).wide(task.id.0).finish();
        let mut task = Task::new(crate::TaskId(id), handler, path);
        task.handles = Some(failed);
        self.tasks.push(task);
        true
    }

    fn stop_siblings(&mut self, hub: &mut Hub<V>, failed: usize) {
        self.queue.clear();
        for number in 0..self.tasks.len() {
            let started = self.tasks[number].attempt > 0;
            let ended =
                !matches!(self.tasks[number].state, TaskState::Running | TaskState::Waiting);
            if number != failed && started && !ended {
                self.abandon(hub, number);
                self.tasks[number].serial = hub.serial();
                self.tasks[number].state = TaskState::Waiting;
                self.tasks[number].folding = 0;
                self.open -= 1;
            }
        }
    }

    /// Looks for the task's writes in the cache; `key` is what identifies its input.
    pub fn look_into_cache(&mut self, hub: &mut Hub<V>, number: usize, key: V) {
        let node = &self.graph.0.nodes[self.tasks[number].node as usize];
        let Body::Function(what) = &node.body else { return };
        let name: Arc<str> = format!("{what}/{}", node.name).into();
        let digest = Hash::of(&key.digest_bytes()).to_hex();
        let key = CacheKey { node: name, key: digest[..32].to_owned() };
        let id = hub.calls.add(self.number, CallRole::Cache(number));
        self.tasks[number].call = Some(id);
        self.tasks[number].cache = Some(Box::new(key.clone()));
        hub.effects.push_back(Effect::CacheGet { id, key });
    }

    /// The cache answered.
    pub fn cache_answered(
        &mut self,
        hub: &mut Hub<V>,
        number: usize,
        writes: Option<Vec<SavedWrite<V>>>,
    ) {
        self.tasks[number].call = None;
        if let Some(writes) = writes {
            let writes = writes.iter().filter_map(|write| self.loaded_write(write)).collect();
            self.tasks[number].writes = writes;
            self.tasks[number].cached = true;
            return self.task_done(hub, number);
        }
        let graph = self.graph.clone();
        if let Body::Function(what) = &graph.0.nodes[self.tasks[number].node as usize].body {
            let input = self.task_input(&self.tasks[number]);
            self.call(hub, number, CallKind::Node, what.clone(), input);
        }
    }

    /// Offers a finished task's writes to the cache.
    pub fn put_into_cache(&mut self, hub: &mut Hub<V>, number: usize) {
        let task = &self.tasks[number];
        let Some(key) = &task.cache else { return };
        let policy = &self.graph.0.nodes[task.node as usize].cache;
        let writes = task.writes.iter().filter_map(|write| self.saved_write(write)).collect();
        hub.effects.push_back(Effect::CachePut {
            key: (**key).clone(),
            ttl: policy.as_ref().and_then(|policy| policy.ttl),
            writes,
        });
    }
}
