//! Between the API's types and the runtime's: the one place that converts.

mod converted;
mod credentials;
mod history;
mod limits;
mod models;
mod monitoring;
mod nodes;
mod usage;
mod workers;

use weaver_api::Usd;
use weaver_api::execution::{
    self as api, Budget, CallOutcome, Execution, OpenCall, Question, ReconcileRequest, Status,
    SubmitRequest, WorkflowSource,
};
use weaver_api::schedule::{Missed, Schedule, ScheduleRequest};
use weaver_api::worker::TaskStatus;
use weaver_core::{Event, EventKind, Hash, Value};
use weaver_runtime::executions::{self, Once, Refused, Submission, Verdict, View};
use weaver_runtime::schedules::{self, Scheduled};
use weaver_runtime::{Breakpoints, Executions, Order, now};
use weaver_store::{
    ConcurrencyKey, ExecutionId, ExecutionStatus, IdempotencyKey, Priority, WorkInfo, WorkState,
    WorkflowVersion,
};

pub use converted::converted;
pub use credentials::{credential_list, rotate_credentials, set_credential};
pub use history::{checkpoints, line_of, log_line, replayed, state};
pub use limits::{limit_list, set_limit};
pub use models::provider;
pub use monitoring::summary;
pub use nodes::node_types;
pub use usage::{days, quotas, set_quotas, usage};
pub use workers::{WORKER_STATUSES, about, lease, task, waiting_task, worker, worker_status};

/// The version of a workflow that was sent.
pub fn version(workflow: &WorkflowSource) -> WorkflowVersion {
    WorkflowVersion {
        hash: version_hash(&workflow.file, &workflow.source),
        file: workflow.file.clone(),
        source: workflow.source.clone(),
        created: now(),
    }
}

/// Names a file and its text.
pub fn version_hash(file: &str, source: &str) -> Hash {
    Hash::of_parts([file.as_bytes(), source.as_bytes()])
}

