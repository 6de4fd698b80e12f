//! `POST /v1/chat/completions`

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use weaver_llm::inbound::chat;

use super::body::Body;
use super::{Again, Refused, answer_id, now, pieces, whole};
use crate::http::App;
use crate::http::guard::Caller;

/// An answer, whole or in pieces.
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Again(cache_seconds): Again,
    Body(body): Body,
) -> Result<Response, Refused> {
    let mut asked = chat::read(&body)?;
    asked.request.cache_seconds = cache_seconds;
    let (id, created) = (answer_id("chatcmpl-"), now());
    if asked.stream {
        let writer = chat::Pieces::new(id, created, chat::include_usage(&body));
        return pieces(&app, caller, asked, writer).await;
    }
    whole(&app, caller, asked, |response| chat::whole(response, &id, created)).await
}
