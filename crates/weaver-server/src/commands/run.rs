//! `agentweaver run`: run a workflow file, or go on with a thread.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use console::style;
use tokio_util::sync::CancellationToken;
use weaver_agent::plan::targets;
use weaver_core::{Event, EventKind, Failure, FailureKind, Value};
use weaver_engine::{
    CheckpointId, Chunk, Emit, Input, InputCommand, Interrupt, InterruptId, Outcome, Resume,
    StreamModes,
};
use weaver_runtime::{Durability, Report, RunRequest, drive, thread};
use weaver_store::{ExecutionQuery, Store};

use crate::cli::{DurabilityArg, RunArgs, StreamArg};
use crate::error::{CliError, exit};
use crate::house::{House, open_store, snapshot_key};
use crate::render::progress::Progress;
use crate::render::{source, term};
use crate::settings::Settings;
use crate::workflow::Workflow;

/// Runs, asks the person at the terminal where the graph waits, and reports.
pub async fn run(args: &RunArgs, settings: Settings) -> Result<(), CliError> {
    let store = open_store(&settings)?;
    let workflow = find_workflow(args, &store).await?;
    let fresh = args.thread.is_none();
    let thread: Arc<str> =
        args.thread.as_deref().map_or_else(thread::new_thread_id, |thread| thread.into());
    let key = snapshot_key(&settings.data)?;
    let house = House::new(&settings, &workflow, args.model.as_deref(), key)?;
    let input = first_input(args, &workflow, &store, &thread, fresh).await?;
    let mut request = request(args, &workflow, thread, input)?;
    let session = Session { args, settings: &settings, workflow: &workflow, house: &house, store };
    session.open(&request.thread);
    loop {
        let report = session.turn(request.clone()).await?;
        match &report.outcome {
            Outcome::Interrupted { interrupts, .. }
                if session.may_ask() && !interrupts.is_empty() =>
            {
                let answers = ask(interrupts)?;
                request.input = Input::Command(InputCommand {
                    resume: Some(Resume::ById(answers)),
                    ..InputCommand::default()
                });
                request.at = None;
            }
            _ => return session.close(&report),
        }
    }
}

/// One invocation of the command, over as many runs as it takes.
pub struct Session<'a> {
    args: &'a RunArgs,
    settings: &'a Settings,
    workflow: &'a Workflow,
    house: &'a House,
    store: Store,
}

