//! [`Books`]: an HTTP server that notes what it was asked to do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked for, in order.
pub struct Books {
    pub port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    /// One message for each call.
    heard: Mutex<Receiver<()>>,
}

struct Call {
    name: usize,
    round: usize,
    key: String,
}

impl Books {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (sender, heard) = channel();
        let shared = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (calls, sender) = (shared.clone(), sender.clone());
                std::thread::spawn(move || answer(stream, &calls, &sender));
            }
        });
        Books { port, calls, heard: Mutex::new(heard) }
    }

    /// Waits for some calls, for some time at most, and then for that time.
    pub fn wait(&self, calls: usize, pause: Duration) {
        let heard = self.heard.lock().unwrap();
        for _ in 0..calls {
            let _ = heard.recv_timeout(Duration::from_millis(300));
        }
        let (_never, timer) = channel::<()>();
        let _ = timer.recv_timeout(pause);
    }

    /// Every round was paid, always under one key of its own, and none again once a
    /// later round of its execution was: that one began after the result was on disk.
    pub fn check(&self, executions: usize, rounds: usize) {
        let calls = self.calls.lock().unwrap();
        let mut keys: BTreeMap<(usize, usize), &str> = BTreeMap::new();
        let mut latest: BTreeMap<usize, usize> = BTreeMap::new();
        for Call { name, round, key } in &*calls {
            let known = keys.entry((*name, *round)).or_insert(key);
            assert_eq!(known, key, "round {round} of {name} came with another idempotency key");
            // Rounds count down.
            let latest = latest.entry(*name).or_insert(*round);
            assert!(
                *round <= *latest,
                "round {round} of {name} was made again after round {latest}"
            );
            *latest = *round;
        }
        assert_eq!(keys.len(), executions * rounds, "every round was paid");
        let distinct: BTreeSet<&str> = keys.values().copied().collect();
        assert_eq!(distinct.len(), keys.len(), "each round has a key of its own");
    }
}

/// Answers one connection's calls.
fn answer(stream: TcpStream, calls: &Mutex<Vec<Call>>, sender: &Sender<()>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut length, mut key) = (0, String::new());
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "idempotency-key" => key = value.trim().to_string(),
                    _ => {}
                }
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let number = |field: &str| Some(body[field].as_u64()? as usize);
        let (name, round) = (number("name")?, number("n")?);
        calls.lock().unwrap().push(Call { name, round, key });
        sender.send(()).ok()?;
        let body = format!(r#"{{"n":{round}}}"#);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
    }
}
