//! Functions that import packages, run by this machine's own Python.

use crate::desk::Desk;

const FLOW: &str = r#"
from dataclasses import dataclass
from typing import TypedDict
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
import own

class State(TypedDict):
    x: int
    kinds: set
    messages: list
    answer: str

def work(state: State, config) -> Command:
    print("x is", state["x"])
    answer = interrupt("go on?")
    said = AIMessage(own.shout(answer))
    return Command(update={"x": own.double(state["x"]), "kinds": {1, 2}, "messages": [said]}, goto="after")

def after(state: State) -> dict:
    return {"answer": state["messages"][-1].content, "x": state["x"] + len(state["kinds"])}

builder = StateGraph(State)
builder.add_node("work", work, destinations=["after"])
builder.add_node("after", after)
builder.add_edge(START, "work")
builder.add_edge("after", END)
app = builder.compile()
"#;

const OWN: &str = "
import ctypes

def double(x):
    if x > 100:
        raise OverflowError(f'{x} is too much')
    return x * 2

def shout(text):
    return text.upper()
";

fn desk() -> Desk {
    let desk = Desk::with("flow.py", FLOW);
    desk.write("own.py", OWN);
    desk
}

#[test]
fn a_function_with_a_package_runs_where_the_user_lets_it() {
    let desk = desk();
    let refused = desk.run(["run", "flow.py", "--input", r#"{"x": 4}"#]);
    assert_eq!(refused.code, 2);
    refused.says(&["import own", "needs a Python worker", "--python"]);
    let input = ["run", "flow.py", "--python", "--input", r#"{"x": 4}"#, "--thread", "t"];
    let asked = desk.run(input);
    assert_eq!(asked.code, 3, "it waits for a person");
    let ended = desk.run(["run", "flow.py", "--python", "--thread", "t", "--resume", "yes"]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    let out: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&out["x"], &out["answer"]), (&10.into(), &"YES".into()), "{out}");
}

#[test]
fn what_it_raises_is_told_with_the_line_of_the_file() {
    let desk = desk();
    let input = ["run", "flow.py", "--python", "--input", r#"{"x": 101}"#, "--thread", "t"];
    assert_eq!(desk.run(input).code, 3);
    let failed = desk.run(["run", "flow.py", "--python", "--thread", "t", "--resume", "yes"]);
    assert_eq!(failed.code, 1);
    failed.says(&["OverflowError", "101 is too much", "flow.py:19"]);
}

#[test]
fn a_python_that_is_not_there_or_lacks_a_package_says_so() {
    let desk = desk();
    let none = ["run", "flow.py", "--python=no-such-python", "--input", r#"{"x": 4}"#];
    desk.run(none).says(&["python_unavailable", "no-such-python"]);
    desk.write("own.py", "import a_package_that_nobody_has\n");
    let lacking = ["run", "flow.py", "--python", "--input", r#"{"x": 4}"#];
    desk.run(lacking).says(&["python_unavailable", "a_package_that_nobody_has"]);
}
