//! One small answer for each shape that a provider's reference names and that the
//! longer conversations of the other files do not hold: read whole and as a stream.
//! `docs/reference/providers.md` says what was gone through.

mod common;

use common::{Provider, Reply, asked, event, tools_request};
use serde_json::{Value, json};
use weaver_llm::{ChatRequest, ChatResponse, Dialect, Error, Part, StopReason};

/// An answer in pieces, or whole, to a question that may need tools.
async fn read(model: &str, reply: Reply, stream: bool) -> Result<ChatResponse, Error> {
    let provider = Provider::start(vec![reply]).await;
    let (model, dialect) = match model.strip_suffix("#responses") {
        Some(model) => (model, Some(Dialect::Responses)),
        None => (model, None),
    };
    asked(&provider, ChatRequest { dialect, ..tools_request(model) }, stream).await
}

async fn whole(model: &str, body: Value) -> Result<ChatResponse, Error> {
    read(model, Reply::json(200, &body.to_string()), false).await
}

/// Values as server-sent events; a text stands for itself.
async fn streamed(model: &str, values: &[Value]) -> Result<ChatResponse, Error> {
    let data = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let body: String = values.iter().map(|value| format!("data: {}\n\n", data(value))).collect();
    read(model, Reply::stream(&body), true).await
}

fn reasoning(response: &ChatResponse) -> String {
    let text = |part: &Part| match part {
        Part::Reasoning { text, .. } => Some(text.clone()),
        _ => None,
    };
    response.parts.iter().filter_map(text).collect()
}

fn natives(response: &ChatResponse) -> Vec<Value> {
    let own = |part: &Part| match part {
        Part::Native { value, .. } => Some(Value::from(value)),
        _ => None,
    };
    response.parts.iter().filter_map(own).collect()
}

