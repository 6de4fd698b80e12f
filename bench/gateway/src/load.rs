//! The load: closed (so many connections, each asks as soon as it was answered) for the
//! most that can be had, open (so many a second, whatever comes back) for latency.
//! In an open load a call's time runs from when it was due, so that a server which
//! stalls is not spared the calls that it delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What to ask, and how.
#[derive(Clone)]
pub struct Plan {
    /// `127.0.0.1:8080`
    address: String,
    token: String,
    body: Bytes,
    seconds: f64,
    /// Calls a second; 0 for a closed load.
    rate: f64,
    connections: usize,
}

#[derive(Clone, Default)]
struct Seen {
    /// Until the whole answer, and until its first byte, in microseconds.
    whole: Vec<u64>,
    first: Vec<u64>,
    failed: u64,
}

type Connection = SendRequest<Full<Bytes>>;

impl Plan {
    /// `{"address", "token", "model", "stream", "seconds", "rate", "connections"}`
    pub fn of(plan: &Value) -> Self {
        let text = |name: &str| plan[name].as_str().unwrap_or_default().to_string();
        let body = json!({
            "model": text("model"),
            "stream": plan["stream"] == true,
            "max_tokens": 100,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Say something about a quick brown fox, and be brief."},
            ],
        });
        Plan {
            address: text("address"),
            token: text("token"),
            body: body.to_string().into(),
            seconds: plan["seconds"].as_f64().unwrap_or(5.0),
            rate: plan["rate"].as_f64().unwrap_or(0.0),
            connections: plan["connections"].as_u64().unwrap_or(32) as usize,
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        Request::post("/v1/chat/completions")
            .header("host", &self.address)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(self.body.clone()))
            .expect("a plan makes a request")
    }

    async fn connect(&self) -> Option<Connection> {
        let stream = TcpStream::connect(&self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(sender)
    }
}

/// Runs a plan; gives a line of JSON.
pub async fn run(plan: Plan) -> String {
    let began = Instant::now();
    let mut seen = match plan.rate > 0.0 {
        true => open(&plan).await,
        false => closed(&plan).await,
    };
    let seconds = began.elapsed().as_secs_f64();
    let (first, whole) = (summary(&mut seen.first), summary(&mut seen.whole));
    let answers = seen.whole.len();
    let rate = answers as f64 / seconds;
    json!({"answers": answers, "failed": seen.failed, "rate": rate, "first": first, "whole": whole})
        .to_string()
}

async fn closed(plan: &Plan) -> Seen {
    let end = Instant::now() + Duration::from_secs_f64(plan.seconds);
    let each = (0..plan.connections).map(|_| {
        let plan = plan.clone();
        tokio::spawn(async move {
            let (mut seen, mut connection) = (Seen::default(), None);
            while Instant::now() < end {
                ask(&plan, &mut connection, Instant::now(), &mut seen).await;
            }
            seen
        })
    });
    gather(each.collect()).await
}

async fn open(plan: &Plan) -> Seen {
    let idle = Arc::new(Mutex::new(Vec::<Connection>::new()));
    let (begin, under_way) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut calls = Vec::new();
    for n in 0..(plan.rate * plan.seconds) as u64 {
        let due = begin + Duration::from_secs_f64(n as f64 / plan.rate);
        tokio::time::sleep_until(due).await;
        let (plan, idle, under_way) = (plan.clone(), idle.clone(), under_way.clone());
        calls.push(tokio::spawn(async move {
            let mut seen = Seen::default();
            // A server that cannot keep up is not to run the machine out of sockets.
            if under_way.fetch_add(1, Ordering::Relaxed) > 5000 {
                seen.failed += 1;
            } else {
                let mut connection = idle.lock().await.pop();
                ask(&plan, &mut connection, due, &mut seen).await;
                idle.lock().await.extend(connection);
            }
            under_way.fetch_sub(1, Ordering::Relaxed);
            seen
        }));
    }
    gather(calls).await
}

async fn gather(calls: Vec<tokio::task::JoinHandle<Seen>>) -> Seen {
    let mut all = Seen::default();
    for call in calls {
        let Ok(seen) = call.await else { continue };
        all.whole.extend(seen.whole);
        all.first.extend(seen.first);
        all.failed += seen.failed;
    }
    all
}

/// One call; a connection that is no good any more is given up.
async fn ask(plan: &Plan, kept: &mut Option<Connection>, due: Instant, seen: &mut Seen) {
    let connection = match kept.take() {
        Some(connection) => Some(connection),
        None => plan.connect().await,
    };
    let Some(mut connection) = connection else {
        seen.failed += 1;
        return;
    };
    let asked = async {
        connection.ready().await.ok()?;
        let answer = connection.send_request(plan.request()).await.ok()?;
        let good = answer.status().is_success();
        let mut body = answer.into_body();
        let mut first = None;
        while let Some(frame) = body.frame().await {
            frame.ok()?;
            first.get_or_insert_with(|| due.elapsed());
        }
        good.then_some(first?)
    };
    match asked.await {
        Some(first) => {
            seen.first.push(first.as_micros() as u64);
            seen.whole.push(due.elapsed().as_micros() as u64);
            *kept = Some(connection);
        }
        None => seen.failed += 1,
    }
}

fn summary(micros: &mut [u64]) -> Value {
    micros.sort_unstable();
    let at = |part: f64| {
        let place = ((micros.len() as f64 * part) as usize).min(micros.len().saturating_sub(1));
        micros.get(place).copied()
    };
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99)})
}
