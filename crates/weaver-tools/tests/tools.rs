//! The registry and the built-in tools as a model meets them: by name, with
//! arguments as JSON.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use weaver_core::{Failure, FailureKind, Value};
use weaver_tools::{
    Context, Definition, Effect, FnTool, Options, Registry, ToolError, Toolbox, WebSearchOptions,
};

/// The one door: a workspace and its tools.
struct Bench {
    folder: TempDir,
    toolbox: Toolbox,
    tools: Registry,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path());
        change(&mut options);
        let toolbox = Toolbox::new(&options).unwrap();
        Bench { folder, tools: toolbox.registry(), toolbox }
    }

    async fn call(&self, tool: &str, args: &str) -> Result<Value, ToolError> {
        self.tools.call(tool, json(args), &Context::default()).await
    }
}

fn json(text: &str) -> Value {
    Value::from_json(text).unwrap()
}

fn definition(name: &str) -> Definition {
    Definition {
        name: name.into(),
        description: String::new(),
        parameters: json(r#"{"type":"object"}"#),
        effect: Effect::Pure,
        needs_approval: false,
        timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn arguments_are_checked_before_anything_is_done() {
    let bench = Bench::new(|_| {});
    for (tool, args, pointer, words) in [
        ("document_search", "{}", "", "\"query\" is a required property"),
        ("document_search", r#"{"query":7}"#, "/query", "is not of type \"string\""),
        ("document_search", r#"{"query":"x","limit":99}"#, "/limit", "maximum of 50"),
        ("document_search", r#"{"query":"x","limti":9}"#, "", "limti"),
        ("http_request", r#"{"url":"http://x","method":"BREW"}"#, "/method", "GET"),
        ("file_op", r#"{"operation":"write","path":"x"}"#, "", "content"),
        ("query_db", r#"{"database":"x","sql":"SELECT 1","params":"y"}"#, "/params", "array"),
        ("file_op", "[1]", "", "object"),
    ] {
        let error = bench.call(tool, args).await.unwrap_err();
        let ToolError::InvalidArguments(problems) = &error else { panic!("{args}: {error:?}") };
        let said = &problems[0];
        assert_eq!(said.pointer, pointer, "{args}: {said:?}");
        assert!(said.message.contains(words), "{args}: {}", said.message);
        let shown = error.to_value().to_json();
        assert!(shown.starts_with(r#"{"error":{"code":"tool_arguments","message":"#), "{shown}");
    }
    let long = format!(r#"{{"query":["{}"]}}"#, "x".repeat(10_000));
    let said = bench.call("document_search", &long).await.unwrap_err().to_string();
    assert!(said.len() < 300, "{}", said.len());
    let error = bench.call("docment_search", "{}").await.unwrap_err();
    assert!(error.to_string().contains("`document_search`"), "{error}");
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 0, "nothing was done");
}

#[tokio::test]
async fn what_a_call_may_do_depends_on_its_arguments() {
    let tools = Bench::new(|_| {}).tools;
    for (tool, args, effect) in [
        ("http_request", r#"{"url":"x"}"#, Effect::Read),
        ("http_request", r#"{"url":"x","method":"POST"}"#, Effect::Write),
        ("query_db", r#"{"sql":"x"}"#, Effect::Read),
        ("query_db", r#"{"sql":"x","write":true}"#, Effect::Write),
        ("file_op", r#"{"operation":"list"}"#, Effect::Read),
        ("file_op", r#"{"operation":"append"}"#, Effect::AtMostOnce),
        ("web_search", "{}", Effect::Read),
        ("unheard_of", "{}", Effect::AtMostOnce),
    ] {
        assert_eq!(tools.effect(tool, &json(args)), effect, "{tool} {args}");
    }
}

#[tokio::test]
async fn own_tools_run_fail_and_time_out() {
    let mut tools = Registry::default();
    tools.add(FnTool::new(definition("echo"), async |args: Value, _: Context| Ok(args))).unwrap();
    tools
        .add(FnTool::new(definition("fail"), async |_: Value, _: Context| {
            Err(ToolError::Failed("out of paper".into()))
        }))
        .unwrap();
    let slow = Definition { timeout: Duration::from_millis(20), ..definition("slow") };
    tools
        .add(FnTool::new(slow, async |_: Value, _: Context| std::future::pending().await))
        .unwrap();
    let context = Context::default();
    let echoed = tools.call("echo", json(r#"{"a":1}"#), &context).await.unwrap();
    assert_eq!(echoed, json(r#"{"a":1}"#));
    let error = tools.call("fail", json("{}"), &context).await.unwrap_err();
    assert_eq!(
        error.to_value().to_json(),
        r#"{"error":{"code":"tool_failed","message":"out of paper"}}"#
    );
    assert_eq!(Failure::from(error).kind, FailureKind::Tool);
    let error = tools.call("slow", json("{}"), &context).await.unwrap_err();
    assert_eq!(Failure::from(error).kind, FailureKind::Timeout);
    let gone = Context { deadline: Some(tokio::time::Instant::now()), ..context };
    let patient = Definition { timeout: Duration::from_secs(60), ..definition("slow") };
    tools
        .add(FnTool::new(patient, async |_: Value, _: Context| std::future::pending().await))
        .unwrap();
    assert_eq!(tools.call("slow", json("{}"), &gone).await.unwrap_err().code(), "tool_timeout");

    let bad = Definition { name: "no good".into(), ..definition("x") };
    let echo = async |args: Value, _: Context| Ok(args);
    assert!(tools.add(FnTool::new(bad, echo)).unwrap_err().contains("`no good`"));
    let bad = Definition { parameters: json(r#"{"type":"objekt"}"#), ..definition("x") };
    assert!(tools.add(FnTool::new(bad, echo)).unwrap_err().contains("schema"));
    assert!(tools.only(&["echo"]).unwrap().get("fail").is_none());
    assert!(tools.only(&["nope"]).is_err());
}

#[tokio::test]
async fn files_and_databases_by_name() {
    let bench = Bench::new(|options| options.database.allow_write = true);
    let write =
        r##"{"operation":"write","path":"notes/a.md","content":"# Tea\n\nGreen tea is best."}"##;
    assert_eq!(bench.call("file_op", write).await.unwrap().get("bytes"), Some(&Value::Int(25)));
    let read = r#"{"operation":"read","path":"notes/a.md"}"#;
    let content = bench.call("file_op", read).await.unwrap();
    assert!(content.get("content").unwrap().as_str().unwrap().contains("best"));
    let list = bench.call("file_op", r#"{"operation":"list","path":"notes"}"#).await.unwrap();
    assert_eq!(list.to_json(), r#"{"entries":[{"name":"a.md","size":25}],"truncated":false}"#);
    let error = bench.call("file_op", r#"{"operation":"read","path":"../x"}"#).await.unwrap_err();
    assert_eq!(error.code(), "tool_refused");

    let query = |sql: &str, rest: &str| format!(r#"{{"database":"t.db","sql":"{sql}"{rest}}}"#);
    let make = query("CREATE TABLE t(x)", r#","write":true"#);
    bench.call("query_db", &make).await.unwrap();
    let put = query("INSERT INTO t VALUES (?), (?)", r#","write":true,"params":[1,"b"]"#);
    assert_eq!(bench.call("query_db", &put).await.unwrap().get("changes"), Some(&Value::Int(2)));
    let rows = bench.call("query_db", &query("SELECT x FROM t", "")).await.unwrap();
    assert_eq!(rows.get("rows").unwrap().to_json(), r#"[{"x":1},{"x":"b"}]"#);
}

#[tokio::test]
async fn documents_are_found_with_their_lines() {
    let bench = Bench::new(|_| {});
    let write = |path: &str, text: &str| bench.toolbox.files.write(path, text).unwrap();
    write("tea.md", "# Tea\n\nTea is a drink.\n\n## Brewing\n\nGreen teas want cool water.\n");
    write("coffee.md", "# Coffee\n\nCoffee is a drink too. Water should be hot.\n");
    write("deep/茶.txt", "绿茶需要低温水。\n\n红茶需要沸水。\n");
    write(".hidden.md", "green water");
    write("code.rs", "green water");
    let search = async |query: &str| bench.toolbox.documents.search(query, 3).await.unwrap();
    let found = search("green tea water").await;
    let best = &found[0];
    assert_eq!((best.path.as_str(), best.heading.as_str()), ("tea.md", "Brewing"));
    assert_eq!((best.line, best.end_line), (5, 7), "{}", best.text);
    assert!(found.iter().all(|passage| passage.score > 0.0 && !passage.path.contains("hidden")));
    assert_eq!(search("绿茶").await[0].path, "deep/茶.txt");
    assert!(search("zebra").await.is_empty());
    write("zebra.txt", "A zebra.");
    assert_eq!(search("zebras").await[0].path, "zebra.txt", "changes are seen");

    let answer = bench.call("web_search", r#"{"query":"coffee","limit":1}"#).await.unwrap();
    assert_eq!(answer.get("offline"), Some(&true.into()));
    let results = answer.get("results").unwrap().to_json();
    assert!(results.contains(r#""title":"Coffee","url":"coffee.md:1""#), "{results}");
}

#[tokio::test]
async fn web_search_asks_whoever_is_configured() {
    let body = r#"{"results":[{"title":"T","url":"https://a.example","content":"C"},{"title":"U"}],"web":{"results":[{"title":"B","url":"https://b.example","description":"D"}]}}"#;
    let url = server(body).await;
    let key = "canary-key".to_string();
    for (options, source, title) in [
        (WebSearchOptions::SearXng { url: url.clone() }, "searxng", "T"),
        (WebSearchOptions::Tavily { key: key.clone(), url: Some(url.clone()) }, "tavily", "T"),
        (WebSearchOptions::Brave { key, url: Some(url.clone()) }, "brave", "B"),
    ] {
        assert!(!format!("{options:?}").contains("canary"));
        let bench = Bench::new(|all| all.web_search = options);
        let answer = bench.call("web_search", r#"{"query":"x","limit":1}"#).await.unwrap();
        assert_eq!(answer.get("source"), Some(&source.into()));
        let results = answer.get("results").unwrap().as_list().unwrap();
        assert_eq!((results.len(), results[0].get("title")), (1, Some(&title.into())));
        // The server of the search is not thereby open to `http_request`.
        let error = bench.call("http_request", &format!(r#"{{"url":"{url}"}}"#)).await.unwrap_err();
        assert_eq!(error.code(), "tool_refused");
    }
}

/// A server that answers everything with one JSON body.
async fn server(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    url
}
