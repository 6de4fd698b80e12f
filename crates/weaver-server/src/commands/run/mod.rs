//! `agentweaver run`: run a workflow file, or go on with a thread.

mod ask;
mod fit;
mod fork;
mod input;
mod only_changed;
mod output;
mod pin;
mod replay;

pub use ask::{Question, print_waiting};
pub use input::{answer_argument, checked_update, json_argument, unknown_thread};

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex};

use console::Term;
use tokio_util::sync::CancellationToken;
use weaver_agent::Machine;
use weaver_agent::plan::targets;
use weaver_core::{Event, Failure, FailureKind, Timestamp, Value};
use weaver_engine::{Emit, Input, Interrupt, Outcome, Resume};
use weaver_runtime::reuse::Reuse;
use weaver_runtime::{Durability, Handler, Report, RunRequest, drive, now, thread};
use weaver_store::{ExecutionQuery, Store};

use crate::cli::{DurabilityArg, RunArgs};
use crate::commands::stop::StopSignal;
use crate::error::{CliError, exit};
use crate::house::{House, open_store, snapshot_key, unseal};
use crate::python::ThisMachine;
use crate::render::{source, term};
use crate::settings::Settings;
use crate::workflow::Workflow;
use ask::Asked;
use output::Screen;

/// Runs, asks the person at the terminal where the graph waits, and reports.
pub async fn run(args: &RunArgs, mut settings: Settings) -> Result<(), CliError> {
    if let Some(wanted) = &args.travel.replay {
        return replay::run(args, &settings, wanted).await;
    }
    let store = open_store(&settings)?;
    unseal(&mut settings, &store).await?;
    if let Some(checkpoint) = &args.travel.fork {
        return fork::run(args, &settings, store, checkpoint).await;
    }
    if args.travel.only_changed {
        return only_changed::run(args, &settings, store).await;
    }
    let workflow = find_workflow(args, &store).await?;
    let fresh = args.thread.is_none();
    let thread: Arc<str> =
        args.thread.as_deref().map_or_else(thread::new_thread_id, |thread| thread.into());
    let input = input::first_input(args, &workflow, &store, &thread, fresh).await?;
    let workflow = pin::choose(args, &store, &thread, workflow, &input).await?;
    let key = snapshot_key(&settings.data)?;
    let house = house(args, &settings, &workflow, key)?;
    let mut request = request(args, &workflow, thread, input)?;
    request.surroundings = Some(house.surroundings);
    Session::new(args, &settings, &workflow, &house, store).run(request).await
}

/// The parts of a run. Functions that only this machine's Python can run need the user's
/// word for that: it has no sandbox.
fn house(
    args: &RunArgs,
    settings: &Settings,
    workflow: &Workflow,
    key: [u8; 32],
) -> Result<House, CliError> {
    let mut house = House::new(settings, workflow, args.model.as_deref(), key)?;
    match machine(args, workflow) {
        Some(machine) => house.run_on(machine),
        None => workflow.check_embedded()?,
    }
    Ok(house)
}

/// This machine's Python, where the user lets it run functions.
fn machine(args: &RunArgs, workflow: &Workflow) -> Option<Arc<dyn Machine>> {
    let command = args.python.clone()?;
    let (file, text) = (workflow.file.as_str().into(), workflow.analysis.source.to_string());
    Some(Arc::new(ThisMachine::new(command, file, text)))
}

/// Longer lines are tiring to read.
const READABLE: usize = 100;

/// One invocation of the command, over as many runs as it takes.
pub struct Session<'a> {
    args: &'a RunArgs,
    settings: &'a Settings,
    workflow: &'a Workflow,
    house: &'a House,
    store: Store,
    /// What earlier runs came to, where that is taken.
    reuse: Option<Reuse>,
}

impl<'a> Session<'a> {
    fn new(
        args: &'a RunArgs,
        settings: &'a Settings,
        workflow: &'a Workflow,
        house: &'a House,
        store: Store,
    ) -> Self {
        Session { args, settings, workflow, house, store, reuse: None }
    }

