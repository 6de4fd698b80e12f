//! Keys of providers: kept sealed, used, changed, and nowhere to be seen.

use std::cell::RefCell;

use crate::desk::{Desk, Ended};
use crate::provider::{BEHAVIOURS, Provider};
use crate::serving::Serving;

/// Strings that stand nowhere else. The second takes the place of the first.
const CANARIES: [&str; 2] = ["sk-canary-7Qx2mZr9VtB4-abWX", "sk-canary-Lp5Kd8Jw3HnC-cdYZ"];

/// Asks the model that its input names.
pub const FLOW: &str = r#"
from typing import TypedDict
from agentweaver import llm
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    model: str
    answer: str


def ask(state: State):
    return {"answer": llm(state["model"], "Hello").text}


graph = StateGraph(State)
graph.add_node(ask)
graph.add_edge(START, "ask")
graph.add_edge("ask", END)
app = graph.compile()
"#;

fn place(provider: &Provider) -> Desk {
    let desk = Desk::with("flow.py", FLOW);
    let settings = format!(
        "[providers.openai]\nbase_url = \"http://127.0.0.1:{0}/v1\"\ndialect = \"openai\"\n\
         [providers.anthropic]\nbase_url = \"http://127.0.0.1:{0}/v1\"\n",
        provider.port
    );
    desk.write("agentweaver.toml", settings);
    desk
}

