//! Which functions are generators, and which of their loops never end.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, StmtWhile};

/// `while True:` that nothing leaves.
pub(crate) fn is_endless(repeat: &StmtWhile) -> bool {
    let always = match &*repeat.test {
        Expr::BooleanLiteral(literal) => literal.value,
        Expr::NumberLiteral(_) => true,
        _ => false,
    };
    always && !any_statement(&repeat.body, &|stmt| matches!(stmt, Stmt::Break(_) | Stmt::Return(_)))
}

/// Whether statements yield, outside of functions inside them.
pub(crate) fn yields(body: &[Stmt]) -> bool {
    any_statement(body, &|stmt| {
        matches!(stmt, Stmt::Expr(expr)
            if matches!(&*expr.value, Expr::Yield(_) | Expr::YieldFrom(_)))
    })
}

/// Whether any statement, outside of inner functions and classes, is of a kind.
fn any_statement(body: &[Stmt], is: &dyn Fn(&Stmt) -> bool) -> bool {
    struct Finder<'f> {
        is: &'f dyn Fn(&Stmt) -> bool,
        found: bool,
    }
    impl<'a> Visitor<'a> for Finder<'_> {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            self.found |= (self.is)(stmt);
            if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                visitor::walk_stmt(self, stmt);
            }
        }
        fn visit_expr(&mut self, _expr: &'a Expr) {}
    }
    let mut finder = Finder { is, found: false };
    body.iter().for_each(|stmt| finder.visit_stmt(stmt));
    finder.found
}
