//! Answers that are given again, to those who ask for that.

use serde_json::Value;

use crate::desk::Desk;
use crate::provider::Provider;
use crate::serving::Serving;

const CHAT: &str = "/v1/chat/completions";

fn place(provider: &Provider, more: &str) -> Desk {
    let desk = Desk::new();
    let settings = format!(
        "[providers.openai]\nbase_url = \"http://127.0.0.1:{}/v1\"\ndialect = \"openai\"\n\
         api_key = \"k\"\n[prices.\"openai/good\"]\ninput = \"1000\"\noutput = \"1000\"\n{more}",
        provider.port
    );
    desk.write("agentweaver.toml", settings);
    desk
}

/// Asks; the answer as it came, and whether the provider was asked.
fn ask(
    server: &Serving,
    provider: &Provider,
    path: &str,
    body: &str,
    seconds: Option<&str>,
) -> (String, bool) {
    let before = provider.keys().len();
    let headers: Vec<_> =
        seconds.map(|seconds| ("x-agentweaver-cache", seconds)).into_iter().collect();
    let answer = server.http_with("POST", path, Some(body), &headers);
    (answer, provider.keys().len() > before)
}

fn body(stream: bool, text: &str) -> String {
    format!(
        r#"{{"model":"openai/good","stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
}

fn json(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let body = body.find('{').map_or("", |at| &body[at..=body.rfind('}').unwrap()]);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn an_answer_is_given_again_whole_or_in_pieces_and_costs_nothing() {
    let provider = Provider::open();
    let desk = place(&provider, "");
    let server = Serving::start(&desk);
    let (first, asked) = ask(&server, &provider, CHAT, &body(false, "Hi"), Some("60"));
    assert!(asked && !first.contains("x-agentweaver-cache"), "{first}");
    let (again, asked) = ask(&server, &provider, CHAT, &body(false, "Hi"), Some("60"));
    assert!(!asked && again.contains("x-agentweaver-cache: hit"), "{again}");
    assert_eq!(json(&again)["choices"], json(&first)["choices"]);
    let (pieces, asked) = ask(&server, &provider, CHAT, &body(true, "Hi"), Some("60"));
    assert!(!asked && pieces.contains("x-agentweaver-cache: hit"), "{pieces}");
    assert!(
        pieces.contains(r#""content":"Hello.""#) && pieces.contains("data: [DONE]"),
        "{pieces}"
    );
    for (text, seconds) in [("Hi", None), ("Hi", Some("0")), ("Ho", Some("60"))] {
        let (answer, asked) = ask(&server, &provider, CHAT, &body(false, text), seconds);
        assert!(asked && answer.starts_with("HTTP/1.1 200"), "{text} {seconds:?}: {answer}");
    }
    // What came in pieces is kept when it is whole.
    ask(&server, &provider, CHAT, &body(true, "Hm"), Some("60"));
    assert!(!ask(&server, &provider, CHAT, &body(false, "Hm"), Some("60")).1);
    let (refused, _) = ask(&server, &provider, CHAT, &body(false, "Hi"), Some("soon"));
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("3600"), "{refused}");
    let usage = json(&server.http("GET", "/api/v1/usage", None));
    let line = &usage["items"][0];
    assert_eq!((&line["calls"], &line["cached_calls"]), (&8.into(), &3.into()), "{usage}");
    assert_eq!((&line["tokens"]["input"], &line["cost"]), (&45.into(), &"0.055".into()), "{usage}");
    assert_eq!(line["cost_now"], line["cost"], "{usage}");
}

#[test]
fn a_known_answer_needs_no_money_and_settings_may_ask_for_it() {
    let provider = Provider::open();
    let desk = place(&provider, "[cache.seconds]\n\"openai/good\" = 60\n");
    let server = Serving::start(&desk);
    // With a budget, a request is limited, and so another one than without.
    server.http("PUT", "/api/v1/quotas", Some(r#"{"gateway_day":"100"}"#));
    for (path, body) in server.calls("good", false) {
        let (first, asked) = ask(&server, &provider, path, &body, None);
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        // The first two are the same question in the words of two interfaces.
        assert_eq!(asked, path != "/v1/messages", "{path}");
    }
    server.http("PUT", "/api/v1/quotas", Some(r#"{"gateway_day":"0.00001"}"#));
    for (path, body) in server.calls("good", true) {
        let (again, asked) = ask(&server, &provider, path, &body, None);
        assert!(again.starts_with("HTTP/1.1 200") && !asked, "{again}");
        let (refused, _) = ask(&server, &provider, path, &body, Some("0"));
        assert!(refused.starts_with("HTTP/1.1 402"), "{refused}");
    }
}

#[test]
fn what_failed_is_not_kept() {
    let provider = Provider::open();
    let desk = place(&provider, "");
    let server = Serving::start(&desk);
    for (model, stream) in [("refuse", false), ("midway", true), ("long", true)] {
        for (path, body) in server.calls(model, stream) {
            for _ in 0..2 {
                let (answer, asked) = ask(&server, &provider, path, &body, Some("60"));
                assert!(asked && !answer.contains("x-agentweaver-cache"), "{model}: {answer}");
            }
        }
    }
}
