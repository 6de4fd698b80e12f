//! `nodes.llm` and `nodes.intent`.

use weaver_core::spec::ToolErrors;
use weaver_core::{Failure, FailureKind, Message, MessageKind, Value};
use weaver_engine::{Answer, NodeOutput};
use weaver_llm::ChatRequest;

use super::settings::Settings;
use super::{Task, go};
use crate::{host_call, model, structured, tool_node};

/// Rounds of tool calls when `max_tool_rounds` is left out.
const TOOL_ROUNDS: usize = 10;

/// Asks a model, calls the tools it wants, and writes the answer.
pub async fn llm(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let mut messages = conversation(task, settings)?;
    let request = request(task, settings)?;
    let tools: Vec<String> = request.tools.iter().map(|tool| tool.name.clone()).collect();
    let rounds = settings.count("max_tool_rounds").unwrap_or(TOOL_ROUNDS);
    let mut said = Vec::new();
    for round in 0.. {
        let mut request = request.clone();
        request.messages = weaver_llm::convert::to_chat(&messages).map_err(Failure::from)?;
        if let Some(output) = request.output.clone()
            && tools.is_empty()
        {
            let value =
                structured::ask(&task.services.gateway, task.context, request, &output).await?;
            let value = instance(task, settings, value);
            return Ok(write_answer(task, settings, value, Vec::new()));
        }
        let response = model::ask(&task.services.gateway, task.context, request).await?;
        let message = weaver_llm::convert::to_message(&response);
        messages.push(message.clone());
        said.push(message.to_value());
        if message.tool_calls.is_empty() || tools.is_empty() {
            let result = match settings.get("output_schema") {
                Some(_) => response.json().map(|value| instance(task, settings, value)).map_err(
                    |problem| Failure::new(FailureKind::Model, "model_output_invalid", problem),
                )?,
                None => Value::str(response.text()),
            };
            return Ok(write_answer(task, settings, result, said));
        }
        if round >= rounds {
            let message = format!("the model asked for tools {rounds} times and gave no answer");
            let failure = Failure::new(FailureKind::Model, "tool_rounds", message);
            return Err(
                failure.with_help("raise `max_tool_rounds`, or say in the prompt when to stop")
            );
        }
        for result in tool_results(task, &tools, &message).await? {
            messages.push(Message::from_value(&result).map_err(crate::convert::invalid)?);
            said.push(result);
        }
    }
    unreachable!("the loop ends by returning")
}

/// Lets a model choose one of the intents and goes on at its route.
pub async fn intent(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let intents = intents(settings.get("intents"));
    let text = settings.required("text")?;
    let names: Vec<Value> =
        intents.iter().map(|intent| Value::str(&*intent.name)).chain(["none".into()]).collect();
    let schema = Value::map([
        ("type", Value::str("object")),
        (
            "properties",
            Value::map([(
                "intent",
                Value::map([("type", Value::str("string")), ("enum", Value::list(names))]),
            )]),
        ),
        ("required", Value::list(["intent".into()])),
        ("additionalProperties", false.into()),
    ]);
    let listed: String = intents
        .iter()
        .map(|intent| format!("- {}: {}\n", intent.name, intent.description))
        .collect();
    let instructions = format!(
        "Choose the one intent that the text has. Answer `none` when it has none of them.\n\nIntents:\n{listed}"
    );
    let mut request = ChatRequest::new(
        settings.text("model").unwrap_or_default(),
        vec![weaver_llm::ChatMessage::system(instructions), weaver_llm::ChatMessage::user(text)],
    );
    request.temperature = Some(0.0);
    let output = weaver_llm::OutputSchema { name: "intent".into(), schema, strict: true };
    request.output = Some(output.clone());
    let chosen = structured::ask(&task.services.gateway, task.context, request, &output).await?;
    let chosen = chosen.get("intent").and_then(Value::as_str).unwrap_or("none").to_string();
    let target = match intents.into_iter().find(|intent| intent.name == chosen) {
        Some(intent) => intent.goto,
        None => settings.target("fallback"),
    };
    let update = settings.text("into").map(|key| (key.to_string(), Value::str(chosen)));
    Ok(go([target], update.into_iter().collect()))
}

