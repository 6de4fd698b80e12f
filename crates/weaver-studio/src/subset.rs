//! What the embedded interpreter does not run, and what to write instead.
//! `weaver_interpreter::limits` says the same of syntax and names; `weaver-agent`, which sees both crates,
//! tests that they agree.

use std::ops::Range;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, ExprAttribute, ExprCall, ExprContext, Stmt, StmtClassDef};

use crate::eval::outcome::type_head;
use crate::syntax::range_of;

/// Something missing, as the object of a sentence, and the way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    /// What.
    pub what: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

const fn missing(what: &'static str, instead: &'static str) -> Missing {
    Missing { what, instead }
}

/// What a generator gives back when it is asked.
pub(crate) const YIELD_VALUE: Missing = missing(
    "`yield` as a value",
    "build a list and return it; use `get_stream_writer()` to stream",
);
/// A generator without an end: its items are made at once here.
pub(crate) const ENDLESS_GENERATOR: Missing =
    missing("`yield` in an endless loop", "build a list of as many items as are needed");
/// The `@` operator.
pub(crate) const MATMUL: Missing = missing("the operator `@`", "multiply in a loop");

/// A class inside a function that builds on another.
pub(crate) const LOCAL_CLASS_WITH_BASES: Missing =
    missing("a class with a base inside a function", "define the class at the top of the file");

/// What is wrong with a statement itself, not with its parts.
pub(crate) fn statement_problem(stmt: &Stmt) -> Option<Missing> {
    Some(match stmt {
        Stmt::With(with) if with.is_async => {
            missing("`async with`", "call the methods directly, or use a plain `with`")
        }
        Stmt::Try(attempt) if attempt.is_star => missing("`except*`", "use `except`"),
        Stmt::TypeAlias(_) => missing("`type X = …`", "write `X = …`"),
        Stmt::ImportFrom(import) if import.level > 0 => {
            missing("a relative import", "move the code into this file")
        }
        Stmt::ImportFrom(import) if import.names.iter().any(|alias| alias.name.as_str() == "*") => {
            missing("`from … import *`", "import the names one by one")
        }
        _ => return None,
    })
}

/// What is wrong with an expression itself, not with its parts.
pub(crate) fn expression_problem(expr: &Expr) -> Option<Missing> {
    match expr {
        Expr::TString(_) => Some(missing("a template string", "use an f-string")),
        Expr::Attribute(attribute) if attribute.ctx == ExprContext::Load => {
            attribute_problem(attribute)
        }
        _ => None,
    }
}

fn attribute_problem(attribute: &ExprAttribute) -> Option<Missing> {
    let receiver = match &*attribute.value {
        Expr::Name(name) => name.id.as_str(),
        _ => "",
    };
    Some(match attribute.attr.as_str() {
        "__qualname__" => missing("`.__qualname__`", "write the name as text"),
        "__doc__" => missing("`.__doc__`", "keep the text in a variable"),
        "__dict__" => missing("`.__dict__`", "name the attributes one by one"),
        "__cause__" | "__context__" => {
            missing("`.__cause__` and `.__context__`", "keep the first exception in a variable")
        }
        "__traceback__" => missing("`.__traceback__`", "leave it out: failures are logged with it"),
        "__wrapped__" | "__closure__" | "__code__" | "__mro__" | "__bases__" | "__subclasses__" => {
            missing("looking into functions and classes", "pass the value itself")
        }
        "read_text" | "write_text" | "read_bytes" | "write_bytes" | "iterdir" | "is_file"
        | "is_dir"
            if receiver != "tools" =>
        {
            FILES
        }
        "listdir" | "scandir" | "walk" | "makedirs" | "mkdir" | "rmdir" | "remove" | "rename"
        | "unlink" | "stat" | "chdir"
            if receiver == "os" =>
        {
            FILES
        }
        "system" | "popen" | "fork" | "kill" if receiver == "os" => {
            missing("starting a process", "use a tool")
        }
        _ => return None,
    })
}

const FILES: Missing =
    missing("access to files", "use a `nodes.file` node, or a tool of the host through `tools`");

/// A built-in name that is missing.
pub(crate) fn missing_builtin(name: &str) -> Option<Missing> {
    Some(match name {
        "open" => FILES,
        "input" => missing("`input()`", "use `interrupt(...)` to ask a person"),
        "super" => missing(
            "`super()` other than `super().method(...)` in a class that builds on one of the file",
            "call the other class's function directly",
        ),
        "globals" | "vars" | "dir" => {
            missing("looking up variables by name", "keep the values in a dict")
        }
        "compile" | "__import__" | "breakpoint" | "help" => {
            missing("`compile`, `__import__`, `breakpoint` and `help`", "leave it out")
        }
        "exit" | "quit" => missing("`exit` and `quit`", "raise an exception"),
        "delattr" | "memoryview" | "bytearray" => {
            missing("`delattr`, `memoryview` and `bytearray`", "use `dict`, `bytes` or `list`")
        }
        "aiter" | "anext" => missing("`aiter` and `anext`", "use a list"),
        "ascii" => missing("`ascii`", "use `repr`"),
        "ExceptionGroup" | "BaseExceptionGroup" => {
            missing("groups of exceptions", "raise one exception")
        }
        _ => return None,
    })
}

