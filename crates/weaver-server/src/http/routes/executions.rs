//! Executions: submit, look, answer, pause, cancel, try again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use weaver_api::Page;
use weaver_api::execution::{
    CancelRequest, Execution, MigrateRequest, ReconcileRequest, ResumeRequest, RetryRequest,
    Status, SubmitRequest, Submitted,
};
use weaver_core::Value;
use weaver_runtime::Executions;
use weaver_runtime::executions::Once;
use weaver_store::{ExecutionId, ExecutionQuery};

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::{moving, wire};

/// `?status=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those that stand so.
    status: Option<Status>,
    /// Only those of this file.
    workflow: Option<String>,
    /// Only those of this thread.
    thread: Option<String>,
    /// At most so many: 50 if absent, 200 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 200;

/// Lists executions, newest first.
#[utoipa::path(get, path = "/executions", tag = "executions",
    params(ListQuery),
    responses((status = 200, body = Page<Execution>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Execution>>, Refusal> {
    let limit = page_size(query.limit);
    let before = match &query.cursor {
        Some(cursor) => Some(
            cursor
                .parse::<uuid::Uuid>()
                .map(ExecutionId)
                .map_err(|_| Refusal::invalid("`cursor` is not one that a list gave"))?,
        ),
        None => None,
    };
    let executions = executions(&app, caller);
    let status = query.status.map(wire::stored_status);
    // One more than the page shows that there is a next one.
    let wanted = ExecutionQuery {
        status,
        workflow: query.workflow.map(Into::into),
        thread: query.thread.map(Into::into),
        before,
        limit: limit + 1,
    };
    let mut views = executions.list(wanted).await?;
    let more = views.len() > limit;
    views.truncate(limit);
    let next_cursor = views.last().filter(|_| more).map(|last| last.execution.id.to_string());
    // An edit of a state is an execution too, in which nothing runs.
    views.retain(|view| view.order.input.as_str() != Some("update"));
    let items = views.iter().map(|view| wire::execution(view, &[])).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// Queues an execution. It is on disk when this is answered.
#[utoipa::path(post, path = "/executions", tag = "executions",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = SubmitRequest,
    responses((status = 202, body = Submitted)))]
pub async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(request): Body<SubmitRequest>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let once = once(&headers, "POST /executions", &request)?;
    accept(&app, caller, &request, None, once).await
}

/// Queues what is asked for, if its source compiles.
pub async fn accept(
    app: &App,
    caller: Caller,
    request: &SubmitRequest,
    workflow_id: Option<String>,
    once: Option<Once>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let checked = app.sources.check(&request.workflow).await;
    checked.map_err(|refusal| refusal.inside("/workflow"))?;
    let mut submission = wire::submission(request)?;
    submission.once = once;
    submission.order.workflow_id = workflow_id;
    let execution = executions(app, caller).submit(submission).await?;
    let submitted = Submitted {
        execution_id: execution.id.to_string(),
        thread: execution.thread.to_string(),
        status: wire::status(&execution, None),
    };
    Ok((StatusCode::ACCEPTED, Json(submitted)))
}

/// Shows an execution.
#[utoipa::path(get, path = "/executions/{id}", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    responses((status = 200, body = Execution)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    shown(&executions, id).await
}

/// Stops an execution and all that it started.
#[utoipa::path(post, path = "/executions/{id}/cancel", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = CancelRequest,
    responses((status = 200, body = Execution)))]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<CancelRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    executions.cancel(id, request.reason.as_deref()).await?;
    shown(&executions, id).await
}

/// Holds an execution before its next superstep.
#[utoipa::path(post, path = "/executions/{id}/pause", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    responses((status = 200, body = Execution)))]
pub async fn pause(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    executions.pause(id).await?;
    shown(&executions, id).await
}

/// Answers a question, or ends a pause.
#[utoipa::path(post, path = "/executions/{id}/resume", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = ResumeRequest,
    responses((status = 200, body = Execution)))]
pub async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<ResumeRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    match (&request.answer, &request.question) {
        (Some(answer), question) => {
            if let Some(breakpoints) = &request.breakpoints {
                executions.stop_at(id, wire::breakpoints(breakpoints)).await?;
            }
            executions.answer(id, question.as_deref(), &Value::from(answer)).await?;
        }
        (None, Some(_)) => {
            return Err(Refusal::invalid("a question is named, but no answer is given")
                .at("/answer", "missing"));
        }
        (None, None) => {
            executions.go_on(id, request.breakpoints.as_ref().map(wire::breakpoints)).await?;
        }
    }
    shown(&executions, id).await
}

/// Queues a failed execution again, from where it failed.
#[utoipa::path(post, path = "/executions/{id}/retry", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = RetryRequest,
    responses((status = 200, body = Execution)))]
pub async fn retry(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<RetryRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    executions.retry(id, request.budget.map(|budget| budget.0)).await?;
    shown(&executions, id).await
}

/// Moves an execution to another version of its workflow.
#[utoipa::path(post, path = "/executions/{id}/migrate", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = MigrateRequest,
    responses((status = 200, body = Execution)))]
pub async fn migrate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<MigrateRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    moving::migrate(&app.store.for_tenant(caller.tenant), id, &request.workflow).await?;
    shown(&executions, id).await
}

/// Says what came of a call whose outcome nobody knows.
#[utoipa::path(post, path = "/executions/{id}/reconcile", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"), ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = ReconcileRequest,
    responses((status = 200, body = Execution)))]
pub async fn reconcile(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<ReconcileRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = executions(&app, caller);
    let id = executions.find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/reconcile"), &request)?;
    let verdict = wire::verdict(&request)?;
    executions.reconcile(id, request.call.as_deref(), &verdict, once).await?;
    shown(&executions, id).await
}

/// The caller's executions.
pub fn executions(app: &App, caller: Caller) -> Executions {
    Executions::new(app.store.for_tenant(caller.tenant))
}

async fn shown(executions: &Executions, id: ExecutionId) -> Result<Json<Execution>, Refusal> {
    Ok(Json(wire::whole(executions, id).await?))
}

/// Items of a page, so many at most.
pub fn page_size(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

/// The `Idempotency-Key`, with what it stands for.
pub fn once(
    headers: &HeaderMap,
    route: &str,
    request: &impl serde::Serialize,
) -> Result<Option<Once>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    let Some(key) = key else {
        return Err(Refusal::invalid("an Idempotency-Key has 1 to 255 ASCII characters"));
    };
    Ok(Some(wire::once(key, route, request)))
}
