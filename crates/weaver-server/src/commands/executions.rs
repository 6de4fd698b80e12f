//! `submit`, `ps`, `logs`, `cancel`, `pause`, `resume`, `retry`.

use std::path::Path;
use std::time::Duration;

use anstream::println;
use console::style;
use futures::StreamExt;
use weaver_api::execution::{
    CallOutcome, ConcurrencyKey, Execution, MigrateRequest, ReconcileRequest, ResumeRequest,
    RetryRequest, Status, SubmitRequest, WorkflowSource,
};
use weaver_api::worker::TaskStatus;
use weaver_api::{Time, Usd};
use weaver_runtime::now;

use crate::cli::{
    CancelArgs, ExecutionArgs, LogsArgs, MoveArgs, OrderArgs, PsArgs, ReconcileArgs, ResumeArgs,
    RetryArgs, SubmitArgs, Target,
};
use crate::commands::run::{answer_argument, json_argument};
use crate::desk::Desk;
use crate::error::{CliError, exit};
use crate::render::progress::Progress;
use crate::render::term;
use crate::settings::Settings;
use crate::workflow::{Workflow, read_source, target};

/// `agentweaver submit`
pub async fn submit(args: &SubmitArgs, settings: Settings) -> Result<(), CliError> {
    let mut request = request(&args.order)?;
    request.run_at = args.at.as_deref().map(moment).transpose()?;
    let desk = Desk::open(&args.target, &settings).await?;
    let key = args.idempotency_key.clone();
    let key = key.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let submitted = desk.submit(&request, &key).await?;
    if !args.wait {
        if args.target.json {
            print_json(&submitted);
            return Ok(());
        }
        println!("{}", submitted.execution_id);
        if desk.is_idle() {
            term::note("nobody works on it yet: `agentweaver serve` does");
        }
        return Ok(());
    }
    if desk.is_idle() {
        term::note("waiting; nobody works on it until `agentweaver serve` is started");
    }
    let execution = desk.settled(&submitted.execution_id).await?;
    show_end(&execution, &args.target)
}

/// What is to be submitted, read and compiled.
pub fn request(args: &OrderArgs) -> Result<SubmitRequest, CliError> {
    let workflow = Workflow::read(&args.file, args.graph.as_deref())?;
    let beside = || workflow.beside("input.json").map(|path| format!("@{}", path.display()));
    let Some(input) = args.input.clone().or_else(beside) else {
        let message = format!("{} needs an input", args.file.display());
        return Err(CliError::usage(message)
            .with_help(format!("for example: {}", workflow.input_example())));
    };
    let input = json_argument("--input", &input)?;
    let script = workflow.beside("script.yaml").or_else(|| workflow.beside("script.json"));
    let script = script.map(std::fs::read_to_string).transpose();
    let script = script
        .map_err(|error| CliError::usage(format!("cannot read the workflow's script: {error}")))?;
    Ok(SubmitRequest {
        workflow: WorkflowSource {
            file: workflow.file.clone(),
            source: workflow.analysis.source.to_string(),
            graph: workflow.chosen.clone(),
            script,
        },
        input: serde_json::Value::from(&input),
        thread: args.thread.clone(),
        model: args.model.clone(),
        context: serde_json::Value::Null,
        recursion_limit: None,
        priority: args.priority,
        concurrency: args.key.as_deref().map(concurrency).transpose()?,
        run_at: None,
        budget: args.budget.as_deref().map(budget).transpose()?,
        labels: Default::default(),
        breakpoints: None,
        wait: None,
        stream: false,
    })
}

/// `NAME` or `NAME=LIMIT`.
fn concurrency(text: &str) -> Result<ConcurrencyKey, CliError> {
    let (key, limit) = match text.rsplit_once('=') {
        Some((key, limit)) => {
            let limit = limit.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| {
                CliError::usage(format!("`{limit}` is no limit; write --key {key}=2"))
            })?;
            (key, limit)
        }
        None => (text, 1),
    };
    Ok(ConcurrencyKey { key: key.into(), limit })
}

