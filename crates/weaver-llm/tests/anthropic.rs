//! The dialect of Anthropic's Messages over real sockets.

mod common;

use common::{Provider, Reply, after_calls, asked, event, tools_request, value};
use serde_json::json;
use weaver_llm::{
    Call, ChatMessage, ChatRequest, Gateway, OutputSchema, Part, Role, Source, StopReason,
    ToolChoice,
};

const MODEL: &str = "anthropic/claude-sonnet-4-5";

const THOUGHT: &[&str] = &[
    r#"{"type":"message_start","message":{"id":"m1","type":"message","model":"claude-z","content":[],"usage":{"input_tokens":7,"cache_read_input_tokens":20,"cache_creation_input_tokens":3,"output_tokens":1}}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Both "}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"größer"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"seal-1"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"dark"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Looking 日本"}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"sparkle_delta","x":1}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_a","name":"tide","input":{}}}"#,
    r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"place\":"}}"#,
    r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"\"Brest\"}"}}"#,
    r#"{"type":"content_block_stop","index":3}"#,
    r#"{"type":"sparkle","x":[1]}"#,
    r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_b","name":"wind","input":{}}}"#,
    r#"{"type":"content_block_stop","index":4}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":31,"output_tokens_details":{"thinking_tokens":12}}}"#,
    r#"{"type":"message_stop"}"#,
];

fn stream(events: &[&str]) -> Reply {
    Reply::stream(&events.iter().map(|json| event(json)).collect::<String>())
}

