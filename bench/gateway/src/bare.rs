//! A reverse proxy that parses JSON and does nothing else.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Upstream = Client<HttpConnector, Full<Bytes>>;

/// Answers for ever.
pub async fn serve(port: u16, upstream: &str) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let url: &'static str = format!("http://{upstream}/v1/chat/completions").leak();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let client = client.clone();
        let service = service_fn(move |request| pass(client.clone(), url, request));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn pass(
    client: Upstream,
    url: &str,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Value = serde_json::from_slice(&body)?;
    let is_stream = asked["stream"] == true;
    let request = Request::post(url).header("content-type", "application/json");
    let answer = client.request(request.body(Full::new(body))?).await?;
    let (head, body) = answer.into_parts();
    if is_stream {
        return Ok(Response::from_parts(head, body.boxed()));
    }
    let body = body.collect().await?.to_bytes();
    let _: Value = serde_json::from_slice(&body)?;
    Ok(Response::from_parts(head, Full::new(body).map_err(|never| match never {}).boxed()))
}
