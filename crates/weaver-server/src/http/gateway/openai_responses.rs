//! `POST /v1/responses`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use weaver_llm::inbound::responses;

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
    let asked = responses::read(&body)?;
    let echo = responses::Echo::of(&body, answer_id("resp_"), now());
    if asked.stream {
        return models.pieces(asked, responses::Pieces::new(echo)).await;
    }
    let response = models.whole(asked).await?;
    Ok(Json(responses::whole(&response, &echo)).into_response())
}
