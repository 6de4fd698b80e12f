//! Tasks: starting them, and what becomes of what they return.

use std::sync::Arc;

use weaver_core::{Failure, FailureKind, Timestamp};

use super::frame::{Frame, Parent};
use super::hub::{CallRole, End, Hub, Work};
use crate::channels::{Fold, Write};
use crate::checkpoint::TaskPath;
use crate::effect::{
    Answer, CacheKey, Call, CallId, CallKind, Command, Effect, Interrupt, NodeOutput, TaskInfo,
};
use crate::graph::{Body, Graph};
use crate::hash::{CheckpointId, InterruptId, TaskId};
use crate::input::Siblings;
use crate::stream::StreamModes;
use crate::value::StateValue;
use crate::view::CallInput;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// Not started, or between attempts.
    Waiting,
    /// A call or a subgraph of it runs.
    Running,
    /// Its writes are complete.
    Done,
    /// It failed, its retries spent.
    Failed,
    /// It failed and its error handler stands in for it.
    Handled,
    /// It waits for an answer.
    Interrupted,
    /// It left to the parent graph.
    Left,
    /// A subgraph of it stopped because the run is drained.
    Drained,
}

/// One task of a superstep.
pub(super) struct Task<V: StateValue> {
    pub id: TaskId,
    pub node: u32,
    pub path: TaskPath,
    pub state: TaskState,
    pub attempt: u32,
    /// Counts what is started for the task, so that old timers are known.
    pub serial: u64,
    pub call: Option<CallId>,
    pub children: Vec<usize>,
    /// Subgraphs with their own memory that ended below it.
    pub heads: Vec<(Arc<str>, CheckpointId)>,
    pub writes: Vec<Write<V>>,
    pub answers: Vec<V>,
    /// How many answers had come when each branch that asks first asked: the body
    /// takes those before the first, each branch those up to the next.
    pub branch_answers: Vec<usize>,
    pub interrupts: Vec<Interrupt<V>>,
    /// Questions that were answered since.
    pub asked: Vec<Interrupt<V>>,
    /// Boxed, like all that few tasks have: a task is moved and cleared every step.
    pub error: Option<Box<Failure>>,
    /// Why it failed in an earlier run.
    pub failed_before: Option<Box<Failure>>,
    /// What a handler was called for: the failed task.
    pub handles: Option<usize>,
    pub command: Option<Box<Command<V>>>,
    /// The branch that is being decided, and what branches see.
    pub branch: usize,
    pub extra: Vec<(Arc<str>, V)>,
    pub overlay: Vec<(u32, Option<V>)>,
    pub folding: usize,
    pub cache: Option<Box<CacheKey>>,
    /// The retry policy that is being asked.
    pub policy: usize,
    pub last_sign: Timestamp,
    /// Writes come from a cache or an earlier run.
    pub cached: bool,
}

impl<V: StateValue> Task<V> {
    pub fn new(id: TaskId, node: u32, path: TaskPath) -> Self {
        Task {
            id,
            node,
            path,
            state: TaskState::Waiting,
            attempt: 0,
            serial: 0,
            call: None,
            children: Vec::new(),
            heads: Vec::new(),
            writes: Vec::new(),
            answers: Vec::new(),
            branch_answers: Vec::new(),
            interrupts: Vec::new(),
            asked: Vec::new(),
            error: None,
            failed_before: None,
            handles: None,
            command: None,
            branch: 0,
            extra: Vec::new(),
            overlay: Vec::new(),
            folding: 0,
            cache: None,
            policy: 0,
            last_sign: Timestamp(0),
            cached: false,
        }
    }
}

impl<V: StateValue> Task<V> {
    /// The answers that the body or one of the branches takes: questions of a task
    /// are counted through, and after an answer all of it runs again.
    fn answers_of(&self, branch: Option<usize>) -> &[V] {
        let bound = |part: usize| self.branch_answers.get(part).copied();
        let until = |part| bound(part).unwrap_or(self.answers.len()).min(self.answers.len());
        match branch {
            None => &self.answers[..until(0)],
            Some(branch) => match bound(branch) {
                Some(from) => &self.answers[from.min(until(branch + 1))..until(branch + 1)],
                None => &[],
            },
        }
    }
}

