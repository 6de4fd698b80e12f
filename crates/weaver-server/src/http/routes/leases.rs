//! Leases of tasks: report, extend, call out.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use tokio::time::Instant;
use weaver_api::worker::{
    CallAnswer, CallRequest, CompleteRequest, Completed, Extended, FailRequest, ProgressRequest,
};
use weaver_core::Event;
use weaver_core::task::Outcome;
use weaver_runtime::tasks::{Called, Refused, Tasks, onto};

use super::workers::{Known, store};
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::wire;

/// The answer to a call comes with the request, if it comes within this time.
const CALL_WAIT: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The function of a task returned, or waits for a person. The same again changes nothing.
#[utoipa::path(post, path = "/leases/{token}/complete", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    request_body = CompleteRequest,
    responses((status = 204)))]
pub async fn complete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
    Body(request): Body<CompleteRequest>,
) -> Result<StatusCode, Refusal> {
    let outcome = match request.outcome {
        Completed::Returned(value) => Outcome::Returned(value),
        Completed::Asked(value) => Outcome::Asked(value),
    };
    let (lease, tasks) = (wire::lease(&token)?, tasks(&app, caller));
    tasks.settle(&worker.id.to_string(), &lease, outcome, request.emitted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The function of a task failed. Whether it is tried again is for its graph to say. The
/// same again changes nothing.
#[utoipa::path(post, path = "/leases/{token}/fail", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    request_body = FailRequest,
    responses((status = 204)))]
pub async fn fail(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
    Body(request): Body<FailRequest>,
) -> Result<StatusCode, Refusal> {
    let (lease, tasks) = (wire::lease(&token)?, tasks(&app, caller));
    let outcome = Outcome::Failed(request.failure);
    tasks.settle(&worker.id.to_string(), &lease, outcome, request.emitted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Holds a task for longer.
#[utoipa::path(post, path = "/leases/{token}/extend", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    responses((status = 200, body = Extended)))]
pub async fn extend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
) -> Result<Json<Extended>, Refusal> {
    extended(&app, caller, &token, &worker).await
}

/// Holds a task for longer, and shows what its function does to who watches.
#[utoipa::path(post, path = "/leases/{token}/progress", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    request_body = ProgressRequest,
    responses((status = 200, body = Extended)))]
pub async fn progress(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
    Body(request): Body<ProgressRequest>,
) -> Result<Json<Extended>, Refusal> {
    let extended = extended(&app, caller, &token, &worker).await?;
    let execution = wire::lease(&token)?.execution;
    for emitted in &request.emitted {
        let mut event = onto(emitted, Event::new(weaver_core::EventKind::Print));
        event.time = weaver_runtime::now();
        app.live.show((caller.tenant, execution), &event);
    }
    Ok(extended)
}

/// Hands a task back that was not done; another worker gets it at once.
#[utoipa::path(post, path = "/leases/{token}/release", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    responses((status = 204)))]
pub async fn release(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
) -> Result<StatusCode, Refusal> {
    let (lease, tasks) = (wire::lease(&token)?, tasks(&app, caller));
    tasks.release(&worker.id.to_string(), &lease).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The function of a task calls a model, a tool or the memory. The same call again gets
/// the same answer.
#[utoipa::path(post, path = "/leases/{token}/call", tag = "leases",
    params(("token" = String, Path, description = "A task's lease")),
    request_body = CallRequest,
    responses((status = 200, body = CallAnswer)))]
pub async fn call(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Known(worker): Known,
    Body(request): Body<CallRequest>,
) -> Result<Json<CallAnswer>, Refusal> {
    let (lease, tasks) = (wire::lease(&token)?, tasks(&app, caller));
    let deadline = Instant::now() + CALL_WAIT;
    let mut wakeups = app.store.queue().wakeups();
    let worker = worker.id.to_string();
    loop {
        let (call, emitted) = (request.call.clone(), request.emitted.clone());
        if let Called::Answered(result) = tasks.call(&worker, &lease, call, emitted).await? {
            return Ok(Json(CallAnswer { result: Some(result) }));
        }
        if deadline <= Instant::now() || app.drain.is_cancelled() {
            return Ok(Json(CallAnswer { result: None }));
        }
        tokio::select! {
            () = wakeups.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = app.drain.cancelled() => {}
        }
    }
}

async fn extended(
    app: &App,
    caller: Caller,
    token: &str,
    worker: &weaver_store::Worker,
) -> Result<Json<Extended>, Refusal> {
    let lease = wire::lease(token)?;
    let held = tasks(app, caller).renew(&worker.id.to_string(), &lease, app.task_lease).await?;
    match held {
        true => Ok(Json(Extended { lease_seconds: app.task_lease.as_secs() as u32 })),
        false => Err(Refused::LeaseLost.into()),
    }
}

fn tasks(app: &App, caller: Caller) -> Tasks {
    Tasks::new(store(app, caller))
}
