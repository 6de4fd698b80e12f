//! `agentweaver __bench`: times runs of a graph file inside one process.

use std::sync::Arc;
use std::time::Instant;

use weaver_core::Value;
use weaver_engine::{Input, Outcome};
use weaver_runtime::{Durability, Recent, RunRequest, drive, thread};
use weaver_store::{OpenOptions, Store};

use crate::cli::BenchArgs;
use crate::commands::run::json_argument;
use crate::error::CliError;
use crate::house::{House, random_key};
use crate::settings::Settings;
use crate::workflow::Workflow;

/// Prints `{"supersteps", "seconds", "bytes"}`: totals of all runs, without the
/// start of the process and the reading of the file; bytes on disk afterwards.
pub async fn run(args: &BenchArgs) -> Result<(), CliError> {
    let workflow = Workflow::read(&args.file, None)?;
    let input = match &args.input {
        Some(input) => json_argument("--input", input)?,
        None => Value::map::<&str>([]),
    };
    let durability = match args.durability.as_str() {
        "none" | "async" => Durability::Async,
        "sync" => Durability::Sync,
        "exit" => Durability::Exit,
        other => return Err(CliError::usage(format!("`{other}` is no durability"))),
    };
    let data = std::env::temp_dir().join(format!("agentweaver-bench-{}", std::process::id()));
    let store = match args.durability.as_str() {
        "none" => None,
        _ => Some(Store::open_sqlite(&data, OpenOptions::default())?),
    };
    let house = House::new(&Settings::default(), &workflow, Some("scripted"), random_key())?;
    let mut total = Total::default();
    let one_thread = thread::new_thread_id();
    let mut conversation = None;
    let recent: Arc<Recent> = Arc::default();
    for round in 0..=args.repeat {
        let thread = if args.one_thread { one_thread.clone() } else { thread::new_thread_id() };
        let given = match &conversation {
            Some(state) => appended(state, &input),
            None => input.clone(),
        };
        let graph = workflow.plan.graph.clone();
        let mut request = RunRequest::new(thread.clone(), graph, Input::Value(given));
        request.durability = durability;
        request.recent = store.is_some().then(|| recent.clone());
        let host = Arc::new(house.host(&workflow, &workflow.plan, &thread));
        // The first round starts the interpreter and is not counted; a
        // conversation has no round to spare.
        if round == 0 {
            if !args.one_thread {
                drive(None, host, request).await?;
            }
            continue;
        }
        let output = total.run(store.clone(), host, request).await?;
        // Without a store the caller carries the conversation along.
        conversation = (args.one_thread && store.is_none()).then_some(output);
    }
    drop(store);
    let bytes = directory_bytes(&data);
    let _ = std::fs::remove_dir_all(&data);
    let measured = serde_json::json!({
        "supersteps": total.steps,
        "seconds": total.seconds,
        "bytes": bytes,
    });
    crate::render::term::out(&measured.to_string());
    Ok(())
}

#[derive(Default)]
struct Total {
    steps: u64,
    seconds: f64,
}

impl Total {
    async fn run(
        &mut self,
        store: Option<Store>,
        host: Arc<weaver_agent::Host>,
        request: RunRequest,
    ) -> Result<Value, CliError> {
        let began = Instant::now();
        let report = drive(store, host, request).await?;
        self.seconds += began.elapsed().as_secs_f64();
        self.steps += report.steps;
        match report.outcome {
            Outcome::Done { output } => Ok(output),
            Outcome::Failed(failure) => Err(CliError::failed(failure.to_string())),
            other => Err(CliError::failed(format!("the run did not end: {other:?}"))),
        }
    }
}

/// The input behind what the lists of a state have already.
fn appended(state: &Value, input: &Value) -> Value {
    let entries = input.as_map().into_iter().flatten().map(|(key, value)| {
        let before = state.get(key).and_then(Value::as_list);
        let value = match (before, value.as_list()) {
            (Some(before), Some(new)) => Value::list(before.iter().chain(new).cloned()),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::map(entries)
}

fn directory_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
