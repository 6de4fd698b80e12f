//! [`Run`]: one run of a graph, subgraphs included.
//!
//! A run is a tree of frames, one for each graph that is running: the root, and
//! one for each subgraph below. A frame owns the channels and the open tasks of
//! its namespace and never touches another; what it wants of the host or of its
//! parent goes through the [`Hub`].

mod attempt;
mod begin;
mod branch;
mod emit;
mod frame;
mod hub;
mod output;
pub(crate) mod record;
mod step;
mod task;
mod update;

use std::sync::Arc;

use weaver_core::{Failure, FailureKind, Timestamp};

use crate::effect::{Answer, CallId, Effect, Happened, Invoked, NodeOutput, Outcome};
use crate::graph::{Graph, Persistence};
use crate::input::{Input, Origin, RunOptions};
use crate::stream::StreamModes;
use crate::value::StateValue;
pub use frame::stable_namespace;
use frame::{Frame, Parent};
use hub::{CallRole, End, Hub, TimerKind, Work};

/// One run of a graph, from an input to its end, its wait or its failure.
pub struct Run<V: StateValue> {
    graph: Graph<V>,
    hub: Hub<V>,
    frames: Vec<Option<Box<Frame<V>>>>,
    /// Numbers of frames that are over, and of those that ended just now: work
    /// that is still queued may name them.
    free: Vec<usize>,
    freed: Vec<usize>,
    finished: bool,
}

impl<V: StateValue> Run<V> {
    /// Starts a run. Drain [`Run::poll_effect`] at once.
    pub fn start(
        graph: Graph<V>,
        origin: Origin<V>,
        input: Input<V>,
        options: RunOptions,
        now: Timestamp,
    ) -> Self {
        let namespace =
            origin.saved.as_ref().map_or_else(|| "".into(), |saved| saved.state.namespace.clone());
        let mut hub = Hub::new(options, now);
        let mut frame = Frame::new(graph.clone(), namespace, None, hub.options.checkpoints, &hub);
        frame.begin_root(&mut hub, origin, input);
        let mut run = Run {
            graph,
            hub,
            frames: vec![Some(Box::new(frame))],
            free: Vec::new(),
            freed: Vec::new(),
            finished: false,
        };
        run.work();
        run
    }

    /// The graph.
    pub fn graph(&self) -> &Graph<V> {
        &self.graph
    }

    /// Whether [`Effect::Finish`] has been decided.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes in what happened. Drain [`Run::poll_effect`] at once.
    ///
    /// What comes too late (an answer to a call that is over, a second answer)
    /// changes nothing.
    pub fn handle(&mut self, now: Timestamp, happened: Happened<V>) {
        self.hub.now = self.hub.now.max(now);
        if self.finished {
            return;
        }
        match happened {
            Happened::Returned { id, answer } => self.returned(id, answer),
            Happened::Progress(id) => {
                let now = self.hub.now;
                if let Some((frame, task)) = self.hub.calls.task(id)
                    && let Some(frame) = self.frames[frame].as_mut()
                {
                    frame.tasks[task].last_sign = now;
                }
            }
            Happened::Loaded { id, saved } => {
                if let Some((frame, CallRole::Load)) = self.hub.calls.take(id)
                    && let Some(frame) = self.frames[frame].as_mut()
                {
                    frame.begin_child(&mut self.hub, saved);
                }
            }
            Happened::Cached { id, writes } => {
                if let Some((frame, CallRole::Cache(task))) = self.hub.calls.take(id)
                    && let Some(frame) = self.frames[frame].as_mut()
                {
                    frame.cache_answered(&mut self.hub, task, writes);
                }
            }
            Happened::Invoke { call, ordinal, graph, input, stream } => {
                self.invoke(call, ordinal, graph, input, stream)
            }
            Happened::Timeout => {}
        }
        self.work();
        self.fire_timers();
    }

    /// Stops at once: no further result is committed. The last effect is
    /// [`Outcome::Cancelled`].
    pub fn cancel(&mut self) {
        if !self.finished {
            self.hub.stop_all();
            self.finish(Outcome::Cancelled);
        }
    }

    /// Stops before the next superstep, at a resumable checkpoint. Tasks that
    /// run already run to their end.
    pub fn drain(&mut self) {
        self.hub.draining = true;
    }

    /// Tells that the host has streamed a message of this id, so that it is not
    /// emitted again when a node writes it to state.
    pub fn message_streamed(&mut self, id: &Arc<str>) {
        self.hub.messages.insert(id.clone());
    }

    /// The next thing that the host must do.
    pub fn poll_effect(&mut self) -> Option<Effect<V>> {
        self.hub.effects.pop_front()
    }

