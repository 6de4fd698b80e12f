//! `POST /v1/chat/completions`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use weaver_llm::inbound::chat;

use super::body::Body;
use super::{Refused, answer_id, now};
use crate::http::App;
use crate::http::guard::Caller;

/// An answer, whole or in pieces.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Body(body): Body,
) -> Result<Response, Refused> {
    let models = app.models.of(caller.tenant).await?;
    let asked = chat::read(&body)?;
    let (id, created) = (answer_id("chatcmpl-"), now());
    if asked.stream {
        let writer = chat::Pieces::new(id, created, chat::include_usage(&body));
        return models.pieces(asked, writer).await;
    }
    let response = models.whole(asked).await?;
    Ok(Json(chat::whole(&response, &id, created)).into_response())
}
