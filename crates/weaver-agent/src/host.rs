//! [`Host`]: runs what the engine calls, by kind.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::value::TYPE_KEY;
use weaver_core::{Failure, Value};
use weaver_engine::{Answer, Call, CallInput, CallKind};
use weaver_interpreter::Session;
use weaver_runtime::{Handler, TaskContext};

use crate::cpython::Attempt;
use crate::host_call::Services;
use crate::plan::{Plan, Target};
use crate::python::{Ended, FunctionCall, Python, limits};
use crate::{convert, tool_node, typed};

/// Runs the nodes, branches and reducers of one file in one execution.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    targets: Arc<std::collections::HashMap<String, Target>>,
    services: Services,
    python: Python,
}

impl Host {
    /// A host for an execution of a plan.
    pub fn new(plan: &Plan, services: Services, session: Session) -> Self {
        let python = Python::new(session, &plan.functions);
        Host(Arc::new(Inner { targets: plan.targets.clone(), services, python }))
    }
}

impl Handler for Host {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let host = self.clone();
        async move { host.0.run(call, context).await }.boxed()
    }
}

impl Inner {
    async fn run(&self, call: Call<Value>, context: TaskContext) -> Answer<Value> {
        let fallback;
        let target = match self.targets.get(&*call.what) {
            Some(target) => target,
            // Reducers are named by their function alone.
            None => {
                let id = call.what.strip_prefix("fn:").unwrap_or(&call.what).to_string();
                fallback = Target::Function {
                    id,
                    input_class: None,
                    metadata: Value::Null,
                    timeout: None,
                };
                &fallback
            }
        };
        match target {
            Target::Function { id, input_class, metadata, timeout } => {
                let input_class = input_class.clone();
                self.function(&call, &context, id, input_class, metadata, *timeout).await
            }
            Target::Typed { name, node, keys } => {
                let state = with_all_keys(call.input.to_value(), keys);
                let task = typed::Task {
                    name,
                    node,
                    state: &state,
                    answers: &call.answers,
                    services: &self.services,
                    python: &self.python,
                    context: &context,
                };
                typed::run(task).await.unwrap_or_else(Answer::Failed)
            }
            Target::Tools { tools, messages_key, handle_errors } => {
                let state = call.input.to_value();
                let node = tool_node::ToolNode { tools, messages_key, handle_errors };
                node.run(&self.services, &self.python, &context, &state, &call.answers).await
            }
            Target::ToolsCondition => match tool_node::tools_condition(&call.input.to_value()) {
                Ok(route) => Answer::Routes(vec![route]),
                Err(failure) => Answer::Failed(failure),
            },
            Target::ToolCalls { with_state, answered } => {
                let state = call.input.to_value();
                match tool_node::tool_calls(&state, *with_state, answered.as_deref()) {
                    Ok(routes) => Answer::Routes(routes),
                    Err(failure) => Answer::Failed(failure),
                }
            }
        }
    }

    async fn function(
        &self,
        call: &Call<Value>,
        context: &TaskContext,
        id: &str,
        mut input_class: Option<String>,
        metadata: &Value,
        timeout: Option<Duration>,
    ) -> Answer<Value> {
        if let CallInput::Fold { left, writes, batch, .. } = &call.input {
            return self.fold(call, context, id, left.clone(), writes, *batch).await;
        }
        let mut args = vec![call.input.to_value()];
        match (&call.input, call.kind) {
            (CallInput::Failed { node, failure, .. }, CallKind::ErrorHandler) => {
                args.push(node_error(node, failure));
            }
            (CallInput::Failed { failure, .. }, _) => {
                args = vec![convert::exception(failure)];
                input_class = None;
            }
            (CallInput::Value(value), _) if value.as_map().is_none() || value.tag().is_some() => {
                input_class = None;
            }
            _ => {}
        }
        // The suspended function that a task keeps is its body's: a routing function
        // starts again from its top.
        let (branch, taken) = (call.kind == CallKind::Branch, AtomicUsize::new(0));
        let may_wait =
            matches!(call.kind, CallKind::Node | CallKind::ErrorHandler | CallKind::Branch);
        let function_call = FunctionCall {
            function: id,
            args,
            kwargs: Default::default(),
            input_class,
            answers: &call.answers,
            taken: branch.then_some(&taken),
            limits: limits(metadata),
            attempt: may_wait.then_some(Attempt { of: &call.task, timeout }),
        };
        match self.python.call(&self.services, context, function_call).await {
            Ended::Failed(failure) => Answer::Failed(failure),
            Ended::Interrupted(value) => Answer::Interrupted(vec![value]),
            // The engine knows already what the invoked graph has come to.
            Ended::Unwound => Answer::Interrupted(Vec::new()),
            Ended::Returned(value) => match call.kind {
                CallKind::Node | CallKind::ErrorHandler => convert::node_answer(value),
                CallKind::Branch => match convert::routes(value) {
                    Ok(routes) => Answer::Routes(routes),
                    Err(failure) => Answer::Failed(failure),
                },
                CallKind::Reduce | CallKind::CacheKey | CallKind::RetryOn => Answer::Value(value),
            },
        }
    }

    /// Folds a Python reducer over the writes of a step.
    async fn fold(
        &self,
        call: &Call<Value>,
        context: &TaskContext,
        id: &str,
        left: Option<Value>,
        writes: &[Value],
        batch: bool,
    ) -> Answer<Value> {
        let mut rest = writes.iter().cloned();
        let pairs: Vec<Value> = match batch {
            true => vec![Value::list(rest.by_ref())],
            false => Vec::new(),
        };
        let mut value = match (left, batch) {
            (Some(left), _) => left,
            (None, true) => Value::Null,
            (None, false) => rest.next().unwrap_or_default(),
        };
        for write in pairs.into_iter().chain(rest) {
            let function_call = FunctionCall {
                function: id,
                args: vec![value, write],
                kwargs: Default::default(),
                input_class: None,
                answers: &[],
                taken: None,
                limits: Default::default(),
                attempt: None,
            };
            value = match self.python.call(&self.services, context, function_call).await {
                Ended::Returned(value) => value,
                Ended::Failed(failure) => return Answer::Failed(in_reducer(call, failure)),
                Ended::Interrupted(_) | Ended::Unwound => {
                    let message = format!("the reducer `{id}` must not wait for a person");
                    return Answer::Failed(convert::invalid(message));
                }
            };
        }
        Answer::Value(value)
    }
}

/// The state with an empty text for each key that has no value yet, so that a
/// template may name every key of the schema.
fn with_all_keys(state: Value, keys: &[Arc<str>]) -> Value {
    let Value::Map(mut map) = state else { return state };
    if keys.iter().any(|key| !map.contains_key(key)) && map.get(TYPE_KEY).is_none() {
        let map = Arc::make_mut(&mut map);
        for key in keys {
            map.entry(key.clone()).or_insert_with(|| "".into());
        }
    }
    Value::Map(map)
}

fn in_reducer(call: &Call<Value>, mut failure: Failure) -> Failure {
    if let CallInput::Fold { key, .. } = &call.input {
        failure.help.get_or_insert_with(|| format!("it was raised in the reducer of `{key}`"));
    }
    failure
}

/// `NodeError(node, error)` of an error handler.
fn node_error(node: &str, failure: &Failure) -> Value {
    Value::tagged(
        "node_error",
        [("node", Value::str(node)), ("error", convert::exception(failure))],
    )
}
