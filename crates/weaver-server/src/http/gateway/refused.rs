//! [`Refused`]: what went wrong, told in the words of the interface that was used.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weaver_llm::inbound::{Api, Fault};

use super::account::say_pace;
use crate::http::Refusal;
use crate::ledger::Pace;

/// A request that gets no answer of a model.
pub struct Refused(pub Fault);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Refused(fault)
    }
}

impl From<weaver_llm::Error> for Refused {
    fn from(error: weaver_llm::Error) -> Self {
        Refused(Fault::from(&error))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused(of_edge(refusal))
    }
}

impl From<crate::vault::Error> for Refused {
    fn from(error: crate::vault::Error) -> Self {
        Refusal::from(error).into()
    }
}

impl IntoResponse for Refused {
    /// The status alone: the body needs to know the interface and the request's id,
    /// which the edge has.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = status.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Official clients read this word before they decide to ask again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Where Anthropic's clients look for the id.
const ANTHROPIC_ID: HeaderName = HeaderName::from_static("request-id");

/// The response as the interface has it: a refusal gets its body here.
pub fn in_its_words(api: Api, mut response: Response, request_id: &str) -> Response {
    let extensions = response.extensions_mut();
    let pace = extensions.remove::<Pace>();
    let fault = extensions.remove::<Fault>().or_else(|| extensions.remove().map(of_edge));
    if let Some(fault) = fault {
        response = refuse(api, &fault, request_id);
    }
    if let Some(pace) = pace {
        say_pace(&pace, &mut response);
    }
    if api == Api::Anthropic
        && let Ok(id) = HeaderValue::from_str(request_id)
    {
        response.headers_mut().insert(ANTHROPIC_ID, id);
    }
    response
}

fn refuse(api: Api, fault: &Fault, request_id: &str) -> Response {
    let status = StatusCode::from_u16(fault.status(api)).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, Json(fault.body(api, Some(request_id)))).into_response();
    let headers = response.headers_mut();
    let again = HeaderValue::from_static(if fault.retry { "true" } else { "false" });
    headers.insert(SHOULD_RETRY, again);
    if let Some(after) = fault.retry_after {
        // Rounded up: whoever comes back earlier is refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What the edge refuses, such as a wrong token.
fn of_edge(refusal: Refusal) -> Fault {
    let problem = refusal.problem();
    let word = match problem.status {
        401 => "invalid_api_key",
        403 => "forbidden",
        404 => "unknown_url",
        500.. => "server_error",
        _ => "invalid_request",
    };
    let help = problem.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
    Fault::new(problem.status, word, format!("{}{help}", problem.detail))
}
