//! Breakpoints, and the past of executions.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::TestApp;
use super::workflows::GREET;

fn source(text: &str) -> Value {
    json!({ "file": "greet.py", "source": text })
}

/// An execution that stops before each node.
async fn stepped(app: &TestApp) -> String {
    let submitted = app
        .post(
            "/executions",
            json!({
                "workflow": source(GREET),
                "input": { "name": "Ada" },
                "breakpoints": { "before": ["*"] },
            }),
        )
        .await;
    assert_eq!(submitted.status, StatusCode::ACCEPTED, "{submitted:?}");
    submitted.body["execution_id"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn an_execution_goes_on_one_superstep_at_a_time() {
    let app = TestApp::working();
    let id = stepped(&app).await;
    let stopped = app.until(&id, "waiting").await;
    assert_eq!(stopped["stopped_before"], json!(["greet"]));
    let path = format!("/executions/{id}");
    let values = async || app.get(&format!("{path}/state")).await.body["values"].clone();
    assert_eq!(values().await, json!({ "name": "Ada" }));

    let resumed = app.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    let stopped = until_before(&app, &id, "shout").await;
    assert_eq!(stopped["breakpoints"], json!({ "before": ["*"] }));
    assert_eq!(values().await["text"], "Hello Ada");

    // From now on it stops nowhere.
    app.post(&format!("{path}/resume"), json!({ "breakpoints": {} })).await;
    let ended = app.until(&id, "completed").await;
    assert_eq!(ended["output"]["text"], "Hello Ada!");
    let late = app.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!((late.status, &late.body["code"]), (StatusCode::CONFLICT, &json!("state_conflict")));
}

#[tokio::test]
async fn a_step_under_a_key_is_made_once() {
    let app = TestApp::working();
    let id = stepped(&app).await;
    app.until(&id, "waiting").await;
    let path = format!("/executions/{id}/resume");
    let step = async |body: Value| {
        app.ask("POST", &path, &[("idempotency-key", "one step")], Some(body)).await
    };
    assert_eq!(step(json!({})).await.status, StatusCode::OK);
    until_before(&app, &id, "shout").await;
    assert_eq!(step(json!({})).await.status, StatusCode::OK);
    let other = step(json!({ "breakpoints": {} })).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.body["code"], "idempotency_key_reused");
    assert_eq!(app.until(&id, "waiting").await["stopped_before"], json!(["shout"]));
    assert_eq!(app.post(&path, json!({})).await.status, StatusCode::OK);
    app.until(&id, "completed").await;
}

async fn until_before(app: &TestApp, id: &str, node: &str) -> Value {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
    loop {
        let execution = app.until(id, "waiting").await;
        if execution["stopped_before"] == json!([node]) {
            return execution;
        }
        ticks.tick().await;
    }
}

#[tokio::test]
async fn a_state_is_changed_while_an_execution_stands_and_nothing_runs_again() {
    let app = TestApp::working();
    let id = stepped(&app).await;
    app.until(&id, "waiting").await;
    let path = format!("/executions/{id}");
    app.post(&format!("{path}/resume"), json!({})).await;
    until_before(&app, &id, "shout").await;

    for (values, says) in
        [(json!({ "nmae": "x" }), "no key `nmae`"), (json!({ "text": 7 }), "text")]
    {
        let refused = app.post(&format!("{path}/state"), json!({ "values": values })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert!(refused.body["detail"].as_str().unwrap().contains(says), "{refused:?}");
    }
    let edit = json!({ "values": { "text": "Good evening" } });
    let edited = app.post(&format!("{path}/state"), edit.clone()).await;
    assert_eq!(edited.status, StatusCode::OK, "{edited:?}");
    assert_eq!(edited.body["values"]["text"], "Good evening");
    assert_eq!(edited.body["tasks"][0]["node"], "shout");
    assert_eq!(app.until(&id, "waiting").await["stopped_before"], json!(["shout"]));

    app.post(&format!("{path}/resume"), json!({ "breakpoints": {} })).await;
    let ended = app.until(&id, "completed").await;
    assert_eq!(ended["output"]["text"], "Good evening!");
    let late = app.post(&format!("{path}/state"), edit).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{late:?}");
    let listed = app.get("/executions").await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "an edit is not listed");
}

#[tokio::test]
async fn a_fork_goes_on_from_a_past_moment_beside_the_first_run() {
    let app = TestApp::working();
    let submitted = app
        .post("/executions", json!({ "workflow": source(GREET), "input": { "name": "Ada" } }))
        .await;
    let id = submitted.body["execution_id"].as_str().unwrap();
    app.until(id, "completed").await;
    let path = format!("/executions/{id}");
    let checkpoints = app.get(&format!("{path}/checkpoints")).await.body;
    let checkpoints = checkpoints["items"].as_array().unwrap();
    let nodes: Vec<&Value> = checkpoints.iter().map(|it| &it["writes_by"]).collect();
    assert_eq!(*nodes.last().unwrap(), &json!(["shout"]), "{checkpoints:?}");
    let at = checkpoints.iter().find(|it| it["next"] == json!(["shout"])).unwrap();
    let past = app.get(&format!("{path}/state?at={}", at["id"].as_str().unwrap())).await.body;
    assert_eq!(past["values"]["text"], "Hello Ada");

    let changed = GREET.replace("{{ text }}!", "{{ text }}?");
    let request =
        json!({ "at": at["id"], "values": { "text": "Bye" }, "workflow": source(&changed) });
    let keyed = async |request: &Value| {
        app.ask("POST", &format!("{path}/fork"), &[("idempotency-key", "f")], Some(request.clone()))
            .await
    };
    let forked = keyed(&request).await;
    assert_eq!(forked.status, StatusCode::ACCEPTED, "{forked:?}");
    assert_eq!(keyed(&request).await.body["execution_id"], forked.body["execution_id"]);
    let fork = app.until(forked.body["execution_id"].as_str().unwrap(), "completed").await;
    assert_eq!(fork["output"]["text"], "Bye?");
    assert_eq!(fork["forked_from"], json!({ "execution": id, "checkpoint": at["id"] }));
    assert_ne!(fork["thread"], app.until(id, "completed").await["thread"]);
    let first = app.get(&format!("{path}/state")).await.body;
    assert_eq!(first["values"]["text"], "Hello Ada!", "the first run is what it was");

    for (request, status) in [
        (json!({ "at": "ffffffff" }), StatusCode::NOT_FOUND),
        (json!({ "at": at["id"], "values": { "x": 1 } }), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "at": at["id"], "workflow": source("x = ") }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let refused = app.post(&format!("{path}/fork"), request).await;
        assert_eq!(refused.status, status, "{refused:?}");
    }
}

#[tokio::test]
async fn a_run_is_gone_through_again_and_told_in_sentences() {
    let app = TestApp::working();
    let submitted = app
        .post("/executions", json!({ "workflow": source(GREET), "input": { "name": "Ada" } }))
        .await;
    let id = submitted.body["execution_id"].as_str().unwrap();
    app.until(id, "completed").await;
    let path = format!("/executions/{id}");
    let same = app.post(&format!("{path}/replay"), json!({})).await;
    assert_eq!((same.status, &same.body["equal"]), (StatusCode::OK, &json!(true)), "{same:?}");
    let changed = source(&GREET.replace("Hello", "Bye"));
    let other = app.post(&format!("{path}/replay"), json!({ "workflow": changed })).await.body;
    assert_eq!(other["equal"], false);
    assert_eq!(other["differences"][0]["node"], "greet");
    let workflow = app.get(&format!("{path}/workflow")).await.body;
    assert_eq!(workflow, source(GREET));
    let log = app.get(&format!("{path}/logs")).await.body;
    let said: Vec<&str> =
        log["items"].as_array().unwrap().iter().map(|it| it["message"].as_str().unwrap()).collect();
    assert_eq!(said, ["started", "`greet` ended", "`shout` ended", "completed"]);
}

#[tokio::test]
async fn only_what_has_changed_runs_again_and_says_what_that_spared() {
    let app = TestApp::working();
    let workflow = |text: &str| json!({ "file": "ask.py", "source": text, "script": "rules:\n  - say: said\n" });
    let first =
        app.post("/executions", json!({ "workflow": workflow(ASK), "input": { "q": "x" } }));
    let id = first.await.body["execution_id"].as_str().unwrap().to_string();
    app.until(&id, "completed").await;
    let path = format!("/executions/{id}/rerun");
    let again = async |key: &str, body: Value| {
        let answer = app.ask("POST", &path, &[("idempotency-key", key)], Some(body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.body["execution_id"].as_str().unwrap().to_string()
    };

    let same = again("a", json!({})).await;
    assert_eq!(again("a", json!({})).await, same, "a repeat is the same execution");
    let same = app.until(&same, "completed").await;
    assert_eq!(same["rerun_of"], id.as_str());
    let spared = |it: &Value| {
        let savings = &it["savings"];
        ["ran", "reused", "model_calls"].map(|key| savings[key].as_u64().unwrap())
    };
    assert_eq!(spared(&same), [0, 2, 2], "{same}");
    assert!(same["savings"]["tokens_output"].as_u64().unwrap() > 0, "{same}");

    let changed = ASK.replace("prompt=\"two\"", "prompt=\"three\"");
    let changed = again("b", json!({ "workflow": workflow(&changed) })).await;
    let changed = app.until(&changed, "completed").await;
    assert_eq!(spared(&changed), [1, 1, 1], "{changed}");

    // The first node sees the whole state, so another input is another question to it.
    let other = again("c", json!({ "input": { "q": "y" } })).await;
    assert_eq!(spared(&app.until(&other, "completed").await), [2, 0, 0]);

    let waiting = stepped(&app).await;
    app.until(&waiting, "waiting").await;
    let early = app.post(&format!("/executions/{waiting}/rerun"), json!({})).await;
    assert_eq!(
        (early.status, &early.body["code"]),
        (StatusCode::CONFLICT, &json!("state_conflict"))
    );
}

const ASK: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    q: str
    one: str
    two: str

graph = StateGraph(State)
graph.add_node("first", nodes.llm(model="scripted", prompt="one", into="one"))
graph.add_node("second", nodes.llm(model="scripted", prompt="two", into="two"))
graph.add_edge(START, "first")
graph.add_edge("first", "second")
graph.add_edge("second", END)
app = graph.compile()
"#;
