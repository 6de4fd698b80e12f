//! Lowering: what the interpreter cannot parse, said in what it can.
//!
//! Custom exceptions, `del`, enums, inheritance among the file's own classes and
//! imports that a function makes are rewritten in place. Lines never move; an
//! edit's columns are taken back in tracebacks by [`Lowered::original_column`].

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use weaver_core::LineIndex;
use weaver_core::embedded::{NATIVE_MODULES, is_host_module};

use crate::names::{BUILTIN_ERRORS, LACKING, LACKING_ERRORS};

/// A lowered source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    /// The source to run, with the lines of the original.
    pub(crate) source: String,
    /// What must run after it, not the user's.
    pub(crate) epilogue: String,
    columns: Vec<ColumnEdit>,
}

/// On one line, at a column of the original, characters taken away and put in.
#[derive(Clone, Copy, Debug)]
struct ColumnEdit {
    line: u32,
    column: u32,
    removed: u32,
    inserted: u32,
}

/// Lowers a module. What cannot be parsed stays as it is: the interpreter says what is wrong.
pub(crate) fn lower(source: &str) -> Lowered {
    let Ok(parsed) = ruff_python_parser::parse_module(source) else {
        return Lowered { source: source.into(), ..Lowered::default() };
    };
    let module = parsed.syntax();
    let mut lowering =
        Lowering { source, edits: Vec::new(), epilogue: String::new(), classes: Vec::new() };
    lowering.visit_body(&module.body);
    lowering.finish()
}

impl Lowered {
    /// The column, from 1, that the original has at a place of the lowered source.
    pub(crate) fn original_column(&self, line: u32, column: u32) -> u32 {
        let mut shift: i64 = 0;
        let column = i64::from(column);
        for edit in self.columns.iter().filter(|edit| edit.line == line) {
            let start = i64::from(edit.column) + shift;
            if column < start + i64::from(edit.inserted) {
                return column.min(start).saturating_sub(shift).max(1) as u32;
            }
            shift += i64::from(edit.inserted) - i64::from(edit.removed);
        }
        (column - shift).max(1) as u32
    }
}

struct Lowering<'a> {
    source: &'a str,
    edits: Vec<(TextRange, String)>,
    epilogue: String,
    classes: Vec<Class>,
}

/// A class of the file that others may build on.
struct Class {
    name: String,
    kind: ClassKind,
    methods: Vec<String>,
}

#[derive(Clone, PartialEq)]
enum ClassKind {
    Plain,
    /// Names of its bases, nearest first.
    Error(Vec<String>),
}

