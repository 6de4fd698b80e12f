//! Over HTTP, on each kind of store: a run that stops, is changed, is forked and done again.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::house::House;
use crate::postgres;

const GREET: &str = r#"
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

#[test]
fn a_run_on_sqlite_is_changed_forked_and_done_again() {
    is_changed_forked_and_done_again(&House::new(None));
}

#[test]
fn a_run_on_postgresql_is_changed_forked_and_done_again() {
    let schema = uuid::Uuid::now_v7().simple();
    let url = format!("{}?schema=t{schema}", postgres::shared_url());
    is_changed_forked_and_done_again(&House::new(Some(url)));
}

fn is_changed_forked_and_done_again(house: &House) {
    let _server = house.serve();
    house.wait_for(1);
    let server = Api::of(house);

    let submitted = server.post(
        "/executions",
        json!({
            "workflow": { "file": "greet.py", "source": GREET },
            "input": { "name": "Ada" },
            "breakpoints": { "before": ["shout"] },
            "wait": 60,
        }),
    );
    assert_eq!(submitted["stopped_before"], json!(["shout"]), "{submitted}");
    let path = format!("/executions/{}", submitted["id"].as_str().unwrap());
    let edited = server.post(&format!("{path}/state"), json!({ "values": { "text": "Good day" } }));
    assert_eq!(edited["values"]["text"], "Good day");
    server.post(&format!("{path}/resume"), json!({}));
    assert_eq!(server.ended(&path)["output"]["text"], "Good day!");

    let moments = server.get(&format!("{path}/checkpoints"));
    let moments = moments["items"].as_array().unwrap();
    let at = moments.iter().find(|it| it["source"] == "loop" && it["next"] == json!(["shout"]));
    let fork = json!({ "at": at.unwrap()["id"], "values": { "text": "Bye" }, "breakpoints": {} });
    let forked = server.post(&format!("{path}/fork"), fork);
    let forked = format!("/executions/{}", forked["execution_id"].as_str().unwrap());
    assert_eq!(server.ended(&forked)["output"]["text"], "Bye!");

    let again = server.post(&format!("{path}/rerun"), json!({ "breakpoints": {} }));
    let again = server.ended(&format!("/executions/{}", again["execution_id"].as_str().unwrap()));
    assert_eq!(again["output"]["text"], "Hello Ada!", "the edit is not part of what it does again");
    assert_eq!(again["rerun_of"], submitted["id"]);
    assert_eq!(again["savings"]["reused"], 1, "what came before the edit: {again}");

    // Another text: the node that it changes is run, the one before it is not.
    let louder = GREET.replace("{{ text }}!", "{{ text }}!!");
    let changed = json!({ "workflow": { "file": "greet.py", "source": louder } });
    let again = again["id"].as_str().unwrap();
    let changed = server.post(&format!("/executions/{again}/rerun"), changed);
    let changed = format!("/executions/{}", changed["execution_id"].as_str().unwrap());
    let changed = server.ended(&changed);
    assert_eq!(changed["output"]["text"], "Hello Ada!!", "{changed}");
    assert_eq!((&changed["savings"]["reused"], &changed["rerun_of"]), (&json!(1), &json!(again)));

    let replayed = server.post(&format!("{forked}/replay"), json!({}));
    assert_eq!(replayed["equal"], true, "{replayed}");
}

/// The API of a house's server.
struct Api {
    address: String,
    token: String,
}

impl Api {
    fn of(house: &House) -> Self {
        let text = std::fs::read(house.dir.path().join("data/server.json")).unwrap();
        let file: Value = serde_json::from_slice(&text).unwrap();
        let text = |key: &str| file[key].as_str().unwrap().to_string();
        Api { address: text("address").replace("http://", ""), token: text("token") }
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, &body.to_string())
    }

    /// The execution once it has ended.
    fn ended(&self, path: &str) -> Value {
        // The stream of its events ends with it.
        let mut stream = self.send("GET", &format!("{path}/events"), "text/event-stream", "");
        stream.read_to_end(&mut Vec::new()).unwrap();
        self.get(path)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut answer = String::new();
        self.send(method, path, "application/json", body).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    fn send(&self, method: &str, path: &str, accept: &str, body: &str) -> TcpStream {
        let Api { address, token } = self;
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Accept: {accept}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }
}
