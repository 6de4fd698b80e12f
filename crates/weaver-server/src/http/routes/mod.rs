//! Every route under `/api/v1`: the table of contents.

mod credentials;
mod events;
mod executions;
mod health;
mod history;
mod leases;
mod limits;
mod monitoring;
mod openapi;
mod schedules;
mod studio;
mod studio_edit;
mod studio_test;
mod usage;
mod workers;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, Refusal};

pub use health::live;
pub use monitoring::metrics;

/// Every route.
pub fn router() -> Router<Arc<App>> {
    let (routes, document) = described().split_for_parts();
    let document = openapi::Document::new(document);
    routes
        .route("/openapi.json", get(move || document.clone().answer()))
        .method_not_allowed_fallback(not_allowed)
}

/// Every route with its description.
fn described() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::database))
        .routes(routes!(health::detailed))
        .routes(routes!(studio::parse))
        .routes(routes!(studio_edit::edit))
        .routes(routes!(studio::convert))
        .routes(routes!(studio::compile))
        .routes(routes!(studio::validate))
        .routes(routes!(studio_test::run))
        .routes(routes!(studio_test::step))
        .routes(routes!(studio::nodes))
        .routes(routes!(studio::templates))
        .routes(routes!(workflows::use_template))
        .merge(kept_workflows())
        .nest("/studio", kept_workflows())
        .routes(routes!(workflows::compile))
        .routes(routes!(workflows::validate))
        .routes(routes!(workflows::events))
        .routes(routes!(workflows::versions))
        .routes(routes!(workflows::execute))
        .routes(routes!(executions::list, executions::submit))
        .routes(routes!(executions::get))
        .routes(routes!(events::events))
        .routes(routes!(events::socket))
        .routes(routes!(history::checkpoints))
        .routes(routes!(history::state, history::edit))
        .routes(routes!(history::fork))
        .routes(routes!(history::rerun))
        .routes(routes!(history::replay))
        .routes(routes!(history::workflow))
        .routes(routes!(history::logs))
        .routes(routes!(executions::cancel))
        .routes(routes!(executions::pause))
        .routes(routes!(executions::resume))
        .routes(routes!(executions::retry))
        .routes(routes!(executions::migrate))
        .routes(routes!(executions::reconcile))
        .routes(routes!(monitoring::summary))
        .routes(routes!(monitoring::models))
        .routes(routes!(credentials::list))
        .routes(routes!(credentials::rotate))
        .routes(routes!(credentials::set, credentials::remove))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::quotas, usage::set_quotas))
        .routes(routes!(limits::list, limits::set))
        .routes(routes!(workers::list))
        .routes(routes!(workers::register))
        .routes(routes!(workers::heartbeat))
        .routes(routes!(workers::poll))
        .routes(routes!(workers::drain))
        .routes(routes!(leases::complete))
        .routes(routes!(leases::fail))
        .routes(routes!(leases::extend))
        .routes(routes!(leases::progress))
        .routes(routes!(leases::release))
        .routes(routes!(leases::call))
        .routes(routes!(schedules::list, schedules::create))
        .routes(routes!(schedules::get, schedules::replace, schedules::patch, schedules::remove))
}

/// Workflows as they are kept; the Studio has them under its own name too.
fn kept_workflows() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default().routes(routes!(workflows::list, workflows::create)).routes(routes!(
        workflows::get,
        workflows::change,
        workflows::remove
    ))
}

/// Whether even a look needs the token.
pub fn is_private(path: &str) -> bool {
    // The models are asked for at their providers, with the owner's keys.
    path.starts_with("/api/v1/credentials") || path == "/api/v1/models"
}

/// No such route.
pub async fn unknown(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}
