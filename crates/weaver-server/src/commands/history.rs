//! `agentweaver history`: a thread's checkpoints, a past state, a fork.

use std::collections::HashMap;

use console::style;
use weaver_core::spec::START;
use weaver_core::{Event, Timestamp, Value};
use weaver_engine::checkpoint::Stored;
use weaver_engine::{CheckpointId, CheckpointState, Input, StateUpdate};
use weaver_runtime::{RunRequest, drive, from_entry, thread};
use weaver_store::{ExecutionQuery, Store};

use crate::cli::{DurabilityArg, HistoryArgs, RunArgs};
use crate::commands::run::{self, Question, print_waiting, unknown_thread};
use crate::error::{CliError, exit};
use crate::house::{House, look_into_store, open_store, snapshot_key};
use crate::render::term;
use crate::settings::Settings;
use crate::workflow::Workflow;

/// Shows the past, or runs on from it.
pub async fn run(args: &HistoryArgs, settings: Settings) -> Result<(), CliError> {
    if let Some(fork) = &args.fork {
        return run_on(args, settings, fork).await;
    }
    let store = look_into_store(&settings)?;
    let Some(thread) = &args.thread else { return threads(store.as_ref(), args).await };
    let Some(store) = store else { return Err(unknown_thread(thread)) };
    if let Some(at) = &args.at {
        return state_at(&store, thread, at).await;
    }
    if args.events {
        return events(&store, thread, args).await;
    }
    checkpoints(&store, thread, args, &settings).await
}

async fn threads(store: Option<&Store>, args: &HistoryArgs) -> Result<(), CliError> {
    let mut threads = Vec::new();
    if let Some(store) = store {
        for thread in store.threads(args.limit).await? {
            let file = file_of(store, &thread.thread).await?;
            threads.push((thread, file));
        }
    }
    if args.json {
        let rows = threads.iter().map(|(thread, file)| {
            serde_json::json!({
                "thread": &*thread.thread,
                "file": file,
                "executions": thread.executions,
                "status": thread.status,
                "started": thread.started.to_rfc3339(),
            })
        });
        term::json(&rows.collect::<Vec<_>>());
        return Ok(());
    }
    if threads.is_empty() {
        term::note("no threads yet; `agentweaver run FILE` makes one");
    }
    let name_width =
        threads.iter().map(|(thread, _)| thread.thread.chars().count()).max().unwrap_or(0);
    for (thread, file) in threads {
        term::out(&format!(
            "{}  {}  {}  {}",
            style(minute(thread.started)).dim(),
            style(format!("{:<name_width$}", thread.thread)).bold(),
            status(thread.status.as_str()),
            file.unwrap_or_default()
        ));
    }
    Ok(())
}

/// The file that a thread was last run from; nothing for a graph built in code.
async fn file_of(store: &Store, thread: &str) -> Result<Option<String>, CliError> {
    let query = ExecutionQuery { thread: Some(thread.into()), limit: 1, ..Default::default() };
    let last = store.executions(query).await?.into_iter().next();
    let Some(hash) = last.and_then(|last| last.version) else { return Ok(None) };
    Ok(store.version(hash).await?.map(|version| version.file))
}

async fn checkpoints(
    store: &Store,
    thread: &str,
    args: &HistoryArgs,
    settings: &Settings,
) -> Result<(), CliError> {
    let entries = thread::history(store, thread, "", args.limit).await?;
    if entries.is_empty() {
        return Err(unknown_thread(thread));
    }
    if args.json {
        let rows = entries.iter().map(|entry| {
            serde_json::json!({
                "checkpoint": entry.id.to_string(),
                "parent": entry.parent.map(|id| id.to_string()),
                "step": entry.step,
                "source": entry.source,
                "time": entry.time.to_rfc3339(),
                "next": entry.next,
                "execution": entry.execution,
            })
        });
        term::json(&rows.collect::<Vec<_>>());
        return Ok(());
    }
    let shown: HashMap<CheckpointId, i64> =
        entries.iter().map(|entry| (entry.id, entry.step)).collect();
    for (i, entry) in entries.iter().enumerate() {
        let next = match entry.next.as_slice() {
            [] => style("the end").dim().to_string(),
            [start] if start == START => style("the beginning").dim().to_string(),
            nodes => format!("next {}", nodes.join(", ")),
        };
        // A branch of the history: the entry below is not the parent.
        let below = entries.get(i + 1).map(|below| below.id);
        let branch = match entry.parent {
            Some(parent) if Some(parent) != below => match shown.get(&parent) {
                Some(step) => format!("  ↳ from step {step} ({})", short(parent)),
                None => format!("  ↳ from {}", short(parent)),
            },
            _ => String::new(),
        };
        term::out(&format!(
            "{}  {}  step {:>3}  {:<6}  {next}{}",
            style(entry.time.to_rfc3339()).dim(),
            style(short(entry.id)).cyan(),
            entry.step,
            entry.source,
            style(branch).yellow()
        ));
    }
    let (word, flag) = (term::shell_word(thread), settings.data_flag());
    let program = term::program();
    waiting(store, thread, &format!("{program} run --thread {word}{flag}")).await?;
    term::note(&format!(
        "\n{program} history {word}{flag} --at ID shows a state, --fork ID runs on from there"
    ));
    Ok(())
}

