//! The dialect of Google's `generateContent` over real sockets.

mod common;

use common::{Provider, Reply, after_calls, asked, tools_request, value};
use serde_json::json;
use weaver_llm::{
    Call, ChatMessage, ChatRequest, EmbedRequest, Gateway, OutputSchema, Part, Role, Source,
    StopReason, ToolChoice,
};

const MODEL: &str = "google/gemini-3-flash";

const CHUNKS: &[&str] = &[
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Both größer","thought":true}]},"index":0}],"usageMetadata":{"promptTokenCount":8},"modelVersion":"gemini-z","responseId":"r1"}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Looking "}]},"index":0}],"new":{"a":[1]}}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"日本"},{"thoughtSignature":"seal-0","text":""}]},"index":0}]}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"tide","args":{"place":"Brest"}},"thoughtSignature":"seal-1"},{"functionCall":{"name":"wind","args":{}}}]},"index":0}]}"#,
    r#"{"candidates":[{"content":{"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"cachedContentTokenCount":3,"candidatesTokenCount":9,"thoughtsTokenCount":4,"toolUsePromptTokenCount":2,"totalTokenCount":23}}"#,
];

/// The chunks as a stream of events and as a list.
fn streams() -> [Reply; 2] {
    let events: String = CHUNKS.iter().map(|json| format!("data: {json}\r\n\r\n")).collect();
    [Reply::stream(&events), Reply::json(200, &format!("[{}\n]", CHUNKS.join(",\r\n")))]
}

