//! What clients use is counted, and what they may is limited.

use serde_json::Value;

use crate::credentials::FLOW;
use crate::desk::Desk;
use crate::provider::Provider;
use crate::serving::Serving;

/// A token costs a thousandth of a dollar.
fn place(provider: &Provider) -> Desk {
    let desk = Desk::new();
    let price = "input = \"1000\"\noutput = \"1000\"\n";
    let settings = format!(
        "[providers.openai]\nbase_url = \"http://127.0.0.1:{}/v1\"\ndialect = \"openai\"\n\
         api_key = \"k\"\n[prices.\"openai/good\"]\n{price}[prices.\"openai/long\"]\n{price}",
        provider.port
    );
    desk.write("agentweaver.toml", settings);
    desk
}

fn ask(server: &Serving, path: &str, model: &str, stream: bool) -> String {
    let body = format!(
        r#"{{"model":"openai/{model}","stream":{stream},"max_tokens":5,"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    server.http("POST", path, Some(&body))
}

fn json(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let body = body.find('{').map_or("", |at| &body[at..=body.rfind('}').unwrap()]);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_days_money_is_spent_and_no_more() {
    let provider = Provider::open();
    let desk = place(&provider);
    let server = Serving::start(&desk);
    // 60 tokens.
    let set = server.http("PUT", "/api/v1/quotas", Some(r#"{"gateway_day":"0.06"}"#));
    assert_eq!(json(&set)["gateway_day"]["limit"], "0.06", "{set}");
    for stream in [false, true, false] {
        let answer = ask(&server, CHAT, "good", stream);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // An answer that goes on and on is cut when it has cost what was set aside for it.
    let cut = ask(&server, CHAT, "long", true);
    assert!(cut.contains("one two three") && cut.contains("model_over_budget"), "{cut}");
    assert!(!cut.contains("[DONE]") && cut.matches("one two").count() < 20, "{cut}");
    let spent = json(&server.http("GET", "/api/v1/quotas", None));
    let micros = |field: &str| {
        let text = spent["gateway_day"][field].as_str().unwrap();
        (text.parse::<f64>().unwrap() * 1e6) as u64
    };
    assert!(micros("spent") > 33_000 && micros("spent") <= 60_000, "{spent}");
    assert_eq!(micros("reserved"), 0, "{spent}");
    let mut answers = (0..6).map(|_| ask(&server, CHAT, "good", false));
    let refused = answers.find(|answer| !answer.starts_with("HTTP/1.1 200")).unwrap();
    assert!(refused.starts_with("HTTP/1.1 402") && refused.contains("x-should-retry: false"));
    assert!(refused.contains("retry-after: "), "{refused}");
    assert_eq!(json(&refused)["error"]["code"], "budget_exceeded", "{refused}");
    let refused = ask(&server, "/v1/messages", "good", true);
    assert_eq!(json(&refused)["error"]["type"], "billing_error", "{refused}");
    let asked = provider.keys().len();
    ask(&server, CHAT, "good", true);
    assert_eq!(provider.keys().len(), asked, "nobody is asked before there is money");
    let more = r#"{"gateway_day":"1.00","gateway_month":"0.01"}"#;
    server.http("PUT", "/api/v1/quotas", Some(more));
    let refused = ask(&server, CHAT, "good", false);
    assert!(refused.contains("the month's budget"), "{refused}");
    server.http("PUT", "/api/v1/quotas", Some("{}"));
    assert!(ask(&server, CHAT, "good", false).starts_with("HTTP/1.1 200"));
}

#[test]
fn usage_is_counted_by_model_and_outlives_the_server() {
    let provider = Provider::open();
    let desk = place(&provider);
    let server = Serving::start(&desk);
    for stream in [false, true] {
        ask(&server, CHAT, "good", stream);
        ask(&server, "/v1/messages", "good", stream);
        ask(&server, CHAT, "refuse", stream);
    }
    let usage = json(&server.http("GET", "/api/v1/usage", None));
    let line = &usage["items"][0];
    assert_eq!(usage["items"].as_array().unwrap().len(), 1, "{usage}");
    assert_eq!((&line["model"], &line["calls"]), (&"openai/good".into(), &4.into()), "{usage}");
    assert_eq!((&line["tokens"]["input"], &line["tokens"]["output"]), (&36.into(), &8.into()));
    assert_eq!((&line["cost"], &line["cost_now"]), (&"0.044".into(), &"0.044".into()), "{usage}");
    let earlier = "/api/v1/usage?from=2020-01-01&to=2020-12-31";
    assert_eq!(json(&server.http("GET", earlier, None))["items"], Value::Array(Vec::new()));
    let wrong = server.http("GET", "/api/v1/usage?from=yesterday", None);
    assert!(wrong.starts_with("HTTP/1.1 422") && wrong.contains("2026-01-31"), "{wrong}");
    server.stop();
    let server = Serving::start(&desk);
    ask(&server, CHAT, "good", false);
    let usage = json(&server.http("GET", "/api/v1/usage", None));
    assert_eq!(usage["items"][0]["calls"], 5, "{usage}");
    assert_eq!(usage["items"][0]["cost"], "0.055", "{usage}");
}

#[test]
fn what_executions_use_is_in_the_same_ledger() {
    let provider = Provider::open();
    let desk = place(&provider);
    desk.write("flow.py", FLOW);
    desk.write("again.py", FLOW.replace(r#""Hello")"#, r#""Hello", cache_seconds=60)"#));
    let server = Serving::start(&desk);
    for file in ["flow.py", "again.py", "again.py"] {
        let input = r#"{"model":"openai/good"}"#;
        desk.run(["submit", file, "--input", input, "--wait", "--json"]).expect(0);
    }
    assert_eq!(provider.keys().len(), 2, "the last answer was known");
    ask(&server, CHAT, "good", false);
    let usage = json(&server.http("GET", "/api/v1/usage", None));
    let line = &usage["items"][0];
    assert_eq!((&line["calls"], &line["cached_calls"]), (&4.into(), &1.into()), "{usage}");
    assert_eq!((&line["tokens"]["input"], &line["cost"]), (&27.into(), &"0.033".into()), "{usage}");
}

#[test]
fn calls_are_made_at_a_pace() {
    let provider = Provider::open();
    let desk = place(&provider);
    let server = Serving::start(&desk);
    assert!(!ask(&server, CHAT, "good", false).contains("ratelimit-"));
    let set = r#"{"gateway_calls_per_minute":2}"#;
    server.http("PUT", "/api/v1/quotas", Some(set));
    let first = ask(&server, CHAT, "good", false);
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert!(first.contains("ratelimit-limit: 2\r\nratelimit-remaining: 1\r\n"), "{first}");
    ask(&server, CHAT, "good", true);
    let refused = ask(&server, "/v1/messages", "good", false);
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: "), "{refused}");
    assert_eq!(json(&refused)["error"]["type"], "rate_limit_error", "{refused}");
    assert!(server.http("GET", "/v1/models", None).starts_with("HTTP/1.1 200"));
}
