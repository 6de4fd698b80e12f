//! Asks a server, and prints what it saw as a line of JSON:
//!
//! - `requests PLAN`: many requests, see [`load::Plan`];
//! - `streams PLAN`: many readers of event streams, see [`streams::Plan`].

mod load;
mod streams;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let seen = match args[..] {
        ["requests", plan] => runtime.block_on(load::run(plan_of(plan))),
        ["streams", plan] => runtime.block_on(streams::run(plan_of(plan))),
        _ => {
            eprintln!("usage: bench-load requests|streams JSON");
            std::process::exit(2);
        }
    };
    println!("{seen}");
}

fn plan_of<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| {
        eprintln!("this is no plan: {error}");
        std::process::exit(2);
    })
}

type Connection = SendRequest<Full<Bytes>>;

async fn connect(address: &str) -> Option<Connection> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// Percentiles in microseconds.
fn summary(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |part: f64| {
        let place = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
        times.get(place).map(|time| time.as_micros() as u64)
    };
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}