/// A chunk of Chat Completions.
fn chunk(delta: Value, finish: Value) -> Value {
    json!({"id": "a", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

/// A whole answer of Chat Completions with a usage.
fn counted(usage: Value) -> Value {
    json!({"object": "chat.completion", "usage": usage,
        "choices": [{"index": 0, "message": {"content": "high"}, "finish_reason": "stop"}]})
}

#[tokio::test]
async fn chat_usage_in_the_buckets_of_each_server() {
    for (usage, (input, read, written, output, thought)) in [
        // Some leave reasoning out of the completion; their total tells.
        (
            json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 10,
                "completion_tokens_details": {"reasoning_tokens": 3}}),
            (5, 0, 0, 5, 3),
        ),
        (
            json!({"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 3}}),
            (5, 0, 0, 4, 3),
        ),
        (
            json!({"prompt_tokens": 9, "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 2, "cache_creation_input_tokens": 6}}),
            (9, 2, 6, 1, 0),
        ),
        (
            json!({"prompt_tokens": 9, "completion_tokens": 1, "num_cached_tokens": 4}),
            (9, 4, 0, 1, 0),
        ),
        (
            json!({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1}),
            (9, 8, 0, 1, 0),
        ),
        (json!({"prompt_tokens": "9", "completion_tokens": 1.0}), (9, 0, 0, 1, 0)),
    ] {
        let tokens = whole("openai/gpt-4o", counted(usage.clone())).await.unwrap().usage.tokens;
        let found = (
            tokens.input,
            tokens.cached_read,
            tokens.cached_write,
            tokens.output,
            tokens.reasoning,
        );
        assert_eq!(found, (input, read, written, output, thought), "{usage}");
    }
}

#[tokio::test]
async fn chat_thoughts_that_stand_in_details_alone() {
    let detail = |text: &str| json!([{"type": "reasoning.text", "text": text, "index": 0}]);
    let response = streamed(
        "openrouter/any/model",
        &[
            chunk(json!({"reasoning_details": detail("hm ")}), Value::Null),
            chunk(json!({"reasoning_details": detail("so")}), Value::Null),
            chunk(json!({"content": "high"}), json!("stop")),
            json!("[DONE]"),
        ],
    )
    .await
    .unwrap();
    assert_eq!((reasoning(&response), response.text()), ("hm so".into(), "high".into()));
    let sealed = response.parts.iter().find_map(|part| match part {
        Part::Reasoning { opaque, .. } if !opaque.is_null() => Some(Value::from(opaque)),
        _ => None,
    });
    assert_eq!(sealed.unwrap()["reasoning_details"][0]["text"], "hm so");
}

#[tokio::test]
async fn chat_calls_without_ids_of_tools_that_take_a_text() {
    let call = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": {"place": "Brest"}}});
    let message = json!({"content": "", "tool_calls": [
        call("null", "tide"), call("null", "wind"),
        {"id": "c9", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}]});
    let body = json!({"object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let response = whole("mistral/mistral-small", body).await.unwrap();
    let calls: Vec<_> = response
        .tool_calls()
        .map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str()))
        .collect();
    let place = r#"{"place":"Brest"}"#;
    let expected =
        [("call_2_0", "tide", place), ("call_2_1", "wind", place), ("c9", "shell", "ls -l")];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn chat_errors_without_an_error_around_them_never_end_an_answer_well() {
    let begun = chunk(json!({"content": "hi"}), Value::Null);
    for (trouble, code) in [
        (
            json!({"object": "error", "message": "x", "type": "BadRequestError", "code": 400}),
            "model_bad_request",
        ),
        (
            json!({"code": "Throttling.RateQuota", "message": "x", "request_id": "r"}),
            "model_rate_limited",
        ),
        (
            json!({"id": "a", "choices": [], "x_groq": {"id": "r", "error": "over capacity"}}),
            "model_overloaded",
        ),
        (json!({"error": {"code": "1301", "message": "x"}}), "model_content_filtered"),
        (json!({"error": {"code": "1234", "message": "x"}}), "model_overloaded"),
        (
            json!({"error": {"code": 502, "message": "x", "metadata": {"provider_name": "p"}},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}),
            "model_overloaded",
        ),
        (
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "insufficient_system_resource"}]}),
            "model_overloaded",
        ),
    ] {
        let outcome =
            streamed("openai/gpt-4o", &[begun.clone(), trouble.clone(), json!("[DONE]")]).await;
        assert_eq!(outcome.unwrap_err().code(), code, "{trouble}");
    }
}

#[tokio::test]
async fn chat_events_of_filters_timings_and_searches_are_no_harm() {
    let odd = [
        json!({"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}),
        chunk(json!({"role": "assistant", "content": null}), Value::Null),
        json!({"id": "a", "object": "chat.completion.chunk", "prompt_progress": {"total": 9, "processed": 4}}),
        chunk(json!({"content": "high"}), Value::Null),
        json!({"id": "", "model": "", "object": "", "choices": [{"index": 0, "finish_reason": null,
            "content_filter_offsets": {"start_offset": 0}, "content_filter_results": {}}]}),
        json!({"choices": [{"index": 1, "delta": {"content": "another"}, "finish_reason": "stop"}]}),
        json!({"choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": "stop"}],
            "web_search": [{"title": "t", "link": "l"}], "timings": {"predicted_n": 3}}),
        json!("[DONE]"),
    ];
    let response = streamed("zhipu/glm-5", &odd).await.unwrap();
    assert_eq!((response.text(), response.stop), ("high".into(), StopReason::End));
    assert_eq!(natives(&response), [json!({"web_search": [{"title": "t", "link": "l"}]})]);
}

#[tokio::test]
async fn sound_is_sent_in_the_words_of_the_interface() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is said?"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}]}]});
    let request = weaver_llm::inbound::chat::read(&body).unwrap().request;
    for (model, pointer, expected) in [
        ("openai/gpt-audio", "/messages/0/content/1/input_audio/format", "mp3"),
        ("google/gemini-2.5-flash", "/contents/0/parts/1/inlineData/mimeType", "audio/mp3"),
    ] {
        let provider = Provider::start(vec![Reply::json(500, "{}")]).await;
        let request = ChatRequest { model: model.into(), ..request.clone() };
        assert!(asked(&provider, request, false).await.is_err());
        let sent = provider.last_body();
        assert_eq!(sent.pointer(pointer), Some(&json!(expected)), "{sent}");
    }
}

#[tokio::test]
async fn anthropic_blocks_and_ends_of_its_trials() {
    let events = [
        r#"{"type":"message_start","message":{"id":"m1","type":"message","model":"claude-z","content":[],"container":null,"usage":{"input_tokens":7,"output_tokens":1,"iterations":null}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"So far: ","encrypted_content":null}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"tides.","encrypted_content":"seal"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"fallback","from":{"model":"a"},"to":{"model":"b"},"trigger":{"type":"refusal"}}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"mcp_tool_use","id":"mcptoolu_1","name":"echo","server_name":"s","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":"","citations":null}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"high"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"compaction","stop_sequence":null,"stop_details":null,"container":{"id":"c"}},"context_management":{"applied_edits":[]},"usage":{"input_tokens":8,"output_tokens":9,"server_tool_use":{"web_search_requests":0}}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let body: String = events.iter().map(|json| event(json)).collect();
    let response = read("anthropic/claude-sonnet-4-6", Reply::stream(&body), true).await.unwrap();
    let own = natives(&response);
    let compacted =
        json!({"type": "compaction", "content": "So far: tides.", "encrypted_content": "seal"});
    assert_eq!(own[0], compacted);
    assert_eq!((&own[1]["type"], &own[2]["input"]), (&json!("fallback"), &json!({"a": 1})));
    assert_eq!(response.text(), "high");
    assert_eq!((response.usage.tokens.input, response.usage.tokens.output), (8, 9));
    let told = weaver_llm::inbound::anthropic::whole(&response, "m");
    assert_eq!((&told["stop_reason"], &told["content"][0]), (&json!("compaction"), &compacted));
}

#[tokio::test]
async fn anthropic_errors_in_the_middle_by_their_types() {
    let start = event(
        r#"{"type":"message_start","message":{"id":"m","type":"message","model":"c","content":[],"usage":{}}}"#,
    );
    for (kind, code) in [
        ("overloaded_error", "model_overloaded"),
        ("api_error", "model_overloaded"),
        ("timeout_error", "model_overloaded"),
        ("rate_limit_error", "model_rate_limited"),
        ("invalid_request_error", "model_bad_request"),
        ("authentication_error", "model_auth"),
        ("permission_error", "model_forbidden"),
        ("billing_error", "model_quota"),
    ] {
        let error = json!({"type": "error", "error": {"type": kind, "message": "x"}}).to_string();
        let reply = Reply::stream(&format!("{start}{}", event(&error)));
        let outcome = read("anthropic/claude-sonnet-4-6", reply, true).await;
        assert_eq!(outcome.unwrap_err().code(), code, "{kind}");
    }
}

#[tokio::test]
async fn gemini_tools_of_its_own_and_ends_without_an_answer() {
    let parts = json!([
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["q"]}, "id": "t1"}, "thoughtSignature": "s"},
        {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "response": {}, "id": "t1"}},
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"text": "high"}]);
    let body = json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0,
            "avgLogprobs": -0.1, "safetyRatings": [], "groundingMetadata": {"webSearchQueries": ["q"]}}],
        "modelStatus": {"modelStage": "STABLE"}, "usageMetadata": {"promptTokenCount": 3, "trafficType": "ON_DEMAND"}});
    let response = whole("google/gemini-3-pro-preview", body).await.unwrap();
    assert_eq!((response.text(), response.stop), ("high".into(), StopReason::End));
    let own = natives(&response);
    assert_eq!(own.len(), 6, "five parts and where it was found: {own:?}");
    assert_eq!(own[0]["thoughtSignature"], "s", "parts keep their own seals");

    for (reason, stop) in [
        ("MALFORMED_FUNCTION_CALL", StopReason::Other),
        ("TOO_MANY_TOOL_CALLS", StopReason::Other),
        ("IMAGE_OTHER", StopReason::Other),
        ("A_REASON_OF_TOMORROW", StopReason::Other),
        ("LANGUAGE", StopReason::ContentFilter),
        ("IMAGE_PROHIBITED_CONTENT", StopReason::ContentFilter),
    ] {
        let body = json!({"candidates": [{"finishReason": reason, "finishMessage": "why"}]});
        let response = whole("google/gemini-2.5-flash", body).await.unwrap();
        assert_eq!((response.stop, response.raw_stop.as_deref()), (stop, Some(reason)));
        assert_eq!(natives(&response), [json!({"finishMessage": "why"})], "it is said why");
    }
}

