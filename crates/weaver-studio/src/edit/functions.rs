//! Where functions name nodes: in what they answer, in `Command`s and `Send`s, in their
//! return annotations.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, ExprSubscript, Stmt};
use weaver_core::FastMap;

use super::tree::{Callable, Tree};
use crate::eval::outcome::type_head;

/// Deepest nesting of an answer that is followed.
const DEPTH_MAX: u32 = 12;

/// The places in which a function names nodes; each is a text or a constant.
#[derive(Default)]
pub(super) struct NamedNodes<'a> {
    /// What it returns.
    pub answers: Vec<&'a Expr>,
    /// It returns nothing else, but for `Send`s and `Command`s.
    pub complete: bool,
    /// `Command(goto=…)`.
    pub gotos: Vec<&'a Expr>,
    /// `Command(goto=…, graph=Command.PARENT)`.
    pub parent_gotos: Vec<&'a Expr>,
    /// `Send(…, …)`.
    pub sends: Vec<&'a Expr>,
    /// `Literal[...]` of the return annotation.
    pub literals: Vec<&'a ExprSubscript>,
    /// `Command[Literal[...]]` of it.
    pub command_literals: Vec<&'a ExprSubscript>,
    /// Part of the annotation is a text or an alias that others use too.
    pub hidden_annotation: bool,
}

impl<'a> NamedNodes<'a> {
    pub fn of(tree: &Tree<'a>, callable: Callable<'a>) -> Self {
        let mut body = Body::default();
        let mut named = NamedNodes { complete: true, ..NamedNodes::default() };
        match callable {
            Callable::Def(def) => {
                def.body.iter().for_each(|stmt| body.visit_stmt(stmt));
                if let Some(annotation) = &def.returns {
                    named.annotation(tree, annotation, false, 0);
                }
            }
            Callable::Lambda(lambda) => {
                body.visit_expr(&lambda.body);
                body.returns.push(&lambda.body);
            }
        }
        let mut answers = Vec::new();
        for answer in &body.returns {
            named.complete &= body.names(tree, answer, &mut answers, 0);
        }
        named.answers = answers;
        for call in &body.calls {
            named.control(tree, call, &body);
        }
        named
    }

    /// All places outside annotations.
    pub fn in_body(&self) -> impl Iterator<Item = &'a Expr> {
        self.gotos.iter().chain(&self.sends).chain(&self.answers).copied()
    }

    fn control(&mut self, tree: &Tree<'a>, call: &'a ExprCall, body: &Body<'a>) {
        let argument = |position: usize, name: &str| {
            let keyword = call.arguments.find_keyword(name).map(|keyword| &keyword.value);
            keyword.or_else(|| call.arguments.args.get(position).filter(|_| position < 9))
        };
        match type_head(&call.func) {
            "Send" => self.sends.extend(argument(0, "node")),
            "Command" => {
                let Some(goto) = argument(9, "goto") else { return };
                let to_parent = call.arguments.find_keyword("graph").is_some();
                let gotos = if to_parent { &mut self.parent_gotos } else { &mut self.gotos };
                body.names(tree, goto, gotos, 0);
            }
            _ => {}
        }
    }

    fn annotation(&mut self, tree: &Tree<'a>, expr: &'a Expr, in_command: bool, depth: u32) {
        if depth > DEPTH_MAX {
            return;
        }
        match expr {
            Expr::StringLiteral(_) => self.hidden_annotation = true,
            Expr::BinOp(union) => {
                self.annotation(tree, &union.left, in_command, depth + 1);
                self.annotation(tree, &union.right, in_command, depth + 1);
            }
            Expr::Name(name) => {
                let alias = tree.constant(&name.id).filter(|value| value.is_subscript_expr());
                if let Some(alias) = alias {
                    self.hidden_annotation |= tree.loads(&name.id) > 1;
                    self.annotation(tree, alias, in_command, depth + 1);
                }
            }
            Expr::Subscript(subscript) => match type_head(&subscript.value) {
                "Literal" if in_command => self.command_literals.push(subscript),
                "Literal" => self.literals.push(subscript),
                "Command" => self.annotation(tree, &subscript.slice, true, depth + 1),
                _ => match &*subscript.slice {
                    Expr::Tuple(tuple) => {
                        for elt in &tuple.elts {
                            self.annotation(tree, elt, in_command, depth + 1);
                        }
                    }
                    other => self.annotation(tree, other, in_command, depth + 1),
                },
            },
            _ => {}
        }
    }
}

/// The names in `Literal[...]`.
pub(super) fn literal_items(subscript: &ExprSubscript) -> &[Expr] {
    match &*subscript.slice {
        Expr::Tuple(tuple) => &tuple.elts,
        other => std::slice::from_ref(other),
    }
}

/// A function's body without the functions inside it.
#[derive(Default)]
struct Body<'a> {
    returns: Vec<&'a Expr>,
    assigned: FastMap<&'a str, Vec<&'a Expr>>,
    calls: Vec<&'a ExprCall>,
}

impl<'a> Body<'a> {
    /// As [`Body::names`], of each of several.
    fn all_names(
        &self,
        tree: &Tree<'a>,
        exprs: impl Iterator<Item = &'a Expr>,
        found: &mut Vec<&'a Expr>,
        depth: u32,
    ) -> bool {
        let mut complete = true;
        for expr in exprs {
            complete &= self.names(tree, expr, found, depth + 1);
        }
        complete
    }

    /// Adds the places of names in an answer; whether these are all that it can be.
    fn names(
        &self,
        tree: &Tree<'a>,
        expr: &'a Expr,
        found: &mut Vec<&'a Expr>,
        depth: u32,
    ) -> bool {
        if depth > DEPTH_MAX {
            return false;
        }
        match expr {
            Expr::StringLiteral(_) => found.push(expr),
            Expr::NoneLiteral(_) => {}
            Expr::If(choice) => {
                let first = self.names(tree, &choice.body, found, depth + 1);
                return self.names(tree, &choice.orelse, found, depth + 1) && first;
            }
            Expr::List(list) => return self.all_names(tree, list.elts.iter(), found, depth),
            Expr::Tuple(tuple) => return self.all_names(tree, tuple.elts.iter(), found, depth),
            Expr::ListComp(comprehension) => {
                return self.names(tree, &comprehension.elt, found, depth + 1);
            }
            Expr::Call(call) => return matches!(type_head(&call.func), "Send" | "Command"),
            Expr::Name(name) => match self.assigned.get(name.id.as_str()) {
                Some(values) => {
                    return self.all_names(tree, values.iter().copied(), found, depth + 3);
                }
                None if tree.text_of(expr).is_some() => found.push(expr),
                None => return tree.is_end(&name.id),
            },
            _ => return false,
        }
        true
    }
}

impl<'a> Visitor<'a> for Body<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Return(ret) => self.returns.extend(ret.value.as_deref()),
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    if let Expr::Name(name) = target {
                        self.assigned.entry(name.id.as_str()).or_default().push(&assign.value);
                    }
                }
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                    self.assigned.entry(name.id.as_str()).or_default().push(value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.calls.push(call);
        }
        visitor::walk_expr(self, expr);
    }
}
