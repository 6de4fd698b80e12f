//! How the file writes things: quotes, names of the two ends.

use ruff_python_ast::Stmt;
use weaver_core::spec::{END, START};

use super::Editor;

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
}

/// A text as Python writes it.
pub(super) fn quoted(text: &str, quote: char) -> String {
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
