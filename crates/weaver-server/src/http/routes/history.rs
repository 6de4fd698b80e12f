//! The past of an execution: look at it, change it, branch off from it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use weaver_api::Page;
use weaver_api::execution::{Submitted, WorkflowSource};
use weaver_api::history::{
    Checkpoint, EditRequest, ForkRequest, LogLine, ReplayReport, ReplayRequest, RerunRequest,
    StateAt,
};
use weaver_runtime::executions::Refused;
use weaver_runtime::thread;

use super::executions::{accepted, once};
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::{Path, Query};
use crate::http::{App, Refusal};
use crate::travel::Travel;
use crate::wire;

/// `?at=&namespace=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StateQuery {
    /// The checkpoint; absent: the newest.
    at: Option<String>,
    /// The subgraph; absent: the root graph, or any that has the checkpoint.
    namespace: Option<String>,
}

/// `?after=&limit=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Lines of events behind this sequence.
    after: Option<u64>,
    /// Lines of so many events at most, 1000 at most.
    limit: Option<usize>,
}

const EVENTS_MAX: usize = 1000;

/// Lists the checkpoints of an execution's thread, the oldest first, branches and
/// subgraphs included.
#[utoipa::path(get, path = "/executions/{id}/checkpoints", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    responses((status = 200, body = Page<Checkpoint>)))]
pub async fn checkpoints(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Page<Checkpoint>>, Refusal> {
    let store = app.store.for_tenant(caller.tenant);
    let executions = app.executions(caller);
    let view = executions.get(executions.find(&id).await?).await?;
    let thread = &view.execution.thread;
    let mut items = Vec::new();
    for namespace in store.namespaces(thread.clone()).await.map_err(Refused::from)? {
        let entries = thread::history(&store, thread, &namespace, 0).await;
        items.extend(wire::checkpoints(&namespace, &entries.map_err(Refused::from)?));
    }
    items.sort_by_key(|item| item.created_at);
    Ok(Json(Page { items, next_cursor: None }))
}

/// Shows the state of an execution at a moment.
#[utoipa::path(get, path = "/executions/{id}/state", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"), StateQuery),
    responses((status = 200, body = StateAt)))]
pub async fn state(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<StateQuery>,
) -> Result<Json<StateAt>, Refusal> {
    let executions = app.executions(caller);
    let view = executions.get(executions.find(&id).await?).await?;
    state_at(&app, caller, &view.execution.thread, &query).await.map(Json)
}

async fn state_at(
    app: &App,
    caller: Caller,
    thread: &str,
    query: &StateQuery,
) -> Result<StateAt, Refusal> {
    let store = app.store.for_tenant(caller.tenant);
    let (namespace, at) = match &query.at {
        None => (query.namespace.clone().unwrap_or_default().into(), None),
        Some(at) => {
            let place = thread::locate(&store, thread, query.namespace.as_deref(), at).await;
            let place = place.map_err(Refused::from)?;
            (place.namespace, Some(place.id))
        }
    };
    let loaded = thread::load(&store, thread, &namespace, at).await.map_err(Refused::from)?;
    let missing = || Refusal::not_found("the execution has no state yet");
    Ok(wire::state(&loaded.ok_or_else(missing)?.0))
}

/// Changes the state of an execution that waits or is paused; answers with the new one.
#[utoipa::path(post, path = "/executions/{id}/state", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = EditRequest, responses((status = 200, body = StateAt)))]
pub async fn edit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<EditRequest>,
) -> Result<Json<StateAt>, Refusal> {
    let executions = app.executions(caller);
    let view = executions.get(executions.find(&id).await?).await?;
    let at = travel(&app, caller).edit(view.execution.id, &request).await?;
    let query = StateQuery { at: Some(at.to_string()), namespace: Some(String::new()) };
    state_at(&app, caller, &view.execution.thread, &query).await.map(Json)
}

/// Queues a new execution that goes on from a past moment of this one.
#[utoipa::path(post, path = "/executions/{id}/fork", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = ForkRequest, responses((status = 202, body = Submitted)))]
pub async fn fork(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<ForkRequest>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let id = app.executions(caller).find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/fork"), &request)?;
    let execution = travel(&app, caller).fork(id, &request, once).await?;
    Ok(accepted(&execution))
}

/// Queues a new execution that does an ended one again, and runs only what has changed:
/// `savings` of the new one says what that spared.
#[utoipa::path(post, path = "/executions/{id}/rerun", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same answer")),
    request_body = RerunRequest, responses((status = 202, body = Submitted)))]
pub async fn rerun(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RerunRequest>,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let id = app.executions(caller).find(&id).await?;
    let once = once(&headers, &format!("POST /executions/{id}/rerun"), &request)?;
    if let Some(workflow) = &request.workflow {
        let checked = app.sources.check(workflow).await;
        checked.map_err(|refusal| refusal.inside("/workflow"))?;
    }
    let execution = travel(&app, caller).rerun(id, &request, once).await?;
    Ok(accepted(&execution))
}

/// Goes through an execution again with recorded answers, and says what is not as it was.
#[utoipa::path(post, path = "/executions/{id}/replay", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    request_body = ReplayRequest, responses((status = 200, body = ReplayReport)))]
pub async fn replay(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(request): Body<ReplayRequest>,
) -> Result<Json<ReplayReport>, Refusal> {
    let id = app.executions(caller).find(&id).await?;
    Ok(Json(travel(&app, caller).replay(id, request.workflow.as_ref()).await?))
}

/// Shows the text that an execution runs.
#[utoipa::path(get, path = "/executions/{id}/workflow", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one")),
    responses((status = 200, body = WorkflowSource)))]
pub async fn workflow(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<WorkflowSource>, Refusal> {
    let executions = app.executions(caller);
    let view = executions.get(executions.find(&id).await?).await?;
    let version = match view.execution.version {
        Some(hash) => app.store.for_tenant(caller.tenant).version(hash).await,
        None => Ok(None),
    };
    let missing = || Refusal::not_found("the execution was not made from a file");
    let version = version.map_err(Refused::from)?.ok_or_else(missing)?;
    Ok(Json(WorkflowSource {
        file: version.file,
        source: version.source,
        graph: view.order.graph,
        script: view.order.script,
    }))
}

/// Lists what happened in an execution, in sentences.
#[utoipa::path(get, path = "/executions/{id}/logs", tag = "executions",
    params(("id" = String, Path, description = "An execution's id, or the beginning of one"), LogQuery),
    responses((status = 200, body = Page<LogLine>)))]
pub async fn logs(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Page<LogLine>>, Refusal> {
    let executions = app.executions(caller);
    let id = executions.find(&id).await?;
    executions.get(id).await?;
    let limit = query.limit.unwrap_or(EVENTS_MAX).clamp(1, EVENTS_MAX);
    let events = executions.events(id, query.after.unwrap_or(0), limit).await?;
    let more = events.len() == limit;
    let last = events.last().filter(|_| more).map(|last| last.sequence.to_string());
    let items = events.iter().filter_map(wire::log_line).collect();
    Ok(Json(Page { items, next_cursor: last }))
}

fn travel(app: &App, caller: Caller) -> Travel {
    Travel::new(app.store.for_tenant(caller.tenant), app.bench.clone())
}
