//! Drives runs: feeds the engine, runs node tasks, commits.
//!
//! Start with [`drive`]: it takes a [`RunRequest`] to its end, its wait or its
//! failure. A [`Handler`] runs the functions of the graph; what a function may do
//! besides computing is its [`TaskContext`].
//!
//! Invariants:
//! - This crate decides neither what runs next nor how writes merge (the engine
//!   does) and knows no Python, model or tool (the handler does).
//! - What is reported, as a result or as a wait, is on disk.
//! - A recorded effect is never fired again; its result is given instead.

pub mod children;
mod codec;
mod commit;
mod drive;
mod effects;
mod ending;
pub mod error;
pub mod executions;
mod graft;
mod journal;
pub mod limits;
mod node_cache;
mod open;
mod order;
mod past;
mod purse;
mod questions;
mod recent;
pub mod replay;
mod request;
pub mod reuse;
pub mod scheduler;
pub mod schedules;
mod shown;
mod steps;
mod task;
pub mod tasks;
pub mod thread;

pub use children::Children;
pub use drive::drive;
pub use effects::{EffectPolicy, EffectRequest, Fire, TaskEffects};
pub use error::Error;
pub use executions::Executions;
pub use journal::{Follower, Journal, Listener, from_entry, now};
pub use limits::Limits;
pub use order::{Again, Breakpoints, ForkedFrom, Order};
pub use purse::{Purse, Spending};
pub use questions::{deadline_of, timeout_answer};
pub use recent::Recent;
pub use request::{ChunkListener, Claimed, Clock, Durability, Report, RunRequest};
pub use scheduler::Scheduler;
pub use schedules::Schedules;
pub use task::{Handler, RunContext, TaskContext};
