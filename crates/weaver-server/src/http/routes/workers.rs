//! Workers: register, give signs of life, pull tasks.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use tokio::time::Instant;
use uuid::Uuid;
use weaver_api::Page;
use weaver_api::worker::{
    HeartbeatRequest, PollRequest, Polled, RegisterRequest, Registered, WORKER_HEADER, Worker,
};
use weaver_core::{Hash, Timestamp};
use weaver_runtime::tasks::Tasks;
use weaver_store::Store;

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::wire;

const HEARTBEAT_SECONDS: u32 = 60;
/// An answer to a poll waits for so long at most.
const WAIT_SECONDS_MAX: u32 = 30;
/// Wake-ups may be lost, and some stores have none.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const TEXTS_MAX: usize = 64;
const COUNT_MAX: u32 = 1_000;
const NAME_CHARACTERS_MAX: usize = 100;
/// Workers that were not heard of for a week are forgotten.
const FORGET_AFTER_US: i64 = 7 * 86_400 * 1_000_000;

/// A worker that has proved who it is.
pub struct Known(pub weaver_store::Worker);

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Caller>().copied().ok_or_else(nobody)?;
        let proof = parts.headers.get(WORKER_HEADER).and_then(|proof| proof.to_str().ok());
        let (id, secret) = proof.and_then(|proof| proof.split_once('.')).ok_or_else(nobody)?;
        let id = Uuid::try_parse(id).map_err(|_| nobody())?;
        let found = store(app, caller).roster().worker(caller.tenant, id).await;
        let found = found.map_err(failed)?;
        let known = found.filter(|worker| worker.secret == Hash::of(secret.as_bytes()));
        known.map(Known).ok_or_else(nobody)
    }
}

fn nobody() -> Refusal {
    let detail = "this needs the credential that a worker gets when it registers";
    Refusal::new(StatusCode::UNAUTHORIZED, "worker_unknown", detail)
        .with_help(format!("register again, and send `{WORKER_HEADER}: ID.SECRET`"))
}

/// Lists workers, the one that came last first.
#[utoipa::path(get, path = "/workers", tag = "workers",
    responses((status = 200, body = Page<Worker>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Worker>>, Refusal> {
    let store = store(&app, caller);
    let now = store.queue().now().await.map_err(failed)?;
    let all = store.roster().workers(caller.tenant, 1_000).await.map_err(failed)?;
    let items = all.iter().map(|kept| wire::worker(kept, now)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Registers a worker. Its secret is said this once.
#[utoipa::path(post, path = "/workers/register", tag = "workers",
    request_body = RegisterRequest,
    responses((status = 201, body = Registered)))]
pub async fn register(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<RegisterRequest>,
) -> Result<(StatusCode, Json<Registered>), Refusal> {
    if request.name.is_empty() || request.name.chars().count() > NAME_CHARACTERS_MAX {
        let detail = format!("a worker's name has 1 to {NAME_CHARACTERS_MAX} characters");
        return Err(Refusal::invalid(detail.clone()).at("/name", detail));
    }
    let store = store(&app, caller);
    let now = store.queue().now().await.map_err(failed)?;
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let worker = weaver_store::Worker {
        tenant: caller.tenant,
        id: Uuid::now_v7(),
        name: request.name.as_str().into(),
        secret: Hash::of(secret.as_bytes()),
        about: wire::about(&request.about),
        draining: false,
        running: 0,
        registered: now,
        seen: now,
    };
    let added = store.roster().add_worker(worker.clone(), Timestamp(now.0 - FORGET_AFTER_US)).await;
    added.map_err(failed)?;
    let registered = Registered {
        worker: wire::worker(&worker, now),
        secret,
        lease_seconds: app.task_lease.as_secs() as u32,
        heartbeat_seconds: HEARTBEAT_SECONDS,
    };
    Ok((StatusCode::CREATED, Json(registered)))
}

/// A sign of life of a worker.
#[utoipa::path(post, path = "/workers/{id}/heartbeat", tag = "workers",
    params(("id" = String, Path, description = "A worker's id")),
    request_body = HeartbeatRequest,
    responses((status = 200, body = Worker)))]
