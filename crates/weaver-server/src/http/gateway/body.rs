//! [`Body`]: a JSON body for a model, or a precise refusal.

use axum::extract::{FromRequest, Request};
use serde_json::Value;
use weaver_llm::inbound::Fault;

use super::Refused;

/// A body larger than this is refused before it is read. Pictures and documents
/// come within it, in base64.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A JSON value.
pub struct Body(pub Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|error| unread(&error))?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Fault::new(400, "body_not_json", format!("The body is not JSON: {error}."))
        })?;
        Ok(Body(value))
    }
}

fn unread(error: &axum::Error) -> Fault {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.to_string().contains("length limit") {
        true => {
            let said = format!("A body has at most {} MiB.", BODY_BYTES_MAX >> 20);
            Fault::new(413, "body_too_large", said)
        }
        false => {
            Fault::new(400, "body_unreadable", format!("The body did not arrive whole: {cause}."))
        }
    }
}
