//! What clients of the gateway have used, and how much they may.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use weaver_api::Page;
use weaver_api::usage::{Quotas, QuotasRequest, Usage, UsageQuery};

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::Query;
use crate::http::{App, Refusal};
use crate::ledger::Refused;
use crate::wire;

/// Sums up what clients of the gateway have used.
#[utoipa::path(get, path = "/usage", tag = "usage",
    params(UsageQuery), responses((status = 200, body = Page<Usage>)))]
pub async fn usage(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Page<Usage>>, Refusal> {
    let days = wire::days(&query)
        .map_err(|(name, problem)| Refusal::invalid(format!("`{name}`: {problem}")))?;
    let prices = app.models.prices();
    Ok(Json(wire::usage(&app.ledger, caller.tenant, prices, days).await?))
}

/// Shows how much clients may use.
#[utoipa::path(get, path = "/quotas", tag = "usage", responses((status = 200, body = Quotas)))]
pub async fn quotas(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Quotas>, Refusal> {
    Ok(Json(wire::quotas(&app.ledger, caller.tenant).await?))
}

/// Sets how much clients may use.
#[utoipa::path(put, path = "/quotas", tag = "usage",
    request_body = QuotasRequest, responses((status = 200, body = Quotas)))]
pub async fn set_quotas(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<QuotasRequest>,
) -> Result<Json<Quotas>, Refusal> {
    if request.gateway_calls_per_minute == Some(0) {
        let problem = "at least one call a minute";
        return Err(Refusal::invalid(problem).at("/gateway_calls_per_minute", problem));
    }
    Ok(Json(wire::set_quotas(&app.ledger, caller.tenant, &request).await?))
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => {
                weaver_runtime::executions::Refused::Failed(error.into()).into()
            }
            Refused::Money { .. } => Refusal::new(
                axum::http::StatusCode::PAYMENT_REQUIRED,
                "budget_exceeded",
                refused.to_string(),
            ),
        }
    }
}
