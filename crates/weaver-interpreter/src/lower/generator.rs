//! Generators and asynchronous iteration.
//!
//! The interpreter has neither, so a generator makes its items at once and answers
//! an iterator over them, and `async for` goes over what is awaited first.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use super::Lowering;

const ITEMS: &str = "_aw_items";

impl Lowering<'_> {
    /// Where the items are kept, and the way back; comes after the body is lowered.
    pub(super) fn generator(&mut self, def: &ast::StmtFunctionDef) {
        let (Some(first), Some(last)) = (def.body.first(), def.body.last()) else { return };
        let line = self.source[..first.start().to_usize()].rfind('\n').map_or(0, |at| at + 1);
        if line <= def.name.start().to_usize() {
            // `def g(): yield 1`
            self.replace(TextRange::empty(first.start()), format!("{ITEMS} = []; "));
            self.replace(TextRange::empty(last.end()), format!("; return iter({ITEMS})"));
            return;
        }
        let indent = &self.source[line..first.start().to_usize()];
        let start = format!("{indent}{ITEMS} = []\n");
        let place = TextSize::try_from(line).expect("inside the text");
        self.replace(TextRange::empty(place), start);
        self.insert_after(last.range(), first.start(), &[format!("return iter({ITEMS})")]);
    }

    /// `yield x` and `yield from xs` as statements, `return` in a generator.
    pub(super) fn generator_statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Return(_) => self.replace(stmt.range(), format!("return iter({ITEMS})")),
            Stmt::Expr(expr) => match &*expr.value {
                Expr::Yield(given) => {
                    let word = TextRange::at(given.start(), "yield".text_len());
                    let nothing = if given.value.is_none() { "None" } else { "" };
                    self.replace(word, format!("{ITEMS}.append(({nothing}"));
                    self.replace(TextRange::empty(given.end()), "))");
                }
                Expr::YieldFrom(given) => {
                    let before = TextRange::new(given.start(), given.value.start());
                    let text = &self.source[before];
                    let Some(from) = text.find("from") else { return };
                    let end = given.start() + TextSize::try_from(from + 4).expect("short");
                    let words = TextRange::new(given.start(), end);
                    self.replace(words, format!("{ITEMS}.extend(("));
                    self.replace(TextRange::empty(given.end()), "))");
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// `async for` with its `async` at a place, over an expression.
    pub(super) fn async_for(&mut self, start: TextSize, over: &Expr) {
        let text = &self.source[start.to_usize()..];
        let length = text.find("for").map_or(0, |at| at as u32);
        self.replace(TextRange::at(start, length.into()), "");
        self.wrap(over.range(), "await _aw_all");
    }
}

/// Whether a function is a generator.
pub(super) fn is_generator(def: &ast::StmtFunctionDef) -> bool {
    let mut finder = Finder { found: false };
    def.body.iter().for_each(|stmt| finder.visit_stmt(stmt));
    finder.found
}

struct Finder {
    found: bool,
}

impl<'a> Visitor<'a> for Finder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Yield(_) | Expr::YieldFrom(_) => self.found = true,
            Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expr),
        }
    }
}
