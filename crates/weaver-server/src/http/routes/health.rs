//! `GET /health` and its parts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weaver_api::health::Health;

use crate::http::App;

/// How the process stands, with its store.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let status = match (app.drain.is_cancelled(), app.store.queue().now().await) {
        (true, _) => "draining",
        (false, Ok(_)) => "ok",
        (false, Err(_)) => "database_unreachable",
    };
    let body = Health {
        status: status.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        role: app.role.into(),
        store: app.store_kind.into(),
    };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health/live", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn live() -> &'static str {
    "ok"
}