#[tokio::test]
async fn thinking_text_and_parallel_calls_come_in_pieces_and_go_back_unchanged() {
    let done = Reply::json(
        200,
        r#"{"id":"m2","type":"message","model":"claude-z","content":[{"type":"text","text":"done"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#,
    );
    let provider = Provider::start(vec![stream(THOUGHT).in_pieces(13), done]).await;
    let request = ChatRequest {
        reasoning_effort: Some("low".into()),
        temperature: Some(0.5),
        ..tools_request(MODEL)
    };
    let response = asked(&provider, request.clone(), true).await.unwrap();
    let calls: Vec<_> = response
        .tool_calls()
        .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("toolu_a", "tide", r#"{"place":"Brest"}"#), ("toolu_b", "wind", "{}")]);
    assert_eq!(response.text(), "Looking 日本");
    assert_eq!(
        (response.stop, response.raw_stop.as_deref()),
        (StopReason::ToolCalls, Some("tool_use"))
    );
    let tokens = response.usage.tokens;
    assert_eq!((tokens.input, tokens.cached_read, tokens.cached_write), (30, 20, 3));
    assert_eq!((tokens.output, tokens.reasoning), (31, 12));
    assert_eq!(response.head.model, "claude-z");

    let body = provider.last_body();
    assert_eq!(provider.last_path(), "/v1/messages");
    let head = &provider.requests()[0].0;
    assert!(
        head.contains("x-api-key: sk-canary-123") && head.contains("anthropic-version: 2023-06-01")
    );
    assert_eq!(body["system"][0]["text"], "Be brief");
    assert_eq!(body["thinking"]["type"], "enabled");
    let (limit, budget) = (&body["max_tokens"], &body["thinking"]["budget_tokens"]);
    assert!(limit.as_u64() > budget.as_u64(), "{limit} leaves room beside {budget}");
    assert_eq!(body.get("temperature"), None, "not with thinking");
    assert_eq!(body["tools"][1]["input_schema"]["required"][0], "place");

    asked(&provider, after_calls(&request, &response), false).await.unwrap();
    let messages = provider.last_body()["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 3, "both results are one turn: {messages}");
    assert_eq!(
        messages[1]["content"],
        json!([
            {"type": "thinking", "thinking": "Both größer", "signature": "seal-1"},
            {"type": "redacted_thinking", "data": "dark"},
            {"type": "text", "text": "Looking 日本"},
            {"type": "tool_use", "id": "toolu_a", "name": "tide", "input": {"place": "Brest"}},
            {"type": "tool_use", "id": "toolu_b", "name": "wind", "input": {}},
        ])
    );
    assert_eq!(messages[2]["content"][1]["tool_use_id"], "toolu_b");
}

#[tokio::test]
async fn server_tools_are_kept_and_go_back_unchanged() {
    let whole = r#"{"id":"m1","type":"message","model":"claude-z","content":[
        {"type":"server_tool_use","id":"srv1","name":"web_search","input":{"query":"tide"}},
        {"type":"web_search_tool_result","tool_use_id":"srv1","content":[{"type":"web_search_result","url":"u","encrypted_content":"e"}]},
        {"type":"text","text":"High.","citations":[{"type":"web_search_result_location","url":"u"}]}],
        "stop_reason":"pause_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let provider = Provider::start(vec![Reply::json(200, whole)]).await;
    let search = value(r#"{"type":"web_search_20250305","name":"web_search"}"#);
    let request = ChatRequest { native_tools: vec![search], ..tools_request(MODEL) };
    let response = asked(&provider, request.clone(), false).await.unwrap();
    assert_eq!(response.text(), "High.");
    assert_eq!(
        (response.stop, response.raw_stop.as_deref()),
        (StopReason::Other, Some("pause_turn"))
    );
    let native = response.parts.iter().filter(|part| matches!(part, Part::Native { .. })).count();
    assert_eq!(native, 3, "the call, its result and where the text was found");
    assert_eq!(provider.last_body()["tools"][2]["name"], "web_search");

    let mut next = request.clone();
    next.messages.push(response.to_message());
    next.messages.push(ChatMessage::user("And now?"));
    asked(&provider, next, false).await.unwrap();
    let sent = provider.last_body()["messages"][1]["content"].clone();
    assert_eq!(
        sent[0],
        json!({"type": "server_tool_use", "id": "srv1", "name": "web_search", "input": {"query": "tide"}})
    );
    assert_eq!(sent[1]["content"][0]["encrypted_content"], "e");
    assert_eq!(sent.as_array().unwrap().len(), 3, "{sent}");
}

#[tokio::test]
async fn pictures_documents_shapes_and_choices_are_asked_for_in_its_words() {
    let done = r#"{"type":"message","content":[{"type":"text","text":"{}"}],"stop_reason":"stop_sequence"}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    let base64 = |kind: &str| Source::Base64 { media_type: kind.into(), data: "aGk=".into() };
    let parts = vec![
        Part::text("See"),
        Part::Image { source: base64("image/png"), detail: None },
        Part::Image { source: Source::Url("https://example.com/x.png".into()), detail: None },
        Part::File { source: base64("application/pdf"), name: Some("a.pdf".into()) },
        Part::File { source: base64("text/plain"), name: None },
        Part::text("  "),
    ];
    let schema = value(r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}"#);
    let request = ChatRequest {
        messages: vec![ChatMessage::new(Role::User, parts), ChatMessage::assistant("{ ")],
        output: Some(OutputSchema { name: "N".into(), schema, strict: true }),
        tool_choice: ToolChoice::Tool("tide".into()),
        parallel_tool_calls: Some(false),
        temperature: Some(1.7),
        stop: vec!["END".into(), " ".into()],
        cache_prompt: true,
        ..tools_request(MODEL)
    };
    let response = asked(&provider, request, false).await.unwrap();
    assert_eq!(response.stop, StopReason::StopText);
    let body = provider.last_body();
    let content = &body["messages"][0]["content"];
    assert_eq!(content.as_array().unwrap().len(), 5, "empty texts are refused: {content}");
    assert_eq!(
        content[1]["source"],
        json!({"type": "base64", "media_type": "image/png", "data": "aGk="})
    );
    assert_eq!(content[2]["source"]["type"], "url");
    assert_eq!(
        (content[3]["type"].as_str(), content[3]["title"].as_str()),
        (Some("document"), Some("a.pdf"))
    );
    assert_eq!(
        content[4]["source"],
        json!({"type": "text", "media_type": "text/plain", "data": "hi"})
    );
    assert_eq!(body["messages"][1]["content"][0]["text"], "{", "no white space at its end");
    assert_eq!(body["messages"][1]["content"][0]["cache_control"]["type"], "ephemeral");
    assert_eq!(body["output_config"]["format"]["schema"]["additionalProperties"], false);
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": "tide", "disable_parallel_tool_use": true})
    );
    assert_eq!(
        (body["temperature"].as_f64(), &body["stop_sequences"]),
        (Some(1.0), &json!(["END"]))
    );
}

#[tokio::test]
async fn what_a_model_takes_follows_its_name() {
    let done =
        r#"{"type":"message","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn"}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    let ask = async |model: &str| {
        let schema = value(r#"{"type":"object","properties":{}}"#);
        let request = ChatRequest {
            temperature: Some(0.2),
            reasoning_effort: Some("high".into()),
            output: Some(OutputSchema { name: "N".into(), schema, strict: true }),
            ..ChatRequest::new(format!("anthropic/{model}"), vec![ChatMessage::user("hi")])
        };
        asked(&provider, request, false).await.unwrap();
        provider.last_body()
    };
    let old = ask("claude-3-5-haiku-20241022").await;
    assert_eq!((old["max_tokens"].as_u64(), old.get("thinking")), (Some(8192), None));
    assert!(old["system"][0]["text"].as_str().unwrap().contains("JSON Schema"));
    assert_eq!(old["temperature"], 0.2);
    let new = ask("claude-opus-4-8").await;
    assert_eq!(
        (&new["thinking"]["type"], &new["output_config"]["effort"]),
        (&json!("adaptive"), &json!("high"))
    );
    assert_eq!(new.get("temperature"), None);
    assert_eq!(new["output_config"]["format"]["type"], "json_schema");
}

#[tokio::test]
async fn thinking_leaves_room_and_makes_way_for_a_call_that_must_be() {
    let done =
        r#"{"type":"message","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn"}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    let ask = async |model: &str, limit: Option<u32>, effort: &str, choice: ToolChoice| {
        let request = ChatRequest {
            max_tokens: limit,
            reasoning_effort: Some(effort.into()),
            tool_choice: choice,
            ..tools_request(&format!("anthropic/{model}"))
        };
        asked(&provider, request, false).await.unwrap();
        provider.last_body()
    };
    // The limit of a request holds, reasoning included.
    let body = ask("claude-sonnet-4-5", Some(4000), "high", ToolChoice::Auto).await;
    assert_eq!(
        (&body["max_tokens"], &body["thinking"]["budget_tokens"]),
        (&json!(4000), &json!(2000))
    );
    let body = ask("claude-sonnet-4-5", Some(500), "high", ToolChoice::Auto).await;
    assert_eq!((&body["max_tokens"], body.get("thinking")), (&json!(500), None));
    let body = ask("claude-opus-5", None, "high", ToolChoice::Required).await;
    assert_eq!(
        (&body["thinking"]["type"], &body["tool_choice"]["type"]),
        (&json!("disabled"), &json!("any"))
    );
    assert_eq!(body.get("output_config"), None);
    let body = ask("claude-opus-5", None, "none", ToolChoice::Auto).await;
    assert_eq!(body["thinking"]["type"], "disabled");
    // It always thinks, and then it cannot be forced.
    let body = ask("claude-opus-5-5", None, "low", ToolChoice::Required).await;
    assert_eq!(
        (&body["thinking"]["type"], body["tool_choice"]["type"].as_str()),
        (&json!("adaptive"), Some("auto"))
    );
}

