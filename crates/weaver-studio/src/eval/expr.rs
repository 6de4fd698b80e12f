//! Expressions: what is known of their value.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::{
    BoolOp, CmpOp, Comprehension, Expr, FStringPartRef, InterpolatedStringElement, Number,
    Operator, UnaryOp,
};
use weaver_core::Value;
use weaver_core::spec::{END, START};

use super::value::{Abs, LambdaRef, Placed, Scope, ScopeRef, Val};
use super::{DEPTH_MAX, Evaluator, LIST_MAX, ROUNDS_MAX};

impl<'a> Evaluator<'a> {
    /// What is known of an expression's value.
    pub fn expr(&mut self, expr: &'a Expr, scope: &ScopeRef<'a>) -> Val<'a> {
        let span = self.span(expr);
        // Chained calls are unrolled by `call_chain`; anything else this deep is no graph.
        if self.depth >= DEPTH_MAX || !self.step() {
            return Val::unknown(span);
        }
        self.depth += 1;
        let abs = self.abs(expr, scope, &span);
        self.depth -= 1;
        Val { abs, span }
    }

    fn abs(&mut self, expr: &'a Expr, scope: &ScopeRef<'a>, span: &Range<usize>) -> Abs<'a> {
        match expr {
            Expr::StringLiteral(text) => Abs::Const(Value::str(text.value.to_str())),
            Expr::BooleanLiteral(literal) => Abs::Const(Value::Bool(literal.value)),
            Expr::NoneLiteral(_) => Abs::Const(Value::Null),
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => match int.as_i64() {
                    Some(int) => Abs::Const(Value::Int(int)),
                    None => Abs::Const(weaver_core::value::big_int(&int.to_string())),
                },
                Number::Float(float) => Abs::Const(Value::Float(*float)),
                Number::Complex { .. } => Abs::Unknown,
            },
            Expr::FString(text) => self.f_string(text, scope),
            Expr::Name(name) => match self.lookup(&name.id, scope) {
                Some(value) => constant_of(value.abs),
                None => Abs::Import(format!("builtins.{}", name.id).into()),
            },
            Expr::List(list) => self.sequence(&list.elts, scope, span),
            Expr::Tuple(tuple) => self.sequence(&tuple.elts, scope, span),
            Expr::Set(set) => self.sequence(&set.elts, scope, span),
            Expr::Dict(dict) => self.dict(dict, scope),
            Expr::Lambda(lambda) => {
                Abs::Lambda(LambdaRef { lambda, base: self.base, scope: self.closure(scope) })
            }
            Expr::BinOp(operation) => {
                let left = self.expr(&operation.left, scope);
                let right = self.expr(&operation.right, scope);
                if operation.op == Operator::BitOr
                    && matches!(left.abs, Abs::Import(_) | Abs::Type(_) | Abs::Class(_))
                {
                    return Abs::Type(Placed { expr, base: self.base });
                }
                binary(operation.op, &left, &right, span.clone()).abs
            }
            Expr::UnaryOp(operation) => {
                let value = self.expr(&operation.operand, scope);
                unary(operation.op, &value)
            }
            Expr::BoolOp(operation) => self.bool_op(operation.op, &operation.values, scope),
            Expr::Compare(compare) => self.compare(compare, scope),
            Expr::If(choice) => match self.expr(&choice.test, scope).truth() {
                Some(true) => self.expr(&choice.body, scope).abs,
                Some(false) => self.expr(&choice.orelse, scope).abs,
                None => {
                    self.expr(&choice.body, scope);
                    self.expr(&choice.orelse, scope);
                    Abs::Unknown
                }
            },
            Expr::Named(named) => {
                let value = self.expr(&named.value, scope);
                self.assign(&named.target, value.clone(), scope);
                value.abs
            }
            Expr::Await(inner) => self.expr(&inner.value, scope).abs,
            Expr::Call(_) | Expr::Attribute(_) => self.call_chain(expr, scope).abs,
            Expr::Subscript(subscript) => {
                let object = self.expr(&subscript.value, scope);
                if matches!(object.abs, Abs::Import(_)) {
                    return Abs::Type(Placed { expr, base: self.base });
                }
                let key = self.expr(&subscript.slice, scope);
                item_of(&object, &key)
            }
            Expr::ListComp(comp) => self.comprehension(&comp.elt, &comp.generators, scope, span),
            Expr::Generator(comp) => self.comprehension(&comp.elt, &comp.generators, scope, span),
            Expr::SetComp(comp) => self.comprehension(&comp.elt, &comp.generators, scope, span),
            _ => Abs::Unknown,
        }
    }

    fn sequence(&mut self, elts: &'a [Expr], scope: &ScopeRef<'a>, span: &Range<usize>) -> Abs<'a> {
        let mut items = Vec::with_capacity(elts.len());
        for elt in elts {
            match elt {
                Expr::Starred(starred) => match self.expr(&starred.value, scope).items() {
                    Some(inner) if items.len() + inner.len() <= LIST_MAX => items.extend(inner),
                    _ => return Abs::Unknown,
                },
                _ => items.push(self.expr(elt, scope)),
            }
        }
        Val::list(items, span.clone()).abs
    }

    fn dict(&mut self, dict: &'a ruff_python_ast::ExprDict, scope: &ScopeRef<'a>) -> Abs<'a> {
        let mut entries: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            match &item.key {
                Some(key) => {
                    let key = self.expr(key, scope);
                    entries.push((key, self.expr(&item.value, scope)));
                }
                None => match self.expr(&item.value, scope).entries() {
                    Some(inner) if entries.len() + inner.len() <= LIST_MAX => entries.extend(inner),
                    _ => return Abs::Unknown,
                },
            }
        }
        Abs::Dict(Rc::new(RefCell::new(entries)))
    }

    /// An f-string of constants is a constant.
    fn f_string(
        &mut self,
        text: &'a ruff_python_ast::ExprFString,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        let mut whole = String::new();
        for part in text.value.iter() {
            match part {
                FStringPartRef::Literal(literal) => whole.push_str(&literal.value),
                FStringPartRef::FString(part) => {
                    for element in &part.elements {
                        match element {
                            InterpolatedStringElement::Literal(literal) => {
                                whole.push_str(&literal.value);
                            }
                            InterpolatedStringElement::Interpolation(field) => {
                                let value = self.expr(&field.expression, scope);
                                match plain_text(&value) {
                                    Some(text)
                                        if field.format_spec.is_none()
                                            && whole.len() + text.len() < TEXT_MAX =>
                                    {
                                        whole.push_str(&text);
                                    }
                                    _ => return Abs::Unknown,
                                }
                            }
                        }
                    }
                }
            }
        }
        Abs::Const(Value::from(whole))
    }

    fn bool_op(&mut self, op: BoolOp, values: &'a [Expr], scope: &ScopeRef<'a>) -> Abs<'a> {
        let mut last = Abs::Unknown;
        for value in values {
            let value = self.expr(value, scope);
            match (value.truth(), op) {
                (None, _) => return Abs::Unknown,
                (Some(true), BoolOp::Or) | (Some(false), BoolOp::And) => return value.abs,
                _ => last = value.abs,
            }
        }
        last
    }

    fn compare(
        &mut self,
        compare: &'a ruff_python_ast::ExprCompare,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        let ([left, right], [op]) = (&*compare.operands, &*compare.ops) else {
            return Abs::Unknown;
        };
        let left = self.expr(left, scope);
        let right = self.expr(right, scope);
        let result = match op {
            CmpOp::In | CmpOp::NotIn => {
                let (Some(left), Some(items)) = (left.to_value(), right.items()) else {
                    return Abs::Unknown;
                };
                let items: Option<Vec<Value>> = items.iter().map(Val::to_value).collect();
                let Some(items) = items else { return Abs::Unknown };
                items.contains(&left) == (*op == CmpOp::In)
            }
            CmpOp::Is | CmpOp::Eq | CmpOp::IsNot | CmpOp::NotEq => {
                let same = match (&left.abs, &right.abs) {
                    (Abs::Const(left), Abs::Const(right)) => left == right,
                    (Abs::Unknown | Abs::Import(_) | Abs::Made(_) | Abs::Attribute(..), _)
                    | (_, Abs::Unknown | Abs::Import(_) | Abs::Made(_) | Abs::Attribute(..)) => {
                        return Abs::Unknown;
                    }
                    (Abs::Const(_), _) | (_, Abs::Const(_)) => false,
                    _ => return Abs::Unknown,
                };
                same == matches!(op, CmpOp::Is | CmpOp::Eq)
            }
            _ => {
                let (Abs::Const(left), Abs::Const(right)) = (&left.abs, &right.abs) else {
                    return Abs::Unknown;
                };
                let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) else {
                    return Abs::Unknown;
                };
                match op {
                    CmpOp::Lt => left < right,
                    CmpOp::LtE => left <= right,
                    CmpOp::Gt => left > right,
                    _ => left >= right,
                }
            }
        };
        Abs::Const(Value::Bool(result))
    }

    /// A comprehension with one `for` over a known list.
    fn comprehension(
        &mut self,
        elt: &'a Expr,
        generators: &'a [Comprehension],
        scope: &ScopeRef<'a>,
        span: &Range<usize>,
    ) -> Abs<'a> {
        let [generator] = generators else { return Abs::Unknown };
        let items = match self.expr(&generator.iter, scope).items() {
            Some(items) if items.len() <= ROUNDS_MAX => items,
            _ => return Abs::Unknown,
        };
        let inner: ScopeRef<'a> = Rc::new(Scope {
            parent: Some(scope.clone()),
            path: scope.path.clone(),
            maker: scope.maker.clone(),
            ..Scope::default()
        });
        self.scopes.push(inner.clone());
        let mut results = Vec::new();
        'items: for item in items {
            self.assign(&generator.target, item, &inner);
            for test in &generator.ifs {
                match self.expr(test, &inner).truth() {
                    Some(true) => {}
                    Some(false) => continue 'items,
                    None => return Abs::Unknown,
                }
            }
            results.push(self.expr(elt, &inner));
        }
        Val::list(results, span.clone()).abs
    }
}

