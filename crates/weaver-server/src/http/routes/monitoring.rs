//! How the work stands, for people and for Prometheus; models that can be asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::IntoResponse;
use weaver_api::Page;
use weaver_api::models::ModelProvider;
use weaver_api::monitoring::Summary;
use weaver_runtime::executions::Refused;
use weaver_store::{Execution, ExecutionQuery, ExecutionStatus, Store};

use crate::http::gateway::Lists;
use crate::http::guard::Caller;
use crate::http::meters::Gauges;
use crate::http::{App, Refusal};
use crate::wire;

/// So many executions of a status are counted, and so many of the newest are looked at.
const COUNTED: usize = 1000;

const OPEN: [ExecutionStatus; 4] = [
    ExecutionStatus::Queued,
    ExecutionStatus::Running,
    ExecutionStatus::Waiting,
    ExecutionStatus::Paused,
];

/// Sums up what is under way and the last minutes.
#[utoipa::path(get, path = "/monitoring/summary", tag = "monitoring",
    responses((status = 200, body = Summary)))]
pub async fn summary(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Summary>, Refusal> {
    let store = app.store.for_tenant(caller.tenant);
    let open = open(&store).await?;
    let query = ExecutionQuery { limit: COUNTED, ..ExecutionQuery::default() };
    let newest = store.executions(query).await.map_err(Refused::from)?;
    let now = store.queue().now().await.map_err(Refused::from)?;
    Ok(Json(wire::summary(now, &open, &newest)))
}

async fn open(store: &Store) -> Result<Vec<Execution>, Refusal> {
    let mut open = Vec::new();
    for status in OPEN {
        let status = Some(status);
        let query = ExecutionQuery { status, limit: COUNTED, ..ExecutionQuery::default() };
        open.extend(store.executions(query).await.map_err(Refused::from)?);
    }
    Ok(open)
}

/// `GET /metrics`: what Prometheus reads.
pub async fn metrics(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<impl IntoResponse, Refusal> {
    let store = app.store.for_tenant(caller.tenant);
    let open = open(&store).await?;
    let workers = store.roster().workers(caller.tenant, COUNTED).await.map_err(Refused::from)?;
    let asked = Instant::now();
    let now = store.queue().now().await.map_err(Refused::from)?;
    let latency = asked.elapsed();
    let queued = open.iter().filter(|it| it.status == ExecutionStatus::Queued);
    let oldest = queued.map(|it| it.started).min().unwrap_or(now);
    let age = u64::try_from(now.0 - oldest.0).unwrap_or_default();
    let gauges = Gauges {
        open: OPEN.map(|it| (it.as_str(), count(&open, |one| one.status == it))).into(),
        queue_age: Duration::from_micros(age),
        workers: wire::WORKER_STATUSES
            .map(|(it, word)| (word, count(&workers, |one| wire::worker_status(one, now) == it)))
            .into(),
        streams: app.live.readers(),
        latency,
        uptime: app.began.elapsed(),
        store: app.store.stats(),
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.meters.text(&gauges)))
}

fn count<T>(all: &[T], is_one: impl Fn(&T) -> bool) -> usize {
    all.iter().filter(|one| is_one(one)).count()
}

/// Lists the providers of models, with their models and prices.
#[utoipa::path(get, path = "/models", tag = "models",
    responses((status = 200, body = Page<ModelProvider>)))]
pub async fn models(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<ModelProvider>>, Refusal> {
    let gateway = app.models.gateway(caller.tenant).await?;
    let listed = Lists::new(gateway.clone()).ask(|_| true).await;
    let items = listed.into_iter().map(|listed| wire::provider(&gateway, listed)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}
