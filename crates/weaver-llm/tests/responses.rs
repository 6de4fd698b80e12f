//! The dialect of OpenAI's Responses over real sockets.

mod common;

use common::{Provider, Reply, after_calls, asked, event, tools_request, value};
use serde_json::json;
use weaver_llm::{
    ChatMessage, ChatRequest, Dialect, OutputSchema, Part, Role, Source, StopReason, ToolChoice,
};

fn request() -> ChatRequest {
    ChatRequest { dialect: Some(Dialect::Responses), ..tools_request("openai/gpt-5-mini") }
}

const EVENTS: &[&str] = &[
    r#"{"type":"response.created","response":{"id":"r1","object":"response","model":"gpt-z","status":"in_progress","output":[]}}"#,
    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs1","summary":[]}}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Both größer"}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"Now"}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs1","encrypted_content":"seal-1","summary":[{"type":"summary_text","text":"Both größer"}]}}"#,
    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"web_search_call","id":"ws1","status":"completed","action":{"query":"tide"}}}"#,
    r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"message","id":"m1","content":[]}}"#,
    r#"{"type":"response.output_text.delta","output_index":2,"delta":"Looking "}"#,
    r#"{"type":"response.output_text.delta","output_index":2,"delta":"日本","obfuscation":"xyz"}"#,
    r#"{"type":"response.output_text.done","output_index":2,"text":"Looking 日本"}"#,
    r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"message","id":"m1","content":[{"type":"output_text","text":"Looking 日本","annotations":[]}]}}"#,
    r#"{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","id":"f1","call_id":"c1","name":"tide","arguments":""}}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{\"place\":"}"#,
    r#"{"type":"response.output_item.added","output_index":4,"item":{"type":"function_call","id":"f2","call_id":"c2","name":"wind","arguments":""}}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"\"Brest\"}"}"#,
    r#"{"type":"response.function_call_arguments.done","output_index":3,"arguments":"{\"place\":\"Brest\"}"}"#,
    r#"{"type":"response.output_item.done","output_index":3,"item":{"type":"function_call","id":"f1","call_id":"c1","name":"tide","arguments":"{\"place\":\"Brest\"}"}}"#,
    r#"{"type":"response.sparkle","x":1}"#,
    r#"{"type":"response.output_item.done","output_index":4,"item":{"type":"function_call","id":"f2","call_id":"c2","name":"wind","arguments":"{}"}}"#,
    r#"{"type":"response.completed","response":{"id":"r1","object":"response","model":"gpt-z","status":"completed","output":[],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5}}}}"#,
];

/// The answer of [`EVENTS`] in one piece.
fn whole() -> String {
    let items: Vec<serde_json::Value> = EVENTS
        .iter()
        .map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap())
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| event["item"].clone())
        .collect();
    json!({"id": "r1", "object": "response", "model": "gpt-z", "status": "completed", "error": null, "output": items,
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 8, "output_tokens_details": {"reasoning_tokens": 5}}})
    .to_string()
}

