//! [`Screen`]: what a run prints while it runs.

use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal;

use console::style;
use weaver_core::{Event, EventKind, Value};
use weaver_engine::{Chunk, Emit, Outcome, StreamModes};
use weaver_runtime::Report;

use crate::cli::{RunArgs, StreamArg};
use crate::render::progress::Progress;
use crate::render::term;

/// Shows the events and chunks of one run.
pub struct Screen {
    json: bool,
    stream: Option<StreamArg>,
    progress: Progress,
    tokens: Tokens,
    /// Supersteps that ended; that which takes the input is none of the user's.
    steps: u64,
    done: Option<Event>,
}

impl Screen {
    /// A screen for the arguments' choice of output.
    pub fn new(args: &RunArgs) -> Self {
        // Moving lines and a stream cannot share a terminal.
        let shares = args.stream.is_some() && std::io::stdout().is_terminal();
        let progress = if shares { Progress::plain() } else { Progress::new() };
        Screen {
            json: args.json,
            stream: args.stream,
            progress,
            tokens: Tokens::default(),
            steps: 0,
            done: None,
        }
    }

    /// The engine's stream modes that the choice needs.
    pub fn modes(&self) -> Option<StreamModes> {
        match self.stream? {
            _ if self.json => None,
            StreamArg::Values => Some(StreamModes::VALUES),
            StreamArg::Updates => Some(StreamModes::UPDATES),
            StreamArg::Messages => Some(StreamModes::MESSAGES),
            StreamArg::Events => None,
        }
    }

    /// Shows one event.
    pub fn event(&mut self, event: &Event) {
        if is_superstep(event) {
            self.steps += 1;
        }
        let wanted = match self.stream {
            _ if !self.json => self.stream == Some(StreamArg::Events),
            Some(stream) => is_of(stream, event.kind),
            None => true,
        };
        if wanted {
            term::out(&serde_json::to_string(event).expect("an event has a JSON form"));
        }
        if !self.json {
            if self.stream == Some(StreamArg::Messages) {
                self.tokens.event(event);
            }
            self.progress.event(event);
        }
        if event.kind == EventKind::Done {
            self.done = Some(event.clone());
        }
    }

    /// Shows one chunk: `{"node": update}`, the values, or a message's text.
    pub fn chunk(&mut self, emit: &Emit<Value>) {
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
            Chunk::Message { message, .. } => return self.tokens.message(message),
            _ => return,
        };
        term::out(&value.plain().to_json());
    }

    /// Takes the moving lines away.
    pub fn clear(&mut self) {
        self.progress.clear();
    }

    /// Prints the closing line.
    pub fn close(&mut self, report: &Report) {
        let Some(done) = self.done.take().filter(|_| !self.json) else { return };
        self.tokens.end();
        let (mark, words) = match &report.outcome {
            Outcome::Done { .. } => (style("●").green().for_stderr(), "done"),
            Outcome::Interrupted { .. } => (style("◆").yellow().for_stderr(), "waiting"),
            Outcome::Failed(_) => (style("✘").red().for_stderr(), "failed"),
            Outcome::Drained | Outcome::Cancelled => (style("■").yellow().for_stderr(), "stopped"),
        };
        self.progress.close(&mark.to_string(), words, &done, self.steps);
    }
}

/// A checkpoint of the root graph behind nodes that ran.
fn is_superstep(event: &Event) -> bool {
    event.kind == EventKind::CheckpointSave
        && event.namespace.is_empty()
        && event.step.is_some_and(|step| step > 0)
        && event.data.get("source").and_then(Value::as_str) == Some("loop")
}

/// Which events `--json --stream` keeps. Beginning, questions, failures and the
/// end are part of each.
fn is_of(stream: StreamArg, kind: EventKind) -> bool {
    use EventKind::*;
    let always = matches!(kind, Start | Interrupt | Notice | Error | Done);
    always
        || match stream {
            StreamArg::Values => kind == StateUpdate,
            StreamArg::Updates => matches!(kind, NodeExit | NodeRetry | Custom),
            StreamArg::Messages => {
                matches!(kind, LlmStreamChunk | LlmResponse | ToolCall | ToolResult)
            }
            StreamArg::Events => true,
        }
}

/// The text of models as it comes. One answer is written at a time; others that
/// come meanwhile are kept until it is whole.
#[derive(Default)]
struct Tokens {
    /// Whose answer is being written, by task.
    speaker: Option<String>,
    waiting: BTreeMap<String, String>,
    in_line: bool,
    /// Texts that were shown token by token: as messages of a node they come again.
    shown: HashSet<String>,
}

impl Tokens {
    fn event(&mut self, event: &Event) {
        let task = event.task.clone().unwrap_or_default();
        match event.kind {
            EventKind::LlmStreamChunk => {
                let Some(text) = event.data.get("text").and_then(Value::as_str) else { return };
                if self.speaker.is_none() {
                    self.speaker = Some(task.clone());
                }
                match self.speaker.as_ref() == Some(&task) {
                    true => self.write(text),
                    false => self.waiting.entry(task).or_default().push_str(text),
                }
            }
            EventKind::LlmResponse => {
                let message = event.data.get("message");
                if let Some(text) = message.map(text_of).filter(|text| !text.is_empty()) {
                    self.shown.insert(text);
                }
                match self.speaker.as_ref() == Some(&task) {
                    true => self.next_speaker(),
                    // Whole, but somebody else speaks: its turn comes after.
                    false => self.waiting.entry(task).or_default().push('\n'),
                }
            }
            _ => {}
        }
    }

    /// Ends an answer and gives the word to another: whole ones are written at once,
    /// the first that is not goes on as it comes.
    fn next_speaker(&mut self) {
        self.end_line();
        self.speaker = None;
        while let (None, Some((task, text))) = (&self.speaker, self.waiting.pop_first()) {
            self.write(&text);
            if !text.ends_with('\n') {
                self.speaker = Some(task);
            }
        }
    }

    /// A message that a node wrote.
    fn message(&mut self, message: &Value) {
        let text = text_of(message);
        if !text.is_empty() && !self.shown.contains(&text) {
            self.end_line();
            term::out(&text);
        }
    }

    fn end(&mut self) {
        for text in std::mem::take(&mut self.waiting).into_values() {
            self.write(&text);
        }
        self.end_line();
    }

    fn end_line(&mut self) {
        if self.in_line {
            self.write("\n");
        }
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.in_line = !text.ends_with('\n');
        term::print(&match std::io::stdout().is_terminal() {
            true => term::harmless(text),
            false => text.into(),
        });
    }
}

fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::Str(text)) => text.to_string(),
        Some(Value::List(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
        }
        _ => String::new(),
    }
}
