//! The dialect of Ollama's own interface over real sockets.

mod common;

use common::{End, Provider, Reply, after_calls, asked, tools_request, value};
use serde_json::json;
use weaver_llm::{
    Call, ChatMessage, ChatRequest, EmbedRequest, Gateway, OutputSchema, Part, Role, Source,
    StopReason,
};

const MODEL: &str = "ollama/gpt-oss:20b";

const LINES: &str = concat!(
    r#"{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","thinking":"Both größer"},"done":false}"#,
    "\n",
    r#"{"model":"gpt-oss:20b","message":{"role":"assistant","content":"Looking 日本"},"done":false,"new":1}"#,
    "\n",
    r#"{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"tide","arguments":{"place":"Brest"}}}]},"done":false}"#,
    "\n",
    r#"{"model":"gpt-oss:20b","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"wind","arguments":{}}}]},"done":false}"#,
    "\n",
);
const LAST: &str = r#"{"model":"gpt-oss:20b","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":6,"eval_count":7}"#;

#[tokio::test]
async fn lines_add_up_and_calls_go_back_by_name() {
    let body = format!("{LINES}{LAST}");
    let provider =
        Provider::start(vec![Reply::json(200, &body).in_pieces(9), Reply::json(200, LAST)]).await;
    let request = ChatRequest {
        max_tokens: Some(64),
        reasoning_effort: Some("low".into()),
        ..tools_request(MODEL)
    };
    let response = asked(&provider, request.clone(), true).await.unwrap();
    assert_eq!(provider.last_path(), "/api/chat");
    assert_eq!(response.text(), "Looking 日本");
    let calls: Vec<_> = response
        .tool_calls()
        .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("call_2_0", "tide", r#"{"place":"Brest"}"#), ("call_2_1", "wind", "{}")]);
    assert_eq!(
        (response.stop, response.usage.tokens.input, response.usage.tokens.output),
        (StopReason::ToolCalls, 6, 7)
    );
    let sent = provider.last_body();
    assert_eq!((&sent["options"]["num_predict"], &sent["think"]), (&json!(64), &json!("low")));

    asked(&provider, after_calls(&request, &response), false).await.unwrap();
    let messages = provider.last_body()["messages"].clone();
    assert_eq!(messages[2]["thinking"], "Both größer");
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], json!({"place": "Brest"}));
    assert_eq!(
        messages[3],
        json!({"role": "tool", "content": "tide is high", "tool_name": "tide"})
    );
}

#[tokio::test]
async fn pictures_and_shapes_are_asked_for_in_its_words() {
    let provider = Provider::start(vec![Reply::json(200, LAST)]).await;
    let with = |source| {
        let parts = vec![Part::text("See"), Part::Image { source, detail: None }];
        ChatRequest {
            output: Some(OutputSchema {
                name: "N".into(),
                schema: value(r#"{"type":"object"}"#),
                strict: true,
            }),
            ..ChatRequest::new("ollama/llava", vec![ChatMessage::new(Role::User, parts)])
        }
    };
    let picture = Source::Base64 { media_type: "image/png".into(), data: "aGk=".into() };
    asked(&provider, with(picture), false).await.unwrap();
    let body = provider.last_body();
    assert_eq!(
        (&body["messages"][0]["images"], &body["format"]),
        (&json!(["aGk="]), &json!({"type": "object"}))
    );
    let error = asked(&provider, with(Source::Url("https://example.com/x.png".into())), false)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("base64"), "{error}");
    assert_eq!(provider.requests().len(), 1, "nobody was asked");
}

#[tokio::test]
async fn errors_are_plain_words_and_may_come_in_mid_stream() {
    let late =
        format!("{LINES}{{\"error\":\"an error was encountered while running the model\"}}\n");
    for (reply, code) in [
        (Reply::json(404, r#"{"error":"model 'x' not found"}"#), "model_not_found"),
        (Reply::json(200, &late), "model_overloaded"),
        (Reply::json(200, LINES), "model_cut"),
        (Reply::json(200, LINES).end(End::Cut), "model_cut"),
        (Reply::json(200, &LINES[..LINES.len() - 9]), "model_cut"),
        (Reply::json(200, "Ollama is running"), "model_protocol"),
    ] {
        let provider = Provider::start(vec![reply]).await;
        let error = asked(&provider, tools_request(MODEL), true).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn an_address_with_a_version_has_the_compatible_interface() {
    let good = r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#;
    let provider = Provider::start(vec![Reply::json(200, good)]).await;
    let mut options = provider.options_for("ollama");
    options.providers.get_mut("ollama").unwrap().base_url = Some(provider.url.clone());
    let gateway = Gateway::new(options).unwrap();
    gateway.complete(tools_request(MODEL), Call::default()).await.unwrap();
    assert_eq!(provider.last_path(), "/v1/chat/completions");
}

#[tokio::test]
async fn embeddings_and_models() {
    let provider = Provider::start(vec![
        Reply::json(200, r#"{"model":"m","embeddings":[[0.25,1]],"prompt_eval_count":3}"#),
        Reply::json(200, r#"{"models":[{"name":"llama3.2:latest"}]}"#),
    ])
    .await;
    let gateway = Gateway::new(provider.options_for("ollama")).unwrap();
    let request =
        EmbedRequest { model: "ollama/m".into(), inputs: vec!["a".into()], ..Default::default() };
    let response = gateway.embed(request, Call::default()).await.unwrap();
    assert_eq!((response.vectors, response.usage.tokens.input), (vec![vec![0.25, 1.0]], 3));
    let empty =
        EmbedRequest { model: "ollama/m".into(), inputs: vec![" ".into()], ..Default::default() };
    assert_eq!(
        gateway.embed(empty, Call::default()).await.unwrap_err().code(),
        "model_bad_request"
    );
    assert_eq!(gateway.models("ollama", Call::default()).await.unwrap(), ["llama3.2:latest"]);
}