impl Session<'_> {
    fn open(&self, thread: &str) {
        if self.args.json {
            return;
        }
        let name = Path::new(&self.workflow.file).file_name().unwrap_or_default();
        term::note(&format!("{} · thread {thread}", name.to_string_lossy()));
        if let Some(model) = &self.house.model_note {
            term::note(&format!("model: {model}"));
        }
    }

    /// One run, shown as it happens.
    async fn turn(&self, mut request: RunRequest) -> Result<Report, CliError> {
        let screen = Arc::new(Mutex::new(Screen::new(self.args)));
        let shown = screen.clone();
        request.listener = Some(Arc::new(move |event: &Event| {
            shown.lock().expect("showing does not panic").event(event);
        }));
        if let Some(modes) = stream_modes(self.args.stream) {
            request.options.stream = modes;
            request.chunks = Some(Arc::new(print_chunk));
        }
        request.cancel = CancellationToken::new();
        let cancel = request.cancel.clone();
        let host = self.house.host(self.workflow, &self.workflow.plan, &request.thread);
        let driven = drive(Some(self.store.clone()), Arc::new(host), request);
        tokio::pin!(driven);
        let report = tokio::select! {
            report = &mut driven => report?,
            _ = tokio::signal::ctrl_c() => {
                cancel.cancel();
                driven.await?
            }
        };
        screen.lock().expect("showing does not panic").close(&report);
        Ok(report)
    }

    fn may_ask(&self) -> bool {
        !self.args.no_prompt
            && !self.args.json
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }

    /// Prints the result, or how to go on.
    fn close(&self, report: &Report) -> Result<(), CliError> {
        let command = self.command(&report.thread);
        match &report.outcome {
            Outcome::Done { output } => {
                self.print_result(output);
                if !self.args.json {
                    term::note(&format!(
                        "log: {} · agentweaver history {}",
                        self.settings.data.join("agentweaver.db").display(),
                        report.thread
                    ));
                }
                Ok(())
            }
            Outcome::Interrupted { interrupts, values } => {
                self.print_result(values);
                if !self.args.json {
                    print_waiting(interrupts, &command);
                }
                Err(CliError::shown(exit::WAITING))
            }
            Outcome::Failed(failure) => {
                self.print_failure(failure);
                if !self.args.json && report.checkpoint.is_some() {
                    term::note(&format!("what finished is saved; go on with: {command}"));
                }
                Err(CliError::shown(code_of(failure)))
            }
            Outcome::Drained | Outcome::Cancelled => {
                if !self.args.json {
                    term::note(&format!("stopped; go on with: {command}"));
                }
                Err(CliError::shown(exit::INTERRUPTED))
            }
        }
    }

    fn command(&self, thread: &str) -> String {
        format!("agentweaver run {} --thread {thread}", self.workflow.file)
    }

    fn print_result(&self, values: &Value) {
        if self.args.json {
            return;
        }
        // A lone text is for reading, where somebody reads; a pipe always gets JSON.
        if let (true, Some(text)) = (std::io::stdout().is_terminal(), lone_text(values)) {
            anstream::println!("\n{text}\n");
            return;
        }
        let json = serde_json::Value::from(&values.plain());
        let text = serde_json::to_string_pretty(&json).expect("a value has a JSON form");
        anstream::println!("{text}");
    }

    fn print_failure(&self, failure: &Failure) {
        if self.args.json {
            return;
        }
        let text = source::failure(&self.workflow.file, &self.workflow.analysis.source, failure);
        anstream::eprintln!("\n{text}\n");
    }
}

/// The text of an output that is nothing else.
fn lone_text(values: &Value) -> Option<&str> {
    match values.as_map() {
        Some(map) if map.len() == 1 => map.values().next()?.as_str(),
        _ => None,
    }
}

/// The input or the state was wrong: the caller can put it right.
fn code_of(failure: &Failure) -> u8 {
    match (failure.kind, &failure.node) {
        (FailureKind::InvalidInput, None) => exit::USAGE,
        _ => exit::FAILED,
    }
}

/// Shows events of one run.
struct Screen {
    json: bool,
    events: bool,
    progress: Progress,
    done: Option<Event>,
}

impl Screen {
    fn new(args: &RunArgs) -> Self {
        let events = args.stream == Some(StreamArg::Events);
        Screen { json: args.json, events, progress: Progress::new(), done: None }
    }

    fn event(&mut self, event: &Event) {
        if self.json || self.events {
            print_line(&serde_json::to_string(event).expect("an event has a JSON form"));
        }
        if !self.json {
            self.progress.event(event);
        }
        if event.kind == EventKind::Done {
            self.done = Some(event.clone());
        }
    }

    fn close(&mut self, report: &Report) {
        let Some(done) = self.done.take().filter(|_| !self.json) else { return };
        let (mark, words) = match &report.outcome {
            Outcome::Done { .. } => (style("●").green().for_stderr(), "done"),
            Outcome::Interrupted { .. } => (style("◆").yellow().for_stderr(), "waiting"),
            Outcome::Failed(_) => (style("✘").red().for_stderr(), "failed"),
            Outcome::Drained | Outcome::Cancelled => (style("■").yellow().for_stderr(), "stopped"),
        };
        self.progress.close(&mark.to_string(), words, &done, report.steps);
    }
}

/// A line of output; a closed pipe ends the program as it ends others.
fn print_line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(i32::from(exit::INTERRUPTED));
    }
}

fn stream_modes(wanted: Option<StreamArg>) -> Option<StreamModes> {
    match wanted? {
        StreamArg::Values => Some(StreamModes::VALUES),
        StreamArg::Updates => Some(StreamModes::UPDATES),
        StreamArg::Messages => Some(StreamModes::MESSAGES),
        StreamArg::Events => None,
    }
}

