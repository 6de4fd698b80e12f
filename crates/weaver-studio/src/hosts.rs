//! Which imports the embedded interpreter can answer.

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

/// Modules whose every submodule the host answers.
const HOST_FAMILIES: [&str; 13] = [
    "agentweaver",
    "langgraph",
    "langchain_core",
    "langchain_openai",
    "langchain_anthropic",
    "langchain_google_genai",
    "langchain_ollama",
    "langchain.chat_models",
    "langchain.tools",
    "langchain.messages",
    "typing",
    "typing_extensions",
    "pydantic",
];

/// Modules of the standard library that the interpreter or the host has.
const STANDARD: [&str; 31] = [
    "__future__",
    "asyncio",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "os",
    "os.path",
    "pathlib",
    "random",
    "re",
    "sys",
    "time",
    "tomllib",
    "unicodedata",
    "uuid",
    "warnings",
];

/// Names that those modules lack, and what to use instead. Checked against monty 1.4.0.
const MISSING: &[(&str, &str, &str)] = &[
    ("functools", "wraps", "leave it out: only the wrapper's name changes"),
    ("functools", "singledispatch", "use `match` or `isinstance`"),
    ("functools", "cached_property", "use a plain method"),
    ("functools", "total_ordering", "compare a key instead"),
    ("functools", "cmp_to_key", "sort by a key"),
    ("functools", "partialmethod", "write the method out"),
    ("dataclasses", "asdict", "write the dict out"),
    ("dataclasses", "astuple", "write the tuple out"),
    ("dataclasses", "replace", "make a new object"),
    ("dataclasses", "fields", "write the names out"),
    ("collections", "OrderedDict", "use `dict`: it keeps its order"),
    ("collections", "ChainMap", "merge the dicts with `|`"),
    ("json", "JSONEncoder", "give `json.dumps` plain values"),
    ("re", "VERBOSE", "write the pattern on one line"),
    ("datetime", "UTC", "use `timezone.utc`"),
    ("sys", "exit", "raise an exception"),
    ("sys", "path", "leave it out"),
    ("pathlib", "PurePath", "use `Path`"),
    (
        "asyncio",
        "create_task",
        "use `asyncio.gather`, and `timeout=` and `max_concurrency` of the graph",
    ),
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
    let family = HOST_FAMILIES.iter().any(|family| {
        module.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    if family {
        return Answer::Here;
    }
    // `from langchain import chat_models`
    if module == "langchain" && matches!(name, Some("chat_models" | "tools" | "messages")) {
        return Answer::Here;
    }
    if !STANDARD.contains(&module) {
        return Answer::Worker;
    }
    match MISSING.iter().find(|entry| entry.0 == module && Some(entry.1) == name) {
        Some(entry) => Answer::NameMissing(entry.2),
        None => Answer::Here,
    }
}
