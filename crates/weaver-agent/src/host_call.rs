//! What Python asks of the host, and the answers.

use std::collections::HashMap;
use std::sync::Arc;

use weaver_core::spec::{SchemaKind, SchemaSpec, ToolSpec};
use weaver_core::{Event, EventKind, Failure, FailureKind, Value};
use weaver_engine::{Graph, StreamModes};
use weaver_interpreter::{HostCall, HostException};
use weaver_llm::{ChatRequest, Gateway, ToolChoice, ToolDefinition};
use weaver_runtime::{EffectPolicy, EffectRequest, TaskContext};
use weaver_tools::Registry;

use crate::cpython::Machine;
use crate::{memory, model, subgraph};

/// What nodes may call.
#[derive(Clone)]
pub struct Services {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Models.
    pub gateway: Gateway,
    /// Built-in tools.
    pub tools: Registry,
    /// `@tool` functions of the file, by the name that models see.
    pub file_tools: Arc<HashMap<String, ToolSpec>>,
    /// Graphs of the file that functions may invoke.
    pub graphs: Arc<HashMap<String, Graph<Value>>>,
    /// The file's schema classes, by name.
    pub schemas: Arc<HashMap<String, SchemaSpec>>,
    /// What `os.getenv` answers: nothing but these.
    pub environment: Arc<HashMap<String, String>>,
    /// Hash of the file's text, 64 hex digits: a worker must have the same.
    pub text: Arc<str>,
    /// Runs what the embedded interpreter cannot, outside the sandbox: where the user runs
    /// their own file, and never in a server.
    pub machine: Option<Arc<dyn Machine>>,
}

impl Services {
    /// The JSON Schema that a setting means: a schema class by reference, or the
    /// dict itself.
    pub fn schema(&self, setting: &Value) -> Value {
        match self.schema_class(setting) {
            Some(schema) => schema.json_schema.clone(),
            None => setting.clone(),
        }
    }

    /// A value of a schema as Python has it: an instance, where its class makes
    /// instances and not dicts.
    pub fn instance(&self, setting: &Value, value: Value) -> Value {
        match self.schema_class(setting) {
            Some(schema) if matches!(schema.kind, SchemaKind::Pydantic | SchemaKind::Dataclass) => {
                Value::tagged("object", [("class", schema.name.as_str().into()), ("fields", value)])
            }
            _ => value,
        }
    }

    fn schema_class(&self, setting: &Value) -> Option<&SchemaSpec> {
        let name = setting.as_str().or_else(|| match setting.tag() {
            Some("ref") => setting.get("name")?.as_str(),
            _ => None,
        })?;
        self.schemas.get(name)
    }
}

/// Why a call has no answer.
pub enum Stop {
    /// Python gets an exception, which it may catch.
    Raise(HostException),
    /// The same, for a failed call: what failed, should nobody catch it.
    Raised(HostException, Box<Failure>),
    /// The node fails.
    Fail(Failure),
    /// The task is over: a graph that it invoked waits, or left to the parent.
    Unwind,
}

impl From<Failure> for Stop {
    /// A failed call is an exception in Python: models and tools may fail, and a
    /// function may want to do something about it.
    fn from(failure: Failure) -> Self {
        let is_final = matches!(failure.kind, FailureKind::Internal | FailureKind::Budget);
        if is_final || failure.code == "needs_attention" {
            return Stop::Fail(failure);
        }
        let class = match (&failure.exception, failure.kind) {
            (Some(class), _) => class.clone(),
            (None, FailureKind::Timeout) => "TimeoutError".into(),
            (None, FailureKind::Model | FailureKind::Tool) if failure.retryable => {
                "ConnectionError".into()
            }
            (None, FailureKind::Model) => "ModelError".into(),
            (None, FailureKind::Tool) => "ToolException".into(),
            (None, _) => "RuntimeError".into(),
        };
        let exception = HostException::new(class, failure.argument().to_string());
        Stop::Raised(exception, Box::new(failure))
    }
}

