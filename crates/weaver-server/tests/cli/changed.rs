//! `run --only-changed`: what has not changed does not run again.

use serde_json::{Value, json};

use crate::desk::{Desk, Ended, workflow};

/// A chain with a fan-out by `Send`, a command, a loop, a route and a subgraph. Each
/// node asks the model, so that each run of one is a call.
fn everything() -> String {
    let body = r#"
PROMPT = "plan"


def helper(text):
    return text.strip()


class Inner(TypedDict):
    log: Annotated[list, operator.add]


def dig(state: Inner):
    return {"log": ["dig " + llm("scripted", "dig").text]}


def sift(state: Inner):
    return {"log": ["sift " + llm("scripted", "sift").text]}


inner = StateGraph(Inner)
inner.add_node(dig)
inner.add_node(sift)
inner.add_edge(START, "dig")
inner.add_edge("dig", "sift")
inner.add_edge("sift", END)


class One(TypedDict):
    item: int


def plan(state: State):
    return {"log": [helper("plan " + llm("scripted", PROMPT).text)]}


def spread(state: State):
    return [Send("one", {"item": n}) for n in range(3)]


def one(state: One):
    return {"log": [f"one {state['item']} " + llm("scripted", "one").text]}


def decide(state: State) -> Command[Literal["again", "research"]]:
    llm("scripted", "decide")
    return Command(update={"rounds": 1}, goto="again" if state["rounds"] < 2 else "research")


def again(state: State):
    return {"log": ["again " + llm("scripted", "again").text]}


def close(state: State):
    return {"answer": " | ".join(state["log"]) + " " + llm("scripted", "close").text}
"#;
    let text = workflow(
        "topic: str\nrounds: Annotated[int, operator.add]\nlog: Annotated[list, operator.add]\nanswer: str",
        body,
        "graph.add_node(plan)\ngraph.add_node(one)\ngraph.add_node(decide)\ngraph.add_node(again)\n\
         graph.add_node(\"research\", inner.compile())\ngraph.add_node(close)\n\
         graph.add_edge(START, \"plan\")\ngraph.add_conditional_edges(\"plan\", spread, [\"one\"])\n\
         graph.add_edge(\"one\", \"decide\")\ngraph.add_edge(\"again\", \"decide\")\n\
         graph.add_edge(\"research\", \"close\")\ngraph.add_edge(\"close\", END)",
    );
    text.replacen("from typing import Annotated", "from typing import Annotated, Literal", 1)
}

const SCRIPT: &str = "rules:\n  - say: said\n";
const ALL_RUNS: u64 = 12;

