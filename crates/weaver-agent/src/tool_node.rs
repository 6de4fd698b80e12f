//! `ToolNode` and `tools_condition`: calls that a model asked for.

use std::sync::atomic::AtomicUsize;

use futures::future::join_all;
use weaver_core::spec::{END, FunctionSpec, ToolErrors};
use weaver_core::{EventKind, Failure, FailureKind, Map, Message, MessageKind, ToolCall, Value};
use weaver_engine::policy::is_instance;
use weaver_engine::{Answer, NodeOutput, Route, SendTo};
use weaver_runtime::TaskContext;

use crate::convert;
use crate::host_call::{self, Services, unknown_tool};
use crate::python::{Ended, FunctionCall, Python};
use crate::tool_arguments::{TOOL_ARGUMENTS, check_arguments, typed_arguments};

/// A node that calls what the last message asks for.
pub struct ToolNode<'a> {
    /// Names of the tools that it may call.
    pub tools: &'a [String],
    /// The state key of the messages.
    pub messages_key: &'a str,
    /// Which failures are an answer for the model.
    pub handle_errors: &'a ToolErrors,
}

/// A person's answers, which the calls take in order.
struct Answers<'a> {
    given: &'a [Value],
    taken: AtomicUsize,
}

/// What one call came to.
enum Called {
    Message(Value),
    Other(Value),
    Waits(Value),
    Failed(Failure),
}