/// Longest text that is built.
const TEXT_MAX: usize = 100_000;

/// `START` and `END` however they are imported.
pub(super) fn constant_of(abs: Abs<'_>) -> Abs<'_> {
    let constant = match &abs {
        Abs::Import(path) if path.starts_with("langgraph.") => match path.rsplit('.').next() {
            Some("START") => START,
            Some("END") => END,
            _ => return abs,
        },
        _ => return abs,
    };
    Abs::Const(Value::str(constant))
}

/// What `str()` makes of a constant.
pub(super) fn plain_text(value: &Val<'_>) -> Option<String> {
    let Abs::Const(value) = &value.abs else { return None };
    Some(match value {
        Value::Str(text) => text.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        _ => return None,
    })
}

/// `left op right`.
pub(super) fn binary<'a>(
    op: Operator,
    left: &Val<'a>,
    right: &Val<'a>,
    span: Range<usize>,
) -> Val<'a> {
    let abs = match (op, &left.abs, &right.abs) {
        (Operator::Add, Abs::List(a), Abs::List(b))
            if a.borrow().len() + b.borrow().len() <= LIST_MAX =>
        {
            let items = a.borrow().iter().chain(b.borrow().iter()).cloned().collect();
            Val::list(items, span.clone()).abs
        }
        (Operator::BitOr, Abs::Dict(a), Abs::Dict(b))
            if a.borrow().len() + b.borrow().len() <= LIST_MAX =>
        {
            let entries = a.borrow().iter().chain(b.borrow().iter()).cloned().collect();
            Abs::Dict(Rc::new(RefCell::new(entries)))
        }
        (_, Abs::Const(a), Abs::Const(b)) => constant_binary(op, a, b),
        _ => Abs::Unknown,
    };
    Val { abs, span }
}

