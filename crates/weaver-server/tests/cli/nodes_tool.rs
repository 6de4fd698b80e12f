//! `nodes.http`, `code`, `file`, `database`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::desk::{Desk, Ended, one_node};

const ALLOW: [(&str, &str); 1] = [("AGENTWEAVER_HTTP_ALLOW", "127.0.0.1")];

/// A server on a port of its own: `/json` and `/text` answer, `/echo` gives the
/// request back, everything else is a 404.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    port
}

fn answer(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split_whitespace().nth(1).unwrap().to_string();
    let (status, kind, text) = match path.split('?').next().unwrap() {
        "/json" => ("200 OK", "application/json", r#"{"n": 7}"#.to_string()),
        "/text" => ("200 OK", "text/plain", "plain words".to_string()),
        "/echo" => {
            let request =
                json!({"path": path, "head": head, "body": String::from_utf8(body).unwrap()});
            ("200 OK", "application/json", request.to_string())
        }
        _ => ("404 Not Found", "text/plain", "no such thing".to_string()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn http(settings: &str) -> Ended {
    let node = format!("nodes.http(url=\"http://127.0.0.1:{}{settings}, into=\"got\")", server());
    let desk = Desk::with("flow.py", &one_node("word: str\ngot: object", "", &node));
    desk.run_with(["run", "flow.py", "--input", r#"{"word":"tea & cake"}"#], &ALLOW)
}

#[test]
fn http_reads_json_and_text() {
    assert_eq!(http("/json\"").expect(0).json()["got"], json!({"n": 7}));
    assert_eq!(http("/text\"").expect(0).json()["got"], "plain words");
    assert_eq!(http("/json\", result=\"text\"").expect(0).json()["got"], r#"{"n":7}"#);
    http("/text\", result=\"json\"").expect(1).says(&["error[http_not_json]"]);
}

#[test]
fn http_sends_headers_parameters_and_a_body() {
    let settings = "/echo\", method=\"POST\", headers={\"X-Word\": \"{{ word }}\"}, params={\"q\": \"{{ word }}\"}, json={\"say\": \"{{ word }}\", \"n\": 1}";
    let got = http(settings).expect(0).json()["got"].clone();
    assert!(got["path"].as_str().unwrap().starts_with("/echo?q=tea"), "{got}");
    let head = got["head"].as_str().unwrap().to_ascii_lowercase();
    assert!(head.contains("x-word: tea & cake") && head.contains("idempotency-key:"), "{head}");
    let body: serde_json::Value = serde_json::from_str(got["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"say": "tea & cake", "n": 1}));
}

#[test]
fn http_statuses_fail_unless_they_are_allowed() {
    http("/nothing\"").expect(1).says(&["error[http_status]", "404", "no such thing"]);
    let got = http("/nothing\", allow_status=[404], result=\"response\"").expect(0);
    assert_eq!(got.json()["got"]["status"], 404);
}

#[test]
fn http_to_a_private_address_is_refused_and_says_how_to_allow_it() {
    let node = format!("nodes.http(url=\"http://127.0.0.1:{}/json\", into=\"got\")", server());
    let desk = Desk::with("flow.py", &one_node("got: object", "", &node));
    let ended = desk.run(["run", "flow.py", "--input", "{}"]).expect(1);
    ended.says(&["127.0.0.1", "AGENTWEAVER_HTTP_ALLOW", "nodes.http("]);
}

#[test]
fn code_computes_over_the_state() {
    let node = "nodes.code(code=\"result = [w.upper() for w in words if len(w) > 2]\", inputs={\"words\": \"names\"}, into=\"got\")";
    let desk = Desk::with("flow.py", &one_node("names: list\ngot: object", "", node));
    let ended = desk.run(["run", "flow.py", "--input", r#"{"names":["ada","bo"]}"#]).expect(0);
    assert_eq!(ended.json()["got"], json!(["ADA"]));
    let node = "nodes.code(code=\"while True: pass\", cpu_seconds=0.2, into=\"got\")";
    let desk = Desk::with("flow.py", &one_node("got: object", "", node));
    desk.run(["run", "flow.py", "--input", "{}"]).expect(1).says(&["error[python_cpu_limit]"]);
}

#[test]
fn files_are_written_read_listed_and_stay_below_the_directory() {
    let state = "text: str\ngot: object";
    let desk = Desk::new();
    let run = |node: &str| {
        desk.write("flow.py", one_node(state, "", node));
        desk.run(["run", "flow.py", "--input", r#"{"text":"hello"}"#])
    };
    run("nodes.file(op=\"write\", path=\"notes/a.txt\", content=\"{{ text }}\\n\")").expect(0);
    run("nodes.file(op=\"append\", path=\"notes/a.txt\", content=\"more\")").expect(0);
    assert_eq!(std::fs::read_to_string(desk.path("notes/a.txt")).unwrap(), "hello\nmore");
    let got = |node: &str| run(node).expect(0).json()["got"].clone();
    assert_eq!(got("nodes.file(op=\"read\", path=\"notes/a.txt\", into=\"got\")"), "hello\nmore");
    assert_eq!(got("nodes.file(op=\"list\", path=\"notes\", into=\"got\")"), json!(["a.txt"]));
    assert_eq!(got("nodes.file(op=\"exists\", path=\"notes/b.txt\", into=\"got\")"), false);
    run("nodes.file(op=\"delete\", path=\"notes/a.txt\")").expect(0);
    assert_eq!(got("nodes.file(op=\"exists\", path=\"notes/a.txt\", into=\"got\")"), false);
    let ended = run("nodes.file(op=\"read\", path=\"../../etc/passwd\", into=\"got\")").expect(1);
    ended.says(&["etc/passwd", "nodes.file("]);
}

#[test]
fn a_database_is_written_and_read_with_parameters() {
    let state = "name: str\ngot: object";
    let desk = Desk::new();
    let run = |settings: &str| {
        let node = format!("nodes.database(path=\"shop.db\", {settings}, into=\"got\")");
        desk.write("flow.py", one_node(state, "", &node));
        desk.run(["run", "flow.py", "--input", r#"{"name":"x'); DROP TABLE users;--"}"#])
    };
    let create = "query=\"CREATE TABLE users (name TEXT, n INTEGER)\", write=True";
    let refused = run(create).expect(1);
    refused.says(&["agentweaver.toml", "write"]);
    desk.write("agentweaver.toml", "[database]\nwrite = true\n");
    run(create).expect(0);
    let insert = "query=\"INSERT INTO users VALUES (?, 3)\", params=[\"{{ name }}\"], write=True";
    assert_eq!(run(insert).expect(0).json()["got"], json!({"changed": 1}));
    let rows = run("query=\"SELECT * FROM users\"").expect(0).json()["got"].clone();
    assert_eq!(rows, json!([{"name": "x'); DROP TABLE users;--", "n": 3}]));
    let ended = run("query=\"SELECT * FROM nobody\"").expect(1);
    ended.says(&["no such table: nobody", "nodes.database("]);
    run("query=\"DELETE FROM users\"").expect(1);
}
