//! The guarded HTTP client: it reaches the public internet and the hosts that
//! were allowed by name, and nothing else.
//!
//! Where a request goes is checked three times: an IP address in the URL when the
//! URL is read (in whatever spelling: the URL parser brings `0x7f.1` and
//! `2130706433` to `127.0.0.1`), a name when it is resolved (the connection goes
//! to the very addresses that were checked), and the peer once connected. Every
//! redirect is a new request with the same checks. Proxies of the system are
//! ignored, because behind one none of this could be known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use weaver_core::{Map, Value};

use crate::address::is_public;
use crate::options::HttpOptions;
use crate::tool::ToolError;

/// A request to make.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// `GET` when empty.
    pub method: String,
    /// An `http` or `https` address.
    pub url: String,
    /// Added to the query of the address.
    pub query: Vec<(String, String)>,
    /// Headers; those that steer the connection itself are refused.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
    /// A shorter time limit than that of the options.
    pub timeout: Option<Duration>,
}

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub enum HttpBody {
    /// None.
    #[default]
    Empty,
    /// Text, sent as it is (`text/plain` unless a header says otherwise).
    Text(String),
    /// JSON.
    Json(Value),
    /// A form, URL-encoded.
    Form(Vec<(String, String)>),
}

/// An answer of any status.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpResponse {
    /// The HTTP status; 404 and 500 are answers too.
    pub status: u16,
    /// The address that answered, after redirects.
    pub url: String,
    /// Headers by lower-case name; several of a name are joined by `, `.
    pub headers: Map,
    /// JSON if it says it is and can be read, else text, else
    /// `{"$type": "bytes", "base64": …}`.
    pub body: Value,
}

impl HttpResponse {
    /// `{"status", "ok", "url", "headers", "body"}`.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("status", Value::Int(self.status.into())),
            ("ok", (200..300).contains(&self.status).into()),
            ("url", Value::str(&*self.url)),
            ("headers", self.headers.clone().into()),
            ("body", self.body.clone()),
        ])
    }
}

/// The guarded client. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    options: Arc<HttpOptions>,
}

impl HttpClient {
    /// A client with these settings.
    pub fn new(options: HttpOptions) -> Result<Self, ToolError> {
        let options = Arc::new(options);
        let resolver = GuardedResolver { options: options.clone() };
        HttpClient::with_resolver(options, resolver)
    }

