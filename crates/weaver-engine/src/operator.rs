//! Python's binary operators on [`Value`], for reducers that need no interpreter.

use std::cmp::Ordering;
use std::sync::Arc;

use weaver_core::Value;
use weaver_core::value::big_int;

/// A reducer that is one of Python's operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// `operator.add`.
    Add,
    /// `operator.or_`.
    Or,
    /// `operator.and_`.
    And,
    /// `operator.mul`.
    Mul,
    /// `max`.
    Max,
    /// `min`.
    Min,
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Or => "|",
            Operator::And => "&",
            Operator::Mul => "*",
            Operator::Max => ">",
            Operator::Min => "<",
        }
    }
}

/// `left op right` as Python computes it; the error is Python's sentence.
pub(crate) fn apply(op: Operator, left: Value, right: Value) -> Result<Value, String> {
    match op {
        Operator::Add => add(left, right),
        Operator::Mul => multiply(left, right),
        Operator::Or | Operator::And => bitwise(op, left, right),
        // Python keeps the first of equals: max(a, b) is b only if b > a.
        Operator::Max => {
            Ok(if compare(op, &right, &left)? == Ordering::Greater { right } else { left })
        }
        Operator::Min => {
            Ok(if compare(op, &right, &left)? == Ordering::Less { right } else { left })
        }
    }
}

fn unsupported(op: Operator, left: &Value, right: &Value) -> String {
    match op {
        Operator::Max | Operator::Min => format!(
            "'{}' not supported between instances of '{}' and '{}'",
            op.symbol(),
            left.type_name(),
            right.type_name()
        ),
        _ => format!(
            "unsupported operand type(s) for {}: '{}' and '{}'",
            op.symbol(),
            left.type_name(),
            right.type_name()
        ),
    }
}

/// Numbers as Python sees them: a bool is an int.
enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Int(n) => Some(Number::Int(*n)),
        Value::Bool(b) => Some(Number::Int(i64::from(*b))),
        Value::Float(x) => Some(Number::Float(*x)),
        _ => None,
    }
}

