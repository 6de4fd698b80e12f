//! `nodes.condition`, `loop`, `parallel`, `wait`, `user_input`.

use weaver_core::{Failure, FailureKind, Value};
use weaver_engine::{Answer, NodeOutput};

use super::settings::Settings;
use super::{Task, go};
use crate::{structured, template};

/// Goes on at the route of the first rule that is true.
pub fn condition(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    for rule in settings.list("rules") {
        let text = |key| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        if template::evaluate(text("if"), task.state)
            .map_err(|failure| settings.at("rules", failure))?
            .is_truthy()
        {
            return Ok(go([text("goto").to_string()], Vec::new()));
        }
    }
    Ok(go([settings.target("default")], Vec::new()))
}

/// The private key in which a loop counts its rounds.
pub fn loop_key(node: &str) -> String {
    format!("__loop:{node}")
}

/// Sends the run through the body once more, or to the exit.
pub fn repeat(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let key = loop_key(task.name);
    let round = task.state.get(&key).and_then(Value::as_int).unwrap_or(0);
    let limit = settings.count("limit").unwrap_or(100) as i64;
    let mut update = vec![(key.clone(), Value::Int(round + 1))];
    let goes_on = match settings.evaluated("items")? {
        Some(items) => match items.as_list().and_then(|items| items.get(round as usize)) {
            Some(item) => {
                let item_key = settings.text("item_key").unwrap_or("item");
                update.push((item_key.to_string(), item.clone()));
                true
            }
            None => false,
        },
        None => settings.evaluated("while_")?.is_some_and(|value| value.is_truthy()),
    };
    if !goes_on || round >= limit {
        return Ok(go([settings.target("exit")], vec![(key, Value::Int(0))]));
    }
    if let Some(index_key) = settings.text("index_key") {
        update.push((index_key.to_string(), Value::Int(round)));
    }
    Ok(go([settings.target("body")], update))
}

/// The hidden node behind each branch of a parallel node that does not wait for
/// all its branches, or starts them one after another.
pub const TICK: &str = "__tick";
/// The hidden node that counts ticks.
pub const GATE: &str = "__gate";

/// Starts the branches, as many as may run at once.
pub fn parallel(settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let heads = branch_heads(settings);
    let at_once = settings.count("max_concurrency").unwrap_or(heads.len()).max(1);
    Ok(go(heads.into_iter().take(at_once), Vec::new()))
}

/// The first node of each branch.
pub fn branch_heads(settings: &Settings<'_>) -> Vec<String> {
    let head = |branch: &Value| {
        let first = branch.as_str().or_else(|| branch.as_list()?.first()?.as_str());
        first.map(String::from)
    };
    settings.list("branches").iter().filter_map(head).collect()
}

/// Counts one branch that has ended.
pub fn tick(settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let key = settings.text("counter").unwrap_or_default();
    Ok(Answer::Node(NodeOutput::Update(Value::map([(key, Value::Int(1))]))))
}

/// Starts the next branches, and goes on once enough have ended.
pub fn gate(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let counter = settings.text("counter").unwrap_or_default();
    let seen_key = settings.text("seen").unwrap_or_default();
    let ended = task.state.get(counter).and_then(Value::as_int).unwrap_or(0);
    let seen = task.state.get(seen_key).and_then(Value::as_int).unwrap_or(0);
    let heads = branch_heads(settings);
    let total = heads.len() as i64;
    let wanted = match settings.get("join") {
        Some(Value::Int(n)) => (*n).clamp(1, total.max(1)),
        Some(word) if word.as_str() == Some("any") => 1,
        _ => total,
    };
    let at_once = settings.count("max_concurrency").map_or(total, |n| n.max(1) as i64);
    let mut targets = Vec::new();
    let reached = (seen % total.max(1), ended - seen);
    let before = reached.0;
    let now = before + reached.1;
    // Branches behind the wanted ones are not started any more.
    if now < wanted {
        let (from, to) = ((before + at_once).min(total), (now + at_once).min(total));
        targets.extend(heads.into_iter().skip(from as usize).take((to - from) as usize));
    }
    if before < wanted && now >= wanted {
        targets.push(settings.target("then"));
    }
    Ok(go(targets, vec![(seen_key.to_string(), Value::Int(ended))]))
}

