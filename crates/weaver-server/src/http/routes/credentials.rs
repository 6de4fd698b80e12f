//! Credentials: set, list without values, forget, seal anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use weaver_api::Page;
use weaver_api::credential::{Credential, CredentialRequest, RotateRequest};

use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::{App, Refusal};
use crate::vault::Error;
use crate::wire;

/// `GET /credentials`
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Page<Credential>>, Refusal> {
    Ok(Json(wire::credential_list(&app.vault, caller.tenant).await?))
}

/// `PUT /credentials/{provider}`
pub async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(provider): Path<String>,
    Body(request): Body<CredentialRequest>,
) -> Result<Json<Credential>, Refusal> {
    Ok(Json(wire::set_credential(&app.vault, caller.tenant, &provider, &request).await?))
}

/// `DELETE /credentials/{provider}`
pub async fn remove(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(provider): Path<String>,
) -> Result<StatusCode, Refusal> {
    app.vault.remove(caller.tenant, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /credentials/rotate`
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
