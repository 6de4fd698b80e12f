//! What a run starts with: an input, an answer, or nothing to go on.

use std::path::Path;
use std::time::Duration;

use weaver_agent::timeout_answer;
use weaver_core::{Map, Message, MessageKind, Timestamp, Value};
use weaver_engine::{Input, InputCommand, InterruptId, Resume, Snapshot};
use weaver_runtime::{now, thread};
use weaver_store::Store;

use super::fit;
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
    if let Some(given) = given(args, workflow, snapshot.is_none())? {
        return Ok(Input::Value(given));
    }
    if let Some(snapshot) = snapshot {
        let late = timed_out(store, thread, &snapshot, now()).await?;
        return Ok(if late.is_empty() { Input::Continue } else { resume(Resume::ById(late)) });
    }
    if let Some(path) = workflow.beside("input.json") {
        let argument = format!("@{}", path.display());
        let given = (place_of("--input", &argument), json_argument("--input", &argument)?);
        return checked(workflow, given, true, args.json).map(Input::Value);
    }
    if workflow.runs_on_nothing() {
        return Ok(Input::Value(Value::map::<&str>([])));
    }
    Err(CliError::usage(format!("{} needs an input", file_name(&workflow.file)))
        .with_help(format!("for example: {}", workflow.input_example())))
}

/// The input that the arguments give, if they give one.
pub fn given(args: &RunArgs, workflow: &Workflow, fresh: bool) -> Result<Option<Value>, CliError> {
    if let Some(text) = &args.message {
        return message(workflow, text).map(Some);
    }
    let Some(input) = &args.input else { return Ok(None) };
    let given = (place_of("--input", input), json_argument("--input", input)?);
    checked(workflow, given, fresh, args.json).map(Some)
}

/// The input that brings answers.
pub fn resume(resume: Resume<Value>) -> Input<Value> {
    Input::Command(InputCommand { resume: Some(resume), ..InputCommand::default() })
}

/// JSON, else plain text.
pub fn answer_of(text: &str) -> Value {
    Value::from_json(text).unwrap_or_else(|_| Value::str(text))
}

/// The same of an argument, but what begins as JSON must be JSON: an answer that has a slip
/// cannot be taken back. `what` names the argument in the error.
pub fn answer_argument(what: &str, text: &str) -> Result<Value, CliError> {
    match text.trim_start().starts_with(['{', '[', '"']) {
        true => json_argument(what, text).map_err(|error| {
            error.with_help("mend it; a plain text that begins so is written '\"[like this]\"'")
        }),
        false => Ok(answer_of(text)),
    }
}

/// JSON, the contents of `@FILE`, or `-` for standard input.
pub fn json_argument(flag: &str, text: &str) -> Result<Value, CliError> {
    let place = place_of(flag, text);
    let unreadable =
        |error: std::io::Error| CliError::usage(format!("cannot read {place}: {error}"));
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(unreadable)?,
        None if text == "-" => std::io::read_to_string(std::io::stdin()).map_err(unreadable)?,
        None => text.to_string(),
    };
    // Some editors write a byte order mark at the top.
    let text = text.trim_start_matches('\u{feff}');
    Value::from_json(text).map_err(|error| {
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let excerpt = excerpt(line, error.column().saturating_sub(1));
        CliError::usage(format!("{place} is not JSON: {error}\n{excerpt}"))
    })
}

/// The part of a line around a byte of it, and a caret below.
fn excerpt(line: &str, at: usize) -> String {
    const BEFORE: usize = 60;
    const AFTER: usize = 20;
    let count = |text: &str| text.chars().count();
    let before = &line[..line.floor_char_boundary(at)];
    let (cut, rest) = (count(before).saturating_sub(BEFORE), &line[before.len()..]);
    let start: String = before.chars().skip(cut).collect();
    let end: String = rest.chars().take(AFTER).collect();
    let dots = |is_cut: bool| if is_cut { "…" } else { "" };
    let (left, right) = (dots(cut > 0), dots(count(rest) > AFTER));
    let caret = " ".repeat(count(left) + count(&start));
    format!("  {left}{start}{end}{right}\n  {caret}^")
}

/// Where an argument's JSON comes from, as it is called in messages.
fn place_of<'a>(flag: &'a str, text: &'a str) -> &'a str {
    match text.strip_prefix('@') {
        Some(path) => path,
        None if text == "-" => "standard input",
        None => flag,
    }
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

fn message(workflow: &Workflow, text: &str) -> Result<Value, CliError> {
    let shape = workflow.input_shape();
    if !shape.fields.is_empty() && !shape.keys().contains(&"messages") {
        let message = "--message needs a state key `messages`, which this workflow does not have";
        return Err(CliError::usage(message)
            .with_help(format!("give an input instead: {}", workflow.input_example())));
    }
    let message = Message::new(MessageKind::Human, text);
    Ok(Value::map([("messages", Value::list([message.to_value()]))]))
}

/// An input must be an object with at least one of the state's keys, and each value
/// of the type that its key has.
fn checked(
    workflow: &Workflow,
    (place, input): (&str, Value),
    fresh: bool,
    quiet: bool,
) -> Result<Value, CliError> {
    let example = || format!("for example: {}", workflow.input_example());
    let given = object(&input, "the input", example)?;
    let shape = workflow.input_shape();
    let keys = shape.keys();
    if keys.is_empty() || input.tag().is_some() {
        return Ok(input);
    }
    let unknown = fit::unknown(&keys, given);
    if !unknown.is_empty() {
        let message = unknown_keys(&unknown);
        if unknown.len() == given.len() {
            let help = format!("it has: {}; {}", keys.join(", "), example());
            return Err(CliError::usage(message).with_help(help));
        }
        if !quiet {
            term::warning(&format!("{message}: that part of the input is left out"));
        }
    }
    let mut wrong = fit::misfits(shape.schema, &shape.fields, &input);
    if fresh {
        wrong.extend(fit::missing(shape.schema, &shape.fields, &input));
    }
    match wrong.is_empty() {
        true => Ok(input),
        false => Err(misfit(place, &wrong).with_help(example())),
    }
}

/// A change of the state, for `--fork --update`: every key must be one of the graph's.
pub fn checked_update(workflow: &Workflow, what: &str, update: Value) -> Result<Value, CliError> {
    let shape = workflow.state_shape();
    let keys = shape.keys();
    let has = || format!("the state has: {}", keys.join(", "));
    let given = object(&update, what, has)?;
    let unknown = fit::unknown(&keys, given);
    if !keys.is_empty() && !unknown.is_empty() {
        return Err(CliError::usage(unknown_keys(&unknown)).with_help(has()));
    }
    match fit::misfits(shape.schema, &shape.fields, &update).as_slice() {
        [] => Ok(update),
        wrong => Err(misfit(what, wrong)),
    }
}

fn object<'a>(
    value: &'a Value,
    what: &str,
    help: impl Fn() -> String,
) -> Result<&'a Map, CliError> {
    value.as_map().ok_or_else(|| {
        let kind = fit::json_type(value);
        let message = format!("{what} must be a JSON object of state keys, not {kind}");
        CliError::usage(message).with_help(help())
    })
}

fn unknown_keys(unknown: &[String]) -> String {
    let plural = if unknown.len() == 1 { "" } else { "s" };
    format!("the state has no key{plural} {}", unknown.join(", "))
}

fn misfit(place: &str, wrong: &[String]) -> CliError {
    CliError::usage(match wrong {
        [one] => format!("{place} does not fit: {one}"),
        many => format!("{place} does not fit:\n  {}", many.join("\n  ")),
    })
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
    let value = answer_argument("--resume", text)?;
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
