//! [`Provider`]: a provider that answers by the model's name, and tells what it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// The models: how each answers. All but the first repeat the key.
pub const BEHAVIOURS: &[&str] = &["good", "refuse", "break", "page", "midway"];

pub struct Provider {
    pub port: u16,
    keys: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let keys = Arc::new(Mutex::new(Vec::new()));
        let shared = keys.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keys = shared.clone();
                std::thread::spawn(move || answer(stream, &keys));
            }
        });
        Provider { port, keys }
    }

    /// The keys that calls of models came with, in order.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, keys: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut length, mut key, mut line) = (0, String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => key = value.trim().trim_start_matches("Bearer ").into(),
            "x-api-key" => key = value.trim().into(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if length > 0 {
        keys.lock().unwrap().push(key.clone());
    }
    let model = body["model"].as_str().unwrap_or("list");
    let said = said(model, body["stream"] == true, &key);
    write!(
        stream,
        "HTTP/1.1 {}\r\nx-echo: {key}\r\nset-cookie: k={key}\r\ncontent-type: {}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{}",
        said.0,
        said.1,
        said.2.len(),
        said.2
    )
    .ok()
}

/// Status, kind and body.
fn said(model: &str, stream: bool, key: &str) -> (&'static str, &'static str, String) {
    const JSON: &str = "application/json";
    const SSE: &str = "text/event-stream";
    let wrong = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {key}.","type":"{key}","code":"{key}"}}}}"#
    );
    let piece = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":\
             [{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    match (model, stream) {
        ("good", false) => ("200 OK", JSON, r#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#.into()),
        ("good", true) => {
            let pieces = piece(r#""content":"Hello.""#, "null") + &piece("", r#""stop""#);
            let usage = r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
            ("200 OK", SSE, pieces + &format!("data: {usage}\n\ndata: [DONE]\n\n"))
        }
        ("long", true) => ("200 OK", SSE, piece(r#""content":"one two three ""#, "null").repeat(200)),
        ("refuse", _) => ("401 Unauthorized", JSON, wrong),
        ("break", _) => ("400 Bad Request", JSON, wrong),
        ("page", _) => ("403 Forbidden", "text/html", format!("<html>Denied for {key}</html>")),
        ("midway", true) => {
            let pieces = piece(r#""content":"Hel""#, "null");
            ("200 OK", SSE, format!("{pieces}data: {wrong}\n\n"))
        }
        ("midway", false) => ("200 OK", JSON, format!("{{\"not\": \"{key}")),
        _ => ("200 OK", JSON, r#"{"object":"list","data":[{"id":"good"}]}"#.into()),
    }
}
