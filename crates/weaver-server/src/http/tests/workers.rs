//! Workers over HTTP: who they are, what they are given, what they may report.

use axum::http::StatusCode;
use serde_json::{Value, json};
use weaver_api::worker::WORKER_HEADER;
use weaver_core::Hash;

use super::{Answer, TestApp};

const SOURCE: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
import own

class State(TypedDict):
    x: int

def work(state: State) -> dict:
    return {"x": own.f(state["x"])}

builder = StateGraph(State)
builder.add_node("work", work)
builder.add_edge(START, "work")
builder.add_edge("work", END)
app = builder.compile()
"#;

/// A worker that has registered.
struct Hand {
    id: String,
    proof: String,
}

impl Hand {
    async fn register(app: &TestApp, name: &str) -> Self {
        let answer = app.post("/workers/register", json!({"name": name, "capacity": 2})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let id = answer.body["worker"]["id"].as_str().unwrap().to_string();
        let proof = format!("{id}.{}", answer.body["secret"].as_str().unwrap());
        Hand { id, proof }
    }

    async fn post(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        app.ask("POST", path, &[(WORKER_HEADER, &self.proof)], Some(body)).await
    }

    async fn poll(&self, app: &TestApp) -> Answer {
        let texts = [Hash::of(SOURCE.as_bytes()).to_hex()];
        let body = json!({"texts": texts, "count": 1, "wait_seconds": 20});
        self.post(app, &format!("/workers/{}/poll", self.id), body).await
    }

    /// The next task.
    async fn task(&self, app: &TestApp) -> Value {
        let answer = self.poll(app).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["tasks"][0].clone()
    }
}

async fn submit(app: &TestApp) -> String {
    let workflow = json!({"file": "own.py", "source": SOURCE});
    let answer = app.post("/executions", json!({"workflow": workflow, "input": {"x": 1}})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    answer.body["execution_id"].as_str().unwrap().to_string()
}

fn refused(answer: &Answer, status: u16, code: &str) {
    let (found, body) = (answer.status.as_u16(), &answer.body);
    assert_eq!((found, body["code"].as_str()), (status, Some(code)), "{body}");
}

#[tokio::test]
async fn a_task_is_pulled_and_its_report_ends_the_execution() {
    let app = TestApp::working();
    let id = submit(&app).await;
    let waiting = app.until(&id, "waiting").await;
    assert_eq!(waiting["worker_tasks"][0]["status"], "queued");
    assert_eq!(waiting["worker_tasks"][0]["function"], "work");
    assert!(waiting.get("questions").is_none_or(|all| all.as_array().unwrap().is_empty()));
    let hand = Hand::register(&app, "hand").await;
    let task = hand.task(&app).await;
    assert_eq!(task["execution"], id.as_str());
    assert_eq!(task["assignment"]["args"], json!([{"x": 1}]));
    let running = app.get(&format!("/executions/{id}")).await.body;
    assert_eq!(running["worker_tasks"][0]["worker"], hand.id.as_str());
    let lease = format!("/leases/{}", task["lease"].as_str().unwrap());
    let extended = hand.post(&app, &format!("{lease}/extend"), json!({})).await;
    assert_eq!(extended.body, json!({"lease_seconds": 30}));
    let shown = json!({"emitted": [{"print": "half\n"}]});
    assert_eq!(hand.post(&app, &format!("{lease}/progress"), shown).await.status, StatusCode::OK);
    let other = Hand::register(&app, "other").await;
    let report = json!({"outcome": {"returned": {"x": 2}}, "emitted": [{"print": "done\n"}]});
    let complete = format!("{lease}/complete");
    refused(&other.post(&app, &complete, report.clone()).await, 409, "lease_lost");
    refused(&app.post(&complete, report.clone()).await, 401, "worker_unknown");
    for _ in 0..2 {
        let told = hand.post(&app, &complete, report.clone()).await;
        assert_eq!(told.status, StatusCode::NO_CONTENT, "{}", told.body);
    }
    let ended = app.until(&id, "completed").await;
    assert_eq!(ended["output"], json!({"x": 2}));
    let another = json!({"outcome": {"returned": {"x": 3}}});
    refused(&hand.post(&app, &complete, another).await, 409, "lease_lost");
    let failed = json!({"failure": {"kind": "crash", "code": "python_crashed", "message": "m"}});
    refused(&hand.post(&app, &format!("{lease}/fail"), failed).await, 409, "lease_lost");
}

#[tokio::test]
async fn a_cancel_ends_a_lease_and_a_drain_ends_the_polling() {
    let app = TestApp::working();
    let id = submit(&app).await;
    let hand = Hand::register(&app, "hand").await;
    let task = hand.task(&app).await;
    let lease = format!("/leases/{}", task["lease"].as_str().unwrap());
    app.post(&format!("/executions/{id}/cancel"), json!({})).await;
    refused(&hand.post(&app, &format!("{lease}/extend"), json!({})).await, 409, "lease_lost");
    let call = json!({"call": {"ordinal": 0, "name": "llm", "kwargs": {}}});
    refused(&hand.post(&app, &format!("{lease}/call"), call).await, 409, "lease_lost");
    let drained = app.post(&format!("/workers/{}/drain", hand.id), json!({})).await;
    assert_eq!(drained.body["status"], "draining");
    let polled = hand.poll(&app).await;
    assert_eq!(polled.body, json!({"tasks": [], "draining": true}));
    let listed = app.get("/workers").await.body;
    assert_eq!(listed["items"][0]["id"], hand.id.as_str());
    assert_eq!(listed["items"][0]["capacity"], 2);
    assert!(!listed.to_string().contains(&hand.proof[37..]), "the secret is not told again");
}

#[tokio::test]
async fn what_a_worker_asks_wrongly_is_refused_with_its_place() {
    let app = TestApp::new();
    let hand = Hand::register(&app, "hand").await;
    let poll = format!("/workers/{}/poll", hand.id);
    for (body, pointer) in [
        (json!({"texts": ["no"]}), "/texts/0"),
        (json!({"texts": [], "count": 0}), "/count"),
        (json!({"texts": [], "cuont": 1}), "/cuont"),
    ] {
        let answer = hand.post(&app, &poll, body).await;
        refused(&answer, 422, "validation_failed");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{}", answer.body);
    }
    refused(&app.post("/workers/register", json!({"name": ""})).await, 422, "validation_failed");
    refused(&hand.post(&app, "/leases/nonsense/extend", json!({})).await, 404, "not_found");
    let other = Hand::register(&app, "other").await;
    let taken = other.post(&app, &poll, json!({"texts": []})).await;
    refused(&taken, 404, "not_found");
    let forged = Hand { id: hand.id.clone(), proof: format!("{}.guess", hand.id) };
    refused(&forged.post(&app, &poll, json!({"texts": []})).await, 401, "worker_unknown");
}
