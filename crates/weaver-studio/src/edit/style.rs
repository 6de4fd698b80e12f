//! How the file writes things: quotes, names of the two ends.

use std::ops::Range;

use ruff_python_ast::Stmt;
use weaver_core::Value;
use weaver_core::spec::{END, START};

use super::{Done, Editor, Refused, lines};
use crate::bindings::bound_names;
use crate::syntax::range_of;

impl<'a> Editor<'_, 'a> {
    /// The quote that texts are written with: that of the graph's last call that has one,
    /// else the one that the file has more of.
    pub fn quote(&self) -> char {
        let edges = self.graph.edges.iter().map(|edge| edge.span);
        let spans = edges.chain(self.graph.nodes.iter().map(|node| node.span));
        let mut spans: Vec<_> = spans.map(|span| span.start as usize..span.end as usize).collect();
        spans.sort_by_key(|span| span.end);
        let near = spans.iter().rev().find_map(|span| {
            self.tree.source(span.clone()).chars().find(|c| matches!(c, '"' | '\''))
        });
        near.unwrap_or_else(|| {
            let (single, double) = self.tree.quotes();
            if single > double { '\'' } else { '"' }
        })
    }

    /// A text as it is written here.
    pub fn text(&self, text: &str) -> String {
        quoted(text, self.quote())
    }

    /// A node's name, or the name of an end, as it is written here.
    pub fn end(&self, name: &str) -> String {
        match self.end_name(name) {
            Some(known) => known.to_string(),
            None => self.text(name),
        }
    }

    /// What the file calls an end, if it imports it.
    pub fn end_name(&self, name: &str) -> Option<&'a str> {
        match name {
            START => self.imported("langgraph", "START"),
            END => self.imported("langgraph", "END"),
            _ => None,
        }
    }

    /// What the module calls a name that it imports from a package.
    pub fn imported(&self, package: &str, name: &str) -> Option<&'a str> {
        self.tree.module.body.iter().find_map(|stmt| {
            let Stmt::ImportFrom(import) = stmt else { return None };
            let module = import.module.as_ref()?.as_str();
            let inside = module.strip_prefix(package)?;
            if import.level != 0 || !(inside.is_empty() || inside.starts_with('.')) {
                return None;
            }
            let alias = import.names.iter().find(|alias| alias.name.as_str() == name)?;
            Some(alias.asname.as_ref().unwrap_or(&alias.name).as_str())
        })
    }

    /// A value as a Python literal; a reference becomes its name.
    pub fn value(&self, value: &Value, field: &'static str) -> Result<String, Refused> {
        let quote = self.quote();
        written(value, quote).map_err(|bad| {
            Refused::field(field, bad, "give text, a number, True, False, None, a list or a dict")
        })
    }

    /// What the module calls a name of a package; imports it where it does not yet.
    pub fn import(&mut self, module: &str, name: &str) -> Result<String, Refused> {
        let package = module.split('.').next().unwrap_or(module);
        if let Some(local) = self.imported(package, name) {
            return Ok(local.to_string());
        }
        self.check_name_free(name)?;
        self.insert_import(&format!("from {module} import {name}"))?;
        Ok(name.to_string())
    }

    /// Puts an import behind the first ones.
    pub fn insert_import(&mut self, code: &str) -> Done {
        let body = &self.tree.module.body;
        let is_head = |stmt: &&Stmt| {
            let docstring = stmt.as_expr_stmt().is_some_and(|e| e.value.is_string_literal_expr());
            docstring || matches!(stmt, Stmt::Import(_) | Stmt::ImportFrom(_))
        };
        match body.iter().take_while(is_head).count().checked_sub(1) {
            Some(last) if !self.imports.iter().any(|known| known == code) => {
                self.imports.push(code.to_string());
                self.insert_statement(body, last, code)
            }
            Some(_) => Ok(()),
            None => Err(Refused::field("", "the file has no imports", "import what it needs")),
        }
    }

    /// A name must not mean something in the module yet.
    pub fn check_name_free(&self, name: &str) -> Done {
        let body = &self.tree.module.body;
        let Some(taken) = body.iter().find(|stmt| {
            bound_names(std::slice::from_ref(*stmt)).iter().any(|bound| bound.as_str() == name)
        }) else {
            return Ok(());
        };
        Err(Refused::at(range_of(taken), format!("the name `{name}` is taken")))
    }

    /// White space of one level of blocks.
    pub fn indent_unit(&self) -> &'a str {
        let text = self.tree.text;
        let bodies = self.tree.module.body.iter().filter_map(|stmt| match stmt {
            Stmt::FunctionDef(def) => def.body.first(),
            Stmt::ClassDef(class) => class.body.first(),
            _ => None,
        });
        let mut starts = bodies.map(|stmt| range_of(stmt).start);
        let first = starts.find(|start| lines::starts_line(text, *start));
        first.map_or("    ", |start| lines::indent(text, start))
    }

    /// Writes a function in front of the statement of the module that makes the graph.
    pub fn insert_function(&mut self, name: &str, returns: &str, body: &str) -> Done {
        if !is_identifier(name) {
            let reason = format!("`{name}` is no Python name");
            return Err(Refused::field("new_function", reason, "use letters, digits and `_`"));
        }
        self.check_name_free(name)?;
        let text = self.tree.text;
        let home = self.home.end();
        let around = |stmt: &&Stmt| range_of(*stmt).start < home && home <= range_of(*stmt).end;
        let Some(statement) = self.tree.module.body.iter().find(around) else {
            return Err(Refused::field("new_function", "there is no place for it", "write it"));
        };
        let start = range_of(statement).start;
        if !lines::starts_line(text, start) {
            let place = range_of(statement);
            return Err(Refused::at(place, "the statement shares its line with another one"));
        }
        let at = behind_comments(text, lines::line_start(text, start));
        let break_line = lines::line_break(text, at);
        let annotation = self.state_class().map(|class| format!(": {class}")).unwrap_or_default();
        let unit = self.indent_unit();
        let code = format!(
            "def {name}(state{annotation}) -> {returns}:{break_line}{unit}{body}{break_line}{break_line}{break_line}"
        );
        self.replace(at..at, code);
        Ok(())
    }

    /// What the constructor's call names as the state, if that is one name.
    fn state_class(&self) -> Option<&'a str> {
        let schema = self.home.argument(0, "state_schema")?;
        schema.as_name_expr().map(|name| name.id.as_str())
    }
}

