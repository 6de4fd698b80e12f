//! Policies of nodes: retry, timeout, cache, error handler.

use weaver_core::Value;
use weaver_core::spec::{CacheSpec, NodePolicies, RetryOn, RetrySpec, TimeoutSpec, ToolErrors};

use super::Evaluator;
use super::value::{Abs, CallArgs, Val};

impl<'a> Evaluator<'a> {
    /// The policies among the arguments of `add_node` and `set_node_defaults`.
    pub(super) fn policies(&mut self, args: &CallArgs<'a>) -> NodePolicies {
        let retry = args.keyword("retry_policy").or_else(|| args.keyword("retry"));
        let retry = match retry.map(|value| (value.items(), &value.abs)) {
            Some((_, Abs::Retry(policy))) => vec![(**policy).clone()],
            Some((Some(items), _)) => items
                .iter()
                .filter_map(|item| match &item.abs {
                    Abs::Retry(policy) => Some((**policy).clone()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let timeout = args.keyword("timeout").and_then(|value| match &value.abs {
            Abs::Timeout(policy) => Some(policy.clone()),
            _ => seconds(value)
                .map(|limit| TimeoutSpec { run_timeout: Some(limit), idle_timeout: None }),
        });
        let cache = args.keyword("cache_policy").and_then(|value| match &value.abs {
            Abs::Cache(policy) => Some(policy.clone()),
            _ => None,
        });
        let handler = args.keyword("error_handler").filter(|value| !value.is_none()).cloned();
        let error_handler = handler.and_then(|value| self.register(&value).ok()).map(|(id, _)| id);
        NodePolicies { retry, timeout, cache, error_handler }
    }

    /// `RetryPolicy(...)` with LangGraph's defaults.
    pub(super) fn retry_policy(&mut self, args: &CallArgs<'a>) -> RetrySpec {
        let number =
            |position, name, default| args.get(position, name).and_then(seconds).unwrap_or(default);
        let retry_on = args.get(5, "retry_on").cloned();
        RetrySpec {
            initial_interval: number(0, "initial_interval", 0.5),
            backoff_factor: number(1, "backoff_factor", 2.0),
            max_interval: number(2, "max_interval", 128.0),
            max_attempts: number(3, "max_attempts", 3.0).clamp(0.0, u32::MAX.into()) as u32,
            jitter: args.get(4, "jitter").and_then(Val::as_bool).unwrap_or(true),
            retry_on: retry_on.and_then(|value| self.retry_on(&value)),
        }
    }

    fn retry_on(&mut self, value: &Val<'a>) -> Option<RetryOn> {
        if let Some(classes) = exceptions(value) {
            return Some(RetryOn::Exceptions(classes));
        }
        // `default_retry_on` is what holds without an answer.
        self.register(value).ok().map(|(id, _)| RetryOn::Function(id))
    }

    /// `handle_tool_errors=`.
    pub(super) fn tool_errors(&mut self, value: &Val<'a>) -> ToolErrors {
        match (value.as_bool(), value.as_str()) {
            (Some(true), _) => return ToolErrors::All,
            (Some(false), _) => return ToolErrors::Raise,
            (_, Some(text)) => return ToolErrors::Text(text.to_string()),
            _ => {}
        }
        if let Some(classes) = exceptions(value) {
            return ToolErrors::Classes(classes);
        }
        let Ok((id, callable)) = self.register(value) else { return ToolErrors::All };
        let parameters = callable.parameters(self.text);
        let error = parameters.iter().find(|parameter| parameter.name != "self");
        let annotation = error.and_then(|parameter| parameter.annotation.as_deref());
        ToolErrors::Function { id, classes: annotation.map(class_names).unwrap_or_default() }
    }

    pub(super) fn timeout_policy(&mut self, args: &CallArgs<'a>) -> TimeoutSpec {
        TimeoutSpec {
            run_timeout: args.get(0, "run_timeout").and_then(seconds),
            idle_timeout: args.get(1, "idle_timeout").and_then(seconds),
        }
    }

    pub(super) fn cache_policy(&mut self, args: &CallArgs<'a>) -> CacheSpec {
        let key = args.get(0, "key_func").filter(|value| !value.is_none()).cloned();
        CacheSpec {
            key_func: key.and_then(|value| self.register(&value).ok()).map(|(id, _)| id),
            ttl: args.get(1, "ttl").and_then(seconds),
        }
    }
}

/// A class or a tuple of classes, by name.
fn exceptions(value: &Val<'_>) -> Option<Vec<String>> {
    let exception = |value: &Val<'_>| match &value.abs {
        Abs::Import(path) if path.rsplit('.').next().is_some_and(starts_upper) => {
            path.rsplit('.').next().map(String::from)
        }
        Abs::Class(class) => Some(class.class.name.to_string()),
        _ => None,
    };
    match value.items() {
        Some(items) => Some(items.iter().filter_map(exception).collect()),
        None => Some(vec![exception(value)?]),
    }
}

/// The classes of `A | B` or `Union[A, B]`, without their modules.
fn class_names(annotation: &str) -> Vec<String> {
    let words = annotation.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
    let names = words.filter_map(|word| word.rsplit('.').next());
    names.filter(|name| starts_upper(name) && *name != "Union").map(String::from).collect()
}

/// A number, or `timedelta(seconds=…)` written as a number of seconds.
fn seconds(value: &Val<'_>) -> Option<f64> {
    match &value.abs {
        Abs::Const(value @ (Value::Int(_) | Value::Float(_))) => value.as_f64(),
        _ => None,
    }
}

fn starts_upper(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}
