//! `nodes.http`, `database`, `file`, `code`.

use std::time::Duration;

use weaver_core::{Failure, FailureKind, Map, Value};
use weaver_engine::{Answer, NodeOutput};

use super::settings::Settings;
use super::{Task, write};
use crate::host_call::call_tool;
use crate::python::{Ended, FunctionCall, limits};
use crate::template;

/// Limit of an HTTP call when `timeout` is left out.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes an HTTP call through the guarded client.
pub async fn http(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let mut args = Map::new();
    args.insert("url".into(), settings.required("url")?.into());
    args.insert("method".into(), settings.text("method").unwrap_or("GET").into());
    for (name, argument) in [("headers", "headers"), ("params", "query"), ("json", "json")] {
        if let Some(value) = settings.tree(name)? {
            args.insert(argument.into(), value);
        }
    }
    if let Some(body) = settings.rendered("body")? {
        args.insert("body".into(), body.into());
    }
    let limit = settings.seconds("timeout").unwrap_or(HTTP_TIMEOUT);
    let call = call_tool(task.services, task.context, "http_request", args.into());
    let response = tokio::time::timeout(limit, call).await.map_err(|_| {
        let message = format!("no whole answer within {} s", limit.as_secs_f64());
        Failure::new(FailureKind::Timeout, "http_timeout", message).retryable()
    })??;
    let status = response.get("status").and_then(Value::as_int).unwrap_or(0);
    let allowed = settings.list("allow_status").iter().any(|one| one.as_int() == Some(status));
    if status >= 400 && !allowed {
        let body = response.get("body").map(Value::plain).unwrap_or_default();
        let shown: String =
            body.as_str().map_or_else(|| body.to_json(), String::from).chars().take(200).collect();
        let mut failure = Failure::new(
            FailureKind::Tool,
            "http_status",
            format!("the answer has status {status}: {shown}"),
        );
        failure.retryable = status >= 500 || status == 429;
        return Err(failure);
    }
    let result = match settings.text("result").unwrap_or("auto") {
        "response" => response,
        "text" => as_text(&response),
        "json" => as_json(&response).map_err(|error| {
            Failure::new(
                FailureKind::Tool,
                "http_not_json",
                format!("the answer is not JSON: {error}"),
            )
        })?,
        _ => as_json(&response).unwrap_or_else(|_| as_text(&response)),
    };
    Ok(write(task, settings, result))
}

fn as_text(response: &Value) -> Value {
    match response.get("body") {
        Some(Value::Str(text)) => Value::Str(text.clone()),
        Some(other) => Value::str(other.to_json()),
        None => "".into(),
    }
}

fn as_json(response: &Value) -> Result<Value, serde_json::Error> {
    match response.get("json").or_else(|| response.get("body")) {
        Some(Value::Str(text)) => Value::from_json(text),
        Some(other) => Ok(other.clone()),
        None => Ok(Value::Null),
    }
}

/// Runs one SQL statement.
pub async fn database(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let write_allowed = settings.get("write").and_then(Value::as_bool).unwrap_or(false);
    let mut args = Map::new();
    args.insert("database".into(), settings.required("path")?.into());
    args.insert("sql".into(), settings.text("query").unwrap_or_default().into());
    args.insert("params".into(), settings.tree("params")?.unwrap_or_else(|| Value::list([])));
    args.insert("write".into(), write_allowed.into());
    let answer = call_tool(task.services, task.context, "query_db", args.into()).await;
    let answer = answer.map_err(|failure| match &*failure.code {
        "tool_refused" if write_allowed => {
            failure.with_help("set `write = true` under `[database]` in agentweaver.toml")
        }
        _ => failure,
    })?;
    let part = |name| answer.get(name).cloned().unwrap_or_default();
    let rows = part("rows");
    let result = match rows.as_list() {
        Some([]) | None if write_allowed => Value::map([("changed", part("changes"))]),
        Some(rows) => {
            let most = settings.count("rows_max").unwrap_or(usize::MAX);
            Value::list(rows.iter().take(most).cloned())
        }
        None => Value::list([]),
    };
    Ok(write(task, settings, result))
}

/// Reads or writes a file of the workspace.
pub async fn file(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let op = settings.text("op").unwrap_or("read");
    let mut args = Map::new();
    let operation = if op == "exists" { "read" } else { op };
    args.insert("operation".into(), operation.into());
    args.insert("path".into(), settings.required("path")?.into());
    if let Some(content) = settings.rendered("content")? {
        args.insert("content".into(), content.into());
    }
    let answer = call_tool(task.services, task.context, "file_op", args.into()).await;
    let result = match (op, answer) {
        ("exists", Ok(_)) => true.into(),
        ("exists", Err(failure)) if failure.code == "tool_not_found" => false.into(),
        (_, Err(failure)) => return Err(failure),
        ("list", Ok(listing)) => {
            let entries = listing.get("entries").and_then(Value::as_list).unwrap_or_default();
            Value::list(entries.iter().filter_map(|entry| entry.get("name").cloned()))
        }
        (_, Ok(answer)) => answer.get("content").cloned().unwrap_or(answer),
    };
    Ok(write(task, settings, result))
}

/// Runs Python text; what it assigns to `result` is the answer.
pub async fn code(task: &Task<'_>, settings: &Settings<'_>) -> Result<Answer<Value>, Failure> {
    let mut inputs = Vec::new();
    if let Some(wanted) = settings.get("inputs").and_then(Value::as_map) {
        for (name, expression) in wanted {
            let value = match expression {
                Value::Str(text) => template::evaluate(text, task.state)?,
                other => other.clone(),
            };
            inputs.push((name.clone(), value));
        }
    }
    let metadata = Value::map([(
        "limits",
        Value::map([
            ("cpu_seconds", settings.get("cpu_seconds").cloned().unwrap_or_default()),
            ("memory_mb", settings.get("memory_mb").cloned().unwrap_or_default()),
        ]),
    )]);
    let ended = task
        .python
        .run_text(
            task.services,
            task.context,
            FunctionCall {
                function: settings.text("code").unwrap_or_default(),
                args: vec![Value::map(inputs)],
                kwargs: Map::new(),
                input_class: None,
                answers: task.answers,
                taken: None,
                limits: limits(&metadata),
                attempt: None,
            },
        )
        .await;
    match ended {
        Ended::Failed(failure) => Err(failure),
        Ended::Interrupted(question) => Ok(Answer::Interrupted(vec![question])),
        Ended::Unwound => Ok(Answer::Interrupted(Vec::new())),
        Ended::Returned(result) => match (settings.text("into"), &result) {
            (Some(_), _) => Ok(write(task, settings, result)),
            (None, Value::Map(_)) => Ok(Answer::Node(NodeOutput::Update(result))),
            (None, Value::Null) => Ok(Answer::Node(NodeOutput::Nothing)),
            (None, other) => Err(Failure::new(
                FailureKind::InvalidInput,
                "code_result",
                format!(
                    "without `into`, `result` must be a dict of updates, not {}",
                    other.type_name()
                ),
            )),
        },
    }
}
