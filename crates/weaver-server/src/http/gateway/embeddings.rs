//! `POST /v1/embeddings`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use serde_json::Value;
use weaver_llm::AnswerHead;
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
    let (mut bill, call) = models.open_embeddings(&request).await?;
    let response = match models.gateway.embed(request, call).await {
        Ok(response) => response,
        Err(error) => {
            bill.fail(&error);
            return Err(error.into());
        }
    };
    let head = AnswerHead {
        provider: response.provider.clone(),
        model: response.model.clone(),
        ..AnswerHead::default()
    };
    bill.end(&head, &response.usage);
    Ok(Json(embeddings::whole(&response, base64)))
}
