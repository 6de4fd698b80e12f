//! Statements with blocks: what is known to run, and what may.

use ruff_python_ast::{Expr, Stmt};

use super::value::{ScopeRef, Val};
use super::{Evaluator, Flow, ROUNDS_MAX};

impl<'a> Evaluator<'a> {
    pub(super) fn compound(&mut self, stmt: &'a Stmt, scope: &ScopeRef<'a>) -> Flow<'a> {
        match stmt {
            Stmt::If(branch) => {
                let mut arms: Vec<(Option<&'a Expr>, &'a [Stmt])> =
                    vec![(Some(&branch.test), &branch.body)];
                arms.extend(
                    branch.elif_else_clauses.iter().map(|c| (c.test.as_ref(), c.body.as_slice())),
                );
                self.arms(&arms, scope)
            }
            Stmt::For(repeat) => {
                let items = self.expr(&repeat.iter, scope);
                match items.items() {
                    Some(items) if items.len() <= ROUNDS_MAX => {
                        for item in items {
                            self.assign(&repeat.target, item, scope);
                            match self.block(&repeat.body, scope) {
                                Flow::Return(value) => return Flow::Return(value),
                                Flow::Leave { again: false } => return Flow::Next,
                                _ => {}
                            }
                        }
                        self.block(&repeat.orelse, scope)
                    }
                    _ => {
                        let unknown = Val::unknown(self.span(&*repeat.iter));
                        self.assign(&repeat.target, unknown, scope);
                        let reason =
                            "it is in a loop over something that is only known when it runs";
                        self.undecided_block(reason, &repeat.body, scope)
                    }
                }
            }
            Stmt::While(repeat) => {
                let reason =
                    "it is in a loop that ends when something is known that only running tells";
                self.undecided_block(reason, &repeat.body, scope)
            }
            Stmt::With(with) => {
                for item in &with.items {
                    let value = self.expr(&item.context_expr, scope);
                    if let Some(target) = &item.optional_vars {
                        self.assign(target, value, scope);
                    }
                }
                self.block(&with.body, scope)
            }
            Stmt::Try(attempt) => {
                let flow = self.block(&attempt.body, scope);
                for handler in &attempt.handlers {
                    let ruff_python_ast::ExceptHandler::ExceptHandler(handler) = handler;
                    let reason = "it is in an `except` block";
                    self.undecided_block(reason, &handler.body, scope);
                }
                for body in [&attempt.orelse, &attempt.finalbody] {
                    self.block(body, scope);
                }
                flow
            }
            Stmt::Match(choice) => {
                for case in &choice.cases {
                    self.undecided_block("it is in a `case`", &case.body, scope);
                }
                Flow::Next
            }
            _ => Flow::Next,
        }
    }

    /// The arms of an `if`: the one that is known to run, or all that may.
    fn arms(&mut self, arms: &[(Option<&'a Expr>, &'a [Stmt])], scope: &ScopeRef<'a>) -> Flow<'a> {
        let mut undecided = false;
        let mut flow = Flow::Next;
        for (test, body) in arms {
            let truth = match test {
                Some(test) if crate::facts::is_main_test(test) => Some(true),
                Some(test) => self.expr(test, scope).truth(),
                None => Some(true),
            };
            match (truth, undecided) {
                (Some(false), _) => continue,
                (Some(true), false) => return self.block(body, scope),
                _ => {
                    undecided = true;
                    let reason = "it is under an `if` that is only decided when it runs";
                    if let Flow::Return(value) = self.undecided_block(reason, body, scope) {
                        flow = Flow::Return(value);
                    }
                }
            }
        }
        // One arm may return and the code behind it still run: go on reading.
        match flow {
            Flow::Return(value) if arms.iter().any(|(test, _)| test.is_none()) => {
                Flow::Return(value)
            }
            _ => Flow::Next,
        }
    }

    fn undecided_block(
        &mut self,
        reason: &'static str,
        body: &'a [Stmt],
        scope: &ScopeRef<'a>,
    ) -> Flow<'a> {
        let outside = self.undecided.replace(reason);
        let flow = self.block(body, scope);
        self.undecided = outside;
        flow
    }
}
