//! [`Bindings`]: what the names of a function stand for.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use super::makes;

/// Finds what the names of one function are bound to.
pub(super) struct Bindings<'m> {
    pub(super) made: &'m mut HashMap<String, bool>,
}

impl Bindings<'_> {
    fn bind(&mut self, target: &Expr, made: bool) {
        match target {
            Expr::Name(name) => {
                let known = self.made.entry(name.id.to_string()).or_insert(made);
                *known &= made;
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|part| self.bind(part, false)),
            Expr::List(list) => list.elts.iter().for_each(|part| self.bind(part, false)),
            Expr::Starred(starred) => self.bind(&starred.value, false),
            _ => {}
        }
    }

    fn foreign(&mut self, name: &str) {
        self.made.insert(name.to_owned(), false);
    }
}

impl<'a> Visitor<'a> for Bindings<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => return self.foreign(&function.name),
            Stmt::Assign(assign) => {
                // Two names for one object: a change through one is seen by the other.
                let made = makes(&assign.value);
                assign.targets.iter().for_each(|target| self.bind(target, made));
            }
            Stmt::AnnAssign(assign) => {
                let made = assign.value.as_ref().is_none_or(|value| makes(value));
                self.bind(&assign.target, made);
            }
            Stmt::For(each) => self.bind(&each.target, false),
            Stmt::Import(import) => import.names.iter().for_each(|alias| {
                self.foreign(alias.asname.as_ref().unwrap_or(&alias.name));
            }),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        // Whatever else binds a name (`for`, `with`, `:=`, comprehensions): its
        // object comes from elsewhere.
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Store => {
                self.made.entry(name.id.to_string()).or_insert(false);
            }
            Expr::Named(named) => self.bind(&named.target, false),
            Expr::Lambda(_) => return,
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.bind(&comprehension.target, false);
        visitor::walk_comprehension(self, comprehension);
    }

    fn visit_with_item(&mut self, item: &'a ast::WithItem) {
        item.optional_vars.iter().for_each(|target| self.bind(target, false));
        visitor::walk_with_item(self, item);
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(inner) = handler;
        inner.name.iter().for_each(|name| self.foreign(name));
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        match pattern {
            ast::Pattern::MatchAs(named) => named.name.iter().for_each(|name| self.foreign(name)),
            ast::Pattern::MatchStar(star) => star.name.iter().for_each(|name| self.foreign(name)),
            ast::Pattern::MatchMapping(map) => {
                map.rest.iter().for_each(|name| self.foreign(name));
            }
            _ => {}
        }
        visitor::walk_pattern(self, pattern);
    }
}