#[test]
fn no_key_is_seen_anywhere() {
    let provider = Provider::open();
    let desk = place(&provider);
    let seen = RefCell::new(Vec::new());
    let note = |ended: Ended| {
        seen.borrow_mut().extend([ended.out.clone(), ended.err.clone()]);
        ended
    };
    for name in ["openai", "anthropic"] {
        let kept = note(desk.run_fed(["credentials", "set", name], CANARIES[0]).expect(0));
        assert!(kept.out.contains("…abWX"), "{}", kept.out);
    }
    note(desk.run(["run", "flow.py", "--input", r#"{"model":"openai/good"}"#, "--json"]).expect(0));
    assert_eq!(provider.keys(), [CANARIES[0]], "the key that is kept is the one that is used");

    let server = Serving::start(&desk);
    for model in BEHAVIOURS {
        for stream in [false, true] {
            for (path, body) in server.calls(model, stream) {
                seen.borrow_mut().push(server.http("POST", path, Some(&body)));
            }
        }
        let input = format!(r#"{{"model":"openai/{model}"}}"#);
        let submit = ["submit", "flow.py", "--input", &input, "--wait", "--json"];
        let ended = note(desk.run(submit));
        assert_eq!(ended.code == 0, *model == "good", "{model}: {} {}", ended.out, ended.err);
    }
    for path in ["/v1/models", "/api/v1/credentials", "/api/v1/executions"] {
        seen.borrow_mut().push(server.http("GET", path, None));
    }
    note(desk.run_fed(["credentials", "set", "openai"], &format!("{}\n", CANARIES[1])).expect(0));
    note(desk.run(["credentials", "rotate"]).expect(0));
    note(desk.run(["credentials", "rotate", "--master"]).expect(0));
    let (path, body) = server.calls("good", false).remove(0);
    let answer = server.http("POST", path, Some(&body));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(provider.keys().last().unwrap(), CANARIES[1], "the new key counts at once");
    for id in note(desk.run(["ps", "--json"])).json()["items"].as_array().unwrap() {
        note(desk.run(["logs", id["id"].as_str().unwrap(), "--json"]).expect(0));
    }
    server.stop();

    for thread in desk.threads() {
        let thread = thread["thread"].as_str().unwrap();
        note(desk.run(["history", thread, "--json"]).expect(0));
    }
    let copy = desk.path("copy").display().to_string();
    let from = desk.path(".agentweaver").display().to_string();
    note(desk.run(["migrate", "--from", &from, "--to", &copy]).expect(0));
    // The copy opens with the master key, which does not go with it.
    note(desk.run(["credentials", "list", "--json", "--data", "copy"]).expect(0));
    let run = ["run", "flow.py", "--input", r#"{"model":"openai/good"}"#, "--data", "copy"];
    note(desk.run(run).expect(2)).says(&["credentials_locked", "master key"]);

    let seen = seen.into_inner();
    for text in &seen {
        assert_unseen("an answer", text.as_bytes());
    }
    let mut files = 0;
    for path in files_in(&desk.path(".")) {
        files += 1;
        assert_unseen(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
    assert!(seen.len() > 60 && files > 5, "{} answers, {files} files", seen.len());
}

#[test]
fn credentials_are_set_listed_and_removed() {
    let provider = Provider::open();
    let desk = place(&provider);
    let refused = desk.run_fed(["credentials", "set", "opnai"], CANARIES[0]).expect(2);
    refused.says(&["did you mean `openai`?"]);
    desk.run_fed(["credentials", "set", "openai"], "two words").expect(2).says(&["one word"]);
    desk.run_fed(["credentials", "set", "openai"], "").expect(2).says(&["empty"]);
    desk.run(["credentials", "remove", "openai"]).expect(2).says(&["no credential of openai"]);
    assert!(!desk.path(".agentweaver/master.key").exists(), "no key is made before its time");
    // What is given comes first; a credential comes before that of the environment.
    let master = [("AGENTWEAVER_MASTER_KEY", "07".repeat(32)), ("OPENAI_API_KEY", "sk-env".into())];
    let master: Vec<_> = master.iter().map(|(name, value)| (*name, &**value)).collect();
    let server = Serving::start_with(&desk, &master);
    let path = "/api/v1/credentials";
    assert!(server.http_as("GET", path, None, None).starts_with("HTTP/1.1 401"));
    let set = format!("{path}/openai");
    let kept = server.http("PUT", &set, Some(&format!(r#"{{"value":"{}"}}"#, CANARIES[0])));
    assert!(kept.starts_with("HTTP/1.1 200") && kept.contains("…abWX"), "{kept}");
    let (ask, body) = server.calls("good", false).remove(0);
    server.http("POST", ask, Some(&body));
    assert!(server.http("DELETE", &set, None).starts_with("HTTP/1.1 204"));
    assert!(server.http("DELETE", &set, None).starts_with("HTTP/1.1 404"));
    server.http("POST", ask, Some(&body));
    assert_eq!(provider.keys(), [CANARIES[0], "sk-env"]);
    let wrong = server.http("PUT", &set, Some(r#"{"value":""}"#));
    assert!(wrong.starts_with("HTTP/1.1 422") && wrong.contains("/value"), "{wrong}");
    assert!(!desk.path(".agentweaver/master.key").exists());
}

/// Neither as it is nor in a form that it can be had back from.
#[track_caller]
fn assert_unseen(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for canary in CANARIES {
        // From the fourth character on: a part is as bad.
        let core = &canary[3..canary.len() - 4];
        let hex: String = core.bytes().map(|byte| format!("{byte:02x}")).collect();
        let reversed: String = core.chars().rev().collect();
        for form in [core.into(), hex, reversed].iter().chain(&base64(core)) {
            assert!(!text.contains(&**form), "{place} holds {form}");
        }
    }
}

/// The middle of a text in base64, at each of the three places where it may begin.
fn base64(text: &str) -> Vec<String> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |bytes: &[u8]| -> String {
        let triples = bytes.chunks_exact(3).flat_map(|three| {
            let n = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| DIGITS[(n >> shift & 63) as usize] as char)
        });
        triples.collect()
    };
    (0..3).map(|skipped| encode(&text.as_bytes()[skipped..])).collect()
}

fn files_in(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let inside = |path: std::path::PathBuf| match path.is_dir() {
        true => files_in(&path),
        false => vec![path],
    };
    entries.flat_map(inside).collect()
}
