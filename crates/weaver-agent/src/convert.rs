//! Between what functions return and what the engine takes.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde_json::ser::Formatter;
use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{Answer, Command, Goto, NodeOutput, Route, SendTo};

/// What a node returned: `None`, a dict, a schema object, `Command`, `Send`, or
/// a list mixing these.
pub fn node_answer(value: Value) -> Answer<Value> {
    match to_parent(&value) {
        Some(Ok(command)) => Answer::Parent(command),
        Some(Err(message)) => Answer::Failed(invalid(message)),
        None => match node_output(value) {
            Ok(output) => Answer::Node(output),
            Err(message) => Answer::Failed(invalid(message)),
        },
    }
}

/// A value as Python's `json.dumps` writes it: what a tool's result says to a model.
pub fn python_json(value: &Value) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonJson);
    value.serialize(&mut serializer).expect("a value has a JSON form");
    String::from_utf8(out).expect("JSON is text")
}

/// A blank after each comma and colon.
struct PythonJson;

impl Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// The command that leaves to the parent, also out of a list. Of several the first
/// counts, unless all they do is send: then all that they send.
fn to_parent(value: &Value) -> Option<Result<Command<Value>, String>> {
    let items = value.as_list().unwrap_or(std::slice::from_ref(value));
    let leaving = items.iter().filter(|item| leaves_to_parent(item)).map(command);
    let mut commands = match leaving.collect::<Result<Vec<_>, _>>() {
        Ok(commands) => commands.into_iter(),
        Err(message) => return Some(Err(message)),
    };
    let mut first = commands.next()?;
    let sends = |command: &Command<Value>| {
        !command.goto.is_empty() && command.goto.iter().all(|to| matches!(to, Goto::Send(_)))
    };
    if sends(&first) {
        first.goto.extend(commands.filter(sends).flat_map(|command| command.goto));
    }
    Some(Ok(first))
}

/// What a routing function returned: a name, a `Send`, or a list of them.
pub fn routes(value: Value) -> Result<Vec<Route<Value>>, Failure> {
    match value {
        Value::List(items) => items.iter().map(|item| route(item.clone())).collect(),
        other => Ok(vec![route(other)?]),
    }
}

/// Targets of `goto`: a name, a `Send`, or a list of them.
pub fn gotos(value: &Value) -> Result<Vec<Goto<Value>>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Str(name) => Ok(vec![Goto::Node(name.clone())]),
        Value::List(items) => {
            let lists = items.iter().map(gotos).collect::<Result<Vec<_>, _>>()?;
            Ok(lists.into_iter().flatten().collect())
        }
        other if other.tag() == Some("send") => Ok(vec![Goto::Send(send(other)?)]),
        other => Err(format!("`goto` takes node names and Sends, not {}", other.type_name())),
    }
}

