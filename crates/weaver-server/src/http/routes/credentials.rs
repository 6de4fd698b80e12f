//! Credentials: set, list without values, forget, seal anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use weaver_api::Page;
use weaver_api::credential::{Credential, CredentialRequest, RotateRequest};

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::params::Path;
use crate::http::{App, Refusal};
use crate::vault::Error;
use crate::wire;

/// Lists the credentials, without their values.
#[utoipa::path(get, path = "/credentials", tag = "credentials",
    responses((status = 200, body = Page<Credential>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Credential>>, Refusal> {
    Ok(Json(wire::credential_list(&app.vault, caller.tenant).await?))
}

/// Seals a provider's key. It never comes back.
#[utoipa::path(put, path = "/credentials/{provider}", tag = "credentials",
    params(("provider" = String, Path, description = "The provider's name")), request_body = CredentialRequest,
    responses((status = 200, body = Credential)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(provider): Path<String>,
    Body(request): Body<CredentialRequest>,
) -> Result<Json<Credential>, Refusal> {
    Ok(Json(wire::set_credential(&app.vault, caller.tenant, &provider, &request).await?))
}

/// Forgets a provider's key.
#[utoipa::path(delete, path = "/credentials/{provider}", tag = "credentials",
    params(("provider" = String, Path, description = "The provider's name")), responses((status = 204)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(provider): Path<String>,
) -> Result<StatusCode, Refusal> {
    app.vault.remove(caller.tenant, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Seals all keys anew.
#[utoipa::path(post, path = "/credentials/rotate", tag = "credentials",
    request_body = RotateRequest, responses((status = 200, body = Page<Credential>)))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<RotateRequest>,
) -> Result<Json<Page<Credential>>, Refusal> {
    Ok(Json(wire::rotate_credentials(&app.vault, caller.tenant, &request).await?))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match &error {
            Error::Provider(..) => Refusal::invalid(detail),
            Error::Value(_) => Refusal::invalid(detail.clone()).at("/value", detail),
            Error::Missing(_) => Refusal::not_found(detail),
            Error::Master(_) | Error::Locked(_) => {
                tracing::error!(%error, code = error.code(), "credentials cannot be used");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), detail)
            }
            Error::Store(store) => {
                weaver_runtime::executions::Refused::Failed(store.clone().into()).into()
            }
        }
    }
}
