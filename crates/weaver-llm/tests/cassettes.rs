//! An extra: recorded traffic of real providers, played by the server that lies
//! beside the recordings, where both lie beside the repository. Without them nothing
//! is checked here; the other tests have fixtures of our own for every shape.

mod common;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use weaver_llm::{
    Call, ChatMessage, ChatRequest, ChatResponse, Dialect, EmbedRequest, Error, Gateway, Options,
    OutputSchema, Part, ProviderOptions, StopReason, ToolChoice, ToolDefinition,
};

#[tokio::test]
async fn recorded_answers_read_as_expected() {
    let Some(player) = Player::start() else { return };
    let (mut wrong, mut count) = (Vec::new(), 0);
    let mut known = Vec::new();
    // Making one takes longer than a call.
    let mut gateways = HashMap::new();
    for case in player.cases() {
        let Some(asked) = Asked::of(&case) else { continue };
        // Two recordings of the same question cannot be told apart by it.
        let is_new = !known.contains(&case["client_request"]);
        known.push(case["client_request"].clone());
        // As a caller would ask it, found by what is asked; and any question at the
        // address of this one recording.
        for request in [asked.by_request(&case).filter(|_| is_new), Some(asked.by_address())]
            .into_iter()
            .flatten()
        {
            let forced =
                request.messages.len() == 1 && request.last_user_text().as_deref() == Some("?");
            let base = match forced {
                true => format!("{}/c/{}", player.url, asked.id),
                false => format!("{}/{}", player.url, asked.folder),
            };
            count += 1;
            let outcome = asked.play(&base, &mut gateways, request).await;
            if let Err(problem) = check(&outcome, &case["expect"]) {
                wrong.push(format!(
                    "{} ({}): {problem}",
                    asked.id,
                    if forced { "forced" } else { "found" }
                ));
            }
        }
    }
    assert!(count > 100 && wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn recorded_embeddings_counts_and_lists_read_as_expected() {
    let Some(player) = Player::start() else { return };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for case in player.cases() {
        let Some(asked) = Asked::of_any(&case) else { continue };
        let path = case["request"]["path"].as_str().unwrap();
        let gateway =
            Gateway::new(asked.options(&format!("{}/c/{}", player.url, asked.id))).unwrap();
        let call = Call::default();
        let model = format!("{}/{}", asked.provider, asked.model);
        let outcome = if path.ends_with("/embeddings") || path.contains("mbedContent") {
            let request = EmbedRequest { model, inputs: vec!["?".into()], ..Default::default() };
            gateway.embed(request, call).await.map(|response| {
                let sizes: Vec<_> = response.vectors.iter().map(Vec::len).collect();
                let usage = response.usage.tokens.input;
                json!({"count": sizes.len(), "dimensions": sizes, "usage": {"prompt_tokens": usage, "total_tokens": usage}, "encoding": "float"})
            })
        } else if path.ends_with("/count_tokens") {
            gateway
                .count_tokens(asked.by_address(), call)
                .await
                .map(|count| json!({"tokens": count.tokens}))
        } else if path.ends_with("/models") {
            gateway.models(asked.provider, call).await.map(|ids| json!({"ids": ids}))
        } else {
            continue;
        };
        count += 1;
        let checked = match (&outcome, &case["expect"]["error"]) {
            (Err(error), wanted) if wanted.is_object() => check_error(error, wanted),
            (Err(error), _) => Err(format!("failed: {error}")),
            (Ok(value), _) => {
                let mut wanted = case["expect"].clone();
                if let Some(ids) = wanted.get_mut("ids").and_then(Value::as_array_mut) {
                    let known: Vec<_> = value["ids"].as_array().unwrap().clone();
                    ids.retain(|id| !known.contains(id));
                    wanted = if ids.is_empty() { value.clone() } else { wanted };
                }
                same("answer", value.clone(), &wanted)
            }
        };
        if let Err(problem) = checked {
            wrong.push(format!("{}: {problem}", asked.id));
        }
    }
    assert!(count > 4 && wrong.is_empty(), "of {count}: {}", wrong.join("\n"));
}

#[test]
fn estimates_come_near_to_what_was_counted() {
    let Some(player) = Player::start() else { return };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for case in player.cases() {
        let Some(asked) = Asked::of(&case) else { continue };
        // A prompt that the provider keeps, and a word that it replaces.
        let elsewhere = asked.id.ends_with("redacted")
            || case["not_in_client_request"].to_string().contains("cachedContent");
        let counted = case["expect"]["usage"]["input"].as_u64().unwrap_or(0);
        let Some(request) = asked.by_request(&case) else { continue };
        let gateway = Gateway::new(asked.options("http://127.0.0.1:9")).unwrap();
        let estimate = gateway.estimate(&request).unwrap().input;
        let plain = request.tools.is_empty() && request.output.is_none();
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let texts = plain && parts.into_iter().all(|part| matches!(part, Part::Text { .. }));
        if counted >= 60 && texts && !elsewhere {
            let off = (estimate as f64 / counted as f64 - 1.0).abs();
            seen += 1;
            if off > 0.1 {
                wrong.push(format!("{}: {estimate} for {counted}", asked.id));
            }
        }
    }
    assert!(seen > 3 && wrong.is_empty(), "of {seen}: {}", wrong.join("\n"));
}

/// The server of recordings; it ends with the test.
struct Player {
    process: Child,
    folder: PathBuf,
    url: String,
}

impl Player {
    fn start() -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cassettes");
        let script = folder.join("replay.py");
        if !script.exists() {
            return None;
        }
        // Cut where no event ends, so that every reading crosses pieces.
        let mut process = Command::new("python3")
            .arg(script)
            .args(["--port", "0", "--split-bytes", "1009"])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        std::io::BufReader::new(process.stdout.take()?).read_line(&mut line).ok()?;
        let url = line.split_whitespace().last()?.to_string();
        Some(Player { process, folder, url })
    }

    fn cases(&self) -> Vec<Value> {
        let mut paths: Vec<_> =
            std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension() == Some("json".as_ref()));
        paths.sort();
        let read = |path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        paths.into_iter().map(read).collect()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How one recording is asked for.
struct Asked {
    id: String,
    /// Our name of the provider.
    provider: &'static str,
    /// The player's folder of it, with the version where there is one.
    folder: &'static str,
    model: String,
    stream: bool,
    dialect: Option<Dialect>,
    key: &'static str,
}

impl Asked {
    /// None for what is not a chat.
    fn of(case: &Value) -> Option<Self> {
        let path = case["request"]["path"].as_str()?;
        let is_chat = ["/chat/completions", "/responses", "/messages", "/api/chat"];
        let found =
            is_chat.iter().any(|end| path.ends_with(end)) || path.contains("enerateContent");
        found.then(|| Asked::of_any(case)).flatten()
    }

    fn of_any(case: &Value) -> Option<Self> {
        let path = case["request"]["path"].as_str()?;
        let (provider, folder) = match case["provider"].as_str()? {
            "anthropic" => ("anthropic", "anthropic"),
            "gemini" => ("google", "gemini/v1beta"),
            "gemini-vertex" => ("vertex", "gemini-vertex/publishers/google"),
            "zai" => ("zhipu", "zai/api/paas/v4"),
            "ollama" => ("ollama", "ollama"),
            "ollama-v1" => ("ollama", "ollama-v1/v1"),
            "openai" => ("openai", "openai/v1"),
            "azure" => ("azure", "azure"),
            "groq" => ("groq", "groq/openai/v1"),
            "deepseek" => ("deepseek", "deepseek"),
            "mistral" => ("mistral", "mistral/v1"),
            "openrouter" => ("openrouter", "openrouter/api/v1"),
            "llamacpp" => ("llamacpp", "llamacpp/v1"),
            other => panic!("{other} has no name here"),
        };
        let by_path = path.split("/models/").nth(1).and_then(|rest| rest.split(':').next());
        let model = by_path.or(case["request"]["body"]["model"].as_str()).unwrap_or("any");
        let refused = case["expect"]["error"]["class"] == "authentication";
        Some(Asked {
            id: case["id"].as_str()?.into(),
            provider,
            folder,
            model: model.into(),
            stream: case["stream"] == true,
            dialect: path.ends_with("/responses").then_some(Dialect::Responses),
            key: if refused { "invalid-key" } else { "good-key" },
        })
    }

    fn by_address(&self) -> ChatRequest {
        let model = format!("{}/{}", self.provider, self.model);
        let request = ChatRequest::new(model, vec![ChatMessage::user("?")]);
        ChatRequest { dialect: self.dialect, ..request }
    }

    /// The request that a client would send, in OpenAI's words, in ours.
    fn by_request(&self, case: &Value) -> Option<ChatRequest> {
        let asked = case["client_request"].as_object()?;
        let messages = asked["messages"].as_array()?.iter();
        let messages: Vec<_> = messages
            .map(|message| weaver_core::Message::from_value(&weaver_core::Value::from(message)))
            .collect::<Result<_, _>>()
            .ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let tools = asked.get("tools").and_then(Value::as_array).into_iter().flatten();
        let tools = tools.map(|tool| ToolDefinition {
            name: text(&tool["function"]["name"]),
            description: text(&tool["function"]["description"]),
            parameters: weaver_core::Value::from(&tool["function"]["parameters"]),
        });
        let output = asked.get("response_format").filter(|f| f["json_schema"].is_object());
        Some(ChatRequest {
            messages: weaver_llm::convert::to_chat(&messages).ok()?,
            tools: tools.collect(),
            tool_choice: match asked.get("tool_choice").and_then(Value::as_str) {
                Some("required") => ToolChoice::Required,
                _ => ToolChoice::Auto,
            },
            temperature: asked.get("temperature").and_then(Value::as_f64),
            max_tokens: ["max_tokens", "max_completion_tokens"]
                .iter()
                .find_map(|key| asked.get(*key)?.as_u64())
                .map(|limit| limit as u32),
            reasoning_effort: asked.get("reasoning_effort").map(text),
            output: output.map(|format| OutputSchema {
                name: text(&format["json_schema"]["name"]),
                schema: weaver_core::Value::from(&format["json_schema"]["schema"]),
                strict: format["json_schema"]["strict"] == true,
            }),
            ..self.by_address()
        })
    }

    fn options(&self, base: &str) -> Options {
        let version = match (self.provider, base.contains("/c/")) {
            ("ollama", true) if self.folder.ends_with("v1") => "/v1",
            ("vertex", true) => "/publishers/google",
            _ => "",
        };
        let settings = ProviderOptions {
            base_url: Some(format!("{base}{version}")),
            api_key: Some(self.key.into()),
            api_version: Some("2024-02-01".into()),
            ..ProviderOptions::default()
        };
        let mut options = Options {
            providers: [(self.provider.to_string(), settings)].into(),
            ..Options::default()
        };
        options.retry.attempts = if self.id.contains("retry") { 3 } else { 1 };
        options
    }

    async fn play(
        &self,
        base: &str,
        gateways: &mut HashMap<String, Gateway>,
        request: ChatRequest,
    ) -> Result<ChatResponse, Error> {
        let options = self.options(base);
        let kind = format!("{base} {} {}", self.key, options.retry.attempts);
        let gateway = gateways.entry(kind).or_insert_with(|| Gateway::new(options).unwrap());
        match self.stream {
            true => gateway.chat(request, Call::default()).await?.collect(|_| {}).await,
            false => gateway.complete(request, Call::default()).await,
        }
    }
}

fn check(outcome: &Result<ChatResponse, Error>, expect: &Value) -> Result<(), String> {
    let response = match (outcome, &expect["error"]) {
        (Err(error), wanted) if wanted.is_object() => return check_error(error, wanted),
        (Err(error), _) if expect["may_be_error_status"].is_array() => {
            return same("code", error.code().into(), &json!("model_content_filtered"));
        }
        (Err(error), _) => return Err(format!("failed: {error}")),
        (Ok(_), wanted) if wanted["may_skip"] == true => return Ok(()),
        (Ok(_), wanted) if wanted.is_object() => return Err("should have failed".into()),
        (Ok(response), _) => response,
    };
    match &expect["text_length"] {
        // Of a very long text only the beginning is written down.
        Value::Null => same("text", response.text().into(), &expect["text"])?,
        length => same("text length", response.text().chars().count().into(), length)?,
    }
    let joined = |pick: fn(&Part) -> Option<&str>| -> String {
        response.parts.iter().filter_map(pick).collect()
    };
    let reasoning = joined(|part| match part {
        Part::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    let refusal = joined(|part| match part {
        Part::Refusal { text } => Some(text),
        _ => None,
    });
    same("reasoning", reasoning.into(), &expect["reasoning"])?;
    same("refusal", refusal.into(), &expect["refusal"])?;
    check_calls(response, expect)?;
    same("finish_raw", response.raw_stop.clone().into(), &expect["finish_raw"])?;
    let finish = match response.stop {
        StopReason::End | StopReason::StopText | StopReason::Other => "stop",
        StopReason::ToolCalls => "tool_calls",
        StopReason::MaxTokens => "length",
        StopReason::ContentFilter => "content_filter",
        StopReason::Refusal => "stop",
    };
    match expect["finish_any_of"].as_array() {
        Some(any) if any.contains(&finish.into()) => {}
        _ => same("finish", finish.into(), &expect["finish"])?,
    }
    let (usage, wanted) = (response.usage.tokens, &expect["usage"]);
    for (bucket, is) in [
        ("input", usage.input),
        ("output", usage.output),
        ("cached", usage.cached_read),
        ("cache_write", usage.cached_write),
        ("input_uncached", usage.input - usage.cached_read - usage.cached_write),
        ("reasoning", usage.reasoning),
        ("total", usage.input + usage.output),
    ] {
        same(bucket, is.into(), &wanted[bucket])?;
    }
    Ok(())
}

fn check_calls(response: &ChatResponse, expect: &Value) -> Result<(), String> {
    let wanted = expect["tool_calls"].as_array().into_iter().flatten();
    let calls: Vec<_> = response.tool_calls().collect();
    same("number of calls", calls.len().into(), &json!(wanted.clone().count()))?;
    for (call, wanted) in calls.iter().zip(wanted) {
        let arguments: Value = serde_json::from_str(&call.arguments)
            .map_err(|error| format!("arguments {:?}: {error}", call.arguments))?;
        same("id", call.id.clone().into(), &wanted["id"])?;
        same("name", call.name.clone().into(), &wanted["name"])?;
        same("arguments", arguments, &wanted["arguments"])?;
    }
    let mut ids: Vec<_> = calls.iter().map(|call| &call.id).collect();
    ids.sort();
    ids.dedup();
    same("distinct ids", ids.len().into(), &json!(calls.len()))?;
    let native = response.parts.iter().filter_map(|part| match part {
        Part::Native { value, .. } => Some(Value::from(value)),
        _ => None,
    });
    let tools: Vec<_> = native
        .filter(|value| value["type"] == "server_tool_use")
        .map(|value| value["name"].clone())
        .collect();
    same("server tools", tools.into(), &expect["server_tools"])
}

fn check_error(error: &Error, wanted: &Value) -> Result<(), String> {
    let codes: &[&str] = match wanted["class"].as_str() {
        Some("authentication") => &["model_auth"],
        Some("invalid_request") => {
            &["model_bad_request", "model_context_too_long", "model_content_filtered"]
        }
        Some("not_found") => &["model_not_found"],
        Some("rate_limit") => &["model_rate_limited"],
        Some("quota") => &["model_quota"],
        Some("overloaded" | "server") => &["model_overloaded"],
        Some("upstream_cut") => &["model_cut"],
        Some("bad_upstream") => &["model_protocol"],
        Some(other) => panic!("{other} has no code here"),
        None => &[],
    };
    if !codes.is_empty() && !codes.contains(&error.code()) {
        return Err(format!("{} instead of {codes:?}: {error}", error.code()));
    }
    // Whether a call may be made again is another question than whether a stream
    // that was shown may go on.
    if wanted["mid_stream"] != true {
        same("retry", error.retry_is_safe().into(), &wanted["retryable"])?;
    }
    let reset = error.retry_after().map(|wait| wait.as_secs());
    same("retry after", reset.into(), &wanted["retry_after"])?;
    let said: String = wanted["message"].as_str().unwrap_or_default().chars().take(100).collect();
    match error.to_string().contains(&said) || said.contains("invalid-key") {
        true => Ok(()),
        false => Err(format!("`{error}` does not say `{said}`")),
    }
}

fn same(what: &str, is: Value, wanted: &Value) -> Result<(), String> {
    match wanted.is_null() || is == *wanted {
        true => Ok(()),
        false => {
            let (is, wanted) = (is.to_string(), wanted.to_string());
            Err(format!("{what} is {is:.200}, expected {wanted:.200}"))
        }
    }
}