impl ToolNode<'_> {
    /// Calls the tools, at once where there are several, answers in order.
    pub async fn run(
        &self,
        services: &Services,
        python: &Python,
        context: &TaskContext,
        state: &Value,
        answers: &[Value],
    ) -> Answer<Value> {
        let (calls, as_list) = match sent_calls(state) {
            Some(calls) => (calls, false),
            None => (self.calls(state), matches!(state, Value::List(_))),
        };
        let calls = match calls {
            Ok(calls) => calls,
            Err(failure) => return Answer::Failed(failure),
        };
        let state = match state.get("__type") {
            Some(_) => state.get("state").unwrap_or(&Value::Null),
            None => state,
        };
        let answers = &Answers { given: answers, taken: AtomicUsize::new(0) };
        // A tool that asks a person takes the answers in order: then one after another.
        let outcomes = match answers.given.is_empty() {
            true => {
                let started = calls
                    .iter()
                    .map(|call| self.call(services, python, context, state, call, answers));
                join_all(started).await
            }
            false => {
                let mut outcomes = Vec::new();
                for call in &calls {
                    outcomes.push(self.call(services, python, context, state, call, answers).await);
                }
                outcomes
            }
        };
        self.collect(outcomes, as_list)
    }

    fn collect(&self, outcomes: Vec<Called>, as_list: bool) -> Answer<Value> {
        let (mut outputs, mut questions, mut plain) = (Vec::new(), Vec::new(), true);
        for outcome in outcomes {
            match outcome {
                Called::Message(message) => outputs.push((message, true)),
                Called::Other(other) => {
                    plain = false;
                    outputs.push((other, false));
                }
                Called::Waits(question) => questions.push(question),
                Called::Failed(failure) => return Answer::Failed(failure),
            }
        }
        if let Some(first) = questions.into_iter().next() {
            return Answer::Interrupted(vec![first]);
        }
        let update = |messages: Value| match as_list {
            true => messages,
            false => Value::map([(self.messages_key, messages)]),
        };
        if plain {
            let messages = Value::list(outputs.into_iter().map(|(message, _)| message));
            return Answer::Node(NodeOutput::Update(update(messages)));
        }
        // Beside a `Command` each message is an update of its own, in the order of the calls.
        let outputs = outputs.into_iter().map(|(output, is_message)| match is_message {
            true => update(Value::list([output])),
            false => output,
        });
        convert::node_answer(Value::list(outputs))
    }

    fn calls(&self, state: &Value) -> Result<Vec<ToolCall>, Failure> {
        let list = match state {
            Value::List(items) => items.last().cloned(),
            other => last_message(other, self.messages_key),
        };
        let last = list.ok_or_else(|| {
            convert::invalid(format!(
                "a ToolNode needs messages in `{}`, and there are none",
                self.messages_key
            ))
        })?;
        let message = Message::from_value(&last).map_err(convert::invalid)?;
        if message.kind != MessageKind::Ai {
            let mut failure =
                convert::invalid("the last message is no AI message, so it asks for no tool calls");
            failure.exception = Some("ValueError".into());
            return Err(failure);
        }
        Ok(message.tool_calls)
    }

    async fn call(
        &self,
        services: &Services,
        python: &Python,
        context: &TaskContext,
        state: &Value,
        call: &ToolCall,
        answers: &Answers<'_>,
    ) -> Called {
        if !self.tools.contains(&call.name) {
            let message = format!(
                "Error: {} is not a valid tool, try one of [{}].",
                call.name,
                self.tools.join(", ")
            );
            return Called::Message(tool_message(call, Value::str(message), true));
        }
        match self.outcome(services, python, context, state, call, answers).await {
            Ended::Returned(value) => match value.tag() {
                Some("message") => Called::Message(value),
                Some("command") => Called::Other(named_answer(value, call)),
                _ => Called::Message(self.result_message(services, call, value)),
            },
            Ended::Interrupted(question) => Called::Waits(question),
            Ended::Unwound => Called::Waits(Value::Null),
            Ended::Failed(failure) => {
                let said = match self.handle_errors {
                    ToolErrors::Function { id, classes }
                        if is_for_model(&failure) && is_one_of(&failure, classes) =>
                    {
                        said_by(services, python, context, id, &failure).await.map(Some)
                    }
                    _ => Ok(self.text_for_model(&failure).map(Value::from)),
                };
                match said {
                    Ok(Some(text)) => Called::Message(tool_message(call, text, true)),
                    Ok(None) => Called::Failed(failure),
                    Err(failure) => Called::Failed(failure),
                }
            }
        }
    }

    /// The message of a result; of a pair the second stays beside what the model sees.
    fn result_message(&self, services: &Services, call: &ToolCall, result: Value) -> Value {
        let spec = services.file_tools.get(&call.name);
        let pair = match (spec.is_some_and(|spec| spec.gives_artifact), &result) {
            (true, Value::List(pair)) => <[Value; 2]>::try_from(pair.to_vec()).ok(),
            _ => None,
        };
        let Some([content, artifact]) = pair else { return tool_message(call, result, false) };
        let mut message = tool_message(call, content, false);
        if let Value::Map(fields) = &mut message {
            std::sync::Arc::make_mut(fields).insert("artifact".into(), artifact);
        }
        message
    }

    /// What the model is told of a failure; nothing when it fails the node.
    fn text_for_model(&self, failure: &Failure) -> Option<String> {
        if !is_for_model(failure) {
            return None;
        }
        match self.handle_errors {
            ToolErrors::Raise => None,
            ToolErrors::Arguments => {
                (failure.code == TOOL_ARGUMENTS).then(|| failure.message.clone())
            }
            ToolErrors::Classes(classes) if !is_one_of(failure, classes) => None,
            ToolErrors::All | ToolErrors::Classes(_) => {
                let error = match &failure.exception {
                    Some(class) => failure.python_repr(class),
                    None => failure.to_string(),
                };
                Some(format!("Error: {error}\n Please fix your mistakes."))
            }
            ToolErrors::Text(text) => Some(text.clone()),
            ToolErrors::Function { .. } => None,
        }
    }

    async fn outcome(
        &self,
        services: &Services,
        python: &Python,
        context: &TaskContext,
        state: &Value,
        call: &ToolCall,
        answers: &Answers<'_>,
    ) -> Ended {
        let Some(spec) = services.file_tools.get(&call.name) else {
            if services.tools.get(&call.name).is_none() {
                return Ended::Failed(unknown_tool(services, &call.name));
            }
            return match host_call::call_tool(services, context, &call.name, call.args.clone())
                .await
            {
                Ok(value) => Ended::Returned(value),
                Err(failure) => Ended::Failed(failure),
            };
        };
        let shown = Value::map([("tool", Value::str(&*call.name)), ("args", call.args.clone())]);
        context.emit(EventKind::ToolCall, shown);
        let began = std::time::Instant::now();
        let mut kwargs = typed_arguments(spec, &call.args);
        let ended = match check_arguments(spec, &kwargs) {
            Ok(()) => {
                kwargs.extend(inject(python.function(&spec.function), context, state, call));
                let function_call = FunctionCall {
                    function: &spec.function,
                    args: Vec::new(),
                    kwargs,
                    input_class: None,
                    answers: answers.given,
                    taken: Some(&answers.taken),
                    limits: Default::default(),
                    attempt: None,
                };
                python.call(services, context, function_call).await
            }
            Err(failure) => Ended::Failed(failure),
        };
        let mut event = context.event(EventKind::ToolResult);
        event.duration_us = Some(began.elapsed().as_micros() as u64);
        let outcome = match &ended {
            Ended::Returned(value) => ("result", value.clone()),
            Ended::Failed(failure) => ("error", Value::str(failure.to_string())),
            Ended::Interrupted(_) | Ended::Unwound => return ended,
        };
        event.data = Value::map([("tool", Value::str(&*call.name)), outcome]);
        context.emit_event(event);
        ended
    }
}