    /// Runs to the end, or to a question that nobody answers.
    async fn run(&self, mut request: RunRequest) -> Result<(), CliError> {
        self.open(&request.thread);
        // Before the first event is shown: whoever reads it may ask to stop at once.
        let mut stop = StopSignal::listen();
        loop {
            let report = self.turn(request.clone(), &mut stop).await?;
            let questions = match &report.outcome {
                Outcome::Interrupted { interrupts, .. } => {
                    self.questions(interrupts, &report.thread).await?
                }
                _ => Vec::new(),
            };
            if questions.is_empty() || !self.may_ask() {
                return self.close(&report, &questions);
            }
            match ask::ask(&questions, &mut stop).await? {
                Asked::Answers(answers) => {
                    request.input = input::resume(Resume::ById(answers));
                    (request.at, request.anew, request.below) = (None, false, Vec::new());
                }
                Asked::Closed => return self.close(&report, &questions),
                Asked::Stopped => return self.stopped(&report.thread),
            }
        }
    }

    fn open(&self, thread: &str) {
        if self.args.json {
            return;
        }
        let name = Path::new(&self.workflow.file).file_name().unwrap_or_default();
        let graph = self.workflow.label().map(|graph| format!(":{graph}")).unwrap_or_default();
        term::note(&format!("{}{graph} · thread {thread}", name.to_string_lossy()));
        if let Some(model) = &self.house.model_note {
            term::note(&format!("model: {model}"));
        }
    }

