//! What one function does with values that are keyed by the state: where it names a key,
//! what it hands such a value to, and what it does that hides which keys it means.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};

use super::flow::Flow;
use super::tree::Tree;

/// What an edit asks about: a key, in a scope.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub key: &'q str,
    /// The name that it is to get.
    pub to: &'q str,
    /// Classes with the key; a call of one gives a value with its keys.
    pub classes: &'q BTreeSet<String>,
    /// Variables of compiled graphs that have the key.
    pub compiled: &'q BTreeSet<String>,
    /// Keys are attributes too.
    pub has_attributes: bool,
}

/// What was found in a scope.
#[derive(Default)]
pub(super) struct Uses<'a> {
    /// Texts, or constants, that are the key.
    pub keys: Vec<&'a Expr>,
    /// Attributes and keywords that are the key.
    pub names: Vec<Range<usize>>,
    /// Functions that get a value with the keys: which, as what, and where.
    pub handed: Vec<(Callee<'a>, Handed<'a>, Range<usize>)>,
    /// Functions whose answer has the keys, and where they are called.
    pub answered: Vec<(Callee<'a>, Range<usize>)>,
    /// What stands in the way: its place and why.
    pub obstacle: Option<(Range<usize>, String)>,
    /// A graph is run here.
    pub runs: bool,
}

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Callee<'a> {
    Function(&'a str),
    Method(&'a str),
}

/// Which parameter gets a value.
#[derive(Clone, Copy)]
pub(super) enum Handed<'a> {
    Position(usize),
    Keyword(&'a str),
}

/// Looks at a body in which some variables are keyed by the state, and at what it returns
/// if that is too.
pub(super) fn uses<'a>(
    tree: &Tree<'a>,
    question: Question<'_>,
    body: &[&'a Stmt],
    keyed: BTreeSet<String>,
    answers: bool,
) -> Uses<'a> {
    let mut scope = Scope::default();
    body.iter().for_each(|stmt| scope.visit_stmt(stmt));
    let mut flow = Flow::new(tree, question, keyed);
    flow.spread(&scope, answers);
    body.iter().for_each(|stmt| flow.visit_stmt(stmt));
    flow.uses
}

/// As [`uses`], of one expression that is the answer: a lambda's.
pub(super) fn uses_of<'a>(
    tree: &Tree<'a>,
    question: Question<'_>,
    answer: &'a Expr,
    keyed: BTreeSet<String>,
    answers: bool,
) -> Uses<'a> {
    let mut flow = Flow::new(tree, question, keyed);
    if answers {
        flow.value(answer);
    }
    flow.whole(answer);
    flow.uses
}

/// Assignments and answers of a body, without those of functions inside it.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub assigned: Vec<(&'a str, &'a Expr)>,
    pub returned: Vec<&'a Expr>,
}

impl<'a> Visitor<'a> for Scope<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Return(answer) => self.returned.extend(answer.value.as_deref()),
            Stmt::Assign(assign) => {
                let names = assign.targets.iter().filter_map(Expr::as_name_expr);
                self.assigned.extend(names.map(|name| (name.id.as_str(), &*assign.value)));
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                    self.assigned.push((name.id.as_str(), value));
                }
            }
            Stmt::AugAssign(assign) => {
                if let Expr::Name(name) = &*assign.target {
                    self.assigned.push((name.id.as_str(), &assign.value));
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }
}