/// The fields of an update: a dict, a schema object, or a list of pairs.
pub fn fields(value: &Value) -> Result<Vec<(Arc<str>, Value)>, String> {
    let of_map = |map: &weaver_core::Map| {
        map.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    match (value, value.tag()) {
        (Value::Null, _) => Ok(Vec::new()),
        (Value::Map(map), None) => Ok(of_map(map)),
        (Value::Map(_), Some("object")) => {
            Ok(value.get("fields").and_then(Value::as_map).map(of_map).unwrap_or_default())
        }
        (Value::List(pairs), _) => pairs.iter().map(pair).collect(),
        (other, _) => Err(format!("an update must be a dict, not {}", other.type_name())),
    }
}

/// `Send(node, arg)`.
pub fn send(value: &Value) -> Result<SendTo<Value>, String> {
    let node = value.get("node").and_then(Value::as_str).ok_or("a Send needs a node's name")?;
    let timeout = value.get("timeout").and_then(timeout_seconds);
    Ok(SendTo {
        node: node.into(),
        arg: value.get("arg").cloned().unwrap_or_default(),
        timeout: timeout.map(std::time::Duration::from_secs_f64),
    })
}

/// A failure as the exception that Python sees.
pub fn exception(failure: &Failure) -> Value {
    let class = failure.exception.as_deref().unwrap_or(match failure.kind {
        FailureKind::Timeout => "NodeTimeoutError",
        _ => "RuntimeError",
    });
    Value::tagged(
        "exception",
        [
            ("class", Value::str(class)),
            ("message", Value::str(failure.argument())),
            ("bases", Value::list(failure.bases.iter().map(|base| Value::str(&**base)))),
        ],
    )
}

/// A failure that says the graph was used wrongly, as LangGraph's `InvalidUpdateError`.
pub fn invalid(message: impl Into<String>) -> Failure {
    let mut failure = Failure::new(FailureKind::InvalidUpdate, "invalid_update", message);
    failure.exception = Some("InvalidUpdateError".into());
    failure
}

/// Seconds as a number, or the `run_timeout` of a timeout policy.
fn timeout_seconds(value: &Value) -> Option<f64> {
    let fields = value.get("fields").unwrap_or(value);
    value.as_f64().or_else(|| fields.get("run_timeout")?.as_f64()).filter(|s| *s > 0.0)
}

fn pair(value: &Value) -> Result<(Arc<str>, Value), String> {
    match value.as_list() {
        Some([Value::Str(key), value]) => Ok((key.clone(), value.clone())),
        _ => Err("an update as a list must hold (key, value) pairs".into()),
    }
}

fn leaves_to_parent(value: &Value) -> bool {
    value.tag() == Some("command")
        && value.get("graph").and_then(Value::as_str) == Some("__parent__")
}

fn node_output(value: Value) -> Result<NodeOutput<Value>, String> {
    match (&value, value.tag()) {
        (Value::Null, _) => Ok(NodeOutput::Nothing),
        (_, Some("command")) => Ok(NodeOutput::Command(command(&value)?)),
        (_, Some("send")) => Ok(NodeOutput::Send(send(&value)?)),
        (Value::List(items), _) => {
            let outputs = items.iter().map(|item| node_output(item.clone()));
            Ok(NodeOutput::Many(outputs.collect::<Result<_, _>>()?))
        }
        _ => Ok(NodeOutput::Update(value)),
    }
}

fn command(value: &Value) -> Result<Command<Value>, String> {
    Ok(Command {
        update: fields(value.get("update").unwrap_or(&Value::Null))?,
        goto: gotos(value.get("goto").unwrap_or(&Value::Null))?,
    })
}

fn route(value: Value) -> Result<Route<Value>, Failure> {
    match value.tag() {
        Some("send") => Ok(Route::Send(send(&value).map_err(invalid)?)),
        _ => Ok(Route::Key(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::from_json(text).unwrap()
    }

    #[test]
    fn a_command_has_update_and_targets() {
        let text = r#"{"$type":"command","update":{"a":1},"goto":["x",{"$type":"send","node":"y","arg":2}]}"#;
        let Answer::Node(NodeOutput::Command(command)) = node_answer(value(text)) else { panic!() };
        assert_eq!(command.update, [("a".into(), Value::Int(1))]);
        assert!(
            matches!(&command.goto[..], [Goto::Node(x), Goto::Send(y)] if &**x == "x" && &*y.node == "y")
        );
    }

    #[test]
    fn a_command_to_the_parent_leaves() {
        let text = r#"{"$type":"command","goto":"x","graph":"__parent__"}"#;
        assert!(matches!(node_answer(value(text)), Answer::Parent(_)));
    }

    #[test]
    fn nonsense_is_an_invalid_update() {
        let text = r#"{"$type":"command","update":3}"#;
        let Answer::Failed(failure) = node_answer(value(text)) else { panic!() };
        assert_eq!(failure.exception.as_deref(), Some("InvalidUpdateError"));
        assert!(failure.message.contains("int"));
    }
}
