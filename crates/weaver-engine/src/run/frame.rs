//! [`Frame`]: one graph that is running, from checkpoint to checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use weaver_core::{Failure, FailureKind, Timestamp};

use super::hub::{End, Hub, Work};
use super::step::After;
use super::task::{Task, TaskState};
use super::update::Updates;
use crate::channels::{Channels, Fold};
use crate::checkpoint::{Commit, FORMAT, PendingRecord, Source, TaskPath, TaskRef};
use crate::effect::{CallId, Effect, Goto, task_namespace};
use crate::graph::{Breakpoints, Graph, Persistence, Targets};
use crate::hash::{CheckpointId, IdHasher, TaskId};
use crate::stream::{Chunk, StreamModes};
use crate::value::StateValue;
use crate::view::{StateView, ViewKey};

/// The task above, and the call if a function of it invoked this graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent {
    pub frame: usize,
    pub task: usize,
    pub call: Option<(CallId, u32)>,
    /// Modes whose chunks the function that made the call is given.
    pub collects: StreamModes,
}

/// One graph that is running.
pub(super) struct Frame<V: StateValue> {
    pub number: usize,
    pub parent: Option<Parent>,
    pub graph: Graph<V>,
    pub namespace: Arc<str>,
    pub channels: Channels<V>,
    /// The checkpoint that the open step builds on; nothing on an empty thread.
    pub checkpoint: Option<CheckpointId>,
    /// That checkpoint's parent.
    pub checkpoint_parent: Option<CheckpointId>,
    /// What made it.
    pub source: Source,
    /// Checkpoints of the enclosing namespaces.
    pub parents: Vec<(Arc<str>, CheckpointId)>,
    /// Subgraphs with their own memory, and those that the next commit has to name.
    pub heads: BTreeMap<Arc<str>, CheckpointId>,
    pub moved_heads: BTreeMap<Arc<str>, CheckpointId>,
    /// The open step, and the last one that may run.
    pub step: i64,
    pub stop: i64,
    /// Whether checkpoints are saved.
    pub saves: bool,
    /// What the graph remembers, if it is a subgraph.
    pub persistence: Persistence,
    /// Whether the streams show all keys of the state, not only those of the output.
    pub shows_all: bool,
    /// Modes whose chunks are kept for the function that invoked the graph.
    pub collects: StreamModes,
    /// In the first superstep of a run that goes on from a checkpoint.
    pub resuming: bool,
    /// Finished tasks of the loaded checkpoint run again.
    pub replaying: bool,
    /// Records loaded with the checkpoint, for the first superstep.
    pub pending: Vec<PendingRecord<V>>,
    pub tasks: Vec<Task<V>>,
    /// Where a command that is the first input goes besides the entry's own edges.
    pub entry_goto: Vec<Goto<V>>,
    /// Supersteps that were announced to the streams.
    pub announced: u32,
    /// What the tasks of the step that ends wrote to state, until it is committed.
    pub wrote: Vec<Option<Vec<(u32, V)>>>,
    /// During an edit: the tasks that were open before it.
    pub edited: Vec<TaskId>,
    /// Tasks that have not started, last first.
    pub queue: Vec<usize>,
    /// Tasks that have started and not ended.
    pub open: usize,
    /// Whether a superstep is open.
    pub in_step: bool,
    /// Calls of reducers that are awaited, and what comes after them.
    pub folding: usize,
    pub after: After,
    /// What a child waits for while its checkpoint is read.
    pub waiting: Option<(V, bool)>,
    pub updates: Option<Updates<V>>,
    pub interrupt_before: Breakpoints,
    pub interrupt_after: Breakpoints,
    /// No new checkpoint may be older than this: its own, the parent's when it
    /// began, and those of subgraphs that have ended. So ids sort across the tree.
    pub floor: Option<CheckpointId>,
    salt: IdHasher,
    /// What message ids are made of, besides the task.
    pub message_salt: IdHasher,
}

impl<V: StateValue> Frame<V> {
    /// A frame that has not begun.
    pub fn new(
        graph: Graph<V>,
        namespace: Arc<str>,
        parent: Option<(usize, Parent)>,
        saves: bool,
        hub: &Hub<V>,
    ) -> Self {
        let plan = &graph.0;
        let root = parent.is_none();
        let points = |own: &Breakpoints, given: &Option<Targets>| match given {
            Some(targets) if root => graph.breakpoints(targets),
            _ => own.clone(),
        };
        Frame {
            number: parent.map_or(0, |(number, _)| number),
            parent: parent.map(|(_, parent)| parent),
            channels: Channels::empty(plan, saves),
            checkpoint: None,
            checkpoint_parent: None,
            source: Source::Input,
            parents: Vec::new(),
            heads: BTreeMap::new(),
            moved_heads: BTreeMap::new(),
            step: -1,
            stop: i64::from(hub.options.recursion_limit),
            saves,
            persistence: Persistence::Inherit,
            shows_all: root && hub.options.stream_all_keys,
            collects: StreamModes::NONE,
            resuming: false,
            replaying: false,
            pending: Vec::new(),
            tasks: Vec::new(),
            entry_goto: Vec::new(),
            announced: 0,
            wrote: Vec::new(),
            edited: Vec::new(),
            queue: Vec::new(),
            open: 0,
            in_step: false,
            folding: 0,
            after: After::Step { stops: false },
            waiting: None,
            updates: None,
            interrupt_before: points(&plan.interrupt_before, &hub.options.interrupt_before),
            interrupt_after: points(&plan.interrupt_after, &hub.options.interrupt_after),
            floor: None,
            salt: IdHasher::new(11).text(&namespace),
            message_salt: IdHasher::new(13).wide(hub.options.thread),
            namespace,
            graph,
        }
    }