impl<V: StateValue> Frame<V> {
    pub fn task_info(&self, number: usize) -> TaskInfo {
        let task = &self.tasks[number];
        TaskInfo {
            namespace: self.namespace.clone(),
            step: self.step,
            node: self.node_name(task),
            id: task.id,
            path: task.path,
            attempt: task.attempt.max(1),
        }
    }

    /// What the task's function is given.
    pub fn task_input(&self, task: &Task<V>) -> CallInput<V> {
        let plan = &self.graph.0;
        if let Some(failed) = task.handles {
            let failed = &self.tasks[failed];
            return CallInput::Failed {
                input: Box::new(self.task_input(failed)),
                node: self.node_name(failed),
                failure: failed.error.as_deref().cloned().unwrap_or_else(no_failure),
            };
        }
        match task.path {
            TaskPath::Push(index) => {
                CallInput::Value(self.channels.sends[index as usize].arg.clone())
            }
            _ if task.node == plan.start => {
                CallInput::Value(self.channels.start.clone().unwrap_or_else(V::null))
            }
            _ => CallInput::State(self.view(&plan.nodes[task.node as usize].view)),
        }
    }

    /// Starts waiting tasks, as many as may run at a time.
    pub fn start_tasks(&mut self, hub: &mut Hub<V>) {
        let limit = hub.options.max_concurrency.unwrap_or(usize::MAX).max(1);
        while self.open < limit
            && let Some(number) = self.queue.pop()
        {
            self.open += 1;
            self.take_answer(hub, number);
            self.start_attempt(hub, number);
        }
    }

    /// Adds the answer to the task's next question, if it has come, and saves it.
    fn take_answer(&mut self, hub: &mut Hub<V>, number: usize) {
        if hub.answers.is_empty() {
            return;
        }
        let task = &self.tasks[number];
        let id = InterruptId::of(&self.task_namespace(task), task.answers.len());
        if let Some(answer) = hub.answers.remove(&id) {
            self.tasks[number].answers.push(answer);
            self.save_record(hub, number);
        }
    }

    /// Runs the task's body.
    pub fn start_attempt(&mut self, hub: &mut Hub<V>, number: usize) {
        let graph = self.graph.clone();
        let task = &mut self.tasks[number];
        let node = &graph.0.nodes[task.node as usize];
        task.state = TaskState::Running;
        task.attempt += 1;
        task.serial = hub.serial();
        task.writes.clear();
        task.branch = 0;
        task.policy = 0;
        if node.timeout.run.is_some() || node.timeout.idle.is_some() || task.path.is_push() {
            self.set_limits(hub, number);
        }
        match &node.body {
            Body::Start => {
                let input = self.channels.start.clone().unwrap_or_else(V::null);
                let goto = std::mem::take(&mut self.entry_goto);
                let output = match input.fields().filter(|_| !goto.is_empty()) {
                    Some(update) => NodeOutput::Command(Command { update, goto }),
                    None => NodeOutput::Update(input),
                };
                self.node_returned(hub, number, output);
            }
            Body::Subgraph(below, persistence) => {
                let input = self.task_input(&self.tasks[number]).to_value();
                let resuming = self.resuming || self.tasks[number].attempt > 1;
                let collects = StreamModes::NONE;
                let parent = Parent { frame: self.number, task: number, call: None, collects };
                let (graph, persistence) = (below.clone(), *persistence);
                hub.work.push_back(Work::Child { parent, graph, persistence, input, resuming });
            }
            Body::Function(what) => match &node.cache {
                Some(policy) if self.tasks[number].cache.is_none() => match &policy.key {
                    Some(key) => {
                        let input = self.task_input(&self.tasks[number]);
                        self.call(hub, number, CallKind::CacheKey, key.clone(), input);
                    }
                    None => {
                        let input = self.task_input(&self.tasks[number]).to_value();
                        self.look_into_cache(hub, number, input);
                    }
                },
                _ => self.call_node(hub, number, what.clone()),
            },
        }
    }