/// The calls of a task that was sent calls and no messages: one as [`tool_calls`] sends it,
/// or a list of them.
fn sent_calls(input: &Value) -> Option<Result<Vec<ToolCall>, Failure>> {
    let is_call = |item: &Value| item.get("type").and_then(Value::as_str) == Some("tool_call");
    let calls = match (input, input.get("__type").and_then(Value::as_str)) {
        (_, Some(ONE_CALL)) => std::slice::from_ref(input.get("tool_call")?),
        (Value::List(items), _) if items.last().is_some_and(is_call) => items.as_slice(),
        _ => return None,
    };
    Some(calls.iter().map(|call| ToolCall::from_value(call).map_err(convert::invalid)).collect())
}

/// Whether an exception is of one of the classes; of none, it is of any.
fn is_one_of(failure: &Failure, classes: &[String]) -> bool {
    let any = |class: &String| class == "Exception" || is_instance(failure, class);
    classes.is_empty() || classes.iter().any(any)
}

/// What a function of the file says of a failure.
async fn said_by(
    services: &Services,
    python: &Python,
    context: &TaskContext,
    id: &str,
    failure: &Failure,
) -> Result<Value, Failure> {
    let function_call = FunctionCall {
        function: id,
        args: vec![convert::exception(failure)],
        kwargs: Map::new(),
        input_class: None,
        answers: &[],
        taken: Some(&AtomicUsize::new(0)),
        limits: Default::default(),
        attempt: None,
    };
    match python.call(services, context, function_call).await {
        Ended::Returned(value) => Ok(value),
        Ended::Failed(failure) => Err(failure),
        Ended::Interrupted(_) | Ended::Unwound => {
            Err(convert::invalid(format!("`{id}` handles tool errors, so it must not wait")))
        }
    }
}

/// `tools` when the last message asks for calls, else the exit.
pub fn tools_condition(state: &Value) -> Result<Route<Value>, Failure> {
    let last = match state {
        Value::List(items) => items.last().cloned(),
        other => last_message(other, "messages"),
    };
    let last = last.ok_or_else(|| {
        convert::invalid("tools_condition needs messages in the state, and there are none")
    })?;
    let message = Message::from_value(&last).map_err(convert::invalid)?;
    Ok(Route::Key(if message.tool_calls.is_empty() { END } else { "tools" }.into()))
}

/// What `__type` of a `Send`'s argument says that holds one call.
const ONE_CALL: &str = "tool_call_with_context";

/// A prebuilt agent's way on: a task for each call of the last AI message that has no result
/// yet; else where it goes on after a hook that answered, or the exit.
pub fn tool_calls(
    state: &Value,
    with_state: bool,
    answered: Option<&str>,
) -> Result<Vec<Route<Value>>, Failure> {
    let messages = messages_of(state, "messages").unwrap_or_default();
    let kind = |message: &Value| message.get("type").and_then(Value::as_str).map(str::to_string);
    let is_tool = |message: &&Value| kind(message).as_deref() == Some("tool");
    let Some(asking) = messages.iter().rfind(|m| kind(m).as_deref() == Some("ai")) else {
        return Ok(vec![Route::Key(END.into())]);
    };
    let asking = Message::from_value(asking).map_err(convert::invalid)?;
    let has_result = |call: &ToolCall| {
        let results = messages.iter().filter(is_tool);
        results.filter_map(|m| m.get("tool_call_id")?.as_str()).any(|id| id == call.id)
    };
    let open: Vec<Route<Value>> = asking
        .tool_calls
        .iter()
        .filter(|call| !has_result(call))
        .map(|call| {
            let state = with_state.then(|| ("state", state.clone()));
            let call = [("__type", ONE_CALL.into()), ("tool_call", call.to_value())];
            let arg = Value::map(call.into_iter().chain(state));
            Route::Send(SendTo { node: "tools".into(), arg, timeout: None })
        })
        .collect();
    Ok(match answered.filter(|_| messages.last().as_ref().is_some_and(is_tool)) {
        _ if !open.is_empty() => open,
        Some(entry) => vec![Route::Key(entry.into())],
        None => vec![Route::Key(END.into())],
    })
}