#[tokio::test]
async fn items_come_whole_or_in_pieces_and_go_back_unchanged() {
    let pieces = EVENTS.iter().map(|json| event(json)).collect::<String>();
    for (reply, stream) in
        [(Reply::stream(&pieces).in_pieces(11), true), (Reply::json(200, &whole()), false)]
    {
        let done = r#"{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#;
        let provider = Provider::start(vec![reply, Reply::json(200, done)]).await;
        let response = asked(&provider, request(), stream).await.unwrap();
        assert_eq!(provider.last_path(), "/v1/responses");
        assert_eq!(response.text(), "Looking 日本");
        let calls: Vec<_> = response
            .tool_calls()
            .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(calls, [("c1", "tide", r#"{"place":"Brest"}"#), ("c2", "wind", "{}")]);
        assert_eq!(
            (response.stop, response.raw_stop.as_deref()),
            (StopReason::ToolCalls, Some("completed"))
        );
        let tokens = response.usage.tokens;
        assert_eq!(
            (tokens.input, tokens.cached_read, tokens.output, tokens.reasoning),
            (9, 4, 8, 5)
        );
        assert_eq!(response.head.id.as_deref(), Some("r1"));
        let body = provider.last_body();
        assert_eq!(
            (&body["store"], &body["include"]),
            (&json!(false), &json!(["reasoning.encrypted_content"]))
        );
        assert_eq!(
            (&body["instructions"], &body["tools"][0]["strict"]),
            (&json!("Be brief"), &json!(false))
        );

        let next = asked(&provider, after_calls(&request(), &response), false).await.unwrap();
        assert_eq!(
            (next.stop, next.raw_stop.as_deref()),
            (StopReason::MaxTokens, Some("incomplete"))
        );
        let input = provider.last_body()["input"].clone();
        let kinds: Vec<_> =
            input.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "message",
                "reasoning",
                "web_search_call",
                "message",
                "function_call",
                "function_call",
                "function_call_output",
                "function_call_output"
            ]
        );
        assert_eq!(input[1]["encrypted_content"], "seal-1");
        assert_eq!(input[2]["action"]["query"], "tide");
        assert_eq!(input[3]["content"][0], json!({"type": "output_text", "text": "Looking 日本"}));
        assert_eq!(
            input[7],
            json!({"type": "function_call_output", "call_id": "c2", "output": "wind is high"})
        );
    }
}

#[tokio::test]
async fn pictures_shapes_and_choices_are_asked_for_in_its_words() {
    let done = r#"{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}]}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    let base64 = |kind: &str| Source::Base64 { media_type: kind.into(), data: "aGk=".into() };
    let parts = vec![
        Part::Image { source: base64("image/png"), detail: Some("low".into()) },
        Part::File { source: base64("application/pdf"), name: Some("a.pdf".into()) },
    ];
    let schema = value(r#"{"type":"object","properties":{},"additionalProperties":false}"#);
    let mut asks = ChatRequest {
        output: Some(OutputSchema { name: "N".into(), schema, strict: true }),
        tool_choice: ToolChoice::Tool("tide".into()),
        native_tools: vec![value(r#"{"type":"web_search"}"#)],
        max_tokens: Some(3),
        reasoning_effort: Some("low".into()),
        temperature: Some(0.1),
        ..request()
    };
    asks.messages.push(ChatMessage::new(Role::User, parts));
    let response = asked(&provider, asks, false).await.unwrap();
    assert_eq!(response.stop, StopReason::Refusal);
    assert!(matches!(&response.parts[0], Part::Refusal { text } if text == "No."));
    let body = provider.last_body();
    let content = &body["input"][1]["content"];
    assert_eq!(
        content[0],
        json!({"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"})
    );
    assert_eq!(content[1]["filename"], "a.pdf");
    assert_eq!(
        (&body["text"]["format"]["strict"], &body["tools"][2]["type"]),
        (&json!(true), &json!("web_search"))
    );
    assert_eq!(body["tool_choice"], json!({"type": "function", "name": "tide"}));
    assert_eq!(
        (&body["max_output_tokens"], &body["reasoning"]["effort"]),
        (&json!(16), &json!("low"))
    );
    assert_eq!(body.get("temperature"), None, "reasoning models take none");
}

#[tokio::test]
async fn failures_are_errors_wherever_they_stand() {
    let failed = r#"{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[]}"#;
    let event = |json: &str| Reply::stream(&event(json));
    for (reply, code) in [
        (Reply::json(200, failed), "model_rate_limited"),
        (
            event(
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"x"}}}"#,
            ),
            "model_overloaded",
        ),
        (event(r#"{"type":"error","code":"server_error","message":"x"}"#), "model_overloaded"),
        (event(EVENTS[0]), "model_cut"),
        (Reply::json(200, r#"{"hello":1}"#), "model_protocol"),
        (
            Reply::json(400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#),
            "model_context_too_long",
        ),
    ] {
        let provider = Provider::start(vec![reply]).await;
        let error = asked(&provider, request(), true).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}
