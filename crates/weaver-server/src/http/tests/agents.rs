//! Workflows that clients of models talk to.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::workflows::GREET;
use super::{ADDRESS, TOKEN, TestApp};

/// A graph that looks something up before it answers.
const HELPER: &str = r#"
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from agentweaver import nodes

class State(TypedDict):
    messages: Annotated[list, add_messages]
    found: str

graph = StateGraph(State)
graph.add_node("look", nodes.llm(model="scripted", prompt="Look up {{ messages[-1].content }}", into="found"))
graph.add_node("answer", nodes.llm(model="scripted", prompt="Answer with {{ found }}", into="messages"))
graph.add_edge(START, "look")
graph.add_edge("look", "answer")
graph.add_edge("answer", END)
app = graph.compile()
"#;

const SCRIPT: &str = r#"
chunk: 4
rules:
  - when: {user: "Look up broken"}
    fail: {kind: auth}
    say: never
  - when: {user: Look up}
    say: notes
    usage: {input: 10, output: 1}
  - when: {user: Answer with}
    say: "It is {{ last_user }}."
    usage: {input: 20, output: 2}
"#;

/// Waits for a person before it answers.
const ASKER: &str = r#"
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from agentweaver import nodes

class State(TypedDict):
    messages: Annotated[list, add_messages]
    allowed: dict

graph = StateGraph(State)
graph.add_node("ask", nodes.wait(message="May I?", form={"ok": "bool"}, into="allowed"))
graph.add_edge(START, "ask")
graph.add_edge("ask", END)
app = graph.compile()
"#;

impl TestApp {
    /// A server that works, with these workflows.
    async fn with(workflows: &[(&str, &str)]) -> Self {
        let app = TestApp::working();
        for (name, source) in workflows {
            let made = json!({ "name": name, "source": source, "script": SCRIPT });
            assert_eq!(app.post("/workflows", made).await.status, StatusCode::CREATED);
        }
        app
    }

    /// Asks what is under `/v1`.
    async fn v1(&self, path: &str, body: Option<Value>) -> (StatusCode, HeaderMap, String) {
        let request = Request::builder()
            .method(if body.is_some() { "POST" } else { "GET" })
            .uri(format!("/v1{path}"))
            .header(header::HOST, ADDRESS)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }
}

fn ask(model: &str, text: &str) -> Value {
    json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": text }] })
}

fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"))
}

#[tokio::test]
async fn an_agent_answers_in_each_interface_as_a_model_would() {
    let app = TestApp::with(&[("Helper", HELPER), ("Greeting", GREET)]).await;
    let (_, _, listed) = app.v1("/models", None).await;
    let ids: Vec<_> =
        read(&listed)["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert!(ids.contains(&json!("agent/Helper")), "{ids:?}");
    assert!(!ids.contains(&json!("agent/Greeting")), "it has no messages: {ids:?}");
    assert_eq!(app.v1("/models/agent/Helper", None).await.0, StatusCode::OK);

    let expected = "It is Answer with notes.";
    let (status, headers, body) =
        app.v1("/chat/completions", Some(ask("agent/Helper", "tea"))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let answer = read(&body);
    assert_eq!(answer["choices"][0]["message"]["content"], expected);
    assert_eq!(answer["model"], "agent/Helper");
    assert_eq!(
        (&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]),
        (&json!(30), &json!(3))
    );
    // The execution can be looked at, and shows what was sent.
    let id = headers["x-agentweaver-execution"].to_str().unwrap();
    let execution = app.get(&format!("/executions/{id}")).await.body;
    assert_eq!(execution["status"], "completed");
    assert_eq!(execution["output"]["messages"][0]["content"], "tea");

    let (_, _, body) = app.v1("/messages", Some(ask("agent/Helper", "tea"))).await;
    assert_eq!(read(&body)["content"][0]["text"], expected);
    let asked = json!({ "model": "agent/Helper", "input": "tea" });
    let (_, _, body) = app.v1("/responses", Some(asked)).await;
    assert_eq!(read(&body)["output"][0]["content"][0]["text"], expected);
}

#[tokio::test]
async fn a_stream_has_the_words_of_the_last_node_as_they_come() {
    let app = TestApp::with(&[("Helper", HELPER)]).await;
    let mut asked = ask("agent/Helper", "tea");
    asked["stream"] = json!(true);
    asked["stream_options"] = json!({ "include_usage": true });
    let (_, _, body) = app.v1("/chat/completions", Some(asked)).await;
    let (mut text, mut tokens) = (String::new(), Value::Null);
    for data in
        body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|d| *d != "[DONE]")
    {
        let chunk = read(data);
        if let Some(piece) =
            chunk["choices"][0]["delta"]["content"].as_str().filter(|p| !p.is_empty())
        {
            text.push_str(piece);
        }
        tokens = chunk["usage"]["total_tokens"].clone();
    }
    assert_eq!(text, "It is Answer with notes.", "and nothing of the node before: {body}");
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    assert_eq!(tokens, 33);
}

#[tokio::test]
async fn what_an_agent_cannot_do_is_said_in_the_words_of_the_interface() {
    let app = TestApp::with(&[("Helper", HELPER), ("Greeting", GREET), ("Asker", ASKER)]).await;
    let refused = async |model: &str, more: Value| {
        let mut body = ask(model, "broken");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, _, body) = app.v1("/chat/completions", Some(body)).await;
        let error = read(&body)["error"].clone();
        (status.as_u16(), error["code"].clone(), error["message"].as_str().unwrap().to_string())
    };
    let (status, code, said) = refused("agent/Helpr", json!({})).await;
    assert_eq!((status, code), (404, json!("model_not_found")));
    assert!(said.contains("Did you mean `agent/Helper`?"), "{said}");
    let (status, _, said) = refused("agent/Greeting", json!({})).await;
    assert!(status == 400 && said.contains("messages"), "{said}");
    let tools = json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] });
    assert_eq!(refused("agent/Helper", tools).await.0, 400);
    let (status, code, said) = refused("agent/Helper", json!({})).await;
    assert_eq!((status, code), (500, json!("agent_failed")));
    assert!(said.contains("model_auth"), "{said}");
    let (status, code, said) = refused("agent/Asker", json!({})).await;
    assert_eq!((status, code), (409, json!("agent_waits")));
    let id = said.trim_end_matches('.').rsplit(' ').next().unwrap();
    assert_eq!(app.get(&format!("/executions/{id}")).await.body["status"], "waiting");
}
