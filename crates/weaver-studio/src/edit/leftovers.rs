//! Uses of a key that were not understood as such, where they must not be left behind.

use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, StmtClassDef};

use super::keys::{Question, Uses};
use super::{Done, Refused};
use crate::eval::outcome::type_head;
use crate::syntax::range_of;

/// In a scope that runs a graph, what comes out of it may have any shape: each place that
/// takes the key out of something must have been understood.
pub(super) fn check(found: &Uses<'_>, body: &[&Stmt], question: Question<'_>) -> Done {
    if !found.runs || found.obstacle.is_some() {
        return Ok(());
    }
    let mut taken = Taken { question, places: Vec::new() };
    body.iter().for_each(|stmt| taken.visit_stmt(stmt));
    let is_known = |place: &Range<usize>| {
        found.keys.iter().any(|key| range_of(*key) == *place) || found.names.contains(place)
    };
    match taken.places.into_iter().find(|place| !is_known(place)) {
        Some(place) => {
            let reason = format!("whether `{}` is the field here is not known", question.key);
            Err(Refused::at(place, reason))
        }
        None => Ok(()),
    }
}

/// Where a class names a field outside the field's own declaration.
pub(super) fn in_class(
    class: &StmtClassDef,
    name: &str,
    declared: &Range<usize>,
) -> Option<Range<usize>> {
    let mut named = Named { name, declared, place: None };
    named.visit_body(&class.body);
    named.place
}

/// Places that take a key out of something, or put it in.
struct Taken<'q> {
    question: Question<'q>,
    places: Vec<Range<usize>>,
}

impl Taken<'_> {
    fn text(&mut self, expr: &Expr) {
        let text = expr.as_string_literal_expr();
        if text.is_some_and(|text| text.value.to_str() == self.question.key) {
            self.places.push(range_of(expr));
        }
    }
}

impl Visitor<'_> for Taken<'_> {
    fn visit_stmt(&mut self, stmt: &Stmt) {
        if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            visitor::walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            // A typed node's settings have keys of their own.
            Expr::Call(call) if type_head(&call.func) == "add_node" => return,
            Expr::Call(call) if matches!(type_head(&call.func), "get" | "pop" | "setdefault") => {
                call.arguments.args.first().into_iter().for_each(|key| self.text(key));
            }
            Expr::Subscript(read) => self.text(&read.slice),
            Expr::Dict(dict) => dict.iter_keys().flatten().for_each(|key| self.text(key)),
            Expr::Attribute(read)
                if self.question.has_attributes && read.attr.as_str() == self.question.key =>
            {
                self.places.push(range_of(&read.attr));
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

struct Named<'n> {
    name: &'n str,
    declared: &'n Range<usize>,
    place: Option<Range<usize>>,
}

impl Visitor<'_> for Named<'_> {
    fn visit_expr(&mut self, expr: &Expr) {
        let is_name = match expr {
            Expr::Name(name) => name.id.as_str() == self.name,
            Expr::Attribute(read) => read.attr.as_str() == self.name,
            Expr::StringLiteral(text) => text.value.to_str() == self.name,
            _ => false,
        };
        if is_name && range_of(expr) != *self.declared {
            self.place.get_or_insert(range_of(expr));
        }
        visitor::walk_expr(self, expr);
    }
}
