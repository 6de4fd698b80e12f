//! `/metrics` of a server after a run says what that did, on each kind of store; what it
//! says stands in the guide.

use std::collections::BTreeMap;

use serde_json::json;

use crate::place::Place;
use crate::postgres;

#[test]
fn a_run_on_sqlite_is_measured() {
    a_run_is_measured(&Place::new(None));
}

#[test]
fn a_run_on_postgresql_is_measured() {
    let schema = uuid::Uuid::now_v7().simple();
    a_run_is_measured(&Place::new(Some(format!("{}?schema=m{schema}", postgres::shared_url()))));
}

/// A node that fails once, a model, a tool.
const MEASURED: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy
from agentweaver import llm, nodes

class State(TypedDict):
    said: str
    done: object

def talk(state: State, runtime: Runtime) -> dict:
    if runtime.execution_info.node_attempt < 2:
        raise ConnectionError("not yet")
    return {"said": llm("openai/gpt-4o", "Say something.", max_tokens=100).text}

builder = StateGraph(State)
builder.add_node("talk", talk, retry_policy=RetryPolicy(initial_interval=0.01, max_attempts=2))
builder.add_node("keep", nodes.file(op="write", path="notes.txt", content="{{ said }}", into="done"))
builder.add_edge(START, "talk")
builder.add_edge("talk", "keep")
builder.add_edge("keep", END)
app = builder.compile()
"#;

/// What is not nothing after a run, while another is queued and a worker is there.
const TOUCHED: &[&str] = &[
    "api_calls_total",
    "claim_wait_seconds_count",
    "claims_total",
    "commit_duration_seconds_count",
    "database_connections",
    "database_latency_seconds",
    "event_lag_seconds_count",
    "executions",
    "llm_calls_total",
    "llm_cost_usd_total",
    "llm_first_token_seconds_count",
    "llm_tokens_total",
    "node_duration_seconds_count",
    "node_retries_total",
    "queue_age_seconds",
    "queue_depth",
    "step_duration_seconds_count",
    "tool_calls_total",
    "uptime_seconds",
    "workers",
    "workflow_execution_duration_seconds_count",
    "workflow_executions_total",
];

fn a_run_is_measured(place: &Place) {
    // Each token is a dollar.
    let prices = "[prices.scripted]\ninput = \"1000000\"\noutput = \"1000000\"\n";
    place.write("agentweaver.toml", &format!("model = \"scripted\"\n{prices}"));
    let _server = place.serve(&[]);
    let limit = json!({ "scope": "workflow", "name": "measured.py",
        "rate": { "every_seconds": 3600.0, "burst": 1 } });
    assert_eq!(place.http("PUT", "/limits", Some(&limit)).0, 200);
    let about = json!({ "name": "w" });
    assert_eq!(place.http("POST", "/workers/register", Some(&about)).0, 201);
    let workflow = json!({ "file": "measured.py", "source": MEASURED });
    let submit = |stream: bool| {
        let body = json!({ "workflow": workflow, "input": { "said": "" }, "stream": stream });
        place.http("POST", "/executions", Some(&body)).0
    };
    // The answer to the first ends with its run; the second of an hour is put off.
    assert_eq!((submit(true), submit(false)), (200, 202));

    let text = place.text("/metrics");
    let measured = sums(&text);
    let untouched = TOUCHED.iter().filter(|name| measured.get(**name).is_none_or(|n| *n == 0.0));
    assert_eq!(untouched.collect::<Vec<_>>(), Vec::<&&str>::new(), "{text}");
    let ended = "workflow_executions_total{user_id=\"local\",workflow_id=\"measured.py\",\
        status=\"completed\"} 1";
    assert!(text.contains(ended), "{text}");

    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/http.md"));
    let guide = guide.unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE agentweaver_")) {
        let name = line.split(' ').next().unwrap();
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
    }
}

/// The sum of each metric's lines.
fn sums(text: &str) -> BTreeMap<&str, f64> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("agentweaver_")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name = name.split('{').next().unwrap();
        *sums.entry(name).or_default() += value.parse::<f64>().unwrap();
    }
    sums
}