pub async fn heartbeat(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Known(worker): Known,
    Body(request): Body<HeartbeatRequest>,
) -> Result<Json<Worker>, Refusal> {
    check_own(&id, &worker)?;
    let store = store(&app, caller);
    let now = store.queue().now().await.map_err(failed)?;
    let seen = store.roster().see_worker(caller.tenant, worker.id, now, request.running).await;
    let seen = seen.map_err(failed)?.ok_or_else(nobody)?;
    Ok(Json(wire::worker(&seen, now)))
}

/// Gives a worker tasks; waits for some to come.
#[utoipa::path(post, path = "/workers/{id}/poll", tag = "workers",
    params(("id" = String, Path, description = "A worker's id")),
    request_body = PollRequest,
    responses((status = 200, body = Polled)))]
pub async fn poll(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Known(worker): Known,
    Body(request): Body<PollRequest>,
) -> Result<Json<Polled>, Refusal> {
    check_own(&id, &worker)?;
    check_poll(&request)?;
    let store = store(&app, caller);
    let now = store.queue().now().await.map_err(failed)?;
    let seen = store.roster().see_worker(caller.tenant, worker.id, now, request.running).await;
    let seen = seen.map_err(failed)?.ok_or_else(nobody)?;
    if seen.draining {
        return Ok(Json(Polled { tasks: Vec::new(), draining: true }));
    }
    let wait = Duration::from_secs(request.wait_seconds.min(WAIT_SECONDS_MAX).into());
    let deadline = Instant::now() + wait;
    let mut wakeups = store.queue().wakeups();
    let (tasks, name) = (Tasks::new(store.clone()), worker.id.to_string());
    loop {
        let claimed =
            tasks.claim(&name, &request.texts, request.count as usize, app.task_lease).await?;
        let is_over = deadline <= Instant::now() || app.drain.is_cancelled();
        if !claimed.is_empty() || is_over {
            let tasks = claimed.into_iter().map(wire::task).collect();
            return Ok(Json(Polled { tasks, draining: false }));
        }
        let look_again = deadline.min(Instant::now() + LOOK_AGAIN);
        tokio::select! {
            () = wakeups.changed() => {}
            () = tokio::time::sleep_until(look_again) => {}
            () = app.drain.cancelled() => {}
        }
    }
}

/// Lets a worker end what it has, and gives it no more.
#[utoipa::path(post, path = "/workers/{id}/drain", tag = "workers",
    params(("id" = String, Path, description = "A worker's id")),
    responses((status = 200, body = Worker)))]
pub async fn drain(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Worker>, Refusal> {
    let unknown = || Refusal::not_found(format!("there is no worker `{id}`"));
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let store = store(&app, caller);
    let drained = store.roster().drain_worker(caller.tenant, id).await.map_err(failed)?;
    let now = store.queue().now().await.map_err(failed)?;
    Ok(Json(wire::worker(&drained.ok_or_else(unknown)?, now)))
}

fn check_own(id: &str, worker: &weaver_store::Worker) -> Result<(), Refusal> {
    match Uuid::try_parse(id).is_ok_and(|id| id == worker.id) {
        true => Ok(()),
        false => Err(Refusal::not_found(format!("this is not the worker `{id}`"))),
    }
}

fn check_poll(request: &PollRequest) -> Result<(), Refusal> {
    if request.texts.len() > TEXTS_MAX {
        let detail = format!("a worker has at most {TEXTS_MAX} texts");
        return Err(Refusal::invalid(detail.clone()).at("/texts", detail));
    }
    let is_hash =
        |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(wrong) = request.texts.iter().position(|text| !is_hash(text)) {
        let detail = "a text is named by 64 hex digits";
        return Err(Refusal::invalid(detail).at(format!("/texts/{wrong}"), detail));
    }
    match request.count {
        1..=COUNT_MAX => Ok(()),
        _ => {
            let detail = format!("a worker takes 1 to {COUNT_MAX} tasks at once");
            Err(Refusal::invalid(detail.clone()).at("/count", detail))
        }
    }
}

/// The store as the caller's tenant sees it.
pub fn store(app: &App, caller: Caller) -> Store {
    app.store.for_tenant(caller.tenant)
}

fn failed(error: weaver_store::Error) -> Refusal {
    weaver_runtime::tasks::Refused::from(error).into()
}