/// A moment, or a span from now.
fn moment(text: &str) -> Result<Time, CliError> {
    let unit = text.chars().last().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        _ => None,
    });
    if let Some(seconds) = unit
        && let Ok(count) = text[..text.len() - 1].parse::<u32>()
    {
        let span = Duration::from_secs(seconds * u64::from(count));
        return Ok(now().after(span).into());
    }
    text.parse().map_err(|error: String| {
        CliError::usage(error).with_help("or a span from now: --at 90s, --at 2h, --at 3d")
    })
}

fn budget(text: &str) -> Result<Usd, CliError> {
    text.trim_start_matches('$').parse().map_err(|error: String| CliError::usage(error))
}

/// `agentweaver ps`
pub async fn ps(args: &PsArgs, settings: Settings) -> Result<(), CliError> {
    let status = args.status.as_deref().map(status).transpose()?;
    let desk = Desk::open(&args.target, &settings).await?;
    let page = desk.list(status, args.limit).await?;
    if args.target.json {
        print_json(&page);
        return Ok(());
    }
    if page.items.is_empty() {
        term::note("no executions; `agentweaver submit FILE` hands one over");
        return Ok(());
    }
    let name = |execution: &Execution| file_name(&execution.workflow);
    let width = page.items.iter().map(|item| name(item).chars().count()).max().unwrap_or(0);
    for execution in &page.items {
        println!(
            "{}  {}  {:<width$}  {}",
            style(&execution.id).bold(),
            mark(execution.status),
            name(execution),
            style(age(execution)).dim(),
        );
    }
    Ok(())
}

fn status(word: &str) -> Result<Status, CliError> {
    Status::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| {
        let all: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        CliError::usage(format!("`{word}` is no status")).with_help(all.join(", "))
    })
}

/// `agentweaver logs`
pub async fn logs(args: &LogsArgs, settings: Settings) -> Result<(), CliError> {
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    let mut events = desk.events(&execution.id, 0).await?;
    let mut progress = Progress::plain();
    // Without --follow a stream is read as far as the log reaches now.
    let goes_on = args.follow && !execution.status.is_final();
    loop {
        let next = match goes_on {
            true => events.next().await,
            false => tokio::time::timeout(QUIET, events.next()).await.unwrap_or_default(),
        };
        let Some(event) = next else { break };
        let event = event?;
        match args.target.json {
            true => print_json_line(&event),
            false => progress.event(&event),
        }
    }
    Ok(())
}

/// A server that has nothing more to say for so long has said all there is.
const QUIET: Duration = Duration::from_millis(400);

/// `agentweaver cancel`
pub async fn cancel(args: &CancelArgs, settings: Settings) -> Result<(), CliError> {
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    let execution = desk.cancel(&execution.id, args.reason.clone()).await?;
    show(&execution, &args.target);
    Ok(())
}

/// `agentweaver pause`
pub async fn pause(args: &ExecutionArgs, settings: Settings) -> Result<(), CliError> {
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    show(&desk.pause(&execution.id).await?, &args.target);
    Ok(())
}

/// `agentweaver resume`
pub async fn resume(args: &ResumeArgs, settings: Settings) -> Result<(), CliError> {
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    let answer = args.answer.as_deref().map(|text| answer("the answer", text)).transpose()?;
    let request = ResumeRequest { question: args.question.clone(), answer, breakpoints: None };
    show(&desk.resume(&execution.id, &request).await?, &args.target);
    Ok(())
}

/// `agentweaver retry`
pub async fn retry(args: &RetryArgs, settings: Settings) -> Result<(), CliError> {
    let request = RetryRequest { budget: args.budget.as_deref().map(budget).transpose()? };
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    show(&desk.retry(&execution.id, &request).await?, &args.target);
    Ok(())
}

/// `agentweaver move`
pub async fn migrate(args: &MoveArgs, settings: Settings) -> Result<(), CliError> {
    let (path, graph) = target(&args.file, None)?;
    let source = WorkflowSource {
        file: path.display().to_string(),
        source: read_source(&path)?,
        graph,
        script: None,
    };
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    let request = MigrateRequest { workflow: source };
    show(&desk.migrate(&execution.id, &request).await?, &args.target);
    Ok(())
}

