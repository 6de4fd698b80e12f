//! `nodes.workflow`: another graph of the file as an execution of its own.

use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::Answer;
use weaver_runtime::children::{Ended, waiting_for};
use weaver_runtime::{EffectPolicy, EffectRequest};

use super::settings::Settings;
use super::{Task, needs_server, write};

/// Starts the graph, and waits for its end.
pub async fn run(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let children = task.context.run().children.as_ref();
    // Gone through again, it gets what is recorded and starts nothing.
    if children.is_none() && !task.context.effects().is_replay() {
        return Err(needs_server("workflow"));
    }
    let graph = settings.required("graph")?;
    let input = settings.tree("input")?.unwrap_or_else(|| task.state.clone());
    let request = Value::map([("graph", Value::str(&*graph)), ("input", input.clone())]);
    let start = EffectRequest { kind: "execution", request, policy: EffectPolicy::Change };
    let started = task.context.effect(start, |fire| async move {
        let children = children.ok_or_else(|| needs_server("workflow"))?;
        let child = children.start(&fire.key, &graph, input).await?;
        Ok(Value::from(child.to_string()))
    });
    let child = started.await?;
    let child = child.as_str().unwrap_or_default();
    let ended = match (task.answers.last(), children) {
        (Some(answer), _) => Some(Ended::from_answer(answer)),
        (None, Some(children)) => children.ended(child).await?,
        (None, None) => None,
    };
    match ended {
        None => Ok(Answer::Interrupted(vec![waiting_for(child)])),
        Some(Ended::Completed(values)) => Ok(write(task, settings, values)),
        Some(Ended::Badly(reason)) => {
            let message =
                format!("the execution {child} that it started did not end well: {reason}");
            Err(Failure::new(FailureKind::Exception, "execution_failed", message).with_help(format!(
                "look at `agentweaver logs {child}`; after `agentweaver retry {child}` has ended well, retry this one"
            )))
        }
    }
}
