//! Server processes killed at random, alone on SQLite and two of them on PostgreSQL:
//! every execution that was accepted ends, and no effect whose result was on disk is
//! made again. An HTTP server outside keeps the books.

mod books;
mod features;
mod place;
#[path = "../../../weaver-store/tests/support/postgres.rs"]
mod postgres;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use books::Books;

/// Rounds of one execution: a call to the outside, then a note in the state.
const ROUNDS: usize = 8;
const EXECUTIONS: usize = 12;
/// More in a soak: `AGENTWEAVER_KILLS=4000`.
const KILLS: usize = 12;

const GRAPH: &str = r#"
from typing import Annotated, TypedDict
import operator
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    name: int
    left: int
    receipt: dict
    receipts: Annotated[list, operator.add]

def note(state: State) -> dict:
    return {"receipts": [state["receipt"]["n"]], "left": state["left"] - 1}

def more(state: State) -> str:
    return "pay" if state["left"] > 0 else END

builder = StateGraph(State)
builder.add_node("pay", nodes.http(url="http://127.0.0.1:PORT/pay", method="POST", json={"name": "{{ name }}", "n": "{{ left }}"}, into="receipt"))
builder.add_node("note", note)
builder.add_edge(START, "pay")
builder.add_edge("pay", "note")
builder.add_conditional_edges("note", more, ["pay", END])
app = builder.compile()
"#;

#[test]
fn one_server_on_sqlite_is_killed_and_all_that_was_accepted_ends() {
    House::new(None).survive(1, kills());
}

#[test]
fn two_servers_on_postgresql_are_killed_and_all_that_was_accepted_ends() {
    let server = postgres::Server::start();
    server.psql("postgres", "CREATE DATABASE house");
    House::new(Some(server.url("postgres", "house"))).survive(2, kills());
}

fn kills() -> usize {
    std::env::var("AGENTWEAVER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS)
}

/// A directory with the graph, its log, and the books outside.
struct House {
    dir: tempfile::TempDir,
    database: Option<String>,
    books: Books,
}

impl House {
    fn new(database: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let books = Books::open();
        let graph = GRAPH.replace("PORT", &books.port.to_string());
        std::fs::write(dir.path().join("pay.py"), graph).unwrap();
        House { dir, database, books }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentweaver"));
        command.args(args).arg("--data").arg(self.dir.path().join("data"));
        command.env("AGENTWEAVER_HTTP_ALLOW", "127.0.0.1");
        if let Some(url) = &self.database {
            command.env("AGENTWEAVER_DATABASE_URL", url);
        }
        command
    }

    fn serve(&self) -> Child {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--lease", "1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn submit(&self, name: usize) -> String {
        let input = format!(r#"{{"name":{name},"left":{ROUNDS},"receipts":[]}}"#);
        let file = self.dir.path().join("pay.py");
        let key = format!("payment-{name}");
        let mut command = self.command(&["submit", "--input", &input, "--idempotency-key", &key]);
        // A server that is being killed answers nobody: the same request is sent again.
        let deadline = Instant::now() + Duration::from_secs(60);
        command.arg(file);
        loop {
            let output = command.output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap().trim().to_string();
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "it is never accepted: {said}");
        }
    }

    fn survive(&self, servers: usize, kills: usize) {
        let mut random = Random(0x5eed_1234_abcd);
        let mut running: Vec<Child> = (0..servers).map(|_| self.serve()).collect();
        let ids: Vec<String> = (0..EXECUTIONS).map(|name| self.submit(name)).collect();
        for _ in 0..kills {
            self.books.wait(random.below(6), Duration::from_millis(random.below(400) as u64));
            let victim = random.below(running.len());
            running[victim].kill().unwrap();
            running[victim].wait().unwrap();
            running[victim] = self.serve();
        }
        for (name, id) in ids.iter().enumerate() {
            self.ends(name, id);
        }
        self.books.check(EXECUTIONS, ROUNDS);
        for mut server in running {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Waits until an execution has ended well, with every round in its state once.
    fn ends(&self, name: usize, id: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let output = self.command(&["logs", id, "--json", "--follow"]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let last = text.lines().last().unwrap_or("{}").to_string();
            let event: serde_json::Value = serde_json::from_str(&last).unwrap_or_default();
            if event["kind"] == "done" && event["data"]["status"] == "completed" {
                let receipts = &event["data"]["values"]["receipts"];
                let receipts: Vec<usize> = serde_json::from_value(receipts.clone()).unwrap();
                let expected: Vec<usize> = (1..=ROUNDS).rev().collect();
                assert_eq!(receipts, expected, "execution {name}");
                return;
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "execution {name} does not end: {last} {said}");
        }
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
