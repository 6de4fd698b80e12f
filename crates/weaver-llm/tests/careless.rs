//! What careless servers and those in the middle make of the interfaces: names that come
//! late, numbers as texts, members that are empty or missing, errors in odd places.

mod common;

use common::{Provider, Reply, asked, chunks, event, tools_request};
use weaver_llm::{ChatRequest, ChatResponse, Error, StopReason};

/// The one door: an answer of this body, in pieces where it is a stream.
async fn read(model: &str, body: &str) -> Result<ChatResponse, Error> {
    let stream = !body.starts_with('{');
    let reply = if stream { Reply::stream(body) } else { Reply::json(200, body) };
    let provider = Provider::start(vec![reply]).await;
    let request = ChatRequest { max_tokens: Some(9), ..tools_request(model) };
    asked(&provider, request, stream).await
}

fn calls(response: &ChatResponse) -> Vec<(&str, &str, &str)> {
    let all = response.tool_calls();
    all.map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect()
}

#[tokio::test]
async fn calls_whose_parts_come_in_an_odd_order() {
    let body = chunks(&[
        r#""choices":[{"index":"0","delta":{"tool_calls":[{"index":"0","id":"a","type":"function"}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":"0","function":{"arguments":"{\"n\":"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":"0","function":{"name":"tide","arguments":"1"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":"0","function":{"name":null,"arguments":"}"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"wind","arguments":""}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"wind","arguments":null}}]}}]"#,
        r#""choices":[{"delta":null,"finish_reason":"tool_calls"}]"#,
        r#""choices":null"#,
    ]) + "data: [DONE]\n\n";
    let response = read("openai/gpt-4o", &body).await.unwrap();
    let expected = [("a", "tide", r#"{"n":1}"#), ("b", "wind", "{}"), ("c", "wind", "{}")];
    assert_eq!(calls(&response), expected);
}

#[tokio::test]
async fn counts_may_be_texts_or_have_fractions() {
    let body = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":"12","completion_tokens":3.0,"prompt_tokens_details":{"cached_tokens":"4"},"completion_tokens_details":null}}"#;
    let tokens = read("openai/gpt-4o", body).await.unwrap().usage.tokens;
    assert_eq!((tokens.input, tokens.cached_read, tokens.output), (12, 4, 3));
    let body = r#"{"type":"message","model":"z","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":"7","output_tokens":2.0}}"#;
    let tokens = read("anthropic/claude-z", body).await.unwrap().usage.tokens;
    assert_eq!((tokens.input, tokens.output), (7, 2));
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":"7","candidatesTokenCount":"2"}}"#;
    let tokens = read("google/gemini-z", body).await.unwrap().usage.tokens;
    assert_eq!((tokens.input, tokens.output), (7, 2));
}

#[tokio::test]
async fn an_end_without_a_reason_is_an_end() {
    let body = r#"{"object":"chat.completion","choices":[{"message":{"content":"hi"},"finish_reason":null}],"error":{}}"#;
    let response = read("openai/gpt-4o", body).await.unwrap();
    assert_eq!((response.text().as_str(), response.stop), ("hi", StopReason::End));
    let body: String = [
        r#"{"type":"message_start","message":{"model":"z","usage":{"input_tokens":9}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":null}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(event)
    .concat();
    let response = read("anthropic/claude-z", &body).await.unwrap();
    assert_eq!((response.text().as_str(), response.stop), ("hi", StopReason::End));
    // A chunk that looks like a whole answer is none.
    let body = chunks(&[r#""choices":[{"message":{"content":"hi"}}]"#]);
    assert_eq!(read("openai/gpt-4o", &body).await.unwrap_err().code(), "model_cut");
}

#[tokio::test]
async fn errors_that_come_with_a_good_status() {
    for (model, body, code) in [
        (
            "vllm/m",
            r#"{"object":"error","message":"no such tool","code":null}"#,
            "model_overloaded",
        ),
        (
            "qwen/m",
            r#"{"code":"Throttling.RateQuota","message":"slow down"}"#,
            "model_rate_limited",
        ),
        (
            "zhipu/m",
            r#"{"error":{"code":"1302","message":"too many at a time"}}"#,
            "model_rate_limited",
        ),
        (
            "google/m",
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"slow down"}}"#,
            "model_rate_limited",
        ),
        (
            "openrouter/m",
            r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"house is busy"}}}"#,
            "model_rate_limited",
        ),
        ("openai/gpt-4o", r#"{"error":"out of order"}"#, "model_overloaded"),
    ] {
        let error = read(model, body).await.unwrap_err();
        assert_eq!(error.code(), code, "{model}: {error}");
        let told = ["no such tool", "slow down", "too many", "house is busy", "out of order"];
        assert!(told.iter().any(|words| error.to_string().contains(words)), "{error}");
        let stream = format!("data: {body}\n\n");
        assert_eq!(read(model, &stream).await.unwrap_err().code(), code, "{model} in a stream");
    }
}

#[tokio::test]
async fn a_body_that_is_packed_is_unpacked() {
    // `gzip` of a whole answer with the text "packed".
    let packed = include_bytes!("data/answer.json.gz");
    let mut reply = Reply::json(200, "").header("content-encoding", "gzip");
    reply.pieces = packed.chunks(7).map(<[u8]>::to_vec).collect();
    let provider = Provider::start(vec![reply]).await;
    let response = asked(&provider, tools_request("openai/gpt-4o"), false).await.unwrap();
    assert_eq!(response.text(), "packed");
}

#[tokio::test]
async fn events_without_data_and_blocks_of_a_later_time() {
    let body: String = [
        r#"{"type":"message_start","message":{"model":"z","usage":{"input_tokens":9,"later":{"x":1}}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"later_block","note":"n"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"later_delta","x":1}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"later_event","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"h"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"i"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"later_delta","text":"no"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"later_reason"},"usage":{"output_tokens":4}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(event)
    .concat();
    let body = format!("event: ping\n\nevent:\n\n:\n\ndata:\n\n{body}");
    let response = read("anthropic/claude-z", &body).await.unwrap();
    assert_eq!((response.text().as_str(), response.stop), ("hi", StopReason::Other));
    assert_eq!(response.raw_stop.as_deref(), Some("later_reason"));
}
