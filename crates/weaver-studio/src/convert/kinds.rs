//! What the old format calls its node types and settings.

use weaver_core::Value;

use crate::typed_nodes::{Argument, ArgumentKind};

/// What becomes of an old node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
    /// A typed node, by name.
    Typed(&'static str),
    Unknown,
}

/// Other words for node types.
const ALIASES: &[(&str, &[&str])] = &[
    ("user_input", &["user", "chat_input", "question", "form", "user_message", "ask"]),
    ("webhook", &["hook", "webhook_trigger", "http_trigger", "incoming_webhook"]),
    ("schedule", &["cron", "timer", "scheduler", "schedule_trigger"]),
    (
        "llm",
        &[
            "chat",
            "model",
            "ai",
            "prompt",
            "openai",
            "anthropic",
            "chat_model",
            "agent",
            "completion",
        ],
    ),
    (
        "intent",
        &[
            "classifier",
            "intent_classifier",
            "intent_recognition",
            "classify",
            "question_classifier",
        ],
    ),
    (
        "rag",
        &[
            "retrieval",
            "knowledge",
            "knowledge_base",
            "retriever",
            "vector_search",
            "knowledge_retrieval",
        ],
    ),
    ("agent_call", &["sub_agent", "call_agent", "a2a", "agent_node", "external_agent"]),
    ("http", &["http_request", "api", "api_call", "request", "rest", "http_call"]),
    ("database", &["sql", "db", "database_query", "sql_query"]),
    ("code", &["python", "script", "code_node", "code_execution", "python_code", "function"]),
    ("file", &["file_op", "file_operation", "file_system"]),
    ("mcp", &["mcp_tool", "mcp_call"]),
    ("condition", &["if", "if_else", "branch", "switch", "conditional", "decision", "router"]),
    ("loop", &["for", "foreach", "for_each", "while", "iteration", "loop_node", "repeat"]),
    ("parallel", &["fork", "parallel_node", "concurrent", "fan_out"]),
    ("wait", &["human", "approval", "human_input", "human_in_the_loop", "pause", "wait_for_human"]),
    ("response", &["answer", "reply", "respond", "output", "message", "chat_output"]),
    ("notify", &["notification", "email", "alert", "slack", "send_message"]),
    ("store", &["memory", "save", "memory_write", "memory_read", "variable_store"]),
];

/// The kind of an old node's type.
pub(super) fn kind(written: &str) -> Kind {
    let word = snake(written);
    let word = word.strip_suffix("_node").unwrap_or(&word);
    match word {
        "start" | "begin" | "entry" | "input" => return Kind::Start,
        "end" | "finish" | "exit" | "stop" => return Kind::End,
        _ => {}
    }
    let found = ALIASES.iter().find(|(name, aliases)| *name == word || aliases.contains(&word));
    found.map_or(Kind::Unknown, |(name, _)| Kind::Typed(name))
}

/// Settings that only say how the node is shown, or that it has.
const SHOWN: &[&str] = &[
    "label",
    "title",
    "name",
    "id",
    "type",
    "node_type",
    "icon",
    "color",
    "selected",
    "dragging",
    "width",
    "height",
    "style",
    "position",
    "position_absolute",
    "handles",
    "z_index",
    "class_name",
    "x",
    "y",
    "desc",
    "description",
    "outputs",
    "parent_id",
];

/// Other words for settings: node (`*` for all), ours, theirs.
const SETTINGS: &[(&str, &str, &[&str])] = &[
    (
        "*",
        "into",
        &[
            "output",
            "output_key",
            "output_variable",
            "output_var",
            "result_key",
            "save_to",
            "target",
            "result_variable",
            "variable",
        ],
    ),
    ("*", "timeout", &["timeout_seconds", "timeout_s"]),
    ("llm", "model", &["model_name", "model_id", "llm"]),
    (
        "llm",
        "prompt",
        &["user_prompt", "prompt_template", "template", "text", "content", "message", "user"],
    ),
    ("llm", "system", &["system_prompt", "system_message", "instructions", "role"]),
    ("llm", "max_tokens", &["max_output_tokens", "max_length"]),
    ("llm", "output_schema", &["schema", "response_format", "json_schema"]),
    ("intent", "model", &["model_name", "model_id", "llm"]),
    ("intent", "text", &["query", "prompt", "input", "question"]),
    ("intent", "intents", &["classes", "categories", "labels", "options"]),
    ("intent", "fallback", &["default", "else"]),
    (
        "rag",
        "knowledge_base",
        &["knowledge", "collection", "index", "dataset", "knowledge_base_id", "kb"],
    ),
    ("rag", "query", &["question", "text", "input", "search"]),
    ("rag", "top_k", &["k", "limit", "count"]),
    ("rag", "threshold", &["score_threshold", "min_score", "similarity_threshold"]),
    ("agent_call", "agent", &["agent_id", "agent_name", "url", "address"]),
    ("agent_call", "input", &["inputs", "input_mapping", "mapping", "arguments", "parameters"]),
    ("http", "url", &["endpoint", "uri", "address"]),
    ("http", "params", &["query", "query_params", "parameters"]),
    ("http", "json", &["json_body", "payload"]),
    ("http", "body", &["data", "content"]),
    ("http", "result", &["response_type", "response_format"]),
    ("database", "path", &["database", "db", "file", "connection", "dsn"]),
    ("database", "query", &["sql", "statement"]),
    ("database", "params", &["parameters", "arguments"]),
    ("code", "code", &["script", "source", "python", "body"]),
    ("code", "inputs", &["variables", "arguments", "parameters", "input"]),
    ("file", "op", &["operation", "action", "mode"]),
    ("file", "path", &["file", "filename", "file_name", "file_path"]),
    ("file", "content", &["text", "data", "body"]),
    ("mcp", "server", &["server_name", "server_id", "mcp_server"]),
    ("mcp", "tool", &["tool_name", "name_of_tool", "function"]),
    ("mcp", "arguments", &["args", "parameters", "inputs", "input"]),
    ("loop", "while_", &["while", "condition", "expression", "until_condition"]),
    ("loop", "items", &["list", "collection", "array", "iterable", "over"]),
    ("loop", "item_key", &["item", "item_name", "item_variable", "loop_variable"]),
    ("loop", "index_key", &["index", "index_variable"]),
    ("loop", "limit", &["max_iterations", "max", "max_loops", "iterations"]),
    ("parallel", "join", &["join_policy", "policy", "wait_for", "join_mode"]),
    ("parallel", "max_concurrency", &["concurrency", "max_parallel"]),
    ("wait", "message", &["prompt", "text", "question", "instructions"]),
    ("wait", "form", &["fields", "form_schema"]),
    ("wait", "deadline", &["timeout", "timeout_seconds"]),
    ("user_input", "message", &["prompt", "text", "question", "placeholder"]),
    ("user_input", "fields", &["form", "inputs"]),
    ("webhook", "path", &["url", "endpoint"]),
    ("schedule", "cron", &["expression", "cron_expression", "schedule"]),
    ("schedule", "timezone", &["time_zone", "tz"]),
    ("response", "text", &["message", "content", "template", "answer", "output", "value"]),
    ("notify", "channel", &["to", "recipient", "target"]),
    ("notify", "message", &["text", "content", "body"]),
    ("notify", "subject", &["heading"]),
    ("store", "op", &["operation", "action", "mode"]),
    ("store", "namespace", &["table", "collection", "path"]),
    ("store", "value", &["data", "content", "text"]),
];

