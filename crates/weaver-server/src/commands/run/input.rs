//! What a run starts with: an input, an answer, or nothing to go on.

use std::path::Path;
use std::time::Duration;

use weaver_agent::timeout_answer;
use weaver_core::{Message, MessageKind, Timestamp, Value};
use weaver_engine::{Input, InputCommand, InterruptId, Resume, Snapshot};
use weaver_runtime::{now, thread};
use weaver_store::Store;

use crate::cli::RunArgs;
use crate::error::CliError;
use crate::render::term;
use crate::workflow::Workflow;

/// Fewer digits than this of a question's id are too easily mistyped.
const ID_PREFIX_MIN: usize = 4;

/// The input that the arguments mean. What does not fit is refused before
/// anything is written to the log.
pub async fn first_input(
    args: &RunArgs,
    workflow: &Workflow,
    store: &Store,
    thread: &str,
    fresh: bool,
) -> Result<Input<Value>, CliError> {
    let saved = match fresh {
        true => None,
        false => thread::load(store, thread, "", None).await?,
    };
    let snapshot = saved.map(|(saved, _)| Snapshot::of(&workflow.plan.graph, &saved));
    if let Some(text) = &args.resume {
        let questions = open_questions(snapshot.as_ref(), thread)?;
        return resume_of(text, &questions).map(resume);
    }
    if let Some(text) = &args.message {
        return message(workflow, text).map(Input::Value);
    }
    if let Some(input) = &args.input {
        let input = json_argument("--input", input)?;
        check(workflow, &input, args.json)?;
        return Ok(Input::Value(input));
    }
    if let Some(snapshot) = snapshot {
        let late = timed_out(store, thread, &snapshot, now()).await?;
        return Ok(if late.is_empty() { Input::Continue } else { resume(Resume::ById(late)) });
    }
    if let Some(path) = workflow.beside("input.json") {
        let input = json_argument("--input", &format!("@{}", path.display()))?;
        check(workflow, &input, args.json)?;
        return Ok(Input::Value(input));
    }
    Err(CliError::usage(format!("{} needs an input", file_name(&workflow.file)))
        .with_help(format!("for example: {}", workflow.input_example())))
}

/// The input that brings answers.
pub fn resume(resume: Resume<Value>) -> Input<Value> {
    Input::Command(InputCommand { resume: Some(resume), ..InputCommand::default() })
}

/// JSON, else plain text.
pub fn answer_of(text: &str) -> Value {
    Value::from_json(text).unwrap_or_else(|_| Value::str(text))
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
        let caret = " ".repeat(error.column().saturating_sub(1).min(line.chars().count()));
        CliError::usage(format!("{place} is not JSON: {error}\n  {line}\n  {caret}^"))
    })
}

/// The time limit of a question, if it has one: its `deadline_seconds`, from the
/// moment it was asked.
pub fn deadline_of(question: &Value, asked: Timestamp) -> Option<Timestamp> {
    let seconds = question.get("deadline_seconds")?.as_f64()?;
    Some(asked.after(Duration::try_from_secs_f64(seconds).ok()?))
}

/// Answers in nobody's name for the questions whose time has run out.
async fn timed_out(
    store: &Store,
    thread: &str,
    snapshot: &Snapshot<Value>,
    now: Timestamp,
) -> Result<Vec<(InterruptId, Value)>, CliError> {
    let asked = store.interrupts(thread.into(), true).await?;
    let is_late = |question: &&weaver_engine::Interrupt<Value>| {
        let row = asked.iter().rev().find(|row| *row.id == *question.id.to_string());
        row.and_then(|row| deadline_of(&question.value, row.time)).is_some_and(|at| at <= now)
    };
    let late = snapshot.interrupts().filter(is_late);
    Ok(late.map(|question| (question.id, timeout_answer())).collect())
}

/// The input that is one chat message of the user.
pub fn message(workflow: &Workflow, text: &str) -> Result<Value, CliError> {
    let keys = workflow.input_keys();
    if !keys.is_empty() && !keys.contains(&"messages") {
        let message = "--message needs a state key `messages`, which this workflow does not have";
        return Err(CliError::usage(message)
            .with_help(format!("give an input instead: {}", workflow.input_example())));
    }
    let message = Message::new(MessageKind::Human, text);
    Ok(Value::map([("messages", Value::list([message.to_value()]))]))
}

