//! Two servers on one database behind a proxy, and a reader whose server is killed in
//! mid-stream, again and again: it misses no event and gets none twice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use weaver_core::EventKind;

use crate::house::{House, Served};
use crate::postgres;

const KILLS: usize = 3;
/// Events between two kills.
const EVENTS: usize = 5;

#[test]
fn a_reader_whose_server_is_killed_goes_on_without_a_gap() {
    let database = postgres::Server::start();
    database.psql("postgres", "CREATE DATABASE streams");
    let house = House::new(Some(database.url("postgres", "streams")));
    let mut servers: Vec<Served> = Vec::new();
    for started in 1..=2 {
        servers.push(house.serve());
        house.wait_for(started);
    }
    let proxy = Proxy::before(house.addresses());
    let id = house.submit(0);
    let (mut seen, mut kills) = (Vec::<Value>::new(), 0);
    while seen.last().is_none_or(|last| last["kind"] != "done") {
        let after = seen.last().map_or(0, |last| last["sequence"].as_u64().unwrap());
        for event in proxy.follow(&id, after) {
            seen.push(event);
            if kills < KILLS && seen.len() >= EVENTS * (kills + 1) {
                kills += 1;
                let at = proxy.last_used();
                servers[at] = house.serve();
                house.wait_for(2 + kills);
                proxy.put(at, house.addresses().last().unwrap());
            }
        }
    }
    assert_eq!(kills, KILLS);
    let log = house.command(&["logs", &id, "--json"]).output().unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sequences = |events: &[Value]| {
        events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(sequences(&seen), (1..=seen.len() as u64).collect::<Vec<_>>());
    assert_eq!(sequences(&seen), sequences(&log));
    println!("count: {kills} kills of the server that a stream came from");
}

/// Stands before servers: each connection goes to the next of them that answers.
struct Proxy {
    port: u16,
    shared: Arc<Mutex<Behind>>,
}

struct Behind {
    servers: Vec<String>,
    last_used: usize,
}

impl Proxy {
    fn before(servers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Behind { servers, last_used: 0 }));
        let stands = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let stands = stands.clone();
                // A client or a server that goes away ends the connection.
                std::thread::spawn(move || drop(pass(client, &stands)));
            }
        });
        Proxy { port, shared }
    }

    fn last_used(&self) -> usize {
        self.shared.lock().unwrap().last_used
    }

    fn put(&self, at: usize, server: &str) {
        self.shared.lock().unwrap().servers[at] = server.into();
    }

    /// The durable events of an execution behind one of them, until the stream ends.
    fn follow(&self, id: &str, after: u64) -> impl Iterator<Item = Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "GET /api/v1/executions/{id}/events HTTP/1.1\r\nHost: proxy\r\nAccept: \
             text/event-stream\r\nLast-Event-ID: {after}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.filter_map(|line| {
            let event: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
            let kind: EventKind = serde_json::from_value(event["kind"].clone()).ok()?;
            (!kind.is_live_only()).then_some(event)
        })
    }
}

/// Passes a request on with the server's own name in it, and its answer back.
fn pass(mut client: TcpStream, behind: &Mutex<Behind>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let (mut server, name) = choose(behind)?;
    let head = String::from_utf8_lossy(&head).replace("Host: proxy", &format!("Host: {name}"));
    server.write_all(head.as_bytes())?;
    std::io::copy(&mut server, &mut client).map(drop)
}

fn choose(behind: &Mutex<Behind>) -> std::io::Result<(TcpStream, String)> {
    let mut behind = behind.lock().unwrap();
    for turn in 1..=behind.servers.len() {
        let at = (behind.last_used + turn) % behind.servers.len();
        let name = behind.servers[at].clone();
        if let Ok(stream) = TcpStream::connect(&name) {
            behind.last_used = at;
            return Ok((stream, name));
        }
    }
    Err(std::io::Error::other("no server answers"))
}