/// Waits for a person.
pub fn wait(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let schema = form_schema(task, settings.get("schema"), settings.get("form"));
    let message = settings.required("message")?;
    let deadline = settings.number("deadline");
    let Some(answer) = task.answers.last() else {
        return Ok(ask(message, schema, deadline, None));
    };
    if is_timeout(answer) {
        return match settings.text("on_timeout") {
            Some(target) => Ok(go([target.to_string()], Vec::new())),
            None => {
                let message = "nobody answered in time";
                Err(Failure::new(FailureKind::Timeout, "wait_timeout", message)
                    .with_help("name the node that goes on then with `on_timeout`"))
            }
        };
    }
    let answer = match fitting(answer, schema.as_ref())? {
        Ok(answer) => answer,
        Err(problem) => return Ok(ask(message, schema, deadline, Some(problem))),
    };
    let update = settings.text("into").map(|key| (key.to_string(), answer));
    match settings.text("goto") {
        Some(target) => Ok(go([target.to_string()], update.into_iter().collect())),
        None => Ok(Answer::Node(match update {
            Some((key, value)) => NodeOutput::Update(Value::map([(key, value)])),
            None => NodeOutput::Nothing,
        })),
    }
}

/// The answer that a passed deadline gives in a person's place.
pub fn timeout_answer() -> Value {
    Value::tagged::<&str>("timeout", [])
}

fn is_timeout(answer: &Value) -> bool {
    answer.tag() == timeout_answer().tag()
}

/// Asks the person who runs the graph.
pub fn user_input(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let schema = form_schema(task, settings.get("schema"), settings.get("fields"));
    let message = settings.rendered("message")?.unwrap_or_else(|| "Please answer.".into());
    let Some(answer) = task.answers.last() else { return Ok(ask(message, schema, None, None)) };
    let answer = match fitting(answer, schema.as_ref())? {
        Ok(answer) => answer,
        Err(problem) => return Ok(ask(message, schema, None, Some(problem))),
    };
    let update = match (settings.text("into"), &answer) {
        (Some(key), _) => Value::map([(key, super::for_key(task, key, answer))]),
        (None, Value::Map(_)) => answer,
        (None, _) => {
            let problem = "the answer must be a JSON object of state keys".to_string();
            return Ok(ask(message, schema, None, Some(problem)));
        }
    };
    Ok(Answer::Node(NodeOutput::Update(update)))
}

/// JSON Schema of an answer: a schema class, a JSON Schema, or fields with types.
fn form_schema(task: &Task<'_>, schema: Option<&Value>, fields: Option<&Value>) -> Option<Value> {
    if let Some(schema) = schema {
        return Some(task.services.schema(schema));
    }
    let fields = fields?.as_map()?;
    if fields.get("type").and_then(Value::as_str) == Some("object") {
        return Some(Value::from(fields.clone()));
    }
    let properties = fields.iter().map(|(name, kind)| {
        let schema = match kind.as_str() {
            Some("str") => Value::map([("type", Value::str("string"))]),
            Some("int") => Value::map([("type", Value::str("integer"))]),
            Some("float") => Value::map([("type", Value::str("number"))]),
            Some("bool") => Value::map([("type", Value::str("boolean"))]),
            Some(other) => Value::map([("type", Value::str("string")), ("title", other.into())]),
            None => kind.clone(),
        };
        (name.clone(), schema)
    });
    Some(Value::map([
        ("type", Value::str("object")),
        ("properties", Value::map(properties)),
        ("required", Value::list(fields.keys().map(|name| Value::Str(name.clone())))),
    ]))
}

/// A question: asked again with the reason when an answer does not fit, because a
/// slip of the hand must not end a run that may have waited for days.
fn ask(
    message: String,
    schema: Option<Value>,
    deadline: Option<f64>,
    problem: Option<String>,
) -> Answer<Value> {
    let mut question = vec![("message", Value::str(message))];
    question.extend(problem.map(|problem| ("problem", Value::str(problem))));
    question.extend(schema.map(|schema| ("schema", schema)));
    question.extend(deadline.map(|seconds| ("deadline_seconds", Value::Float(seconds))));
    Answer::Interrupted(vec![Value::map(question)])
}

/// The answer if it fits, else why not. A single field may be answered without its name.
fn fitting(answer: &Value, schema: Option<&Value>) -> Result<Result<Value, String>, Failure> {
    let Some(schema) = schema else { return Ok(Ok(answer.clone())) };
    let json = serde_json::Value::from(schema);
    let validator = jsonschema::validator_for(&json).map_err(|error| {
        let message = format!("the form is no JSON Schema: {error}");
        Failure::new(FailureKind::InvalidInput, "schema_invalid", message)
    })?;
    let fields = schema.get("properties").and_then(Value::as_map);
    let answer = match (answer, fields) {
        (Value::Map(_), _) | (_, None) => answer.clone(),
        (single, Some(fields)) if fields.len() == 1 => {
            let name = fields.keys().next().expect("there is one field").clone();
            Value::map([(name, single.clone())])
        }
        (other, _) => other.clone(),
    };
    let checked = structured::check(&validator, Ok(answer));
    Ok(checked.map_err(|problem| format!("the answer does not fit the form: {problem}")))
}
