//! Workflows: keep, look, change, execute, forget.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use weaver_api::Page;
use weaver_api::execution::{ExecuteRequest, Execution, Submitted, WorkflowSource};
use weaver_api::studio::{Compiled, SourceRequest, Validated};
use weaver_api::workflow::{NewWorkflow, UseTemplate, Workflow, WorkflowPatch, WorkflowVersion};

use super::executions::{accept, once, page_size};
use super::studio::analysed;
use crate::catalog::Catalog;
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::{Path, Query};
use crate::http::{App, Refusal};
use crate::templates;
use crate::workflow::{report, validated};

/// A workflow with its version as `ETag`.
type Tagged = ([(HeaderName, String); 1], Json<Workflow>);

/// `?limit=&cursor=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// At most so many: 50 if absent, 200 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// `?q=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those with this text in their name, file or id, in large or small letters. Each
    /// page looks through some 2000 workflows, so that one may be empty and have a next one.
    q: Option<String>,
    /// At most so many: 50 if absent, 200 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the workflows, newest first, without their texts.
#[utoipa::path(get, path = "/workflows", tag = "workflows",
    params(ListQuery), responses((status = 200, body = Page<Workflow>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Workflow>>, Refusal> {
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| not_a_cursor())?;
    let limit = page_size(query.limit);
    Ok(Json(catalog(&app, caller).list(before, limit, query.q.as_deref()).await?))
}

/// Keeps a new workflow. Its text may have problems.
#[utoipa::path(post, path = "/workflows", tag = "workflows",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = NewWorkflow, responses((status = 201, body = Workflow)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(request): Body<NewWorkflow>,
) -> Result<(StatusCode, Tagged), Refusal> {
    let once = once(&headers, "POST /workflows", &request)?;
    let kept = catalog(&app, caller).create(request, once).await?;
    Ok((StatusCode::CREATED, tagged(kept)))
}

/// Shows a workflow with its newest text.
#[utoipa::path(get, path = "/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id")),
    responses((status = 200, body = Workflow)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Tagged, Refusal> {
    Ok(tagged(catalog(&app, caller).get(&id).await?))
}

/// Changes a workflow. A change to an older version is refused with the newer one's number.
#[utoipa::path(put, path = "/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the change was made to")),
    request_body = WorkflowPatch, responses((status = 200, body = Workflow)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<WorkflowPatch>,
) -> Result<Tagged, Refusal> {
    let (expected, is_header) = match (if_match(&headers)?, request.version) {
        (Some(version), _) => (version, true),
        (None, Some(version)) => (version, false),
        (None, None) => {
            let detail = "say which version the change was made to: `version`, or `If-Match`";
            return Err(Refusal::invalid(detail).at("/version", "missing"));
        }
    };
    Ok(tagged(catalog(&app, caller).change(&id, expected, is_header, request).await?))
}

/// Forgets a workflow. What was executed of it stays.
#[utoipa::path(delete, path = "/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that is meant")),
    responses((status = 204)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    catalog(&app, caller).remove(&id, if_match(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the texts that a workflow has had, the newest first.
#[utoipa::path(get, path = "/workflows/{id}/versions", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id"), PageQuery),
    responses((status = 200, body = Page<WorkflowVersion>)))]
pub async fn versions(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<WorkflowVersion>>, Refusal> {
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| not_a_cursor())?;
    Ok(Json(catalog(&app, caller).versions(&id, before, page_size(query.limit)).await?))
}

/// Says how the newest text of a workflow would run.
#[utoipa::path(post, path = "/studio/workflows/{id}/compile", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id")),
    responses((status = 200, body = Compiled)))]
pub async fn compile(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Compiled>, Refusal> {
    Ok(Json(analysed(newest(&app, caller, &id).await?, report).await))
}

/// Says all that is wrong with the newest text of a workflow.
#[utoipa::path(post, path = "/studio/workflows/{id}/validate", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id")),
    responses((status = 200, body = Validated)))]
