//! [`Settings`]: the arguments of a typed node, rendered over the state.

use std::time::Duration;

use weaver_core::spec::{END, TypedNode};
use weaver_core::{Failure, FailureKind, Frame, Value};

use crate::template;

/// The arguments of a typed node.
pub struct Settings<'a> {
    node: &'a TypedNode,
    state: &'a Value,
    file: &'a str,
}

impl<'a> Settings<'a> {
    /// The arguments of a node over the state that it sees.
    pub fn new(node: &'a TypedNode, state: &'a Value, file: &'a str) -> Self {
        Settings { node, state, file }
    }

    /// An argument as written; `None` counts as left out.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let setting = self.node.settings.iter().find(|setting| setting.name == name)?;
        Some(&setting.value).filter(|value| !value.is_null())
    }

    /// A text as written.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// A whole number that is not negative.
    pub fn count(&self, name: &str) -> Option<usize> {
        usize::try_from(self.get(name)?.as_int()?).ok()
    }

    /// Seconds as a span.
    pub fn seconds(&self, name: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(self.number(name)?).ok()
    }

    /// A list as written.
    pub fn list(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_list).unwrap_or_default()
    }

    /// The name of a node; left out: the exit.
    pub fn target(&self, name: &str) -> String {
        self.text(name).unwrap_or(END).to_string()
    }

    /// A template rendered over the state.
    pub fn rendered(&self, name: &str) -> Result<Option<String>, Failure> {
        let text = self.text(name).map(|text| template::render(text, self.state));
        text.transpose().map_err(|failure| self.at(name, failure))
    }

    /// A template that must be there.
    pub fn required(&self, name: &str) -> Result<String, Failure> {
        let rendered = self.rendered(name)?;
        rendered.ok_or_else(|| {
            let message = format!("`nodes.{}` needs `{name}`", self.node.node_type);
            Failure::new(FailureKind::InvalidInput, "missing_setting", message)
        })
    }

    /// All texts in an argument rendered over the state.
    pub fn tree(&self, name: &str) -> Result<Option<Value>, Failure> {
        let value = self.get(name).map(|value| template::render_tree(value, self.state));
        value.transpose().map_err(|failure| self.at(name, failure))
    }

    /// An expression's value over the state.
    pub fn evaluated(&self, name: &str) -> Result<Option<Value>, Failure> {
        let value = self.text(name).map(|text| template::evaluate(text, self.state));
        value.transpose().map_err(|failure| self.at(name, failure))
    }

    /// A failure that says which argument it is about, and where that stands.
    pub fn at(&self, name: &str, mut failure: Failure) -> Failure {
        if let Some(setting) = self.node.settings.iter().find(|setting| setting.name == name) {
            let span = setting.span;
            failure.traceback.push(Frame {
                file: self.file.to_string(),
                line: span.line,
                column: Some(span.column),
                end_column: (span.line == span.end_line).then_some(span.end_column),
                function: format!("nodes.{}", self.node.node_type),
            });
        }
        failure.message =
            format!("`{name}` of `nodes.{}`: {}", self.node.node_type, failure.message);
        failure
    }
}