/// Answers one call. `ordinal` counts the graphs that the task has invoked.
pub async fn answer(
    services: &Services,
    context: &TaskContext,
    call: &HostCall,
    ordinal: u32,
) -> Result<Value, Stop> {
    match call.name.as_str() {
        "llm" => llm(services, context, call).await,
        "model.invoke" => {
            let request = chat_request(services, call)?;
            let schema = argument(call, 5, "schema");
            model_message(services, context, request, &schema).await
        }
        "model.stream" => {
            let request = chat_request(services, call)?;
            let message = model_message(services, context, request, &Value::Null).await?;
            Ok(Value::list([message]))
        }
        "tool" => {
            let name = text(call, 0, "name")?;
            let args = argument(call, 1, "args");
            Ok(call_tool(services, context, &name, args).await?)
        }
        "writer" => {
            context.emit(EventKind::Custom, argument(call, 0, "value"));
            context.progress();
            Ok(Value::Null)
        }
        "heartbeat" => {
            context.progress();
            Ok(Value::Null)
        }
        "config" => Ok(config(context)),
        "runtime" => Ok(runtime(context)),
        "subgraph.invoke" => {
            let run = subgraph::run(services, context, call, ordinal, StreamModes::NONE);
            run.await.map(|(output, _)| output)
        }
        "subgraph.stream" => subgraph::stream(services, context, call, ordinal).await,
        "clock" => {
            local(context, "clock", || Value::Float(weaver_runtime::now().0 as f64 / 1_000_000.0))
                .await
        }
        "random_seed" => local(context, "random_seed", random_int).await,
        "uuid" => local(context, "uuid", || uuid::Uuid::new_v4().to_string().into()).await,
        "getenv" => {
            let name = text(call, 0, "name")?;
            Ok(services.environment.get(&name).cloned().into())
        }
        "sleep" => {
            let seconds = argument(call, 0, "seconds").as_f64().unwrap_or(0.0);
            let pause = std::time::Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0));
            if !context.effects().is_replay() {
                tokio::time::sleep(pause).await;
            }
            context.progress();
            Ok(Value::Null)
        }
        name if name.starts_with("store.") => memory::answer(context, call).await,
        name => Err(Stop::Raise(HostException::new(
            "NotImplementedError",
            format!("the host has no `{name}`"),
        ))),
    }
}

/// An argument by keyword, in a lone dict, or by position; absent: null.
pub fn argument(call: &HostCall, position: usize, name: &str) -> Value {
    if let Some(value) = call.kwargs.get(name) {
        return value.clone();
    }
    if let [only @ Value::Map(map)] = call.args.as_slice()
        && only.tag().is_none()
        && let Some(value) = map.get(name)
    {
        return value.clone();
    }
    call.args.get(position).cloned().unwrap_or_default()
}

/// What a parameter that LangGraph fills by name is given.
pub fn named_argument(name: &str, context: &TaskContext) -> Option<Value> {
    let run = context.run();
    match name {
        "config" => Some(config(context)),
        "runtime" => Some(runtime(context)),
        "store" => Some(Value::tagged::<&str>("store", [])),
        "writer" => Some(Value::tagged::<&str>("writer", [])),
        "previous" => Some(Value::Null),
        "context" => Some(run.context.clone()),
        _ => None,
    }
}

/// Shows something that a person should know.
pub fn notice(context: &TaskContext, code: &str, message: &str) {
    let data = Value::map([("code", Value::str(code)), ("message", Value::str(message))]);
    context.emit_event(Event { data, ..context.event(EventKind::Notice) });
}