    fn with_resolver(
        options: Arc<HttpOptions>,
        resolver: impl Resolve + 'static,
    ) -> Result<Self, ToolError> {
        // Whoever comes first decides; a provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(resolver))
            .user_agent(concat!("agentweaver/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ToolError::failed(format!("no HTTP client: {error}")))?;
        Ok(HttpClient { client, options })
    }

    /// Makes a request and reads the answer.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ToolError> {
        let limit = request.timeout.unwrap_or(self.options.timeout).min(self.options.timeout);
        match tokio::time::timeout(limit, self.follow(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ToolError::Timeout { tool: "http_request".into(), limit }),
        }
    }

    /// Whether a request to this address would be refused before anything is
    /// sent; names are not resolved for it.
    pub fn check(&self, url: &str) -> Result<(), ToolError> {
        self.target(url).map(|_| ())
    }

    async fn follow(&self, request: HttpRequest) -> Result<HttpResponse, ToolError> {
        let mut url = self.target(&request.url)?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut method = match request.method.as_str() {
            "" => Method::GET,
            word => word.to_uppercase().parse().map_err(|_| {
                ToolError::failed(format!(
                    "`{word}` is no HTTP method; use GET, POST, PUT, PATCH or DELETE"
                ))
            })?,
        };
        let mut headers = headers(&request.headers)?;
        let mut body = request.body;
        for _ in 0..=self.options.redirects_max {
            let response = self.one(&method, &url, &headers, &body).await?;
            let Some(next) = redirect_target(&response) else {
                return self.read(response).await;
            };
            let next = url.join(&next).map_err(|_| {
                ToolError::failed(format!("{url} redirects to `{next}`, which is no address"))
            })?;
            let next = self.target(next.as_str())?;
            // What was meant for one server is not told to another.
            if next.origin() != url.origin() {
                for name in ["authorization", "cookie", "idempotency-key", "x-api-key"] {
                    headers.remove(name);
                }
            }
            let status = response.status();
            let becomes_get = status == StatusCode::SEE_OTHER
                || (status.as_u16() < 303 && method == Method::POST);
            if becomes_get {
                method = Method::GET;
                body = HttpBody::Empty;
                headers.remove(CONTENT_TYPE);
            }
            url = next;
        }
        let limit = self.options.redirects_max;
        Err(ToolError::failed(format!("{} redirects more than {limit} times", request.url)))
    }

    async fn one(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &HttpBody,
    ) -> Result<reqwest::Response, ToolError> {
        let mut request = self.client.request(method.clone(), url.clone());
        let (content_type, bytes) = match body {
            HttpBody::Empty => ("", Vec::new()),
            HttpBody::Text(text) => ("text/plain; charset=utf-8", text.clone().into_bytes()),
            HttpBody::Json(value) => ("application/json", value.plain().to_json().into_bytes()),
            HttpBody::Form(fields) => {
                ("application/x-www-form-urlencoded", form(fields).into_bytes())
            }
        };
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type).body(bytes);
        }
        // Set last: these replace ours.
        let response = request.headers(headers.clone()).send().await;
        let response = response.map_err(|error| connection_error(url, &error))?;
        let host = url.host_str().unwrap_or_default();
        match response.remote_addr() {
            Some(peer) if is_public(peer.ip()) || self.options.allows(host) => Ok(response),
            _ => Err(refused(host, "the server that answered is not on the public internet")),
        }
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<HttpResponse, ToolError> {
        let url = response.url().clone();
        let limit = self.options.body_bytes_max;
        let mut bytes = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| connection_error(&url, &error))?
        {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > limit {
                return Err(ToolError::TooLarge(format!(
                    "The body of {url} is larger than {} KiB; ask for less.",
                    limit >> 10
                )));
            }
        }
        Ok(HttpResponse {
            status: response.status().as_u16(),
            url: url.into(),
            headers: headers_value(response.headers()),
            body: body_value(response.headers(), bytes),
        })
    }

    /// Reads an address and refuses what can be refused before resolving.
    fn target(&self, text: &str) -> Result<Url, ToolError> {
        let url = Url::parse(text).map_err(|error| {
            ToolError::failed(format!("`{text}` is no address ({error}); write https://host/path"))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ToolError::refused(format!(
                "`{}:` addresses are refused; use http or https.",
                url.scheme()
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ToolError::refused(
                "An address with a user name or password is refused; put them into a header.",
            ));
        }
        let host = url.host_str().unwrap_or_default();
        if !self.options.allows(host) {
            let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            if literal.is_ok_and(|address| !is_public(address)) || is_local_name(host) {
                return Err(refused(host, "it is not on the public internet"));
            }
        }
        Ok(url)
    }
}

impl HttpOptions {
    fn allows(&self, host: &str) -> bool {
        let bare =
            |host: &str| host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let host = bare(host);
        self.allow.iter().any(|allowed| bare(allowed.trim()) == host)
    }
}

/// Names that mean this machine whatever a resolver says (RFC 6761).
fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

fn refused(host: &str, why: &str) -> ToolError {
    ToolError::refused(format!(
        "A request to `{host}` is refused: {why}. Allow the host by name (AGENTWEAVER_HTTP_ALLOW={host}) if it is meant to be reached."
    ))
}

/// Resolves names and refuses those with a private address, so that the
/// connection goes only to addresses that were checked.
struct GuardedResolver {
    options: Arc<HttpOptions>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let options = self.options.clone();
        Box::pin(async move {
            let host = name.as_str();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            checked(host, addresses, &options)
        })
    }
}

