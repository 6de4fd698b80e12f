//! Members of enums.

use ruff_python_ast::{Expr, StmtAssign};
use ruff_text_size::Ranged;
use weaver_core::Value;
use weaver_core::spec::FieldSpec;

use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{ClassRef, ScopeRef};
use crate::problem::span;

/// A member of an enum, the value of the one before being `last`.
pub(super) fn member<'a>(
    assign: &'a StmtAssign,
    last: Option<&Value>,
    class: &ClassRef<'a>,
    scope: &ScopeRef<'a>,
    evaluator: &mut Evaluator<'a>,
) -> Option<FieldSpec> {
    let [Expr::Name(name)] = assign.targets.as_slice() else { return None };
    let value = match &*assign.value {
        Expr::Call(call) if type_head(&call.func) == "auto" => {
            let mut bases = class.class.arguments.iter().flat_map(|arguments| &arguments.args);
            Some(match bases.any(|base| type_head(base) == "StrEnum") {
                true => Value::str(name.id.to_lowercase()),
                false => Value::Int(last.and_then(Value::as_int).unwrap_or(0) + 1),
            })
        }
        value => evaluator.expr_at(value, class.base, scope).to_value(),
    };
    let place = class.base + assign.start().to_usize()..class.base + assign.end().to_usize();
    Some(FieldSpec {
        name: name.id.to_string(),
        annotation: String::new(),
        reducer: None,
        initial: None,
        default: value,
        required: false,
        description: None,
        managed: None,
        span: span(evaluator.text, evaluator.lines, &place),
    })
}
