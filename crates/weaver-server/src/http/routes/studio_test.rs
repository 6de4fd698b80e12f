//! The Studio: what the editor shows, run as it stands, whole or by one superstep.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use weaver_api::execution::Execution;
use weaver_api::studio::{TestRun, TestStep};
use weaver_runtime::Breakpoints;

use super::executions::{accept, check_wait, once, settled};
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};

/// Runs a text, kept or not, and answers with the events as they happen. The first one
/// names the execution, which is there afterwards as any other.
#[utoipa::path(post, path = "/studio/test/run", tag = "studio",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same execution")),
    request_body = TestRun,
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub async fn run(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(request): Body<TestRun>,
) -> Result<Response, Refusal> {
    let once = once(&headers, "POST /studio/test/run", &request)?;
    accept(&app, caller, &request.submit(), None, once).await
}

/// Lets an execution that stopped go on by one superstep, and answers with how it stands
/// then. From here on it stops before every node, until it is resumed otherwise.
#[utoipa::path(post, path = "/studio/test/run-step", tag = "studio",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same step")),
    request_body = TestStep, responses((status = 200, body = Execution)))]
pub async fn step(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(request): Body<TestStep>,
) -> Result<Json<Execution>, Refusal> {
    check_wait(request.wait)?;
    let once = once(&headers, "POST /studio/test/run-step", &request)?;
    let executions = app.executions(caller);
    let id = executions.find(&request.execution_id).await?;
    let everywhere = Breakpoints { before: vec!["*".into()], after: Vec::new() };
    executions.under(once).go_on(id, Some(everywhere)).await?;
    settled(&app, caller, id, request.wait).await
}