impl Lowering<'_> {
    fn text(&self, node: impl Ranged) -> &str {
        &self.source[node.range()]
    }

    fn replace(&mut self, range: TextRange, text: impl Into<String>) {
        self.edits.push((range, text.into()));
    }

    fn wrap(&mut self, range: TextRange, call: &str) {
        self.replace(TextRange::empty(range.start()), format!("{call}("));
        self.replace(TextRange::empty(range.end()), ")");
    }

    /// A class with bases: the bases are blanked, what they mean comes after the module.
    fn class(&mut self, class: &ast::StmtClassDef) {
        let name = class.name.as_str();
        let methods = methods_of(class);
        let Some(arguments) = &class.arguments else {
            self.classes.push(Class { name: name.into(), kind: ClassKind::Plain, methods });
            return;
        };
        let bases: Vec<String> = arguments.args.iter().map(last_name).collect();
        let blank = self
            .text(&**arguments)
            .chars()
            .map(|c| if c == '\n' { "\\\n".into() } else { " ".repeat(c.len_utf8()) });
        let blank: String = blank.collect();
        self.replace(arguments.range(), blank);
        let known = |name: &String| self.classes.iter().find(|class| class.name == *name);
        let is_error = |name: &String| {
            matches!(known(name), Some(Class { kind: ClassKind::Error(_), .. }))
                || ["Error", "Exception", "Warning"].iter().any(|end| name.ends_with(end))
                || BUILTIN_ERRORS.contains(&name.as_str())
                || LACKING_ERRORS.iter().any(|(lacking, _)| lacking == name)
        };
        let kind = if bases.iter().any(is_error) {
            let mut all = Vec::new();
            for base in &bases {
                all.push(base.clone());
                if let Some(Class { kind: ClassKind::Error(more), .. }) = known(base) {
                    all.extend(more.iter().cloned());
                }
            }
            let parent = bases.iter().find(|base| known(base).is_some());
            let line = format!(
                "_aw['define_error']({name}, {name:?}, {all:?}, {methods:?}, {})\n",
                parent.map_or("None", String::as_str)
            );
            self.epilogue.push_str(&line);
            ClassKind::Error(all)
        } else if bases.iter().any(|base| base.ends_with("Enum")) {
            let members = members_of(class);
            self.epilogue.push_str(&format!("_aw['define_enum']({name}, {name:?}, {members:?})\n"));
            ClassKind::Plain
        } else {
            let mut inherited = String::new();
            for base in bases.iter().filter_map(known) {
                let taken = base.methods.iter().filter(|method| !methods.contains(method));
                for method in taken {
                    inherited.push_str(&format!("{name}.{method} = {}.{method}\n", base.name));
                }
            }
            self.epilogue.push_str(&inherited);
            ClassKind::Plain
        };
        self.classes.push(Class { name: name.into(), kind, methods });
    }

    /// Parameters that a tool gets from the state and not from the model.
    fn injected(&mut self, function: &ast::StmtFunctionDef) {
        for parameter in function.parameters.iter_non_variadic_params() {
            let Some(annotation) = parameter.annotation() else { continue };
            let text = self.text(annotation);
            let (kind, field) = if let Some((_, rest)) = text.split_once("InjectedState") {
                ("state", rest.strip_prefix('(').and_then(|rest| rest.split(['"', '\'']).nth(1)))
            } else if text.contains("InjectedToolCallId") {
                ("id", None)
            } else if text.contains("InjectedStore") {
                ("store", None)
            } else {
                continue;
            };
            let field = field.map_or("None".to_owned(), |field| format!("{field:?}"));
            let (name, function) = (parameter.name().as_str(), function.name.as_str());
            self.epilogue.push_str(&format!(
                "_aw['injected'].setdefault({function:?}, []).append(({name:?}, {kind:?}, {field}))\n"
            ));
        }
    }

    /// `message.text`, which is a property and a method; objects here have no properties.
    fn text_property(&mut self, attribute: &ast::ExprAttribute) {
        if attribute.attr.as_str() == "text" && attribute.ctx == ExprContext::Load {
            let value = attribute.value.range();
            self.replace(TextRange::empty(value.start()), "_aw_text(");
            self.replace(TextRange::new(value.end(), attribute.end()), ")");
        }
    }

    /// `super().__init__(...)` of an exception class.
    fn super_call(&mut self, call: &ast::ExprCall) -> bool {
        let Expr::Attribute(attribute) = &*call.func else { return false };
        let Expr::Call(inner) = &*attribute.value else { return false };
        let is_super = matches!(&*inner.func, Expr::Name(name) if name.id == "super");
        if !is_super || attribute.attr.as_str() != "__init__" {
            return false;
        }
        self.replace(call.func.range(), "_aw_super");
        let open = TextRange::at(call.arguments.start(), 1.into());
        let no_arguments = call.arguments.args.is_empty() && call.arguments.keywords.is_empty();
        self.replace(open, if no_arguments { "(self" } else { "(self, " });
        true
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let module = import.module.as_ref().map(|module| module.as_str()).unwrap_or_default();
        let lacking =
            import.names.iter().any(|alias| LACKING.contains(&(module, alias.name.as_str())));
        if import.level > 0 || !(lacking || is_host_module(module)) {
            return;
        }
        let mut locals = Vec::new();
        let mut values = Vec::new();
        for alias in &import.names {
            locals.push(alias.asname.as_ref().unwrap_or(&alias.name).as_str().to_owned());
            values.push(match NATIVE_MODULES.contains(&module) {
                true if !LACKING.contains(&(module, alias.name.as_str())) => {
                    format!("_aw_native({module:?}, {:?})", alias.name.as_str())
                }
                _ => format!("_aw_find({module:?}, {:?})", alias.name.as_str()),
            });
        }
        self.bind(import.range(), &locals, &values);
    }

    fn import(&mut self, import: &ast::StmtImport) {
        if !import.names.iter().all(|alias| is_host_module(alias.name.as_str())) {
            return;
        }
        let local = |alias: &ast::Alias| {
            let whole = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            whole.split('.').next().unwrap_or_default().to_owned()
        };
        let module = |alias: &ast::Alias| match alias.asname {
            Some(_) => alias.name.as_str().to_owned(),
            None => local(alias),
        };
        let locals: Vec<_> = import.names.iter().map(local).collect();
        let values =
            import.names.iter().map(|alias| format!("_aw_find({:?}, None)", module(alias)));
        let values: Vec<_> = values.collect();
        self.bind(import.range(), &locals, &values);
    }

    /// An assignment over as many lines as the import had.
    fn bind(&mut self, range: TextRange, locals: &[String], values: &[String]) {
        let lines = "\n".repeat(self.source[range].matches('\n').count());
        let text = format!("({},) = ({lines}{},)", locals.join(", "), values.join(", "));
        self.replace(range, text);
    }

    fn delete(&mut self, delete: &ast::StmtDelete) {
        let parts: Vec<String> = delete
            .targets
            .iter()
            .map(|target| match target {
                Expr::Subscript(part) => {
                    format!(
                        "_aw_delete({}, {})",
                        self.text(&*part.value),
                        slice_text(self.text(&*part.slice))
                    )
                }
                Expr::Attribute(part) => {
                    format!("setattr({}, {:?}, None)", self.text(&*part.value), part.attr.as_str())
                }
                other => format!("{} = None", self.text(other)),
            })
            .collect();
        self.replace(delete.range(), parts.join("; "));
    }

    fn finish(mut self) -> Lowered {
        self.edits.sort_by_key(|(range, _)| (range.start(), range.end()));
        let index = LineIndex::new(self.source);
        let mut lowered = Lowered { epilogue: self.epilogue, ..Lowered::default() };
        let mut at = 0;
        for (range, text) in &self.edits {
            let (start, end) = (range.start().to_usize(), range.end().to_usize());
            if start < at {
                // Inside something replaced already: that stands.
                continue;
            }
            lowered.source.push_str(&self.source[at..start]);
            lowered.source.push_str(text);
            at = end;
            let removed = &self.source[start..end];
            if !removed.contains('\n') && removed != text {
                let (line, column) = index.position(self.source, start as u32);
                let size = |text: &str| text.chars().count() as u32;
                lowered.columns.push(ColumnEdit {
                    line,
                    column,
                    removed: size(removed),
                    inserted: size(text),
                });
            }
        }
        lowered.source.push_str(&self.source[at..]);
        lowered
    }
}