fn add(left: Value, right: Value) -> Result<Value, String> {
    match (left, right) {
        (Value::List(mut items), Value::List(more)) => {
            Arc::make_mut(&mut items).extend_from_slice(&more);
            Ok(Value::List(items))
        }
        (Value::Str(a), Value::Str(b)) => Ok(Value::str(format!("{a}{b}"))),
        (Value::List(_), right) => {
            Err(format!("can only concatenate list (not \"{}\") to list", right.type_name()))
        }
        (Value::Str(_), right) => {
            Err(format!("can only concatenate str (not \"{}\") to str", right.type_name()))
        }
        (left, right) => match (number(&left), number(&right)) {
            (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(a
                .checked_add(b)
                .map_or_else(|| big_int(&(i128::from(a) + i128::from(b)).to_string()), Value::Int)),
            (Some(a), Some(b)) => Ok(Value::Float(float(a) + float(b))),
            _ => Err(unsupported(Operator::Add, &left, &right)),
        },
    }
}

fn float(number: Number) -> f64 {
    match number {
        Number::Int(n) => n as f64,
        Number::Float(x) => x,
    }
}

fn multiply(left: Value, right: Value) -> Result<Value, String> {
    match (number(&left), number(&right)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(a
            .checked_mul(b)
            .map_or_else(|| big_int(&(i128::from(a) * i128::from(b)).to_string()), Value::Int)),
        (Some(a), Some(b)) => Ok(Value::Float(float(a) * float(b))),
        (Some(Number::Int(n)), None) => repeat(&right, n, &left),
        (None, Some(Number::Int(n))) => repeat(&left, n, &right),
        _ => Err(unsupported(Operator::Mul, &left, &right)),
    }
}

fn repeat(sequence: &Value, times: i64, other: &Value) -> Result<Value, String> {
    let times = usize::try_from(times).unwrap_or(0);
    match sequence {
        Value::Str(text) => Ok(Value::str(text.repeat(times))),
        Value::List(items) => {
            let total = items.len().saturating_mul(times);
            Ok(Value::list(items.iter().cycle().take(total).cloned()))
        }
        _ => Err(unsupported(Operator::Mul, sequence, other)),
    }
}

fn bitwise(op: Operator, left: Value, right: Value) -> Result<Value, String> {
    match (&left, &right) {
        (Value::Bool(a), Value::Bool(b)) => {
            Ok(Value::Bool(if op == Operator::Or { *a || *b } else { *a && *b }))
        }
        (Value::Int(_) | Value::Bool(_), Value::Int(_) | Value::Bool(_)) => {
            let (Some(Number::Int(a)), Some(Number::Int(b))) = (number(&left), number(&right))
            else {
                unreachable!("ints and bools are integers")
            };
            Ok(Value::Int(if op == Operator::Or { a | b } else { a & b }))
        }
        (Value::Map(a), Value::Map(b)) => match (left.tag(), right.tag()) {
            (Some("set"), Some("set")) => Ok(set_operation(op, &left, &right)),
            (None, None) if op == Operator::Or => {
                let mut merged = a.clone();
                Arc::make_mut(&mut merged).extend(b.iter().map(|(k, v)| (k.clone(), v.clone())));
                Ok(Value::Map(merged))
            }
            _ => Err(unsupported(op, &left, &right)),
        },
        _ => Err(unsupported(op, &left, &right)),
    }
}

/// Union or intersection of two tagged sets; the canonical order is by JSON text.
fn set_operation(op: Operator, left: &Value, right: &Value) -> Value {
    fn items(set: &Value) -> &[Value] {
        set.get("items").and_then(Value::as_list).unwrap_or_default()
    }
    let mut merged: Vec<Value> = match op {
        Operator::Or => {
            let new = items(right).iter().filter(|item| !items(left).contains(item));
            items(left).iter().chain(new).cloned().collect()
        }
        _ => items(left).iter().filter(|item| items(right).contains(item)).cloned().collect(),
    };
    merged.sort_by_cached_key(Value::to_json);
    Value::tagged("set", [("items", Value::list(merged))])
}

fn compare(op: Operator, left: &Value, right: &Value) -> Result<Ordering, String> {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => Ok(a.cmp(b)),
        (Value::List(a), Value::List(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                if a != b {
                    return compare(op, a, b);
                }
            }
            Ok(a.len().cmp(&b.len()))
        }
        _ => match (number(left), number(right)) {
            (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(a.cmp(&b)),
            // Every comparison with a not-a-number is false in Python.
            (Some(a), Some(b)) => Ok(float(a).partial_cmp(&float(b)).unwrap_or(Ordering::Equal)),
            _ => Err(unsupported(op, left, right)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(op: Operator, left: &str, right: &str, expected: &str) {
        let read = |text| Value::from_json(text).expect("the test's own JSON");
        let result = apply(op, read(left), read(right));
        assert_eq!(result.map(|value| value.to_json()).unwrap_or_else(|error| error), expected);
    }

    #[test]
    fn operators_are_pythons() {
        check(Operator::Add, "[1]", "[2]", "[1,2]");
        check(Operator::Add, "\"a\"", "\"b\"", "\"ab\"");
        check(Operator::Add, "1", "2.5", "3.5");
        check(Operator::Add, "true", "1", "2");
        check(Operator::Add, "[1]", "2", "can only concatenate list (not \"int\") to list");
        check(
            Operator::Add,
            "null",
            "1",
            "unsupported operand type(s) for +: 'NoneType' and 'int'",
        );
        check(
            Operator::Add,
            "9223372036854775807",
            "1",
            r#"{"$type":"int","value":"9223372036854775808"}"#,
        );
        check(Operator::Or, r#"{"a":1}"#, r#"{"b":2}"#, r#"{"a":1,"b":2}"#);
        check(Operator::And, "6", "3", "2");
        check(Operator::Mul, "\"ab\"", "2", "\"abab\"");
        check(Operator::Max, "[1,2]", "[1,3]", "[1,3]");
        check(
            Operator::Min,
            "\"a\"",
            "1",
            "'<' not supported between instances of 'int' and 'str'",
        );
    }
}
