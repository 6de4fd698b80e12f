//! What happens when providers fail, are slow or limit: other models, other keys,
//! rests and turns.

mod common;

use std::time::Duration;

use common::{End, Provider, Reply, event};
use futures::StreamExt;
use weaver_llm::{
    Breaker, Call, ChatEvent, ChatMessage, ChatRequest, Error, Gateway, Options, ProviderOptions,
};

fn good() -> Reply {
    Reply::json(200, r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#)
}

fn busy() -> Reply {
    Reply::json(503, r#"{"error":{"message":"busy"}}"#)
}

fn ask() -> ChatRequest {
    ChatRequest::new("openai/gpt-4o", vec![ChatMessage::user("hi")])
}

fn once(mut options: Options) -> Options {
    options.retry.attempts = 1;
    options
}

#[tokio::test]
async fn a_chain_goes_on_where_another_model_may_help() {
    let first = Provider::start(vec![busy()]).await;
    let second = Provider::start(vec![Reply::stream(
        &[
            r#"{"type":"message_start","message":{"model":"claude-z","usage":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            r#"{"type":"message_stop"}"#,
        ]
        .map(event)
        .concat(),
    )])
    .await;
    let mut options = once(first.options());
    options.providers.extend(second.options_for("anthropic").providers);
    options.fallbacks =
        [("openai/gpt-4o".into(), vec!["nowhere/x".into(), "anthropic/claude-z".into()])].into();
    let gateway = Gateway::new(options).unwrap();
    let stream = gateway.chat(ask(), Call::default()).await.unwrap();
    let response = stream.collect(|_| {}).await.unwrap();
    assert_eq!((response.text().as_str(), response.head.provider.as_str()), ("ok", "anthropic"));

    // A request's own chain comes first; the error is that of the model that was meant.
    let request = ChatRequest { fallbacks: vec!["openai/gpt-4.1".into()], ..ask() };
    let error = gateway.complete(request, Call::default()).await.unwrap_err();
    assert_eq!((error.code(), first.requests().len()), ("model_overloaded", 3));
    let wrong = Provider::start(vec![Reply::json(400, r#"{"error":{"message":"no"}}"#)]).await;
    let gateway = Gateway::new(once(wrong.options())).unwrap();
    let request = ChatRequest { fallbacks: vec!["openai/gpt-4.1".into()], ..ask() };
    let error = gateway.complete(request, Call::default()).await.unwrap_err();
    assert_eq!(
        (error.code(), wrong.requests().len()),
        ("model_bad_request", 1),
        "wrong everywhere"
    );
}

#[tokio::test]
async fn keys_share_the_calls_and_a_limited_one_rests() {
    let limited = Reply::json(429, r#"{"error":{"message":"slow"}}"#).header("retry-after", "3600");
    let provider = Provider::start(vec![limited, good(), good(), good()]).await;
    let mut options = provider.options();
    options.providers.get_mut("openai").unwrap().more_keys = vec!["sk-second".into()];
    let gateway = Gateway::new(options).unwrap();
    for _ in 0..3 {
        gateway.complete(ask(), Call::default()).await.unwrap();
    }
    let keys: Vec<_> =
        provider.requests().iter().map(|(head, _)| head.contains("Bearer sk-second")).collect();
    assert_eq!(keys, [false, true, true, true], "the other key at once, and from then on");
}

#[tokio::test]
async fn a_refused_key_gives_way_and_one_alone_is_told() {
    let refused = Reply::json(401, r#"{"error":{"message":"bad key"}}"#);
    let provider = Provider::start(vec![refused.clone(), good()]).await;
    let mut options = provider.options();
    options.providers.get_mut("openai").unwrap().more_keys = vec!["sk-second".into()];
    Gateway::new(options).unwrap().complete(ask(), Call::default()).await.unwrap();
    let provider = Provider::start(vec![refused, good()]).await;
    let error = provider.gateway().complete(ask(), Call::default()).await.unwrap_err();
    assert_eq!((error.code(), provider.requests().len()), ("model_auth", 1));
}

#[tokio::test]
async fn a_key_that_is_alone_is_used_and_several_rest_together() {
    let limited = Reply::json(429, r#"{"error":{"message":"slow"}}"#).header("retry-after", "3600");
    let provider = Provider::start(vec![limited.clone(), good()]).await;
    let gateway = provider.gateway();
    gateway.complete(ask(), Call::default()).await.unwrap_err();
    gateway.complete(ask(), Call::default()).await.unwrap();

    let provider = Provider::start(vec![limited.clone(), limited, good()]).await;
    let mut options = provider.options();
    options.providers.get_mut("openai").unwrap().more_keys = vec!["sk-second".into()];
    let gateway = Gateway::new(options).unwrap();
    for _ in 0..2 {
        let error = gateway.complete(ask(), Call::default()).await.unwrap_err();
        assert!(error.retry_after().unwrap() > Duration::from_secs(3500), "{error}");
    }
    assert_eq!(provider.requests().len(), 2, "nobody is asked while both rest");
    // Limits are counted by model.
    let other = ChatRequest { model: "openai/gpt-4.1".into(), ..ask() };
    gateway.complete(other, Call::default()).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_alone_and_tried_out() {
    let provider = Provider::start(vec![busy(), busy(), good()]).await;
    let mut options = once(provider.options());
    options.breaker = Breaker { failures: 2, rest: Duration::from_secs(3600) };
    let gateway = Gateway::new(options.clone()).unwrap();
    for expected in ["model_overloaded", "model_overloaded", "model_circuit_open"] {
        let error = gateway.complete(ask(), Call::default()).await.unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.retry_is_safe());
    }
    assert_eq!(provider.requests().len(), 2, "nobody was asked the third time");
    // Another model at the same address is another endpoint.
    let other = ChatRequest { model: "openai/gpt-4.1".into(), ..ask() };
    gateway.complete(other, Call::default()).await.unwrap();

    let provider = Provider::start(vec![busy(), busy(), busy(), good(), good()]).await;
    let mut options = once(provider.options());
    options.breaker = Breaker { failures: 2, rest: Duration::ZERO };
    let gateway = Gateway::new(options).unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(gateway.complete(ask(), Call::default()).await.is_ok());
    }
    assert_eq!(outcomes, [false, false, false, true, true], "an answer opens it for all");
}

#[tokio::test]
async fn calls_with_one_key_wait_for_their_turn() {
    let begun = Reply::stream(&common::chunks(&[r#""choices":[{"delta":{"content":"a"}}]"#]));
    let mut provider = Provider::start(vec![begun.end(End::Hang), good()]).await;
    let mut options = provider.options();
    options.providers.get_mut("openai").unwrap().concurrency = Some(1);
    let gateway = Gateway::new(options).unwrap();
    let stream = gateway.chat(ask(), Call::default()).await.unwrap();
    let mut second = Box::pin(gateway.complete(ask(), Call::default()));
    for _ in 0..100 {
        assert!(futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.requests().len(), 1);
    // One that gives up while it waits takes no turn with it.
    let call = Call { deadline: Some(tokio::time::Instant::now()), ..Call::default() };
    let late = gateway.complete(ask(), call).await.unwrap_err();
    assert_eq!(late.code(), "model_timeout");
    drop(stream);
    second.await.unwrap();
    provider.left.recv().await.expect("the first connection was closed");
}

#[tokio::test]
async fn a_call_can_be_called_off_before_its_first_word() {
    let mut silent = Reply::stream("");
    silent.end = End::Hang;
    let mut provider = Provider::start(vec![silent]).await;
    let gateway = provider.gateway();
    let call = Call::default();
    let asking = gateway.chat(ask(), call.clone());
    let cancelling = async {
        while provider.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        call.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(asking, cancelling);
    assert_eq!(outcome.err(), Some(Error::Cancelled));
    provider.left.recv().await.expect("the provider sees the connection close");
}

#[tokio::test]
async fn azure_is_addressed_by_deployment_and_version() {
    let provider = Provider::start(vec![good()]).await;
    let root = provider.url.trim_end_matches("/v1").to_string();
    for (base, expected) in [
        (root.clone(), "/openai/deployments/my-4o/chat/completions?api-version=2025-01-01"),
        (
            format!("{root}/openai/"),
            "/openai/deployments/my-4o/chat/completions?api-version=2025-01-01",
        ),
        (
            format!("{root}/openai/deployments/x"),
            "/openai/deployments/x/chat/completions?api-version=2025-01-01",
        ),
        (format!("{root}/openai/v1"), "/openai/v1/chat/completions"),
    ] {
        let settings = ProviderOptions {
            base_url: Some(base),
            api_key: Some("k-1".into()),
            api_version: Some("2025-01-01".into()),
            ..ProviderOptions::default()
        };
        let options =
            Options { providers: [("azure".to_string(), settings)].into(), ..Options::default() };
        let gateway = Gateway::new(options).unwrap();
        let request = ChatRequest { model: "azure/my-4o".into(), ..ask() };
        gateway.complete(request, Call::default()).await.unwrap();
        assert_eq!(provider.last_path(), expected);
        assert!(provider.requests().last().unwrap().0.contains("api-key: k-1"));
    }
}

#[tokio::test]
async fn a_stream_gives_its_turn_back_at_its_end() {
    let body = common::chunks(&[r#""choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]"#]);
    let provider = Provider::start(vec![Reply::stream(&body)]).await;
    let mut options = provider.options();
    options.providers.get_mut("openai").unwrap().concurrency = Some(1);
    let gateway = Gateway::new(options).unwrap();
    for _ in 0..3 {
        let mut stream = gateway.chat(ask(), Call::default()).await.unwrap();
        while let Some(item) = stream.next().await {
            if matches!(item.unwrap(), ChatEvent::Finish { .. }) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_call_costs_no_more_than_it_may() {
    let provider = Provider::start(vec![good()]).await;
    let gateway = Gateway::new(once(provider.options())).unwrap();
    let with = |budget| Call { budget_micros: Some(budget), ..Call::default() };
    let error = gateway.complete(ask(), with(5)).await.unwrap_err();
    assert_eq!((error.code(), provider.requests().len()), ("model_over_budget", 0));
    assert!(!error.retry_is_safe());
    // gpt-4o: $10 for a million tokens received, so 1000 micro-USD pay for 100 less the prompt.
    gateway.complete(ask(), with(1000)).await.unwrap();
    let limit = provider.last_body()["max_completion_tokens"].as_u64().unwrap();
    assert!((90..100).contains(&limit), "{limit}");
    let few = ChatRequest { max_tokens: Some(7), ..ask() };
    gateway.complete(few, with(1000)).await.unwrap();
    assert_eq!(provider.last_body()["max_completion_tokens"], 7);
}

#[tokio::test]
async fn a_stream_is_cut_where_it_costs_too_much() {
    let piece = r#""choices":[{"delta":{"content":" word"}}]"#;
    let endless = Reply::stream(&common::chunks(&[piece; 500])).end(End::Hang);
    let mut provider = Provider::start(vec![endless]).await;
    let gateway = Gateway::new(once(provider.options())).unwrap();
    let call = Call { budget_micros: Some(1000), ..Call::default() };
    let mut stream = gateway.chat(ask(), call).await.unwrap();
    let mut words = 0;
    let error = loop {
        match stream.next().await.expect("an error comes before the end") {
            Ok(ChatEvent::Text { .. }) => words += 1,
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::OverBudget { began: true, .. }), "{error}");
    assert!((85..105).contains(&words), "{words}");
    assert!(stream.next().await.is_none());
    provider.left.recv().await.expect("the provider sees the connection close");
}
