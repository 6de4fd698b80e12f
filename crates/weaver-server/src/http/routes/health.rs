//! `GET /health` and its parts.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weaver_api::health::{Check, Detailed, Health};

use crate::http::App;

/// How the process stands, with its store.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn health(State(app): State<Arc<App>>) -> Response {
    answered(look(&app).await)
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health/live", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn live() -> &'static str {
    "ok"
}

/// Whether requests can be answered: the store is there, and the process is not draining.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    answered(look(&app).await)
}

/// Whether the store answers, and how fast.
#[utoipa::path(get, path = "/health/database", tag = "health",
    responses((status = 200, body = Check), (status = 503, body = Check)))]
pub async fn database(State(app): State<Arc<App>>) -> Response {
    let check = check_database(&app).await;
    (code(check.status == "ok"), Json(check)).into_response()
}

/// How the process stands, part by part.
#[utoipa::path(get, path = "/health/detailed", tag = "health",
    responses((status = 200, body = Detailed), (status = 503, body = Detailed)))]
pub async fn detailed(State(app): State<Arc<App>>) -> Response {
    let health = look(&app).await;
    let is_well = health.status == "ok";
    let detailed = Detailed {
        health,
        uptime_seconds: app.began.elapsed().as_secs(),
        folder: app.folder.as_ref().map(|folder| folder.root().display().to_string()),
        checks: vec![check_database(&app).await],
    };
    (code(is_well), Json(detailed)).into_response()
}

fn answered(health: Health) -> Response {
    (code(health.status == "ok"), Json(health)).into_response()
}

fn code(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn look(app: &App) -> Health {
    let (status, detail) = match (app.drain.is_cancelled(), app.store.queue().now().await) {
        (true, _) => ("draining", None),
        (false, Ok(_)) => ("ok", None),
        (false, Err(error)) => ("database_unreachable", Some(error.to_string())),
    };
    Health {
        status: status.into(),
        detail,
        version: env!("CARGO_PKG_VERSION").into(),
        role: app.role.into(),
        store: app.store_kind.into(),
    }
}

async fn check_database(app: &App) -> Check {
    let began = Instant::now();
    let asked = app.store.queue().now().await;
    Check {
        name: "database".into(),
        status: if asked.is_ok() { "ok" } else { "database_unreachable" }.into(),
        detail: asked.err().map(|error| error.to_string()),
        took_us: began.elapsed().as_micros() as u64,
    }
}