/// A built-in that is there but cannot be called.
pub(crate) fn call_problem(call: &ExprCall) -> Option<(&Name, Missing)> {
    match &*call.func {
        Expr::Name(name) if name.id == *"object" => {
            Some((&name.id, missing("`object()`", "compare with a text or a number of your own")))
        }
        _ => None,
    }
}

/// The method of `super().method(…)`.
pub(crate) fn super_method(call: &ExprCall) -> Option<&str> {
    let Expr::Attribute(attribute) = &*call.func else { return None };
    let Expr::Call(inner) = &*attribute.value else { return None };
    let is_super = matches!(&*inner.func, Expr::Name(name) if name.id == *"super");
    is_super.then_some(attribute.attr.as_str())
}

/// What `super()` can mean in the methods of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Super {
    /// Nothing.
    #[default]
    Nothing,
    /// `__init__` and `__str__` of an exception.
    Exception,
    /// Any method of a class that may be one of the file.
    Methods,
}

impl Super {
    /// What it means in a class, as far as its bases' names tell.
    pub fn of(class: &StmtClassDef) -> Super {
        const OUTSIDE: [&str; 16] = [
            "ABC",
            "BaseModel",
            "BaseStore",
            "BaseTool",
            "Enum",
            "Generic",
            "IntEnum",
            "MessagesState",
            "NamedTuple",
            "Protocol",
            "StrEnum",
            "TypedDict",
            "dict",
            "int",
            "object",
            "str",
        ];
        let mut bases = class.arguments.iter().flat_map(|arguments| &arguments.args);
        match is_exception(class) {
            true => Super::Exception,
            false if bases.any(|base| !OUTSIDE.contains(&type_head(base))) => Super::Methods,
            false => Super::Nothing,
        }
    }

    /// Whether a call of `super().method` runs.
    pub fn runs(self, method: &str) -> bool {
        match self {
            Super::Nothing => false,
            Super::Exception => matches!(method, "__init__" | "__str__"),
            Super::Methods => true,
        }
    }
}

/// Whether a class is an exception, as far as its bases' names tell.
pub(crate) fn is_exception(class: &StmtClassDef) -> bool {
    let bases = class.arguments.iter().flat_map(|arguments| &arguments.args);
    bases.map(type_head).any(|base| {
        base.ends_with("Error") || base.ends_with("Exception") || base.ends_with("Warning")
    })
}

/// Special methods that the interpreter never calls.
const SPECIAL_METHODS: [&str; 21] = [
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

/// Whether a method may be decorated with it.
fn runs_decorator(decorator: &Expr) -> bool {
    let Expr::Call(call) = decorator else {
        return matches!(
            type_head(decorator),
            "property" | "staticmethod" | "classmethod" | "abstractmethod" | "override"
        );
    };
    let after_or_before = call.arguments.keywords.iter().all(|keyword| {
        let is_mode = keyword.arg.as_ref().is_some_and(|name| name.as_str() == "mode");
        !is_mode
            || matches!(&keyword.value, Expr::StringLiteral(mode)
                if matches!(mode.value.to_str(), "before" | "after"))
    });
    matches!(type_head(&call.func), "field_validator" | "model_validator" | "validator")
        && after_or_before
}

/// What keeps a class from being run. Classes that describe data never get here.
pub(crate) fn class_problems(class: &StmtClassDef) -> Vec<(Range<usize>, Missing)> {
    let mut found = Vec::new();
    for keyword in class.arguments.iter().flat_map(|arguments| &arguments.keywords) {
        if keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == "metaclass") {
            found.push((range_of(keyword), missing("a metaclass", "leave the metaclass out")));
        }
    }
    for stmt in &class.body {
        match stmt {
            Stmt::FunctionDef(def) => {
                for decorator in &def.decorator_list {
                    if !runs_decorator(&decorator.expression) {
                        let decorated = missing(
                            "this decorator on a method",
                            "make it a plain method or a function",
                        );
                        found.push((range_of(decorator), decorated));
                    }
                }
                if SPECIAL_METHODS.contains(&def.name.as_str()) {
                    let special = missing(
                        "a special method such as `__len__`, `__lt__` or `__getattr__`",
                        "use a method with a plain name",
                    );
                    found.push((range_of(&def.name), special));
                }
            }
            Stmt::ClassDef(inner) => {
                let nested = missing("a class inside a class", "move it to the top of the file");
                found.push((range_of(&inner.name), nested));
            }
            _ => {}
        }
    }
    found
}