    /// One run, shown as it happens.
    async fn turn(
        &self,
        mut request: RunRequest,
        stop: &mut StopSignal,
    ) -> Result<Report, CliError> {
        let screen = Arc::new(Mutex::new(Screen::new(self.args)));
        let shown = screen.clone();
        request.listener = Some(Arc::new(move |event: &Event| {
            shown.lock().expect("showing does not panic").event(event);
        }));
        let modes = screen.lock().expect("showing does not panic").modes();
        if let Some(modes) = modes {
            request.options.stream = modes;
            let shown = screen.clone();
            request.chunks = Some(Arc::new(move |emit: &Emit<Value>| {
                shown.lock().expect("showing does not panic").chunk(emit);
            }));
        }
        request.cancel = CancellationToken::new();
        let cancel = request.cancel.clone();
        let host = self.house.host(self.workflow, &self.workflow.plan, &request.thread);
        let handler: Arc<dyn Handler> = match &self.reuse {
            Some(reuse) => reuse.handler(Arc::new(host)),
            None => Arc::new(host),
        };
        let driven = drive(Some(self.store.clone()), handler, request);
        tokio::pin!(driven);
        let report = tokio::select! {
            report = &mut driven => report?,
            () = stop.asked() => {
                screen.lock().expect("showing does not panic").clear();
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

    /// The questions with the times when they were asked: a thread that is gone on
    /// with may have asked days ago.
    async fn questions(
        &self,
        interrupts: &[Interrupt<Value>],
        thread: &str,
    ) -> Result<Vec<Question>, CliError> {
        let rows = self.store.interrupts(thread.into(), true).await?;
        let asked: HashMap<String, Timestamp> =
            rows.into_iter().map(|row| (row.id.to_string(), row.time)).collect();
        let question = |interrupt: &Interrupt<Value>| {
            let asked = asked.get(&interrupt.id.to_string()).copied().unwrap_or_else(now);
            Question { id: interrupt.id, value: interrupt.value.clone(), asked }
        };
        Ok(interrupts.iter().map(question).collect())
    }

    /// Prints the result, or how to go on.
    fn close(&self, report: &Report, questions: &[Question]) -> Result<(), CliError> {
        let command = self.command(&report.thread);
        match &report.outcome {
            Outcome::Done { output } => {
                self.print_result(output);
                if !self.args.json {
                    let log = self.settings.data.join("agentweaver.db");
                    term::note(&format!("log: {}", log.display()));
                    let thread = term::shell_word(&report.thread);
                    let flag = self.settings.data_flag();
                    term::note(&format!("look back: {} history {thread}{flag}", term::program()));
                }
                Ok(())
            }
            Outcome::Interrupted { values, .. } => {
                self.print_result(values);
                if !self.args.json {
                    ask::print_waiting(questions, &command);
                }
                Err(CliError::shown(exit::WAITING))
            }
            Outcome::Failed(failure) => {
                self.print_failure(failure);
                if !self.args.json && report.checkpoint.is_some() {
                    term::note(&format!("what finished is saved; go on with:\n  {command}"));
                }
                Err(CliError::shown(code_of(failure)))
            }
            Outcome::Drained | Outcome::Cancelled => self.stopped(&report.thread),
        }
    }

    fn stopped(&self, thread: &str) -> Result<(), CliError> {
        if !self.args.json {
            term::note(&format!("stopped; go on with:\n  {}", self.command(thread)));
        }
        Err(CliError::shown(exit::INTERRUPTED))
    }

    /// The command that goes on with the thread as this one ran it.
    fn command(&self, thread: &str) -> String {
        let file = term::shell_word(&self.workflow.file);
        let mut command = format!("{} run {file}", term::program());
        if let Some(graph) = &self.workflow.chosen {
            command.push_str(&format!(":{graph}"));
        }
        command.push_str(&self.settings.data_flag());
        let given = [("--model", &self.args.model), ("--context", &self.args.context)];
        for (flag, value) in given {
            if let Some(value) = value {
                command.push_str(&format!(" {flag} {}", term::shell_word(value)));
            }
        }
        format!("{command} --thread {}", term::shell_word(thread))
    }

    /// The state, unless a stream that was asked for has said it already.
    fn print_result(&self, values: &Value) {
        if self.args.json || self.args.stream.is_some() {
            return;
        }
        // A lone text is for reading, where somebody reads; a pipe always gets JSON.
        if let (true, Some(text)) = (std::io::stdout().is_terminal(), lone_text(values)) {
            let width = usize::from(Term::stdout().size().1).min(READABLE);
            term::out(&format!("\n{}\n", term::wrapped(&term::harmless(text), width)));
            return;
        }
        let json = serde_json::Value::from(&values.plain());
        let text = serde_json::to_string_pretty(&json).expect("a value has a JSON form");
        term::out(&text);
    }

    fn print_failure(&self, failure: &Failure) {
        if self.args.json {
            return;
        }
        let spec = &self.workflow.analysis.spec;
        let of_node = failure.node.as_deref().and_then(|node| source::place_of(spec, node));
        let place = of_node.or_else(|| {
            let fields = &self.workflow.graph().state.fields;
            let field = fields.iter().find(|field| failure.key.as_ref() == Some(&field.name));
            field.map(|field| field.span)
        });
        let text =
            source::failure(&self.workflow.file, &self.workflow.analysis.source, failure, place);
        term::say(&format!("\n{text}\n"));
    }
}

/// Refuses to stop at a node that the graph has not: the run would go through.
fn check_nodes(when: &str, names: &[String], workflow: &Workflow) -> Result<(), CliError> {
    let known: Vec<&str> = workflow.graph().nodes.iter().map(|node| &*node.name).collect();
    let unknown = names.iter().find(|name| *name != "*" && !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| {
        Err(CliError::usage(format!("--interrupt-{when}: the graph has no node `{name}`"))
            .with_help(format!("its nodes are {}", known.join(", "))))
    })
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

/// The file that is named, or the source that the thread's last run was pinned to.
pub async fn find_workflow(args: &RunArgs, store: &Store) -> Result<Workflow, CliError> {
    if let Some(file) = &args.file {
        return Workflow::read(file, args.graph.as_deref());
    }
    let thread = args.thread.as_deref().unwrap_or_default();
    let query =
        ExecutionQuery { thread: Some(thread.into()), limit: 100, ..ExecutionQuery::default() };
    let executions = store.executions(query).await?;
    if executions.is_empty() {
        return Err(CliError::usage(format!("there is no thread `{thread}`"))
            .with_help("`agentweaver history` lists the threads; name a file to start a new one"));
    }
    let version = match executions.iter().find_map(|execution| execution.version) {
        Some(hash) => store.version(hash).await?,
        None => None,
    };
    let version = version.ok_or_else(|| {
        CliError::usage(format!("the thread `{thread}` was not made from a file; name one"))
    })?;
    Workflow::compile(&version.file, &version.source, args.graph.as_deref())
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
    let stops = [("before", &args.interrupt_before), ("after", &args.interrupt_after)];
    for (when, names) in stops {
        check_nodes(when, names, workflow)?;
    }
    if !args.interrupt_before.is_empty() {
        request.options.interrupt_before = Some(targets(&args.interrupt_before));
    }
    if !args.interrupt_after.is_empty() {
        request.options.interrupt_after = Some(targets(&args.interrupt_after));
    }
    Ok(request)
}
