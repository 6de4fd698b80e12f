//! Reducers: what the last part of `Annotated[T, …]` means.

use ruff_python_ast::{Expr, ExprLambda, Operator};
use ruff_text_size::Ranged;
use weaver_core::spec::ReducerSpec;

use super::{Schemas, keyword, resolve};
use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{Abs, ScopeRef, Val};

/// Channel classes that may be written out.
const CHANNELS: [&str; 6] =
    ["LastValue", "EphemeralValue", "Topic", "AnyValue", "UntrackedValue", "DeltaChannel"];

impl Schemas {
    pub(super) fn reducer<'a>(
        &mut self,
        expr: &Expr,
        base: usize,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
    ) -> Option<ReducerSpec> {
        match expr {
            Expr::Lambda(lambda) => match lambda_operator(lambda) {
                Some(known) => Some(known),
                None => made_at(expr, base, scope, evaluator),
            },
            Expr::Call(call) => {
                let name = type_head(&call.func);
                match name {
                    "add_messages" => Some(ReducerSpec::AddMessages),
                    "DeltaChannel" => {
                        let function = call.arguments.args.first().or(keyword(call, "reducer"))?;
                        match self.reducer(function, base, scope, evaluator)? {
                            ReducerSpec::Function { name } => Some(ReducerSpec::Delta { name }),
                            known => Some(known),
                        }
                    }
                    _ => channel(
                        name,
                        matches!(keyword(call, "accumulate"), Some(Expr::BooleanLiteral(b)) if b.value),
                    )
                    .or_else(|| made_at(expr, base, scope, evaluator)),
                }
            }
            Expr::Subscript(subscript) => channel(type_head(&subscript.value), false),
            Expr::Attribute(attribute)
                if matches!(attribute.attr.as_str(), "__add__" | "__iadd__" | "__or__") =>
            {
                Some(match attribute.attr.as_str() {
                    "__or__" => ReducerSpec::Or,
                    _ => ReducerSpec::Add,
                })
            }
            _ => match resolve(expr, scope, evaluator)? {
                Abs::Import(path) => imported(&path),
                abs @ (Abs::Function(_) | Abs::Partial(..) | Abs::Method(..)) => {
                    let value = Val { abs, span: base..base };
                    let (id, _) = evaluator.register(&value).ok()?;
                    Some(ReducerSpec::Function { name: id })
                }
                Abs::Lambda(lambda) => match lambda_operator(lambda.lambda) {
                    Some(known) => Some(known),
                    None => {
                        let value = Val { abs: Abs::Lambda(lambda), span: base..base };
                        let (id, _) = evaluator.register(&value).ok()?;
                        Some(ReducerSpec::Function { name: id })
                    }
                },
                _ => None,
            },
        }
    }

    /// `x: Topic[str]`, a channel class as the annotation itself.
    pub(super) fn channel_annotation<'a>(
        &mut self,
        annotation: &Expr,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
    ) -> Option<ReducerSpec> {
        let Expr::Subscript(subscript) = annotation else { return None };
        match resolve(&subscript.value, scope, evaluator)? {
            Abs::Import(path) if path.starts_with("langgraph.channels") => {
                channel(path.rsplit('.').next()?, false)
            }
            _ => None,
        }
    }
}

/// A lambda, or the function that a call such as `keep_last(5)` makes.
fn made_at<'a>(
    expr: &Expr,
    base: usize,
    scope: &ScopeRef<'a>,
    evaluator: &mut Evaluator<'a>,
) -> Option<ReducerSpec> {
    let place = base + expr.range().start().to_usize();
    evaluator.reducer_at(place, base, scope).map(|name| ReducerSpec::Function { name })
}

fn imported(path: &str) -> Option<ReducerSpec> {
    Some(match (path.rsplit('.').next()?, path) {
        ("add_messages", _) => ReducerSpec::AddMessages,
        ("add" | "iadd" | "concat", path) if is_operator(path) => ReducerSpec::Add,
        ("or_" | "ior", path) if is_operator(path) => ReducerSpec::Or,
        ("and_" | "iand", path) if is_operator(path) => ReducerSpec::And,
        ("mul" | "imul", path) if is_operator(path) => ReducerSpec::Mul,
        ("max", "builtins.max") => ReducerSpec::Max,
        ("min", "builtins.min") => ReducerSpec::Min,
        (name, _) => return channel(name, false),
    })
}

fn is_operator(path: &str) -> bool {
    path.starts_with("operator.") || path.starts_with("_operator.")
}

fn channel(name: &str, accumulate: bool) -> Option<ReducerSpec> {
    let name = if name == "EphemeralValue" { name } else { name.trim_end_matches("Value") };
    let known = CHANNELS.iter().find(|c| **c == name || c.trim_end_matches("Value") == name)?;
    Some(ReducerSpec::Channel { class: (*known).to_string(), accumulate })
}

/// `lambda a, b: a + b` and its siblings mean an operator.
fn lambda_operator(lambda: &ExprLambda) -> Option<ReducerSpec> {
    let parameters = lambda.parameters.as_ref()?;
    let [left, right] = parameters.args.as_slice() else { return None };
    let Expr::BinOp(body) = &*lambda.body else { return None };
    let is = |expr: &Expr, name: &str| matches!(expr, Expr::Name(n) if n.id.as_str() == name);
    if !is(&body.left, left.name()) || !is(&body.right, right.name()) {
        return None;
    }
    Some(match body.op {
        Operator::Add => ReducerSpec::Add,
        Operator::BitOr => ReducerSpec::Or,
        Operator::BitAnd => ReducerSpec::And,
        Operator::Mult => ReducerSpec::Mul,
        _ => return None,
    })
}
