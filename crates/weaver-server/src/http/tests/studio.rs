//! Reading texts, and what there is to build with.

use axum::http::StatusCode;
use serde_json::json;

use super::TestApp;
use super::workflows::GREET;

const SOURCE: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    question: str
    answer: str

def think(state: State) -> dict:
    return {"question": state["question"].strip()}

graph = StateGraph(State)
graph.add_node("think", think)
graph.add_node("say", nodes.llm(model="claude", prompt="{{ question }}", tools=["web_search"], into="answer"))
graph.add_edge(START, "think")
graph.add_edge("think", "say")
graph.add_edge("say", END)
app = graph.compile()
"#;

#[tokio::test]
async fn a_text_is_read_however_broken_it_is() {
    let app = TestApp::new();
    let whole = app.post("/studio/parse", json!({ "source": SOURCE, "file": "a.py" })).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.body["spec"]["graphs"][0]["nodes"][1]["name"], "say");
    let broken = SOURCE.replace("graph.add_edge(\"say\", END)", "graph.add_edge(\"say\",");
    let broken = app.post("/studio/parse", json!({ "source": broken })).await;
    assert_eq!(broken.status, StatusCode::OK);
    assert_eq!(broken.body["spec"]["problems"][0]["code"], "syntax_error");
    assert_eq!(broken.body["spec"]["graphs"][0]["nodes"][1]["name"], "say");
    assert_ne!(whole.body["version"], broken.body["version"]);
}

#[tokio::test]
async fn compiling_says_where_each_node_runs_and_what_it_needs() {
    let app = TestApp::new();
    let compiled = app.post("/studio/compile", json!({ "source": SOURCE })).await.body;
    assert_eq!(compiled["runs"], true, "{compiled}");
    assert_eq!(compiled["graph"], "app");
    let graph = &compiled["graphs"][0];
    assert_eq!(
        graph["nodes"],
        json!([{ "name": "think", "runs": "embedded" }, { "name": "say", "runs": "native" }])
    );
    assert_eq!(graph["models"], json!(["claude"]));
    assert_eq!(graph["tools"], json!(["web_search"]));
    assert_eq!(graph["channels"][0], json!({ "name": "question", "type": "str" }));

    let wrong = SOURCE.replace("add_edge(\"think\", \"say\")", "add_edge(\"think\", \"sya\")");
    let compiled = app.post("/studio/compile", json!({ "source": wrong })).await.body;
    assert_eq!(compiled["runs"], false);
    assert_eq!(compiled["problems"][0]["code"], "unknown_node");
}

#[tokio::test]
async fn an_operation_changes_its_bytes_or_is_refused_at_its_place() {
    let app = TestApp::new();
    let version =
        app.post("/studio/parse", json!({ "source": SOURCE })).await.body["version"].clone();
    let operations = json!([
        { "op": "add_node", "name": "ask", "node": { "typed": "user_input", "settings": {} } },
        { "op": "add_edge", "source": "ask", "target": "say" },
    ]);
    let request = json!({ "source": SOURCE, "version": version, "operations": operations });
    let edited = app.post("/studio/edit", request.clone()).await;
    assert_eq!(edited.status, StatusCode::OK, "{edited:?}");
    assert_eq!(edited.body["spec"]["graphs"][0]["nodes"][2]["name"], "ask");
    let text = edited.body["source"].as_str().unwrap();
    let undone = edited.body["undo"].as_array().unwrap().iter().rev().fold(
        text.to_string(),
        |mut text, edit| {
            let at = |name: &str| edit[name].as_u64().unwrap() as usize;
            text.replace_range(at("start")..at("end"), edit["text"].as_str().unwrap());
            text
        },
    );
    assert_eq!(undone, SOURCE);

    let mut stale = request.clone();
    stale["version"] = "0".into();
    let stale = app.post("/studio/edit", stale).await;
    assert_eq!(
        (stale.status, &stale.body["code"]),
        (StatusCode::CONFLICT, &json!("version_conflict"))
    );
    let mut wrong = request;
    wrong["operations"][1]["target"] = "sya".into();
    let refused = app.post("/studio/edit", wrong).await;
    assert_eq!(refused.body["code"], "edit_refused", "{refused:?}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/operations/1/target");
}

#[tokio::test]
async fn an_old_workflow_becomes_a_file_that_means_the_same() {
    let app = TestApp::new();
    let node =
        |id: &str, kind: &str| json!({ "id": id, "type": kind, "position": { "x": 1, "y": 2 } });
    let document = json!({
        "nodes": [node("ask", "user_input"), node("dream", "hologram")],
        "edges": [{ "source": "ask", "target": "dream" }],
    });
    let done = app.post("/studio/convert", json!({ "document": document })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.body["warnings"][0]["node"], "dream");
    assert_eq!(done.body["layout"]["ask"], json!({ "x": 1.0, "y": 2.0 }));
    let parsed = app.post("/studio/parse", json!({ "source": done.body["source"] })).await.body;
    let nodes = parsed["spec"]["graphs"][0]["nodes"].as_array().unwrap();
    assert_eq!(nodes.iter().map(|node| &node["name"]).collect::<Vec<_>>(), ["ask", "dream"]);

    let foreign = app.post("/studio/convert", json!({ "document": { "a": 1 } })).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(foreign.body["errors"][0]["pointer"], "/document");
}

