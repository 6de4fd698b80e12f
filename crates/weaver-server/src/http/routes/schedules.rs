//! Schedules: keep, look, change, stop, forget.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use weaver_api::Page;
use weaver_api::schedule::{Schedule, SchedulePatch, ScheduleRequest};
use weaver_runtime::Schedules;

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::wire;

/// `GET /schedules`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Schedule>>, Refusal> {
    let all = schedules(&app, caller).list().await?;
    Ok(Json(Page { items: all.iter().map(wire::schedule).collect(), next_cursor: None }))
}

/// `POST /schedules`
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<ScheduleRequest>,
) -> Result<(StatusCode, Json<Schedule>), Refusal> {
    check(&app, &request).await?;
    let kept = schedules(&app, caller).create(wire::schedule_draft(&request)?).await?;
    Ok((StatusCode::CREATED, Json(wire::schedule(&kept))))
}

/// `GET /schedules/{name}`
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Schedule>, Refusal> {
    Ok(Json(wire::schedule(&schedules(&app, caller).get(&name).await?)))
}

/// `PUT /schedules/{name}`
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

/// `PATCH /schedules/{name}`
pub async fn patch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(request): Body<SchedulePatch>,
) -> Result<Json<Schedule>, Refusal> {
    let kept = schedules(&app, caller).enable(&name, request.enabled).await?;
    Ok(Json(wire::schedule(&kept)))
}

/// `DELETE /schedules/{name}`
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