fn checked(
    host: &str,
    addresses: Vec<SocketAddr>,
    options: &HttpOptions,
) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    // One private address among public ones is a trap, not an accident.
    let private = addresses.iter().find(|address| !is_public(address.ip()));
    match private {
        Some(address) if !options.allows(host) => {
            let why = format!("its name leads to {}, which is not public", address.ip());
            Err(Box::new(refused(host, &why)))
        }
        _ => Ok(Box::new(addresses.into_iter())),
    }
}

/// The refusal inside a connection error, or what broke.
fn connection_error(url: &Url, error: &reqwest::Error) -> ToolError {
    let mut cause: &dyn std::error::Error = error;
    loop {
        if let Some(refusal) = cause.downcast_ref::<ToolError>() {
            return refusal.clone();
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    let host = url.host_str().unwrap_or_default();
    ToolError::failed(format!("The request to `{host}` failed: {cause}"))
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, ToolError> {
    const OURS: [&str; 7] =
        ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"];
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let lower = name.to_ascii_lowercase();
        if OURS.contains(&lower.as_str()) || lower.starts_with("proxy-") {
            return Err(ToolError::refused(format!("The header `{name}` cannot be set.")));
        }
        let key: HeaderName = lower
            .parse()
            .map_err(|_| ToolError::failed(format!("`{name}` is no name for a header")))?;
        let value = HeaderValue::from_str(value).map_err(|_| {
            ToolError::failed(format!(
                "the value of the header `{name}` has line ends or other control characters"
            ))
        })?;
        headers.insert(key, value);
    }
    Ok(headers)
}

fn redirect_target(response: &reqwest::Response) -> Option<String> {
    let follows = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| follows)?;
    location.to_str().ok().map(str::to_string)
}

fn headers_value(headers: &HeaderMap) -> Map {
    let mut map = Map::new();
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        map.insert(name.as_str().into(), values.join(", ").into());
    }
    map
}

fn body_value(headers: &HeaderMap, bytes: Vec<u8>) -> Value {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    if is_json && let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes) {
        return Value::from(&value);
    }
    match String::from_utf8(bytes) {
        // The log's stores take no NUL inside text.
        Ok(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Ok(text) => text.into(),
        Err(error) if kind.starts_with("text/") => {
            String::from_utf8_lossy(error.as_bytes()).into_owned().into()
        }
        Err(error) => {
            let base64 = base64::engine::general_purpose::STANDARD.encode(error.as_bytes());
            Value::tagged("bytes", [("base64", Value::str(base64))])
        }
    }
}

fn form(fields: &[(String, String)]) -> String {
    // The URL parser has the encoding that forms use.
    let mut url = Url::parse("http://form").expect("a constant address");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_one_private_address_is_refused() {
        let addresses = || ["8.8.8.8:0", "10.0.0.1:0"].map(|text| text.parse().unwrap()).to_vec();
        let mut options = HttpOptions::default();
        let refusal = checked("trap.example", addresses(), &options).err().unwrap();
        assert!(refusal.to_string().contains("10.0.0.1"), "{refusal}");
        options.allow = vec!["Trap.Example".into()];
        assert!(checked("trap.example", addresses(), &options).is_ok());
    }

    /// Says that every name is this machine, and checks nothing.
    struct Liar;

    impl Resolve for Liar {
        fn resolve(&self, _name: Name) -> Resolving {
            let here = SocketAddr::from(([127, 0, 0, 1], 0));
            Box::pin(async move { Ok(Box::new(std::iter::once(here)) as Addrs) })
        }
    }

    #[tokio::test]
    async fn the_peer_is_checked_whatever_the_resolver_said() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://rebound.example:{}/", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 1024]).await;
                let _ =
                    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await;
            }
        });
        let send = async |allow: Vec<String>| {
            let options = Arc::new(HttpOptions { allow, ..HttpOptions::default() });
            let client = HttpClient::with_resolver(options, Liar).unwrap();
            client.send(HttpRequest { url: url.clone(), ..HttpRequest::default() }).await
        };
        let error = send(Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("not on the public internet"), "{error}");
        assert_eq!(send(vec!["rebound.example".into()]).await.unwrap().body, "secret".into());
    }
}
