//! [`Progress`]: a run as it happens, for people. On a terminal one line at the
//! bottom says which nodes are at work and finished ones stay above it; elsewhere
//! every finished node is a plain line.

use std::collections::BTreeMap;

use console::{Term, style};
use weaver_core::{Event, EventKind, Value};

use super::live::LiveLine;
use super::term;

/// Shows the events of a run on standard error.
pub struct Progress {
    /// One line for all nodes: a thousand at work must not fill the screen, and a
    /// single line is taken away without a trace whatever interrupts it.
    live: Option<LiveLine>,
    running: BTreeMap<String, Running>,
    width: usize,
    tokens: u64,
    cost_micros: u64,
}

struct Running {
    name: String,
    /// The end of what the model is saying.
    text: String,
}

/// Characters of a streaming answer that are kept for the line at the bottom.
const TAIL: usize = 400;

impl Progress {
    /// Live on a terminal, plain lines elsewhere.
    pub fn new() -> Self {
        let term = Term::stderr();
        let live = term.is_term().then(LiveLine::new);
        Progress { live, ..Progress::plain() }
    }

    /// Plain lines.
    pub fn plain() -> Self {
        let term = Term::stderr();
        let width = if term.is_term() { term.size().1 as usize } else { 160 };
        Progress { live: None, running: BTreeMap::new(), width, tokens: 0, cost_micros: 0 }
    }

    /// Shows one event.
    pub fn event(&mut self, event: &Event) {
        if event.node.as_deref().is_some_and(weaver_agent::plan::is_hidden) {
            return;
        }
        match event.kind {
            EventKind::NodeEnter => self.enter(event),
            EventKind::NodeExit => self.exit(event),
            EventKind::NodeRetry => self.retry(event),
            EventKind::LlmStreamChunk => self.stream(event),
            EventKind::LlmResponse => {
                let usage = event.usage.unwrap_or_default();
                self.tokens += usage.input + usage.output;
                self.cost_micros += event.cost_micros.unwrap_or_default();
            }
            EventKind::ToolCall => self.tool(event),
            EventKind::Print => {
                let text = event.data.get("text").and_then(Value::as_str).unwrap_or_default();
                for line in term::harmless(text).lines() {
                    self.line(&format!("{} {line}", style("│").dim().for_stderr()));
                }
            }
            EventKind::Custom => {
                let text =
                    term::one_line(&event.data.plain().to_json(), self.width.saturating_sub(6));
                self.line(&format!("{} {text}", style("»").cyan().for_stderr()));
            }
            EventKind::Notice => {
                let message = event.data.get("message").and_then(Value::as_str).unwrap_or_default();
                self.line(&format!("{} {message}", style("!").yellow().bold().for_stderr()));
            }
            EventKind::Interrupt => self.interrupted(event),
            _ => {}
        }
    }

    /// Takes the moving line away and prints the closing one.
    pub fn close(&mut self, mark: &str, words: &str, event: &Event, steps: u64) {
        self.clear();
        let mut parts = vec![words.to_string()];
        if let Some(duration) = event.duration_us {
            let word = if words == "done" { "in" } else { "after" };
            parts.push(format!("{word} {}", term::duration(duration)));
        }
        parts.push(format!("· {steps} {}", if steps == 1 { "step" } else { "steps" }));
        if self.tokens > 0 {
            parts.push(format!("· {} tokens", term::thousands(self.tokens)));
        }
        if let Some(cost) = term::cost(self.cost_micros) {
            parts.push(format!("· {cost}"));
        }
        self.line(&format!("{mark} {}", parts.join(" ")));
    }

    /// Takes the moving line away for good.
    pub fn clear(&mut self) {
        self.running.clear();
        self.live = None;
    }

    /// Prints a line above the moving one.
    pub fn line(&self, text: &str) {
        match &self.live {
            Some(live) => live.above(text),
            None => term::say(text),
        }
    }

    fn enter(&mut self, event: &Event) {
        let running = Running { name: name_of(event), text: String::new() };
        self.running.insert(key_of(event), running);
        self.show_running(None);
    }

