//! Executions: submit, look, answer, pause, cancel, try again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use weaver_api::execution::{
    CancelRequest, Execution, MigrateRequest, ReconcileRequest, ResumeRequest, RetryRequest,
    Status, SubmitRequest, Submitted,
};
use weaver_api::{Page, Time};
use weaver_core::Value;
use weaver_runtime::Executions;
use weaver_runtime::executions::{Once, Wanted};
use weaver_store::{ExecutionId, ExecutionQuery};

use super::events::stream;
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::{Path, Query};
use crate::http::tail::Tail;
use crate::http::{App, Refusal};
use crate::{moving, wire};

/// `?status=&workflow=&thread=&q=&created_after=&created_before=&limit=&cursor=`.
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
    /// Only those with this text in their id, file, thread, labels, input or error, in
    /// large or small letters. Each page looks through 2000 executions at most, so that one
    /// may be empty and have a next one.
    q: Option<String>,
    /// Only those that were submitted at this moment or later.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<Time>,
    /// Only those that were submitted before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<Time>,
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
    let before = match &query.cursor {
        Some(cursor) => Some(
            cursor
                .parse::<ExecutionId>()
                .map_err(|_| Refusal::invalid("`cursor` is not one that a list gave"))?,
        ),
        None => None,
    };
    let executions = app.executions(caller);
    let wanted = Wanted {
        query: ExecutionQuery {
            status: query.status.map(wire::stored_status),
            workflow: query.workflow.map(Into::into),
            thread: query.thread.map(Into::into),
            before,
            limit: page_size(query.limit),
        },
        text: query.q,
        created_after: query.created_after.map(|time| time.0),
        created_before: query.created_before.map(|time| time.0),
    };
    let (found, next) = executions.search(wanted).await?;
    let items = found.iter().map(|view| wire::execution(view, &[])).collect();
    Ok(Json(Page { items, next_cursor: next.map(|next| next.to_string()) }))
}

/// Queues an execution. It is on disk when this is answered. With `wait` the answer is the
/// execution when it has ended, with `stream` its events.
#[utoipa::path(post, path = "/executions", tag = "executions",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = SubmitRequest,
    responses((status = 202, body = Submitted),
        (status = 200, content((Execution = "application/json"), (String = "text/event-stream")))))]
pub async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(request): Body<SubmitRequest>,
) -> Result<Response, Refusal> {
    let once = once(&headers, "POST /executions", &request)?;
    accept(&app, caller, &request, None, once).await
}

/// Queues what is asked for, if its source compiles.
pub async fn accept(
    app: &Arc<App>,
    caller: Caller,
    request: &SubmitRequest,
    workflow_id: Option<String>,
    once: Option<Once>,
) -> Result<Response, Refusal> {
    check_waiting(request)?;
    let checked = app.sources.check(&request.workflow).await;
    checked.map_err(|refusal| refusal.inside("/workflow"))?;
    let mut submission = wire::submission(request)?;
    submission.once = once;
    submission.order.workflow_id = workflow_id;
    let executions = app.executions(caller);
    if request.wait.is_none() && !request.stream {
        return Ok(accepted(&executions.submit(submission).await?).into_response());
    }
    let (execution, tail) = Tail::submit(app, caller, submission).await?;
    let Some(seconds) = request.wait else { return Ok(stream(tail)) };
    let at_most = Duration::from_secs(seconds.into());
    Ok(Json(tail.settled_new(execution, at_most).await?).into_response())
}

/// The execution when nobody works on it any more, after so many seconds at most.
pub async fn settled(
    app: &Arc<App>,
    caller: Caller,
    id: ExecutionId,
    seconds: u32,
) -> Result<Json<Execution>, Refusal> {
    let tail = Tail::new(app.clone(), caller, id, 0);
    Ok(Json(tail.settled(Duration::from_secs(seconds.into())).await?))
}

/// The longest that an answer may be waited for, in seconds.
const WAIT_MAX: u32 = 300;

fn check_waiting(request: &SubmitRequest) -> Result<(), Refusal> {
    match request.wait {
        Some(_) if request.stream => {
            Err(Refusal::invalid("an answer is waited for or streamed, not both")
                .at("/stream", "leave this out, or `wait`"))
        }
        Some(seconds) => check_wait(seconds),
        None => Ok(()),
    }
}

/// Refuses to be waited for too long.
pub fn check_wait(seconds: u32) -> Result<(), Refusal> {
    if seconds <= WAIT_MAX {
        return Ok(());
    }
    let detail = format!("at most {WAIT_MAX} seconds");
    Err(Refusal::invalid("this is longer than an answer may take").at("/wait", detail))
}

/// Says what was queued.
pub fn accepted(execution: &weaver_store::Execution) -> (StatusCode, Json<Submitted>) {
    let submitted = Submitted {
        execution_id: execution.id.to_string(),
        thread: execution.thread.to_string(),
        status: wire::status(execution, None),
    };
    (StatusCode::ACCEPTED, Json(submitted))
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
    let executions = app.executions(caller);
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
    let executions = app.executions(caller);
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
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    executions.pause(id).await?;
    shown(&executions, id).await
}

/// Answers a question, or ends a pause.
#[utoipa::path(post, path = "/executions/{id}/resume", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = ResumeRequest,
    responses((status = 200, body = Execution)))]
pub async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<ResumeRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/resume"), &request)?;
    match (&request.answer, &request.question) {
        (Some(answer), question) => {
            if let Some(breakpoints) = &request.breakpoints {
                executions.stop_at(id, wire::breakpoints(breakpoints)).await?;
            }
            executions.under(once).answer(id, question.as_deref(), &Value::from(answer)).await?;
        }
        (None, Some(_)) => {
            return Err(Refusal::invalid("a question is named, but no answer is given")
                .at("/answer", "missing"));
        }
        (None, None) => {
            let breakpoints = request.breakpoints.as_ref().map(wire::breakpoints);
            executions.under(once).go_on(id, breakpoints).await?;
        }
    }
    shown(&executions, id).await
}

/// Queues a failed execution again, from where it failed.
#[utoipa::path(post, path = "/executions/{id}/retry", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = RetryRequest,
    responses((status = 200, body = Execution)))]
pub async fn retry(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RetryRequest>,
) -> Result<Json<Execution>, Refusal> {
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/retry"), &request)?;
    executions.under(once).retry(id, request.budget.map(|budget| budget.0)).await?;
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
    let executions = app.executions(caller);
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
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/reconcile"), &request)?;
    let verdict = wire::verdict(&request)?;
    executions.under(once).reconcile(id, request.call.as_deref(), &verdict).await?;
    shown(&executions, id).await
}

/// An execution as it stands.
pub async fn shown(executions: &Executions, id: ExecutionId) -> Result<Json<Execution>, Refusal> {
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
