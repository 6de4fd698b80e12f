//! Jinja in scripts, checked when the script is read.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::{Environment, UndefinedBehavior, context};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::Value;

use super::facts::{Facts, ToolResult};
use super::matching::Groups;

/// Steps that one template may take; far more than any answer needs.
const FUEL: u64 = 1_000_000;

/// A template whose syntax is good.
#[derive(Clone, Debug)]
pub(super) struct Template(String);

/// What templates see.
pub(super) struct Scope(minijinja::Value);

impl Template {
    /// Checks the syntax; the error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        environment().template_from_str(text).map_err(|error| sentence(&error))?;
        Ok(Template(text.into()))
    }

    /// The text, filled in.
    pub fn render(&self, scope: &Scope) -> Result<String, String> {
        environment().render_str(&self.0, &scope.0).map_err(|error| sentence(&error))
    }
}

impl Scope {
    /// What the facts of a request and the groups of a pattern give.
    pub fn new(facts: &Facts, groups: &Groups) -> Self {
        let messages: Vec<_> =
            facts.messages.iter().map(|(role, text)| context! { role => *role, text }).collect();
        let results = facts.tool_results.iter().map(|result| {
            let json = serde_json::from_str(&result.text).map(|json| to_jinja(&json));
            let ToolResult { name, text, is_error } = result;
            context! { name, text, is_error, json => json.unwrap_or_default() }
        });
        let results: Vec<_> = results.collect();
        Scope(context! {
            last_user => &facts.last_user,
            system => &facts.system,
            model => &facts.model,
            messages => messages,
            tool_results => results,
            tools => &facts.tools,
            turn => facts.turn,
            call => facts.call,
            step => facts.step,
            match => groups,
        })
    }
}

/// A value whose texts are templates, filled in. A text that is one `{{ … }}` and
/// nothing else keeps the type of its expression.
pub(super) fn fill(value: &Value, scope: &Scope) -> Result<Value, String> {
    match value {
        Value::String(text) => fill_text(text, scope),
        Value::Array(items) => items.iter().map(|item| fill(item, scope)).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill(value, scope)?)))
            .collect::<Result<serde_json::Map<_, _>, String>>()
            .map(Value::Object),
        other => Ok(other.clone()),
    }
}

fn fill_text(text: &str, scope: &Scope) -> Result<Value, String> {
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(expression) = inner.filter(|inner| !inner.contains("{{")) {
        let environment = environment();
        let expression =
            environment.compile_expression(expression).map_err(|error| sentence(&error))?;
        let value = expression.eval(&scope.0).map_err(|error| sentence(&error))?;
        if value.is_undefined() {
            return Err(format!("`{text}` names nothing that there is"));
        }
        return serde_json::to_value(value).map_err(|error| error.to_string());
    }
    if !text.contains("{{") && !text.contains("{%") {
        return Ok(text.into());
    }
    Template(text.into()).render(scope).map(Value::String)
}

fn to_jinja(json: &Value) -> minijinja::Value {
    match json {
        Value::Null => ().into(),
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => match n.as_i64() {
            Some(n) => n.into(),
            None => n.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => items.iter().map(to_jinja).collect(),
        Value::Object(object) => {
            let entries = object.iter().map(|(key, value)| (key.clone(), to_jinja(value)));
            entries.collect::<BTreeMap<_, _>>().into()
        }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

fn sentence(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("the template is wrong: {detail}"),
        None => format!("the template is wrong: {error}"),
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TemplateVisitor;
        impl Visitor<'_> for TemplateVisitor {
            type Value = Template;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
                Template::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(TemplateVisitor)
    }
}