    /// `search ×3 · write`, then the end of what a model is saying.
    fn show_running(&self, speaking: Option<&Running>) {
        let Some(live) = &self.live else { return };
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for running in self.running.values() {
            *counts.entry(&running.name).or_default() += 1;
        }
        let names = counts.iter().map(|(name, count)| match count {
            1 => name.to_string(),
            _ => format!("{name} ×{count}"),
        });
        let names = names.collect::<Vec<_>>().join(" · ");
        let names = term::one_line(&names, self.width.saturating_sub(4));
        let room = self.width.saturating_sub(console::measure_text_width(&names) + 6);
        let said = speaking.map(|running| {
            let chars: Vec<char> = running.text.chars().collect();
            chars[chars.len().saturating_sub(room)..].iter().collect::<String>()
        });
        let said = term::one_line(&said.unwrap_or_default(), room);
        live.set(format!("{names} {}", style(said).dim().for_stderr()));
    }

    fn exit(&mut self, event: &Event) {
        self.running.remove(&key_of(event));
        self.show_running(None);
        let failed = event.data.get("error").is_some();
        let reused = event.data.get("cached").is_some();
        let mark = match (failed, reused) {
            (true, _) => style("✘").red().bold().for_stderr(),
            (false, true) => style("=").dim().for_stderr(),
            (false, false) => style("✔").green().for_stderr(),
        };
        let took = match reused {
            true => "as then".to_string(),
            false => event.duration_us.map(term::duration).unwrap_or_default(),
        };
        let name = name_of(event);
        let head = format!("{mark} {name:<22} {:>8}", style(took).dim().for_stderr());
        let room = self.width.saturating_sub(console::measure_text_width(&head) + 2);
        let what = match event.data.get("error") {
            Some(error) => error_text(error),
            None => event.data.get("update").map(summary).unwrap_or_default(),
        };
        self.line(&format!("{head}  {}", style(term::one_line(&what, room)).dim().for_stderr()));
    }

    fn retry(&mut self, event: &Event) {
        let reason = event.data.get("error").map(error_text).unwrap_or_default();
        let delay = event.data.get("delay_ms").and_then(Value::as_int).unwrap_or(0) as u64;
        let text = format!(
            "{} {} again in {}: {reason}",
            style("↻").yellow().for_stderr(),
            name_of(event),
            term::duration(delay * 1000)
        );
        self.line(&text);
    }

    fn stream(&mut self, event: &Event) {
        let Some(running) = self.running.get_mut(&key_of(event)) else { return };
        let Some(text) = event.data.get("text").and_then(Value::as_str) else { return };
        running.text.push_str(text);
        if running.text.len() > TAIL {
            let cut = running.text.len() - TAIL / 2;
            let cut = (cut..).find(|at| running.text.is_char_boundary(*at)).unwrap_or(0);
            running.text.drain(..cut);
        }
        self.show_running(self.running.get(&key_of(event)));
    }

    fn tool(&self, event: &Event) {
        let tool = event.data.get("tool").and_then(Value::as_str).unwrap_or("tool");
        let args = event.data.get("args").map(|args| args.plain().to_json()).unwrap_or_default();
        let room = self.width.saturating_sub(tool.len() + 8);
        let args = style(term::one_line(&args, room)).dim().for_stderr();
        self.line(&format!("  {} {tool} {args}", style("⚒").cyan().for_stderr()));
    }

    fn interrupted(&mut self, event: &Event) {
        self.running.remove(&key_of(event));
        self.show_running(None);
        let mark = style("◆").yellow().bold().for_stderr();
        self.line(&format!("{mark} {} waits for a person", name_of(event)));
    }
}

fn key_of(event: &Event) -> String {
    event.task.clone().unwrap_or_default()
}

/// `write`, `team › write` in a subgraph.
fn name_of(event: &Event) -> String {
    let path = event.namespace.iter().filter_map(|part| part.split(':').next());
    let names: Vec<&str> = path.chain(event.node.as_deref()).collect();
    names.join(" › ")
}

