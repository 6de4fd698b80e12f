//! What a server does besides driving, on SQLite and on PostgreSQL, as its users meet
//! it: through commands and over HTTP.

use serde_json::{Value, json};

use crate::place::Place;

/// Runs each scenario on each kind of store.
macro_rules! on_each_store {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $scenario() {
                super::$scenario(&super::Place::new(None));
            })*
        }
        mod postgresql {
            $(#[test] fn $scenario() {
                let schema = uuid::Uuid::now_v7().simple();
                let url = format!("{}?schema=f{schema}", crate::postgres::shared_url());
                super::$scenario(&super::Place::new(Some(url)));
            })*
        }
    };
}

on_each_store! {
    a_schedule_submits_until_it_is_stopped,
    what_does_not_compile_is_refused_with_its_places,
    an_execution_moves_to_a_file_that_fits,
    a_person_says_what_came_of_a_call,
    money_is_not_spent_beyond_the_budget,
    an_execution_starts_another_and_waits_for_it,
    limits_hold_and_are_shown,
}

const STEPS: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph

class State(TypedDict):
    text: str

def shout(state: State) -> dict:
    return {"text": state["text"].upper()}

builder = StateGraph(State)
builder.add_node("shout", shout)
builder.add_edge(START, "shout")
builder.add_edge("shout", END)
app = builder.compile()
"#;

