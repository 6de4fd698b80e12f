//! Graphs of the file that functions run: `sub.invoke(...)`, `sub.stream(...)`.

use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{Chunk, Invoked, StreamModes};
use weaver_interpreter::{HostCall, HostException};
use weaver_runtime::TaskContext;

use crate::host_call::{Services, Stop, argument, text};

/// Runs a graph to its end: its output and its chunks of the modes asked for.
pub async fn run(
    services: &Services,
    context: &TaskContext,
    call: &HostCall,
    ordinal: u32,
    modes: StreamModes,
) -> Result<(Value, Vec<Chunk<Value>>), Stop> {
    let name = text(call, 0, "graph")?;
    let graph = services.graphs.get(&name).ok_or_else(|| {
        Stop::Raise(HostException::new("ValueError", format!("the file has no graph `{name}`")))
    })?;
    let input = argument(call, 1, "input");
    let (invoked, chunks) = context.invoke(ordinal, graph.clone(), input, modes).await?;
    match invoked {
        Invoked::Done(output) => Ok((output, chunks)),
        Invoked::Failed(failure) => Err(raise(failure)),
        Invoked::Interrupted(_) | Invoked::Parent => Err(Stop::Unwind),
    }
}

/// The chunks of a graph, all of them once it has ended. A function gets them in one
/// list, in order: a chunk, or `(mode, chunk)` where several modes were asked for.
pub async fn stream(
    services: &Services,
    context: &TaskContext,
    call: &HostCall,
    ordinal: u32,
) -> Result<Value, Stop> {
    let options = argument(call, 99, "options");
    let option = |name| options.get(name).cloned().unwrap_or_default();
    if option("subgraphs").is_truthy() {
        return Err(lacking("stream(subgraphs=True) of a graph"));
    }
    let (wanted, several) = match option("stream_mode") {
        Value::Null => (vec!["updates".into()], false),
        Value::List(modes) => {
            (modes.iter().filter_map(Value::as_str).map(String::from).collect(), true)
        }
        mode => (vec![mode.as_str().unwrap_or_default().to_string()], false),
    };
    let mut modes = StreamModes::NONE;
    for mode in &wanted {
        modes = modes.and(mode_of(mode).ok_or_else(|| lacking(&format!("stream mode {mode:?}")))?);
    }
    let (_, chunks) = run(services, context, call, ordinal, modes).await?;
    let shown = chunks.into_iter().filter_map(|chunk| {
        let (mode, data) = data(chunk)?;
        Some(if several { Value::list([Value::str(mode), data]) } else { data })
    });
    Ok(Value::list(shown))
}

fn mode_of(mode: &str) -> Option<StreamModes> {
    Some(match mode {
        "values" => StreamModes::VALUES,
        "updates" => StreamModes::UPDATES,
        "messages" => StreamModes::MESSAGES,
        _ => return None,
    })
}

/// A chunk as Python has it; nothing for those of other modes.
fn data(chunk: Chunk<Value>) -> Option<(&'static str, Value)> {
    Some(match chunk {
        Chunk::Values { values, .. } => ("values", values),
        Chunk::Update { node, updates, cached } => {
            let update = match <[Value; 1]>::try_from(updates) {
                Ok([one]) => one,
                Err(none) if none.is_empty() => Value::Null,
                Err(many) => Value::list(many),
            };
            let mut data = vec![(node, update)];
            if cached {
                data.push(("__metadata__".into(), Value::map([("cached", true.into())])));
            }
            ("updates", Value::map(data))
        }
        Chunk::Message { message, node, step } => {
            let metadata = Value::map([
                ("langgraph_node", Value::Str(node)),
                ("langgraph_step", Value::Int(step)),
            ]);
            ("messages", Value::list([message, metadata]))
        }
        _ => return None,
    })
}

fn lacking(what: &str) -> Stop {
    let message = format!("{what} inside a function is not supported");
    Stop::Raise(HostException::new("NotImplementedError", message))
}

/// The failure of an invoked graph, as the exception that it was.
fn raise(failure: Failure) -> Stop {
    let class = failure.exception.clone().unwrap_or_else(|| match failure.kind {
        FailureKind::RecursionLimit => "GraphRecursionError".into(),
        FailureKind::InvalidUpdate => "InvalidUpdateError".into(),
        _ => "RuntimeError".into(),
    });
    let argument = failure.argument().to_string();
    Stop::Raise(HostException::new(class, argument))
}
