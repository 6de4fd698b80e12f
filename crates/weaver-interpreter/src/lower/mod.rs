//! Lowering: what the interpreter cannot parse, said in what it can.
//!
//! Custom exceptions, `del`, enums, inheritance among the file's own classes,
//! decorated methods, generators and imports that a function makes are rewritten in
//! place. Lines of ours may come between the user's; [`Lowered::original`] takes the
//! places of tracebacks back.

mod builtins;
mod class;
mod generator;
mod imports;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use weaver_core::LineIndex;

use crate::names::BUILTIN_ERRORS;
use class::{Class, Inside, takes_items};

/// A lowered source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    /// The source to run.
    pub(crate) source: String,
    /// What must run after it, not the user's.
    pub(crate) epilogue: String,
    /// Names of the properties that classes define: they are read through
    /// `_aw_property_NAME`.
    pub(crate) properties: Vec<String>,
    columns: Vec<ColumnEdit>,
    /// Lines of the lowered source that are ours.
    inserted: Vec<u32>,
}

/// On one line, at a column of the original, characters taken away and put in.
#[derive(Clone, Copy, Debug)]
struct ColumnEdit {
    line: u32,
    column: u32,
    removed: u32,
    inserted: u32,
}

/// Names of classes that the host makes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostClasses<'a> {
    /// All but enums.
    pub(crate) schemas: &'a [&'a str],
    pub(crate) enums: &'a [&'a str],
}

/// Lowers a module. What cannot be parsed stays as it is: the interpreter says what is
/// wrong.
pub(crate) fn lower(source: &str, classes: HostClasses<'_>) -> Lowered {
    let Ok(parsed) = ruff_python_parser::parse_module(source) else {
        return Lowered { source: source.into(), ..Lowered::default() };
    };
    let module = parsed.syntax();
    let properties = class::properties(&module.body);
    let mut lowering = Lowering::new(source, classes, properties);
    lowering.visit_body(&module.body);
    lowering.finish()
}

/// Lowers an expression that a module with such classes and properties evaluates at
/// its end.
pub(crate) fn lower_expression(
    source: &str,
    classes: HostClasses<'_>,
    properties: &[String],
) -> String {
    let Ok(parsed) = ruff_python_parser::parse_expression(source) else { return source.into() };
    let mut lowering = Lowering::new(source, classes, properties.to_vec());
    lowering.visit_expr(&parsed.syntax().body);
    lowering.finish().source
}

impl Lowered {
    /// The line of the original that a line of the lowered source is.
    pub(crate) fn original_line(&self, line: u32) -> u32 {
        let ours = self.inserted.iter().filter(|inserted| **inserted < line).count();
        line.saturating_sub(ours as u32).max(1)
    }

    /// The line of the lowered source that a line of the original has become.
    pub(crate) fn lowered_line(&self, line: u32) -> u32 {
        self.inserted.iter().fold(line, |line, inserted| line + u32::from(*inserted <= line))
    }

    /// The column, from 1, that the original has at a place of the lowered source;
    /// `line` is that of the original.
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
    host: HostClasses<'a>,
    properties: Vec<String>,
    /// The classes around the place.
    inside: Vec<Inside>,
    /// For each function around the place, whether it is a generator.
    generators: Vec<bool>,
}

impl<'s> Lowering<'s> {
    fn new(source: &'s str, host: HostClasses<'s>, properties: Vec<String>) -> Self {
        Lowering {
            source,
            edits: Vec::new(),
            epilogue: String::new(),
            classes: Vec::new(),
            host,
            properties,
            inside: Vec::new(),
            generators: Vec::new(),
        }
    }

