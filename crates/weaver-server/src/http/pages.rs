//! `/docs`: the API's description, readable. Its page, styles and script are in the
//! binary and ask nothing of another host.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::ui::protect;

/// `GET /docs`
pub async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("docs/index.html"))
}

/// `GET /docs/docs.css`
pub async fn styles() -> Response {
    file("text/css; charset=utf-8", include_str!("docs/docs.css"))
}

/// `GET /docs/docs.js`
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("docs/docs.js"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(headers);
    response
}