    fn call_node(&mut self, hub: &mut Hub<V>, number: usize, what: Arc<str>) {
        let input = self.task_input(&self.tasks[number]);
        let handler = self.tasks[number].handles.is_some();
        let kind = if handler { CallKind::ErrorHandler } else { CallKind::Node };
        self.call(hub, number, kind, what, input);
    }

    /// Asks the host to run a function for a task.
    pub fn call(
        &mut self,
        hub: &mut Hub<V>,
        number: usize,
        kind: CallKind,
        what: Arc<str>,
        input: CallInput<V>,
    ) {
        let role = match kind {
            CallKind::Node | CallKind::ErrorHandler => CallRole::Node(number),
            CallKind::Branch => CallRole::Branch(number),
            CallKind::CacheKey => CallRole::CacheKey(number),
            CallKind::RetryOn => CallRole::RetryOn(number),
            CallKind::Reduce => unreachable!("reducers are called by call_fold"),
        };
        let id = hub.calls.add(self.number, role);
        let task = &mut self.tasks[number];
        task.call = Some(id);
        let node = &self.graph.0.nodes[task.node as usize];
        let schema = match kind {
            CallKind::Branch => node.branches[task.branch].schema.clone(),
            _ => node.schema.clone(),
        };
        let answers = match kind {
            CallKind::Node | CallKind::ErrorHandler => task.answers_of(None).to_vec(),
            CallKind::Branch => task.answers_of(Some(task.branch)).to_vec(),
            _ => Vec::new(),
        };
        let info = self.task_info(number);
        hub.effects.push_back(Effect::Call(Call {
            id,
            task: info,
            kind,
            what,
            input,
            answers,
            schema,
        }));
    }

    /// A call of this frame came back.
    pub fn call_returned(
        &mut self,
        hub: &mut Hub<V>,
        id: CallId,
        role: CallRole,
        answer: Answer<V>,
    ) {
        match role {
            CallRole::Node(number) => {
                if self.tasks[number].call == Some(id) {
                    self.tasks[number].call = None;
                    self.node_answered(hub, number, answer);
                }
            }
            CallRole::Branch(number) => {
                self.tasks[number].call = None;
                self.branch_answered(hub, number, answer);
            }
            CallRole::CacheKey(number) => {
                self.tasks[number].call = None;
                match answer {
                    Answer::Value(key) => self.look_into_cache(hub, number, key),
                    other => self.node_answered(hub, number, wrong_answer(other)),
                }
            }
            CallRole::RetryOn(number) => {
                self.tasks[number].call = None;
                self.retry_decided(hub, number, answer);
            }
            CallRole::BranchFold(number, key) => self.branch_folded(hub, number, key, answer),
            CallRole::StepFold(key) => self.step_folded(hub, key, answer),
            CallRole::Load | CallRole::Cache(_) => {}
        }
    }

    fn node_answered(&mut self, hub: &mut Hub<V>, number: usize, answer: Answer<V>) {
        match answer {
            Answer::Node(output) => self.node_returned(hub, number, output),
            Answer::Failed(failure) => self.attempt_failed(hub, number, failure),
            Answer::Interrupted(values) => self.asked(hub, number, values),
            Answer::Parent(command) => self.left(hub, number, command),
            Answer::Value(value) => self.node_returned(hub, number, NodeOutput::Update(value)),
            Answer::Routes(_) => self.node_answered(hub, number, wrong_answer(answer)),
        }
    }

    /// A subgraph of a task ended.
    pub fn child_ended(&mut self, hub: &mut Hub<V>, number: usize, end: End<V>) {
        if self.tasks[number].state != TaskState::Running {
            return;
        }
        if let Some(call) = self.tasks[number].call.take() {
            hub.calls.take(call);
        }
        match end {
            End::Done { output } => self.node_returned(hub, number, super::output_of(output)),
            End::Failed(failure) => self.attempt_failed(hub, number, failure),
            End::Parent(command) => self.node_returned(hub, number, NodeOutput::Command(command)),
            End::Interrupted { interrupts, .. } => self.interrupted(hub, number, interrupts),
            End::Drained => self.close_task(hub, number, TaskState::Drained),
        }
    }

