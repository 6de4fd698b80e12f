//! [`Again`]: whether an answer that was given before may be given again.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use weaver_llm::inbound::Fault;

use super::Refused;

/// Says how many seconds old an answer may be, and in the response whether it is such a one.
const HEADER: HeaderName = HeaderName::from_static("x-agentweaver-cache");

/// How many seconds old an answer may be; none where the client does not say.
pub struct Again(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for Again {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Again(None)) };
        let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        let wrong = || {
            let said = "This header says how many seconds old an answer may be, such as 3600; 0 asks anew.";
            Refused(Fault::invalid(said).at(HEADER.as_str()))
        };
        seconds.map(|seconds| Again(Some(seconds))).ok_or_else(wrong)
    }
}

/// Says that an answer was given before.
pub fn say(known: bool, mut response: Response) -> Response {
    if known {
        response.headers_mut().insert(HEADER, HeaderValue::from_static("hit"));
    }
    response
}