/// What an old setting of a typed node is called here; nothing where it has no counterpart.
pub(super) fn setting<'s>(node: &str, old: &'s str, known: &'s [Argument]) -> Option<&'s str> {
    if let Some(argument) = known.iter().find(|argument| argument.name == old) {
        return Some(argument.name);
    }
    let fits = |of: &str| of == node || of == "*";
    let own = SETTINGS.iter().filter(|(of, ..)| *of == node);
    let all = SETTINGS.iter().filter(|(of, ..)| *of != node && fits(of));
    let found = own.chain(all).find(|(_, _, words)| words.contains(&old))?;
    known.iter().find(|argument| argument.name == found.1).map(|argument| argument.name)
}

/// Whether a setting only says how a node is shown.
pub(super) fn is_shown(old: &str) -> bool {
    SHOWN.contains(&old)
}

/// An old value as the argument takes it: numbers and truths may be texts, one text a list.
pub(super) fn fitted(kind: ArgumentKind, value: &Value) -> Option<Value> {
    let number = || match value {
        Value::Str(text) => text.trim().parse::<f64>().ok().filter(|x| x.is_finite()),
        other => other.as_f64().filter(|_| other.as_bool().is_none()),
    };
    let whole =
        || number().filter(|x| x.fract() == 0.0 && x.abs() < 9e15).map(|x| Value::Int(x as i64));
    let text = || match value {
        Value::Str(_) => Some(value.clone()),
        Value::Int(_) | Value::Float(_) => Some(Value::from(value.to_json())),
        _ => None,
    };
    let plain = |value: &Value| (value.tag().is_none()).then(|| value.clone());
    let one_of = |words: &[&str]| {
        let word = value.as_str()?.trim();
        let found = words.iter().find(|known| known.eq_ignore_ascii_case(word))?;
        Some(Value::str(*found))
    };
    match kind {
        ArgumentKind::Text
        | ArgumentKind::Template
        | ArgumentKind::Expression
        | ArgumentKind::Key => text(),
        ArgumentKind::Node => text(),
        ArgumentKind::Bool => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::Str(word) if word.eq_ignore_ascii_case("true") => Some(true.into()),
            Value::Str(word) if word.eq_ignore_ascii_case("false") => Some(false.into()),
            _ => None,
        },
        ArgumentKind::Int => whole(),
        ArgumentKind::Number => match value {
            Value::Int(_) | Value::Float(_) => Some(value.clone()),
            _ => whole().or_else(|| number().map(Value::Float)),
        },
        ArgumentKind::IntOrOneOf(words) => whole().or_else(|| one_of(words)),
        ArgumentKind::OneOf(words) => one_of(words),
        ArgumentKind::List => match value {
            Value::List(_) => plain(value),
            Value::Str(text) => Some(Value::list([Value::Str(text.clone())])),
            _ => None,
        },
        ArgumentKind::Dict => value.as_map().and_then(|_| plain(value)),
        ArgumentKind::ListOrDict => match value {
            Value::List(_) | Value::Map(_) => plain(value),
            _ => None,
        },
        ArgumentKind::Schema => value.as_map().and_then(|_| plain(value)),
        ArgumentKind::Any => plain(value),
    }
}

/// `maxTokens`, `Max Tokens` and `max-tokens` as `max_tokens`.
pub(super) fn snake(written: &str) -> String {
    let mut word = String::new();
    let mut small = false;
    for c in written.trim().chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && small {
                word.push('_');
            }
            small = c.is_lowercase() || c.is_ascii_digit();
            word.extend(c.to_lowercase());
        } else {
            small = false;
            if !word.ends_with('_') {
                word.push('_');
            }
        }
    }
    word.trim_matches('_').to_string()
}