#[tokio::test]
async fn responses_items_of_its_tools_and_calls_that_are_told_late() {
    let events = [
        json!({"type": "response.queued", "response": {"id": "r", "model": "m", "status": "queued"}}),
        json!({"type": "response.in_progress", "response": {"id": "r", "model": "m"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "code_interpreter_call", "id": "ci"}}),
        json!({"type": "response.code_interpreter_call_code.delta", "output_index": 0, "delta": "print(1)"}),
        json!({"type": "response.code_interpreter_call.completed", "output_index": 0, "item_id": "ci"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "code_interpreter_call", "id": "ci", "code": "print(1)"}}),
        json!({"type": "response.mcp_call_arguments.delta", "output_index": 1, "delta": "{}"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": {"type": "mcp_call", "id": "mc", "name": "echo", "arguments": "{}"}}),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 2, "delta": "ls"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": {"type": "custom_tool_call", "call_id": "c0", "name": "shell", "input": "ls"}}),
        // Some servers name the call only once it is whole.
        json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{\"place\":"}),
        json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": "{\"place\":\"Brest\"}"}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": {"type": "function_call", "call_id": "c1", "name": "tide", "arguments": "{\"place\":\"Brest\"}"}}),
        json!({"type": "response.reasoning_text.delta", "output_index": 4, "content_index": 0, "delta": "hm"}),
        json!({"type": "response.output_item.done", "output_index": 4, "item": {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}}),
        json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [], "usage": null}}),
    ];
    let body: String = events.iter().map(|json| event(&json.to_string())).collect();
    let response = read("openai/gpt-5#responses", Reply::stream(&body), true).await.unwrap();
    let kinds: Vec<_> = natives(&response).iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["code_interpreter_call", "mcp_call", "custom_tool_call"]);
    let calls: Vec<_> = response.tool_calls().map(|call| call.arguments.as_str()).collect();
    assert_eq!(calls, [r#"{"place":"Brest"}"#]);
    assert_eq!(reasoning(&response), "hm");
}

#[tokio::test]
async fn responses_failures_by_their_codes() {
    for (code, expected) in [
        ("server_error", "model_overloaded"),
        ("vector_store_timeout", "model_overloaded"),
        ("rate_limit_exceeded", "model_rate_limited"),
        ("invalid_prompt", "model_bad_request"),
        ("image_too_large", "model_bad_request"),
        ("empty_image_file", "model_bad_request"),
        ("failed_to_download_image", "model_bad_request"),
        ("data_residency_mismatch", "model_bad_request"),
        ("bio_policy", "model_content_filtered"),
        ("image_content_policy_violation", "model_content_filtered"),
        ("context_length_exceeded", "model_context_too_long"),
    ] {
        let error = json!({"code": code, "message": "x"});
        let body = json!({"id": "r", "object": "response", "status": "failed", "error": error});
        assert_eq!(
            whole("openai/gpt-5#responses", body.clone()).await.unwrap_err().code(),
            expected,
            "{code}"
        );
        let failed = event(&json!({"type": "response.failed", "response": body}).to_string());
        let outcome = read("openai/gpt-5#responses", Reply::stream(&failed), true).await;
        assert_eq!(outcome.unwrap_err().code(), expected, "{code} in a stream");
    }
}

#[tokio::test]
async fn ollama_members_of_newer_servers() {
    let lines = [
        json!({"model": "m", "remote_model": "big", "remote_host": "https://h", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false}),
        json!({"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": [
            {"id": "call_a", "function": {"index": 0, "name": "tide", "arguments": {}}},
            {"id": "call_b", "function": {"index": 1, "name": "wind", "arguments": {"place": "Brest"}}}]}, "done": false}),
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
            "logprobs": [], "total_duration": 5, "eval_count": 2}),
    ];
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut reply = Reply::stream(&body);
    reply.headers[0].1 = "application/x-ndjson".into();
    let response = read("ollama/llama3.2", reply, true).await.unwrap();
    let ids: Vec<_> = response.tool_calls().map(|call| call.id.as_str()).collect();
    assert_eq!((ids, response.stop), (vec!["call_a", "call_b"], StopReason::ToolCalls));
    let tokens = response.usage.tokens;
    assert_eq!((tokens.input, tokens.output), (0, 2), "nothing was read anew");
}
