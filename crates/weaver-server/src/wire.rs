//! Between the API's types and the runtime's: the one place that converts.

use weaver_api::Usd;
use weaver_api::execution::{Execution, Question, Status, SubmitRequest};
use weaver_core::{Hash, Value};
use weaver_runtime::executions::{self, Once, Refused, Submission, View};
use weaver_runtime::{Executions, Order, now};
use weaver_store::{
    ConcurrencyKey, ExecutionId, ExecutionStatus, IdempotencyKey, Priority, WorkInfo, WorkState,
    WorkflowVersion,
};

/// A submission as it was sent.
pub fn submission(request: &SubmitRequest) -> Result<Submission, Refused> {
    let workflow = &request.workflow;
    let parts = [workflow.file.as_bytes(), workflow.source.as_bytes()];
    let version = WorkflowVersion {
        hash: Hash::of_parts(parts),
        file: workflow.file.clone(),
        source: workflow.source.clone(),
        created: now(),
    };
    if request.labels.len() > 16 {
        return Err(Refused::Invalid("an execution has at most 16 labels".into()));
    }
    let order = Order {
        input: Value::from(&request.input),
        graph: workflow.graph.clone(),
        model: request.model.clone(),
        script: workflow.script.clone(),
        context: Value::from(&request.context),
        recursion_limit: request.recursion_limit,
        labels: request.labels.clone(),
    };
    let mut submission = Submission::new(version, order);
    submission.thread = request.thread.as_deref().map(Into::into);
    submission.priority =
        Priority::new(request.priority).map_err(|error| Refused::Invalid(error.to_string()))?;
    submission.key = request
        .concurrency
        .as_ref()
        .map(|key| ConcurrencyKey { name: key.key.as_str().into(), limit: key.limit });
    submission.run_at = request.run_at.map(|time| time.0);
    submission.budget_micros = request.budget.map(|budget| budget.0);
    Ok(submission)
}

/// An execution with its questions.
pub async fn whole(executions: &Executions, id: ExecutionId) -> Result<Execution, Refused> {
    let view = executions.get(id).await?;
    let questions = match view.execution.status {
        ExecutionStatus::Waiting => executions.questions(&view.execution).await?,
        _ => Vec::new(),
    };
    let output = executions.output(&view.execution).await?;
    let output = serde_json::Value::from(&output.plain());
    Ok(Execution { output, ..execution(&view, &questions) })
}

/// An execution as it is shown.
pub fn execution(view: &View, questions: &[executions::Question]) -> Execution {
    let View { execution, work, file, order } = view;
    let json = |bytes: &Vec<u8>| serde_json::from_slice(bytes).unwrap_or_default();
    let is_over = execution.status.is_end();
    Execution {
        id: execution.id.to_string(),
        parent: execution.parent.map(|parent| parent.to_string()),
        workflow: file.clone(),
        version: execution.version.map(|hash| hash.to_hex()).unwrap_or_default(),
        thread: execution.thread.to_string(),
        status: status(execution, work.as_ref()),
        priority: work.as_ref().map_or(Priority::NORMAL, |work| work.priority).level(),
        created_at: execution.started.into(),
        completed_at: execution.ended.filter(|_| is_over).map(Into::into),
        run_at: work.as_ref().and_then(|work| work.run_at).map(Into::into),
        questions: questions.iter().map(question).collect(),
        output: serde_json::Value::Null,
        error: execution.error.as_ref().map(json).unwrap_or_default(),
        tokens_input: execution.totals.usage.input,
        tokens_output: execution.totals.usage.output,
        cost: Usd(execution.totals.cost_micros),
        lease_owner: work
            .as_ref()
            .and_then(|work| work.lease.as_ref())
            .map(|(owner, _)| owner.to_string()),
        deliveries: work.as_ref().map_or(0, |work| work.deliveries),
        labels: order.labels.clone(),
    }
}

fn question(question: &executions::Question) -> Question {
    Question {
        id: question.id.to_string(),
        namespace: question.namespace.to_string(),
        value: serde_json::Value::from(&question.value),
        asked_at: question.asked.into(),
        deadline: question.deadline.map(Into::into),
    }
}

/// How an execution stands, its place in the queue considered.
pub fn status(execution: &weaver_store::Execution, work: Option<&WorkInfo>) -> Status {
    let is_dead = work.is_some_and(|work| work.state == WorkState::Dead);
    match execution.status {
        ExecutionStatus::Queued => Status::Queued,
        ExecutionStatus::Running => Status::Running,
        // It waits for a person to look: a call of unknown outcome, or too many crashes.
        ExecutionStatus::Waiting if is_dead || execution.error.is_some() => Status::NeedsAttention,
        ExecutionStatus::Waiting => Status::Waiting,
        ExecutionStatus::Paused => Status::Paused,
        ExecutionStatus::Completed => Status::Completed,
        ExecutionStatus::Failed => Status::Failed,
        ExecutionStatus::Cancelled => Status::Cancelled,
    }
}

/// The stored status that a filter asks for.
pub fn stored_status(status: Status) -> ExecutionStatus {
    match status {
        Status::Queued => ExecutionStatus::Queued,
        Status::Running => ExecutionStatus::Running,
        Status::Waiting | Status::NeedsAttention => ExecutionStatus::Waiting,
        Status::Paused => ExecutionStatus::Paused,
        Status::Completed => ExecutionStatus::Completed,
        Status::Failed => ExecutionStatus::Failed,
        Status::Cancelled => ExecutionStatus::Cancelled,
    }
}

/// What makes a repeat of a request harmless.
pub fn once(key: &str, route: &str, request: &impl serde::Serialize) -> Once {
    let body = serde_json::to_vec(request).expect("a request has a JSON form");
    let key = IdempotencyKey { caller: "local".into(), route: route.into(), key: key.into() };
    Once { key, body: Hash::of(&body) }
}