    fn text(&self, node: impl Ranged) -> &'s str {
        &self.source[node.range()]
    }

    fn replace(&mut self, range: TextRange, text: impl Into<String>) {
        self.edits.push((range, text.into()));
    }

    fn wrap(&mut self, range: TextRange, call: &str) {
        self.replace(TextRange::empty(range.start()), format!("{call}("));
        self.replace(TextRange::empty(range.end()), ")");
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
            } else if text.contains("RunnableConfig") {
                ("config", None)
            } else if text.contains("ToolRuntime") {
                ("runtime", None)
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

    /// `message.text`, which is a property and a method, and properties of the file's
    /// classes; objects here have no properties.
    fn property(&mut self, attribute: &ast::ExprAttribute) {
        let name = attribute.attr.as_str();
        let read = match name {
            _ if attribute.ctx != ExprContext::Load => return,
            _ if self.properties.iter().any(|known| known == name) => {
                format!("_aw_property_{name}(")
            }
            "text" => "_aw_text(".to_string(),
            "__class__" => "type(".to_string(),
            "__name__" => "_aw_name(".to_string(),
            _ => return,
        };
        let value = attribute.value.range();
        // Before the brackets of the value, which its range leaves out.
        self.replace(TextRange::empty(attribute.start()), read);
        self.replace(TextRange::new(value.end(), attribute.end()), self.closing(value, attribute));
    }

    /// `datetime.now` that is not called: the interpreter only knows the call.
    fn clock(&mut self, attribute: &ast::ExprAttribute) {
        let text = self.text(attribute);
        let is_class = |name: &str| matches!(name, "datetime" | "date");
        if matches!(attribute.attr.as_str(), "now" | "today")
            && is_class(&last_name(&attribute.value))
        {
            self.replace(attribute.range(), format!("(lambda *given: {text}(*given))"));
        }
    }

    /// Closes the call around a value: brackets that stand behind it stay.
    fn closing(&self, value: TextRange, attribute: &ast::ExprAttribute) -> String {
        let between = &self.source[TextRange::new(value.end(), attribute.attr.start())];
        let brackets = between.chars().filter(|c| matches!(c, ')' | '\n'));
        brackets.chain([')']).collect()
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
        let mut lowered =
            Lowered { epilogue: self.epilogue, properties: self.properties, ..Lowered::default() };
        let mut at = 0;
        for (range, text) in &self.edits {
            let (start, end) = (range.start().to_usize(), range.end().to_usize());
            if start < at {
                // Inside something replaced already: that stands.
                continue;
            }
            lowered.source.push_str(&self.source[at..start]);
            if start == end && text.ends_with('\n') {
                let line = lowered.source.matches('\n').count() as u32 + 1;
                let count = text.matches('\n').count() as u32;
                let first = line + u32::from(text.starts_with('\n'));
                lowered.inserted.extend(first..line + count);
                lowered.source.push_str(text);
                at = end;
                continue;
            }
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
            Stmt::ClassDef(class) => {
                for part in &class.body {
                    match part {
                        Stmt::FunctionDef(def) => {
                            self.enter(class, def);
                            self.visit_stmt(part);
                            self.inside.pop();
                        }
                        _ => self.visit_stmt(part),
                    }
                }
                return self.class(class);
            }
            Stmt::FunctionDef(function) => {
                self.injected(function);
                self.generators.push(generator::is_generator(function));
                visitor::walk_stmt(self, stmt);
                if self.generators.pop() == Some(true) {
                    self.generator(function);
                }
                return;
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Import(import) => self.import(import),
            Stmt::Delete(delete) => self.delete(delete),
            Stmt::For(repeat) if self.is_enum(&repeat.iter) => self.enum_members(&repeat.iter),
            Stmt::For(repeat) if repeat.is_async => self.async_for(repeat.start(), &repeat.iter),
            Stmt::Raise(ast::StmtRaise { exc: Some(exc), .. }) if !is_builtin_error(exc) => {
                self.wrap(exc.range(), "_aw_raised");
            }
            Stmt::Expr(_) | Stmt::Return(_) if self.generators.last() == Some(&true) => {
                self.generator_statement(stmt);
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_annotation(&mut self, _annotation: &'a Expr) {
        // Nobody asks for its value.
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.enum_members(&comprehension.iter);
        if comprehension.is_async {
            self.async_for(comprehension.start(), &comprehension.iter);
        }
        visitor::walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                self.super_call(call);
                if is_builtin_error(&call.func) && !is_plain_error(call) {
                    self.wrap(call.func.range(), "_aw_error");
                }
                self.enum_member(&call.func, call.arguments.range(), "_aw_member");
                if takes_items(&call.func) {
                    call.arguments.args.iter().for_each(|argument| self.enum_members(argument));
                }
                self.call_with_receiver(call);
                self.next_of(call);
                if let Expr::Attribute(callee) = &*call.func
                    && self.lacking_attribute(callee)
                {
                    return self.visit_arguments(&call.arguments);
                }
                if let Expr::Attribute(method) = &*call.func
                    && !Self::is_method_of_type(method)
                {
                    // A method is called as it is.
                    self.visit_expr(&method.value);
                    return self.visit_arguments(&call.arguments);
                }
            }
            Expr::Subscript(part) => {
                let brackets = TextRange::new(part.value.end(), part.end());
                self.enum_member(&part.value, brackets, "_aw_member_named");
            }
            Expr::Attribute(attribute) if self.lacking_attribute(attribute) => return,
            Expr::Attribute(attribute) => {
                self.property(attribute);
                self.clock(attribute);
                self.method_as_value(attribute);
            }
            Expr::Generator(generator) => self.iterator(generator),
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
        let lowered = lower(source, HostClasses::default());
        let line = lowered.source.lines().nth(9).unwrap();
        assert_eq!((lowered.original_line(10), lowered.lowered_line(9)), (9, 10));
        assert_eq!((lowered.original_line(1), lowered.lowered_line(1)), (1, 1));
        assert_eq!(line, "        _aw_delete(d, 'k'); return str(_aw_caught(e)) + g()");
        let column = line.find("g()").unwrap() as u32 + 1;
        let original = source.lines().nth(8).unwrap().find("g()").unwrap() as u32 + 1;
        assert_eq!(lowered.original_column(9, column), original);
        assert_eq!(lowered.original_column(1, 7), 7);
    }

    #[test]
    fn imports_of_several_lines_keep_them() {
        let source = "from typing import (\n    Any,\n    Optional as O,\n)\nx = 1\n";
        let lowered = lower(source, HostClasses::default());
        assert_eq!(lowered.source.lines().nth(4), Some("x = 1"));
        assert!(lowered.source.starts_with("(Any, O,) = (\n\n\n_aw_find(\"typing\", \"Any\")"));
    }
}
