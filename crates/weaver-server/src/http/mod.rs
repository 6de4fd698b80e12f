//! The HTTP API: `routes` has a file for each resource, `guard` decides who may
//! ask, `problem` turns what went wrong into answers.

mod body;
mod calls;
pub mod gateway;
mod guard;
mod live;
pub mod meters;
mod pages;
mod params;
mod problem;
mod routes;
mod serving;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod ui;
mod waiting;
mod websocket;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use weaver_runtime::Executions;
use weaver_runtime::scheduler::Seats;
use weaver_store::Store;

use crate::catalog::Changes;
use crate::folder::Folder;
use crate::ledger::Ledger;
use crate::vault::Vault;
use crate::workshop::Bench;

pub use guard::Access;
use guard::Caller;
pub use live::{Live, Watch};
pub use meters::Meters;
pub use problem::Refusal;
pub use serving::{Front, Limits, serve};
pub use source::{Sources, broken_workflow};
pub use waiting::{Waiting, router as waiting_router};

/// What requests are answered from.
pub struct App {
    /// The log and the queue.
    pub store: Store,
    /// `sqlite` or `postgresql`.
    pub store_kind: &'static str,
    /// Events of executions as they happen in this process.
    pub live: Live,
    /// Which workflows are known to compile.
    pub sources: Sources,
    /// Who may ask.
    pub access: Access,
    /// Compiles what is forked, edited and replayed.
    pub bench: Arc<Bench>,
    /// Keys of providers.
    pub vault: Vault,
    /// What clients of models use.
    pub ledger: Ledger,
    /// The models that clients may ask.
    pub models: gateway::Models,
    /// Workflows that are files.
    pub folder: Option<Arc<Folder>>,
    /// Tells which workflows have changed.
    pub changes: Changes,
    /// What this process does.
    pub meters: Arc<Meters>,
    /// For how long a task is a worker's own unless it extends the lease.
    pub task_lease: Duration,
    /// Where what is submitted may find its driver in this process.
    pub seats: Seats,
    /// What this process does: `all`, `api`, `scheduler`.
    pub role: &'static str,
    /// When it began to answer.
    pub began: Instant,
    /// Cancelled when the process is to end: streams close, health says so.
    pub drain: CancellationToken,
}

impl App {
    /// The caller's executions.
    pub fn executions(&self, caller: Caller) -> Executions {
        Executions::new(self.store.for_tenant(caller.tenant)).beside(self.seats.clone())
    }
}

/// Every route.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .nest("/api/v1", routes::router())
        .merge(gateway::router(app.clone()))
        .route("/metrics", get(routes::metrics))
        .route("/docs", get(pages::page))
        .route("/docs/docs.css", get(pages::styles))
        .route("/docs/docs.js", get(pages::script))
        .fallback(ui::studio)
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(axum::middleware::from_fn_with_state(app.clone(), calls::count))
        .with_state(app)
}
