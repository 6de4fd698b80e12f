//! `POST /v1/responses`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use weaver_llm::inbound::responses;

use super::body::Body;
use super::{Refused, answer_id, now};
use crate::http::App;

/// An answer, whole or in pieces.
pub async fn create(State(app): State<Arc<App>>, Body(body): Body) -> Result<Response, Refused> {
    let asked = responses::read(&body)?;
    let echo = responses::Echo::of(&body, answer_id("resp_"), now());
    if asked.stream {
        return app.models.pieces(asked, responses::Pieces::new(echo)).await;
    }
    let response = app.models.whole(asked).await?;
    Ok(Json(responses::whole(&response, &echo)).into_response())
}