/// An input must be an object, and at least one of its keys one of the state's.
pub fn check(workflow: &Workflow, input: &Value, quiet: bool) -> Result<(), CliError> {
    let example = || format!("for example: {}", workflow.input_example());
    let Some(given) = input.as_map() else {
        let message =
            format!("the input must be a JSON object of state keys, not {}", json_type(input));
        return Err(CliError::usage(message).with_help(example()));
    };
    let keys = workflow.input_keys();
    if keys.is_empty() || input.tag().is_some() {
        return Ok(());
    }
    let unknown: Vec<String> =
        given.keys().filter(|key| !keys.contains(&&***key)).map(|key| format!("`{key}`")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let message = match unknown.len() {
        1 => format!("the state has no key {}", unknown[0]),
        _ => format!("the state has no keys {}", unknown.join(", ")),
    };
    if unknown.len() < given.len() {
        if !quiet {
            term::warning(&format!("{message}: that part of the input is left out"));
        }
        return Ok(());
    }
    Err(CliError::usage(message).with_help(format!("it has: {}; {}", keys.join(", "), example())))
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
    }
}

/// The questions that a thread waits on, at least one.
fn open_questions(
    snapshot: Option<&Snapshot<Value>>,
    thread: &str,
) -> Result<Vec<InterruptId>, CliError> {
    let Some(snapshot) = snapshot else { return Err(unknown_thread(thread)) };
    let open = snapshot.tasks.iter().filter(|task| task.result.is_none());
    let questions: Vec<InterruptId> =
        open.flat_map(|task| &task.interrupts).map(|question| question.id).collect();
    if !questions.is_empty() {
        return Ok(questions);
    }
    let error = CliError::usage(format!("the thread `{thread}` waits for no answer"));
    Err(error.with_help(match snapshot.next.is_empty() {
        true => "it has ended; `run` without --resume prints its state, --input starts anew on it",
        false => "`run` without --resume goes on with it",
    }))
}

/// An answer: a map by question (an id or the beginning of one), other JSON, or
/// plain text.
fn resume_of(text: &str, questions: &[InterruptId]) -> Result<Resume<Value>, CliError> {
    let value = answer_of(text);
    let is_id =
        |key: &str| key.len() >= ID_PREFIX_MIN && key.bytes().all(|b| b.is_ascii_hexdigit());
    let by_id = value.as_map().filter(|map| !map.is_empty() && map.keys().all(|key| is_id(key)));
    let Some(by_id) = by_id else {
        return match questions {
            [_] => Ok(Resume::Bare(value)),
            [first, ..] => Err(CliError::usage(format!(
                "the thread waits for {} answers: say which one this is",
                questions.len()
            ))
            .with_help(format!(
                "--resume '{{\"{}\": {}}}'",
                short(*first),
                value.to_json()
            ))),
            [] => unreachable!("a thread that waits for nothing is refused before"),
        };
    };
    let mut answers = Vec::new();
    for (key, answer) in by_id {
        let meant: Vec<InterruptId> =
            questions.iter().copied().filter(|id| id.to_string().starts_with(&**key)).collect();
        match meant.as_slice() {
            [id] => answers.push((*id, answer.clone())),
            // A single question may well be answered with an object whose keys look like ids.
            [] if questions.len() == 1 && key.len() < 32 => return Ok(Resume::Bare(value.clone())),
            [] => {
                let open: Vec<String> = questions.iter().map(|id| short(*id)).collect();
                return Err(CliError::usage(format!("no open question has the id `{key}`"))
                    .with_help(format!("open: {}", open.join(", "))));
            }
            many => {
                let message = format!("`{key}` may be {} questions; write more of it", many.len());
                return Err(CliError::usage(message));
            }
        }
    }
    Ok(Resume::ById(answers))
}

/// The beginning of an id, as people are shown it.
pub fn short(id: InterruptId) -> String {
    id.to_string()[..8].to_string()
}

/// No such thread.
pub fn unknown_thread(thread: &str) -> CliError {
    CliError::usage(format!("there is no thread `{thread}`"))
        .with_help("`agentweaver history` lists the threads")
}

fn file_name(file: &str) -> std::borrow::Cow<'_, str> {
    Path::new(file).file_name().unwrap_or_default().to_string_lossy()
}
