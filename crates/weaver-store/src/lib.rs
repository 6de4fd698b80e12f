//! Durable state of runs: one ordered log per execution, checkpoints of graph
//! state, pending task writes, effects, waits for people, long-term memory and
//! a node cache.
//!
//! And the queue: which executions and tasks are to be worked on, by whom, when.
//!
//! Start with [`Store`]: [`Store::open_sqlite`] or [`Store::in_memory`], then
//! [`Backend::append`] a [`Batch`] of [`Record`]s and await its [`Ticket`].
//!
//! Work is queued with [`Store::submit`] and moved about with [`Queue`], which
//! [`Backend::queue`] gives. Workflows that people keep are in the [`Library`].
//!
//! Invariants:
//! - The store does not know what a graph is. Payloads are bytes made by others.
//! - A batch is on disk whole or not at all. Batches become durable in the order
//!   of their `append`; when one of an execution fails, every later one of that
//!   execution fails too, so what is kept never has a hole.
//! - Entries of an execution are numbered from 1 without gaps and chained by
//!   hash; checkpoints are chained to their parents by hash and never changed.
//! - A handle is that of one tenant, and nothing of another's can be named with it.
//! - All SQL of the product is in this crate.

mod accounts;
mod backend;
mod batch;
mod copy;
pub mod crash;
mod encode;
mod error;
mod faulty;
mod hash;
mod id;
mod item;
mod library;
mod memory;
mod meter;
mod pack;
mod place;
mod postgres;
mod query;
mod queue;
mod record;
mod retention;
mod roster;
mod sqlite;
mod stats;
mod store;
mod ticket;

pub use accounts::{Accounts, Credential, Metric, Quota, Sealed, TenantKey};
pub use backend::{Backend, Pending, Records};
pub use batch::{Batch, Record};
pub use copy::{Copied, Progress, copy};
pub use error::Error;
pub use faulty::Faults;
pub use id::{CheckpointId, ExecutionId, Lane, TenantId, WorkflowId};
pub use item::{Condition, Filter, Item, ItemKey, ItemSearch, NamespaceSearch, Operator};
pub use library::{
    Changed, Library, Revision, Workflow, WorkflowChange, WorkflowKey, WorkflowText,
};
pub use memory::SharedMemory;
pub use meter::SnapshotMeter;
pub use place::{Place, Schema};
pub use postgres::PostgresOptions;
pub use query::{
    Chain, CheckpointInfo, ExecutionQuery, Garbage, Head, Overview, Problem, Standing, ThreadInfo,
    Verification,
};
pub use queue::{
    Accepted, Budget, BudgetKey, Cancel, Cancelled, Claim, ClaimRequest, Clock, ConcurrencyKey,
    DeadLetter, Decision, Enqueue, Forgotten, Held, Idempotency, IdempotencyKey, Kept, Limit,
    Missed, Park, Plan, Priority, Promoted, Queue, ROUTE_DRIVE, Rate, Reaped, Reservation,
    Reserved, Schedule, ScheduleKey, Scope, Submission, Taker, Wakeups, Work, WorkInfo, WorkKey,
    WorkState,
};
pub use record::{
    CacheEntry, Checkpoint, Effect, EffectStatus, Entry, Execution, ExecutionChange,
    ExecutionStatus, Interrupt, Lease, LeaseChange, PendingWrite, Source, State, Totals,
    WorkflowVersion,
};
pub use retention::{Retained, Retention};
pub use roster::{Roster, Worker};
pub use stats::{Connections, Stats};
pub use store::{OpenOptions, Store};
pub use ticket::{Ticket, block_on};

/// What fails, fails with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Payloads of this many bytes or more are kept once, by content hash.
pub const BLOB_BYTES_MIN: usize = 64 * 1024;
