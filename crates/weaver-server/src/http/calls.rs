//! Counts requests, and gives each its place in a distributed trace.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::App;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Counts a request and logs it under its trace. The log holds templates of routes
/// only: addresses may hold secrets.
pub async fn count(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let began = Instant::now();
    let endpoint = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_string(),
        None => "other".into(),
    };
    // A method is any word that a client likes.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known.into(),
        _ => "OTHER".to_string(),
    };
    let (trace, parent) = trace_of(request.headers());
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let took_us = began.elapsed().as_micros() as u64;
    tracing::info!(endpoint, method, status, took_us, trace_id = %trace, "answered");
    app.meters.called(endpoint, method, status);
    if let Ok(value) = HeaderValue::from_str(&format!("00-{trace}-{parent}-01")) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
}

/// The trace that the caller is in, or a new one, and a name for our part of it.
fn trace_of(headers: &HeaderMap) -> (String, String) {
    let given = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let trace = given.and_then(trace_id).map(String::from);
    let own = Uuid::new_v4().simple().to_string();
    (trace.unwrap_or_else(|| Uuid::new_v4().simple().to_string()), own[..16].to_string())
}

/// The second part of `00-TRACE-PARENT-FLAGS`, if all of it is as W3C says.
fn trace_id(header: &str) -> Option<&str> {
    let parts: Vec<&str> = header.split('-').collect();
    let [version, trace, parent, flags, ..] = parts[..] else { return None };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_none = |text: &str| text.bytes().all(|byte| byte == b'0');
    let has_form = is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && version != "ff"
        && (version != "00" || parts.len() == 4);
    (has_form && !is_none(trace) && !is_none(parent)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn a_trace_is_taken_only_in_its_form() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        assert_eq!(trace_id(&format!("01-{trace}-00f067aa0ba902b7-01-more")), Some(trace));
        for wrong in [
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            "00".into(),
            String::new(),
        ] {
            assert_eq!(trace_id(&wrong), None, "{wrong}");
        }
    }
}
