//! The Chat Completions dialect over real sockets: what is asked, what is read,
//! what every kind of failure becomes.

mod common;

use std::time::Duration;

use common::{End, Provider, Reply, chunks};
use futures::StreamExt;
use weaver_llm::{
    Call, ChatEvent, ChatMessage, ChatRequest, ChatResponse, Error, Part, Phase, StopReason,
};

fn ask() -> ChatRequest {
    ChatRequest::new("openai/gpt-4o", vec![ChatMessage::user("hi")])
}

/// The one door: streams one answer from a provider that sends these replies.
async fn streamed(replies: Vec<Reply>) -> Result<ChatResponse, Error> {
    let provider = Provider::start(replies).await;
    provider.gateway().chat(ask(), Call::default()).await?.collect(|_| {}).await
}

async fn whole(replies: Vec<Reply>) -> Result<ChatResponse, Error> {
    let provider = Provider::start(replies).await;
    provider.gateway().complete(ask(), Call::default()).await
}

const TEXT: &[&str] = &[
    r#""choices":[{"index":0,"delta":{"role":"assistant","content":""}}]"#,
    r#""choices":[{"index":0,"delta":{"content":"grüß "}}]"#,
    r#""choices":[{"index":0,"delta":{"content":"日本"},"new_member":{"x":[1]}}]"#,
    r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#,
    r#""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"odd":1}"#,
];

fn is_the_text(response: &ChatResponse) {
    assert_eq!(response.text(), "grüß 日本");
    assert_eq!(response.stop, StopReason::End);
    assert_eq!(response.raw_stop.as_deref(), Some("stop"));
    assert_eq!(response.head.model, "m-1");
    assert_eq!(response.head.provider, "openai");
    let tokens = response.usage.tokens;
    assert_eq!((tokens.input, tokens.cached_read, tokens.output), (9, 3, 4));
    assert_eq!(response.usage.raw.get("odd"), Some(&1i64.into()), "unknown buckets are kept");
}

#[tokio::test]
async fn a_stream_reads_the_same_however_it_is_cut_and_dressed() {
    let body = format!("{}data: [DONE]\n\n", chunks(TEXT));
    is_the_text(&streamed(vec![Reply::stream(&body)]).await.unwrap());
    is_the_text(&streamed(vec![Reply::stream(&body).in_pieces(1)]).await.unwrap());
    is_the_text(&streamed(vec![Reply::stream(&body).in_pieces(7)]).await.unwrap());
    let dressed =
        body.replace("\n\n", "\r\n: ping\r\n\r\n").replace("data: {", "event: x\r\ndata:{");
    is_the_text(&streamed(vec![Reply::stream(&dressed).in_pieces(11)]).await.unwrap());
    let no_done = chunks(TEXT);
    is_the_text(&streamed(vec![Reply::stream(&no_done)]).await.unwrap());
    is_the_text(&streamed(vec![Reply::stream(no_done.trim_end())]).await.unwrap());
    // Nothing is waited for once the end was said.
    is_the_text(&streamed(vec![Reply::stream(&body).end(End::Hang)]).await.unwrap());
}

#[tokio::test]
async fn an_answer_in_one_piece_reads_as_the_stream_does() {
    let body = r#"{"id":"a1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"grüß 日本"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"odd":1}}"#;
    let response = whole(vec![Reply::json(200, body).in_pieces(5)]).await.unwrap();
    is_the_text(&response);
    // gpt-4o: 6 × 2.5 + 3 × 1.25 + 4 × 10 micro-USD, rounded up.
    assert_eq!(response.cost_micros, Some(59));
}

