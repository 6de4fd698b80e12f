//! Readers of event streams. Whoever makes the events writes `@@` and the moment, in 16
//! digits of microseconds since 1970, into each; a reader knows from that how long it took.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::summary;

/// What to read.
#[derive(Deserialize)]
pub struct Plan {
    /// `127.0.0.1:8080`
    address: String,
    token: String,
    /// Each stream reads one of them, in turn.
    paths: Vec<String>,
    streams: usize,
    /// What comes before is not counted, as readers are still on their way.
    warm_seconds: f64,
    seconds: f64,
}

/// Reads; gives a line of JSON.
pub async fn run(plan: Plan) -> String {
    let from = Instant::now() + Duration::from_secs_f64(plan.warm_seconds);
    let until = from + Duration::from_secs_f64(plan.seconds);
    let mut readers = Vec::with_capacity(plan.streams);
    for n in 0..plan.streams {
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\r\n",
            plan.paths[n % plan.paths.len()],
            plan.address,
            plan.token,
        );
        readers.push(tokio::spawn(read(plan.address.clone(), request, from, until)));
    }
    let (mut times, mut silent) = (Vec::new(), 0);
    for reader in readers {
        let seen = reader.await.ok().and_then(Result::ok).unwrap_or_default();
        silent += usize::from(seen.is_empty());
        times.extend(seen);
    }
    let events = times.len();
    let rate = events as f64 / plan.seconds;
    json!({"events": events, "rate": rate, "silent": silent, "delay": summary(times)}).to_string()
}

async fn read(
    address: String,
    request: String,
    from: Instant,
    until: Instant,
) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let (mut seen, mut bytes) = (Vec::new(), Vec::with_capacity(16 << 10));
    while let Ok(read) = timeout_at(until, stream.read_buf(&mut bytes)).await {
        if read? == 0 {
            // What was seen is what there was; a plan's time is the same for all.
            sleep_until(until).await;
            break;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let counts = Instant::now() >= from;
        let read_up_to = marks(&bytes, |moment| {
            if counts {
                seen.push(now.saturating_sub(moment));
            }
        });
        bytes.drain(..read_up_to);
    }
    Ok(seen)
}

const MARK: &[u8] = b"@@";
const DIGITS: usize = 16;

/// Tells each moment that is there whole; gives where the bytes begin that may be a part of one.
fn marks(bytes: &[u8], mut tell: impl FnMut(Duration)) -> usize {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(MARK.len()).position(|part| part == MARK) {
        let digits = at + found + MARK.len();
        let Some(text) = bytes.get(digits..digits + DIGITS) else { return at + found };
        let micros = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        micros.into_iter().for_each(|micros| tell(Duration::from_micros(micros)));
        at = digits + DIGITS;
    }
    // The first half of a mark may be the last byte.
    at.max(bytes.len().saturating_sub(1))
}