fn constant_binary<'a>(op: Operator, left: &Value, right: &Value) -> Abs<'a> {
    let result = match (op, left, right) {
        (Operator::Add, Value::Str(a), Value::Str(b)) if a.len() + b.len() < TEXT_MAX => {
            Some(Value::from(format!("{a}{b}")))
        }
        (Operator::Add, Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int),
        (Operator::Sub, Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map(Value::Int),
        (Operator::Mult, Value::Int(a), Value::Int(b)) => a.checked_mul(*b).map(Value::Int),
        (Operator::Mult, Value::Float(_), _) | (Operator::Mult, _, Value::Float(_)) => {
            left.as_f64().zip(right.as_f64()).map(|(a, b)| Value::Float(a * b))
        }
        (Operator::Div, _, _) => left
            .as_f64()
            .zip(right.as_f64())
            .filter(|(_, b)| *b != 0.0)
            .map(|(a, b)| Value::Float(a / b)),
        (Operator::Add | Operator::Sub, _, _) => left
            .as_f64()
            .zip(right.as_f64())
            .map(|(a, b)| Value::Float(if op == Operator::Add { a + b } else { a - b })),
        _ => None,
    };
    result.map_or(Abs::Unknown, Abs::Const)
}

fn unary<'a>(op: UnaryOp, value: &Val<'a>) -> Abs<'a> {
    let result = match (op, &value.abs) {
        (UnaryOp::Not, _) => value.truth().map(|truth| Value::Bool(!truth)),
        (UnaryOp::USub, Abs::Const(Value::Int(int))) => int.checked_neg().map(Value::Int),
        (UnaryOp::USub, Abs::Const(Value::Float(float))) => Some(Value::Float(-float)),
        (UnaryOp::UAdd, Abs::Const(number)) if number.as_f64().is_some() => Some(number.clone()),
        _ => None,
    };
    result.map_or(Abs::Unknown, Abs::Const)
}

/// `object[key]` of a known list or dict.
fn item_of<'a>(object: &Val<'a>, key: &Val<'a>) -> Abs<'a> {
    let Abs::Const(key) = &key.abs else { return Abs::Unknown };
    match &object.abs {
        Abs::List(items) => {
            let items = items.borrow();
            let index = match key.as_int() {
                Some(index) if index < 0 => items.len() as i64 + index,
                Some(index) => index,
                None => return Abs::Unknown,
            };
            usize::try_from(index)
                .ok()
                .and_then(|index| items.get(index))
                .map_or(Abs::Unknown, |item| item.abs.clone())
        }
        Abs::Dict(entries) => entries
            .borrow()
            .iter()
            .rev()
            .find(|(known, _)| matches!(&known.abs, Abs::Const(known) if known == key))
            .map_or(Abs::Unknown, |(_, value)| value.abs.clone()),
        _ => Abs::Unknown,
    }
}
