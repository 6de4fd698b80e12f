//! Which modules the embedded interpreter has. `studio` reports the others before
//! anything runs, `interpreter` turns imports into what it can answer: one list, so
//! that the two cannot differ.

/// Modules of the interpreter's own.
pub const NATIVE_MODULES: [&str; 24] = [
    "__future__",
    "asyncio",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "os",
    "pathlib",
    "random",
    "re",
    "sys",
    "time",
    "tomllib",
    "unicodedata",
];

/// First parts of modules that the host answers for, beside every `langchain_…`.
pub const HOST_MODULES: [&str; 20] = [
    "abc",
    "agentweaver",
    "anthropic",
    "contextlib",
    "enum",
    "heapq",
    "langchain",
    "langgraph",
    "logging",
    "openai",
    "operator",
    "pydantic",
    "statistics",
    "string",
    "textwrap",
    "typing",
    "typing_extensions",
    "urllib",
    "uuid",
    "warnings",
];

/// Whether the host answers for a module, by the first part of its dotted name.
pub fn is_host_module(module: &str) -> bool {
    let first = module.split('.').next().unwrap_or_default();
    first.starts_with("langchain_") || HOST_MODULES.contains(&first)
}
