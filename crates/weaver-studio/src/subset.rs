//! What the embedded interpreter does not run, and what to write instead.
//! Checked against the interpreter itself; see its version in the manifest.

use std::ops::Range;

use ruff_python_ast::{Expr, ExprContext, Stmt, StmtClassDef};

use crate::syntax::range_of;

/// Something missing, as the subject of a sentence, and the way out.
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

/// `async for`, as a statement or in a comprehension.
pub(crate) const ASYNC_FOR: Missing =
    missing("`async for`", "collect the items first and loop over the list");
/// The `@` operator.
pub(crate) const MATMUL: Missing = missing("the operator `@`", "multiply in a loop");

/// What is wrong with a statement itself, not with its parts.
pub(crate) fn statement_problem(stmt: &Stmt) -> Option<Missing> {
    Some(match stmt {
        Stmt::Delete(_) => missing("`del`", "use `.pop(key)` or assign `None`"),
        Stmt::With(with) if with.is_async => {
            missing("`async with`", "call the methods directly, or use a plain `with`")
        }
        Stmt::For(repeat) if repeat.is_async => ASYNC_FOR,
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
    Some(match expr {
        Expr::Yield(_) | Expr::YieldFrom(_) => {
            missing("`yield`", "build a list and return it; use `get_stream_writer()` to stream")
        }
        Expr::TString(_) => missing("a template string", "use an f-string"),
        Expr::Attribute(attribute) if attribute.ctx == ExprContext::Load => {
            match attribute.attr.as_str() {
                "__name__" if !is_class_of(&attribute.value) => {
                    missing("`.__name__` of a function", "write the name as text")
                }
                "__qualname__" => missing("`.__qualname__`", "write the name as text"),
                "__cause__" => missing("`.__cause__`", "keep the first exception in a variable"),
                "__wrapped__" | "__closure__" | "__code__" | "__mro__" | "__subclasses__" => {
                    missing("looking into functions and classes", "pass the value itself")
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// `type(x)` or `x.__class__`, whose `__name__` works.
fn is_class_of(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => matches!(&*call.func, Expr::Name(name) if name.id == *"type"),
        Expr::Attribute(attribute) => attribute.attr.as_str() == "__class__",
        _ => false,
    }
}

/// A built-in name that is missing.
pub(crate) fn missing_builtin(name: &str) -> Option<Missing> {
    Some(match name {
        "input" => missing("`input()`", "use `interrupt(...)` to ask a person"),
        "super" => missing("`super()`", "call the other class's function directly"),
        "globals" | "locals" | "vars" | "dir" => {
            missing("looking up variables by name", "keep the values in a dict")
        }
        "compile" | "__import__" | "breakpoint" => {
            missing("`compile`, `__import__` and `breakpoint`", "leave it out")
        }
        "delattr" | "memoryview" | "bytearray" => {
            missing("`delattr`, `memoryview` and `bytearray`", "use `dict`, `bytes` or `list`")
        }
        "callable" => missing("`callable`", "look for what it is with `isinstance`"),
        "aiter" | "anext" => missing("`aiter` and `anext`", "use a list"),
        "issubclass" => missing("`issubclass`", "use `isinstance` on an object"),
        _ => return None,
    })
}

/// What keeps a class from being run. Classes that describe data never get here.
pub(crate) fn class_problems(class: &StmtClassDef) -> Vec<(Range<usize>, Missing)> {
    let mut found = Vec::new();
    if let Some(arguments) = &class.arguments
        && (!arguments.args.is_empty() || !arguments.keywords.is_empty())
    {
        let base = missing("a class with a base", "put the shared functions into the class itself");
        found.push((range_of(&**arguments), base));
    }
    for stmt in &class.body {
        match stmt {
            Stmt::FunctionDef(def) => {
                if let Some(decorator) = def.decorator_list.first() {
                    let decorated =
                        missing("a decorator on a method", "make it a plain method or a function");
                    found.push((range_of(decorator), decorated));
                }
                if matches!(def.name.as_str(), "__len__" | "__lt__" | "__gt__" | "__getattr__") {
                    let special = missing(
                        "`__len__`, `__lt__`, `__gt__` or `__getattr__` of a class",
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
