//! Jinja over the state: prompts, conditions, addresses.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use weaver_core::{Failure, FailureKind, Value};

/// Instructions that one template may take; a hostile loop ends here.
const FUEL: u64 = 1_000_000;

/// Renders text over the state.
///
/// Errors: `template_invalid` for bad syntax, `template_failed` for an unknown
/// name or a filter that does not fit.
pub fn render(source: &str, state: &Value) -> Result<String, Failure> {
    environment()
        .render_str(source, to_jinja(state))
        .map_err(|error| failure(source, state, &error))
}

/// Evaluates one expression, as in a condition.
pub fn evaluate(expression: &str, state: &Value) -> Result<Value, Failure> {
    let environment = environment();
    let compiled = environment
        .compile_expression(expression)
        .map_err(|error| failure(expression, state, &error))?;
    let result =
        compiled.eval(to_jinja(state)).map_err(|error| failure(expression, state, &error))?;
    from_jinja(&result).map_err(|what| invalid(expression, &what))
}

/// Renders every text in a tree of settings; a text that is one lone
/// `{{ expression }}` gives the value itself, not its text.
pub fn render_tree(tree: &Value, state: &Value) -> Result<Value, Failure> {
    match tree {
        Value::Str(text) => match lone_expression(text) {
            Some(expression) => evaluate(expression, state),
            None => render(text, state).map(Value::from),
        },
        Value::List(items) => items
            .iter()
            .map(|item| render_tree(item, state))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::from),
        Value::Map(map) => Ok(Value::map(
            map.iter()
                .map(|(key, value)| Ok((key.clone(), render_tree(value, state)?)))
                .collect::<Result<Vec<_>, Failure>>()?,
        )),
        other => Ok(other.clone()),
    }
}

/// The syntax error of a template, as line from 1 and a sentence.
pub fn check_template(source: &str) -> Result<(), (u32, String)> {
    environment().template_from_str(source).map(drop).map_err(|error| place(&error))
}

/// The syntax error of an expression, as line from 1 and a sentence.
pub fn check_expression(source: &str) -> Result<(), (u32, String)> {
    environment().compile_expression(source).map(drop).map_err(|error| place(&error))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .build()
            .expect("the default delimiters are valid"),
    );
    environment
}

/// A view of a state value: nothing is copied until a template asks for it.
fn to_jinja(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(x) => (*x).into(),
        Value::Str(text) => text.clone().into(),
        Value::List(items) => minijinja::Value::from_object(ListView(items.clone())),
        Value::Map(_) => match value.tag() {
            Some("object") => value.get("fields").map_or_else(|| ().into(), to_jinja),
            Some("set") => value.get("items").map_or_else(|| ().into(), to_jinja),
            Some("date" | "datetime" | "time" | "timedelta" | "int") => {
                value.get("value").map_or_else(|| ().into(), to_jinja)
            }
            _ => minijinja::Value::from_object(MapView(value.clone())),
        },
    }
}

/// The result of an expression as a state value; a view gives back what it shows.
fn from_jinja(value: &minijinja::Value) -> Result<Value, String> {
    if let Some(view) = value.downcast_object_ref::<ListView>() {
        return Ok(Value::List(view.0.clone()));
    }
    if let Some(view) = value.downcast_object_ref::<MapView>() {
        return Ok(view.0.clone());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(value.is_true().into()),
        ValueKind::Number => match i64::try_from(value.clone()) {
            Ok(n) if value.is_integer() => Ok(n.into()),
            _ => f64::try_from(value.clone()).map(Value::from).map_err(|error| error.to_string()),
        },
        ValueKind::String => Ok(Value::str(value.as_str().unwrap_or_default())),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| error.to_string())?;
            items.map(|item| from_jinja(&item)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|error| error.to_string())?;
            let mut map = weaver_core::Map::new();
            for key in keys {
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                map.insert(key.to_string().into(), from_jinja(&item)?);
            }
            Ok(map.into())
        }
        other => Err(format!("the result is a {other}, which cannot be state")),
    }
}

#[derive(Debug)]
struct ListView(Arc<Vec<Value>>);

impl Object for ListView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        self.0.get(key.as_usize()?).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

#[derive(Debug)]
struct MapView(Value);

