//! `POST /v1/embeddings`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use serde_json::Value;
use weaver_llm::inbound::embeddings;

use super::Refused;
use super::body::Body;
use crate::http::App;
use crate::http::guard::Caller;

/// One vector for each text.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Json<Value>, Refused> {
    let models = app.models.of(caller.tenant).await?;
    let (request, base64) = embeddings::read(&body)?;
    let response = models.gateway.embed(request, models.call()).await?;
    Ok(Json(embeddings::whole(&response, base64)))
}
