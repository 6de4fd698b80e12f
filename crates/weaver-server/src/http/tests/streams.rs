//! Events as they happen: over a WebSocket, in the answer to a submission, and to
//! readers that do not read.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weaver_core::EventKind;

use super::workflows::GREET;
use super::{ADDRESS, TOKEN, TestApp};
use crate::http::{Front, Limits, serve};

/// A server behind a socket.
struct Listening {
    app: TestApp,
    listener: std::net::SocketAddr,
}

impl Listening {
    async fn new(limits: Limits) -> Self {
        let app = TestApp::working();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let front = Arc::new(Front::default());
        front.put(app.router.clone());
        tokio::spawn(serve(listener, front, limits, app.app.drain.clone()));
        Listening { app, listener: address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.listener).await.unwrap()
    }

    /// A WebSocket on an execution's events.
    async fn socket(&self, id: &str, after: u64) -> TcpStream {
        let mut stream = self.connect().await;
        let request = format!(
            "GET /api/v1/ws/execution/{id}?after={after} HTTP/1.1\r\nHost: {ADDRESS}\r\nUpgrade: \
             websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
             dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        stream
    }

    /// What comes back for bytes until the server closes the connection.
    async fn say(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn greeting(more: Value) -> Value {
    let mut body = json!({
        "workflow": { "file": "greet.py", "source": GREET },
        "input": { "name": "Ada" },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The kind and the payload of a frame.
async fn frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let kind = socket.read_u8().await.unwrap() & 0x0f;
    let length = match socket.read_u8().await.unwrap() {
        126 => socket.read_u16().await.unwrap().into(),
        127 => socket.read_u64().await.unwrap(),
        short => short.into(),
    };
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (kind, payload)
}

/// The events that come over a WebSocket, and why it was closed.
async fn all_of(mut socket: TcpStream) -> (Vec<Value>, u16, String) {
    let mut events = Vec::new();
    loop {
        match frame(&mut socket).await {
            (1, text) => events.push(serde_json::from_slice(&text).unwrap()),
            (8, why) => {
                let reason = String::from_utf8_lossy(&why[2..]).into_owned();
                return (events, u16::from_be_bytes([why[0], why[1]]), reason);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_websocket_has_the_events_that_the_log_has_from_any_of_them_on() {
    let server = Listening::new(Limits::default()).await;
    let submitted = server.app.post("/executions", greeting(json!({}))).await;
    let id = submitted.body["execution_id"].as_str().unwrap();
    let (events, code, _) = all_of(server.socket(id, 0).await).await;
    assert_eq!(code, 1000);
    let is_durable = |event: &Value| {
        let kind: EventKind = serde_json::from_value(event["kind"].clone()).unwrap();
        !kind.is_live_only()
    };
    let durable: Vec<Value> = events.into_iter().filter(is_durable).collect();
    let log = server.app.get(&format!("/executions/{id}/events")).await.body;
    assert_eq!(Value::Array(durable.clone()), log);

    let (rest, ..) = all_of(server.socket(id, 3).await).await;
    assert_eq!(rest, durable[3..]);
    let missing = server.app.get("/ws/execution/01900000-0000-7000-8000-000000000000").await;
    assert_eq!(missing.status, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(missing.body["code"], "upgrade_required");
}

#[tokio::test]
async fn a_socket_is_told_where_to_go_on_when_the_server_drains() {
    let server = Listening::new(Limits::default()).await;
    let stopped = greeting(json!({ "breakpoints": { "before": ["*"] }, "wait": 20 }));
    let stopped = server.app.post("/executions", stopped).await;
    assert_eq!((stopped.status, &stopped.body["status"]), (StatusCode::OK, &json!("waiting")));
    let mut socket = server.socket(stopped.body["id"].as_str().unwrap(), 0).await;
    // A ping, masked with nothing, has its bytes come back.
    socket.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    while frame(&mut socket).await != (10, b"hi".to_vec()) {}
    server.app.app.drain.cancel();
    let (_, code, reason) = all_of(socket).await;
    assert_eq!(code, 1012);
    assert!(reason.starts_with("after="), "{reason}");
}

#[tokio::test]
async fn who_submits_may_wait_or_watch() {
    let app = TestApp::working();
    let waited = app.post("/executions", greeting(json!({ "wait": 30 }))).await;
    assert_eq!(waited.status, StatusCode::OK, "{waited:?}");
    assert_eq!(waited.body["output"]["text"], "Hello Ada!");
    let watched = app.post("/executions", greeting(json!({ "stream": true }))).await;
    assert_eq!(watched.headers["content-type"], "text/event-stream");
    let text = watched.body.as_str().unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("\"kind\":\"done\""), "{text}");
    assert!(text.contains("id: 1\n"), "{text}");
    let at_once = app.post("/executions", greeting(json!({ "wait": 0 }))).await;
    assert_eq!(at_once.status, StatusCode::OK);
    for (more, pointer) in
        [(json!({ "wait": 1, "stream": true }), "/stream"), (json!({ "wait": 100_000 }), "/wait")]
    {
        let refused = app.post("/executions", greeting(more)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn a_request_that_comes_drop_by_drop_is_not_waited_for() {
    let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
    let server = Listening::new(limits).await;
    // No more than the beginning of a head ever comes; the server ends the connection.
    assert_eq!(server.say("GET /api/v1/health/live HT").await, "");
}

#[tokio::test]
async fn a_body_of_another_length_than_it_says_does_no_harm() {
    let server = Listening::new(Limits::default()).await;
    let head = |length: usize| {
        format!(
            "POST /api/v1/studio/parse HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer \
             {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let body = r#"{"file": "a.py", "source": ""}"#;
    // What is too much is the beginning of another request, which is none.
    let answers = server.say(&format!("{}{body}", head(body.len() - 1))).await;
    assert!(answers.starts_with("HTTP/1.1 400"), "{answers}");
    let mut stream = server.connect().await;
    stream.write_all(format!("{}{body}", head(body.len() + 1)).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.contains("body_unreadable"), "{answer}");
    let huge = server.say(&head(100 << 20)).await;
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
}
