//! `agentweaver run --replay`: goes through a recorded run again, and says whether
//! it is the same.

use std::sync::Arc;

use console::style;
use weaver_core::Value;
use weaver_engine::{Outcome, stable_namespace};
use weaver_runtime::replay::{Difference, DifferenceKind, ReplayRequest, Replayed, replay};
use weaver_store::{Execution, ExecutionId, ExecutionQuery, Store};

use super::{json_argument, unknown_thread};
use crate::cli::RunArgs;
use crate::error::{CliError, exit};
use crate::house::{House, look_into_store, random_key};
use crate::render::term;
use crate::settings::Settings;
use crate::wire;
use crate::workflow::Workflow;

/// Characters of a value that are shown.
const SHOWN: usize = 140;

/// Replays with the source that the run is pinned to, or with a changed file.
pub async fn run(args: &RunArgs, settings: &Settings, wanted: &str) -> Result<(), CliError> {
    let store = look_into_store(settings)?.ok_or_else(|| unknown_thread(wanted))?;
    let execution = find(&store, wanted).await?;
    let workflow = match &args.file {
        Some(file) => Workflow::read(file, args.graph.as_deref())?,
        None => pinned(&store, &execution, args.graph.as_deref()).await?,
    };
    // Suspended functions live in this process only: any key will do.
    let mut house = House::new(settings, &workflow, args.model.as_deref(), random_key())?;
    // Without it functions that a worker ran are answered with what it reported.
    if let Some(machine) = super::machine(args, &workflow) {
        house.run_on(machine);
    }
    let context = match &args.context {
        None => Value::Null,
        Some(context) => workflow
            .plan
            .context(json_argument("--context", context)?)
            .map_err(|failure| CliError::usage(format!("--context does not fit: {failure}")))?,
    };
    let request = ReplayRequest {
        execution: execution.id,
        graph: workflow.plan.graph.clone(),
        context,
        config: Value::map::<&str>([]),
    };
    let host = house.host(&workflow, &workflow.plan, &execution.thread);
    let replayed = replay(&store, Arc::new(host), request).await?;
    match args.json {
        true => term::json(&wire::replayed(&replayed, &workflow)),
        false => print(&replayed, &workflow, args.file.is_some()),
    }
    match replayed.differences.is_empty() {
        true => Ok(()),
        false => Err(CliError::shown(exit::FAILED)),
    }
}

/// The execution of that id, or the last run of the thread of that name.
pub async fn find(store: &Store, wanted: &str) -> Result<Execution, CliError> {
    if let Ok(id) = wanted.parse::<ExecutionId>()
        && let Some(execution) = store.execution(id).await?
    {
        return Ok(execution);
    }
    let thread = Some(wanted.into());
    let query = ExecutionQuery { thread, limit: 1000, ..ExecutionQuery::default() };
    let runs = store.executions(query).await?;
    // An edit of the state is an execution too, in which nothing runs.
    let found = runs.into_iter().find(|execution| execution.input != b"\"update\"");
    found.ok_or_else(|| unknown_thread(wanted))
}

/// The source that an execution is pinned to.
pub async fn pinned(
    store: &Store,
    execution: &Execution,
    graph: Option<&str>,
) -> Result<Workflow, CliError> {
    let version = match execution.version {
        Some(hash) => store.version(hash).await?,
        None => None,
    };
    let version =
        version.ok_or_else(|| CliError::usage("that run was not made from a file; name one"))?;
    Workflow::compile(&version.file, &version.source, graph)
}

fn print(replayed: &Replayed, workflow: &Workflow, changed: bool) {
    let with = match changed {
        true => format!("with {}", workflow.file),
        false => format!("with {} as it was", workflow.file),
    };
    let Execution { id, thread, .. } = &replayed.execution;
    term::note(&format!("replay of {id} · thread {thread} · {with}"));
    let served = served(replayed);
    if replayed.differences.is_empty() {
        term::out(&format!(
            "{} equal: {} {}; {served}",
            style("●").green(),
            replayed.same_checkpoints,
            plural(replayed.same_checkpoints, "checkpoint"),
        ));
        return;
    }
    let count = replayed.differences.len() as u64;
    term::out(&format!("{} {count} {}; {served}", style("✘").red(), plural(count, "difference")));
    for difference in &replayed.differences {
        term::out(&format!(
            "  {} · {}",
            style(place(difference, workflow)).bold(),
            words(difference)
        ));
        let side = |name: &str, value: &Value| {
            if !value.is_null() {
                let text = term::one_line(&value.plain().to_json(), SHOWN);
                term::out(&format!("      {name:<5} {text}"));
            }
        };
        side("then", &difference.recorded);
        side("now", &difference.now);
    }
    if let Outcome::Failed(failure) = &replayed.outcome
        && failure.code != "replay_diverged"
    {
        term::out(&format!("  this time it failed: {failure}"));
    }
}

/// `2 model calls and 1 tool call from the log, none fired`.
fn served(replayed: &Replayed) -> String {
    let calls = replayed
        .served
        .iter()
        .map(|(kind, count)| format!("{count} {kind} {}", plural(*count, "call")));
    match calls.collect::<Vec<_>>().as_slice() {
        [] => "no calls to the outside".into(),
        calls => format!("{} from the log, none fired", calls.join(", ")),
    }
}

/// `step 3 · node \`answer\` (flow.py:23)`.
fn place(difference: &Difference, workflow: &Workflow) -> String {
    let mut text = match difference.kind {
        DifferenceKind::Outcome => "the end".to_string(),
        _ => format!("step {}", difference.step),
    };
    if !difference.namespace.is_empty() {
        text.push_str(&format!(" of {}", stable_namespace(&difference.namespace)));
    }
    if let Some(node) = &difference.node {
        text.push_str(&format!(" · node `{node}`"));
        if let Some(line) = wire::line_of(difference, workflow) {
            text.push_str(&format!(" ({}:{line})", workflow.file));
        }
    }
    text
}

fn words(difference: &Difference) -> String {
    match &difference.kind {
        DifferenceKind::CallNotRecorded(kind) => {
            format!("makes a {kind} call that is not recorded")
        }
        DifferenceKind::CallChanged(kind) => {
            format!("its {kind} call asks something else (then: the answer it had)")
        }
        DifferenceKind::CallNotMade(kind) => format!("its recorded {kind} call is not made"),
        DifferenceKind::Wrote(key) => format!("writes another `{key}`"),
        DifferenceKind::State(key) => format!("the state holds another `{key}`"),
        DifferenceKind::Next => "goes elsewhere".into(),
        DifferenceKind::Shorter => "is not reached".into(),
        DifferenceKind::Longer => "the run goes on where it had ended".into(),
        DifferenceKind::Outcome => "it ends otherwise".into(),
    }
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.into() } else { format!("{word}s") }
}