#[tokio::test]
async fn errors_have_its_types() {
    for (status, kind, message, code) in [
        (401, "authentication_error", "invalid x-api-key", "model_auth"),
        (403, "permission_error", "no", "model_forbidden"),
        (404, "not_found_error", "model: claude-nope", "model_not_found"),
        (413, "request_too_large", "too large", "model_bad_request"),
        (429, "rate_limit_error", "slow down", "model_rate_limited"),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            "model_context_too_long",
        ),
        (400, "invalid_request_error", "Your credit balance is too low", "model_quota"),
        (500, "api_error", "oops", "model_overloaded"),
        (529, "overloaded_error", "busy", "model_overloaded"),
    ] {
        let body =
            json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
        let provider = Provider::start(vec![Reply::json(status, &body)]).await;
        let error = asked(&provider, tools_request(MODEL), true).await.unwrap_err();
        assert_eq!(error.code(), code, "{status} {kind}: {error}");
    }
    let busy = event(r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#);
    let head: String = THOUGHT[..5].iter().map(|json| event(json)).collect();
    let provider = Provider::start(vec![Reply::stream(&format!("{head}{busy}"))]).await;
    let error = asked(&provider, tools_request(MODEL), true).await.unwrap_err();
    assert_eq!(error.code(), "model_overloaded");
    let provider = Provider::start(vec![Reply::stream(&head)]).await;
    let error = asked(&provider, tools_request(MODEL), true).await.unwrap_err();
    assert_eq!(error.code(), "model_cut");
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider() {
    let provider = Provider::start(vec![Reply::json(200, r#"{"input_tokens":41}"#)]).await;
    let gateway = Gateway::new(provider.options_for("anthropic")).unwrap();
    let counted = gateway.count_tokens(tools_request(MODEL), Call::default()).await.unwrap();
    assert_eq!((counted.tokens, counted.exact), (41, true));
    assert_eq!(provider.last_path(), "/v1/messages/count_tokens");
    let body = provider.last_body();
    assert_eq!((body.get("max_tokens"), body.get("stream")), (None, None));
    assert_eq!(body["tools"][0]["name"], "tide");
}
