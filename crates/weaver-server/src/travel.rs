//! Time travel over HTTP: forks, edits and replays of executions.

use std::sync::Arc;

use axum::http::StatusCode;
use weaver_agent::fit;
use weaver_api::execution::WorkflowSource;
use weaver_api::history::{EditRequest, ForkRequest, ReplayReport, RerunRequest};
use weaver_core::{Failure, Value};
use weaver_engine::{CheckpointId, Input, Outcome, StateUpdate};
use weaver_runtime::executions::{Once, Refused, Rerun, Submission, View};
use weaver_runtime::replay::{self, replay};
use weaver_runtime::scheduler::Job;
use weaver_runtime::thread::{self, Place};
use weaver_runtime::{Executions, ForkedFrom, Order, RunRequest, drive};
use weaver_store::{Execution, ExecutionId, Store, WorkflowVersion};

use crate::commands::run::checked_update;
use crate::http::{Refusal, broken_workflow};
use crate::moving::{refuse_misfits, version_of};
use crate::wire;
use crate::workflow::Workflow;
use crate::workshop::Bench;

/// Goes back and forth in the executions of a tenant.
pub struct Travel {
    store: Store,
    executions: Executions,
    bench: Arc<Bench>,
}

impl Travel {
    /// Of a store's tenant.
    pub fn new(store: Store, bench: Arc<Bench>) -> Self {
        Travel { executions: Executions::new(store.clone()), store, bench }
    }

    /// Submits an execution that goes on from a checkpoint of another, in a thread of
    /// its own: the other one goes its own way.
    pub async fn fork(
        &self,
        id: ExecutionId,
        request: &ForkRequest,
        once: Option<Once>,
    ) -> Result<Execution, Refusal> {
        let view = self.executions.get(id).await?;
        let from = &view.execution.thread;
        let place = thread::locate(&self.store, from, Some(""), &request.at).await;
        let place = place.map_err(Refused::from)?;
        let version = self.version(&view, request.workflow.as_ref()).await?;
        if let Some(workflow) = &request.workflow {
            self.check_fit(&view, &place, workflow).await?;
        }
        let script = request.workflow.as_ref().and_then(|workflow| workflow.script.clone());
        let order = Order {
            model: request.model.clone().or_else(|| view.order.model.clone()),
            script: script.or_else(|| view.order.script.clone()),
            breakpoints: request.breakpoints.as_ref().map(wire::breakpoints),
            forked_from: Some(ForkedFrom {
                execution: id.to_string(),
                checkpoint: place.id.to_string(),
            }),
            goes_on: true,
            has_budget: false,
            ..view.order.clone()
        };
        let to = thread::new_thread_id();
        let job = self.job(id, to.clone(), version.clone(), order.clone());
        // What cannot be written is refused before anything is.
        let values = match &request.values {
            Some(values) => Some(self.checked(&job, values)?),
            None => None,
        };
        if !self.is_repeat(once.as_ref()).await? {
            let copied = thread::copy_to(&self.store, from, &place, &to, version.clone()).await;
            copied.map_err(Refused::from)?;
            if let Some(values) = values {
                self.write(&job, values, request.as_node.as_deref()).await?;
            }
        }
        let mut submission = Submission::new(version, order);
        submission.thread = Some(to);
        submission.once = once;
        Ok(self.executions.submit(submission).await?)
    }

    /// Submits an execution that does an ended one again, and runs only what has changed.
    pub async fn rerun(
        &self,
        id: ExecutionId,
        request: &RerunRequest,
        once: Option<Once>,
    ) -> Result<Execution, Refusal> {
        let view = self.executions.get(id).await?;
        let version = self.version(&view, request.workflow.as_ref()).await?;
        let sent = request.workflow.as_ref();
        let graph = sent.and_then(|workflow| workflow.graph.clone());
        let script = sent.and_then(|workflow| workflow.script.clone());
        let order = Order {
            input: Value::from(&request.input),
            graph: graph.or(view.order.graph),
            script: script.or(view.order.script),
            breakpoints: request.breakpoints.as_ref().map(wire::breakpoints),
            forked_from: None,
            goes_on: false,
            has_budget: false,
            ..view.order
        };
        Ok(self.executions.again(id, Rerun { version, order, once }).await?)
    }

    /// Changes the state of an execution that waits or is paused. Gives the checkpoint
    /// that it goes on from.
    pub async fn edit(
        &self,
        id: ExecutionId,
        request: &EditRequest,
    ) -> Result<CheckpointId, Refusal> {
        let view = self.executions.get(id).await?;
        let version = self.version(&view, None).await?;
        let job = self.job(id, view.execution.thread.clone(), version, view.order);
        let values = self.checked(&job, &request.values)?;
        let held = self.executions.hold(id).await?;
        let written = self.write(&job, values, request.as_node.as_deref()).await;
        self.executions.let_go(&held).await?;
        written
    }

