//! Every route under `/api/v1`: the table of contents.

mod credentials;
mod events;
mod executions;
mod health;
mod limits;
mod schedules;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post, put};

use super::{App, Refusal};

/// Every route.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/executions", get(executions::list).post(executions::submit))
        .route("/executions/{id}", get(executions::get))
        .route("/executions/{id}/events", get(events::events))
        .route("/executions/{id}/cancel", post(executions::cancel))
        .route("/executions/{id}/pause", post(executions::pause))
        .route("/executions/{id}/resume", post(executions::resume))
        .route("/executions/{id}/retry", post(executions::retry))
        .route("/executions/{id}/migrate", post(executions::migrate))
        .route("/executions/{id}/reconcile", post(executions::reconcile))
        .route("/credentials", get(credentials::list))
        .route("/credentials/rotate", post(credentials::rotate))
        .route("/credentials/{provider}", put(credentials::set).delete(credentials::remove))
        .route("/limits", get(limits::list).put(limits::set))
        .route("/schedules", get(schedules::list).post(schedules::create))
        .route(
            "/schedules/{name}",
            get(schedules::get)
                .put(schedules::replace)
                .patch(schedules::patch)
                .delete(schedules::remove),
        )
        .route("/usage", get(usage::usage))
        .route("/quotas", get(usage::quotas).put(usage::set_quotas))
        .method_not_allowed_fallback(not_allowed)
}

/// Whether even a look needs the token.
pub fn is_private(path: &str) -> bool {
    path.starts_with("/api/v1/credentials")
}

/// No such route.
pub async fn unknown(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}
