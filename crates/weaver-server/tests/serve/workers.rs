//! Worker processes with a CPython of this machine, killed at random: another takes over,
//! and no call that was recorded is made again.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::house::{House, Random, Served};

/// Pays all rounds in one function, which only CPython can run: it imports a module that
/// lies beside the file.
const GRAPH: &str = r#"
from typing import Annotated, TypedDict
import operator
from langgraph.graph import END, START, StateGraph
from agentweaver import tool
import receipts_of

class State(TypedDict):
    name: int
    left: int
    receipts: Annotated[list, operator.add]

def pay(state: State) -> dict:
    paid = []
    for n in range(state["left"], 0, -1):
        body = {"name": state["name"], "n": n}
        answer = tool("http_request", url="http://127.0.0.1:PORT/pay", method="POST", json=body)
        print("paid", n)
        paid.append(receipts_of.number(answer))
    return {"receipts": paid, "left": 0}

builder = StateGraph(State)
builder.add_node("pay", pay)
builder.add_edge(START, "pay")
builder.add_edge("pay", END)
app = builder.compile()
"#;

const MODULE: &str = r#"
import json

def number(answer):
    body = answer["body"]
    return (json.loads(body) if isinstance(body, str) else body)["n"]
"#;

const EXECUTIONS: usize = 20;
const KILLS: usize = 4;

#[test]
fn workers_share_tasks_are_killed_and_succeeded() {
    let house = House::of(GRAPH, None);
    std::fs::write(house.dir.path().join("receipts_of.py"), MODULE).unwrap();
    let _server = house.serve();
    house.wait_for(1);
    let ids: Vec<String> = (0..EXECUTIONS).map(|name| house.submit(name)).collect();
    let mut workers: Vec<Served> = (0..2).map(|n| worker(&house, n)).collect();
    let mut random = Random(0x5eed_1234_abcd);
    for n in 0..KILLS {
        house.books.wait(1 + random.below(12), Duration::from_millis(random.below(100) as u64));
        workers.remove(random.below(2));
        workers.push(worker(&house, 2 + n));
    }
    house.check(&ids);
}

fn worker(house: &House, number: usize) -> Served {
    let file = house.dir.path().join("pay.py");
    let name = format!("w{number}");
    let mut command: Command = house.command(&["worker", "--name", &name, "--concurrency", "2"]);
    command.arg("--python").arg(file).stdout(Stdio::null());
    Served::start(command)
}