#[tokio::test]
async fn calls_go_back_with_their_seals() {
    for reply in streams() {
        let done =
            r#"{"candidates":[{"content":{"parts":[{"text":"done"}]},"finishReason":"STOP"}]}"#;
        let provider = Provider::start(vec![reply.in_pieces(7), Reply::json(200, done)]).await;
        let request = tools_request(MODEL);
        let response = asked(&provider, request.clone(), true).await.unwrap();
        assert_eq!(provider.last_path(), "/v1/models/gemini-3-flash:streamGenerateContent?alt=sse");
        assert!(provider.requests()[0].0.contains("x-goog-api-key: sk-canary-123"));
        assert_eq!(response.text(), "Looking 日本");
        let calls: Vec<_> = response
            .tool_calls()
            .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
            .collect();
        let expected = [("call_2_0", "tide", r#"{"place":"Brest"}"#), ("call_2_1", "wind", "{}")];
        assert_eq!(calls, expected);
        assert_eq!(
            (response.stop, response.raw_stop.as_deref()),
            (StopReason::ToolCalls, Some("STOP"))
        );
        let tokens = response.usage.tokens;
        assert_eq!(
            (tokens.input, tokens.cached_read, tokens.output, tokens.reasoning),
            (10, 3, 13, 4)
        );
        assert_eq!(
            (response.head.model.as_str(), response.head.id.as_deref()),
            ("gemini-z", Some("r1"))
        );

        // Through a message of graph state, which keeps calls apart from all else.
        let message = weaver_llm::convert::to_message(&response);
        let mut next = after_calls(&request, &response);
        next.messages[2] = weaver_llm::convert::to_chat(&[message]).unwrap().remove(0);
        asked(&provider, next, false).await.unwrap();
        let contents = provider.last_body()["contents"].clone();
        assert_eq!(
            contents[1]["parts"],
            json!([
                {"text": "Looking 日本", "thoughtSignature": "seal-0"},
                {"functionCall": {"name": "tide", "args": {"place": "Brest"}}, "thoughtSignature": "seal-1"},
                {"functionCall": {"name": "wind", "args": {}}},
            ])
        );
        let results = &contents[2]["parts"];
        assert_eq!(
            results[1]["functionResponse"],
            json!({"name": "wind", "response": {"result": "wind is high"}})
        );
    }
}

#[tokio::test]
async fn calls_of_others_get_the_word_that_stands_for_a_seal() {
    let done = r#"{"candidates":[{"content":{"parts":[{"text":"ok"}]},"finishReason":"STOP"}]}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    for (model, sealed) in [("google/gemini-3-pro", true), ("google/gemini-2.5-pro", false)] {
        let call = weaver_llm::ToolCall {
            id: "toolu_1".into(),
            name: "tide".into(),
            arguments: "{}".into(),
        };
        let mut request = tools_request(model);
        request.messages.push(ChatMessage::new(Role::Assistant, vec![Part::ToolCall(call)]));
        request.messages.push(ChatMessage::tool_result("toolu_1", r#"{"level":3}"#));
        asked(&provider, request, false).await.unwrap();
        let contents = provider.last_body()["contents"].clone();
        assert_eq!(contents[1]["parts"][0].get("thoughtSignature").is_some(), sealed);
        assert_eq!(contents[2]["parts"][0]["functionResponse"]["response"], json!({"level": 3}));
    }
}

#[tokio::test]
async fn settings_shapes_pictures_and_choices_are_asked_for_in_its_words() {
    let done =
        r#"{"candidates":[{"content":{"parts":[{"text":"{}"}]},"finishReason":"MAX_TOKENS"}]}"#;
    let provider = Provider::start(vec![Reply::json(200, done)]).await;
    let schema = value(r#"{"$schema":"x","type":"object","properties":{"n":{"type":"integer"}}}"#);
    let picture = Source::Base64 { media_type: "image/png".into(), data: "aGk=".into() };
    let parts = vec![
        Part::Image { source: picture, detail: None },
        Part::File { source: Source::Url("https://example.com/a.PDF?x".into()), name: None },
    ];
    let mut request = ChatRequest {
        output: Some(OutputSchema { name: "N".into(), schema, strict: true }),
        temperature: Some(0.5),
        max_tokens: Some(9),
        seed: Some(4),
        stop: vec!["END".into()],
        reasoning_effort: Some("low".into()),
        tool_choice: ToolChoice::Tool("tide".into()),
        ..tools_request("google/gemini-2.5-flash")
    };
    request.messages.push(ChatMessage::new(Role::User, parts));
    let response = asked(&provider, request.clone(), false).await.unwrap();
    assert_eq!(response.stop, StopReason::MaxTokens);
    let body = provider.last_body();
    let config = &body["generationConfig"];
    assert_eq!(config["maxOutputTokens"], 9);
    assert_eq!(config["thinkingConfig"]["thinkingBudget"], 1024);
    assert_eq!(config.get("responseJsonSchema"), None, "not beside tools in this generation");
    let system = &body["systemInstruction"]["parts"];
    assert!(system[1]["text"].as_str().unwrap().contains("JSON Schema"));
    let parts = &body["contents"][0]["parts"];
    assert_eq!(parts[1]["inlineData"], json!({"mimeType": "image/png", "data": "aGk="}));
    assert_eq!(parts[2]["fileData"]["mimeType"], "application/pdf");
    let choice = &body["toolConfig"]["functionCallingConfig"];
    assert_eq!(choice, &json!({"mode": "ANY", "allowedFunctionNames": ["tide"]}));
    assert_eq!(
        body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["type"],
        "object"
    );

    request.tools.clear();
    request.tool_choice = ToolChoice::Auto;
    asked(&provider, request, false).await.unwrap();
    let config = provider.last_body()["generationConfig"].clone();
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"].get("$schema"), None);
}

#[tokio::test]
async fn filters_errors_and_their_reset_times() {
    let blocked =
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":5}}"#;
    let provider = Provider::start(vec![Reply::json(200, blocked)]).await;
    let response = asked(&provider, tools_request(MODEL), false).await.unwrap();
    assert_eq!(
        (response.stop, response.raw_stop.as_deref()),
        (StopReason::ContentFilter, Some("SAFETY"))
    );

    let body = |code: u16, status: &str, details: &str| {
        format!(
            r#"[{{"error":{{"code":{code},"message":"You exceeded your current quota, please check your plan","status":"{status}","details":[{details}]}}}}]"#
        )
    };
    let retry = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7.5s"}"#;
    for (status, word, details, code, reset) in [
        (429, "RESOURCE_EXHAUSTED", retry, "model_rate_limited", Some(7500)),
        (429, "RESOURCE_EXHAUSTED", "", "model_quota", None),
        (503, "UNAVAILABLE", "", "model_overloaded", None),
    ] {
        let provider =
            Provider::start(vec![Reply::json(status, &body(status, word, details))]).await;
        let error = asked(&provider, tools_request(MODEL), true).await.unwrap_err();
        assert_eq!((error.code(), error.retry_after().map(|r| r.as_millis())), (code, reset));
    }
}

#[tokio::test]
async fn arguments_that_come_in_pieces_are_put_together() {
    let piece = |call: &str, end: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"functionCall\":{call}}}]}}{end}}}]}}\n\n"
        )
    };
    let body = [
        piece(r#"{"name":"tide","willContinue":true}"#, ""),
        piece(
            r#"{"partialArgs":[{"jsonPath":"$.place","stringValue":"Bre"}],"willContinue":true}"#,
            "",
        ),
        piece(
            r#"{"partialArgs":[{"jsonPath":"$.place","stringValue":"st"},{"jsonPath":"$.days[1].n","numberValue":2}],"willContinue":true}"#,
            "",
        ),
        piece("{}", r#","finishReason":"STOP""#),
    ];
    let provider = Provider::start(vec![Reply::stream(&body.concat())]).await;
    let response = asked(&provider, tools_request("vertex/gemini-3-pro"), true).await.unwrap();
    let call = response.tool_calls().next().unwrap();
    assert_eq!((response.tool_calls().count(), call.name.as_str()), (1, "tide"));
    assert_eq!(call.arguments, r#"{"place":"Brest","days":[null,{"n":2}]}"#);
}

#[tokio::test]
async fn embeddings_and_counts() {
    let vectors = r#"{"embeddings":[{"values":[1,0.5]},{"values":[0,1]}]}"#;
    let provider =
        Provider::start(vec![Reply::json(200, vectors), Reply::json(200, r#"{"totalTokens":12}"#)])
            .await;
    let gateway = Gateway::new(provider.options_for("google")).unwrap();
    let request = EmbedRequest {
        model: "google/text-embedding-9".into(),
        inputs: vec!["a".into(), "b".into()],
        dimensions: Some(2),
        purpose: None,
    };
    let response = gateway.embed(request, Call::default()).await.unwrap();
    assert_eq!(response.vectors, [[1.0, 0.5], [0.0, 1.0]]);
    assert_eq!(provider.last_path(), "/v1/models/text-embedding-9:batchEmbedContents");
    assert_eq!(provider.last_body()["requests"][1]["outputDimensionality"], 2);
    let counted = gateway.count_tokens(tools_request(MODEL), Call::default()).await.unwrap();
    assert_eq!((counted.tokens, counted.exact), (12, true));
    assert!(provider.last_body()["generateContentRequest"]["contents"].is_array());
}

#[test]
fn vertex_addresses_name_project_and_place() {
    let options = weaver_llm::Options::from_vars(|name| {
        let value = match name {
            "VERTEX_ACCESS_TOKEN" => "ya29.token",
            "GOOGLE_CLOUD_PROJECT" => "p1",
            "GOOGLE_CLOUD_LOCATION" => "europe-west4",
            _ => return None,
        };
        Some(value.into())
    });
    let model = Gateway::new(options).unwrap().resolve("vertex/gemini-2.5-pro").unwrap();
    assert_eq!(
        model.base_url,
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west4/publishers/google"
    );
}
