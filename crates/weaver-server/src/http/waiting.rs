//! [`Waiting`]: what is answered before the store is there.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use weaver_api::health::Health;

use super::{Refusal, routes};

/// A server that cannot answer yet, and says why.
pub struct Waiting {
    /// `sqlite` or `postgresql`.
    pub store_kind: &'static str,
    /// What this process is to do: `all`, `api`, `scheduler`.
    pub role: &'static str,
    reason: Mutex<String>,
}

impl Waiting {
    /// A server that has just begun.
    pub fn new(store_kind: &'static str, role: &'static str) -> Self {
        Waiting { store_kind, role, reason: Mutex::new("the store is being opened".into()) }
    }

    /// Waits for this now.
    pub fn because(&self, reason: &str) {
        *self.reason.lock().expect("nothing panics while it is held") = reason.into();
    }

    fn reason(&self) -> String {
        self.reason.lock().expect("nothing panics while it is held").clone()
    }
}

/// It lives, it is not ready, and everything else is refused.
pub fn router(waiting: Arc<Waiting>) -> Router {
    Router::new()
        .route("/api/v1/health/live", get(routes::live))
        .fallback(not_yet)
        .with_state(waiting)
}

async fn not_yet(State(waiting): State<Arc<Waiting>>, uri: Uri) -> Response {
    let reason = waiting.reason();
    if !uri.path().starts_with("/api/v1/health") {
        let code = "store_unreachable";
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, reason).into_response();
    }
    let health = Health {
        status: "starting".into(),
        detail: Some(reason),
        version: env!("CARGO_PKG_VERSION").into(),
        role: waiting.role.into(),
        store: waiting.store_kind.into(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response()
}
