//! Real processes killed at random, with an outside effect counter.
//!
//! A graph whose every round posts to a counter runs until it is done, while its
//! process is killed again and again, anywhere. The counter is the oracle: a call
//! that was followed by another call of the same process had its result on disk,
//! so it must never be made again. Only calls that were under way when a process
//! died may come twice, and then under the same idempotency key.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Kills in all. More in a soak: `AGENTWEAVER_KILLS=4000`.
const KILLS: usize = 100;
/// Rounds of one run of the graph.
const ROUNDS: usize = 24;

const GRAPH: &str = r#"
from typing import Annotated, TypedDict
import operator
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    rounds: int
    left: int
    receipt: dict
    receipts: Annotated[list, operator.add]

def note(state: State) -> dict:
    return {"receipts": [state["receipt"]["n"]], "left": state["left"] - 1}

def more(state: State) -> str:
    return "pay" if state["left"] > 0 else END

builder = StateGraph(State)
builder.add_node("pay", nodes.http(url="http://127.0.0.1:PORT/pay", method="POST", json={"n": "{{ left }}"}, into="receipt"))
builder.add_node("note", note)
builder.add_edge(START, "pay")
builder.add_edge("pay", "note")
builder.add_conditional_edges("note", more, ["pay", END])
app = builder.compile()
"#;

