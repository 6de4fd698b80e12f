//! Workflows that are kept, changed and executed.

use axum::http::StatusCode;
use serde_json::json;

use super::TestApp;

/// A graph without Python functions.
pub const GREET: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    name: str
    text: str

graph = StateGraph(State)
graph.add_node("greet", nodes.response(text="Hello {{ name }}", into="text"))
graph.add_node("shout", nodes.response(text="{{ text }}!", into="text"))
graph.add_edge(START, "greet")
graph.add_edge("greet", "shout")
graph.add_edge("shout", END)
app = graph.compile()
"#;

#[tokio::test]
async fn a_workflow_is_kept_changed_and_forgotten() {
    let app = TestApp::new();
    let new =
        json!({ "name": "Greeting", "source": GREET, "layout": { "greet": { "x": 1.5, "y": 2 } } });
    let made = app.post("/workflows", new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.headers["etag"], "\"1\"");
    assert_eq!(made.body["file"], "greeting.py");
    let path = format!("/workflows/{}", made.body["id"].as_str().unwrap());

    let change = json!({ "source": format!("{GREET}# more\n"), "version": 1 });
    let changed = app.ask("PUT", &path, &[], Some(change.clone())).await;
    assert_eq!((changed.status, &changed.body["version"]), (StatusCode::OK, &json!(2)));
    assert_eq!(changed.body["layout"]["greet"]["x"], 1.5);

    // Who has not seen that changes nothing.
    let stale = app.ask("PUT", &path, &[], Some(change.clone())).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert_eq!(
        (&stale.body["code"], &stale.body["version"]),
        (&json!("version_conflict"), &json!(2))
    );
    let named = json!({ "name": "Other" });
    let stale = app.ask("PUT", &path, &[("if-match", "\"1\"")], Some(named.clone())).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let without = app.ask("PUT", &path, &[], Some(named.clone())).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let named = app.ask("PUT", &path, &[("if-match", "\"2\"")], Some(named)).await;
    assert_eq!((named.status, &named.body["name"]), (StatusCode::OK, &json!("Other")));

    let versions = app.get(&format!("{path}/versions")).await.body;
    let versions = versions["items"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "a name is no new text");
    assert_eq!(versions[1]["source"], GREET);
    let listed = app.get("/workflows").await.body;
    assert_eq!(listed["items"][0]["name"], "Other");
    assert_eq!(listed["items"][0].get("source"), None);

    let stale = app.ask("DELETE", &path, &[("if-match", "\"2\"")], None).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(app.ask("DELETE", &path, &[], None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn workflows_are_found_by_a_text_page_by_page() {
    let app = TestApp::new();
    for n in 0..5 {
        let name = if n % 2 == 0 { format!("Daily report {n}") } else { format!("Chat {n}") };
        app.post("/workflows", json!({ "name": name, "source": GREET })).await;
    }
    let page = async |query: &str| {
        let page = app.get(&format!("/workflows?{query}")).await.body;
        let items = page["items"].as_array().unwrap().iter();
        let names: Vec<String> =
            items.map(|item| item["name"].as_str().unwrap().to_string()).collect();
        (names, page["next_cursor"].as_str().map(String::from))
    };
    let (first, next) = page("q=dAILY&limit=2").await;
    assert_eq!(first, ["Daily report 4", "Daily report 2"]);
    let (second, end) = page(&format!("q=daily&limit=2&cursor={}", next.unwrap())).await;
    assert_eq!((second, end), (vec!["Daily report 0".to_string()], None));
    assert_eq!(page("q=chat_3.py").await.0, ["Chat 3"], "the file");
    assert_eq!(page("q=weekly").await, (Vec::new(), None));
    let (all, next) = page("limit=4").await;
    assert_eq!((all.len(), next.is_some()), (4, true));
}

#[tokio::test]
async fn a_workflow_is_made_once_for_a_key() {
    let app = TestApp::new();
    let make = async |name: &str, key: &str| {
        let body = json!({ "name": name, "source": GREET });
        app.ask("POST", "/workflows", &[("idempotency-key", key)], Some(body)).await
    };
    let first = make("One", "k").await;
    let again = make("One", "k").await;
    assert_eq!((again.status, &again.body["id"]), (StatusCode::CREATED, &first.body["id"]));
    assert_eq!(make("Two", "k").await.body["code"], "idempotency_key_reused");
    assert_eq!(app.get("/workflows").await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_at_its_place() {
    let app = TestApp::new();
    for (body, pointer) in [
        (json!({ "name": " ", "source": "" }), "/name"),
        (json!({ "name": "a", "source": "", "file": "" }), "/file"),
        (json!({ "name": "a", "source": "x".repeat(3 << 20) }), "/source"),
        (
            json!({ "name": "a", "source": "", "layout": { "n": { "x": "1", "y": 1 } } }),
            "/layout/n/x",
        ),
    ] {
        let refused = app.post("/workflows", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    assert_eq!(app.get("/workflows/nonsense").await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/workflows?cursor=x").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn any_text_that_it_has_had_is_executed() {
    let app = TestApp::new();
    let made = app.post("/studio/templates/intent_triage/use", json!({ "name": "Mine" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/workflows/{id}");
    let change = json!({ "source": GREET, "file": "greet.py", "version": 1 });
    app.ask("PUT", &path, &[], Some(change)).await;

    let execute = async |body| app.post(&format!("{path}/execute"), body).await;
    let newest = execute(json!({ "input": { "name": "Ada" } })).await;
    assert_eq!(newest.status, StatusCode::ACCEPTED, "{newest:?}");
    let first = execute(json!({ "input": { "message": "hi" }, "version": 1 })).await;
    let file = async |answer: &super::Answer| {
        let id = answer.body["execution_id"].as_str().unwrap();
        app.get(&format!("/executions/{id}")).await.body
    };
    let shown = file(&newest).await;
    assert_eq!((&shown["workflow"], &shown["workflow_id"]), (&json!("greet.py"), &json!(id)));
    assert_eq!(shown["version"], app.get(&path).await.body["hash"]);
    assert_eq!(file(&first).await["workflow"], "intent_triage.py");
    let missing = execute(json!({ "input": {}, "version": 7 })).await;
    assert_eq!(missing.body["errors"][0]["pointer"], "/version");
}

#[tokio::test]
async fn a_workflow_in_a_folder_is_its_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("greet.py"), GREET).unwrap();
    let app = TestApp::in_folder(dir.path());
    let listed = app.get("/workflows").await.body;
    let item = &listed["items"][0];
    assert_eq!((&item["name"], &item["origin"]), (&json!("greet"), &json!("folder")));
    let path = format!("/workflows/{}", item["id"].as_str().unwrap());
    let found = app.get(&path).await.body;
    assert_eq!(found["source"], GREET);

    let mut changes = app.app.changes.subscribe();
    let change = json!({ "layout": { "greet": { "x": 1, "y": 2 } }, "version": found["version"] });
    let changed = app.ask("PUT", &path, &[], Some(change)).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(changes.recv().await.unwrap().to_string(), item["id"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(dir.path().join("greet.py")).unwrap(), GREET);
    assert!(dir.path().join("greet.layout.json").exists());

    // Its owner saves in another editor.
    std::fs::write(dir.path().join("greet.py"), format!("{GREET}# mine\n")).unwrap();
    let late = json!({ "source": "lost", "version": changed.body["version"] });
    let late = app.ask("PUT", &path, &[], Some(late)).await;
    assert_eq!(
        (late.status, &late.body["code"]),
        (StatusCode::CONFLICT, &json!("version_conflict"))
    );
    assert_eq!(app.get(&path).await.body["version"], late.body["version"]);
    let run = app.post(&format!("{path}/execute"), json!({ "input": { "name": "Ada" } })).await;
    assert_eq!(run.status, StatusCode::ACCEPTED, "{run:?}");

    let new = json!({ "name": "Other one", "source": GREET });
    assert_eq!(app.post("/workflows", new.clone()).await.body["file"], "other_one.py");
    assert_eq!(app.post("/workflows", new).await.status, StatusCode::CONFLICT);
    assert_eq!(app.ask("DELETE", &path, &[], None).await.status, StatusCode::CONFLICT);
    assert!(dir.path().join("greet.py").exists());
}
