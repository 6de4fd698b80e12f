//! Moves an execution to another version of its workflow, if that fits.

use axum::http::StatusCode;
use weaver_agent::fit::{self, Version};
use weaver_api::execution::WorkflowSource;
use weaver_engine::stable_namespace;
use weaver_runtime::Executions;
use weaver_runtime::executions::View;
use weaver_store::{ExecutionId, Store};

use crate::http::{Refusal, broken_workflow};
use crate::wire;
use crate::workflow::Workflow;

/// Pins an execution to the version that was sent, unless something that is open in its
/// checkpoint has no place there; then all of that is listed and nothing changes.
pub async fn migrate(
    store: &Store,
    id: ExecutionId,
    source: &WorkflowSource,
) -> Result<View, Refusal> {
    let executions = Executions::new(store.clone());
    let at_rest = executions.at_rest(id).await?;
    let graph = at_rest.view.order.graph.clone();
    if source.graph.as_ref().is_some_and(|given| Some(given) != graph.as_ref()) {
        let detail = "an execution keeps the graph that it was submitted with";
        return Err(Refusal::invalid(detail).at("/workflow/graph", "leave it out"));
    }
    let version = wire::version(source);
    if at_rest.view.execution.version == Some(version.hash) {
        return Ok(at_rest.view);
    }
    let new = Workflow::build(&source.file, &source.source, graph.as_deref());
    let new = new.map_err(|broken| broken_workflow(source, &broken).inside("/workflow"))?;
    // A version that no longer compiles says nothing of what was open in it.
    let old = at_rest
        .version
        .as_ref()
        .and_then(|old| Workflow::build(&old.file, &old.source, graph.as_deref()).ok());
    if let Some(old) = old {
        let thread = &at_rest.view.execution.thread;
        let (old, new) = (version_of(&old), version_of(&new));
        let misfits = fit::misfits(store, thread, None, old, new).await;
        refuse_misfits(source, &misfits.map_err(weaver_runtime::executions::Refused::from)?)?;
    }
    Ok(executions.pin(&at_rest, version).await?)
}

/// A workflow as its fit is looked at.
pub fn version_of(workflow: &Workflow) -> Version<'_> {
    Version { analysis: &workflow.analysis, plan: &workflow.plan }
}

/// Refuses what has open things that have no place in a source.
pub fn refuse_misfits(source: &WorkflowSource, misfits: &[fit::Misfit]) -> Result<(), Refusal> {
    if misfits.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "the execution cannot go on with {}: what is open in it has no place there",
        source.file
    );
    let refusal = Refusal::new(StatusCode::CONFLICT, "version_misfit", detail)
        .with_help("put back what is listed, or let it end with the version that it began with");
    Err(misfits.iter().fold(refusal, |refusal, misfit| {
        let message = match misfit.namespace.is_empty() {
            true => misfit.message.clone(),
            false => format!("in {}: {}", stable_namespace(&misfit.namespace), misfit.message),
        };
        refusal.at("/workflow/source", message)
    }))
}
