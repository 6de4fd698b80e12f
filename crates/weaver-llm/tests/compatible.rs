//! Providers that follow OpenAI's Chat Completions, each with its departures.

mod common;

use common::{Provider, Reply, after_calls, asked, tools_request};
use serde_json::{Value, json};
use weaver_llm::{Call, ChatRequest, EmbedRequest, Gateway, Part, RerankRequest, ToolChoice};

/// An answer that thinks, calls a tool, and has an id as long as ids get.
const CALLS: &str = r#"{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,
    "reasoning_content":"hm","reasoning":"hm","reasoning_details":[{"type":"reasoning.encrypted","data":"seal-1","index":0}],
    "tool_calls":[{"id":"chatcmpl-tool-0123456789","type":"function","function":{"name":"tide","arguments":"{}"}}]}}]}"#;

/// The body of a request after a call, and the one before it.
async fn bodies(model: &str) -> (Value, Value) {
    let provider = Provider::start(vec![Reply::json(200, CALLS)]).await;
    let request = ChatRequest {
        reasoning_effort: Some("high".into()),
        tool_choice: ToolChoice::Required,
        ..tools_request(model)
    };
    let response = asked(&provider, request.clone(), false).await.unwrap();
    let first = provider.last_body();
    asked(&provider, after_calls(&request, &response), false).await.unwrap();
    (first, provider.last_body())
}

#[tokio::test]
async fn thinking_is_asked_for_and_goes_back_as_each_wants_it() {
    let (first, next) = bodies("zhipu/glm-5.2").await;
    assert_eq!(
        (&first["thinking"]["type"], &first["reasoning_effort"]),
        (&json!("enabled"), &json!("high"))
    );
    assert_eq!((&first["tool_choice"], first.get("stream_options")), (&json!("auto"), None));
    assert_eq!(next["messages"][2]["reasoning_content"], "hm");

    let (_, mut next) = bodies("deepseek/deepseek-v4-flash").await;
    assert_eq!(next["messages"][2]["reasoning_content"], "hm", "through the calls of one question");
    assert_eq!(next["messages"][2]["tool_calls"][0]["id"].take(), "chatcmpl-tool-0123456789");

    let (first, next) = bodies("qwen/qwen-plus").await;
    assert_eq!((&first["enable_thinking"], first.get("reasoning_effort")), (&json!(true), None));
    assert_eq!(next["messages"][2].get("reasoning_content"), None);

    let (first, next) = bodies("openrouter/anthropic/claude-sonnet-4.5").await;
    assert_eq!(first["reasoning"], json!({"effort": "high"}));
    assert_eq!(next["messages"][2]["reasoning_details"][0]["data"], "seal-1");

    let (first, next) = bodies("groq/openai/gpt-oss-20b").await;
    assert_eq!(
        (&first["reasoning_effort"], &first["tool_choice"]),
        (&json!("high"), &json!("required"))
    );
    assert_eq!(next["messages"][2].get("reasoning_details"), None, "not for others");
}

#[tokio::test]
async fn after_the_user_spoke_again_old_thinking_stays_behind() {
    let provider = Provider::start(vec![Reply::json(200, CALLS)]).await;
    let request = tools_request("deepseek/deepseek-v4-flash");
    let response = asked(&provider, request.clone(), false).await.unwrap();
    let mut next = after_calls(&request, &response);
    next.messages.push(weaver_llm::ChatMessage::user("And tomorrow?"));
    asked(&provider, next, false).await.unwrap();
    assert_eq!(provider.last_body()["messages"][2].get("reasoning_content"), None);
}

