//! Questions of a run to the person at the terminal.

use std::io::Write;
use std::time::Duration;

use console::style;
use tokio::sync::oneshot;
use weaver_agent::timeout_answer;
use weaver_core::{Timestamp, Value};
use weaver_engine::InterruptId;
use weaver_runtime::now;

use super::input::{answer_of, deadline_of, short};
use crate::commands::stop::StopSignal;
use crate::error::{CliError, exit};
use crate::render::term;

/// A question of a run.
pub struct Question {
    /// Its id.
    pub id: InterruptId,
    /// What is asked.
    pub value: Value,
    /// When.
    pub asked: Timestamp,
}

impl Question {
    fn deadline(&self) -> Option<Timestamp> {
        deadline_of(&self.value, self.asked)
    }
}

/// How asking ended.
pub enum Asked {
    /// With an answer to each question.
    Answers(Vec<(InterruptId, Value)>),
    /// The person closed the input: the thread goes on waiting.
    Closed,
    /// The person pressed Ctrl-C.
    Stopped,
}

/// Asks each question; one whose time runs out is answered in nobody's name.
pub async fn ask(questions: &[Question], stop: &mut StopSignal) -> Result<Asked, CliError> {
    let mut answers = Vec::new();
    for question in questions {
        let deadline = question.deadline();
        term::say(&format!("\n{}", text(&question.value, deadline)));
        print_prompt();
        let line = read_line();
        let late = async {
            match deadline {
                Some(at) => tokio::time::sleep(left(at)).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::select! {
            line = line => match line {
                Ok(Some(line)) => answer_of(line.trim()),
                Ok(None) => return Ok(Asked::Closed),
                Err(error) => return Err(CliError {
                    code: exit::FAILED,
                    ..CliError::usage(format!("cannot read your answer: {error}"))
                }),
            },
            () = late => {
                term::say("");
                term::warning("the time for an answer is over");
                timeout_answer()
            }
            () = stop.asked() => {
                term::say("");
                return Ok(Asked::Stopped);
            }
        };
        answers.push((question.id, answer));
    }
    Ok(Asked::Answers(answers))
}

/// A line of standard input, or nothing at its end. The thread that reads is left
/// alone when nobody waits for it any more: a read cannot be called off.
async fn read_line() -> std::io::Result<Option<String>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = loop {
            // An empty line is a slip of the finger and no answer.
            match std::io::stdin().read_line(&mut line) {
                Ok(bytes) if bytes > 0 && line.trim().is_empty() => print_prompt(),
                read => break read,
            }
            line.clear();
        };
        let _ = sender.send(read.map(|bytes| (bytes > 0).then_some(line)));
    });
    receiver.await.unwrap_or(Ok(None))
}

/// A question as a person reads it: what is asked, its other parts, the form, the
/// time that is left.
fn text(value: &Value, deadline: Option<Timestamp>) -> String {
    let plain = value.plain();
    let mut lines = Vec::new();
    match &plain {
        Value::Map(map) => {
            let headline = ["message", "question"].into_iter().find(|key| map.contains_key(*key));
            if let Some(key) = headline {
                lines.push(style(words(&map[key])).bold().for_stderr().to_string());
            }
            for (key, value) in map.iter() {
                match &**key {
                    key if Some(key) == headline => {}
                    "deadline_seconds" => {}
                    "schema" => lines.extend(form(value)),
                    key => {
                        let name = style(format!("{key}:")).dim().for_stderr();
                        lines.push(format!("  {name} {}", words(value)));
                    }
                }
            }
        }
        other => lines.push(style(words(other)).bold().for_stderr().to_string()),
    }
    if let Some(at) = deadline {
        let left = left(at);
        lines.push(match left.is_zero() {
            true => "  the time for an answer is over".to_string(),
            false => format!("  {} left to answer", term::span(left)),
        });
    }
    lines.join("\n")
}

/// Shows what a run waits for and how to answer.
pub fn print_waiting(questions: &[Question], command: &str) {
    for question in questions {
        let text = text(&question.value, question.deadline());
        if questions.len() > 1 {
            let id = style(format!("question {}", short(question.id))).dim().for_stderr();
            term::say(&format!("\n{id}\n{text}"));
        } else {
            term::say(&format!("\n{text}"));
        }
    }
    match questions {
        [] => term::note(&format!("\nstopped at a breakpoint; go on with:\n  {command}")),
        [_] => term::note(&format!("\nanswer with:\n  {command} --resume 'TEXT or JSON'")),
        several => {
            let answers: Vec<String> =
                several.iter().map(|question| format!("\"{}\": …", short(question.id))).collect();
            term::note(&format!(
                "\nanswer one or more with:\n  {command} --resume '{{{}}}'",
                answers.join(", ")
            ));
        }
    }
}

fn print_prompt() {
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{} ", style("answer ›").cyan().bold().for_stderr());
    let _ = err.flush();
}

fn left(at: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(at.0 - now().0).unwrap_or(0))
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), String::from)
}

/// The fields of a form, each with its type.
fn form(schema: &Value) -> Vec<String> {
    let Some(fields) = schema.get("properties").and_then(Value::as_map) else { return Vec::new() };
    let field = |(name, kind): (&std::sync::Arc<str>, &Value)| {
        let kind = match (kind.get("enum").and_then(Value::as_list), kind.get("type")) {
            (Some(values), _) => values.iter().map(words).collect::<Vec<_>>().join(" or "),
            (None, Some(kind)) => match kind.as_str().unwrap_or_default() {
                "string" => "text".into(),
                "boolean" => "true or false".into(),
                "integer" => "whole number".into(),
                other => other.to_string(),
            },
            (None, None) => "any value".into(),
        };
        format!("\"{name}\": {kind}")
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    let label = style("answer with:").dim().for_stderr();
    vec![format!("  {label} {{{}}}", fields.join(", "))]
}