    /// Goes through an execution again, with recorded answers.
    pub async fn replay(
        &self,
        id: ExecutionId,
        workflow: Option<&WorkflowSource>,
    ) -> Result<ReplayReport, Refusal> {
        let view = self.executions.get(id).await?;
        let version = self.version(&view, workflow).await?;
        let job = self.job(id, view.execution.thread.clone(), version, view.order);
        let prepared = self.bench.make(&job).await.map_err(not_made)?;
        let workflow = self.bench.workflow(&job).map_err(not_made)?;
        let request = replay::ReplayRequest {
            execution: id,
            graph: prepared.graph,
            context: prepared.context,
            config: prepared.config,
        };
        let replayed = replay(&self.store, prepared.handler, request).await;
        Ok(wire::replayed(&replayed.map_err(Refused::from)?, &workflow))
    }

    /// Whether a request took effect before: then nothing is copied again.
    async fn is_repeat(&self, once: Option<&Once>) -> Result<bool, Refusal> {
        let Some(once) = once else { return Ok(false) };
        let known = self.store.idempotency(once.key.clone()).await.map_err(Refused::from)?;
        Ok(known.is_some())
    }

    /// The version that was sent, else the one that the execution is pinned to.
    async fn version(
        &self,
        view: &View,
        sent: Option<&WorkflowSource>,
    ) -> Result<WorkflowVersion, Refusal> {
        if let Some(sent) = sent {
            return Ok(wire::version(sent));
        }
        let kept = match view.execution.version {
            Some(hash) => self.store.version(hash).await.map_err(Refused::from)?,
            None => None,
        };
        kept.ok_or_else(|| Refusal::not_found("the execution was not made from a file"))
    }

    async fn check_fit(
        &self,
        view: &View,
        place: &Place,
        sent: &WorkflowSource,
    ) -> Result<(), Refusal> {
        let graph = sent.graph.as_deref().or(view.order.graph.as_deref());
        let new = Workflow::build(&sent.file, &sent.source, graph);
        let new = new.map_err(|broken| broken_workflow(sent, &broken).inside("/workflow"))?;
        let old = self.version(view, None).await?;
        // A version that no longer compiles says nothing of what was open in it.
        let Ok(old) = Workflow::build(&old.file, &old.source, view.order.graph.as_deref()) else {
            return Ok(());
        };
        let thread = &view.execution.thread;
        let (old, new) = (version_of(&old), version_of(&new));
        let misfits = fit::misfits(&self.store, thread, Some(place.root()), old, new).await;
        refuse_misfits(sent, &misfits.map_err(Refused::from)?)
    }

    fn job(
        &self,
        execution: ExecutionId,
        thread: Arc<str>,
        version: WorkflowVersion,
        order: Order,
    ) -> Job {
        Job { tenant: self.store.tenant(), execution, thread, version, order }
    }

    /// The values, if the state has such keys and they fit them.
    fn checked(&self, job: &Job, values: &serde_json::Value) -> Result<Value, Refusal> {
        let workflow = self.bench.workflow(job).map_err(not_made)?;
        checked_update(&workflow, "values", Value::from(values)).map_err(|error| {
            let refusal = Refusal::invalid(error.message.clone()).at("/values", error.message);
            match error.help {
                Some(help) => refusal.with_help(help),
                None => refusal,
            }
        })
    }

    /// Writes values to a thread, as if a node had returned them. Nothing runs but what
    /// decides where to go next.
    async fn write(
        &self,
        job: &Job,
        values: Value,
        as_node: Option<&str>,
    ) -> Result<CheckpointId, Refusal> {
        let prepared = self.bench.make(job).await.map_err(not_made)?;
        let as_node = as_node.map(Arc::from);
        let edit = StateUpdate { values: Some(values), as_node, task: None, keeps_next: true };
        let input = Input::Update(vec![vec![edit]]);
        let mut request = RunRequest::new(job.thread.clone(), prepared.graph, input);
        request.tenant = job.tenant.to_string().into();
        request.version = Some(job.version.clone());
        let report = drive(Some(self.store.clone()), prepared.handler, request).await;
        let report = report.map_err(Refused::from)?;
        match (report.checkpoint, report.outcome) {
            (Some(id), _) => Ok(id),
            (None, Outcome::Failed(failure)) => {
                let detail = format!("the state cannot be changed so: {failure}");
                let refusal = Refusal::invalid(detail);
                Err(match failure.code.as_str() {
                    "ambiguous_update" => refusal.at("/as_node", "name the node that wrote it"),
                    _ => refusal.at("/values", failure.message),
                })
            }
            (None, _) => Err(Refusal::invalid("nothing was changed").at("/values", "empty")),
        }
    }
}

/// A workflow that does not compile here.
fn not_made(failure: Failure) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "workflow_invalid", failure.to_string())
}
