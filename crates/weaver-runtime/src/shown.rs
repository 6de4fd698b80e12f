//! How events show what nodes returned.

use std::sync::Arc;

use weaver_core::{Failure, Value};
use weaver_engine::{Answer, Goto, NodeOutput};

/// The data of a node's end; nothing for one that waits.
pub(crate) fn exit(answer: &Answer<Value>) -> Option<Vec<(&'static str, Value)>> {
    Some(match answer {
        Answer::Node(output) => {
            let mut gotos = Vec::new();
            let update = update(output, &mut gotos);
            let mut data = vec![("update", update)];
            if !gotos.is_empty() {
                data.push(("goto", Value::list(gotos)));
            }
            data
        }
        Answer::Failed(failed) => vec![("error", failure(failed))],
        Answer::Parent(command) => {
            vec![("update", fields(&command.update)), ("parent", true.into())]
        }
        Answer::Interrupted(_) | Answer::Routes(_) | Answer::Value(_) => return None,
    })
}

/// What a node wrote, for people; where it goes besides its edges is added to `gotos`.
fn update(output: &NodeOutput<Value>, gotos: &mut Vec<Value>) -> Value {
    match output {
        NodeOutput::Nothing => Value::Null,
        NodeOutput::Send(send) => {
            gotos.push(goto(&Goto::Send(send.clone())));
            Value::Null
        }
        NodeOutput::Update(value) => value.clone(),
        NodeOutput::Fields(own) => fields(own),
        NodeOutput::Command(command) => {
            gotos.extend(command.goto.iter().map(goto));
            fields(&command.update)
        }
        NodeOutput::Many(outputs) => {
            Value::list(outputs.iter().map(|output| update(output, gotos)))
        }
    }
}

/// A node's name, or `{"$type": "send", "node", "arg"}`.
fn goto(goto: &Goto<Value>) -> Value {
    match goto {
        Goto::Node(node) => Value::Str(node.clone()),
        Goto::Send(send) => {
            let timeout = send.timeout.map(|timeout| timeout.as_secs_f64());
            let parts = [
                ("node", Value::Str(send.node.clone())),
                ("arg", send.arg.clone()),
                ("timeout", timeout.map(Value::Float).into()),
            ];
            Value::tagged("send", parts)
        }
    }
}

/// A failure as data.
pub(crate) fn failure(failure: &Failure) -> Value {
    let json = serde_json::to_value(failure).expect("a failure has a JSON form");
    Value::from(&json)
}

/// Fields as a map.
pub(crate) fn fields(fields: &[(Arc<str>, Value)]) -> Value {
    Value::map(fields.iter().map(|(key, value)| (key.clone(), value.clone())))
}
