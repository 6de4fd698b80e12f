//! Built-in functions and methods over values that are known.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use weaver_core::Value;

use super::value::{Abs, CallArgs, PartialArguments, Val};
use super::{ROUNDS_MAX, expr};

/// `timedelta(…)` as seconds.
pub(super) fn timedelta<'a>(args: &CallArgs<'a>) -> Abs<'a> {
    const UNITS: [(&str, f64); 5] = [
        ("days", 86_400.0),
        ("hours", 3_600.0),
        ("minutes", 60.0),
        ("seconds", 1.0),
        ("milliseconds", 0.001),
    ];
    let mut total = 0.0;
    for (name, value, _) in &args.keywords {
        let unit = UNITS.iter().find(|unit| unit.0 == name.as_str());
        match (unit, &value.abs) {
            (Some(unit), Abs::Const(value)) => total += unit.1 * value.as_f64().unwrap_or(0.0),
            _ => return Abs::Unknown,
        }
    }
    Abs::Const(Value::Float(total))
}

/// Built-in functions over known lists.
pub(super) fn builtin<'a>(name: &str, args: &CallArgs<'a>, span: &Range<usize>) -> Abs<'a> {
    let first = args.positional.first();
    let items = first.and_then(Val::items);
    let list = |items: Vec<Val<'a>>| Val::list(items, span.clone()).abs;
    match (name, items) {
        ("list" | "tuple" | "set" | "frozenset", Some(items)) => list(items),
        ("list" | "tuple", None) if first.is_none() => list(Vec::new()),
        ("reversed", Some(items)) => list(items.into_iter().rev().collect()),
        ("len", Some(items)) => Abs::Const(Value::Int(items.len() as i64)),
        ("str", None) => {
            first.and_then(expr::plain_text).map_or(Abs::Unknown, |t| Abs::Const(t.into()))
        }
        ("enumerate", Some(items)) => {
            let start = args.get(1, "start").and_then(|v| match &v.abs {
                Abs::Const(value) => value.as_int(),
                _ => None,
            });
            let numbered = items.into_iter().enumerate().map(|(index, item)| {
                let number =
                    Abs::Const(Value::Int(start.unwrap_or(0).saturating_add(index as i64)));
                let number = Val { abs: number, span: item.span.clone() };
                Val::list(vec![number, item.clone()], item.span.clone())
            });
            list(numbered.collect())
        }
        ("zip", Some(first)) => {
            let others: Option<Vec<Vec<Val<'a>>>> =
                args.positional[1..].iter().map(Val::items).collect();
            let Some(others) = others else { return Abs::Unknown };
            let rows = first.into_iter().enumerate().map_while(|(index, item)| {
                let span = item.span.clone();
                let mut row = vec![item];
                for other in &others {
                    row.push(other.get(index)?.clone());
                }
                Some(Val::list(row, span))
            });
            list(rows.collect())
        }
        ("range", None) => range(args, span),
        ("dict", _) if first.is_none() && !args.open => {
            let entries = args
                .keywords
                .iter()
                .map(|(name, value, span)| (Val::str(name.as_str(), span.clone()), value.clone()));
            Abs::Dict(Rc::new(RefCell::new(entries.collect())))
        }
        ("dict", None) => first.map_or(Abs::Unknown, |value| match &value.abs {
            Abs::Dict(entries) => Abs::Dict(Rc::new(RefCell::new(entries.borrow().clone()))),
            _ => Abs::Unknown,
        }),
        _ => Abs::Unknown,
    }
}

fn range<'a>(args: &CallArgs<'a>, span: &Range<usize>) -> Abs<'a> {
    let numbers: Option<Vec<i64>> = args
        .positional
        .iter()
        .map(|value| match &value.abs {
            Abs::Const(value) => value.as_int(),
            _ => None,
        })
        .collect();
    let (from, to, step) = match numbers.as_deref() {
        Some([to]) => (0, *to, 1),
        Some([from, to]) => (*from, *to, 1),
        Some([from, to, step]) if *step > 0 => (*from, *to, *step),
        _ => return Abs::Unknown,
    };
    let items: Vec<Val<'a>> = (from..to)
        .step_by(usize::try_from(step).unwrap_or(1))
        .take(ROUNDS_MAX + 1)
        .map(|int| Val { abs: Abs::Const(Value::Int(int)), span: span.clone() })
        .collect();
    Val::list(items, span.clone()).abs
}

pub(super) fn dict_method<'a>(
    entries: &[(Val<'a>, Val<'a>)],
    name: &Name,
    args: &CallArgs<'a>,
    span: Range<usize>,
) -> Val<'a> {
    let items: Vec<Val<'a>> = match name.as_str() {
        "items" => entries
            .iter()
            .map(|(key, value)| Val::list(vec![key.clone(), value.clone()], key.span.clone()))
            .collect(),
        "keys" => entries.iter().map(|(key, _)| key.clone()).collect(),
        "values" => entries.iter().map(|(_, value)| value.clone()).collect(),
        "get" => {
            let key = args.positional.first().and_then(Val::as_str);
            let found = entries.iter().find(|(known, _)| key.is_some() && known.as_str() == key);
            return match found {
                Some((_, value)) => value.clone(),
                None => Val::unknown(span),
            };
        }
        _ => return Val::unknown(span),
    };
    Val::list(items, span)
}

pub(super) fn text_method<'a>(text: &str, name: &Name, args: &CallArgs<'a>) -> Abs<'a> {
    let given = args.positional.first();
    let result = match (name.as_str(), args.positional.len()) {
        ("lower", 0) => text.to_lowercase(),
        ("upper", 0) => text.to_uppercase(),
        ("strip", 0) => text.trim().to_string(),
        ("join", 1) => {
            let Some(items) = given.and_then(Val::items) else { return Abs::Unknown };
            let items: Option<Vec<String>> =
                items.iter().map(|i| i.as_str().map(String::from)).collect();
            let Some(items) = items else { return Abs::Unknown };
            items.join(text)
        }
        ("replace", 2) => {
            let (Some(from), Some(to)) = (args.positional[0].as_str(), args.positional[1].as_str())
            else {
                return Abs::Unknown;
            };
            if from.is_empty() {
                return Abs::Unknown;
            }
            text.replace(from, to)
        }
        _ => return Abs::Unknown,
    };
    Abs::Const(Value::from(result))
}

/// `partial(f, …)`, with its text where that is known.
pub(super) fn partial<'a>(
    args: &CallArgs<'a>,
    span: &Range<usize>,
    text: Option<String>,
) -> Abs<'a> {
    let Some(function) = args.positional.first() else { return Abs::Unknown };
    if let Abs::Partial(inner, _) = &function.abs
        && matches!(inner.abs, Abs::Partial(..))
    {
        return Abs::Unknown;
    }
    let given = PartialArguments {
        positional: args.positional.len() - 1,
        keywords: args.keywords.iter().map(|(name, ..)| name.to_string()).collect(),
        span: span.clone(),
        text,
    };
    Abs::Partial(Rc::new(function.clone()), Rc::new(given))
}
