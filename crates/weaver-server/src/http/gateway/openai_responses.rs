//! `POST /v1/responses`

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use weaver_llm::inbound::responses;

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
    let mut asked = responses::read(&body)?;
    asked.request.cache_seconds = cache_seconds;
    let echo = responses::Echo::of(&body, answer_id("resp_"), now());
    if asked.stream {
        return pieces(&app, caller, asked, responses::Pieces::new(echo)).await;
    }
    whole(&app, caller, asked, |response| responses::whole(response, &echo)).await
}