#[tokio::test]
async fn palette_and_gallery_are_lists() {
    let app = TestApp::new();
    let nodes = app.get("/studio/nodes").await.body;
    let llm = nodes["items"].as_array().unwrap().iter().find(|node| node["name"] == "llm");
    assert_eq!(llm.unwrap()["settings"][0]["required"], true);
    let templates = app.get("/studio/templates").await.body;
    assert!(templates["items"].as_array().unwrap().len() >= 12);
    assert_eq!(templates["items"][0]["input"]["message"].as_str().map(str::is_empty), Some(false));
}

#[tokio::test]
async fn a_gesture_becomes_the_fewest_edits_of_the_text() {
    let app = TestApp::new();
    let rename = json!({ "op": "rename_node", "name": "say", "to": "reply" });
    let parsed = app.post("/studio/parse", json!({ "source": SOURCE })).await;
    let asked =
        json!({ "source": SOURCE, "version": parsed.body["version"], "operations": [rename] });
    let done = app.post("/studio/edit", asked).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(done.body["source"], SOURCE.replace("\"say\"", "\"reply\""));
    assert_eq!(done.body["edits"].as_array().unwrap().len(), 3);
    assert_eq!(done.body["spec"]["graphs"][0]["nodes"][1]["name"], "reply");
}

#[tokio::test]
async fn a_gesture_that_cannot_be_done_is_refused_whole() {
    let app = TestApp::new();
    let operations = json!([
        { "op": "add_edge", "source": "think", "target": "__end__" },
        { "op": "remove_node", "name": "nobody" },
    ]);
    let refused =
        app.post("/studio/edit", json!({ "source": SOURCE, "operations": operations })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["code"], "edit_refused");
    assert_eq!(refused.body["errors"][0]["pointer"], "/operations/1/name");

    let stale = json!({ "source": SOURCE, "version": "0".repeat(64), "operations": [] });
    let stale = app.post("/studio/edit", stale).await;
    assert_eq!(
        (stale.status, &stale.body["code"]),
        (StatusCode::CONFLICT, &json!("version_conflict"))
    );

    let foreign = json!({ "source": SOURCE, "operations": [{ "op": "paint" }] });
    let foreign = app.post("/studio/edit", foreign).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(foreign.body["errors"][0]["pointer"], "/operations/0");
}

#[tokio::test]
async fn what_the_editor_shows_is_run_whole_or_by_one_superstep() {
    let app = TestApp::working();
    let run = json!({
        "workflow": { "file": "greet.py", "source": GREET },
        "input": { "name": "Ada" },
    });
    let streamed = app.post("/studio/test/run", run.clone()).await;
    assert_eq!(streamed.headers["content-type"], "text/event-stream");
    assert!(streamed.body.as_str().unwrap().contains("\"kind\":\"done\""), "{streamed:?}");

    let mut stopped = run;
    stopped["breakpoints"] = json!({ "before": ["greet"] });
    stopped["wait"] = json!(20);
    let stopped = app.post("/executions", stopped).await.body;
    assert_eq!(stopped["stopped_before"], json!(["greet"]));
    let step = json!({ "execution_id": stopped["id"] });
    let one = app.post("/studio/test/run-step", step.clone()).await;
    assert_eq!(one.status, StatusCode::OK, "{one:?}");
    assert_eq!(
        (&one.body["status"], &one.body["stopped_before"]),
        (&json!("waiting"), &json!(["shout"]))
    );
    let last = app.post("/studio/test/run-step", step.clone()).await.body;
    assert_eq!(
        (&last["status"], &last["output"]["text"]),
        (&json!("completed"), &json!("Hello Ada!"))
    );
    // There is nothing left to go on with.
    assert_eq!(app.post("/studio/test/run-step", step).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_kept_workflow_is_compiled_and_validated_under_the_studios_name_too() {
    let app = TestApp::new();
    let made = app.post("/studio/workflows", json!({ "name": "a", "source": SOURCE })).await.body;
    let path = format!("/studio/workflows/{}", made["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.body["source"], SOURCE);
    assert_eq!(app.get("/studio/workflows").await.body, app.get("/workflows").await.body);
    let compiled = app.post(&format!("{path}/compile"), json!({})).await.body;
    assert_eq!(compiled, app.post("/studio/compile", json!({ "source": SOURCE })).await.body);

    let wrong = SOURCE.replace("add_edge(\"think\", \"say\")", "add_edge(\"think\", \"sya\")");
    let checked = app.post("/studio/validate", json!({ "source": wrong })).await.body;
    assert_eq!(checked["runs"], false);
    assert_eq!(checked["problems"][0]["code"], "unknown_node", "{checked}");
    let change = json!({ "source": wrong, "version": 1 });
    app.ask("PUT", &path, &[], Some(change)).await;
    let kept = app.post(&format!("{path}/validate"), json!({})).await.body;
    assert_eq!(
        kept["problems"].as_array().map(Vec::len),
        checked["problems"].as_array().map(Vec::len)
    );
}