fn a_schedule_submits_until_it_is_stopped(place: &Place) {
    let _server = place.serve(&[]);
    let file = place.write("steps.py", STEPS);
    let create = ["schedule", "create", "often", &file, "--input", r#"{"text":"hi"}"#, "--cron"];
    let kept = place.ask(&[&create[..], &["* * * * * *"]].concat());
    assert_eq!((&kept["name"], &kept["enabled"]), (&json!("often"), &json!(true)));
    place.ask(&[&create[..], &["* * * * * *"]].concat());
    place
        .say(&[&create[..], &["0 0 * * *"]].concat())
        .expect(2)
        .says(&["there is a schedule `often` already"]);
    place
        .say(&[&create[..], &["0 0 30 2 *"]].concat())
        .expect(2)
        .says(&["`0 0 30 2 *` never comes"]);
    let fired = || {
        let items = place.ask(&["ps"])["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["labels"]["schedule"] == "often")
    };
    let first = std::iter::repeat_with(fired).flatten().next().unwrap();
    let ended = place.ended(first["id"].as_str().unwrap());
    assert_eq!(ended["output"]["text"], "HI");
    let paused = place.ask(&["schedule", "pause", "often"]);
    assert_eq!((&paused["enabled"], paused.get("next_at")), (&json!(false), None));
    let listed = place.ask(&["schedule", "list"]);
    assert_eq!(listed["items"], json!([paused]));
    assert!(place.ask(&["schedule", "resume", "often"])["next_at"].is_string());
    place.say(&["schedule", "delete", "often"]).expect(0);
    place.say(&["schedule", "delete", "often"]).expect(2).says(&["no schedule `often`"]);
}

fn what_does_not_compile_is_refused_with_its_places(place: &Place) {
    let _server = place.serve(&[]);
    let broken = STEPS.replace(r#"add_edge(START, "shout")"#, r#"add_edge(START, "whisper")"#);
    let workflow = json!({"file": "broken.py", "source": broken});
    let submit = json!({"workflow": workflow, "input": {"text": "hi"}});
    let (status, problem) = place.http("POST", "/executions", Some(&submit));
    assert_eq!((status, &problem["code"]), (422, &json!("workflow_invalid")));
    let error = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|error| error["place"]["code"] == "unknown_node");
    let error = error.unwrap_or_else(|| panic!("{problem}"));
    assert_eq!(error["pointer"], "/workflow/source");
    assert_eq!(error["place"]["line"], 13);
    let excerpt = error["place"]["excerpt"].as_str().unwrap();
    assert!(excerpt.contains("^^^") && excerpt.contains("broken.py:13"), "{excerpt}");
    let schedule = json!({"name": "n", "cron": "* * * * *", "execution": submit});
    let (status, problem) = place.http("POST", "/schedules", Some(&schedule));
    assert_eq!(status, 422);
    assert_eq!(problem["errors"][0]["pointer"], "/execution/workflow/source");
    let other =
        json!({"workflow": {"file": "a.py", "source": STEPS, "graph": "other"}, "input": {}});
    let (status, problem) = place.http("POST", "/executions", Some(&other));
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/workflow/graph")));
    assert_eq!(place.ask(&["ps"])["items"], json!([]));
}

const ASKS: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

class State(TypedDict):
    text: str

def ask(state: State) -> dict:
    return {"text": interrupt("what then?")}

def close(state: State) -> dict:
    return {"text": "old " + state["text"]}

builder = StateGraph(State)
builder.add_node("ask", ask)
builder.add_node("close", close)
builder.add_edge(START, "ask")
builder.add_edge("ask", "close")
builder.add_edge("close", END)
app = builder.compile()
"#;

fn an_execution_moves_to_a_file_that_fits(place: &Place) {
    let _server = place.serve(&[]);
    let file = place.write("asks.py", ASKS);
    let id = place.submit(&[&file, "--input", r#"{"text":""}"#]);
    let before = place.has_status(&id, "waiting");
    place.write("asks.py", &ASKS.replace("\"ask\"", "\"question\""));
    place
        .say(&["move", &id, &file])
        .expect(2)
        .says(&["cannot go on with", "`ask` runs next, and there is no such node"]);
    let same = place.has_status(&id, "waiting");
    assert_eq!(same["version"], before["version"]);
    place.write("asks.py", &ASKS.replace("old ", "new "));
    let moved = place.ask(&["move", &id, &file]);
    assert_ne!(moved["version"], before["version"]);
    place.say(&["resume", &id, "this"]).expect(0);
    let ended = place.ended(&id);
    assert_eq!(ended["output"]["text"], "new this");
    assert!(ended["created_at"].as_str() <= ended["started_at"].as_str(), "{ended}");
    assert!(ended["started_at"].as_str() < ended["completed_at"].as_str(), "{ended}");
    place.say(&["move", &id, &file]).expect(2).says(&["the execution is completed already"]);
}

const APPENDS: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

class State(TypedDict):
    line: str
    done: object

builder = StateGraph(State)
builder.add_node("append", nodes.file(op="append", path="notes.txt", content="{{ line }}", into="done"))
builder.add_edge(START, "append")
builder.add_edge("append", END)
app = builder.compile()
"#;

fn a_person_says_what_came_of_a_call(place: &Place) {
    let file = place.write("appends.py", APPENDS);
    let crashed = |line: &str| -> String {
        let id = place.submit(&[&file, "--input", &json!({ "line": line }).to_string()]);
        place.serve_unheard(&[("AGENTWEAVER_CRASH_POINT", "during_effect:1")]).dies();
        id
    };
    let ids = [crashed("one"), crashed("two"), crashed("three")];
    let _server = place.serve(&[]);
    let open =
        |id: &str| -> Value { place.has_status(id, "needs_attention")["open_calls"].clone() };
    for (id, line) in ids.iter().zip(["one", "two", "three"]) {
        let calls = open(id);
        assert_eq!(calls.as_array().unwrap().len(), 1, "{calls}");
        assert_eq!(calls[0]["request"]["args"]["content"], line, "{calls}");
    }
    let [one, two, three] = &ids;
    place.say(&["reconcile", one, "--happened", r#"{"ok":1}"#]).expect(0);
    assert_eq!(place.ended(one)["output"]["done"], json!({"ok": 1}));
    place.say(&["reconcile", one, "--not-happened"]).expect(2).says(&["no call of the execution"]);
    place.say(&["reconcile", two, "--not-happened"]).expect(0);
    assert_eq!(place.ended(two)["status"], "completed");
    place.say(&["reconcile", three, "--fail", "no trace of it"]).expect(0);
    let failed = place.ended(three);
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"]["message"].as_str().unwrap().contains("no trace of it"));
    // Only the second was made, after a person had said that it was not.
    let notes = std::fs::read_to_string(place.path("notes.txt"));
    assert_eq!(notes.unwrap(), "two");
}

const TALKS: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import llm, nodes

class State(TypedDict):
    said: str

def talk(state: State) -> dict:
    try:
        return {"said": llm("openai/gpt-4o", "Say something.", max_tokens=100).text}
    except Exception:
        return {"said": "caught"}

builder = StateGraph(State)
builder.add_node("talk", talk)
builder.add_edge(START, "talk")
builder.add_edge("talk", END)
app = builder.compile()
"#;

fn money_is_not_spent_beyond_the_budget(place: &Place) {
    // A million dollars for a million tokens: each token is a dollar.
    let prices = "[prices.scripted]\ninput = \"1000000\"\noutput = \"1000000\"\n";
    place.write("agentweaver.toml", &format!("model = \"scripted\"\n{prices}"));
    let file = place.write("talks.py", TALKS);
    let _server = place.serve(&[]);
    let id = place.submit(&[&file, "--input", r#"{"said":""}"#, "--budget", "99"]);
    let failed = place.ended(&id);
    assert_eq!(failed["error"]["code"], "budget_exceeded", "{failed}");
    assert_eq!((&failed["cost"], &failed["budget"]["spent"]), (&json!("0.00"), &json!("0.00")));
    place.say(&["retry", &id, "--budget", "1000"]).expect(0);
    let done = place.ended(&id);
    assert_eq!(done["status"], "completed", "{done}");
    assert_ne!(done["output"]["said"], "caught");
    assert_ne!(done["cost"], "0.00");
    assert_eq!(done["budget"]["spent"], done["cost"]);
    assert_eq!(done["budget"]["reserved"], "0.00");
}

const STARTS: &str = r#"
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from agentweaver import nodes

class Question(TypedDict):
    text: str

class State(TypedDict):
    text: str
    review: dict

def ask(state: Question) -> dict:
    return {"text": state["text"] + interrupt("which ending?")}

def close(state: State) -> dict:
    return {"text": "[" + state["review"]["text"] + "]"}

inner = StateGraph(Question)
inner.add_node("ask", ask)
inner.add_edge(START, "ask")
inner.add_edge("ask", END)
review = inner.compile()

outer = StateGraph(State)
outer.add_node("review", nodes.workflow(graph="review", input={"text": "{{ text }}!"}, into="review"))
outer.add_node("close", close)
outer.add_edge(START, "review")
outer.add_edge("review", "close")
outer.add_edge("close", END)
app = outer.compile()
"#;

fn an_execution_starts_another_and_waits_for_it(place: &Place) {
    let file = place.write("starts.py", STARTS);
    let _server = place.serve(&[]);
    let id = place.submit(&[&file, "--input", r#"{"text":"hi"}"#]);
    let waiting = place.until(&id, |execution| execution.get("waits_for").is_some());
    assert_eq!((&waiting["status"], waiting.get("questions")), (&json!("waiting"), None));
    let child = waiting["waits_for"][0].as_str().unwrap().to_string();
    let asking = place.until(&child, |execution| execution.get("questions").is_some());
    assert_eq!((&asking["parent"], asking["thread"] == waiting["thread"]), (&json!(id), false));
    place.say(&["resume", &id, "no"]).expect(2).says(&["waits for no answer of a person"]);
    place.say(&["resume", &child, "?"]).expect(0);
    assert_eq!(place.ended(&id)["output"]["text"], "[hi!?]");
    let wrong = STARTS.replace(r#"graph="review""#, r#"graph="revue""#);
    let file = place.write("wrong.py", &wrong);
    place.say(&["submit", &file, "--input", "{}"]).expect(2).says(&[
        "the file has no graph `revue`",
        "it has: ",
        "wrong.py:27:41",
    ]);
}

fn limits_hold_and_are_shown(place: &Place) {
    let file = place.write("asks.py", ASKS);
    place.say(&["limit", "set", "--workflow", &file, "--at-once", "1", "--rate", "1/h"]).expect(0);
    let first = place.submit(&[&file, "--input", r#"{"text":""}"#]);
    let second = place.submit(&[&file, "--input", r#"{"text":""}"#]);
    let _server = place.serve(&[]);
    place.has_status(&first, "waiting");
    // The second of an hour: it is put off.
    let (_, queued) = place.http("GET", &format!("/executions/{second}"), None);
    assert_eq!((&queued["status"], queued.get("started_at")), (&json!("queued"), None));
    assert!(queued["run_at"].is_string(), "{queued}");
    let limits = place.ask(&["limit", "list"]);
    let limit = json!({
        "scope": "workflow", "name": file, "at_once": 1, "in_use": 0,
        "rate": {"every_seconds": 3600.0, "burst": 1},
    });
    assert_eq!(limits["items"], json!([limit]));
    place.say(&["limit", "remove", "--workflow", &file]).expect(0);
    assert_eq!(place.ask(&["limit", "list"])["items"], json!([]));
    place.say(&["limit", "set", "--all", "--rate", "fast"]).expect(2).says(&["`fast` is no rate"]);
    let wrong = json!({"scope": "workflow", "at_once": 1});
    let (status, problem) = place.http("PUT", "/limits", Some(&wrong));
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/name")));
}

/// A server waits for it: see outages.rs.
#[test]
fn a_command_names_a_database_that_cannot_be_reached() {
    let place = Place::new(Some("postgres://nobody@127.0.0.1:9/none".into()));
    let said = place.say(&["ps"]).expect(2);
    said.says(&["error[store_unreachable]", "127.0.0.1:9"]);
}
