//! [`Meters`]: counts what executions of this process do, for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};

use weaver_core::{Event, EventKind, Value};

/// What was counted since the start. Labels that callers choose are bounded.
#[derive(Default)]
pub struct Meters(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// By workflow and status.
    ended: BTreeMap<(String, String), u64>,
    ended_after: BTreeMap<String, Histogram>,
    nodes: Histogram,
    retries: u64,
    /// By model.
    model_calls: BTreeMap<String, u64>,
    tokens_input: u64,
    tokens_output: u64,
    cost_micros: u64,
    /// By tool and outcome.
    tool_calls: BTreeMap<(String, &'static str), u64>,
}

/// So many workflows, models and tools have a line of their own; the rest is `other`.
const NAMES_MAX: usize = 100;

/// Upper bounds of the classes of a histogram, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0];

#[derive(Default)]
struct Histogram {
    /// How many were in a class, not in those below it.
    classes: [u64; BOUNDS.len()],
    count: u64,
    sum_us: u64,
}

impl Meters {
    /// Counts an event that the log has now.
    pub fn see(&self, workflow: &str, event: &Event) {
        let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or("unknown");
        let counts = &mut *self.lock();
        match event.kind {
            EventKind::Done => {
                let workflow = bounded(&counts.ended_after, workflow);
                let key = (workflow.clone(), text("status").to_string());
                *counts.ended.entry(key).or_default() += 1;
                let took = counts.ended_after.entry(workflow).or_default();
                took.add(event.duration_us.unwrap_or_default());
            }
            EventKind::NodeExit if event.data.get("cached").is_none() => {
                counts.nodes.add(event.duration_us.unwrap_or_default());
            }
            EventKind::NodeRetry => counts.retries += 1,
            EventKind::LlmResponse => {
                let model = bounded(&counts.model_calls, text("model"));
                *counts.model_calls.entry(model).or_default() += 1;
                let usage = event.usage.unwrap_or_default();
                counts.tokens_input += usage.input;
                counts.tokens_output += usage.output;
                counts.cost_micros += event.cost_micros.unwrap_or_default();
            }
            EventKind::ToolResult => {
                let failed = event.data.get("error").is_some_and(|error| !error.is_null());
                let tool = text("tool");
                let is_known = counts.tool_calls.keys().any(|(known, _)| known == tool);
                let is_full = counts.tool_calls.len() >= NAMES_MAX;
                let tool = if is_full && !is_known { "other" } else { tool };
                let key = (tool.to_string(), if failed { "failed" } else { "ok" });
                *counts.tool_calls.entry(key).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The counts as Prometheus reads them.
    pub fn text(&self) -> String {
        let counts = &*self.lock();
        let mut text = String::new();
        head(
            &mut text,
            "workflow_executions_total",
            "counter",
            "Runs of executions, by how they ended.",
        );
        for ((workflow, status), n) in &counts.ended {
            let labels = format!(
                "user_id=\"local\",workflow_id={},status={}",
                quoted(workflow),
                quoted(status)
            );
            line(&mut text, "workflow_executions_total", &labels, n);
        }
        let name = "workflow_execution_duration_seconds";
        head(&mut text, name, "histogram", "How long runs of executions took.");
        for (workflow, took) in &counts.ended_after {
            took.write(&mut text, name, &format!("workflow_id={}", quoted(workflow)));
        }
        let name = "node_duration_seconds";
        head(&mut text, name, "histogram", "How long nodes took.");
        counts.nodes.write(&mut text, name, "");
        let name = "node_retries_total";
        head(&mut text, name, "counter", "Attempts of nodes that were made again.");
        line(&mut text, name, "", counts.retries);
        head(&mut text, "llm_calls_total", "counter", "Answers of models.");
        for (model, n) in &counts.model_calls {
            line(&mut text, "llm_calls_total", &format!("model={}", quoted(model)), n);
        }
        head(&mut text, "llm_tokens_total", "counter", "Tokens, sent and received.");
        line(&mut text, "llm_tokens_total", "direction=\"input\"", counts.tokens_input);
        line(&mut text, "llm_tokens_total", "direction=\"output\"", counts.tokens_output);
        head(&mut text, "llm_cost_usd_total", "counter", "What models cost, in US dollars.");
        line(&mut text, "llm_cost_usd_total", "", counts.cost_micros as f64 / 1e6);
        head(&mut text, "tool_calls_total", "counter", "Answers of tools.");
        for ((tool, status), n) in &counts.tool_calls {
            let labels = format!("tool={},status=\"{status}\"", quoted(tool));
            line(&mut text, "tool_calls_total", &labels, n);
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

impl Histogram {
    fn add(&mut self, took_us: u64) {
        let seconds = took_us as f64 / 1e6;
        if let Some(class) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.classes[class] += 1;
        }
        self.count += 1;
        self.sum_us += took_us;
    }

    fn write(&self, text: &mut String, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, n) in BOUNDS.iter().zip(self.classes) {
            below += n;
            line(text, &format!("{name}_bucket"), &format!("{labels}{comma}le=\"{bound}\""), below);
        }
        let all = format!("{labels}{comma}le=\"+Inf\"");
        line(text, &format!("{name}_bucket"), &all, self.count);
        line(text, &format!("{name}_sum"), labels, self.sum_us as f64 / 1e6);
        line(text, &format!("{name}_count"), labels, self.count);
    }
}

/// What comes before the lines of a metric.
pub fn head(text: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(text, "# HELP agentweaver_{name} {about}\n# TYPE agentweaver_{name} {kind}");
}

/// One line of a metric.
pub fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(text, "agentweaver_{name} {value}"),
        labels => writeln!(text, "agentweaver_{name}{{{labels}}} {value}"),
    };
}

/// The name, or `other` when there are too many.
fn bounded<T>(known: &BTreeMap<String, T>, name: &str) -> String {
    match known.len() >= NAMES_MAX && !known.contains_key(name) {
        true => "other".into(),
        false => name.into(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_executions_do_is_counted_under_bounded_names() {
        let meters = Meters::default();
        let mut done = Event::new(EventKind::Done)
            .with_data(Value::map([("status", Value::str("completed"))]));
        done.duration_us = Some(20_000);
        for n in 0..NAMES_MAX + 5 {
            meters.see(&format!("{n}.py"), &done);
        }
        meters.see("0.py", &done);
        let text = meters.text();
        let has = |line: &str| assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        let ended = "agentweaver_workflow_executions_total{user_id=\"local\",workflow_id=";
        has(&format!("{ended}\"0.py\",status=\"completed\"}} 2"));
        has(&format!("{ended}\"other\",status=\"completed\"}} 5"));
        let took = "agentweaver_workflow_execution_duration_seconds";
        has(&format!("{took}_bucket{{workflow_id=\"0.py\",le=\"0.01\"}} 0"));
        has(&format!("{took}_bucket{{workflow_id=\"0.py\",le=\"0.05\"}} 2"));
        has(&format!("{took}_sum{{workflow_id=\"0.py\"}} 0.04"));
        assert_eq!(quoted("a\"b\\"), r#""a\"b\\""#);
    }
}
