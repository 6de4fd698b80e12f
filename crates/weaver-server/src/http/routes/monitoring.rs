//! How the work stands, for people and for Prometheus; models that can be asked.

use std::sync::Arc;
use std::time::Instant;

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
use crate::http::{App, Refusal, meters};
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
    let asked = Instant::now();
    let now = store.queue().now().await.map_err(Refused::from)?;
    let latency = asked.elapsed().as_secs_f64();
    let mut text = app.calls.text();
    text += &app.meters.text();
    meters::head(&mut text, "executions", "gauge", "Executions that have not ended.");
    for status in OPEN {
        let n = open.iter().filter(|it| it.status == status).count();
        let labels = format!("status=\"{}\"", status.as_str());
        meters::line(&mut text, "executions", &labels, n);
    }
    let active = open.iter().filter(|it| it.status == ExecutionStatus::Running).count();
    let queued: Vec<_> = open.iter().filter(|it| it.status == ExecutionStatus::Queued).collect();
    let age = queued.iter().map(|it| (now.0 - it.started.0).max(0)).max().unwrap_or_default();
    for (name, about, value) in [
        ("active_executions", "Executions under way.", active as f64),
        ("queue_depth", "Executions that nobody has taken up.", queued.len() as f64),
        ("queue_age_seconds", "Age of the oldest of them.", age as f64 / 1e6),
        ("open_streams", "Readers of events of executions.", app.live.readers() as f64),
        ("database_latency_seconds", "How long the store took to tell the time.", latency),
        ("uptime_seconds", "Since the start.", app.began.elapsed().as_secs_f64()),
    ] {
        meters::head(&mut text, name, "gauge", about);
        meters::line(&mut text, name, "", value);
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
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