/// A chunk as a line: `{"node": update}`, the values, or a message.
fn print_chunk(emit: &Emit<Value>) {
    let value = match &emit.chunk {
        Chunk::Values { values, .. } => values.clone(),
        Chunk::Update { node, updates, .. } => {
            let update = match updates.as_slice() {
                [] => Value::Null,
                [one] => one.clone(),
                many => Value::list(many.iter().cloned()),
            };
            Value::map([(node.clone(), update)])
        }
        Chunk::Message { message, .. } => message.clone(),
        _ => return,
    };
    print_line(&value.plain().to_json());
}

/// The file that is named, or the source that the thread's last run was pinned to.
pub async fn find_workflow(args: &RunArgs, store: &Store) -> Result<Workflow, CliError> {
    if let Some(file) = &args.file {
        return Workflow::read(file, args.graph.as_deref());
    }
    let thread = args.thread.as_deref().unwrap_or_default();
    let query =
        ExecutionQuery { thread: Some(thread.into()), limit: 1, ..ExecutionQuery::default() };
    let last = store.executions(query).await?.into_iter().next().ok_or_else(|| {
        CliError::usage(format!("there is no thread `{thread}`"))
            .with_help("`agentweaver history` lists the threads; name a file to start a new one")
    })?;
    let version = match last.version {
        Some(hash) => store.version(hash).await?,
        None => None,
    };
    let version = version.ok_or_else(|| {
        CliError::usage(format!("the thread `{thread}` was not made from a file; name one"))
    })?;
    Workflow::compile(&version.file, &version.source, args.graph.as_deref())
}

async fn first_input(
    args: &RunArgs,
    workflow: &Workflow,
    store: &Store,
    thread: &str,
    fresh: bool,
) -> Result<Input<Value>, CliError> {
    if let Some(resume) = &args.resume {
        return Ok(Input::Command(InputCommand {
            resume: Some(resume_of(resume)),
            ..InputCommand::default()
        }));
    }
    if let Some(text) = &args.message {
        let message = weaver_core::Message::new(weaver_core::MessageKind::Human, &**text);
        return Ok(Input::Value(Value::map([("messages", Value::list([message.to_value()]))])));
    }
    if let Some(input) = &args.input {
        return Ok(Input::Value(json_argument("--input", input)?));
    }
    if !fresh && thread::load(store, thread, "", None).await?.is_some() {
        return Ok(Input::Continue);
    }
    if let Some(path) = workflow.beside("input.json") {
        return Ok(Input::Value(json_argument("--input", &format!("@{}", path.display()))?));
    }
    Err(CliError::usage("the workflow needs an input")
        .with_help(format!("for example: --input '{}'", workflow.input_example())))
}

/// JSON, or the contents of `@FILE`.
pub fn json_argument(flag: &str, text: &str) -> Result<Value, CliError> {
    let (text, place) = match text.strip_prefix('@') {
        Some(path) => {
            let read = std::fs::read_to_string(path)
                .map_err(|error| CliError::usage(format!("cannot read {path}: {error}")))?;
            (read, path.to_string())
        }
        None => (text.to_string(), flag.to_string()),
    };
    Value::from_json(&text).map_err(|error| {
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let caret = " ".repeat(error.column().saturating_sub(1));
        CliError::usage(format!("{place} is not JSON: {error}\n  {line}\n  {caret}^"))
    })
}

/// An answer: a map by interrupt id, other JSON, or plain text.
fn resume_of(text: &str) -> Resume<Value> {
    resume_with(answer_of(text))
}

/// A map whose keys are all ids of interrupts answers each of them.
pub fn resume_with(value: Value) -> Resume<Value> {
    let ids = value.as_map().filter(|map| !map.is_empty()).and_then(|map| {
        map.iter()
            .map(|(key, answer)| Some((key.parse::<InterruptId>().ok()?, answer.clone())))
            .collect::<Option<Vec<_>>>()
    });
    match ids {
        Some(answers) => Resume::ById(answers),
        None => Resume::Bare(value),
    }
}

