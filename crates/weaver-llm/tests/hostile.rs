//! Streams as the network and careless servers make them, in every dialect.

mod common;

use common::{End, Provider, Reply, asked, event, tools_request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use weaver_llm::{ChatRequest, ChatResponse, Dialect, Error};

/// One good stream of each dialect: thinking, text beyond ASCII, a call, usage.
fn streams() -> Vec<(ChatRequest, String)> {
    let chat = common::chunks(&[
        r#""choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"über"}}]"#,
        r#""choices":[{"index":0,"delta":{"content":"日本 \ud83d\ude00 {[\"\\"}}]"#,
        r#""choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"tide","arguments":"{\"place\":\"Brest\"}"}}]}}]"#,
        r#""choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]"#,
        r#""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}"#,
    ]) + "data: [DONE]\n\n";
    let anthropic: String = [
        r#"{"type":"message_start","message":{"id":"a","model":"z","usage":{"input_tokens":9}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"über"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"日本 😀 {[\"\\"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c1","name":"tide","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"place\":\"Brest\"}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":4}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(event)
    .concat();
    let responses: String = [
        r#"{"type":"response.created","response":{"id":"a","model":"z"}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"über"}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"delta":"日本 😀 {[\"\\"}"#,
        r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"tide"}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"place\":\"Brest\"}"}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":4}}}"#,
    ]
    .map(event)
    .concat();
    let gemini = [
        r#"{"candidates":[{"content":{"parts":[{"text":"über","thought":true}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"日本 😀 {[\"\\"},{"functionCall":{"id":"c1","name":"tide","args":{"place":"Brest"}}}]}}]}"#,
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4}}"#,
    ];
    let ollama = [
        r#"{"model":"z","message":{"content":"","thinking":"über"},"done":false}"#,
        r#"{"model":"z","message":{"content":"日本 😀 {[\"\\","tool_calls":[{"id":"c1","function":{"name":"tide","arguments":{"place":"Brest"}}}]},"done":false}"#,
        r#"{"model":"z","message":{"content":""},"done":true,"prompt_eval_count":9,"eval_count":4}"#,
    ];
    let responses_request =
        ChatRequest { dialect: Some(Dialect::Responses), ..tools_request("openai/gpt-4o") };
    vec![
        (tools_request("openai/gpt-4o"), chat),
        (tools_request("anthropic/claude-z"), anthropic),
        (responses_request, responses),
        (tools_request("google/gemini-z"), gemini.map(|json| format!("data: {json}\n\n")).concat()),
        (tools_request("google/gemini-z"), format!("[{}]", gemini.join(",\n"))),
        (tools_request("ollama/z"), ollama.map(|json| format!("{json}\n")).concat()),
    ]
}

/// The one door: what a request gets from a provider that sends this.
async fn read(request: &ChatRequest, reply: Reply) -> Result<ChatResponse, Error> {
    let provider = Provider::start(vec![reply]).await;
    asked(&provider, request.clone(), true).await
}

fn is_the_answer(response: &ChatResponse) {
    assert_eq!(response.text(), "日本 😀 {[\"\\");
    let calls: Vec<_> =
        response.tool_calls().map(|c| (c.id.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("c1", r#"{"place":"Brest"}"#)]);
    let tokens = response.usage.tokens;
    assert_eq!((tokens.input, tokens.output), (9, 4));
    assert_eq!(response.stop.as_str(), "tool_calls");
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (request, body) in streams() {
        let whole = runtime.block_on(read(&request, Reply::stream(&body))).unwrap();
        is_the_answer(&whole);
        let cuts = proptest::collection::vec(0..=body.len(), 0..12);
        let mut runner =
            TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&cuts, |mut cuts| {
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|w| body.as_bytes()[w[0]..w[1]].to_vec()).collect();
            let reply = Reply { pieces, ..Reply::stream("") };
            prop_assert_eq!(runtime.block_on(read(&request, reply)).unwrap(), whole.clone());
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", request.model));
    }
}

#[tokio::test]
async fn byte_by_byte_dressed_up_and_with_a_wrong_content_type() {
    for (request, body) in streams() {
        is_the_answer(&read(&request, Reply::stream(&body).in_pieces(1)).await.unwrap());
        let other = Reply::stream(&body).header("content-type", "application/octet-stream");
        is_the_answer(&read(&request, other).await.unwrap());
        if body.contains("data:") {
            let dressed = body
                .replace("\n\n", "\r\n: ping\r\n\r\nretry: 5\r\n\r\n")
                .replace("data: ", "data:");
            is_the_answer(&read(&request, Reply::stream(&dressed).in_pieces(5)).await.unwrap());
            let no_end = body.trim_end();
            is_the_answer(&read(&request, Reply::stream(no_end)).await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_end_is_never_an_answer() {
    for (request, body) in streams() {
        // In the middle of a call, and between all that was said and the word that it is over.
        let marks = [
            "finish_reason",
            "message_delta",
            "response.completed",
            "finishReason",
            "\"done\":true",
        ];
        let over = marks.iter().find_map(|mark| body.find(mark)).unwrap();
        let line = body[..over].rfind('\n').unwrap();
        for (cut, codes) in [
            (body.find("Brest").unwrap(), &["model_cut", "model_protocol"][..]),
            (line, &["model_cut"][..]),
        ] {
            let head = &body[..cut];
            for reply in [Reply::stream(head), Reply::stream(head).end(End::Cut)] {
                let error = read(&request, reply).await.unwrap_err();
                assert!(codes.contains(&error.code()), "{}: {error}", request.model);
                assert!(error.retry_is_safe());
            }
        }
    }
}

#[tokio::test]
async fn errors_pages_and_nothing_at_all_in_place_of_an_answer() {
    for (request, body) in streams() {
        let page = Reply::stream("\n<!doctype html><html>Sign in</html>");
        for (what, reply) in [("nothing", Reply::stream("")), ("a page", page)] {
            let error = read(&request, reply).await.unwrap_err();
            assert_eq!(error.code(), "model_protocol", "{}, {what}: {error}", request.model);
        }
        let error = r#"{"error":{"message":"busy","type":"overloaded_error","code":503}}"#;
        let cut = body.find('\n').unwrap() + 1;
        let in_mid = match body.contains("data:") {
            true => format!(
                "{}\ndata: {error}\n\n",
                body[..cut]
                    .trim_start_matches("event: message_start\n")
                    .trim_start_matches("event: response.created\n")
            ),
            false => format!("{}{error}\n", &body[..cut]),
        };
        for body in [error, &in_mid] {
            let error = read(&request, Reply::stream(body)).await.unwrap_err();
            assert_eq!(error.code(), "model_overloaded", "{}: {error}", request.model);
        }
    }
}

#[tokio::test]
async fn values_of_unknown_kinds_are_passed_over() {
    for (request, body) in streams() {
        let unknown =
            r#"{"type":"response.later","object":"later","kind":"new","x":{"y":[1,null]}}"#;
        let with = match body.contains("data:") {
            true => body.replacen("\n\n", &format!("\n\nevent: later\ndata: {unknown}\n\n"), 2),
            false if body.starts_with('[') => body.replacen(",\n", &format!(",\n{unknown},\n"), 1),
            false => body.replacen('\n', &format!("\n{unknown}\n"), 1),
        };
        assert_ne!(with, body);
        is_the_answer(&read(&request, Reply::stream(&with)).await.unwrap());
    }
}
