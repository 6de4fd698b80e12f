//! Which names statements bind, and which annotations mention.

use std::collections::BTreeSet;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, Pattern, Stmt};
use weaver_core::FastSet;

/// Names that statements bind in their own scope, sorted.
pub(crate) fn bound_names(body: &[Stmt]) -> BTreeSet<Name> {
    let mut binder = Binder::default();
    for stmt in body {
        binder.visit_stmt(stmt);
    }
    binder.names
}

/// Names that an assignment target binds.
pub(crate) fn target_names(target: &Expr) -> Vec<Name> {
    match target {
        Expr::Name(name) => vec![name.id.clone()],
        Expr::Tuple(tuple) => tuple.elts.iter().flat_map(target_names).collect(),
        Expr::List(list) => list.elts.iter().flat_map(target_names).collect(),
        Expr::Starred(starred) => target_names(&starred.value),
        _ => Vec::new(),
    }
}

/// Collects the names in annotations, in those that are texts too.
pub(crate) struct Mentions<'n>(pub &'n mut FastSet<Name>);

impl<'a> Visitor<'a> for Mentions<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => {
                self.0.insert(name.id.clone());
            }
            Expr::StringLiteral(text) => {
                let words = text.value.to_str().split(|c: char| !c.is_alphanumeric() && c != '_');
                self.0.extend(words.filter(|word| !word.is_empty()).map(Name::new));
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// `x` of `x.a[0].b`.
pub(crate) fn root_name(expr: &Expr) -> Option<&Name> {
    let mut expr = expr;
    loop {
        expr = match expr {
            Expr::Name(name) => return Some(&name.id),
            Expr::Attribute(attribute) => &attribute.value,
            Expr::Subscript(subscript) => &subscript.value,
            _ => return None,
        };
    }
}

#[derive(Default)]
struct Binder {
    names: BTreeSet<Name>,
}

impl Binder {
    fn bind(&mut self, target: &Expr) {
        self.names.extend(target_names(target));
    }
}

impl<'a> Visitor<'a> for Binder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => {
                self.names.insert(def.name.id.clone());
                return;
            }
            Stmt::ClassDef(class) => {
                self.names.insert(class.name.id.clone());
                return;
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let local = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.names.insert(Name::new(local.split('.').next().unwrap_or(local)));
                }
                return;
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let local = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.names.insert(local.id.clone());
                }
                return;
            }
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.bind(target)),
            Stmt::AugAssign(assign) => self.bind(&assign.target),
            Stmt::AnnAssign(assign) => self.bind(&assign.target),
            Stmt::For(repeat) => self.bind(&repeat.target),
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.bind(target);
                    }
                }
            }
            Stmt::TypeAlias(alias) => self.bind(&alias.name),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.names.insert(name.id.clone());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(capture) => capture.name.as_ref(),
            Pattern::MatchStar(capture) => capture.name.as_ref(),
            Pattern::MatchMapping(mapping) => mapping.rest.as_ref(),
            _ => None,
        };
        self.names.extend(name.map(|name| name.id.clone()));
        visitor::walk_pattern(self, pattern);
    }

    fn visit_annotation(&mut self, _annotation: &'a Expr) {}

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Named(named) => {
                self.bind(&named.target);
                self.visit_expr(&named.value);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
