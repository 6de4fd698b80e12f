//! Which version of a file a run goes on with.

use weaver_agent::fit::{self, Misfit, Version};
use weaver_core::Value;
use weaver_engine::{CheckpointId, Input, stable_namespace};
use weaver_store::{Execution, ExecutionQuery, ExecutionStatus, Store};

use super::replay::pinned;
use crate::cli::RunArgs;
use crate::error::CliError;
use crate::render::term;
use crate::workflow::Workflow;

const MISFIT_CODE: &str = "version_misfit";

/// The version that a run goes on with. What is new takes the file as it is. What waits
/// or was stopped goes on with the version that it began with, unless it is moved; what
/// failed is moved, so that a mistake can be mended. A move is checked first.
pub async fn choose(
    args: &RunArgs,
    store: &Store,
    thread: &str,
    given: Workflow,
    input: &Input<Value>,
) -> Result<Workflow, CliError> {
    let goes_on = matches!(input, Input::Continue | Input::Command(_));
    let last = match goes_on && args.file.is_some() {
        true => last_run(store, thread).await?,
        false => None,
    };
    let Some(last) = last.filter(|last| last.status != ExecutionStatus::Completed) else {
        return Ok(given);
    };
    let Some(hash) = last.version.filter(|hash| *hash != given.version().hash) else {
        return Ok(given);
    };
    let Some(version) = store.version(hash).await? else { return Ok(given) };
    if version.source == *given.analysis.source {
        return Ok(given);
    }
    if args.travel.migrate || last.status == ExecutionStatus::Failed {
        check(store, thread, None, &last, &given).await?;
        return Ok(given);
    }
    if !args.json {
        term::warning(&format!(
            "{} has changed since this run began; it goes on with what it began with (--migrate moves it)",
            given.file
        ));
    }
    pinned(store, &last, given.chosen.as_deref()).await
}

/// Refuses a fork onto a changed file whose checkpoint does not fit.
pub async fn check_fork(
    store: &Store,
    thread: &str,
    at: CheckpointId,
    given: &Workflow,
) -> Result<(), CliError> {
    match last_run(store, thread).await? {
        Some(last) => check(store, thread, Some(at), &last, given).await,
        None => Ok(()),
    }
}

/// The last run of a thread that is pinned to a file.
async fn last_run(store: &Store, thread: &str) -> Result<Option<Execution>, CliError> {
    let query = ExecutionQuery { thread: Some(thread.into()), limit: 1, ..Default::default() };
    Ok(store.executions(query).await?.into_iter().next())
}

async fn check(
    store: &Store,
    thread: &str,
    at: Option<CheckpointId>,
    last: &Execution,
    given: &Workflow,
) -> Result<(), CliError> {
    let version = match last.version {
        Some(hash) => store.version(hash).await?,
        None => None,
    };
    // A version that no longer compiles says nothing of what was open in it.
    let old = version
        .and_then(|old| Workflow::build(&old.file, &old.source, given.chosen.as_deref()).ok());
    let Some(old) = old else { return Ok(()) };
    let (old, new) = (version_of(&old), version_of(given));
    let misfits = fit::misfits(store, thread, at, old, new).await?;
    if misfits.is_empty() {
        return Ok(());
    }
    Err(refused(thread, given, &misfits, at.is_some()))
}

fn version_of(workflow: &Workflow) -> Version<'_> {
    Version { analysis: &workflow.analysis, plan: &workflow.plan }
}

fn refused(thread: &str, given: &Workflow, misfits: &[Misfit], fork: bool) -> CliError {
    let lines = misfits.iter().map(|misfit| match misfit.namespace.is_empty() {
        true => format!("\n  - {}", misfit.message),
        false => format!("\n  - in {}: {}", stable_namespace(&misfit.namespace), misfit.message),
    });
    let lines: String = lines.collect();
    let things = if misfits.len() == 1 { "1 thing does" } else { "some things do" };
    let message = format!(
        "the thread `{thread}` cannot go on with {}: {things} not fit in it{lines}",
        given.file
    );
    let help = match fork {
        true => format!(
            "leave the file out to go on with the version of the run: agentweaver run --thread {thread} --fork …"
        ),
        false => format!(
            "leave the file out to go on with the version it began with: agentweaver run --thread {thread}; or fork from an earlier checkpoint"
        ),
    };
    CliError { word: Some(MISFIT_CODE), ..CliError::usage(message) }.with_help(help)
}