fn instance(task: &Task<'_>, settings: &Settings<'_>, value: Value) -> Value {
    match settings.get("output_schema") {
        Some(schema) => task.services.instance(schema, value),
        None => value,
    }
}

struct Intent {
    name: String,
    description: String,
    goto: String,
}

fn intents(setting: Option<&Value>) -> Vec<Intent> {
    let read = |name: &str, value: &Value| {
        let text = |key| value.get(key).and_then(Value::as_str);
        Intent {
            name: name.to_string(),
            description: value.as_str().or_else(|| text("description")).unwrap_or(name).to_string(),
            goto: text("goto").unwrap_or(name).to_string(),
        }
    };
    match setting {
        Some(Value::Map(map)) => map.iter().map(|(name, value)| read(name, value)).collect(),
        Some(Value::List(items)) => {
            items.iter().filter_map(|item| Some(read(item.get("name")?.as_str()?, item))).collect()
        }
        _ => Vec::new(),
    }
}

/// System prompt, messages of the state, prompt.
fn conversation(task: &Task<'_>, settings: &Settings<'_>) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    if let Some(system) = settings.rendered("system")? {
        messages.push(Message::new(MessageKind::System, system));
    }
    let key = settings.text("messages_key");
    if let Some(earlier) = key.and_then(|key| task.state.get(key)) {
        messages.extend(model::messages_of(earlier)?);
    }
    if let Some(prompt) = settings.rendered("prompt")? {
        messages.push(Message::new(MessageKind::Human, prompt));
    }
    Ok(messages)
}

fn request(task: &Task<'_>, settings: &Settings<'_>) -> Result<ChatRequest, Failure> {
    let mut request = ChatRequest::new(settings.text("model").unwrap_or_default(), Vec::new());
    request.temperature = settings.number("temperature");
    request.max_tokens = settings.count("max_tokens").and_then(|n| u32::try_from(n).ok());
    for tool in settings.list("tools") {
        let name = tool.as_str().or_else(|| tool.get("name")?.as_str()).unwrap_or_default();
        request.tools.push(host_call::tool_definition(task.services, &name.into())?);
    }
    if let Some(schema) = settings.get("output_schema") {
        let schema = task.services.schema(schema);
        request.output = model::output_schema(&schema)?;
    }
    Ok(request)
}

async fn tool_results(
    task: &Task<'_>,
    tools: &[String],
    message: &Message,
) -> Result<Vec<Value>, Failure> {
    let node =
        tool_node::ToolNode { tools, messages_key: "messages", handle_errors: &ToolErrors::All };
    let state = Value::list([message.to_value()]);
    match node.run(task.services, task.python, task.context, &state, &[]).await {
        Answer::Node(NodeOutput::Update(Value::List(results))) => Ok(results.to_vec()),
        Answer::Failed(failure) => Err(failure),
        _ => Err(Failure::new(
            FailureKind::InvalidInput,
            "tool_not_allowed",
            "a tool of `nodes.llm` waits for a person or changes the route, which it cannot do there",
        )
        .with_help("use a model node with a `ToolNode` behind it")),
    }
}

/// `into="messages"` gets everything that was said, any other key the answer.
fn write_answer(
    task: &Task<'_>,
    settings: &Settings<'_>,
    result: Value,
    said: Vec<Value>,
) -> Answer<Value> {
    match settings.text("into") {
        Some("messages") if !said.is_empty() => {
            Answer::Node(NodeOutput::Update(Value::map([("messages", Value::list(said))])))
        }
        _ => super::write(task, settings, result),
    }
}
