//! What Python the embedded interpreter does not run, for `check` to report
//! beforehand. A function that needs any of it runs on a Python worker.

/// Statements and expressions, by the names of Python's `ast`, with what to write instead.
pub const UNSUPPORTED_SYNTAX: &[(&str, &str)] = &[
    ("YieldValue", "a generator makes its items at once: build a list and return it"),
    ("EndlessGenerator", "build a list of as many items as are needed"),
    ("GeneratorNode", "return the update"),
    ("AsyncWith", "use `with`, or a Python worker"),
    ("TryStar", "use `except`"),
    ("TypeAlias", "assign the type to a name"),
    (
        "MethodDecorator",
        "only `property`, `staticmethod`, `classmethod`, `field_validator`, `model_validator`: \
         use a plain method or a function",
    ),
    ("Metaclass", "leave the metaclass out"),
    ("SuperMethod", "`super()` works in classes that build on one of the file"),
    ("LocalClassWithBases", "define the class at the top of the file"),
];

/// Special methods that classes of the file may define in vain.
pub const UNSUPPORTED_METHODS: &[&str] = &[
    "__bool__",
    "__len__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__getattr__",
    "__setattr__",
    "__delattr__",
    "__new__",
    "__aenter__",
    "__aexit__",
    "__aiter__",
    "__anext__",
    "__del__",
    "__init_subclass__",
    "__class_getitem__",
    "__int__",
    "__float__",
    "__format__",
    "__missing__",
];

/// Builtin functions that do not exist.
pub const UNSUPPORTED_BUILTINS: &[&str] = &[
    "vars",
    "dir",
    "globals",
    "super",
    "input",
    "compile",
    "memoryview",
    "breakpoint",
    "help",
    "__import__",
];

/// Attributes of functions and exceptions that do not exist.
pub const UNSUPPORTED_ATTRIBUTES: &[&str] = &[
    "__doc__",
    "__dict__",
    "__mro__",
    "__bases__",
    "__subclasses__",
    "__cause__",
    "__context__",
    "__traceback__",
    "__code__",
    "__wrapped__",
];