    /// The frame of a subgraph that one of the tasks runs.
    pub fn child(
        &self,
        hub: &Hub<V>,
        number: usize,
        parent: Parent,
        graph: Graph<V>,
        persistence: Persistence,
    ) -> Frame<V> {
        let task = &self.tasks[parent.task];
        let mut namespace = self.task_namespace(task);
        let ordinal = parent.call.map(|(call, ordinal)| match hub.calls.is_branch(call) {
            // Apart from those that the task's body invoked.
            true => ordinal + (task.branch as u32 + 1) * BRANCH_ORDINALS,
            false => ordinal,
        });
        if let Some(ordinal @ 1..) = ordinal {
            namespace = format!("{namespace}|{ordinal}");
        }
        if persistence == Persistence::Own {
            namespace = stable_namespace(&namespace);
        }
        let saves = self.saves && persistence != Persistence::Off;
        let mut frame = Frame::new(graph, namespace.into(), Some((number, parent)), saves, hub);
        frame.persistence = persistence;
        frame.collects = parent.collects;
        frame.shows_all = parent.collects != StreamModes::NONE;
        let ordinal = ordinal.map_or(0, |ordinal| u64::from(ordinal) + 1);
        frame.message_salt = IdHasher::new(13).wide(self.message_seed(parent.task)).number(ordinal);
        frame.parents.reserve_exact(self.parents.len() + 1);
        frame.parents.extend_from_slice(&self.parents);
        frame.floor = self.floor.max(self.checkpoint);
        if let Some(checkpoint) = self.checkpoint {
            frame.parents.push((self.namespace.clone(), checkpoint));
        }
        frame
    }

    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    /// The namespace below this one that belongs to a task.
    pub fn task_namespace(&self, task: &Task<V>) -> String {
        task_namespace(&self.namespace, &self.graph.0.nodes[task.node as usize].name, task.id)
    }

    /// The state as a view of some keys.
    pub fn view(&self, keys: &Arc<[(Arc<str>, ViewKey)]>) -> StateView<V> {
        StateView {
            values: self.channels.values.clone(),
            keys: keys.clone(),
            overlay: Vec::new(),
            extra: Vec::new(),
            remaining_steps: self.stop - self.step,
        }
    }

    /// The output keys as one object.
    pub fn output(&self) -> V {
        self.view(&self.graph.0.output).to_value()
    }

    /// Takes the next checkpoint: its id, the tasks that it triggers, the commit.
    pub fn commit(&mut self, hub: &mut Hub<V>, source: Source) {
        self.commit_at(hub, source, self.checkpoint);
    }

    pub fn commit_at(&mut self, hub: &mut Hub<V>, source: Source, parent: Option<CheckpointId>) {
        // Only what is asked from outside (input, an edit of any graph, a fork) takes
        // the clock into its id. All that follows from it is a function of it: a step
        // that is done over after a crash has the same ids, and so its calls to the
        // outside the same idempotency keys, whether or not its checkpoint was saved.
        let above = self.parents.last().map(|(_, id)| *id);
        let asked = self.saves && self.is_root() && source != Source::Loop;
        let now = if asked { hub.now } else { Timestamp(0) };
        let salt = self.salt.number(self.step as u64).wide(above.map_or(0, |id| id.0));
        let floor = self.floor.max(self.checkpoint).max(above);
        let id = CheckpointId::next(now, floor, salt);
        self.floor = Some(id);
        self.checkpoint_parent = parent;
        self.source = source;
        self.checkpoint = Some(id);
        let all = self.step < 0 || source != Source::Loop;
        self.prepare(all, self.step + 1);
        if self.saves {
            let children = std::mem::take(&mut self.moved_heads);
            self.heads.extend(children.iter().map(|(name, id)| (name.clone(), *id)));
            let changes = self.channels.take_changes(&self.graph.0);
            let wrote = self.take_wrote(&changes);
            hub.effects.push_back(Effect::Commit(Commit {
                format: FORMAT,
                namespace: self.namespace.clone(),
                id,
                parent,
                step: self.step,
                source,
                time: hub.now,
                parents: self.parents.clone(),
                version: self.channels.version,
                changes: changes.channels,
                seen: changes.seen,
                interrupt_seen: std::mem::take(&mut self.channels.interrupt_moved)
                    .then_some(self.channels.interrupt_seen),
                sends: changes.sends,
                children: children.into_iter().collect(),
                next: self.tasks.iter().map(|task| self.task_ref(task)).collect(),
                wrote,
            }));
        }
        self.step += 1;
    }

