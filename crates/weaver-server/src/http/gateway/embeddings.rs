//! `POST /v1/embeddings`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use weaver_llm::inbound::embeddings;

use super::Refused;
use super::body::Body;
use crate::http::App;

/// One vector for each text.
pub async fn create(State(app): State<Arc<App>>, Body(body): Body) -> Result<Json<Value>, Refused> {
    let (request, base64) = embeddings::read(&body)?;
    let response = app.models.gateway.embed(request, app.models.call()).await?;
    Ok(Json(embeddings::whole(&response, base64)))
}
