//! [`Meters`]: the one owner of what `/metrics` says. What this process does is counted
//! here; how things stand ([`Gauges`]) is asked when somebody wants to read it.

mod page;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::Deserialize;
use weaver_core::{Event, EventKind, Histogram, Timestamp, Value};
use weaver_runtime::scheduler::Note;
use weaver_store::Stats;

use page::Page;

/// What was counted since the start. Labels that callers choose are bounded.
#[derive(Default)]
pub struct Meters {
    labels: Labels,
    counts: Mutex<Counts>,
}

/// Which labels there are: `[metrics]` in the settings. Since 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    /// Metrics of runs tell whose they are.
    pub user_id: bool,
    /// Metrics of runs tell of which workflow.
    pub workflow_id: bool,
    /// So many workflows, models and tools have a line of their own, those that come first;
    /// the rest is `other`. What has a line keeps it, so that no counter ever falls.
    pub names_max: usize,
}

impl Default for Labels {
    fn default() -> Self {
        Labels { user_id: true, workflow_id: true, names_max: 100 }
    }
}

/// How things stand at the moment.
pub struct Gauges {
    /// Executions that have not ended, by status.
    pub open: Vec<(&'static str, usize)>,
    /// The age of the oldest that is queued.
    pub queue_age: Duration,
    /// Workers, by status.
    pub workers: Vec<(&'static str, usize)>,
    /// Open streams.
    pub streams: usize,
    /// How long the store took to tell the time.
    pub latency: Duration,
    /// Since the start.
    pub uptime: Duration,
    /// What the store did.
    pub store: Stats,
}

#[derive(Default)]
struct Counts {
    /// By endpoint, method and status. Endpoints are templates: they are few.
    calls: BTreeMap<(String, String, u16), u64>,
    /// By workflow and status.
    ended: BTreeMap<(String, String), u64>,
    ended_after: BTreeMap<String, Histogram>,
    claims: u64,
    claimed_after: Histogram,
    leases_lost: u64,
    expired_requeued: u64,
    expired_dead: u64,
    steps: Histogram,
    nodes: Histogram,
    retries: u64,
    /// By model.
    model_calls: BTreeMap<String, u64>,
    first_token: Histogram,
    tokens_input: u64,
    tokens_output: u64,
    cost_micros: u64,
    /// By tool and outcome.
    tool_calls: BTreeMap<(String, &'static str), u64>,
    event_lag: Histogram,
}

/// Without accounts all runs are this user's.
const USER: &str = "local";

impl Meters {
    /// Meters with these labels.
    pub fn new(labels: Labels) -> Self {
        Meters { labels, counts: Mutex::default() }
    }

    /// Counts a request.
    pub fn called(&self, endpoint: String, method: String, status: u16) {
        *self.lock().calls.entry((endpoint, method, status)).or_default() += 1;
    }

    /// Counts an event that the log has now.
    pub fn see(&self, workflow: &str, event: &Event) {
        let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or("unknown");
        let counts = &mut *self.lock();
        let took_us = event.duration_us.unwrap_or_default();
        let max = self.labels.names_max;
        match event.kind {
            EventKind::Done => {
                let workflow = if self.labels.workflow_id { workflow } else { "" };
                let workflow = bounded(counts.ended_after.keys(), workflow, max);
                let key = (workflow.clone(), text("status").to_string());
                *counts.ended.entry(key).or_default() += 1;
                counts.ended_after.entry(workflow).or_default().add(took_us);
            }
            EventKind::NodeExit if event.data.get("cached").is_none() => counts.nodes.add(took_us),
            EventKind::NodeRetry => counts.retries += 1,
            EventKind::LlmResponse => {
                let model = bounded(counts.model_calls.keys(), text("model"), max);
                *counts.model_calls.entry(model).or_default() += 1;
                let usage = event.usage.unwrap_or_default();
                counts.tokens_input += usage.input;
                counts.tokens_output += usage.output;
                counts.cost_micros += event.cost_micros.unwrap_or_default();
                let first = event.data.get("first_token_us").and_then(Value::as_int);
                if let Some(first) = first.and_then(|first| first.try_into().ok()) {
                    counts.first_token.add(first);
                }
            }
            EventKind::ToolResult => {
                let failed = event.data.get("error").is_some_and(|error| !error.is_null());
                let known = counts.tool_calls.keys().map(|(tool, _)| tool);
                let key = (bounded(known, text("tool"), max), if failed { "failed" } else { "ok" });
                *counts.tool_calls.entry(key).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Counts what the scheduler does.
    pub fn note(&self, note: Note) {
        let counts = &mut *self.lock();
        match note {
            Note::Claimed { waited } => {
                counts.claims += 1;
                counts.claimed_after.add(micros(waited));
            }
            Note::LeaseLost => counts.leases_lost += 1,
            Note::Expired { requeued, dead } => {
                counts.expired_requeued += requeued as u64;
                counts.expired_dead += dead as u64;
            }
            Note::Stepped { took } => counts.steps.add(micros(took)),
            _ => {}
        }
    }

    /// Counts an event that a reader of a stream is given now.
    pub fn told(&self, event: &Event, now: Timestamp) {
        // The clock of the database may be ahead of ours.
        let lag_us = u64::try_from(now.0 - event.time.0).unwrap_or_default();
        self.lock().event_lag.add(lag_us);
    }

    /// Everything as Prometheus reads it.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut page = Page::default();
        let counts = &*self.lock();
        page.begin("api_calls_total", "counter", "Requests.");
        for ((endpoint, method, status), n) in &counts.calls {
            let status = status.to_string();
            let labels =
                [("endpoint", &**endpoint), ("method", &**method), ("status_code", &*status)];
            page.line("api_calls_total", &labels, n);
        }
        self.write_runs(counts, &mut page);
        write_work(counts, &mut page);
        write_calls(counts, &mut page);
        gauges.write(&mut page);
        page.into_text()
    }

    fn write_runs(&self, counts: &Counts, page: &mut Page) {
        let name = "workflow_executions_total";
        page.begin(name, "counter", "Runs of executions, by how they ended.");
        let user = self.labels.user_id.then_some(("user_id", USER));
        let of = |workflow| self.labels.workflow_id.then_some(("workflow_id", workflow));
        for ((workflow, status), n) in &counts.ended {
            let labels = user.into_iter().chain(of(&**workflow)).chain([("status", &**status)]);
            page.line(name, &labels.collect::<Vec<_>>(), n);
        }
        let name = "workflow_execution_duration_seconds";
        page.begin(name, "histogram", "How long runs of executions took.");
        for (workflow, took) in &counts.ended_after {
            page.histogram(name, of(&**workflow).as_slice(), took);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it is held")
    }
}

/// What the scheduler and its runs do.
fn write_work(counts: &Counts, page: &mut Page) {
    page.one("claims_total", "counter", "Executions that were taken up.", counts.claims);
    let histogram = |page: &mut Page, name, about, took| {
        page.begin(name, "histogram", about);
        page.histogram(name, &[], took);
    };
    let about = "How long executions waited for their turn.";
    histogram(page, "claim_wait_seconds", about, &counts.claimed_after);
    let about = "Leases that this process lost: to a cancel, or to another process.";
    page.one("leases_lost_total", "counter", about, counts.leases_lost);
    let name = "leases_expired_total";
    page.begin(
        name,
        "counter",
        "Leases of lost processes and workers, by what became of the work.",
    );
    page.line(name, &[("outcome", "requeued")], counts.expired_requeued);
    page.line(name, &[("outcome", "given_up")], counts.expired_dead);
    histogram(page, "step_duration_seconds", "How long supersteps took.", &counts.steps);
    histogram(page, "node_duration_seconds", "How long nodes took.", &counts.nodes);
    let about = "Attempts of nodes that were made again.";
    page.one("node_retries_total", "counter", about, counts.retries);
    let about = "From when an event happened until a reader of a stream was given it.";
    histogram(page, "event_lag_seconds", about, &counts.event_lag);
}

/// What models and tools are asked.
fn write_calls(counts: &Counts, page: &mut Page) {
    page.begin("llm_calls_total", "counter", "Answers of models.");
    for (model, n) in &counts.model_calls {
        page.line("llm_calls_total", &[("model", model)], n);
    }
    let name = "llm_first_token_seconds";
    page.begin(name, "histogram", "From a call of a model to its first word.");
    page.histogram(name, &[], &counts.first_token);
    page.begin("llm_tokens_total", "counter", "Tokens, sent and received.");
    page.line("llm_tokens_total", &[("direction", "input")], counts.tokens_input);
    page.line("llm_tokens_total", &[("direction", "output")], counts.tokens_output);
    let cost = counts.cost_micros as f64 / 1e6;
    page.one("llm_cost_usd_total", "counter", "What models cost, in US dollars.", cost);
    page.begin("tool_calls_total", "counter", "Answers of tools.");
    for ((tool, status), n) in &counts.tool_calls {
        page.line("tool_calls_total", &[("tool", tool), ("status", status)], n);
    }
}

impl Gauges {
    fn write(&self, page: &mut Page) {
        page.begin("executions", "gauge", "Executions that have not ended.");
        for (status, n) in &self.open {
            page.line("executions", &[("status", status)], n);
        }
        let of = |wanted| self.open.iter().find(|(it, _)| *it == wanted).map_or(0, |(_, n)| *n);
        page.one("active_executions", "gauge", "Executions under way.", of("running"));
        page.one("queue_depth", "gauge", "Executions that nobody has taken up.", of("queued"));
        let age = self.queue_age.as_secs_f64();
        page.one("queue_age_seconds", "gauge", "Age of the oldest of them.", age);
        page.begin("workers", "gauge", "Workers that are known.");
        for (status, n) in &self.workers {
            page.line("workers", &[("status", status)], n);
        }
        page.one("open_streams", "gauge", "Readers of events of executions.", self.streams);
        let about = "How long the store took to tell the time.";
        page.one("database_latency_seconds", "gauge", about, self.latency.as_secs_f64());
        self.write_store(page);
        page.one("uptime_seconds", "gauge", "Since the start.", self.uptime.as_secs_f64());
    }

    fn write_store(&self, page: &mut Page) {
        let Stats { commits, queued_bytes, connections } = &self.store;
        let name = "commit_duration_seconds";
        page.begin(name, "histogram", "From when a batch was handed over until it was on disk.");
        page.histogram(name, &[], commits);
        let about = "Bytes of batches that wait to be written.";
        page.one("commit_queue_bytes", "gauge", about, queued_bytes);
        let name = "database_connections";
        page.begin(name, "gauge", "Connections to the database, those of writers apart.");
        page.line(name, &[("state", "used")], connections.used);
        page.line(name, &[("state", "idle")], connections.idle);
        if let Some(max) = connections.max {
            let about = "So many may be used at once.";
            page.one("database_connections_max", "gauge", about, max);
        }
    }
}

/// The name, or `other` when there are too many. What is known comes in order.
fn bounded<'a>(known: impl Iterator<Item = &'a String>, name: &str, names_max: usize) -> String {
    let (mut names, mut last) = (0, None);
    for known in known {
        if known == name {
            return name.into();
        }
        names += usize::from(last != Some(known));
        last = Some(known);
    }
    if names < names_max { name } else { "other" }.into()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges() -> Gauges {
        Gauges {
            open: vec![("queued", 2)],
            queue_age: Duration::from_millis(1500),
            workers: Vec::new(),
            streams: 0,
            latency: Duration::ZERO,
            uptime: Duration::ZERO,
            store: Stats::default(),
        }
    }

    fn done() -> Event {
        let mut done = Event::new(EventKind::Done)
            .with_data(Value::map([("status", Value::str("completed"))]));
        done.duration_us = Some(20_000);
        done
    }

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|it| it == format!("agentweaver_{line}")), "{line}\n{text}");
    }

    #[test]
    fn what_executions_do_is_counted_under_bounded_names() {
        let meters = Meters::new(Labels { names_max: 7, ..Labels::default() });
        for n in 0..12 {
            meters.see(&format!("{n}.py"), &done());
        }
        meters.see("0.py", &done());
        let text = meters.text(&gauges());
        let ended = "workflow_executions_total{user_id=\"local\",workflow_id=";
        has(&text, &format!("{ended}\"0.py\",status=\"completed\"}} 2"));
        has(&text, &format!("{ended}\"other\",status=\"completed\"}} 5"));
        let took = "workflow_execution_duration_seconds";
        has(&text, &format!("{took}_bucket{{workflow_id=\"0.py\",le=\"0.01\"}} 0"));
        has(&text, &format!("{took}_bucket{{workflow_id=\"0.py\",le=\"0.02\"}} 2"));
        has(&text, &format!("{took}_sum{{workflow_id=\"0.py\"}} 0.04"));
        has(&text, "queue_depth 2");
        has(&text, "queue_age_seconds 1.5");
    }

    #[test]
    fn whose_and_which_may_be_left_out() {
        let meters =
            Meters::new(Labels { user_id: false, workflow_id: false, ..Labels::default() });
        meters.see("a.py", &done());
        meters.see("b.py", &done());
        let text = meters.text(&gauges());
        has(&text, "workflow_executions_total{status=\"completed\"} 2");
        has(&text, "workflow_execution_duration_seconds_count 2");
    }

    #[test]
    fn a_name_is_written_so_that_it_is_read_again() {
        let meters = Meters::default();
        meters.see("a\"b\\c\n", &done());
        let text = meters.text(&gauges());
        has(&text, r#"workflow_execution_duration_seconds_count{workflow_id="a\"b\\c\n"} 1"#);
    }
}
