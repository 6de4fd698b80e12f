//! An extra: recorded traffic of real providers, played over a socket, where the
//! recordings lie beside the repository. Without them nothing is checked here;
//! `tests/openai.rs` has fixtures of our own for every shape.

mod common;

use std::path::PathBuf;

use common::{Provider, Reply};
use serde_json::Value;
use weaver_llm::{Call, ChatMessage, ChatRequest, ChatResponse, Error, Part, StopReason};

#[tokio::test]
async fn recorded_answers_read_as_expected() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cassettes");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for entry in entries.flatten().filter(|entry| entry.path().extension() == Some("json".as_ref()))
    {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        let path = case["request"]["path"].as_str().unwrap_or_default();
        let reply = reply(&case["response"]);
        let (true, Some(reply)) = (path.ends_with("/chat/completions"), reply) else { continue };
        count += 1;
        let outcome = play(reply, case["stream"] == true).await;
        if let Err(problem) = check(&outcome, &case["expect"]) {
            wrong.push(format!("{}: {problem}", case["id"]));
        }
    }
    assert!(count > 0 && wrong.is_empty(), "of {count}: {}", wrong.join("\n"));
}

async fn play(reply: Reply, stream: bool) -> Result<ChatResponse, Error> {
    // Cut where no event ends, so that every reading crosses pieces.
    let provider = Provider::start(vec![reply.in_pieces(1009)]).await;
    let mut options = provider.options();
    options.retry.attempts = 1;
    let gateway = weaver_llm::Gateway::new(options).unwrap();
    let request = ChatRequest::new("openai/gpt-4o", vec![ChatMessage::user("hi")]);
    match stream {
        true => gateway.chat(request, Call::default()).await?.collect(|_| {}).await,
        false => gateway.complete(request, Call::default()).await,
    }
}

fn reply(response: &Value) -> Option<Reply> {
    let status = response["status"].as_u64()? as u16;
    let eol = response["eol"].as_str().unwrap_or("\n");
    let body = match (&response["sse"], &response["body"], &response["text"]) {
        (Value::Array(events), ..) => {
            events.iter().map(|event| format!("{}{eol}{eol}", event.as_str().unwrap())).collect()
        }
        (_, _, Value::String(text)) => text.clone(),
        (_, body, _) => body.to_string(),
    };
    let mut reply = Reply::json(status, &body);
    for (name, value) in response["headers"].as_object()? {
        reply = reply.header(&name.to_lowercase(), value.as_str()?);
    }
    Some(reply)
}

fn check(outcome: &Result<ChatResponse, Error>, expect: &Value) -> Result<(), String> {
    let same = |what: &str, is: Value, wanted: &Value| match wanted.is_null() || is == *wanted {
        true => Ok(()),
        false => {
            let (is, wanted) = (is.to_string(), wanted.to_string());
            Err(format!("{what} is {is:.200}, expected {wanted:.200}"))
        }
    };
    let response = match (outcome, &expect["error"]) {
        (Err(error), wanted) if wanted.is_object() => {
            let retryable = &wanted["retryable"];
            // An answer that cannot be read may be asked for again.
            return match error.code() {
                "model_protocol" => Ok(()),
                _ => same(&format!("retry ({error})"), error.retry_is_safe().into(), retryable),
            };
        }
        (Err(error), _) => return Err(format!("failed: {error}")),
        (Ok(_), wanted) if wanted.is_object() => return Err("should have failed".into()),
        (Ok(response), _) => response,
    };
    match &expect["text_length"] {
        // Of a very long text only the beginning is written down.
        Value::Null => same("text", response.text().into(), &expect["text"])?,
        length => same("text length", response.text().chars().count().into(), length)?,
    }
    let reasoning: String = response
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    same("reasoning", reasoning.into(), &expect["reasoning"])?;
    let calls: Vec<Value> = response
        .tool_calls()
        .map(|call| {
            let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            serde_json::json!({"id": call.id, "name": call.name, "arguments": arguments})
        })
        .collect();
    same("tool_calls", calls.into(), &expect["tool_calls"])?;
    same("finish_raw", response.raw_stop.clone().into(), &expect["finish_raw"])?;
    let finish = match response.stop {
        StopReason::End | StopReason::StopText | StopReason::Refusal | StopReason::Other => "stop",
        StopReason::ToolCalls => "tool_calls",
        StopReason::MaxTokens => "length",
        StopReason::ContentFilter => "content_filter",
    };
    same("finish", finish.into(), &expect["finish"])?;
    let (usage, wanted) = (response.usage.tokens, &expect["usage"]);
    same("input", usage.input.into(), &wanted["input"])?;
    same("output", usage.output.into(), &wanted["output"])?;
    same("cached", usage.cached_read.into(), &wanted["cached"])?;
    same("reasoning tokens", usage.reasoning.into(), &wanted["reasoning"])
}
