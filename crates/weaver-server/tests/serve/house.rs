//! [`House`]: a data directory with a graph in it, servers on it, and the books outside.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::books::Books;

/// Rounds of one execution: a call to the outside, then a note in the state.
pub const ROUNDS: usize = 8;

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

/// The same, with each payment made by an execution that is started for it.
pub const FAMILY: &str = r#"
from typing import Annotated, TypedDict
import operator
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class Payment(TypedDict):
    name: int
    n: int
    receipt: dict

class State(TypedDict):
    name: int
    left: int
    paid: dict
    receipts: Annotated[list, operator.add]

payment = StateGraph(Payment)
payment.add_node("pay", nodes.http(url="http://127.0.0.1:PORT/pay", method="POST", json={"name": "{{ name }}", "n": "{{ n }}"}, into="receipt"))
payment.add_edge(START, "pay")
payment.add_edge("pay", END)
pay = payment.compile()

def note(state: State) -> dict:
    return {"receipts": [state["paid"]["receipt"]["n"]], "left": state["left"] - 1}

def more(state: State) -> str:
    return "child" if state["left"] > 0 else END

builder = StateGraph(State)
builder.add_node("child", nodes.workflow(graph="pay", input={"name": "{{ name }}", "n": "{{ left }}"}, into="paid"))
builder.add_node("note", note)
builder.add_edge(START, "child")
builder.add_edge("child", "note")
builder.add_conditional_edges("note", more, ["child", END])
app = builder.compile()
"#;

/// A directory with the graph, its log, and the books outside.
pub struct House {
    pub dir: tempfile::TempDir,
    pub database: Option<String>,
    pub books: Books,
}

impl House {
    pub fn new(database: Option<String>) -> Self {
        House::of(GRAPH, database)
    }

    pub fn of(graph: &str, database: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let books = Books::open();
        let graph = graph.replace("PORT", &books.port.to_string());
        std::fs::write(dir.path().join("pay.py"), graph).unwrap();
        House { dir, database, books }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentweaver"));
        command.args(args).arg("--data").arg(self.dir.path().join("data"));
        command.env("AGENTWEAVER_HTTP_ALLOW", "127.0.0.1");
        if let Some(url) = &self.database {
            command.env("AGENTWEAVER_DATABASE_URL", url);
        }
        command
    }

    /// A server with a lease of a second, which may not answer yet.
    pub fn serve(&self) -> Served {
        self.serve_with(|_| {})
    }

    /// A server that is started as changed.
    pub fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Served {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--lease", "1"]);
        let said = File::options().create(true).append(true).open(self.said()).unwrap();
        command.stdout(Stdio::null()).stderr(said);
        change(&mut command);
        Served(command.spawn().unwrap())
    }

    /// Waits until so many servers have begun to work: one that cannot reach its store
    /// when it starts does not.
    pub fn wait_for(&self, servers: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = std::fs::read_to_string(self.said()).unwrap_or_default();
            // Two that begin at once may write into each other's lines.
            if said.matches("log: ").count() >= servers {
                return;
            }
            assert!(Instant::now() < deadline, "the servers do not begin; they say: {said}");
            // The servers need the processors.
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Where a server answers that waits for its store.
    pub fn waits_at(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = std::fs::read_to_string(self.said()).unwrap_or_default();
            let found = said.split_once("http://").and_then(|(_, rest)| rest.split_once(" waits"));
            if let Some((address, _)) = found {
                return address.to_string();
            }
            assert!(Instant::now() < deadline, "no server waits; they say: {said}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Where servers answer, in the order in which they began; those that are gone too.
    pub fn addresses(&self) -> Vec<String> {
        let said = std::fs::read_to_string(self.said()).unwrap_or_default();
        let address = |line: &str| Some(line.split_once("http://")?.1.trim().to_string());
        said.lines().filter(|line| line.starts_with("agentweaver ")).filter_map(address).collect()
    }

    /// What servers say.
    fn said(&self) -> PathBuf {
        self.dir.path().join("said")
    }

    pub fn submit(&self, name: usize) -> String {
        let input = format!(r#"{{"name":{name},"left":{ROUNDS},"receipts":[]}}"#);
        let file = self.dir.path().join("pay.py").display().to_string();
        let key = format!("payment-{name}");
        // A server that is being killed answers nobody: the same request is sent again.
        self.insist(&["submit", "--input", &input, "--idempotency-key", &key, &file])
    }

    /// What a command says once it succeeds.
    fn insist(&self, args: &[&str]) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let output = self.command(args).output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap().trim().to_string();
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "`{}` never succeeds: {said}", args[0]);
        }
    }

    /// Every execution that was accepted ends well, with every round in its state
    /// once; there is no other; and the books agree.
    pub fn check(&self, ids: &[String]) {
        ids.iter().enumerate().for_each(|(name, id)| self.ends(name, id));
        // A question that falls into the last blow is asked again.
        let listed = self.insist(&["ps", "--limit", "200", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let items = listed["items"].as_array().unwrap().iter();
        // What these have started themselves is for who has them start it.
        let count = items.filter(|item| item.get("parent").is_none()).count();
        assert_eq!(count, ids.len(), "as many executions as were accepted");
        self.books.check(ids.len(), ROUNDS);
    }

    /// As long as something comes of it, it may take as long as the machine needs.
    fn ends(&self, name: usize, id: &str) {
        let (mut seen, mut news) = (0, Instant::now());
        loop {
            self.books.wait(0, Duration::from_millis(50));
            let output = self.command(&["logs", id, "--json"]).output().unwrap();
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
            if text.len() > seen {
                (seen, news) = (text.len(), Instant::now());
            }
            if news.elapsed() > Duration::from_secs(60) {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let servers = std::fs::read_to_string(self.said()).unwrap_or_default();
                panic!("execution {name} does not end: {last} {said}; servers said:\n{servers}");
            }
        }
    }
}

/// A server process; killed when it is let go of.
pub struct Served(Child);

impl Served {
    /// Starts a process.
    pub fn start(mut command: Command) -> Self {
        Served(command.spawn().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small generator: the same kills in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}