pub async fn validate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Validated>, Refusal> {
    Ok(Json(analysed(newest(&app, caller, &id).await?, validated).await))
}

/// Queues an execution of a workflow. It is on disk when this is answered. With `wait` the
/// answer is the execution when it has ended, with `stream` its events.
#[utoipa::path(post, path = "/workflows/{id}/execute", tag = "workflows",
    params(("id" = String, Path, description = "A workflow's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = ExecuteRequest,
    responses((status = 202, body = Submitted),
        (status = 200, content((Execution = "application/json"), (String = "text/event-stream")))))]
pub async fn execute(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<ExecuteRequest>,
) -> Result<Response, Refusal> {
    let once = once(&headers, &format!("POST /workflows/{id}/execute"), &request)?;
    let catalog = catalog(&app, caller);
    let source = catalog.source(&id, request.version, request.graph.clone()).await?;
    accept(&app, caller, &request.of(source), Some(id), once).await
}

/// Tells which workflows have changed, as server-sent events: `{"id"}` of one, or `{}` when
/// some were missed and all are to be looked at. Changes of other processes are not told.
#[utoipa::path(get, path = "/workflows/events", tag = "workflows",
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub async fn events(State(app): State<Arc<App>>) -> impl IntoResponse {
    let state = (app.changes.subscribe(), app.drain.clone());
    let events = stream::unfold(state, |(mut changes, drain)| async move {
        let data = tokio::select! {
            change = changes.recv() => match change {
                Ok(id) => json!({ "id": id.to_string() }),
                Err(RecvError::Lagged(_)) => json!({}),
                Err(RecvError::Closed) => return None,
            },
            () = drain.cancelled() => return None,
        };
        let event = SseEvent::default().event("changed").data(data.to_string());
        Some((Ok::<_, Infallible>(event), (changes, drain)))
    });
    Sse::new(events).keep_alive(KeepAlive::new())
}

/// Keeps a template as a new workflow.
#[utoipa::path(post, path = "/studio/templates/{id}/use", tag = "studio",
    params(("id" = String, Path, description = "A template's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = UseTemplate, responses((status = 201, body = Workflow)))]
pub async fn use_template(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<UseTemplate>,
) -> Result<(StatusCode, Tagged), Refusal> {
    let once = once(&headers, &format!("POST /studio/templates/{id}/use"), &request)?;
    let missing = || Refusal::not_found(format!("there is no template `{id}`"));
    let template = templates::find(&id).ok_or_else(missing)?;
    let new = NewWorkflow {
        name: request.name.unwrap_or(template.title),
        file: Some(format!("{id}.py")),
        source: template.source,
        script: template.script,
        layout: Default::default(),
    };
    Ok((StatusCode::CREATED, tagged(catalog(&app, caller).create(new, once).await?)))
}

async fn newest(app: &App, caller: Caller, id: &str) -> Result<SourceRequest, Refusal> {
    let WorkflowSource { file, source, .. } = catalog(app, caller).source(id, None, None).await?;
    Ok(SourceRequest { file, source })
}

fn catalog(app: &App, caller: Caller) -> Catalog {
    Catalog::new(app.store.for_tenant(caller.tenant), app.folder.clone(), app.changes.clone())
}

fn tagged(workflow: Workflow) -> Tagged {
    ([(header::ETAG, format!("\"{}\"", workflow.version))], Json(workflow))
}

/// The version that `If-Match` names; `*` names none.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(given) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let given = given.to_str().unwrap_or_default().trim();
    let number = given.trim_start_matches("W/").trim_matches('"');
    match (given, number.parse()) {
        ("*", _) => Ok(None),
        (_, Ok(version)) => Ok(Some(version)),
        (_, Err(_)) => Err(Refusal::invalid("`If-Match` must be an `ETag` that a workflow had")),
    }
}

fn not_a_cursor() -> Refusal {
    Refusal::invalid("`cursor` is not one that a list gave")
}