/// JSON, else plain text.
fn answer_of(text: &str) -> Value {
    Value::from_json(text).unwrap_or_else(|_| Value::str(text))
}

fn request(
    args: &RunArgs,
    workflow: &Workflow,
    thread: Arc<str>,
    input: Input<Value>,
) -> Result<RunRequest, CliError> {
    let mut request = RunRequest::new(thread, workflow.plan.graph.clone(), input);
    request.version = Some(workflow.version());
    request.durability = match args.durability {
        DurabilityArg::Sync => Durability::Sync,
        DurabilityArg::Async => Durability::Async,
        DurabilityArg::Exit => Durability::Exit,
    };
    if let Some(context) = &args.context {
        let context = workflow.plan.context(json_argument("--context", context)?);
        request.context = context
            .map_err(|failure| CliError::usage(format!("--context does not fit: {failure}")))?;
    }
    if let Some(limit) = args.recursion_limit {
        request.options.recursion_limit = limit;
    }
    request.options.max_concurrency = args.max_concurrency.map(|n| n as usize);
    if !args.interrupt_before.is_empty() {
        request.options.interrupt_before = Some(targets(&args.interrupt_before));
    }
    if !args.interrupt_after.is_empty() {
        request.options.interrupt_after = Some(targets(&args.interrupt_after));
    }
    Ok(request)
}

/// Asks the person at the terminal each question.
fn ask(interrupts: &[Interrupt<Value>]) -> Result<Vec<(InterruptId, Value)>, CliError> {
    let mut answers = Vec::new();
    for question in interrupts {
        anstream::eprintln!("\n{}", question_text(&question.value));
        eprint!("{} ", style("your answer (text or JSON) ›").cyan().bold().for_stderr());
        let mut line = String::new();
        let read = std::io::stdin()
            .read_line(&mut line)
            .map_err(|error| CliError::failed(format!("cannot read your answer: {error}")))?;
        if read == 0 {
            return Err(CliError::shown(exit::WAITING));
        }
        answers.push((question.id, answer_of(line.trim())));
    }
    Ok(answers)
}

/// A question as a person reads it: its message, then the rest.
fn question_text(value: &Value) -> String {
    let plain = value.plain();
    match &plain {
        Value::Str(text) => style(&**text).bold().to_string(),
        Value::Map(map) => {
            let lines = map.iter().map(|(key, value)| match value {
                Value::Str(text) => format!("{} {text}", style(format!("{key}:")).dim()),
                other => format!("{} {}", style(format!("{key}:")).dim(), other.to_json()),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        other => other.to_json(),
    }
}

fn print_waiting(interrupts: &[Interrupt<Value>], command: &str) {
    for question in interrupts {
        anstream::eprintln!(
            "\n{}\n{}",
            style(format!("question {}", question.id)).dim(),
            question_text(&question.value)
        );
    }
    match interrupts {
        [] => term::note(&format!("\nstopped at a breakpoint; go on with: {command}")),
        [_] => term::note(&format!("\nanswer with: {command} --resume 'JSON or text'")),
        [first, ..] => term::note(&format!(
            "\nanswer one or more with: {command} --resume '{{\"{}\": …}}'",
            first.id
        )),
    }
}

/// Runs on from a chosen checkpoint, for `agentweaver history --fork`.
pub async fn run_from(
    args: &RunArgs,
    settings: Settings,
    store: Store,
    at: CheckpointId,
) -> Result<(), CliError> {
    let workflow = find_workflow(args, &store).await?;
    let key = snapshot_key(&settings.data)?;
    let house = House::new(&settings, &workflow, args.model.as_deref(), key)?;
    let thread: Arc<str> = args.thread.clone().unwrap_or_default().into();
    let mut request = request(args, &workflow, thread, Input::Continue)?;
    request.at = Some(at);
    let session = Session { args, settings: &settings, workflow: &workflow, house: &house, store };
    session.open(&request.thread);
    let report = session.turn(request).await?;
    session.close(&report)
}
