//! The offline model: what scripts mean, how bad ones are refused, and what the
//! built-in rules do.

use weaver_core::Value;
use weaver_llm::{
    Call, ChatEvent, ChatMessage, ChatRequest, ChatResponse, Error, Gateway, Options, OutputSchema,
    Part, Retry, Role, StopReason, ToolCall, ToolDefinition,
};

/// The one door: asks a script (or the built-in rules, for an empty one).
struct Model {
    gateway: Gateway,
    name: String,
    _file: Option<tempfile::TempDir>,
}

impl Model {
    fn with(file: &str, script: &str) -> Result<Self, Error> {
        let gateway = Gateway::new(Options {
            retry: Retry { attempts: 3, base: std::time::Duration::ZERO, ..Retry::default() },
            ..Options::default()
        })?;
        if script.is_empty() {
            return Ok(Model { gateway, name: "scripted".into(), _file: None });
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::write(&path, script).unwrap();
        let name = format!("scripted:{}", path.display());
        gateway.resolve(&name)?;
        Ok(Model { gateway, name, _file: Some(folder) })
    }

    fn new(script: &str) -> Self {
        Model::with("demo.yaml", script).unwrap()
    }

    async fn ask(&self, request: ChatRequest) -> Result<ChatResponse, Error> {
        let request = ChatRequest { model: self.name.clone(), ..request };
        let whole = self.gateway.complete(request.clone(), Call::default()).await;
        let streamed = match self.gateway.chat(request, Call::default()).await {
            Ok(stream) => stream.collect(|_| {}).await,
            Err(error) => Err(error),
        };
        assert_eq!(whole, streamed, "both ways give the same");
        whole
    }

    async fn say(&self, text: &str) -> String {
        self.ask(user(text)).await.unwrap().text()
    }
}

fn user(text: &str) -> ChatRequest {
    ChatRequest::new("", vec![ChatMessage::user(text)])
}

fn refused(file: &str, script: &str) -> String {
    Model::with(file, script).err().expect("the script is refused").to_string()
}

fn after_tool(text: &str, tool: &str, result: &str) -> ChatRequest {
    let call = ToolCall { id: "c".into(), name: tool.into(), arguments: "{}".into() };
    let calling = ChatMessage::new(Role::Assistant, vec![Part::ToolCall(call)]);
    let messages = vec![ChatMessage::user(text), calling, ChatMessage::tool_result("c", result)];
    ChatRequest::new("", messages)
}

#[tokio::test]
async fn the_first_rule_that_fits_answers() {
    let model = Model::new(
        r#"
rules:
  - {name: hello, when: {user: HELLO}, say: "Hi! You said: {{ last_user }}"}
  - when: {user: {regex: '(\d+) apples'}}
    say: "{{ match[1] }} is {{ match[1]|int + 1 }} less one"
  - when: {user: [{contains: red}, {contains: blue}]}
    say: purple
  - when: [{user: {equals: cat}}, {user: {equals: dog}}]
    say: pet
  - {when: {turn: 2}, say: "second turn"}
default: "no rule"
"#,
    );
    assert_eq!(model.say("well hello there").await, "Hi! You said: well hello there");
    assert_eq!(model.say("I have 12 apples").await, "12 is 13 less one");
    assert_eq!(model.say("blue and red").await, "purple");
    assert_eq!(model.say("red").await, "no rule");
    assert_eq!(
        (model.say("dog").await, model.say("hotdog").await),
        ("pet".into(), "no rule".into())
    );
    let two = vec![ChatMessage::user("x"), ChatMessage::assistant("y"), ChatMessage::user("z")];
    let response = model.ask(ChatRequest::new("", two)).await.unwrap();
    assert_eq!(response.text(), "second turn");
    assert!(response.head.offline && response.head.model == "scripted");
}

#[tokio::test]
async fn tools_are_called_and_their_results_read() {
    let model = Model::new(
        r#"
rules:
  - when: {tool: search}
    say: "Found {{ tool_results[0].json.hits }} for {{ last_user }}: {{ tool_results[-1].text }}"
  - when: {user: find}
    reasoning: I should look.
    tool_calls:
      - {name: search, args: {query: "{{ last_user }}", limit: "{{ 2 + 1 }}", deep: [true, null]}}
      - name: clock
"#,
    );
    let response = model.ask(user("find it")).await.unwrap();
    let calls: Vec<_> = response.tool_calls().cloned().collect();
    assert_eq!(calls[0].arguments, r#"{"query":"find it","limit":3,"deep":[true,null]}"#);
    assert_eq!((calls[1].name.as_str(), calls[1].arguments.as_str()), ("clock", "{}"));
    assert_ne!(calls[0].id, calls[1].id);
    assert_eq!(response.stop, StopReason::ToolCalls);
    assert!(matches!(&response.parts[0], Part::Reasoning { text, .. } if text == "I should look."));
    let answer = model.ask(after_tool("find it", "search", r#"{"hits":2}"#)).await.unwrap();
    assert_eq!(answer.text(), r#"Found 2 for find it: {"hits":2}"#);
}

#[tokio::test]
async fn answers_follow_the_steps_of_a_turn() {
    let model =
        Model::new("rules: [{answers: [{tool_calls: [{name: f}]}, 'then', 'last'], when: {}}]");
    assert_eq!(model.ask(user("go")).await.unwrap().tool_calls().count(), 1);
    let mut request = after_tool("go", "f", "1");
    assert_eq!(model.ask(request.clone()).await.unwrap().text(), "then");
    for _ in 0..2 {
        request.messages.push(ChatMessage::assistant("…"));
    }
    assert_eq!(model.ask(request).await.unwrap().text(), "last");
}

#[tokio::test]
async fn json_answers_are_filled_in() {
    let model = Model::new("default: {json: {n: '{{ call }}', text: 'a {{ last_user }} b'}}");
    assert_eq!(model.say("\"x\"").await, r#"{"n":1,"text":"a \"x\" b"}"#);
}

#[tokio::test]
async fn failures_come_so_many_times() {
    let model = Model::new(
        r#"
rules:
  - {when: {user: flaky}, fail: {kind: rate_limited, times: 2, retry_after_ms: 1}, say: here at last}
  - {when: {user: gone}, fail: overloaded}
  - {when: {user: key}, fail: auth}
  - {when: {user: half}, fail: cut, say: "one two three four five six seven eight nine ten"}
  - {when: {user: mad}, fail: nonsense}
"#,
    );
    let response = model.ask(user("flaky")).await.unwrap();
    assert_eq!((response.text().as_str(), response.head.attempts), ("here at last", 3));
    let failed = async |text: &str| model.ask(user(text)).await.unwrap_err().code();
    assert_eq!(failed("gone").await, "model_overloaded");
    assert_eq!(failed("key").await, "model_auth");
    assert_eq!(failed("half").await, "model_cut");
    assert!(model.ask(user("mad")).await.unwrap().json().unwrap_err().contains("not JSON"));
    // After a crash the caller knows how often it tried; the answers go on from there.
    let call = Call { earlier_tries: 2, ..Call::default() };
    let request = ChatRequest { model: model.name.clone(), ..user("flaky") };
    assert_eq!(model.gateway.complete(request, call).await.unwrap().text(), "here at last");
}

#[tokio::test]
async fn a_stream_comes_in_pieces_of_the_size_asked_for() {
    let model = Model::new("{chunk: 3, default: '日本語のテキスト'}");
    let request = ChatRequest { model: model.name.clone(), ..user("x") };
    let stream = model.gateway.chat(request, Call::default()).await.unwrap();
    let mut pieces = Vec::new();
    let look = |event: &ChatEvent| {
        if let ChatEvent::Text { text } = event {
            pieces.push(text.clone());
        }
    };
    stream.collect(look).await.unwrap();
    assert_eq!(pieces, ["日本語", "のテキ", "スト"]);
}

#[tokio::test]
async fn the_script_of_the_reference_runs() {
    let page = include_str!("../../../docs/reference/scripted-model.md");
    let script = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let model = Model::new(script);
    assert_eq!(model.say("flaky").await, "Here at last.");
    let story = model.ask(user("a story")).await.unwrap();
    assert_eq!(
        (story.text().as_str(), story.stop),
        ("It was a dark night.", StopReason::MaxTokens)
    );
    let found = model.ask(after_tool("x", "web_search", "I found it")).await.unwrap();
    assert_eq!(found.text(), "I found it");
    assert_eq!(model.say("what?").await, "I have no rule for that.");
}

#[test]
fn bad_scripts_are_refused_with_their_place() {
    for (script, place, words) in [
        ("rules:\n  - wehn: {user: x}\n    say: y\n", ":2:5:", "Did you mean `when`?"),
        ("rules:\n  - when: {usr: x}\n    say: y\n", ":2:12:", "Did you mean `user`?"),
        ("rules:\n  - when: {user: {regex: '('}}\n    say: y\n", ":2:26:", "no regular expression"),
        (
            "rules:\n  - say: fine\n  - name: bad\n    when: {user: x}\n",
            ":3:5:",
            "`bad` has no answer",
        ),
        ("rules:\n  - say: '{{ x'\n", ":2:10:", "template"),
        ("rules:\n  - fail: overlaoded\n", ":2:11:", "Did you mean `overloaded`?"),
        ("rules:\n  - {say: x, json: 1}\n", ":2:5:", "both `say` and `json`"),
        ("rulez: []\n", ":1:1:", "Did you mean `rules`?"),
        ("rules: [\n", ":", ""),
    ] {
        let said = refused("demo.yaml", script);
        assert!(said.contains(&format!("demo.yaml{place}")), "{script:?}: {said}");
        assert!(said.contains(words), "{script:?}: {said}");
    }
    let said = refused("demo.json", "{\n  \"rules\": [{\"sya\": \"x\"}]\n}");
    assert!(said.contains("demo.json:2:") && said.contains("Did you mean `say`?"), "{said}");
    let gateway = Gateway::new(Options::default()).unwrap();
    let said = gateway.resolve("scripted:nowhere.yaml").unwrap_err().to_string();
    assert!(said.contains("nowhere.yaml"), "{said}");
}

#[tokio::test]
async fn no_rule_and_bad_templates_say_what_was_looked_at() {
    let model = Model::new("rules: [{name: greet, when: {user: hello}, say: '{{ nothing }}'}]");
    let said = model.ask(user("bye")).await.unwrap_err().to_string();
    for word in ["demo.yaml", "\"bye\"", "turn 1", "`default`"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let said = model.ask(user("hello")).await.unwrap_err().to_string();
    assert!(said.contains("`greet`"), "{said}");
}

#[tokio::test]
async fn built_in_rules_say_what_they_are() {
    let model = Model::with("", "").unwrap();
    let text = model.say("First line. More.\n\nSecond line").await;
    assert_eq!(text, "[scripted offline model, no real model was asked] First line. Second line");
    assert_eq!(text, model.say("First line. More.\n\nSecond line").await);
}

#[tokio::test]
async fn built_in_rules_call_a_tool_once() {
    let schema = r#"{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":5},"lang":{"type":"string"}},"required":["query","limit"]}"#;
    let tool = |name: &str, description: &str| ToolDefinition {
        name: name.into(),
        description: description.into(),
        parameters: Value::from_json(schema).unwrap(),
    };
    let tools = vec![tool("send_mail", "Sends a letter"), tool("search", "Searches documents")];
    let model = Model::with("", "").unwrap();
    let request = ChatRequest { tools: tools.clone(), ..user("Search documents about 3 cats") };
    let response = model.ask(request).await.unwrap();
    let call = response.tool_calls().next().unwrap();
    assert_eq!(call.name, "search");
    assert_eq!(call.arguments, r#"{"query":"Search documents about 3 cats","limit":3}"#);
    let request = ChatRequest { tools, ..after_tool("Search documents", "search", "Cats purr.") };
    let response = model.ask(request).await.unwrap();
    assert_eq!(response.tool_calls().count(), 0);
    assert!(response.text().ends_with("search answered: Cats purr."), "{}", response.text());
}

#[tokio::test]
async fn built_in_rules_fit_a_schema() {
    let schema = r##"{"type":"object","$defs":{"Kind":{"enum":["sales","technical_support","none"]}},
      "properties":{"kind":{"$ref":"#/$defs/Kind"},"score":{"type":"number","minimum":0,"maximum":10},
      "approved":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string","maxLength":6}},
      "self":{"$ref":"#"},"when":{"anyOf":[{"type":"null"},{"type":"string","format":"date"}]}},
      "required":["kind","score"]}"##;
    let output = OutputSchema {
        name: "Route".into(),
        schema: Value::from_json(schema).unwrap(),
        strict: false,
    };
    let request = ChatRequest { output: Some(output), ..user("I need technical support, 7 of 10") };
    let response = Model::with("", "").unwrap().ask(request).await.unwrap();
    let data = response.json().unwrap();
    assert_eq!(data.get("kind"), Some(&"technical_support".into()));
    assert_eq!(data.get("score"), Some(&Value::Float(7.0)));
    assert_eq!(data.get("approved"), Some(&true.into()));
    assert_eq!(data.get("tags").unwrap().to_json(), r#"["tag 1:","tag 2:","tag 3:"]"#);
    assert_eq!(data.get("when"), Some(&"2000-01-01".into()));
}

/// A model with tools of numbers, and the arguments of its first call.
async fn called(text: &str, results: &[(&str, &str)]) -> Option<(String, String)> {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"]}"#;
    let city = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    let tool = |name: &str, description: &str, schema: &str| ToolDefinition {
        name: name.into(),
        description: description.into(),
        parameters: Value::from_json(schema).unwrap(),
    };
    let mut request = user(text);
    for (number, (name, result)) in results.iter().enumerate() {
        let mut more = after_tool(text, name, result).messages.split_off(1);
        for part in more.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::ToolCall(call) => call.id = format!("call_{number}"),
                Part::ToolResult { call_id, .. } => *call_id = format!("call_{number}"),
                _ => {}
            }
        }
        request.messages.extend(more);
    }
    request.tools = vec![
        tool("multiply", "Multiply two numbers.", schema),
        tool("add", "Adds two numbers.", schema),
        tool("get_weather", "Get the weather of a city.", city),
    ];
    let response = Model::with("", "").unwrap().ask(request).await.unwrap();
    response.tool_calls().next().map(|call| (call.name.clone(), call.arguments.clone()))
}

#[tokio::test]
async fn built_in_rules_read_arguments_out_of_the_message() {
    let call = |name: &str, arguments: &str| Some((name.to_string(), arguments.to_string()));
    assert_eq!(called("Add 3 and 4.", &[]).await, call("add", r#"{"a":3,"b":4}"#));
    let chained = "Add 3 and 4. Then multiply the output by 2.";
    assert_eq!(called(chained, &[]).await, call("add", r#"{"a":3,"b":4}"#));
    let second = called(chained, &[("add", "7")]).await;
    assert_eq!(second, call("multiply", r#"{"a":7,"b":2}"#));
    assert_eq!(called(chained, &[("add", "7"), ("multiply", "14")]).await, None);
    let weather = called("what is the weather in San Francisco?", &[]).await;
    assert_eq!(weather, call("get_weather", r#"{"city":"San Francisco"}"#));
    assert_eq!(called("Hi there! My name is Will.", &[]).await, None);
    // What another agent's tool said answers nothing here.
    let handed = called("Add 3 and 4.", &[("transfer_to_math", "transferred")]).await;
    assert_eq!(handed, call("add", r#"{"a":3,"b":4}"#));
}

#[tokio::test]
async fn built_in_rules_make_lists_choices_and_indexes() {
    let schema = r#"{"type":"object","properties":{
      "analysts":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"}}}},
      "steps":{"type":"array","items":{"type":"string"}},
      "id":{"type":"integer","minimum":0},
      "score":{"type":"string","description":"Relevant, 'yes' or 'no'"},
      "next":{"enum":["writer","FINISH"]}}}"#;
    let output = OutputSchema {
        name: "Plan".into(),
        schema: Value::from_json(schema).unwrap(),
        strict: false,
    };
    let request = ChatRequest { output: Some(output), ..user("Make 2 analysts, take 9: a, b") };
    let model = Model::with("", "").unwrap();
    let data = model.ask(request.clone()).await.unwrap().json().unwrap();
    assert_eq!(data.get("analysts").unwrap().as_list().unwrap().len(), 2);
    assert_eq!(data.get("steps").unwrap().to_json(), r#"["a","b"]"#);
    assert_eq!(data.get("id"), Some(&Value::Int(0)));
    assert_eq!(data.get("score"), Some(&"yes".into()));
    assert_eq!(data.get("next"), Some(&"writer".into()));
    let mut later = request;
    later.messages.push(ChatMessage { name: Some("writer".into()), ..ChatMessage::user("Done.") });
    let data = model.ask(later).await.unwrap().json().unwrap();
    assert_eq!(data.get("next"), Some(&"FINISH".into()));
}

#[tokio::test]
async fn an_override_sends_every_name_to_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.yaml");
    std::fs::write(&path, "rules: [{when: {model: claude}, say: as claude}]\ndefault: other")
        .unwrap();
    let name = format!("scripted:{}", path.display());
    let options = Options { override_model: Some(name), ..Options::default() };
    let gateway = Gateway::new(options).unwrap();
    for (model, expected) in [("claude", "as claude"), ("gpt-4o", "other")] {
        let request = ChatRequest { model: model.into(), ..user("x") };
        let response = gateway.complete(request, Call::default()).await.unwrap();
        assert_eq!(response.text(), expected);
    }
}
