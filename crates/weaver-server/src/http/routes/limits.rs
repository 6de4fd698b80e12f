//! Limits: look, set, take away.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use weaver_api::Page;
use weaver_api::limit::{Limit, LimitRequest};
use weaver_runtime::Limits;

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::wire;

/// Lists the limits, with how much of each is used.
#[utoipa::path(get, path = "/limits", tag = "limits",
    responses((status = 200, body = Page<Limit>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Limit>>, Refusal> {
    Ok(Json(wire::limit_list(&limits(&app, caller)).await?))
}

/// Sets a limit, or takes it away; answers with all.
#[utoipa::path(put, path = "/limits", tag = "limits",
    request_body = LimitRequest,
    responses((status = 200, body = Page<Limit>)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<LimitRequest>,
) -> Result<Json<Page<Limit>>, Refusal> {
    let limits = limits(&app, caller);
    wire::set_limit(&limits, &request).await?;
    Ok(Json(wire::limit_list(&limits).await?))
}

fn limits(app: &App, caller: Caller) -> Limits {
    Limits::new(app.store.for_tenant(caller.tenant))
}