fn desk() -> Desk {
    let desk = Desk::with("flow.py", &everything());
    desk.write("flow.script.yaml", SCRIPT);
    let first = desk.run(["run", "flow.py", "--input", r#"{"topic":"t"}"#, "--thread", "t"]);
    assert!(first.expect(0).json()["answer"].as_str().unwrap().ends_with("said"));
    desk
}

/// The file with a part replaced.
fn edit(desk: &Desk, from: &str, to: &str) {
    assert!(everything().contains(from), "{from}");
    desk.write("flow.py", everything().replace(from, to));
}

fn rerun(desk: &Desk) -> Ended {
    desk.run(["run", "flow.py", "--only-changed", "--json"]).expect(0)
}

fn savings(ended: &Ended) -> Value {
    ended.lines().last().unwrap()["data"].clone()
}

fn execution(ended: &Ended) -> String {
    ended.lines()[0]["data"]["execution"].as_str().unwrap().to_string()
}

/// The nodes that ran, without those whose result was taken from before.
fn ran(ended: &Ended) -> Vec<String> {
    let lines = ended.lines();
    let ended = lines.iter().filter(|event| event["kind"] == "node_exit");
    let ran = ended.filter(|event| event["data"]["cached"].is_null());
    ran.map(|event| event["node"].as_str().unwrap().to_string()).collect()
}

fn answer(desk: &Desk) -> Value {
    desk.run(["run", "--thread", "t"]).expect(0).json()["answer"].clone()
}

#[test]
fn nothing_runs_again_when_nothing_has_changed() {
    let desk = desk();
    let before = answer(&desk);
    let ended = rerun(&desk);
    assert_eq!(ran(&ended), [""; 0]);
    let savings = savings(&ended);
    assert_eq!((&savings["ran"], &savings["reused"]), (&json!(0), &json!(ALL_RUNS)));
    assert_eq!(savings["saved"]["model_calls"], ALL_RUNS);
    assert!(savings["saved"]["usage"]["input"].as_u64().unwrap() > 0);
    assert!(!ended.kinds().contains(&"llm_request".to_string()));
    assert_eq!(answer(&desk), before);
    let replayed = desk.run(["run", "--replay", execution(&ended).as_str()]).expect(0);
    assert!(replayed.out.contains("equal:"), "{}", replayed.out);
    // A line that moves and a remark change nothing.
    edit(&desk, "def plan(", "# a remark\n\n\ndef plan(");
    let again = rerun(&desk);
    assert_eq!(ran(&again), [""; 0], "and what was taken once is taken again");
    assert_eq!(crate::changed::savings(&again)["saved"]["model_calls"], ALL_RUNS);
}

#[test]
fn only_a_changed_node_and_what_follows_from_it_run() {
    let desk = desk();
    edit(&desk, "\"again \" +", "\"once more \" +");
    let ended = rerun(&desk);
    assert_eq!(
        ran(&ended),
        ["again", "decide", "again", "decide", "dig", "sift", "close"],
        "those before are as they were"
    );
    assert!(answer(&desk).as_str().unwrap().contains("once more said"));
    edit(&desk, "\" | \".join", "\" / \".join");
    let ended = rerun(&desk);
    let all = ran(&ended);
    assert_eq!(all, ["close"], "older runs of the thread are looked at too");
    let text = desk.run(["run", "flow.py", "--only-changed"]).expect(0);
    text.says(&[
        "only what changed: 0 of 12 node runs; 12 taken from before, saved 12 model calls",
    ]);
}

#[test]
fn constants_helpers_and_routes_are_part_of_the_code() {
    for (from, to, first) in [
        ("PROMPT = \"plan\"", "PROMPT = \"plan well\"", Some("plan")),
        ("return text.strip()", "return text.upper()", Some("plan")),
        ("range(3)", "range(4)", Some("one")),
        ("state[\"rounds\"] < 2", "state[\"rounds\"] < 1", Some("decide")),
        ("\"sift \" +", "\"sieve \" +", Some("sift")),
        ("graph.add_edge(\"research\", \"close\")", "graph.add_edge(\"research\", END)", None),
    ] {
        let desk = desk();
        edit(&desk, from, to);
        let ended = rerun(&desk);
        assert_eq!(ran(&ended).first().map(String::as_str), first, "{from}");
        // It comes to what a run from nothing comes to.
        let taken = desk.run(["run", "--thread", "t"]).expect(0).json();
        let args = ["run", "flow.py", "--input", r#"{"topic":"t"}"#, "--thread", "fresh"];
        assert_eq!(desk.run(args).expect(0).json(), taken, "{from}");
    }
}

#[test]
fn a_run_that_failed_goes_on_after_the_mistake_is_mended() {
    let desk = Desk::with("flow.py", &everything().replace("\" | \".join", "\" | \".jion"));
    desk.write("flow.script.yaml", SCRIPT);
    desk.run(["run", "flow.py", "--input", r#"{"topic":"t"}"#, "--thread", "t"]).expect(1);
    desk.write("flow.py", everything());
    assert_eq!(ran(&rerun(&desk)), ["close"]);
}

#[test]
fn another_input_or_model_and_what_cannot_be_known_run() {
    let desk = desk();
    let args = ["run", "flow.py", "--only-changed", "--json", "--input", r#"{"topic":"other"}"#];
    let ended = desk.run(args).expect(0);
    // Neither the tasks of the fan-out nor those of the subgraph see the topic.
    assert!(!ran(&ended).contains(&"one".to_string()) && ran(&ended).contains(&"plan".to_string()));
    desk.write("other.yaml", SCRIPT);
    let args = ["run", "flow.py", "--only-changed", "--model", "scripted:other.yaml"];
    let ended = desk.run(args).expect(0);
    ended.says(&["every node runs", "12 of 12 node runs"]);
    desk.write("new.py", everything());
    let ended = desk.run(["run", "new.py", "--only-changed"]).expect(2);
    ended.says(&["new.py has no run to go by"]);
}

#[test]
fn what_chance_and_clock_gave_stays_and_memory_is_read_anew() {
    let text = workflow(
        "when: float\nseen: int\nlast: str",
        "import time\nfrom langgraph.config import get_store\n\n\n\
         def clock(state: State):\n    return {\"when\": time.time()}\n\n\n\
         def remember(state: State):\n    store = get_store()\n    known = store.get((\"n\",), \"n\")\n    seen = known.value[\"n\"] + 1 if known else 1\n    store.put((\"n\",), \"n\", {\"n\": seen})\n    return {\"seen\": seen}\n\n\n\
         def last(state: State):\n    return {\"last\": \"one\"}\n",
        "graph.add_node(clock)\ngraph.add_node(remember)\ngraph.add_node(\"finish\", last)\n\
         graph.add_edge(START, \"clock\")\ngraph.add_edge(\"clock\", \"remember\")\n\
         graph.add_edge(\"remember\", \"finish\")\ngraph.add_edge(\"finish\", END)",
    );
    let desk = Desk::with("flow.py", &text);
    let first = desk.run(["run", "flow.py", "--input", "{\"seen\": 0}", "--thread", "t"]);
    let first = first.expect(0).json();
    desk.write("flow.py", text.replace("\"one\"", "\"two\""));
    let ended = desk.run(["run", "flow.py", "--only-changed"]).expect(0).json();
    assert_eq!((&ended["when"], &ended["last"]), (&first["when"], &json!("two")));
    assert_eq!((&first["seen"], &ended["seen"]), (&json!(1), &json!(2)));
}