/// The start of the comment lines right above an offset that starts a line.
fn behind_comments(text: &str, mut at: usize) -> usize {
    while at > 0 {
        let before = text[..at].strip_suffix('\n').unwrap_or(&text[..at]);
        let before = before.strip_suffix('\r').unwrap_or(before).len();
        let start = lines::line_start(text, before);
        if !text[start..before].starts_with('#') {
            break;
        }
        at = start;
    }
    at
}

/// Whether a text is a name in Python; keywords are none.
pub(crate) fn is_identifier(name: &str) -> bool {
    let parsed = ruff_python_parser::parse_expression(name);
    parsed.is_ok_and(|parsed| {
        let expr = parsed.syntax().body.as_ref();
        expr.as_name_expr().is_some_and(|found| found.id.as_str() == name)
    })
}

/// A value as Python writes it, or why it cannot be.
pub(crate) fn written(value: &Value, quote: char) -> Result<String, String> {
    Ok(match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) if float.is_finite() => format!("{float:?}"),
        Value::Float(_) => return Err("the number is not finite".into()),
        Value::Str(text) => quoted(text, quote),
        Value::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| written(item, quote)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(map) => match value.tag() {
            Some("ref") => match value.get("name").and_then(Value::as_str) {
                Some(name) if is_identifier(name) => name.to_string(),
                _ => return Err("the reference names nothing of the file".into()),
            },
            Some(tag) => return Err(format!("a value of type `{tag}` has no literal")),
            None => {
                let entry = |(key, value): (&std::sync::Arc<str>, &Value)| {
                    Ok::<_, String>(format!("{}: {}", quoted(key, quote), written(value, quote)?))
                };
                let entries: Result<Vec<_>, _> = map.iter().map(entry).collect();
                format!("{{{}}}", entries?.join(", "))
            }
        },
    })
}

/// A text of several lines between three quotes.
pub(super) fn block_text(text: &str, quotes: &str, break_line: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('\r', "\\r")
        .replace(&quotes[..1], &format!("\\{}", &quotes[..1]));
    format!("{quotes}{}{quotes}", escaped.replace('\n', break_line))
}

/// The range of a function with the blank lines behind it, or those before it at the end
/// of the text.
pub(super) fn function_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let lines = lines::whole_lines(text, range);
    let rest = &text[lines.end..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    let end = lines::line_start(text, lines.end + blank).max(lines.end);
    match lines.end + blank == text.len() {
        true => text[..lines.start].trim_end().len()..text.trim_end().len().max(lines.start),
        false => lines.start..end,
    }
}

/// A text as Python writes it.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let other = if quote == '"' { '\'' } else { '"' };
    let quote = if text.contains(quote) && !text.contains(other) { other } else { quote };
    let mut written = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if c == quote => written.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                written.push_str(&match c as u32 {
                    code @ 0..=0xff => format!("\\x{code:02x}"),
                    code => format!("\\u{code:04x}"),
                });
            }
            c => written.push(c),
        }
    }
    written.push(quote);
    written
}