impl Object for MapView {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        self.0.get(key.as_str()?).map(to_jinja)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys = self.0.as_map().into_iter().flatten().map(|(key, _)| key.clone());
        let shown = keys.filter(|key| &**key != weaver_core::value::TYPE_KEY);
        Enumerator::Values(shown.map(minijinja::Value::from).collect())
    }
}

fn place(error: &minijinja::Error) -> (u32, String) {
    let text = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    (error.line().unwrap_or(1) as u32, text)
}

/// The expression of a text that is nothing but `{{ expression }}`.
fn lone_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then(|| inner.trim_matches('-').trim())
}

fn invalid(source: &str, message: &str) -> Failure {
    Failure::new(
        FailureKind::InvalidInput,
        "template_invalid",
        format!("the template `{}` cannot be read: {message}", shorten(source)),
    )
}

fn failure(source: &str, state: &Value, error: &minijinja::Error) -> Failure {
    let (line, detail) = place(error);
    match error.kind() {
        ErrorKind::SyntaxError => invalid(source, &format!("line {line}: {detail}")),
        ErrorKind::UndefinedError => {
            let names: Vec<&str> =
                state.as_map().into_iter().flatten().map(|(key, _)| &**key).collect();
            let unknown = undeclared(source, &names);
            let what = match unknown.as_slice() {
                [] => "something that the state does not hold".to_string(),
                unknown => format!("`{}`, which the state does not hold", unknown.join("`, `")),
            };
            let message = format!("the template `{}` uses {what} (line {line})", shorten(source));
            Failure::new(FailureKind::InvalidInput, "template_failed", message).with_help(
                match names.is_empty() {
                    true => "the state is empty here".to_string(),
                    false => format!("the state holds: {}", names.join(", ")),
                },
            )
        }
        ErrorKind::OutOfFuel => Failure::new(
            FailureKind::Limit,
            "template_failed",
            format!("the template `{}` ran too long", shorten(source)),
        ),
        _ => Failure::new(
            FailureKind::InvalidInput,
            "template_failed",
            format!("the template `{}` failed on line {line}: {detail}", shorten(source)),
        ),
    }
}

/// Names that a template takes from the state and that are not there.
fn undeclared(source: &str, known: &[&str]) -> Vec<String> {
    let environment = environment();
    let names = match environment.template_from_str(source) {
        Ok(template) if source.contains("{{") || source.contains("{%") => {
            template.undeclared_variables(false)
        }
        _ => match environment.compile_expression(source) {
            Ok(expression) => expression.undeclared_variables(false),
            Err(_) => return Vec::new(),
        },
    };
    let mut unknown: Vec<String> =
        names.into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    unknown.sort();
    unknown
}

fn shorten(source: &str) -> String {
    let line = source.trim().lines().next().unwrap_or("");
    match line.chars().count() {
        0..=60 => line.to_string(),
        _ => format!("{}…", line.chars().take(60).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Value {
        Value::from_json(r#"{"question":"why?","findings":["a","b"],"score":7}"#).unwrap()
    }

    #[test]
    fn text_expressions_and_trees_render_over_the_state() {
        assert_eq!(render("Q: {{ question }}\n", &state()).unwrap(), "Q: why?\n");
        assert_eq!(evaluate("score > 5 and findings|length == 2", &state()).unwrap(), true.into());
        let tree = Value::from_json(r#"{"q":"{{ findings }}","n":[1,"{{ score }}!"]}"#).unwrap();
        let rendered = render_tree(&tree, &state()).unwrap();
        assert_eq!(rendered.to_json(), r#"{"q":["a","b"],"n":[1,"7!"]}"#);
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let failure = render("{{ qestion }}", &state()).unwrap_err();
        assert!(failure.message.contains("`qestion`"), "{failure}");
        assert_eq!(failure.code, "template_failed");
        assert!(failure.help.unwrap().contains("question, findings, score"));
    }

    #[test]
    fn bad_syntax_and_endless_loops_are_failures() {
        assert_eq!(render("{{ x", &state()).unwrap_err().code, "template_invalid");
        assert!(check_template("a\n{% if %}").unwrap_err().0 == 2);
        let endless =
            "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
        assert_eq!(render(endless, &state()).unwrap_err().kind, FailureKind::Limit);
    }
}
