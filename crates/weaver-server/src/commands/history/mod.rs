//! `agentweaver history`: a thread's checkpoints, a past state, what lies between two.

mod diff;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use console::style;
use weaver_core::spec::START;
use weaver_core::{Event, Timestamp, Value};
use weaver_engine::{CheckpointId, stable_namespace};
use weaver_runtime::thread::HistoryEntry;
use weaver_runtime::{Order, from_entry, thread};
use weaver_store::{Execution, ExecutionQuery, Store};

use crate::cli::{HistoryArgs, RunArgs, TravelArgs};
use crate::commands::run::{self, Question, print_waiting, unknown_thread};
use crate::error::CliError;
use crate::house::look_into_store;
use crate::render::term;
use crate::settings::Settings;
use tree::{Row, Tree};

/// Shows the past, or runs on from it.
pub async fn run(args: &HistoryArgs, settings: Settings) -> Result<(), CliError> {
    if let Some(fork) = &args.fork {
        return run::run(&run_args(args, fork)?, settings).await;
    }
    let store = look_into_store(&settings)?;
    let Some(thread) = &args.thread else { return threads(store.as_ref(), args).await };
    let Some(store) = store else { return Err(unknown_thread(thread)) };
    if let Some(at) = &args.at {
        return state_at(&store, thread, args, at).await;
    }
    if !args.diff.is_empty() {
        return diff::run(&store, thread, args).await;
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
    let namespace = namespace(store, thread, args).await?;
    let entries = thread::history(store, thread, &namespace, args.limit).await?;
    if entries.is_empty() {
        return Err(unknown_thread(thread));
    }
    let runs = runs(store, thread).await?;
    let mut tree = Tree::default();
    let rows: Vec<(Row, &HistoryEntry)> =
        entries.iter().map(|entry| (tree.place(entry.id, entry.parent), entry)).collect();
    if args.json {
        term::json(&rows.iter().map(|row| entry_json(row, &entries)).collect::<Vec<_>>());
        return Ok(());
    }
    let width = rows.iter().map(|(row, _)| row.dots.chars().count()).max().unwrap_or(1);
    let shown: HashMap<CheckpointId, i64> =
        entries.iter().map(|entry| (entry.id, entry.step)).collect();
    let mut run = "";
    for (i, (row, entry)) in rows.iter().enumerate() {
        if run != entry.execution {
            run = &entry.execution;
            print_run(run, &runs, i == 0);
        }
        if let Some(joint) = &row.joint {
            term::out(&style(joint).dim().to_string());
        }
        // A branch of the history: the entry below is not the parent.
        let below = entries.get(i + 1).map(|below| below.id);
        let branch = match entry.parent {
            Some(parent) if Some(parent) != below => match shown.get(&parent) {
                Some(step) => format!("  ↳ from step {step} ({})", short(parent)),
                None => format!("  ↳ from {}", short(parent)),
            },
            None if below.is_some() => "  ↳ from nothing".to_string(),
            _ => String::new(),
        };
        term::out(&format!(
            "{:<width$}  {}  {}  step {:>3}  {:<6}  {}{}",
            row.dots,
            style(entry.time.to_rfc3339()).dim(),
            style(short(entry.id)).cyan(),
            entry.step,
            entry.source,
            next_words(entry),
            style(branch).yellow()
        ));
    }
    let of = if args.namespace.is_some() { " of the subgraph" } else { "" };
    let (word, flag) = (term::shell_word(thread), settings.data_flag());
    let program = term::program();
    waiting(store, thread, &format!("{program} run --thread {word}{flag}")).await?;
    term::note(&format!(
        "\n{program} history {word}{flag} --at ID shows a state{of}, --diff ID ID what lies between two, --fork ID runs on from there"
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

/// The runs of a thread, by id.
async fn runs(store: &Store, thread: &str) -> Result<HashMap<String, Execution>, CliError> {
    let query =
        ExecutionQuery { thread: Some(thread.into()), limit: 10_000, ..ExecutionQuery::default() };
    let runs = store.executions(query).await?;
    Ok(runs.into_iter().map(|run| (run.id.to_string(), run)).collect())
}

/// The line where another run begins, looking back.
fn print_run(id: &str, runs: &HashMap<String, Execution>, first: bool) {
    let Some(run) = runs.get(id) else { return };
    let asked = Order::decode(&run.input).unwrap_or_default().input;
    let word = if asked.as_str() == Some("update") { "edit" } else { "run" };
    let gap = if first { "" } else { "\n" };
    let mut text = format!("{word} {id} · {}", minute(run.started));
    if word == "run" {
        text.push_str(&format!(" · {}", run.status.as_str()));
    }
    if let Some(cost) = term::cost(run.totals.cost_micros) {
        text.push_str(&format!(" · {cost}"));
    }
    term::out(&format!("{gap}{}", style(text).dim()));
}

fn next_words(entry: &HistoryEntry) -> String {
    match entry.next.as_slice() {
        [] => style("the end").dim().to_string(),
        [start] if start == START => style("the beginning").dim().to_string(),
        nodes => format!("next {}", nodes.join(", ")),
    }
}

fn entry_json((row, entry): &(Row, &HistoryEntry), all: &[HistoryEntry]) -> serde_json::Value {
    let children = all.iter().filter(|other| other.parent == Some(entry.id)).count();
    serde_json::json!({
        "checkpoint": entry.id.to_string(),
        "parent": entry.parent.map(|id| id.to_string()),
        "step": entry.step,
        "source": entry.source,
        "time": entry.time.to_rfc3339(),
        "next": entry.next,
        "execution": entry.execution,
        "branch": row.column,
        "children": children,
    })
}

/// The namespace that is meant: the last one made, where a subgraph ran several times.
async fn namespace(store: &Store, thread: &str, args: &HistoryArgs) -> Result<Arc<str>, CliError> {
    let Some(wanted) = &args.namespace else { return Ok("".into()) };
    let all = store.namespaces(thread.into()).await?;
    let is_meant = |own: &&Arc<str>| ***own == *wanted || stable_namespace(own) == *wanted;
    let found = all.iter().rev().find(is_meant).cloned();
    found.ok_or_else(|| {
        let mut known: Vec<String> = all.iter().map(|own| stable_namespace(own)).collect();
        known.retain(|own| !own.is_empty());
        known.dedup();
        let error = CliError::usage(format!("the thread `{thread}` has no subgraph `{wanted}`"));
        match known.is_empty() {
            true => error,
            false => error.with_help(format!("it has: {}", known.join(", "))),
        }
    })
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

async fn state_at(
    store: &Store,
    thread: &str,
    args: &HistoryArgs,
    at: &str,
) -> Result<(), CliError> {
    let place = thread::locate(store, thread, args.namespace.as_deref(), at).await?;
    let (saved, _) = thread::load(store, thread, &place.namespace, Some(place.id))
        .await?
        .ok_or_else(|| unknown_thread(thread))?;
    term::json(&serde_json::Value::from(&thread::values(&saved.state).plain()));
    Ok(())
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

/// The arguments of `run` that a fork means.
fn run_args(args: &HistoryArgs, fork: &str) -> Result<RunArgs, CliError> {
    let thread = args.thread.clone().ok_or_else(|| CliError::usage("--fork needs a thread"))?;
    let travel = TravelArgs {
        fork: Some(fork.into()),
        update: args.update.clone(),
        as_node: args.as_node.clone(),
        to_thread: args.to_thread.clone(),
        namespace: args.namespace.clone(),
        ..TravelArgs::default()
    };
    let model = args.model.clone();
    Ok(RunArgs { thread: Some(thread), json: args.json, model, travel, ..RunArgs::default() })
}
