//! `agentweaver run --only-changed`: does the last run of a file again, and runs only
//! what has changed since.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use weaver_agent::plan;
use weaver_core::Hash;
use weaver_engine::Input;
use weaver_runtime::reuse::{Beginning, Code, Earlier, Reuse, Savings};
use weaver_store::{Execution, ExecutionQuery, Store};

use super::{Session, find_workflow, input, request};
use crate::cli::RunArgs;
use crate::error::CliError;
use crate::house::snapshot_key;
use crate::render::term;
use crate::settings::Settings;
use crate::workflow::Workflow;

/// How many earlier runs of the thread are looked at.
const RUNS: usize = 10;
/// How many runs are looked through for one of the file.
const RUNS_OF_ALL: usize = 200;

/// Runs the changed file on the input of the last run.
pub async fn run(args: &RunArgs, settings: &Settings, store: Store) -> Result<(), CliError> {
    let workflow = find_workflow(args, &store).await?;
    let key = snapshot_key(&settings.data)?;
    let house = super::house(args, settings, &workflow, key)?;
    let runs = earlier_runs(args, &workflow, &store).await?;
    let mut beginning = None;
    for run in &runs {
        beginning = Beginning::of(&store, run.id).await?;
        if beginning.is_some() {
            break;
        }
    }
    let (Some(last), Some(beginning)) = (runs.first(), beginning) else {
        let error = CliError::usage(format!("{} has no run to go by", workflow.file));
        return Err(error.with_help("run it once without --only-changed"));
    };
    let given = input::given(args, &workflow, beginning.at.is_none())?;
    let given = Input::Value(given.unwrap_or(beginning.input));
    let mut request = request(args, &workflow, last.thread.clone(), given)?;
    request.surroundings = Some(house.surroundings);
    (request.at, request.anew) = (beginning.at, beginning.at.is_none());
    request.ignore_cache = true;
    let earlier = with_code(&store, &runs, workflow.chosen.as_deref()).await?;
    let code = Arc::new(plan::code(&workflow.analysis, &workflow.plan));
    let reuse = Reuse::new(&store, code, &earlier, &request).await?;
    if reuse.executions() == 0 && !args.json {
        term::warning(
            "context, settings or model are not those of the run before: every node runs",
        );
    }
    let mut session = Session::new(args, settings, &workflow, &house, store);
    session.reuse = Some(reuse.clone());
    let ended = session.run(request).await;
    report(&reuse.savings(), args.json);
    ended
}

/// The runs of the thread, or of the thread that the file ran on last, newest first.
async fn earlier_runs(
    args: &RunArgs,
    workflow: &Workflow,
    store: &Store,
) -> Result<Vec<Execution>, CliError> {
    let mut thread: Option<Arc<str>> = args.thread.as_deref().map(Arc::from);
    if thread.is_none() {
        let query = ExecutionQuery { limit: RUNS_OF_ALL, ..ExecutionQuery::default() };
        let mut files: HashMap<Hash, bool> = HashMap::new();
        for run in store.executions(query).await? {
            let Some(hash) = run.version else { continue };
            let is_own = match files.get(&hash) {
                Some(known) => *known,
                None => {
                    let version = store.version(hash).await?;
                    version.is_some_and(|version| version.file == workflow.file)
                }
            };
            files.insert(hash, is_own);
            if is_own {
                thread = Some(run.thread);
                break;
            }
        }
    }
    let Some(thread) = thread else { return Ok(Vec::new()) };
    let query = ExecutionQuery { thread: Some(thread), limit: RUNS, ..ExecutionQuery::default() };
    Ok(store.executions(query).await?)
}

/// The runs with the code of the sources that they are pinned to.
async fn with_code(
    store: &Store,
    runs: &[Execution],
    graph: Option<&str>,
) -> Result<Vec<Earlier>, CliError> {
    let mut known: HashMap<Hash, Option<Arc<Code>>> = HashMap::new();
    let mut earlier = Vec::new();
    for run in runs {
        let Some(hash) = run.version else { continue };
        let code = match known.get(&hash) {
            Some(code) => code.clone(),
            None => {
                let version = store.version(hash).await?;
                let read = version.and_then(|version| {
                    Workflow::build(&version.file, &version.source, graph).ok()
                });
                read.map(|old| Arc::new(plan::code(&old.analysis, &old.plan)))
            }
        };
        known.insert(hash, code.clone());
        earlier.extend(code.map(|code| Earlier { execution: run.id, code }));
    }
    Ok(earlier)
}

/// What was not spent.
fn report(savings: &Savings, as_json: bool) {
    let Savings { ran, reused, saved } = savings;
    if as_json {
        let line = json!({"kind": "savings", "data": savings});
        term::out(&line.to_string());
        return;
    }
    let mut parts = Vec::new();
    let mut count = |n: u64, one: &str, many: &str| {
        if n > 0 {
            parts.push(format!("{} {}", term::thousands(n), if n == 1 { one } else { many }));
        }
    };
    count(saved.model_calls, "model call", "model calls");
    count(saved.tool_calls, "tool call", "tool calls");
    count(saved.usage.input + saved.usage.output, "token", "tokens");
    parts.extend(term::cost(saved.cost_micros));
    parts.push(term::duration(saved.duration_us));
    let all = ran + reused;
    let nodes = if all == 1 { "node run" } else { "node runs" };
    term::note(&format!(
        "only what changed: {ran} of {all} {nodes}; {reused} taken from before, saved {}",
        parts.join(", ")
    ));
}
