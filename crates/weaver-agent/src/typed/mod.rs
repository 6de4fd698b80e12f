//! Typed nodes: `nodes.llm(...)` and its siblings, run in Rust.
//!
//! `studio` has checked names and types of the settings; what is read here is
//! what they mean.

mod agent;
mod logic;
mod output;
mod settings;
mod tool;
mod workflow;

pub use logic::{GATE, TICK, loop_key, timeout_answer};

use weaver_core::spec::TypedNode;
use weaver_core::{Failure, FailureKind, Message, MessageKind, Value};
use weaver_engine::{Answer, Command, Goto, NodeOutput};
use weaver_runtime::TaskContext;

use crate::host_call::Services;
use crate::python::Python;
use settings::Settings;

/// One run of a typed node.
pub struct Task<'a> {
    /// The node's name.
    pub name: &'a str,
    /// Its type and settings.
    pub node: &'a TypedNode,
    /// What it sees.
    pub state: &'a Value,
    /// Answers to its questions so far.
    pub answers: &'a [Value],
    /// What it may call.
    pub services: &'a Services,
    /// Runs `nodes.code`.
    pub python: &'a Python,
    /// What it may do besides computing.
    pub context: &'a TaskContext,
}

/// Runs a typed node.
pub async fn run(task: Task<'_>) -> Result<Answer<Value>, Failure> {
    let settings = Settings::new(task.node, task.state, &task.services.file);
    match task.node.node_type.as_str() {
        "llm" => agent::llm(&task, &settings).await,
        "intent" => agent::intent(&task, &settings).await,
        "http" => tool::http(&task, &settings).await,
        "database" => tool::database(&task, &settings).await,
        "file" => tool::file(&task, &settings).await,
        "code" => tool::code(&task, &settings).await,
        "condition" => logic::condition(&task, &settings),
        "loop" => logic::repeat(&task, &settings),
        "parallel" => logic::parallel(&settings),
        TICK => logic::tick(&settings),
        GATE => logic::gate(&task, &settings),
        "wait" => logic::wait(&task, &settings),
        "user_input" => logic::user_input(&task, &settings),
        "response" => output::response(&task, &settings),
        "store" => output::store(&task, &settings).await,
        "workflow" => workflow::run(&task, &settings).await,
        other => Err(needs_server(other)),
    }
}

fn needs_server(node: &str) -> Failure {
    let message = format!("`nodes.{node}` needs the server");
    Failure::new(FailureKind::InvalidInput, "needs_server", message)
        .with_help("submit the file to `agentweaver serve`, or use another node here")
}

/// Writes a result to the key that `into` names; messages get it as an AI message.
fn write(task: &Task<'_>, settings: &Settings<'_>, result: Value) -> Answer<Value> {
    Answer::Node(match settings.text("into") {
        None => NodeOutput::Nothing,
        Some(key) => NodeOutput::Update(Value::map([(key, for_key(task, key, result))])),
    })
}

/// A text that goes where messages are becomes a message.
fn for_key(task: &Task<'_>, key: &str, result: Value) -> Value {
    let holds_messages = task.state.get(key).and_then(Value::as_list).is_some_and(|items| {
        items.last().map_or(key == "messages", |item| item.tag() == Some("message"))
    });
    match result {
        Value::Str(text)
            if holds_messages || (key == "messages" && task.state.get(key).is_none()) =>
        {
            Message::new(MessageKind::Ai, Value::Str(text)).to_value()
        }
        other => other,
    }
}

/// Goes on at some nodes, with an update.
fn go(targets: impl IntoIterator<Item = String>, update: Vec<(String, Value)>) -> Answer<Value> {
    Answer::Node(NodeOutput::Command(Command {
        update: update.into_iter().map(|(key, value)| (key.into(), value)).collect(),
        goto: targets.into_iter().map(|target| Goto::Node(target.into())).collect(),
    }))
}
