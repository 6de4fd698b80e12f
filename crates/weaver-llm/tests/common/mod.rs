//! A provider on loopback that sends exactly the bytes a test wants, in exactly
//! the pieces it wants, and remembers what it was asked.

#![allow(dead_code)] // each test file uses its own part

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use weaver_llm::{
    Call, ChatMessage, ChatRequest, ChatResponse, Error, Gateway, Options, ProviderOptions, Retry,
    ToolDefinition,
};

/// One answer of the provider.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Sent one after the other, flushed between.
    pub pieces: Vec<Vec<u8>>,
    /// What happens after the last piece.
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The body ends as HTTP says.
    Good,
    /// The connection closes in the middle of the body.
    Cut,
    /// Nothing more comes, and the connection stays open until the client leaves.
    Hang,
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Self {
        Reply {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            pieces: vec![body.as_bytes().to_vec()],
            end: End::Good,
        }
    }

    pub fn stream(body: &str) -> Self {
        let mut reply = Reply::json(200, body);
        reply.headers[0].1 = "text/event-stream".into();
        reply
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn end(self, end: End) -> Self {
        Reply { end, ..self }
    }

    /// The same bytes in pieces of a size.
    pub fn in_pieces(mut self, size: usize) -> Self {
        let bytes = self.pieces.concat();
        self.pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        self
    }
}

/// A provider that plays its replies in order; the last one goes on.
pub struct Provider {
    pub url: String,
    requests: Arc<Mutex<Vec<(String, String)>>>,
    /// A message for each connection that the client closed during [`End::Hang`].
    pub left: mpsc::UnboundedReceiver<()>,
}

impl Provider {
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (leave, left) = mpsc::unbounded_channel();
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, replies.clone(), seen.clone(), leave.clone()));
            }
        });
        Provider { url, requests, left }
    }

    /// Head and body of every request so far.
    pub fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }

    /// The body of the last request.
    pub fn last_body(&self) -> serde_json::Value {
        let requests = self.requests();
        serde_json::from_str(&requests.last().expect("there was a request").1).unwrap()
    }

    /// Path and query of the last request.
    pub fn last_path(&self) -> String {
        let requests = self.requests();
        let head = &requests.last().expect("there was a request").0;
        head.split(' ').nth(1).unwrap().to_string()
    }

    /// A gateway whose provider `openai` is this one, with fast retries.
    pub fn gateway(&self) -> Gateway {
        Gateway::new(self.options()).unwrap()
    }

    pub fn options(&self) -> Options {
        self.options_for("openai")
    }

    /// Settings in which this one is the provider of a name.
    pub fn options_for(&self, name: &str) -> Options {
        // Ollama's own interface has no version in its addresses.
        let base_url = match name {
            "ollama" => self.url.trim_end_matches("/v1"),
            _ => &self.url,
        };
        let settings = ProviderOptions {
            base_url: Some(base_url.into()),
            api_key: Some("sk-canary-123".into()),
            ..ProviderOptions::default()
        };
        Options {
            providers: [(name.to_string(), settings)].into(),
            retry: Retry {
                attempts: 3,
                base: Duration::from_millis(1),
                cap: Duration::from_millis(500),
            },
            ..Options::default()
        }
    }
}

async fn serve(
    mut socket: TcpStream,
    replies: Vec<Reply>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    leave: mpsc::UnboundedSender<()>,
) {
    while let Some(request) = read_request(&mut socket).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let reply = &replies[number.min(replies.len() - 1)];
        if write_reply(&mut socket, reply).await.is_err() {
            return;
        }
        match reply.end {
            End::Good => {}
            End::Cut => return,
            End::Hang => {
                let mut byte = [0];
                // Zero bytes: the client closed.
                while matches!(socket.read(&mut byte).await, Ok(n) if n > 0) {}
                let _ = leave.send(());
                return;
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1);
            let length: usize =
                length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = &bytes[end + 4..end + 4 + length];
                return Some((head, String::from_utf8_lossy(body).into_owned()));
            }
        }
        match socket.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

async fn write_reply(socket: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\ntransfer-encoding: chunked\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.set_nodelay(true)?;
    socket.write_all(head.as_bytes()).await?;
    for piece in reply.pieces.iter().filter(|piece| !piece.is_empty()) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        socket.write_all(&chunk).await?;
        socket.flush().await?;
    }
    match reply.end {
        End::Good => socket.write_all(b"0\r\n\r\n").await,
        End::Cut | End::Hang => Ok(()),
    }
}

/// The chunks of a streamed answer as a provider would send them.
pub fn chunks(deltas: &[&str]) -> String {
    deltas
        .iter()
        .map(|delta| {
            format!("data: {{\"id\":\"a1\",\"object\":\"chat.completion.chunk\",\"model\":\"m-1\",{delta}}}\n\n")
        })
        .collect()
}

/// Asks a provider of a name for an answer, whole or in pieces.
pub async fn asked(
    provider: &Provider,
    request: ChatRequest,
    stream: bool,
) -> Result<ChatResponse, Error> {
    let name = request.model.split('/').next().unwrap().to_string();
    let mut options = provider.options_for(&name);
    options.retry.attempts = 1;
    let gateway = Gateway::new(options).unwrap();
    match stream {
        true => gateway.chat(request, Call::default()).await?.collect(|_| {}).await,
        false => gateway.complete(request, Call::default()).await,
    }
}

/// One event of a stream, named by its type as some providers do.
pub fn event(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    format!("event: {}\ndata: {json}\n\n", value["type"].as_str().unwrap())
}

pub fn value(json: &str) -> weaver_core::Value {
    weaver_core::Value::from_json(json).unwrap()
}

/// Two tools, and a question that needs both.
pub fn tools_request(model: &str) -> ChatRequest {
    let tool = |name: &str| ToolDefinition {
        name: name.into(),
        description: format!("Looks up the {name}"),
        parameters: value(
            r#"{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}"#,
        ),
    };
    let messages = vec![ChatMessage::system("Be brief"), ChatMessage::user("Tide and wind?")];
    ChatRequest { tools: vec![tool("tide"), tool("wind")], ..ChatRequest::new(model, messages) }
}

/// The same, after the model called both tools and they answered.
pub fn after_calls(request: &ChatRequest, response: &ChatResponse) -> ChatRequest {
    let mut request = request.clone();
    request.messages.push(response.to_message());
    for call in response.tool_calls() {
        request.messages.push(ChatMessage::tool_result(&call.id, format!("{} is high", call.name)));
    }
    request
}
