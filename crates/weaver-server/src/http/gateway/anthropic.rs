//! `POST /v1/messages` and `POST /v1/messages/count_tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use weaver_llm::inbound::{Fault, anthropic};

use super::body::Body;
use super::{Refused, answer_id};
use crate::http::App;
use crate::http::guard::Caller;

/// An answer, whole or in pieces.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Refused> {
    let models = app.models.of(caller.tenant).await?;
    let asked = anthropic::read(&body)?;
    if asked.request.max_tokens.is_none() {
        return Err(Fault::invalid("`max_tokens` is missing.").at("max_tokens").into());
    }
    let id = answer_id("msg_");
    if asked.stream {
        return models.pieces(asked, anthropic::Pieces::new(id)).await;
    }
    let response = models.whole(asked).await?;
    Ok(Json(anthropic::whole(&response, &id)).into_response())
}

/// The tokens of a prompt: counted by the provider where it can, else estimated.
pub async fn count(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Json<Value>, Refused> {
    let models = app.models.of(caller.tenant).await?;
    let request = models.request(anthropic::read(&body)?)?;
    let count = models.gateway.count_tokens(request, models.call()).await?;
    Ok(Json(json!({"input_tokens": count.tokens})))
}
