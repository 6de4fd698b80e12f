//! `POST /v1/messages` and `POST /v1/messages/count_tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use weaver_llm::inbound::{Fault, anthropic};

use super::body::Body;
use super::{Again, Refused, answer_id, pieces, whole};
use crate::http::App;
use crate::http::guard::Caller;

/// An answer, whole or in pieces.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Again(cache_seconds): Again,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Refused> {
    let mut asked = anthropic::read(&body)?;
    asked.request.cache_seconds = cache_seconds;
    asked.request.betas = betas(&headers);
    if asked.request.max_tokens.is_none() {
        return Err(Fault::invalid("`max_tokens` is missing.").at("max_tokens").into());
    }
    let id = answer_id("msg_");
    if asked.stream {
        let input = app.models.of(caller.tenant).await?.input_estimate(&asked)?;
        return pieces(&app, caller, asked, anthropic::Pieces::new(id, input)).await;
    }
    whole(&app, caller, asked, |response| anthropic::whole(response, &id)).await
}

/// The tokens of a prompt: counted by the provider where it can, else estimated.
pub async fn count(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Value>, Refused> {
    let models = app.models.of(caller.tenant).await?;
    let mut asked = anthropic::read(&body)?;
    asked.request.betas = betas(&headers);
    let request = models.request(asked)?;
    let count = models.gateway.count_tokens(request, models.call()).await?;
    Ok(Json(json!({"input_tokens": count.tokens})))
}

/// The trial features that a client names, in one header or several.
fn betas(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("anthropic-beta").into_iter().filter_map(|v| v.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty()).map(String::from).collect()
}
