//! Who may ask: a page of another origin may not, whoever changes something
//! brings the token of this start.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use weaver_store::TenantId;

use super::{App, Refusal, gateway, routes};

/// How those who ask prove who they are.
pub struct Access {
    /// Secret of this start; readable by the owner of the data directory alone.
    pub token: String,
    /// Where the server listens.
    pub address: SocketAddr,
}

/// Who asks. Nothing below the edge takes a tenant from anywhere else.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Whose data it is about.
    pub tenant: TenantId,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where Anthropic's clients put what others send as a bearer token.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Lets a request pass, or refuses it.
pub async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let id = request_id(request.headers());
    let api = gateway::api_of(request.uri(), request.headers());
    // Lists of models are asked for at their providers, with the owner's keys.
    let private = api.is_some() || routes::is_private(request.uri().path());
    let open = request.method().is_safe() && !private;
    let mut response = match app.access.check(open, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            if let Some(api) = api {
                request.extensions_mut().insert(api);
            }
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(api) = api {
        response = gateway::in_its_words(api, response, &id);
    } else if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = refusal.of_request(&id).into_response();
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

impl Access {
    /// `open`: it changes nothing and costs nothing.
    fn check(&self, open: bool, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.check_host(headers)?;
        self.check_origin(headers)?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        match bearer.or_else(|| text(API_KEY)) {
            Some(token) if same(token, &self.token) => {}
            Some(_) => return Err(unauthenticated("the token is not that of this start")),
            // A page of another origin cannot read an answer; it must not cause one.
            None if open => {}
            None => return Err(unauthenticated("this needs the token of this start")),
        }
        Ok(Caller { tenant: TenantId::LOCAL })
    }

    /// A name that an attacker made point here is not ours.
    fn check_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        match self.is_ours(host) {
            true => Ok(()),
            false => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                format!("`{host}` is not a name of this server"),
            )
            .with_help(format!("ask for http://{}", self.address))),
        }
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let host = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        match host.is_some_and(|host| self.is_ours(host)) {
            true => Ok(()),
            false => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "a page of another origin may not ask this server",
            )),
        }
    }

    /// `host:port` as a browser on this machine may call the server.
    fn is_ours(&self, host: &str) -> bool {
        let port = self.address.port();
        let (name, given) = match host.rsplit_once(':') {
            Some((name, given)) if !given.ends_with(']') => (name, given.parse().ok()),
            _ => (host, Some(80)),
        };
        given == Some(port) && matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    }
}

fn unauthenticated(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).with_help(
        "send `Authorization: Bearer TOKEN`; the token is in server.json in the data directory",
    )
}

/// Takes as long for a wrong beginning as for a wrong end.
fn same(given: &str, secret: &str) -> bool {
    let differing = given.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == secret.len() && differing == 0
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(plain).map_or_else(|| uuid::Uuid::now_v7().to_string().into(), Into::into)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    fn access() -> Access {
        Access { token: "secret".into(), address: "127.0.0.1:8123".parse().unwrap() }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    fn status(method: Method, pairs: &[(&'static str, &'static str)]) -> u16 {
        access()
            .check(method.is_safe(), &headers(pairs))
            .map_or_else(|refusal| refusal.problem().status, |_| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8123", 200),
            ("localhost:8123", 200),
            ("[::1]:8123", 200),
            ("localhost:80", 403),
            ("localhost", 403),
            ("evil.example:8123", 403),
            ("127.0.0.1.evil.example:8123", 403),
            ("", 403),
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn a_change_needs_the_token_and_our_own_origin() {
        let host = ("host", "localhost:8123");
        let token = ("authorization", "Bearer secret");
        assert_eq!(status(Method::POST, &[host]), 401);
        assert_eq!(status(Method::POST, &[host, ("authorization", "Bearer secreT")]), 401);
        assert_eq!(status(Method::POST, &[host, ("authorization", "Bearer secre")]), 401);
        assert_eq!(status(Method::POST, &[host, token]), 200);
        assert_eq!(status(Method::POST, &[host, ("x-api-key", "secret")]), 200);
        assert_eq!(status(Method::POST, &[host, ("x-api-key", "secreT")]), 401);
        assert_eq!(status(Method::POST, &[host, token, ("origin", "http://localhost:8123")]), 200);
        for origin in
            ["http://evil.example", "https://localhost:8123", "null", "http://localhost:1"]
        {
            assert_eq!(status(Method::GET, &[host, token, ("origin", origin)]), 403, "{origin}");
        }
    }
}
