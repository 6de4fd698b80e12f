//! Sans-IO graph engine: inputs in, effects out.
//!
//! Build a [`Graph`] with [`GraphBuilder`], start a [`Run`], and feed it: every
//! [`Effect`] that [`Run::poll_effect`] hands out is something the host must do,
//! every [`Happened`] given to [`Run::handle`] is something that happened.
//!
//! Invariants:
//! - The engine knows no clock, randomness, thread, file or network. Time is an
//!   argument; ids and pauses are hashes of it. It compiles to WebAssembly.
//! - The engine runs no user code but native reducers: nodes, routing functions
//!   and foreign reducers are calls to the host.
//! - Writes of a superstep are applied in the order of their tasks' paths, never
//!   in the order of completion: the same writes give the same bytes.
//! - After every call into a [`Run`], drain [`Run::poll_effect`] fully.
//! - A superstep costs what it touches, not what the state or the history holds.

#![allow(
    clippy::result_large_err,
    reason = "a failure is data of the log; it is rare and passes through few functions"
)]

mod channels;
pub mod checkpoint;
pub mod effect;
pub mod graph;
pub mod hash;
pub mod input;
pub mod memory;
mod messages;
pub mod operator;
pub mod policy;
mod run;
pub mod snapshot;
pub mod stream;
pub mod typed;
pub mod value;
pub mod view;
mod wrote;

pub use checkpoint::{CheckpointState, Commit, PendingRecord, Saved, SavedWrite, Source, TaskPath};
pub use effect::{
    Answer, CacheKey, Call, CallId, CallKind, Command, Effect, Emit, Goto, Happened, Interrupt,
    Invoked, Load, NodeOutput, Notice, Outcome, Route, SaveWrites, SendTo, TaskInfo,
};
pub use graph::{
    BranchSpec, BuildError, ChannelKind, Graph, GraphBuilder, Managed, NodeKind, NodeSpec,
    Persistence, Reducer, Targets,
};
pub use hash::{CheckpointId, InterruptId, TaskId};
pub use input::{Input, InputCommand, Origin, Resume, RunOptions, Siblings, StateUpdate};
pub use memory::Memory;
pub use operator::Operator;
pub use policy::{CachePolicy, RetryOn, RetryPolicy, TimeoutPolicy};
pub use run::{Run, stable_namespace};
pub use snapshot::{Snapshot, TaskSnapshot};
pub use stream::{Chunk, StreamModes};
pub use value::StateValue;
pub use view::{CallInput, StateView};
pub use wrote::{Fields, Wrote};