/// Calls a built-in tool; what it changes is never changed twice.
pub async fn call_tool(
    services: &Services,
    context: &TaskContext,
    name: &str,
    args: Value,
) -> Result<Value, Failure> {
    let policy = match services.tools.effect(name, &args) {
        weaver_tools::Effect::Pure => EffectPolicy::Local,
        weaver_tools::Effect::Read => EffectPolicy::Ask,
        weaver_tools::Effect::Write => EffectPolicy::Change,
        weaver_tools::Effect::AtMostOnce => EffectPolicy::AtMostOnce,
    };
    let request = Value::map([("tool", Value::str(name)), ("args", args.clone())]);
    let effect = EffectRequest { kind: "tool", request: request.clone(), policy };
    let answer = context.effect(effect, |fire| async move {
        context.emit(EventKind::ToolCall, request);
        let began = std::time::Instant::now();
        let tool_context =
            weaver_tools::Context { deadline: None, idempotency_key: Some(fire.key) };
        let outcome = services.tools.call(name, args, &tool_context).await;
        let mut event = context.event(EventKind::ToolResult);
        event.duration_us = Some(began.elapsed().as_micros() as u64);
        event.data = match &outcome {
            Ok(result) => Value::map([("tool", Value::str(name)), ("result", result.clone())]),
            Err(error) => {
                Value::map([("tool", Value::str(name)), ("error", error.to_string().into())])
            }
        };
        context.emit_event(event);
        outcome.map_err(Failure::from)
    });
    answer.await
}

fn config(context: &TaskContext) -> Value {
    let run = context.run();
    let mut config = run.config.as_map().cloned().unwrap_or_default();
    let mut configurable =
        config.get("configurable").and_then(Value::as_map).cloned().unwrap_or_default();
    configurable.insert("thread_id".into(), Value::Str(run.thread.clone()));
    configurable.insert("checkpoint_ns".into(), context.task().task_namespace().into());
    config.insert("configurable".into(), configurable.into());
    let metadata = Value::map([
        ("langgraph_step", Value::Int(context.task().step)),
        ("langgraph_node", Value::Str(context.task().node.clone())),
        ("thread_id", Value::Str(run.thread.clone())),
    ]);
    config.entry("metadata".into()).or_insert(metadata);
    config.into()
}

fn runtime(context: &TaskContext) -> Value {
    let task = context.task();
    Value::tagged(
        "runtime",
        [
            ("context", context.run().context.clone()),
            (
                "execution_info",
                Value::map([
                    ("node_attempt", Value::from(task.attempt)),
                    ("task_id", task.id.to_string().into()),
                    ("checkpoint_ns", task.task_namespace().into()),
                    ("thread_id", Value::Str(context.run().thread.clone())),
                    ("run_id", Value::Null),
                    ("node_first_attempt_time", Value::Null),
                ]),
            ),
        ],
    )
}

/// `agentweaver.llm(model, prompt, **options)`: the whole answer as an AI message.
async fn llm(services: &Services, context: &TaskContext, call: &HostCall) -> Result<Value, Stop> {
    let mut request = chat_request(services, call)?;
    if request.messages.is_empty() {
        let prompt = argument(call, 1, "prompt");
        let messages = model::messages_of(&prompt)?;
        request.messages = weaver_llm::convert::to_chat(&messages).map_err(Failure::from)?;
    }
    let schema = argument(call, 99, "schema");
    if let Some(system) = argument(call, 99, "system").as_str() {
        request.messages.insert(0, weaver_llm::ChatMessage::system(system));
    }
    model_message(services, context, request, &schema).await
}

async fn model_message(
    services: &Services,
    context: &TaskContext,
    request: ChatRequest,
    schema: &Value,
) -> Result<Value, Stop> {
    let _ = schema;
    let response = model::ask(&services.gateway, context, request).await?;
    Ok(weaver_llm::convert::to_message(&response).to_value())
}

