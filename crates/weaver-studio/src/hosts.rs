//! Which imports the embedded interpreter can answer.

use weaver_core::embedded::{HOST_MODULES, HOST_NAMES, NATIVE_MODULES, PARTIAL_MODULES};

/// How an import is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The host or the interpreter has it.
    Here,
    /// Only a Python worker has it.
    Worker,
    /// The module is here, this name of it is not; what to do instead.
    NameMissing(&'static str),
}

/// Modules whose every name the host answers.
const WHOLE_FAMILIES: [&str; 3] = ["agentweaver", "typing", "typing_extensions"];

/// Modules with their submodules of which the host answers [`HOST_NAMES`].
const HOST_FAMILIES: [&str; 8] = [
    "langgraph",
    "langchain_core",
    "langchain.chat_models",
    "langchain.messages",
    "langchain.output_parsers",
    "langchain.prompts",
    "langchain.schema",
    "langchain.tools",
];

/// Names of those that make graphs, which are read and never run, and that mean something to
/// the reader of a parameter.
const GRAPH_NAMES: [&str; 13] = [
    "AgentState",
    "InjectedState",
    "InjectedStore",
    "InjectedToolCallId",
    "MessageGraph",
    "Runnable",
    "RunnableCallable",
    "StateGraph",
    "StateUpdate",
    "ToolRuntime",
    "create_react_agent",
    "entrypoint",
    "task",
];

/// Submodules of [`NATIVE_MODULES`] and [`HOST_MODULES`] that are here.
const SUBMODULES: [&str; 3] = ["collections.abc", "os.path", "urllib.parse"];

/// Names that those modules lack, and what to use instead. Checked against monty 1.4.0.
const MISSING: &[(&str, &str, &str)] = &[
    ("pydantic", "TypeAdapter", "make a model with one field"),
    ("pydantic", "create_model", "write the class out"),
    ("pydantic", "validate_call", "make a model of the arguments"),
    ("pydantic", "RootModel", "make a model with one field"),
    ("functools", "singledispatch", "use `match` or `isinstance`"),
    ("functools", "cached_property", "use a plain method"),
    ("functools", "total_ordering", "compare a key instead"),
    ("functools", "cmp_to_key", "sort by a key"),
    ("functools", "partialmethod", "write the method out"),
    ("collections", "ChainMap", "merge the dicts with `|`"),
    ("json", "JSONEncoder", "give `json.dumps` plain values"),
    ("re", "VERBOSE", "write the pattern on one line"),
    ("datetime", "UTC", "use `timezone.utc`"),
    ("sys", "exit", "raise an exception"),
    ("sys", "path", "leave it out"),
    ("pathlib", "PurePath", "use `Path`"),
    (
        "asyncio",
        "wait_for",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
    ("asyncio", "Queue", "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph"),
    (
        "asyncio",
        "Semaphore",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
    ("asyncio", "Lock", "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph"),
    (
        "asyncio",
        "TaskGroup",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
    (
        "asyncio",
        "timeout",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
    ("asyncio", "Event", "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph"),
    (
        "asyncio",
        "as_completed",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
    ("asyncio", "wait", "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph"),
    ("asyncio", "to_thread", "call the function directly"),
    ("asyncio", "get_event_loop", "call the function directly"),
    ("asyncio", "new_event_loop", "call the function directly"),
];

/// How `import module` or `from module import name` is answered.
pub(crate) fn answer(module: &str, name: Option<&str>) -> Answer {
    let within = |families: &[&str]| {
        let mut rests = families.iter().filter_map(|family| module.strip_prefix(family));
        rests.any(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if within(&WHOLE_FAMILIES) {
        return Answer::Here;
    }
    if within(&HOST_FAMILIES) {
        return match name {
            Some(name) if !HOST_NAMES.contains(&name) && !GRAPH_NAMES.contains(&name) => {
                Answer::NameMissing(
                    "do it in plain Python, or attach a worker with `agentweaver worker --python \
                     FILE.py`",
                )
            }
            _ => Answer::Here,
        };
    }
    let first = module.split('.').next().unwrap_or(module);
    if first.starts_with("langchain_") {
        let known = name.is_none_or(|name| HOST_NAMES.contains(&name));
        return if known { Answer::Here } else { Answer::Worker };
    }
    if matches!(first, "openai" | "anthropic") && name.is_some_and(|name| !name.ends_with("Error"))
    {
        return Answer::NameMissing("use a chat model such as `ChatOpenAI`, or `nodes.llm`");
    }
    let known =
        [&NATIVE_MODULES[..], &HOST_MODULES, &SUBMODULES].iter().any(|m| m.contains(&module));
    if first != "pydantic" && !known {
        return Answer::Worker;
    }
    if let (Some(name), Some((_, here, instead))) =
        (name, PARTIAL_MODULES.iter().find(|entry| entry.0 == module))
        && !here.contains(&name)
    {
        return Answer::NameMissing(instead);
    }
    match MISSING.iter().find(|entry| entry.0 == module && Some(entry.1) == name) {
        Some(entry) => Answer::NameMissing(entry.2),
        None => Answer::Here,
    }
}