#[test]
fn killed_anywhere_it_goes_on_and_fires_no_completed_effect_again() {
    let kills = std::env::var("AGENTWEAVER_KILLS").ok().and_then(|n| n.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let (mut done, mut run) = (0, 0);
    let mut random = Random(0x5eed_1234_abcd);
    while done < kills {
        run += 1;
        done += one_run(&format!("run-{run}"), kills - done, &mut random);
    }
    println!("count: {done} kills of runs");
}

/// Every named place of the store and the runtime that a run passes.
const CRASH_POINTS: [&str; 6] = [
    "before_insert",
    "between_writes",
    "during_commit",
    "after_commit",
    "during_effect",
    "after_effect",
];

#[test]
fn dead_at_every_crash_point_it_goes_on() {
    for point in CRASH_POINTS {
        for nth in [1, 2, 9] {
            let house = House::new(&format!("{point}-{nth}"));
            house.counter.begin(0);
            let armed = format!("{point}:{nth}");
            let died = house.start(Some(&armed)).wait().unwrap();
            assert!(!died.success(), "{armed} was never passed");
            house.counter.begin(1);
            assert!(house.start(None).wait().unwrap().success(), "after {armed}");
            house.check();
        }
    }
}

/// Drives one thread to its end through as many kills as it takes, or as are
/// left; gives their number.
fn one_run(thread: &str, kills_left: usize, random: &mut Random) -> usize {
    let house = House::new(thread);
    let mut kills = 0;
    for incarnation in 0.. {
        house.counter.begin(incarnation);
        let mut child = house.start(None);
        if kills == kills_left || !kill_somewhere(&mut child, &house.counter, random) {
            let status = child.wait().unwrap();
            assert!(status.success(), "the run fails by itself: {status}");
            break;
        }
        kills += 1;
    }
    house.check();
    kills
}

/// A directory with the graph, its log, and the counter that it calls.
struct House {
    dir: tempfile::TempDir,
    thread: String,
    counter: EffectCounter,
}

impl House {
    fn new(thread: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let counter = EffectCounter::start();
        let graph = GRAPH.replace("PORT", &counter.port.to_string());
        std::fs::write(dir.path().join("pay.py"), graph).unwrap();
        House { dir, thread: thread.into(), counter }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentweaver"));
        command.args(args).arg("--data").arg(self.dir.path().join("data"));
        command.env("AGENTWEAVER_HTTP_ALLOW", "127.0.0.1");
        command
    }

    fn run(&self, more: &[&str]) -> Command {
        let file = self.dir.path().join("pay.py");
        let mut command = self.command(&["run", "--thread", &self.thread]);
        command.arg(file).args(more);
        command
    }

    fn start(&self, crash_point: Option<&str>) -> Child {
        // Killed before its first commit the thread is empty: the input is given
        // until the log has it.
        let input = format!(r#"{{"left":{ROUNDS},"receipts":[]}}"#);
        let mut command = match self.has_checkpoint() {
            true => self.run(&["--json"]),
            false => self.run(&["--json", "--input", &input]),
        };
        if let Some(point) = crash_point {
            command.env("AGENTWEAVER_CRASH_POINT", point);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn has_checkpoint(&self) -> bool {
        self.command(&["history", &self.thread, "--json"]).output().unwrap().status.success()
    }

    /// Every round is in the state, once, in order, and was paid once.
    fn check(&self) {
        let output = self.run(&[]).output().unwrap();
        let state: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let receipts: Vec<usize> = serde_json::from_value(state["receipts"].clone()).unwrap();
        let expected: Vec<usize> = (1..=ROUNDS).rev().collect();
        assert_eq!(receipts, expected);
        self.counter.check();
    }
}

/// Kills the process when the counter has seen some more calls (before, while or
/// after it answers) and a random moment has passed; false if it ended before.
fn kill_somewhere(child: &mut Child, counter: &EffectCounter, random: &mut Random) -> bool {
    let calls = random.below(5);
    for _ in 0..calls {
        // The time limit only ends the wait of a process that is done.
        while counter.calls.lock().unwrap().recv_timeout(Duration::from_millis(20)).is_err() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
        }
    }
    let pause = Duration::from_micros(random.below(if calls == 0 { 60_000 } else { 6_000 }) as u64);
    let (_never, timer) = channel::<()>();
    let _ = timer.recv_timeout(pause);
    if child.try_wait().unwrap().is_some() {
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// An HTTP server that counts what it was asked to do.
struct EffectCounter {
    port: u16,
    log: Arc<Mutex<Log>>,
    /// One message for each call.
    calls: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct Log {
    incarnation: usize,
    /// Round and key of each call, by the process that made it.
    calls: BTreeMap<usize, Vec<(usize, String)>>,
}

impl EffectCounter {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let (sender, calls) = channel();
        let shared = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, sender) = (shared.clone(), sender.clone());
                std::thread::spawn(move || serve(stream, &log, &sender));
            }
        });
        EffectCounter { port, log, calls: Mutex::new(calls) }
    }

    fn begin(&self, incarnation: usize) {
        self.log.lock().unwrap().incarnation = incarnation;
        while self.calls.lock().unwrap().try_recv().is_ok() {}
    }

    fn check(&self) {
        let log = self.log.lock().unwrap();
        let mut keys: BTreeMap<usize, &str> = BTreeMap::new();
        let mut completed: Vec<usize> = Vec::new();
        for calls in log.calls.values() {
            for (round, key) in calls {
                assert!(
                    !completed.contains(round),
                    "the effect of round {round} was complete and was fired again"
                );
                let known = keys.entry(*round).or_insert(key);
                assert_eq!(known, key, "round {round} came with another idempotency key");
            }
            // All but the last were followed by another call of the same process.
            let rounds = calls.iter().map(|(round, _)| *round);
            completed.extend(rounds.take(calls.len().saturating_sub(1)));
        }
        assert_eq!(keys.len(), ROUNDS, "every round was paid");
    }
}

/// Answers one connection's calls.
fn serve(stream: TcpStream, log: &Mutex<Log>, sender: &Sender<()>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut length, mut key) = (0, String::new());
        let mut line = String::new();
        let mut is_request = false;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            is_request = true;
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "idempotency-key" => key = value.trim().to_string(),
                    _ => {}
                }
            }
        }
        assert!(is_request);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let round =
            serde_json::from_slice::<serde_json::Value>(&body).ok()?["n"].as_u64()? as usize;
        {
            let mut log = log.lock().unwrap();
            let incarnation = log.incarnation;
            log.calls.entry(incarnation).or_default().push((round, key));
        }
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

/// A small generator: the same kills in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}
