//! [`RunRequest`]: what to run, and [`Report`]: what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_core::{Hash, Timestamp, Value};
use weaver_engine::{CheckpointId, Emit, Graph, Input, Outcome, RunOptions};
use weaver_store::{ExecutionId, Lease, Priority, Standing, Totals, WorkflowVersion};

use crate::children::Children;
use crate::journal::{self, Follower, Listener};
use crate::purse::Purse;
use crate::recent::Recent;

/// When checkpoints must be on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Each superstep before the next starts.
    Sync,
    /// In order, while the next supersteps run; all before the run is reported.
    #[default]
    Async,
    /// Only the last one; a killed process leaves nothing.
    Exit,
}

/// What time it is in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// What the wall says when the run starts, and from there on what passes: a host
    /// whose clock jumps neither hurries nor holds what waits.
    #[default]
    Wall,
    /// This time at this moment, and from there on what passes. Of an execution that
    /// was claimed: hosts differ, the database's time is one.
    Running {
        /// The time then.
        time: Timestamp,
        /// Then.
        at: Instant,
    },
    /// This moment; pauses between attempts pass at once, and limits of attempts
    /// never run out: a recorded run is gone through again.
    Replayed(Timestamp),
}

impl Clock {
    /// The clock of a run that starts now.
    pub(crate) fn started(self) -> Self {
        match self {
            Clock::Wall => Clock::Running { time: journal::now(), at: Instant::now() },
            started => started,
        }
    }

    /// The time.
    pub(crate) fn now(self) -> Timestamp {
        match self {
            Clock::Wall => journal::now(),
            Clock::Running { time, at } => time.after(at.elapsed()),
            Clock::Replayed(moment) => moment,
        }
    }
}

/// Is given the chunks of the stream modes that were asked for.
pub type ChunkListener = Arc<dyn Fn(&Emit<Value>) + Send + Sync>;

/// One run.
#[derive(Clone)]
pub struct RunRequest {
    /// The thread to run on.
    pub thread: Arc<str>,
    /// Whose data this is.
    pub tenant: Arc<str>,
    /// The graph.
    pub graph: Graph<Value>,
    /// The source that the run is pinned to.
    pub version: Option<WorkflowVersion>,
    /// What to do.
    pub input: Input<Value>,
    /// The checkpoint to start from; absent: the thread's latest.
    pub at: Option<CheckpointId>,
    /// Start from nothing, though the thread has checkpoints: a history of its own
    /// beside theirs.
    pub anew: bool,
    /// Where subgraphs start that the superstep at [`RunRequest::at`] runs: the way to
    /// a checkpoint inside a subgraph, outermost first. See [`thread::locate`].
    ///
    /// [`thread::locate`]: crate::thread::locate
    pub below: Vec<(Arc<str>, CheckpointId)>,
    /// Whose checkpoint [`RunRequest::at`] is: the root graph's (empty), or for
    /// [`Input::Update`] that of the subgraph that [`RunRequest::graph`] is.
    pub namespace: Arc<str>,
    /// `context=`.
    pub context: Value,
    /// What nodes see as `config`, a map.
    pub config: Value,
    /// A hash of everything else that nodes may see and models answer from: settings,
    /// variables, which model stands in for which. Kept with the run, so that a later
    /// one knows whether its results still hold.
    pub surroundings: Option<Hash>,
    /// Limits, breakpoints, stream modes.
    pub options: RunOptions,
    /// Take nothing out of the cache of nodes, which knows inputs but not code.
    pub ignore_cache: bool,
    /// When checkpoints must be on disk.
    pub durability: Durability,
    /// Is shown every event as it happens.
    pub listener: Option<Listener>,
    /// Is shown every event once the log has it.
    pub follower: Option<Arc<dyn Follower>>,
    /// Is shown every chunk.
    pub chunks: Option<ChunkListener>,
    /// Ends the run at once.
    pub cancel: CancellationToken,
    /// Ends the run before its next superstep.
    pub drain: CancellationToken,
    /// What time it is.
    pub clock: Clock,
    /// Where runs of this process left their threads: what is found there is not read
    /// from the log again, and this run leaves its own there.
    pub recent: Option<Arc<Recent>>,
    /// The execution that is driven, where a scheduler has claimed one. Absent: the
    /// thread's unfinished one if the input goes on with it, else a new one.
    pub claimed: Option<Claimed>,
    /// What its tasks may spend; absent: what they like.
    pub purse: Option<Purse>,
    /// Starts executions for its tasks; absent: they cannot start any.
    pub children: Option<Children>,
    /// The place in the queue of tasks that are for workers; absent: there are none.
    pub workers: Option<Priority>,
}

/// An execution that was claimed to be driven, and the proof. Nothing that is
/// written under a superseded fence is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which, and how it stood in the log once it was claimed.
    pub standing: Standing,
    /// Who holds it, from when to when.
    pub lease: Lease,
    /// Claims without a superstep between them, this one included.
    pub deliveries: u32,
}

impl RunRequest {
    /// A run with default options on a thread's latest checkpoint.
    pub fn new(thread: impl Into<Arc<str>>, graph: Graph<Value>, input: Input<Value>) -> Self {
        RunRequest {
            thread: thread.into(),
            tenant: "local".into(),
            graph,
            version: None,
            input,
            at: None,
            anew: false,
            below: Vec::new(),
            namespace: "".into(),
            context: Value::Null,
            config: Value::map::<&str>([]),
            surroundings: None,
            options: RunOptions::default(),
            ignore_cache: false,
            durability: Durability::default(),
            listener: None,
            follower: None,
            chunks: None,
            cancel: CancellationToken::new(),
            drain: CancellationToken::new(),
            clock: Clock::default(),
            recent: None,
            claimed: None,
            purse: None,
            children: None,
            workers: None,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run's name in the log.
    pub execution: ExecutionId,
    /// The thread.
    pub thread: Arc<str>,
    /// How it ended.
    pub outcome: Outcome<Value>,
    /// The root graph's last checkpoint, if this run committed one.
    pub checkpoint: Option<CheckpointId>,
    /// Tokens and money.
    pub totals: Totals,
    /// Supersteps in which nodes ran, those of subgraphs included.
    pub steps: u64,
    /// Wall time.
    pub duration: Duration,
}
