//! [`Run`]: one run of a graph, subgraphs included.

use std::collections::VecDeque;

use weaver_core::Timestamp;

use crate::effect::{Effect, Happened};
use crate::graph::Graph;
use crate::input::{Input, Origin, RunOptions};
use crate::value::StateValue;

/// One run of a graph, from an input to its end, its wait or its failure.
pub struct Run<V: StateValue> {
    graph: Graph<V>,
    effects: VecDeque<Effect<V>>,
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
        let _ = (origin, input, options, now);
        Run { graph, effects: VecDeque::new() }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph<V> {
        &self.graph
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, happened: Happened<V>) {
        let _ = (now, happened);
    }

    /// Stops at once: no further result is committed.
    pub fn cancel(&mut self) {}

    /// Stops before the next superstep, at a resumable checkpoint.
    pub fn drain(&mut self) {}

    /// The state of a namespace at its last commit.
    pub fn checkpoint_state(&self, _namespace: &str) -> Option<crate::CheckpointState<V>> {
        None
    }

    /// The next thing that the host must do.
    pub fn poll_effect(&mut self) -> Option<Effect<V>> {
        self.effects.pop_front()
    }

    /// When to call [`Run::handle`] with [`Happened::Timeout`], if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
