//! Names that lowering must know.

/// Names that modules of the interpreter lack and our faces have.
pub(crate) const LACKING: [(&str, &str); 8] = [
    ("functools", "wraps"),
    ("dataclasses", "asdict"),
    ("dataclasses", "replace"),
    ("dataclasses", "astuple"),
    ("dataclasses", "fields"),
    ("collections", "OrderedDict"),
    ("asyncio", "create_task"),
    ("collections", "abc"),
];
/// Exception classes that need no lowering.
pub(crate) const BUILTIN_ERRORS: [&str; 33] = [
    "Exception",
    "BaseException",
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "LookupError",
    "RuntimeError",
    "NotImplementedError",
    "RecursionError",
    "AttributeError",
    "NameError",
    "OSError",
    "TimeoutError",
    "PermissionError",
    "FileNotFoundError",
    "ArithmeticError",
    "ZeroDivisionError",
    "OverflowError",
    "AssertionError",
    "ImportError",
    "StopIteration",
    "SystemExit",
    "MemoryError",
    "KeyboardInterrupt",
    "ModuleNotFoundError",
    "FileExistsError",
    "IsADirectoryError",
    "NotADirectoryError",
    "SyntaxError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
];

/// Builtin exception classes that the interpreter lacks, each with its base.
pub(crate) const LACKING_ERRORS: [(&str, &str); 35] = [
    ("GeneratorExit", "BaseException"),
    ("BufferError", "Exception"),
    ("EOFError", "Exception"),
    ("ReferenceError", "Exception"),
    ("StopAsyncIteration", "Exception"),
    ("SystemError", "Exception"),
    ("Warning", "Exception"),
    ("BytesWarning", "Warning"),
    ("DeprecationWarning", "Warning"),
    ("EncodingWarning", "Warning"),
    ("FutureWarning", "Warning"),
    ("ImportWarning", "Warning"),
    ("PendingDeprecationWarning", "Warning"),
    ("ResourceWarning", "Warning"),
    ("RuntimeWarning", "Warning"),
    ("SyntaxWarning", "Warning"),
    ("UnicodeWarning", "Warning"),
    ("UserWarning", "Warning"),
    ("FloatingPointError", "ArithmeticError"),
    ("EnvironmentError", "OSError"),
    ("IOError", "OSError"),
    ("BlockingIOError", "OSError"),
    ("ChildProcessError", "OSError"),
    ("InterruptedError", "OSError"),
    ("ProcessLookupError", "OSError"),
    ("ConnectionError", "OSError"),
    ("BrokenPipeError", "ConnectionError"),
    ("ConnectionAbortedError", "ConnectionError"),
    ("ConnectionRefusedError", "ConnectionError"),
    ("ConnectionResetError", "ConnectionError"),
    ("PythonFinalizationError", "RuntimeError"),
    ("IndentationError", "SyntaxError"),
    ("TabError", "IndentationError"),
    ("UnicodeError", "ValueError"),
    ("UnicodeTranslateError", "UnicodeError"),
];

/// The bases of a class, nearest first, to the first that the interpreter has.
pub(crate) fn bases_to_builtin(class: &str) -> Vec<&'static str> {
    let base = |class: &str| LACKING_ERRORS.iter().find(|(name, _)| *name == class);
    std::iter::successors(base(class), |(_, parent)| base(parent))
        .map(|(_, parent)| *parent)
        .collect()
}
