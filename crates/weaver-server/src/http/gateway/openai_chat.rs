//! `POST /v1/chat/completions`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use weaver_llm::inbound::chat;

use super::body::Body;
use super::{Refused, answer_id, now};
use crate::http::App;

/// An answer, whole or in pieces.
pub async fn create(State(app): State<Arc<App>>, Body(body): Body) -> Result<Response, Refused> {
    let asked = chat::read(&body)?;
    let (id, created) = (answer_id("chatcmpl-"), now());
    if asked.stream {
        let writer = chat::Pieces::new(id, created, chat::include_usage(&body));
        return app.models.pieces(asked, writer).await;
    }
    let response = app.models.whole(asked).await?;
    Ok(Json(chat::whole(&response, &id, created)).into_response())
}