    /// When to call [`Run::handle`] with [`Happened::Timeout`], if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.finished { None } else { self.hub.timers.next() }
    }

    fn returned(&mut self, id: CallId, answer: Answer<V>) {
        let Some((frame, role)) = self.hub.calls.take(id) else { return };
        let Some(frame) = self.frames[frame].as_mut() else { return };
        frame.call_returned(&mut self.hub, id, role, answer);
    }

    /// Does what frames want of each other until nothing is left to do.
    fn work(&mut self) {
        while let Some(work) = self.hub.work.pop_front() {
            match work {
                Work::Tick(frame) => {
                    if let Some(frame) = self.frames[frame].as_mut() {
                        frame.tick(&mut self.hub);
                    }
                }
                Work::Child { parent, graph, persistence, input, resuming } => {
                    self.start_child(parent, graph, persistence, input, resuming);
                }
                Work::Ended { frame, end } => self.ended(frame, end),
                Work::Abort(frame) => self.abort(frame),
            }
        }
        self.free.append(&mut self.freed);
    }

    fn start_child(
        &mut self,
        parent: Parent,
        graph: Graph<V>,
        persistence: Persistence,
        input: V,
        resuming: bool,
    ) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.frames.push(None);
            self.frames.len() - 1
        });
        let Some(above) = self.frames[parent.frame].as_mut() else {
            return self.free.push(number);
        };
        let mut frame = above.child(&self.hub, number, parent, graph, persistence);
        above.tasks[parent.task].children.push(number);
        let heads = above.moved_heads.get(&frame.namespace).or(above.heads.get(&frame.namespace));
        frame.begin_below(&mut self.hub, input, resuming, heads.copied());
        self.frames[number] = Some(Box::new(frame));
    }

    /// A running node function invokes a graph.
    fn invoke(
        &mut self,
        call: CallId,
        ordinal: u32,
        graph: Graph<V>,
        input: V,
        collects: StreamModes,
    ) {
        let Some((frame, task)) = self.hub.calls.task(call) else { return };
        let Some(above) = self.frames[frame].as_ref() else { return };
        let resuming = above.resuming || above.tasks[task].attempt > 1;
        let parent = Parent { frame, task, call: Some((call, ordinal)), collects };
        let persistence = graph.0.persistence;
        self.hub.work.push_back(Work::Child { parent, graph, persistence, input, resuming });
    }

    fn ended(&mut self, number: usize, end: End<V>) {
        let Some(frame) = self.frames[number].take() else { return };
        let Some(parent) = frame.parent else {
            return self.root_ended(end);
        };
        self.freed.push(number);
        let chunks = self.hub.collected.remove(&number).unwrap_or_default();
        if !matches!(end, End::Done { .. }) {
            self.hub.stop_calls_of(number);
        }
        let Some(above) = self.frames[parent.frame].as_mut() else { return };
        above.tasks[parent.task].children.retain(|child| *child != number);
        above.floor = above.floor.max(frame.floor);
        if let (Persistence::Own, true, Some(head)) =
            (frame.persistence, frame.saves, frame.checkpoint)
        {
            above.moved_heads.insert(frame.namespace.clone(), head);
            above.tasks[parent.task].heads.push((frame.namespace.clone(), head));
        }
        match parent.call {
            None => above.child_ended(&mut self.hub, parent.task, end),
            Some((call, ordinal)) => {
                let (result, end) = match end {
                    End::Done { output, .. } => (Invoked::Done(output), None),
                    End::Failed(failure) => (Invoked::Failed(failure), None),
                    End::Interrupted { interrupts, values } => {
                        let told = Invoked::Interrupted(interrupts.clone());
                        (told, Some(End::Interrupted { interrupts, values }))
                    }
                    End::Parent(command) => (Invoked::Parent, Some(End::Parent(command))),
                    End::Drained => (Invoked::Interrupted(Vec::new()), Some(End::Drained)),
                };
                if end.is_some() {
                    self.hub.calls.take(call);
                }
                self.hub.effects.push_back(Effect::Invoked { call, ordinal, result, chunks });
                if let Some(end) = end {
                    above.child_ended(&mut self.hub, parent.task, end);
                }
            }
        }
    }

    fn root_ended(&mut self, end: End<V>) {
        let outcome = match end {
            End::Done { output } => Outcome::Done { output },
            End::Failed(failure) => Outcome::Failed(failure),
            End::Interrupted { interrupts, values } => Outcome::Interrupted { interrupts, values },
            End::Drained => Outcome::Drained,
            End::Parent(_) => Outcome::Failed(Failure::new(
                FailureKind::InvalidUpdate,
                "no_parent",
                "Command(graph=PARENT) was returned, but there is no parent graph.",
            )),
        };
        self.hub.stop_all();
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: Outcome<V>) {
        self.finished = true;
        self.hub.work.clear();
        self.frames.clear();
        self.hub.effects.push_back(Effect::Finish(outcome));
    }

    /// Ends a frame and all below it without a result.
    fn abort(&mut self, number: usize) {
        let Some(frame) = self.frames.get_mut(number).and_then(Option::take) else { return };
        self.freed.push(number);
        self.hub.collected.remove(&number);
        for task in &frame.tasks {
            task.children.iter().for_each(|child| self.hub.work.push_back(Work::Abort(*child)));
        }
        self.hub.stop_calls_of(number);
    }

    fn fire_timers(&mut self) {
        while let Some(timer) = self.hub.timers.due(self.hub.now) {
            if let Some(frame) = self.frames.get_mut(timer.frame).and_then(Option::as_mut) {
                match timer.kind {
                    TimerKind::Retry => frame.retry_due(&mut self.hub, timer),
                    TimerKind::Run | TimerKind::Idle => frame.limit_due(&mut self.hub, timer),
                }
            }
            self.work();
        }
    }
}

/// What a subgraph's end is to the task that ran it.
pub(crate) fn output_of<V: StateValue>(output: V) -> NodeOutput<V> {
    NodeOutput::Update(output)
}