fn last_message(state: &Value, key: &str) -> Option<Value> {
    messages_of(state, key)?.last().cloned()
}

fn messages_of<'a>(state: &'a Value, key: &str) -> Option<&'a [Value]> {
    let fields = state.get("fields").filter(|_| state.tag() == Some("object")).unwrap_or(state);
    fields.get(key)?.as_list()
}

/// A command whose message for the model bears the tool's name.
fn named_answer(command: Value, call: &ToolCall) -> Value {
    let name_in = |list: &Value| {
        let named = list.as_list().unwrap_or_default().iter().map(|message| {
            let is_answer = message.get("tool_call_id").and_then(Value::as_str) == Some(&*call.id);
            match message {
                Value::Map(map) if is_answer => {
                    let mut map = (**map).clone();
                    map.insert("name".into(), Value::str(&*call.name));
                    map.into()
                }
                other => other.clone(),
            }
        });
        Value::list(named)
    };
    let Value::Map(mut fields) = command else { return command };
    let update = match fields.get("update") {
        Some(list @ Value::List(_)) => name_in(list),
        Some(Value::Map(update)) if update.values().any(|value| value.as_list().is_some()) => {
            let mut update = (**update).clone();
            for value in update.values_mut().filter(|value| value.as_list().is_some()) {
                *value = name_in(value);
            }
            update.into()
        }
        _ => return Value::Map(fields),
    };
    std::sync::Arc::make_mut(&mut fields).insert("update".into(), update);
    Value::Map(fields)
}

/// Parameters that the model does not see: `Annotated[dict, InjectedState]` and its siblings.
fn inject(
    function: Option<&FunctionSpec>,
    context: &TaskContext,
    state: &Value,
    call: &ToolCall,
) -> Map {
    let mut injected = Map::new();
    for parameter in function.into_iter().flat_map(|function| &function.parameters) {
        let annotation = parameter.annotation.as_deref().unwrap_or("");
        let value = if let Some((_, rest)) = annotation.split_once("InjectedState") {
            let field = rest.trim_start_matches('(').split(['"', '\'']).nth(1);
            field.map_or(Some(state.clone()), |field| state.get(field).cloned())
        } else if annotation.contains("InjectedToolCallId") {
            Some(Value::str(&*call.id))
        } else if annotation.contains("InjectedStore") {
            host_call::named_argument("store", context)
        } else if annotation.contains("ToolRuntime") || annotation.contains("Runtime[") {
            Some(tool_runtime(context, state, call))
        } else {
            None
        };
        if let Some(value) = value {
            injected.insert(parameter.name.as_str().into(), value);
        }
    }
    injected
}

/// Whether [`inject`] gives the function of a tool something of the state.
pub fn takes_state(function: &FunctionSpec) -> bool {
    let annotations = function.parameters.iter().filter_map(|p| p.annotation.as_deref());
    let of_state = ["InjectedState", "ToolRuntime", "Runtime["];
    annotations.into_iter().any(|text| of_state.iter().any(|name| text.contains(name)))
}

/// The runtime of a node, with what a tool sees besides.
fn tool_runtime(context: &TaskContext, state: &Value, call: &ToolCall) -> Value {
    let mut runtime = host_call::named_argument("runtime", context)
        .and_then(|runtime| runtime.as_map().cloned())
        .unwrap_or_default();
    runtime.insert("state".into(), state.clone());
    runtime.insert("tool_call_id".into(), Value::str(&*call.id));
    runtime.extend(host_call::named_argument("config", context).map(|it| ("config".into(), it)));
    runtime.into()
}

/// Limits, crashes and lost records are no answers for a model.
fn is_for_model(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Exception | FailureKind::Tool | FailureKind::InvalidInput)
        && failure.code != "needs_attention"
}

/// A `ToolMessage`: text as it is, anything else as JSON.
fn tool_message(call: &ToolCall, result: Value, is_error: bool) -> Value {
    let content = match &result {
        Value::Str(_) => result.clone(),
        Value::List(blocks)
            if blocks.iter().all(|block| block.get("type").is_some()) && !blocks.is_empty() =>
        {
            result.clone()
        }
        other => Value::from(convert::python_json(&other.plain())),
    };
    let mut message = Message::new(MessageKind::Tool, content);
    message.name = Some(call.name.as_str().into());
    message.tool_call_id = Some(call.id.as_str().into());
    if is_error {
        message.extra.insert("status".into(), "error".into());
    }
    message.to_value()
}
