//! [`Hub`]: what all frames of a run share.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use weaver_core::{Failure, FastMap, FastSet, Timestamp};

use super::frame::Parent;
use crate::effect::{CallId, Command, Effect, Emit, Interrupt};
use crate::graph::{Graph, Persistence};
use crate::hash::InterruptId;
use crate::input::RunOptions;
use crate::stream::{Chunk, StreamModes};
use crate::value::StateValue;

/// What all frames share: the way out, the calls, the timers, the answers.
pub(super) struct Hub<V: StateValue> {
    pub now: Timestamp,
    pub options: RunOptions,
    pub effects: VecDeque<Effect<V>>,
    pub work: VecDeque<Work<V>>,
    pub calls: Calls,
    pub timers: Timers,
    /// Answers by question, from the command that continued the run.
    pub answers: FastMap<InterruptId, V>,
    /// Whose question a bare answer among them is for: the asking task's namespace.
    pub lone: Option<(Arc<str>, InterruptId)>,
    /// An answer for whichever question comes first.
    pub bare: Option<V>,
    pub draining: bool,
    /// Chunks of graphs that functions stream, by frame.
    pub collected: HashMap<usize, Vec<Chunk<V>>>,
    /// Messages that were emitted or seen.
    pub messages: FastSet<Arc<str>>,
    serials: u64,
}

/// What frames want of each other.
pub(super) enum Work<V: StateValue> {
    /// Look what runs next.
    Tick(usize),
    /// Run a subgraph.
    Child { parent: Parent, graph: Graph<V>, persistence: Persistence, input: V, resuming: bool },
    /// A frame is over.
    Ended { frame: usize, end: End<V> },
    /// A frame is not wanted any more.
    Abort(usize),
}

/// How a frame ended.
pub(super) enum End<V> {
    Done { output: V },
    Interrupted { interrupts: Vec<Interrupt<V>>, values: V },
    Failed(Failure),
    Parent(Command<V>),
    Drained,
}

impl<V: StateValue> Hub<V> {
    pub fn new(options: RunOptions, now: Timestamp) -> Self {
        Hub {
            now,
            options,
            effects: VecDeque::new(),
            work: VecDeque::new(),
            calls: Calls::default(),
            timers: Timers::default(),
            answers: FastMap::default(),
            lone: None,
            bare: None,
            draining: false,
            collected: HashMap::new(),
            messages: FastSet::default(),
            serials: 0,
        }
    }

    /// A number that no timer has.
    pub fn serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    /// Whether a frame emits chunks of a mode.
    pub fn streams(&self, mode: StreamModes, is_root: bool) -> bool {
        self.options.stream.has(mode) && (is_root || self.options.stream_subgraphs)
    }

    pub fn emit(&mut self, namespace: &Arc<str>, chunk: Chunk<V>) {
        self.effects.push_back(Effect::Emit(Emit { namespace: namespace.clone(), chunk }));
    }

    /// Tells the host to abandon a call.
    pub fn stop(&mut self, id: CallId) {
        if self.calls.take(id).is_some() {
            self.effects.push_back(Effect::Stop(id));
        }
    }

    /// Tells the host to abandon all calls of a frame.
    pub fn stop_calls_of(&mut self, frame: usize) {
        for id in self.calls.of(|other| other == frame) {
            self.stop(id);
        }
    }

    pub fn stop_all(&mut self) {
        for id in self.calls.of(|_| true) {
            self.stop(id);
        }
    }
}

/// What a call is for; the numbers are tasks of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallRole {
    Node(usize),
    Branch(usize),
    CacheKey(usize),
    Cache(usize),
    RetryOn(usize),
    /// A reducer for what a task's branches see; the key's number.
    BranchFold(usize, u32),
    /// A reducer for the step; the key's number.
    StepFold(u32),
    Load,
}

/// Calls that are not answered yet. An id is a place and the number of times it
/// was used, so an old id never meets a new call.
#[derive(Debug, Default)]
pub(super) struct Calls {
    places: Vec<(u32, Option<(usize, CallRole)>)>,
    free: Vec<u32>,
}

impl Calls {
    pub fn add(&mut self, frame: usize, role: CallRole) -> CallId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            (self.places.len() - 1) as u32
        });
        let slot = &mut self.places[place as usize];
        slot.0 += 1;
        slot.1 = Some((frame, role));
        CallId(u64::from(slot.0) << 32 | u64::from(place))
    }

    /// Ends a call; nothing if it is over already.
    pub fn take(&mut self, id: CallId) -> Option<(usize, CallRole)> {
        let place = id.0 as u32;
        let (generation, slot) = self.places.get_mut(place as usize)?;
        if u64::from(*generation) != id.0 >> 32 {
            return None;
        }
        let call = slot.take()?;
        self.free.push(place);
        Some(call)
    }

    /// Frame and task of a running call that may invoke graphs.
    pub fn task(&self, id: CallId) -> Option<(usize, usize)> {
        let (generation, slot) = self.places.get(id.0 as u32 as usize)?;
        match slot {
            Some((frame, CallRole::Node(task) | CallRole::Branch(task)))
                if u64::from(*generation) == id.0 >> 32 =>
            {
                Some((*frame, *task))
            }
            _ => None,
        }
    }

    /// Whether a call is one of a routing function.
    pub fn is_branch(&self, id: CallId) -> bool {
        let slot = self.places.get(id.0 as u32 as usize).and_then(|(_, slot)| *slot);
        matches!(slot, Some((_, CallRole::Branch(_))))
    }

    fn of(&self, frame: impl Fn(usize) -> bool) -> Vec<CallId> {
        self.places
            .iter()
            .zip(0u64..)
            .filter(|((_, slot), _)| slot.is_some_and(|(owner, _)| frame(owner)))
            .map(|((generation, _), place)| CallId(u64::from(*generation) << 32 | place))
            .collect()
    }
}

/// Something to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub at: Timestamp,
    pub order: u64,
    pub frame: usize,
    pub task: usize,
    pub attempt: u32,
    pub serial: u64,
    pub kind: TimerKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerKind {
    /// The pause before the next attempt is over.
    Retry,
    /// The limit of the attempt is reached.
    Run,
    /// There was no sign of life.
    Idle,
}

/// Timers by time. One whose task has moved on is dropped when it is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    count: u64,
}

impl Timers {
    pub fn add(&mut self, mut timer: Timer) {
        self.count += 1;
        timer.order = self.count;
        self.heap.push(Reverse(timer));
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|timer| timer.0.at)
    }

    pub fn due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|timer| timer.0)
    }
}