#[tokio::test]
async fn ids_are_made_short_alike_for_call_and_result() {
    let (_, next) = bodies("mistral/mistral-large-latest").await;
    let id = next["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(next["messages"][3]["tool_call_id"], id);
}

#[tokio::test]
async fn content_in_parts_with_thinking_between() {
    let body = common::chunks(&[
        r#""choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]"#,
        r#""choices":[{"index":0,"delta":{"content":[{"type":"text","text":"It is "},{"type":"reference","reference_ids":[1]}]}}]"#,
        r#""choices":[{"index":0,"delta":{"content":"high"},"finish_reason":"stop"}]"#,
    ]);
    let provider = Provider::start(vec![Reply::stream(&body)]).await;
    let response = asked(&provider, tools_request("mistral/magistral-medium"), true).await.unwrap();
    assert_eq!(response.text(), "It is high");
    assert!(matches!(&response.parts[0], Part::Reasoning { text, .. } if text == "hm"));
    assert!(response.parts.iter().any(|part| matches!(part, Part::Native { .. })));
}

#[tokio::test]
async fn sound_is_counted_apart_and_its_words_are_the_text() {
    let body = r#"{"choices":[{"finish_reason":"stop","message":{"content":null,"audio":{"id":"a","data":"AA==","transcript":"high"}}}],
        "usage":{"prompt_tokens":20,"completion_tokens":30,"prompt_tokens_details":{"audio_tokens":5},"completion_tokens_details":{"audio_tokens":25}}}"#;
    let provider = Provider::start(vec![Reply::json(200, body)]).await;
    let response = asked(&provider, tools_request("openai/gpt-audio"), false).await.unwrap();
    assert_eq!(response.text(), "high");
    // 15 × 2.5 + 5 × 32 + 5 × 10 + 25 × 64 micro-USD, rounded up.
    assert_eq!(response.cost_micros, Some(1848));
}

#[tokio::test]
async fn embeddings_in_any_order_or_as_bytes_and_in_batches() {
    // 1.0 and 0.5 as little-endian floats.
    let bytes = r#"{"data":[{"index":1,"embedding":"AACAPwAAAD8="},{"index":0,"embedding":[0,1]}],"usage":{"prompt_tokens":4}}"#;
    let provider = Provider::start(vec![Reply::json(200, bytes)]).await;
    let gateway = Gateway::new(provider.options_for("openai")).unwrap();
    let request = |model: &str, count: usize| EmbedRequest {
        model: model.into(),
        inputs: vec!["a".into(); count],
        ..EmbedRequest::default()
    };
    let response =
        gateway.embed(request("openai/text-embedding-3-small", 2), Call::default()).await.unwrap();
    assert_eq!(response.vectors, [[0.0, 1.0], [1.0, 0.5]]);
    assert_eq!(response.cost_micros, Some(1), "4 × 0.02 micro-USD, rounded up");
    let error = gateway.embed(request("openai/x", 3), Call::default()).await.unwrap_err();
    assert_eq!(error.code(), "model_protocol", "a vector for each text or none");

    let ten = json!({"data": vec![json!({"embedding": [1]}); 10]}).to_string();
    let provider = Provider::start(vec![Reply::json(200, &ten)]).await;
    let gateway = Gateway::new(provider.options_for("qwen")).unwrap();
    let response =
        gateway.embed(request("qwen/text-embedding-v4", 20), Call::default()).await.unwrap();
    assert_eq!((response.vectors.len(), provider.requests().len()), (20, 2));
}

#[tokio::test]
async fn documents_are_put_in_order() {
    let good =
        r#"{"results":[{"index":0,"relevance_score":0.1},{"index":2,"relevance_score":0.9}]}"#;
    let wild = r#"{"results":[{"index":7,"relevance_score":0.1}]}"#;
    let provider = Provider::start(vec![Reply::json(200, good), Reply::json(200, wild)]).await;
    let gateway = Gateway::new(provider.options_for("jina")).unwrap();
    let request = || RerankRequest {
        model: "jina/reranker".into(),
        query: "tide".into(),
        documents: vec!["a".into(), "b".into(), "c".into()],
        top: Some(2),
    };
    let response = gateway.rerank(request(), Call::default()).await.unwrap();
    let order: Vec<_> = response.ranking.iter().map(|ranked| ranked.index).collect();
    assert_eq!((order, provider.last_path().as_str()), (vec![2, 0], "/v1/rerank"));
    let error = gateway.rerank(request(), Call::default()).await.unwrap_err();
    assert_eq!(error.code(), "model_protocol");
}