/// `KeyError: question`.
fn error_text(error: &Value) -> String {
    let part = |key| error.get(key).and_then(Value::as_str);
    let message = part("message").unwrap_or_default();
    match part("exception") {
        None => message.into(),
        Some(class) if message.is_empty() => class.into(),
        Some(class) => format!("{class}: {message}"),
    }
}

/// What a node wrote, in a few words.
fn summary(update: &Value) -> String {
    match &update.plain() {
        Value::Null => String::new(),
        Value::Map(map) => {
            let said = map.iter().filter(|(_, value)| !is_empty(value));
            let parts = said.map(|(key, value)| format!("{key}: {}", brief(value, 2)));
            parts.collect::<Vec<_>>().join("  ")
        }
        other => brief(other, 2),
    }
}

/// Nothing to read: an empty text, or a message that only calls tools (those have
/// lines of their own).
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Str(text) => text.trim().is_empty(),
        Value::List(items) => items.iter().all(is_empty) && !items.is_empty(),
        Value::Map(map) => match (map.get("type"), map.get("content")) {
            (Some(_), Some(content)) => {
                is_empty(content) || content.as_list().is_some_and(|c| c.is_empty())
            }
            _ => false,
        },
        _ => false,
    }
}

/// A value as a person would say it: no quotes and brackets, long lists counted.
fn brief(value: &Value, depth: u32) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        Value::List(items) => match items.as_slice() {
            [] => "nothing".into(),
            [one] => brief(one, depth),
            many if many.iter().all(|item| matches!(item, Value::Str(_))) => {
                let texts: Vec<&str> = many.iter().filter_map(Value::as_str).collect();
                texts.join(" · ")
            }
            many if many.iter().all(|item| item.as_f64().is_some()) => value.to_json(),
            many => match many.last().and_then(|item| item.get("content")) {
                Some(content) => brief(content, depth),
                None => format!("{} items", many.len()),
            },
        },
        Value::Map(map) if map.get("$type").is_some() && map.get("value").is_some() => {
            brief(&map["value"], depth)
        }
        Value::Map(map) => match (value.get("content").or_else(|| value.get("text")), depth) {
            (Some(content), _) if value.get("type").or_else(|| value.get("role")).is_some() => {
                brief(content, depth)
            }
            (_, 0) => format!("{} fields", map.len()),
            _ => {
                let parts =
                    map.iter().map(|(key, value)| format!("{key} {}", brief(value, depth - 1)));
                parts.collect::<Vec<_>>().join(", ")
            }
        },
        Value::Float(n) if !n.is_finite() => n.to_string().to_lowercase(),
        other => other.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_said_without_json() {
        let said = |json: &str| summary(&Value::from_json(json).unwrap());
        assert_eq!(said(r#"{"log":["looked"],"n":3}"#), "log: looked  n: 3");
        assert_eq!(said(r#"{"queries":["a b","c"]}"#), "queries: a b · c");
        assert_eq!(said(r#"{"found":[{"path":"x"},{"path":"y"}]}"#), "found: 2 items");
        assert_eq!(said(r#"{"plan":{"steps":[1,2],"who":"Ada"}}"#), "plan: steps [1,2], who Ada");
        assert_eq!(said(r#"{"messages":[{"type":"ai","content":"Hi"}]}"#), "messages: Hi");
        assert_eq!(said(r#"{"messages":[{"type":"ai","content":""}]}"#), "");
        assert_eq!(said(r#"{"messages":{"role":"user","content":"Hi"}}"#), "messages: Hi");
        assert_eq!(
            said(r#"{"messages":[{"type":"ai","content":[{"type":"text","text":"Hi"}]}]}"#),
            "messages: Hi"
        );
        assert_eq!(said(r#"{"last":{"$type":"overwrite","value":[9]}}"#), "last: 9");
        assert_eq!(said(r#"{"n":{"$type":"float","value":"nan"}}"#), "n: nan");
        assert_eq!(said(r#"{"complaint":"","drafts":1,"found":[]}"#), "drafts: 1  found: nothing");
    }
}