/// `agentweaver reconcile`
pub async fn reconcile(args: &ReconcileArgs, settings: Settings) -> Result<(), CliError> {
    let desk = Desk::open(&args.target, &settings).await?;
    let execution = desk.get(&args.execution).await?;
    let outcome = match (&args.happened, args.not_happened) {
        (Some(_), _) => CallOutcome::Happened,
        (None, true) => CallOutcome::NotHappened,
        (None, false) => CallOutcome::Fail,
    };
    let request = ReconcileRequest {
        call: args.call.clone(),
        outcome,
        result: args.happened.as_deref().map(|text| answer("--happened", text)).transpose()?,
        reason: args.fail.clone(),
    };
    show(&desk.reconcile(&execution.id, &request).await?, &args.target);
    Ok(())
}

fn answer(what: &str, text: &str) -> Result<serde_json::Value, CliError> {
    answer_argument(what, text).map(|value| serde_json::Value::from(&value))
}

/// How an execution has come out, with the exit code that says so.
fn show_end(execution: &Execution, target: &Target) -> Result<(), CliError> {
    show(execution, target);
    match execution.status {
        Status::Completed => Ok(()),
        Status::Failed | Status::Cancelled => Err(CliError::shown(exit::FAILED)),
        _ => Err(CliError::shown(exit::WAITING)),
    }
}

fn show(execution: &Execution, target: &Target) {
    if target.json {
        print_json(execution);
        return;
    }
    println!("{}  {}", style(&execution.id).bold(), mark(execution.status));
    if !execution.output.is_null() {
        print_json(&execution.output);
    }
    if let Some(message) = execution.error.get("message").and_then(|message| message.as_str()) {
        println!("  {message}");
    }
    if let Some(budget) = &execution.budget {
        let reserved = match budget.reserved {
            Usd(0) => String::new(),
            reserved => format!(", ${reserved} set aside"),
        };
        println!("  ${} of ${} spent{reserved}", budget.spent, budget.limit);
    }
    for question in &execution.questions {
        println!("  {} {}", style(&question.id[..8.min(question.id.len())]).cyan(), question.value);
    }
    if !execution.questions.is_empty() {
        term::note(&format!("answer: agentweaver resume {} ANSWER", execution.id));
    }
    for child in &execution.waits_for {
        println!("  waits for {child}");
    }
    for task in &execution.worker_tasks {
        let stands = match task.status {
            TaskStatus::Queued => "waits for a worker",
            TaskStatus::Running => "is with a worker",
            TaskStatus::GivenUp => "was given up: no worker has reported it",
        };
        println!("  {} {stands}", style(&task.node).cyan());
    }
    if execution.worker_tasks.iter().any(|task| task.status == TaskStatus::Queued) {
        let file = term::shell_word(&execution.workflow);
        term::note(&format!("attach one: agentweaver worker --python {file}"));
    }
    for call in &execution.open_calls {
        let key = style(&call.key[..8.min(call.key.len())]).cyan();
        println!("  {key} {} call, made or not: {}", call.kind, call.request);
    }
    if !execution.open_calls.is_empty() {
        term::note(&format!(
            "find out, then: agentweaver reconcile {} --happened RESULT | --not-happened | --fail REASON",
            execution.id
        ));
    }
}

fn mark(status: Status) -> console::StyledObject<String> {
    let word = style(format!("{:<15}", status.as_str()));
    match status {
        Status::Completed => word.green(),
        Status::Failed => word.red(),
        Status::Waiting | Status::Paused | Status::NeedsAttention => word.yellow(),
        Status::Running => word.cyan(),
        Status::Queued | Status::Cancelled => word.dim(),
    }
}

fn age(execution: &Execution) -> String {
    let micros = now().0.saturating_sub(execution.created_at.0.0).max(0);
    format!("{} ago", term::span(Duration::from_micros(micros.unsigned_abs())))
}

/// The last part of a path.
pub fn file_name(file: &str) -> String {
    Path::new(file).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Prints something as JSON over several lines.
pub fn print_json(value: &impl serde::Serialize) {
    println!("{}", serde_json::to_string_pretty(value).expect("it has a JSON form"));
}

fn print_json_line(value: &impl serde::Serialize) {
    println!("{}", serde_json::to_string(value).expect("it has a JSON form"));
}