#[tokio::test]
async fn parallel_calls_with_and_without_ids_and_indices() {
    let proper = chunks(&[
        r#""choices":[{"delta":{"reasoning_content":"hm"}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":1,"id":"y","function":{"name":"g","arguments":"{\"b\":"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"2}"}}]},"finish_reason":"tool_calls"}]"#,
    ]);
    let response = streamed(vec![Reply::stream(&proper)]).await.unwrap();
    assert_eq!(calls(&response), [("x", "f", r#"{"a":1}"#), ("y", "g", r#"{"b":2}"#)]);
    assert!(matches!(&response.parts[0], Part::Reasoning { text, .. } if text == "hm"));
    assert_eq!(response.stop, StopReason::ToolCalls);

    let sloppy = chunks(&[
        r#""choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":{"a":1}}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"index":0,"id":"y","function":{"name":"f","arguments":"{\"a\":2}"}}]}}]"#,
        r#""choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]"#,
    ]);
    let response = streamed(vec![Reply::stream(&sloppy)]).await.unwrap();
    let expected = [("x", "f", r#"{"a":1}"#), ("y", "f", r#"{"a":2}"#), ("call_1_2", "f", "{}")];
    assert_eq!(calls(&response), expected);
    assert_eq!(response.stop, StopReason::ToolCalls, "whatever the server says");
}

fn calls(response: &ChatResponse) -> Vec<(&str, &str, &str)> {
    response
        .tool_calls()
        .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
        .collect()
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_after_what_came() {
    let head = chunks(&TEXT[..2]);
    let broken = [
        ("cut connection", Reply::stream(&head).end(End::Cut), "model_cut"),
        ("missing end", Reply::stream(&head), "model_cut"),
        (
            "error in mid-stream",
            Reply::stream(&format!(
                "{head}data: {{\"error\":{{\"message\":\"busy\",\"type\":\"server_error\"}}}}\n\n"
            )),
            "model_overloaded",
        ),
        ("bad frame", Reply::stream(&format!("{head}data: {{\"id\":\n\n")), "model_protocol"),
        (
            "failing finish",
            Reply::stream(&format!(
                "{head}{}",
                chunks(&[r#""choices":[{"delta":{},"finish_reason":"network_error"}]"#])
            )),
            "model_overloaded",
        ),
    ];
    for (what, reply, code) in broken {
        let provider = Provider::start(vec![reply]).await;
        let mut stream = provider.gateway().chat(ask(), Call::default()).await.unwrap();
        let mut text = String::new();
        let error = loop {
            match stream.next().await.expect("an error comes before the end") {
                Ok(ChatEvent::Text { text: piece }) => text.push_str(&piece),
                Ok(ChatEvent::Finish { .. }) => panic!("{what} must not finish"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!((text.as_str(), error.code()), ("grüß ", code), "{what}: {error}");
        assert!(stream.next().await.is_none(), "{what}: nothing comes after an error");
        assert_eq!(provider.requests().len(), 1, "{what}: what was shown is not tried again");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_protocol_errors() {
    let html =
        Reply::json(200, "<html>hello</html>").header("content-type", "text/html; charset=x");
    for (what, reply) in [
        ("empty", Reply::json(200, "")),
        ("a web page", html),
        ("something else", Reply::json(200, r#"{"hello":"world"}"#)),
        ("only an end", Reply::stream("data: [DONE]\n\n")),
        ("no JSON", Reply::stream("data: nope\n\n")),
    ] {
        let error = streamed(vec![reply.clone()]).await.unwrap_err();
        assert_eq!(error.code(), "model_protocol", "{what}, streamed: {error}");
        let error = whole(vec![reply]).await.unwrap_err();
        assert_eq!(error.code(), "model_protocol", "{what}, whole: {error}");
    }
}

#[tokio::test]
async fn refusals_with_a_good_status_are_errors() {
    for (body, code) in [
        (r#"{"code":"1113","msg":"no money"}"#, "model_quota"),
        (r#"{"code":"Arrearage","message":"no money"}"#, "model_quota"),
        (r#"{"code":429,"message":"slow down"}"#, "model_rate_limited"),
    ] {
        let error = whole(vec![Reply::json(200, body)]).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let plain = Reply::stream("event: error\ndata: upstream went away\n\n");
    let error = streamed(vec![plain]).await.unwrap_err();
    assert!(error.to_string().contains("upstream went away"), "{error}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let good = Reply::stream(&format!("{}data: [DONE]\n\n", chunks(TEXT)));
    let busy = Reply::json(503, r#"{"error":{"message":"busy"}}"#);
    let early = Reply::stream("data: {\"error\":{\"message\":\"busy\",\"code\":503}}\n\n");
    for first in [busy.clone(), early, Reply::json(200, "")] {
        let provider = Provider::start(vec![first, busy.clone(), good.clone()]).await;
        let stream = provider.gateway().chat(ask(), Call::default()).await.unwrap();
        let response = stream.collect(|_| {}).await.unwrap();
        assert_eq!(response.head.attempts, 3);
        is_the_text(&response);
    }
    let provider = Provider::start(vec![busy]).await;
    let error = provider.gateway().chat(ask(), Call::default()).await.err().unwrap();
    assert_eq!((error.code(), provider.requests().len()), ("model_overloaded", 3));
    for (status, code) in [(401, "model_auth"), (400, "model_bad_request"), (402, "model_quota")] {
        let refused = Reply::json(status, r#"{"error":{"message":"no"}}"#);
        let provider = Provider::start(vec![refused, good.clone()]).await;
        let error = provider.gateway().chat(ask(), Call::default()).await.err().unwrap();
        assert_eq!((error.code(), provider.requests().len()), (code, 1));
    }
}

#[tokio::test]
async fn retry_after_is_honoured_or_passed_on() {
    let good =
        Reply::json(200, r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#);
    let limited = |wait: &str| Reply::json(429, "{}").header("retry-after", wait);
    let provider = Provider::start(vec![limited("0.2"), good.clone()]).await;
    let before = std::time::Instant::now();
    provider.gateway().complete(ask(), Call::default()).await.unwrap();
    assert!(before.elapsed() >= Duration::from_millis(200), "never earlier than it asked");

    let provider = Provider::start(vec![limited("7"), good]).await;
    let error = provider.gateway().complete(ask(), Call::default()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(provider.requests().len(), 1, "longer than the cap: not waited for");
}

#[tokio::test]
async fn each_phase_has_its_own_time_limit() {
    let mut silent = Reply::stream("");
    silent.end = End::Hang;
    let stuck = Reply::stream(&chunks(&TEXT[..2])).end(End::Hang);
    for (reply, phase) in [(silent, Phase::FirstToken), (stuck, Phase::Idle)] {
        let provider = Provider::start(vec![reply]).await;
        let mut options = provider.options();
        options.retry.attempts = 1;
        options.timeouts.first_token = Duration::from_millis(300);
        options.timeouts.idle = Duration::from_millis(200);
        let gateway = weaver_llm::Gateway::new(options).unwrap();
        let outcome = match gateway.chat(ask(), Call::default()).await {
            Ok(stream) => stream.collect(|_| {}).await,
            Err(error) => Err(error),
        };
        match outcome {
            Err(Error::Timeout { phase: hit, .. }) if phase == Phase::FirstToken => {
                // Silence before the first word may show as either.
                assert!(matches!(hit, Phase::FirstToken | Phase::Idle));
            }
            Err(Error::Timeout { phase: hit, .. }) => assert_eq!(hit, phase),
            other => panic!("{phase:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn cancelling_or_dropping_closes_the_connection() {
    let stuck = Reply::stream(&chunks(&TEXT[..2])).end(End::Hang);
    let mut provider = Provider::start(vec![stuck]).await;
    let gateway = provider.gateway();
    let call = Call::default();
    let mut stream = gateway.chat(ask(), call.clone()).await.unwrap();
    while !matches!(stream.next().await, Some(Ok(ChatEvent::Text { .. }))) {}
    call.cancel.cancel();
    // A guard against waiting for ever, not a measure.
    let next = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    assert_eq!(next, Ok(Some(Err(Error::Cancelled))));
    provider.left.recv().await.expect("the provider sees the connection close");

    let stream = gateway.chat(ask(), Call::default()).await.unwrap();
    drop(stream);
    provider.left.recv().await.expect("dropping closes it too");
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_its_retries() {
    let mut silent = Reply::stream("");
    silent.end = End::Hang;
    let provider = Provider::start(vec![silent]).await;
    let deadline = Some(tokio::time::Instant::now() + Duration::from_millis(50));
    let call = Call { deadline, ..Call::default() };
    let error = provider.gateway().complete(ask(), call).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: Phase::Total, .. }), "{error}");
    assert!(!error.retry_is_safe());
}

#[tokio::test]
async fn nobody_there_says_where_and_what_to_do() {
    let mut options = weaver_llm::Options::default();
    options.retry.attempts = 1;
    let gateway = weaver_llm::Gateway::new(options).unwrap();
    let request = ChatRequest::new("http://127.0.0.1:9/v1#m", vec![ChatMessage::user("hi")]);
    let error = gateway.complete(request, Call::default()).await.unwrap_err();
    let said = error.to_string();
    assert_eq!(error.code(), "model_network");
    assert!(said.contains("http://127.0.0.1:9") && said.contains("--model scripted"), "{said}");
}

#[tokio::test]
async fn the_key_is_sent_and_never_told() {
    let echo = Reply::json(401, r#"{"error":{"message":"bad key sk-canary-123"}}"#);
    let provider = Provider::start(vec![echo]).await;
    let gateway = provider.gateway();
    let error = gateway.complete(ask(), Call::default()).await.unwrap_err();
    assert!(provider.requests()[0].0.contains("authorization: Bearer sk-canary-123"));
    for told in [error.to_string(), format!("{error:?}"), format!("{gateway:?}")] {
        assert!(!told.contains("canary"), "{told}");
    }
    let reflected = "data: {\"error\":{\"message\":\"sk-canary-123\",\"code\":400}}\n\n";
    let error = streamed(vec![Reply::stream(reflected)]).await.unwrap_err();
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Provider::start(vec![Reply::json(200, "{}")]).await;
    let away = Reply::json(307, "").header("location", &elsewhere.url);
    let error = whole(vec![away]).await.unwrap_err();
    assert_eq!(error.code(), "model_bad_request");
    assert!(elsewhere.requests().is_empty(), "the key went nowhere else");
}
