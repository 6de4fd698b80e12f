//! The load: closed (so many connections, each asks as soon as it was answered) for the
//! most that can be had, open (so many a second, whatever comes back) for latency.
//! In an open load a call's time runs from when it was due, so that a server which
//! stalls is not spared the calls that it delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Connection, connect, summary};

/// What to ask, and how.
#[derive(Deserialize)]
pub struct Plan {
    /// `127.0.0.1:8080`
    address: String,
    token: String,
    method: String,
    /// Asked in turn.
    paths: Vec<String>,
    /// JSON as it is sent; absent: none.
    body: Option<String>,
    seconds: f64,
    /// Requests a second; 0 for a closed load.
    rate: f64,
    connections: usize,
    #[serde(skip)]
    asked: AtomicUsize,
}

#[derive(Clone, Default)]
struct Seen {
    /// Until the whole answer, and until its first byte.
    whole: Vec<Duration>,
    first: Vec<Duration>,
    failed: u64,
}

impl Plan {
    fn request(&self) -> Request<Full<Bytes>> {
        let path = &self.paths[self.asked.fetch_add(1, Ordering::Relaxed) % self.paths.len()];
        let request = Request::builder()
            .method(self.method.as_str())
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token));
        let request = match &self.body {
            None => request.body(Full::default()),
            Some(body) => {
                let request = request.header("content-type", "application/json");
                request.body(Full::from(body.clone()))
            }
        };
        request.expect("a plan makes a request")
    }
}

/// Runs a plan; gives a line of JSON.
pub async fn run(plan: Plan) -> String {
    let plan = Arc::new(plan);
    let began = Instant::now();
    let seen = match plan.rate > 0.0 {
        true => open(&plan).await,
        false => closed(&plan).await,
    };
    let seconds = began.elapsed().as_secs_f64();
    let answers = seen.whole.len();
    let (first, whole) = (summary(seen.first), summary(seen.whole));
    let rate = answers as f64 / seconds;
    json!({"answers": answers, "failed": seen.failed, "rate": rate, "first": first, "whole": whole})
        .to_string()
}

async fn closed(plan: &Arc<Plan>) -> Seen {
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

async fn open(plan: &Arc<Plan>) -> Seen {
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
        None => connect(&plan.address).await,
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
            seen.first.push(first);
            seen.whole.push(due.elapsed());
            *kept = Some(connection);
        }
        None => seen.failed += 1,
    }
}