/// What the thread waits for, and the command that answers.
async fn waiting(store: &Store, thread: &str, command: &str) -> Result<(), CliError> {
    let open = thread::open_questions(store, thread).await?;
    let questions: Vec<Question> = open
        .into_iter()
        .map(|open| Question { id: open.id, value: open.value, asked: open.asked })
        .collect();
    if !questions.is_empty() {
        print_waiting(&questions, command);
    }
    Ok(())
}

/// A status in its colour, all of one width.
fn status(word: &str) -> String {
    let padded = format!("{word:<9}");
    match word {
        "completed" => style(padded).green().to_string(),
        "failed" => style(padded).red().to_string(),
        _ => style(padded).yellow().to_string(),
    }
}

/// `2026-11-21 04:02:37`, UTC.
fn minute(time: Timestamp) -> String {
    let text = time.to_rfc3339();
    text[..19].replace('T', " ")
}

/// The end of an id: the part that differs between neighbours.
fn short(id: CheckpointId) -> String {
    let text = id.to_string();
    text[text.len() - 10..].to_string()
}

async fn state_at(store: &Store, thread: &str, at: &str) -> Result<(), CliError> {
    let id = thread::find_checkpoint(store, thread, at).await?;
    let (saved, _) =
        thread::load(store, thread, "", Some(id)).await?.ok_or_else(|| unknown_thread(thread))?;
    term::json(&serde_json::Value::from(&values_of(&saved.state).plain()));
    Ok(())
}

/// The state keys of a checkpoint; control channels are left out.
fn values_of(state: &CheckpointState<Value>) -> Value {
    let keys = state.channels.iter().filter(|(name, _)| !name.starts_with("__"));
    Value::map(keys.filter_map(|(name, channel)| match channel.stored.as_ref()? {
        Stored::Value(value) => Some((name.clone(), value.clone())),
        _ => None,
    }))
}

async fn events(store: &Store, thread: &str, args: &HistoryArgs) -> Result<(), CliError> {
    let query =
        ExecutionQuery { thread: Some(thread.into()), limit: 10_000, ..ExecutionQuery::default() };
    let mut executions = store.executions(query).await?;
    if executions.is_empty() {
        return Err(unknown_thread(thread));
    }
    executions.reverse();
    for execution in executions {
        let entries = store.entries(execution.id, 0, usize::MAX >> 1).await?;
        for event in entries.iter().filter_map(from_entry) {
            match args.json {
                true => {
                    term::out(&serde_json::to_string(&event).expect("an event has a JSON form"))
                }
                false => print_event(&event),
            }
        }
    }
    Ok(())
}

fn print_event(event: &Event) {
    let kind = serde_json::to_value(event.kind).expect("a kind is a word");
    let data = match &event.data {
        Value::Null => String::new(),
        data => term::one_line(&data.plain().to_json(), 100),
    };
    term::out(&format!(
        "{}  {:>4}  {:<14} {:<18} {:>8}  {}",
        style(event.time.to_rfc3339()).dim(),
        event.sequence,
        kind.as_str().unwrap_or_default(),
        event.node.as_deref().unwrap_or(""),
        event.duration_us.map(term::duration).unwrap_or_default(),
        style(data).dim()
    ));
}

/// Forks: edits the state if asked, then runs on.
async fn run_on(args: &HistoryArgs, settings: Settings, fork: &str) -> Result<(), CliError> {
    let thread = args.thread.clone().ok_or_else(|| CliError::usage("--fork needs a thread"))?;
    let store = open_store(&settings)?;
    let mut at = thread::find_checkpoint(&store, &thread, fork).await?;
    let run_args = run_args(args, &thread);
    if let Some(update) = &args.update {
        at = edit(args, &settings, &store, &thread, at, update).await?;
    }
    run::run_from(&run_args, settings, store, at).await
}

async fn edit(
    args: &HistoryArgs,
    settings: &Settings,
    store: &Store,
    thread: &str,
    at: CheckpointId,
    update: &str,
) -> Result<CheckpointId, CliError> {
    let workflow: Workflow = run::find_workflow(&run_args(args, thread), store).await?;
    let values = run::checked_update(&workflow, run::json_argument("--update", update)?)?;
    let key = snapshot_key(&settings.data)?;
    let house = House::new(settings, &workflow, args.model.as_deref(), key)?;
    let edit = StateUpdate { values: Some(values), as_node: None, task: None };
    let mut request =
        RunRequest::new(thread, workflow.plan.graph.clone(), Input::Update(vec![vec![edit]]));
    request.at = Some(at);
    request.version = Some(workflow.version());
    let host = house.host(&workflow, &workflow.plan, thread);
    let report = drive(Some(store.clone()), std::sync::Arc::new(host), request).await?;
    match (report.checkpoint, report.outcome) {
        (Some(id), _) => Ok(id),
        (None, weaver_engine::Outcome::Failed(failure)) => {
            Err(CliError::usage(format!("the state cannot be changed so: {failure}")))
        }
        (None, _) => Err(CliError { code: exit::FAILED, ..CliError::usage("nothing was changed") }),
    }
}

/// The arguments of `run` that a fork means.
fn run_args(args: &HistoryArgs, thread: &str) -> RunArgs {
    RunArgs {
        file: None,
        input: None,
        message: None,
        thread: Some(thread.into()),
        resume: None,
        stream: None,
        json: args.json,
        model: args.model.clone(),
        graph: None,
        context: None,
        recursion_limit: None,
        durability: DurabilityArg::Async,
        max_concurrency: None,
        interrupt_before: Vec::new(),
        interrupt_after: Vec::new(),
        no_prompt: false,
    }
}
