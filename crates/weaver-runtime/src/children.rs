//! [`Children`]: executions that an execution starts, and waits for.
//!
//! A task that waits for a child asks a question whose value is a [`waiting_for`]: a
//! child that ends wakes its parent, and what has become of it is the answer.

use std::sync::Arc;

use weaver_core::{Failure, FailureKind, Hash, Value};
use weaver_store::{
    Execution, ExecutionId, ExecutionStatus, IdempotencyKey, Priority, Store, WorkflowVersion,
};

use crate::error::{Error, store_failure};
use crate::executions::{Executions, Once, Refused, Submission};
use crate::order::Order;

/// Starts executions for one that a scheduler drives.
#[derive(Clone)]
pub struct Children {
    executions: Executions,
    store: Store,
    parent: Arc<Parent>,
}

/// What children take over.
struct Parent {
    execution: Execution,
    version: WorkflowVersion,
    order: Order,
    priority: Priority,
}

/// What has become of a child.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It ended well, with this state.
    Completed(Value),
    /// It failed or was cancelled, for this reason.
    Badly(String),
}

/// Executions below each other: a workflow that starts itself ends here.
const DEPTH_MAX: usize = 16;

const TAG: &str = "execution";

impl Children {
    pub(crate) fn new(
        store: Store,
        execution: Execution,
        version: WorkflowVersion,
        order: Order,
        priority: Priority,
    ) -> Self {
        let parent = Arc::new(Parent { execution, version, order, priority });
        Children { executions: Executions::new(store.clone()), store, parent }
    }

    /// Starts another graph of the parent's source. The same key again gives the same
    /// execution. It shares the parent's budget, model and script, and ends with it.
    pub async fn start(
        &self,
        key: &str,
        graph: &str,
        input: Value,
    ) -> Result<ExecutionId, Failure> {
        self.check_depth().await?;
        let Parent { execution, version, order, priority } = &*self.parent;
        let order = Order {
            input,
            graph: Some(graph.into()),
            // What is said of the parent alone may change while the child keeps its name.
            forked_from: None,
            breakpoints: None,
            goes_on: false,
            ..order.clone()
        };
        let body = Hash::of(&order.encode());
        let submission = Submission {
            parent: Some(execution.id),
            priority: *priority,
            once: Some(Once {
                key: IdempotencyKey {
                    caller: execution.id.to_string().into(),
                    route: "child".into(),
                    key: key.into(),
                },
                body,
            }),
            ..Submission::new(version.clone(), order)
        };
        self.executions.submit(submission).await.map(|child| child.id).map_err(failure)
    }

    /// What has become of a child; nothing as long as it has not ended.
    pub async fn ended(&self, child: &str) -> Result<Option<Ended>, Failure> {
        let ended = match child.parse() {
            Ok(id) => ended(&self.store, id).await.map_err(|error| failure(error.into()))?,
            Err(_) => None,
        };
        Ok(ended)
    }

    async fn check_depth(&self) -> Result<(), Failure> {
        let (mut depth, mut above) = (1, self.parent.execution.parent);
        while let Some(id) = above {
            depth += 1;
            above = self.store.execution(id).await.map_err(store_failure)?.and_then(|e| e.parent);
        }
        if depth < DEPTH_MAX {
            return Ok(());
        }
        let message = format!("executions start each other {DEPTH_MAX} levels deep");
        Err(Failure::new(FailureKind::Limit, "execution_depth", message)
            .with_help("a workflow that starts itself must stop doing so at some point"))
    }
}

impl Ended {
    /// Reads the answer that a task gets which waited for a child.
    pub fn from_answer(answer: &Value) -> Self {
        match answer.get("failed").and_then(Value::as_str) {
            Some(reason) => Ended::Badly(reason.into()),
            None => Ended::Completed(answer.get("values").cloned().unwrap_or_default()),
        }
    }

    fn into_answer(self) -> Value {
        match self {
            Ended::Completed(values) => Value::map([("values", values)]),
            Ended::Badly(reason) => Value::map([("failed", reason.into())]),
        }
    }
}

/// What a task asks that waits for a child: no question for a person.
pub fn waiting_for(child: &str) -> Value {
    Value::tagged(TAG, [("id", Value::str(child))])
}

/// The child that a question is about, if it is about one.
pub(crate) fn child_of(question: &Value) -> Option<&str> {
    question.get("id").filter(|_| question.tag() == Some(TAG))?.as_str()
}

/// The answer to a question about a child, once that has ended.
pub(crate) async fn answer(store: &Store, child: &str) -> Result<Option<Value>, Error> {
    let Ok(id) = child.parse() else { return Ok(None) };
    Ok(ended(store, id).await?.map(Ended::into_answer))
}

async fn ended(store: &Store, id: ExecutionId) -> Result<Option<Ended>, Error> {
    let Some(child) = store.execution(id).await? else {
        return Ok(Some(Ended::Badly("it was forgotten".into())));
    };
    Ok(match child.status {
        ExecutionStatus::Completed => {
            let output = Executions::new(store.clone()).output(&child).await;
            let output = output.map_err(|refused| Error::Unreadable(refused.to_string()))?;
            Some(Ended::Completed(output))
        }
        ExecutionStatus::Cancelled => Some(Ended::Badly("it was cancelled".into())),
        ExecutionStatus::Failed => {
            let failure: Option<Failure> =
                child.error.as_deref().and_then(|error| serde_json::from_slice(error).ok());
            let reason = failure.map_or("it failed".into(), |failure| failure.message);
            Some(Ended::Badly(reason))
        }
        _ => None,
    })
}

fn failure(refused: Refused) -> Failure {
    match refused {
        Refused::Failed(Error::Store(error)) => store_failure(error),
        other => Failure::new(FailureKind::InvalidInput, "execution_refused", other.to_string()),
    }
}