    /// The function reached questions without an answer.
    pub fn asked(&mut self, hub: &mut Hub<V>, number: usize, values: Vec<V>) {
        self.channels.undo_early();
        if let Some(answer) = hub.bare.take().or_else(|| self.answer_left(hub)) {
            let task = &mut self.tasks[number];
            task.answers.push(answer);
            task.attempt -= 1;
            self.save_record(hub, number);
            return self.start_attempt(hub, number);
        }
        let task = &self.tasks[number];
        let namespace: Arc<str> = self.task_namespace(task).into();
        let first = task.answers.len();
        let interrupts = values.into_iter().enumerate().map(|(index, value)| Interrupt {
            id: InterruptId::of(&namespace, first + index),
            value,
            namespace: namespace.clone(),
        });
        let interrupts = interrupts.collect();
        self.interrupted(hub, number, interrupts);
    }

    /// A bare answer whose question is gone: an edit inside the waiting subgraph has put
    /// other tasks in the place of the one that asked. The next to ask there takes it.
    fn answer_left(&self, hub: &mut Hub<V>) -> Option<V> {
        let (asked_by, id) = hub.lone.as_ref()?;
        let graph = asked_by.rsplit_once('|').map_or("", |(graph, _)| graph);
        let gone = self.tasks.iter().all(|task| self.task_namespace(task) != **asked_by);
        (gone && graph == &*self.namespace).then(|| hub.answers.remove(id)).flatten()
    }

    fn interrupted(&mut self, hub: &mut Hub<V>, number: usize, interrupts: Vec<Interrupt<V>>) {
        self.tasks[number].interrupts = interrupts;
        self.save_record(hub, number);
        self.emit_interrupts(hub, number);
        self.emit_task_end(hub, number);
        self.close_task(hub, number, TaskState::Interrupted);
    }

    fn left(&mut self, hub: &mut Hub<V>, number: usize, command: Command<V>) {
        self.tasks[number].command = Some(Box::new(command));
        self.close_task(hub, number, TaskState::Left);
    }

    /// All writes are there.
    pub fn task_done(&mut self, hub: &mut Hub<V>, number: usize) {
        if self.updates.is_none() {
            self.tasks[number].state = TaskState::Done;
            // The commit that follows the only task of a step says it all.
            if self.tasks.len() > 1 {
                self.save_record(hub, number);
            }
            self.emit_update(hub, number, false);
            if !self.tasks[number].cached {
                self.emit_task_end(hub, number);
                self.put_into_cache(hub, number);
            }
        }
        self.close_task(hub, number, TaskState::Done);
    }

    /// Ends a task and, if it was the last, the step.
    pub fn close_task(&mut self, hub: &mut Hub<V>, number: usize, state: TaskState) {
        let task = &mut self.tasks[number];
        task.state = state;
        task.serial = hub.serial();
        (task.extra, task.overlay) = (Vec::new(), Vec::new());
        self.open -= 1;
        if state == TaskState::Failed && hub.options.siblings != Siblings::RunAll {
            self.queue.clear();
        }
        self.start_tasks(hub);
        self.close_step_if_done(hub);
    }
}

fn wrong_answer<V>(_: Answer<V>) -> Answer<V> {
    Answer::Failed(Failure::new(
        FailureKind::Internal,
        "wrong_answer",
        "The host answered a call with something of another kind.",
    ))
}

fn no_failure() -> Failure {
    Failure::new(FailureKind::Internal, "unknown", "An unknown failure.")
}

/// Asks the host to fold writes.
pub(super) fn call_fold<V: StateValue>(
    hub: &mut Hub<V>,
    frame: usize,
    graph: &Graph<V>,
    task: TaskInfo,
    fold: Fold<V>,
    role: impl Fn(u32) -> CallRole,
) {
    let id = hub.calls.add(frame, role(fold.key));
    let key = graph.0.keys[fold.key as usize].name.clone();
    hub.effects.push_back(Effect::Call(Call {
        id,
        task,
        kind: CallKind::Reduce,
        what: fold.what,
        input: CallInput::Fold { key, left: fold.left, writes: fold.writes, batch: fold.batch },
        answers: Vec::new(),
        schema: None,
    }));
}