fn chat_request(services: &Services, call: &HostCall) -> Result<ChatRequest, Stop> {
    let provider = argument(call, 99, "provider");
    let name = argument(call, 0, "model");
    let name = name.as_str().unwrap_or_default();
    let model = match provider.as_str() {
        Some(provider) if !provider.is_empty() && !name.contains(['/', ':', '#']) => {
            format!("{provider}/{name}")
        }
        _ => name.to_string(),
    };
    let mut request = ChatRequest { model, ..ChatRequest::default() };
    let messages = argument(call, 99, "messages");
    if !messages.is_null() {
        let messages = model::messages_of(&messages)?;
        request.messages = weaver_llm::convert::to_chat(&messages).map_err(Failure::from)?;
    }
    let params = argument(call, 99, "params");
    for (key, value) in params.as_map().into_iter().chain(Some(&call.kwargs)).flatten() {
        model::set_parameter(&mut request, key, value);
    }
    if let Some(tools) = argument(call, 99, "tools").as_list() {
        request.tools =
            tools.iter().map(|tool| tool_definition(services, tool)).collect::<Result<_, _>>()?;
    }
    request.tool_choice = match argument(call, 99, "tool_choice") {
        Value::Str(word) => match &*word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "any" | "required" => ToolChoice::Required,
            name => ToolChoice::Tool(name.into()),
        },
        Value::Bool(true) => ToolChoice::Required,
        _ => ToolChoice::Auto,
    };
    request.output = model::output_schema(&argument(call, 99, "schema"))?;
    Ok(request)
}

/// A tool as a model sees it: a `@tool` of the file or a built-in one by name,
/// or a JSON Schema with name and description.
pub fn tool_definition(services: &Services, tool: &Value) -> Result<ToolDefinition, Failure> {
    if let Some(name) = tool.as_str() {
        if let Some(spec) = services.file_tools.get(name) {
            return Ok(ToolDefinition {
                name: spec.name.clone(),
                description: spec.description.clone(),
                parameters: spec.parameters.clone(),
            });
        }
        if let Some(definition) = services.tools.get(name) {
            return Ok(ToolDefinition {
                name: definition.name.clone(),
                description: definition.description.clone(),
                parameters: definition.parameters.clone(),
            });
        }
        return Err(unknown_tool(services, name));
    }
    let function = tool.get("function").unwrap_or(tool);
    let name = ["name", "title"].iter().find_map(|key| function.get(key)?.as_str());
    let parameters =
        ["parameters", "input_schema", "schema"].iter().find_map(|key| function.get(key));
    Ok(ToolDefinition {
        name: name.unwrap_or("tool").into(),
        description: function.get("description").and_then(Value::as_str).unwrap_or("").into(),
        parameters: parameters.unwrap_or(function).clone(),
    })
}

/// A failure that lists the tools there are.
pub fn unknown_tool(services: &Services, name: &str) -> Failure {
    let own = services.file_tools.keys().map(String::as_str);
    let built_in = services.tools.definitions().map(|definition| definition.name.as_str());
    let names: Vec<&str> = own.chain(built_in).collect();
    Failure::new(FailureKind::Tool, "tool_unknown", format!("there is no tool `{name}`"))
        .with_help(format!("the tools are: {}", names.join(", ")))
}

/// A value that only the host can know, recorded so that a rerun sees the same.
async fn local(
    context: &TaskContext,
    kind: &'static str,
    make: impl FnOnce() -> Value,
) -> Result<Value, Stop> {
    let request = EffectRequest { kind, request: Value::Null, policy: EffectPolicy::Local };
    Ok(context.effect(request, |_| async { Ok(make()) }).await?)
}

fn random_int() -> Value {
    Value::Int((uuid::Uuid::new_v4().as_u128() >> 66) as i64)
}

/// A text argument.
pub fn text(call: &HostCall, position: usize, name: &str) -> Result<String, Stop> {
    match argument(call, position, name) {
        Value::Str(text) => Ok(text.to_string()),
        other => Err(Stop::Raise(HostException::new(
            "TypeError",
            format!("`{name}` of {} must be text, not {}", call.name, other.type_name()),
        ))),
    }
}