/// A submission as it was sent.
pub fn submission(request: &SubmitRequest) -> Result<Submission, Refused> {
    let workflow = &request.workflow;
    if request.labels.len() > LABELS_MAX {
        let message = format!("an execution has at most {LABELS_MAX} labels");
        return Err(Refused::Field { pointer: "/labels", message });
    }
    let order = Order {
        input: Value::from(&request.input),
        graph: workflow.graph.clone(),
        model: request.model.clone(),
        script: workflow.script.clone(),
        context: Value::from(&request.context),
        recursion_limit: request.recursion_limit,
        has_budget: request.budget.is_some(),
        labels: request.labels.clone(),
        breakpoints: request.breakpoints.as_ref().map(breakpoints),
        ..Order::default()
    };
    let mut submission = Submission::new(version(workflow), order);
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

/// A schedule as it was sent.
pub fn schedule_draft(request: &ScheduleRequest) -> Result<schedules::Draft, Refused> {
    if request.execution.run_at.is_some() {
        return Err(Refused::Field {
            pointer: "/execution/run_at",
            message: "a schedule says itself when its executions begin".into(),
        });
    }
    if request.execution.stream || request.execution.wait.is_some() {
        let message = "nobody waits for what a schedule begins".into();
        let pointer =
            if request.execution.stream { "/execution/stream" } else { "/execution/wait" };
        return Err(Refused::Field { pointer, message });
    }
    Ok(schedules::Draft {
        name: request.name.clone(),
        cron: request.cron.clone(),
        zone: request.zone.clone(),
        missed: match request.missed {
            Missed::Skip => weaver_store::Missed::Skip,
            Missed::Once => weaver_store::Missed::Once,
            Missed::All => weaver_store::Missed::All,
        },
        submission: submission(&request.execution)?,
    })
}

/// A schedule as it is shown.
pub fn schedule(scheduled: &Scheduled) -> Schedule {
    let Scheduled { schedule, template } = scheduled;
    Schedule {
        name: schedule.key.name.to_string(),
        cron: schedule.cron.to_string(),
        zone: schedule.zone.to_string(),
        missed: match schedule.missed {
            weaver_store::Missed::Skip => Missed::Skip,
            weaver_store::Missed::Once => Missed::Once,
            weaver_store::Missed::All => Missed::All,
        },
        enabled: schedule.enabled,
        next_at: schedule.next.filter(|_| schedule.enabled).map(Into::into),
        workflow: template.file.clone(),
    }
}

/// Breakpoints as they were sent.
pub fn breakpoints(sent: &api::Breakpoints) -> Breakpoints {
    Breakpoints { before: sent.before.clone(), after: sent.after.clone() }
}

/// The most labels of one submitter.
const LABELS_MAX: usize = 16;

/// What a person says of a call.
pub fn verdict(request: &ReconcileRequest) -> Result<Verdict, Refused> {
    match (request.outcome, &request.result) {
        (CallOutcome::Happened, Some(result)) => Ok(Verdict::Happened(Value::from(result))),
        (CallOutcome::Happened, None) => Err(Refused::Field {
            pointer: "/result",
            message: "what came of the call is missing; null, if that is all".into(),
        }),
        (_, Some(_)) => Err(Refused::Field {
            pointer: "/result",
            message: "only a call that happened has a result".into(),
        }),
        (CallOutcome::NotHappened, None) => Ok(Verdict::NotHappened),
        (CallOutcome::Fail, None) => {
            let reason = request.reason.clone();
            Ok(Verdict::Fail(reason.unwrap_or_else(|| "nobody could find out".into())))
        }
    }
}

/// An execution with what it waits for a person to say.
pub async fn whole(executions: &Executions, id: ExecutionId) -> Result<Execution, Refused> {
    whole_of(executions, executions.overview(id).await?).await
}

/// The same of one that has just been looked at.
pub async fn whole_of(
    executions: &Executions,
    (view, ends): (View, Option<(Event, Event)>),
) -> Result<Execution, Refused> {
    let id = view.execution.id;
    let (questions, waits_for) = match view.execution.status {
        ExecutionStatus::Waiting => (
            executions.questions(&view.execution).await?,
            executions.waits_for(&view.execution).await?,
        ),
        _ => Default::default(),
    };
    // Nobody has worked on it: there is nothing yet that it could have made.
    let is_fresh = view.execution.status == ExecutionStatus::Queued
        && view.work.as_ref().is_some_and(|work| work.deliveries == 0);
    let worker_tasks: Vec<_> = match is_fresh || view.execution.status.is_end() {
        true => Vec::new(),
        false => executions.tasks(&view.execution).await?.iter().map(waiting_task).collect(),
    };
    let open_calls = executions.open_calls(&view.execution).await?;
    let output = match &ends {
        Some((_, last)) => executions.output_at(&view.execution, last).await?.plain(),
        None => Value::Null,
    };
    let output = serde_json::Value::from(&output);
    let open_calls = open_calls.iter().map(open_call).collect();
    let budget = match view.order.has_budget {
        true => executions.budget(&view.execution).await?.map(budget),
        false => None,
    };
    let started = ends.as_ref().map(|(first, _)| first);
    let started_at = started.filter(|event| event.kind == EventKind::Start);
    let started_at = started_at.map(|event| event.time.into());
    let waits_for = waits_for.iter().map(ToString::to_string).collect();
    let stopped_before = executions.stopped_before(&view).await?.unwrap_or_default();
    let savings = match &view.order.again {
        Some(_) => Some(history::savings(&executions.savings(id).await?)),
        None => None,
    };
    let mut shown = execution(&view, &questions);
    if worker_tasks.iter().any(|task| task.status == TaskStatus::GivenUp) {
        shown.status = Status::NeedsAttention;
    }
    Ok(Execution {
        stopped_before,
        output,
        open_calls,
        waits_for,
        worker_tasks,
        budget,
        started_at,
        savings,
        ..shown
    })
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
        started_at: None,
        completed_at: execution.ended.filter(|_| is_over).map(Into::into),
        run_at: work.as_ref().and_then(|work| work.run_at).map(Into::into),
        questions: questions.iter().map(question).collect(),
        waits_for: Vec::new(),
        worker_tasks: Vec::new(),
        open_calls: Vec::new(),
        output: serde_json::Value::Null,
        error: execution.error.as_ref().map(json).unwrap_or_default(),
        tokens_input: execution.totals.usage.input,
        tokens_output: execution.totals.usage.output,
        cost: Usd(execution.totals.cost_micros),
        budget: None,
        lease_owner: work
            .as_ref()
            .and_then(|work| work.lease.as_ref())
            .map(|(owner, _)| owner.to_string()),
        deliveries: work.as_ref().map_or(0, |work| work.deliveries),
        labels: order.labels.clone(),
        workflow_id: order.workflow_id.clone(),
        forked_from: order.forked_from.as_ref().map(|from| api::ForkedFrom {
            execution: from.execution.clone(),
            checkpoint: from.checkpoint.clone(),
        }),
        rerun_of: order.again.as_ref().map(|again| again.execution.clone()),
        savings: None,
        breakpoints: order.breakpoints.as_ref().map(|kept| api::Breakpoints {
            before: kept.before.clone(),
            after: kept.after.clone(),
        }),
        stopped_before: Vec::new(),
    }
}

fn budget(budget: weaver_store::Budget) -> Budget {
    Budget {
        limit: Usd(budget.limit_micros),
        spent: Usd(budget.settled_micros),
        reserved: Usd(budget.reserved_micros),
        unconfirmed: Usd(budget.unconfirmed_micros),
    }
}

fn open_call(call: &executions::OpenCall) -> OpenCall {
    OpenCall {
        key: call.key.to_string(),
        kind: call.kind.to_string(),
        request: serde_json::Value::from(&call.request),
        since: call.since.into(),
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
