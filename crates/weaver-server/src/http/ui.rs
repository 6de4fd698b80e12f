//! The web Studio, out of the binary: its files, and its one page for every
//! address that is not of an API.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::{App, Refusal};

/// What `npm run build` made. A debug build reads it from the disk as it is asked for.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Dist;

const PAGE: &str = "index.html";
/// Where the page finds the token of this start.
const TOKEN_SLOT: &str = r#"<meta name="agentweaver-token" content=""#;
/// Names here hold a hash of the content: what has a name never changes.
const HASHED: &str = "assets/";
/// First parts of paths that belong to programs; a wrong one must not answer with a page.
const OF_PROGRAMS: &[&str] = &["api", "v1", "mcp", "a2a", "lg", "metrics", "docs", ".well-known"];

/// Scripts are the built files alone. Styles are also written by the page itself:
/// the editor measures its own. Nothing is asked of another host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the Studio, or its page, which finds out by itself what the address shows.
pub async fn studio(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if !method.is_safe() || OF_PROGRAMS.contains(&first) {
        return super::routes::unknown(uri).await.into_response();
    }
    if path != PAGE
        && let Some(file) = Dist::get(path)
    {
        return asset(path, file, &headers);
    }
    if first == "assets" || path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Refusal::not_found(format!("the Studio has no file {}", uri.path()))
            .into_response();
    }
    let Some(page) = Dist::get(PAGE) else { return not_built() };
    let html = String::from_utf8_lossy(&page.data);
    let html = html.replacen(TOKEN_SLOT, &format!("{TOKEN_SLOT}{}", app.access.token), 1);
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    // It holds the token of this start and the names of this build's files.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    protect(headers);
    response
}

/// A debug build of the server without the Studio is common; it says what to do.
fn not_built() -> Response {
    let html = "<!doctype html><meta charset=utf-8><title>AgentWeaver</title>\
        <p>This server was built without the Studio. The API is at <code>/api/v1</code>.\
        <p>To have the Studio: <code>make ui</code>, then build the server again.";
    let mut response = (StatusCode::NOT_FOUND, Html(html)).into_response();
    protect(response.headers_mut());
    response
}

fn asset(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let takes_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|takes| takes.to_str().ok())
        .is_some_and(|takes| takes.contains("gzip"));
    let packed = Dist::get(&format!("{path}.gz")).filter(|_| takes_gzip);
    let is_packed = packed.is_some();
    let mut response = body(packed.unwrap_or(file).data).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let cache = match path.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    protect(headers);
    response
}

/// What is in the binary is sent from there.
fn body(data: Cow<'static, [u8]>) -> axum::body::Body {
    match data {
        Cow::Borrowed(bytes) => bytes.into(),
        Cow::Owned(bytes) => bytes.into(),
    }
}

/// Nothing of another host, and in no other page.
pub fn protect(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, kind)| kind) {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_use_nothing_of_another_host() {
        for rule in POLICY.split(';').filter(|rule| !rule.trim().is_empty()) {
            for source in rule.split_whitespace().skip(1) {
                let own = matches!(source, "'self'" | "'none'" | "data:");
                let style = source == "'unsafe-inline'" && rule.trim().starts_with("style-src");
                assert!(own || style, "{rule}");
            }
        }
    }

    #[test]
    fn what_is_packed_is_named_so_and_kept_for_ever() {
        let plain = EmbeddedFile { data: Cow::Borrowed(b"let a"), ..file() };
        let answer = asset("assets/a-1b2c.js", plain, &HeaderMap::new());
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING));
        assert!(answer.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        let answer = asset("mark.svg", file(), &HeaderMap::new());
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-cache");
    }

    fn file() -> EmbeddedFile {
        let metadata = rust_embed::Metadata::__rust_embed_new([0; 32], None, None);
        EmbeddedFile { data: Cow::Borrowed(b""), metadata }
    }
}