impl<'a> Visitor<'a> for Lowering<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::ClassDef(class) => self.class(class),
            Stmt::FunctionDef(function) => self.injected(function),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Import(import) => self.import(import),
            Stmt::Delete(delete) => self.delete(delete),
            Stmt::Raise(ast::StmtRaise { exc: Some(exc), .. }) if !is_builtin_error(exc) => {
                self.wrap(exc.range(), "_aw_raised");
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                self.super_call(call);
                if is_builtin_error(&call.func) && !is_plain_error(call) {
                    self.wrap(call.func.range(), "_aw_error");
                }
                if let Expr::Attribute(method) = &*call.func {
                    // A method is called as it is.
                    self.visit_expr(&method.value);
                    return self.visit_arguments(&call.arguments);
                }
            }
            Expr::Attribute(attribute) => self.text_property(attribute),
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(wanted) = &inner.type_
            && !is_builtin_error(wanted)
        {
            self.wrap(wanted.range(), "_aw_catches");
        }
        if let Some(name) = &inner.name {
            let mut uses = Uses { name: name.as_str(), ranges: Vec::new() };
            uses.visit_body(&inner.body);
            for range in uses.ranges {
                self.wrap(range, "_aw_caught");
            }
        }
        visitor::walk_except_handler(self, handler);
    }
}