    pub fn node_name(&self, task: &Task<V>) -> Arc<str> {
        self.graph.0.nodes[task.node as usize].name.clone()
    }

    pub fn task_ref(&self, task: &Task<V>) -> TaskRef {
        TaskRef { id: task.id, node: self.node_name(task), path: task.path }
    }

    /// Makes the tasks of a step: sends by index, then nodes by name.
    pub fn prepare(&mut self, all: bool, step: i64) {
        let plan = self.graph.0.clone();
        let mut nodes = self.channels.triggered(&plan, all);
        if self.source == Source::Update {
            // What an edit triggers is not told by channels that changed, but found by
            // looking at all nodes.
            nodes.sort_by_key(|node| plan.nodes[*node as usize].added);
        }
        self.tasks.clear();
        // Room for just these: most steps have one task, and a task is large.
        self.tasks.reserve_exact(self.channels.sends.len() + nodes.len());
        for (index, send) in self.channels.sends.iter().enumerate() {
            if let Some(&node) = plan.node_ids.get(&send.node) {
                let path = TaskPath::Push(index as u32);
                self.tasks.push(Task::new(self.task_id(step, node, path), node, path));
            }
        }
        for &node in &nodes {
            let path = TaskPath::Pull(node);
            self.tasks.push(Task::new(self.task_id(step, node, path), node, path));
        }
        self.channels.reuse(nodes);
    }

    pub fn task_id(&self, step: i64, node: u32, path: TaskPath) -> TaskId {
        let hasher = self
            .salt
            .wide(self.checkpoint.map_or(0, |id| id.0))
            .number(step as u64)
            .number(self.graph.0.nodes[node as usize].name_hash)
            .number(path.number());
        TaskId(hasher.finish())
    }

    /// Starts the next superstep, or ends the frame.
    pub fn tick(&mut self, hub: &mut Hub<V>) {
        self.emit_checkpoint(hub);
        if self.step > self.stop {
            return self.end(hub, End::Failed(self.out_of_steps(hub)));
        }
        if self.tasks.is_empty() {
            let output = self.output();
            return self.end(hub, End::Done { output });
        }
        self.reapply();
        if self.stops_before() {
            return self.stop_at_breakpoint(hub);
        }
        // A subgraph that saves nothing would have to start over.
        if hub.draining && (self.saves || self.is_root()) {
            return self.end(hub, End::Drained);
        }
        self.announce(hub);
        self.in_step = true;
        self.queue.clear();
        self.queue.extend(
            (0..self.tasks.len()).rev().filter(|n| self.tasks[*n].state == TaskState::Waiting),
        );
        self.start_tasks(hub);
        self.close_step_if_done(hub);
    }

    /// Whether a breakpoint is hit: once for each new version of the state.
    fn stops_before(&self) -> bool {
        self.interrupt_before.as_ref().is_some_and(|nodes| {
            self.channels.version > self.channels.interrupt_seen
                && self.tasks.iter().any(|task| nodes[task.node as usize])
        })
    }

    pub fn stop_at_breakpoint(&mut self, hub: &mut Hub<V>) {
        if self.is_root() && self.streams(hub, StreamModes::UPDATES) {
            self.emit(hub, Chunk::Interrupts(Vec::new()));
        }
        let values = self.output();
        self.end(hub, End::Interrupted { interrupts: Vec::new(), values });
    }

    fn out_of_steps(&self, hub: &Hub<V>) -> Failure {
        let limit = hub.options.recursion_limit;
        let mut failure = Failure::new(
            FailureKind::RecursionLimit,
            "recursion_limit",
            format!("Recursion limit of {limit} reached without hitting a stop condition."),
        );
        failure.exception = Some("GraphRecursionError".into());
        failure.with_help("raise `recursion_limit` in the config, or give the loop an exit")
    }

    /// Ends the frame.
    pub fn end(&mut self, hub: &mut Hub<V>, end: End<V>) {
        hub.work.push_back(Work::Ended { frame: self.number, end });
    }

    /// Gives the host what it must fold; how many calls that is.
    pub fn call_folds(
        &mut self,
        hub: &mut Hub<V>,
        folds: Vec<Fold<V>>,
        task: usize,
        role: impl Fn(u32) -> super::hub::CallRole,
    ) -> usize {
        let count = folds.len();
        for fold in folds {
            let info = self.task_info(task);
            super::task::call_fold(hub, self.number, &self.graph, info, fold, &role);
        }
        count
    }
}

/// More graphs than a function invokes.
const BRANCH_ORDINALS: u32 = 1 << 20;

/// A namespace without what changes between calls: task ids and counters.
pub fn stable_namespace(namespace: &str) -> String {
    let parts = namespace
        .split('|')
        .filter(|part| !part.bytes().all(|b| b.is_ascii_digit()))
        .map(|part| part.split(':').next().unwrap_or(part));
    parts.collect::<Vec<_>>().join("|")
}
