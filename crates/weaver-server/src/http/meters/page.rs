//! [`Page`]: metrics in the words of Prometheus.

use std::fmt::{Display, Write};

use weaver_core::Histogram;

/// A page of metrics. All names begin with `agentweaver_`.
#[derive(Default)]
pub struct Page(String);

/// The labels of a line: names that need no escape, with values that may.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Page {
    /// Begins a metric of a kind (`counter`, `gauge`, `histogram`).
    pub fn begin(&mut self, name: &str, kind: &str, about: &str) {
        let text = &mut self.0;
        let _ = writeln!(text, "# HELP agentweaver_{name} {about}");
        let _ = writeln!(text, "# TYPE agentweaver_{name} {kind}");
    }

    /// One line of the metric.
    pub fn line(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.0, "agentweaver_{name}");
        for (i, (label, value)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    /// The lines of a histogram.
    pub fn histogram(&mut self, name: &str, labels: Labels<'_>, took: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in took.up_to() {
            self.line(&bucket, &[labels, &[("le", &bound.to_string())]].concat(), count);
        }
        self.line(&bucket, &[labels, &[("le", "+Inf")]].concat(), took.count());
        self.line(&format!("{name}_sum"), labels, took.sum_us() as f64 / 1e6);
        self.line(&format!("{name}_count"), labels, took.count());
    }

    /// A metric of one line.
    pub fn one(&mut self, name: &str, kind: &str, about: &str, value: impl Display) {
        self.begin(name, kind, about);
        self.line(name, &[], value);
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