/// Where a name is read.
struct Uses<'n> {
    name: &'n str,
    ranges: Vec<TextRange>,
}

impl<'a> Visitor<'a> for Uses<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        // `raise e` is wrapped by its own rule.
        if let Stmt::Raise(ast::StmtRaise { exc: Some(exc), .. }) = stmt
            && matches!(&**exc, Expr::Name(_))
        {
            return;
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.id == self.name && name.ctx == ExprContext::Load => {
                self.ranges.push(name.range());
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// A builtin class, a call of one, or a tuple of them.
fn is_builtin_error(expr: &Expr) -> bool {
    match expr {
        Expr::Name(name) => BUILTIN_ERRORS.contains(&name.id.as_str()),
        Expr::Call(call) => is_builtin_error(&call.func) && is_plain_error(call),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_builtin_error),
        _ => false,
    }
}

/// Whether an exception is made with nothing or one text: the interpreter takes no more.
fn is_plain_error(call: &ast::ExprCall) -> bool {
    let text = |expr: &Expr| matches!(expr, Expr::StringLiteral(_) | Expr::FString(_));
    match &*call.arguments.args {
        [] => true,
        [only] => text(only),
        _ => false,
    }
}

/// `a.b.C[T]` → `C`.
fn last_name(expr: &Expr) -> String {
    match expr {
        Expr::Name(name) => name.id.to_string(),
        Expr::Attribute(attribute) => attribute.attr.to_string(),
        Expr::Subscript(part) => last_name(&part.value),
        _ => String::new(),
    }
}

fn methods_of(class: &ast::StmtClassDef) -> Vec<String> {
    let name = |stmt: &Stmt| match stmt {
        Stmt::FunctionDef(function) => Some(function.name.to_string()),
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [Expr::Name(name)] => Some(name.id.to_string()),
            _ => None,
        },
        _ => None,
    };
    class.body.iter().filter_map(name).collect()
}

/// Names that an enum assigns, in order.
fn members_of(class: &ast::StmtClassDef) -> Vec<String> {
    let name = |stmt: &Stmt| match stmt {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [Expr::Name(name)] if !name.id.starts_with('_') => Some(name.id.to_string()),
            _ => None,
        },
        _ => None,
    };
    class.body.iter().filter_map(name).collect()
}

/// A slice in a subscript as an expression of its own.
fn slice_text(text: &str) -> String {
    if text.contains(':') && !text.contains(['{', '"', '\'', '[']) {
        let parts: Vec<_> = text
            .split(':')
            .map(|part| if part.trim().is_empty() { "None" } else { part.trim() })
            .collect();
        format!("slice({})", parts.join(", "))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_columns_are_found_again() {
        let source = "class A(Exception):\n    pass\n\n\ndef f(d):\n    try:\n        raise A('x')\n    except A as e:\n        del d['k']; return str(e) + g()\n";
        let lowered = lower(source);
        assert_eq!(lowered.source.lines().count(), source.lines().count());
        let line = lowered.source.lines().nth(8).unwrap();
        assert_eq!(line, "        _aw_delete(d, 'k'); return str(_aw_caught(e)) + g()");
        let column = line.find("g()").unwrap() as u32 + 1;
        let original = source.lines().nth(8).unwrap().find("g()").unwrap() as u32 + 1;
        assert_eq!(lowered.original_column(9, column), original);
        assert_eq!(lowered.original_column(1, 7), 7);
    }

    #[test]
    fn imports_of_several_lines_keep_them() {
        let source = "from typing import (\n    Any,\n    Optional as O,\n)\nx = 1\n";
        let lowered = lower(source);
        assert_eq!(lowered.source.lines().nth(4), Some("x = 1"));
        assert!(lowered.source.starts_with("(Any, O,) = (\n\n\n_aw_find(\"typing\", \"Any\")"));
    }
}
