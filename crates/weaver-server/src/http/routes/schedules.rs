//! Schedules: keep, look, change, stop, forget.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use weaver_api::Page;
use weaver_api::schedule::{Schedule, SchedulePatch, ScheduleRequest};
use weaver_runtime::Schedules;

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::Path;
use crate::http::{App, Refusal};
use crate::wire;

/// Lists the schedules, by name.
#[utoipa::path(get, path = "/schedules", tag = "schedules",
    responses((status = 200, body = Page<Schedule>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Schedule>>, Refusal> {
    let all = schedules(&app, caller).list().await?;
    Ok(Json(Page { items: all.iter().map(wire::schedule).collect(), next_cursor: None }))
}

/// Keeps a new schedule. The same again changes nothing.
#[utoipa::path(post, path = "/schedules", tag = "schedules",
    request_body = ScheduleRequest,
    responses((status = 201, body = Schedule)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<ScheduleRequest>,
) -> Result<(StatusCode, Json<Schedule>), Refusal> {
    check(&app, &request).await?;
    let kept = schedules(&app, caller).create(wire::schedule_draft(&request)?).await?;
    Ok((StatusCode::CREATED, Json(wire::schedule(&kept))))
}

/// Shows a schedule.
#[utoipa::path(get, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "A schedule's name")),
    responses((status = 200, body = Schedule)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Schedule>, Refusal> {
    Ok(Json(wire::schedule(&schedules(&app, caller).get(&name).await?)))
}

/// Keeps a schedule in place of the one of its name.
#[utoipa::path(put, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "A schedule's name")),
    request_body = ScheduleRequest,
    responses((status = 200, body = Schedule)))]
pub async fn replace(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(request): Body<ScheduleRequest>,
) -> Result<Json<Schedule>, Refusal> {
    if request.name != name {
        let detail = format!("the address names the schedule `{name}`");
        return Err(Refusal::invalid("a schedule keeps its name").at("/name", detail));
    }
    check(&app, &request).await?;
    let kept = schedules(&app, caller).replace(wire::schedule_draft(&request)?).await?;
    Ok(Json(wire::schedule(&kept)))
}

/// Lets a schedule fire, or stops it.
#[utoipa::path(patch, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "A schedule's name")),
    request_body = SchedulePatch,
    responses((status = 200, body = Schedule)))]
pub async fn patch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(request): Body<SchedulePatch>,
) -> Result<Json<Schedule>, Refusal> {
    let kept = schedules(&app, caller).enable(&name, request.enabled).await?;
    Ok(Json(wire::schedule(&kept)))
}

/// Forgets a schedule.
#[utoipa::path(delete, path = "/schedules/{name}", tag = "schedules",
    params(("name" = String, Path, description = "A schedule's name")),
    responses((status = 204)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    schedules(&app, caller).remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check(app: &App, request: &ScheduleRequest) -> Result<(), Refusal> {
    let checked = app.sources.check(&request.execution.workflow).await;
    checked.map_err(|refusal| refusal.inside("/execution/workflow"))
}

fn schedules(app: &App, caller: Caller) -> Schedules {
    Schedules::new(app.store.for_tenant(caller.tenant))
}
