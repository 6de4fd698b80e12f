//! JSON Schema of annotations and classes.

use ruff_python_ast::{Expr, Stmt};
use weaver_core::Value;
use weaver_core::spec::{SchemaKind, SchemaSpec};

use super::{Parts, Schemas, field_call, keyword, resolve};
use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{Abs, ClassRef, ScopeRef};
use crate::syntax;

/// Deepest nesting of types that is spelled out.
const DEPTH_MAX: u32 = 10;

impl Schemas {
    pub(super) fn class_schema<'a>(
        &mut self,
        schema: &SchemaSpec,
        class: &ClassRef<'a>,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Value {
        let mut entries: Vec<(&str, Value)> = vec![("title", Value::str(schema.name.as_str()))];
        if let Some(doc) = &schema.doc {
            entries.push(("description", Value::str(doc.as_str())));
        }
        if schema.kind == SchemaKind::Enum {
            let values = schema.fields.iter().filter_map(|field| field.default.clone());
            let values: Vec<Value> = values.collect();
            if values.iter().all(|value| value.as_str().is_some()) {
                entries.push(("type", "string".into()));
            }
            entries.push(("enum", Value::list(values)));
            return Value::map(entries);
        }
        let mut properties: Vec<(String, Value)> = Vec::new();
        for field in schema.fields.iter().filter(|field| field.managed.is_none()) {
            let declared = class.class.body.iter().find_map(|stmt| match stmt {
                Stmt::AnnAssign(assign)
                    if matches!(&*assign.target, Expr::Name(n) if n.id.as_str() == field.name) =>
                {
                    Some(assign)
                }
                _ => None,
            });
            let mut property = match declared {
                Some(assign) => {
                    let parts = Parts::of(&assign.annotation, scope, evaluator, 0);
                    let mut property =
                        self.type_schema(&parts.inner, class.base, scope, evaluator, depth + 1);
                    let options = parts.metadata.iter().flatten().chain(assign.value.as_deref());
                    for call in options.filter_map(field_call) {
                        constraints(call, &mut property);
                    }
                    property
                }
                // An inherited field: its text is all that is left of it.
                None => match syntax::parse_annotation(&field.annotation) {
                    Some(inner) => {
                        self.type_schema(&inner, class.base, scope, evaluator, depth + 1)
                    }
                    None => Vec::new(),
                },
            };
            if let Some(description) = &field.description {
                property.push(("description".into(), Value::str(description.as_str())));
            }
            if let Some(default) = &field.default {
                property.push(("default".into(), default.plain()));
            }
            properties.push((field.name.clone(), Value::map(property)));
        }
        let required =
            schema.fields.iter().filter(|field| field.required && field.managed.is_none());
        let required = Value::list(required.map(|field| Value::str(field.name.as_str())));
        entries.push(("type", "object".into()));
        entries.push(("properties", Value::map(properties)));
        entries.push(("required", required));
        Value::map(entries)
    }

    /// JSON Schema of an annotation, for tool arguments too.
    pub(crate) fn annotation_schema<'a>(
        &mut self,
        annotation: &Expr,
        base: usize,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
    ) -> (Vec<(String, Value)>, Option<String>) {
        let parts = Parts::of(annotation, scope, evaluator, 0);
        let mut schema = self.type_schema(&parts.inner, base, scope, evaluator, 0);
        let mut description = None;
        for item in parts.metadata.iter().flatten() {
            match (item, field_call(item)) {
                (Expr::StringLiteral(text), _) => {
                    description = Some(text.value.to_str().to_string())
                }
                (_, Some(call)) => {
                    constraints(call, &mut schema);
                    if let Some(Expr::StringLiteral(text)) = keyword(call, "description") {
                        description = Some(text.value.to_str().to_string());
                    }
                }
                _ => {}
            }
        }
        (schema, description)
    }

    fn type_schema<'a>(
        &mut self,
        expr: &Expr,
        base: usize,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Vec<(String, Value)> {
        if depth > DEPTH_MAX {
            return Vec::new();
        }
        match expr {
            Expr::NoneLiteral(_) => typed("null"),
            Expr::StringLiteral(text) => match syntax::parse_annotation(text.value.to_str()) {
                Some(inner) => self.type_schema(&inner, base, scope, evaluator, depth + 1),
                None => Vec::new(),
            },
            Expr::BinOp(_) => {
                let mut members = Vec::new();
                union_members(expr, &mut members);
                self.any_of(&members, base, scope, evaluator, depth)
            }
            Expr::Name(_) | Expr::Attribute(_) => match resolve(expr, scope, evaluator) {
                Some(Abs::Class(class)) => match self.get(&class, evaluator, depth) {
                    Some(schema) => entries_of(&schema.json_schema),
                    None => typed("object"),
                },
                Some(Abs::Type(alias)) => {
                    self.type_schema(alias.expr, alias.base, scope, evaluator, depth + 1)
                }
                _ => named_type(type_head(expr)),
            },
            Expr::Subscript(subscript) => {
                let arguments: Vec<&Expr> = match &*subscript.slice {
                    Expr::Tuple(tuple) => tuple.elts.iter().collect(),
                    other => vec![other],
                };
                self.generic(type_head(&subscript.value), &arguments, base, scope, evaluator, depth)
            }
            _ => Vec::new(),
        }
    }

    fn generic<'a>(
        &mut self,
        head: &str,
        arguments: &[&Expr],
        base: usize,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Vec<(String, Value)> {
        let mut of = |expr: &Expr, schemas: &mut Schemas| {
            Value::map(schemas.type_schema(expr, base, scope, evaluator, depth + 1))
        };
        match head {
            "Optional" => {
                let inner = of(arguments[0], self);
                vec![("anyOf".into(), Value::list([inner, Value::map(typed("null"))]))]
            }
            "Union" => self.any_of(arguments, base, scope, evaluator, depth),
            "Annotated" | "Required" | "NotRequired" | "ReadOnly" | "Final" => {
                self.type_schema(arguments[0], base, scope, evaluator, depth + 1)
            }
            "Literal" => {
                let values: Vec<Value> =
                    arguments.iter().filter_map(|argument| literal(argument)).collect();
                let mut schema = vec![("enum".into(), Value::list(values.clone()))];
                if values.iter().all(|value| value.as_str().is_some()) {
                    schema.insert(0, ("type".into(), "string".into()));
                }
                schema
            }
            "list" | "List" | "Sequence" | "Iterable" => {
                let items = of(arguments[0], self);
                let mut schema = typed("array");
                schema.push(("items".into(), items));
                schema
            }
            "set" | "Set" | "frozenset" | "FrozenSet" => {
                let items = of(arguments[0], self);
                let mut schema = typed("array");
                schema.push(("items".into(), items));
                schema.push(("uniqueItems".into(), Value::Bool(true)));
                schema
            }
            "tuple" | "Tuple" => {
                let mut schema = typed("array");
                match arguments {
                    [item, Expr::EllipsisLiteral(_)] => {
                        schema.push(("items".into(), of(item, self)))
                    }
                    items => {
                        let parts: Vec<Value> = items.iter().map(|item| of(item, self)).collect();
                        let length = Value::Int(parts.len() as i64);
                        schema.push(("prefixItems".into(), Value::list(parts)));
                        schema.push(("minItems".into(), length.clone()));
                        schema.push(("maxItems".into(), length));
                    }
                }
                schema
            }
            "dict" | "Dict" | "Mapping" => {
                let mut schema = typed("object");
                if let [_, value] = arguments {
                    schema.push(("additionalProperties".into(), of(value, self)));
                }
                schema
            }
            _ => Vec::new(),
        }
    }

    fn any_of<'a>(
        &mut self,
        members: &[&Expr],
        base: usize,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Vec<(String, Value)> {
        let members: Vec<Value> = members
            .iter()
            .map(|member| Value::map(self.type_schema(member, base, scope, evaluator, depth + 1)))
            .collect();
        vec![("anyOf".into(), Value::list(members))]
    }
}

fn typed(name: &str) -> Vec<(String, Value)> {
    vec![("type".into(), name.into())]
}

fn named_type(name: &str) -> Vec<(String, Value)> {
    let formatted = |format: &str| {
        let mut schema = typed("string");
        schema.push(("format".into(), format.into()));
        schema
    };
    match name {
        "str" => typed("string"),
        "int" => typed("integer"),
        "float" => typed("number"),
        "bool" => typed("boolean"),
        "list" | "List" | "tuple" | "Tuple" | "set" | "Set" | "Sequence" => typed("array"),
        "dict" | "Dict" | "Mapping" | "object" | "BaseMessage" | "AnyMessage" => typed("object"),
        "datetime" => formatted("date-time"),
        "date" => formatted("date"),
        "time" => formatted("time"),
        "UUID" => formatted("uuid"),
        "EmailStr" => formatted("email"),
        "HttpUrl" | "AnyUrl" => formatted("uri"),
        _ => Vec::new(),
    }
}

fn union_members<'e>(expr: &'e Expr, members: &mut Vec<&'e Expr>) {
    let mut expr = expr;
    let mut right = Vec::new();
    while let Expr::BinOp(union) = expr {
        right.push(&*union.right);
        expr = &union.left;
    }
    members.push(expr);
    members.extend(right.into_iter().rev());
}

fn entries_of(value: &Value) -> Vec<(String, Value)> {
    let map = value.as_map().into_iter().flatten();
    map.map(|(key, value)| (key.to_string(), value.clone())).collect()
}

/// A literal without names.
pub(super) fn literal(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::StringLiteral(text) => Value::str(text.value.to_str()),
        Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expr::NoneLiteral(_) => Value::Null,
        Expr::NumberLiteral(number) => match &number.value {
            ruff_python_ast::Number::Int(int) => Value::Int(int.as_i64()?),
            ruff_python_ast::Number::Float(float) => Value::Float(*float),
            ruff_python_ast::Number::Complex { .. } => return None,
        },
        Expr::UnaryOp(minus) if minus.op == ruff_python_ast::UnaryOp::USub => {
            match literal(&minus.operand)? {
                Value::Int(int) => Value::Int(int.checked_neg()?),
                Value::Float(float) => Value::Float(-float),
                _ => return None,
            }
        }
        Expr::List(list) if list.elts.len() <= 1000 => {
            Value::list(list.elts.iter().filter_map(|elt| match elt {
                Expr::List(_) => None,
                other => literal(other),
            }))
        }
        _ => return None,
    })
}

/// What `Field(ge=0, le=10, …)` adds.
fn constraints(call: &ruff_python_ast::ExprCall, schema: &mut Vec<(String, Value)>) {
    const NAMES: [(&str, &str); 9] = [
        ("ge", "minimum"),
        ("le", "maximum"),
        ("gt", "exclusiveMinimum"),
        ("lt", "exclusiveMaximum"),
        ("multiple_of", "multipleOf"),
        ("pattern", "pattern"),
        ("examples", "examples"),
        ("title", "title"),
        ("deprecated", "deprecated"),
    ];
    for (python, json) in NAMES {
        if let Some(value) = keyword(call, python).and_then(literal) {
            schema.push((json.into(), value));
        }
    }
    let is_list =
        schema.iter().any(|(key, value)| key == "type" && value.as_str() == Some("array"));
    for (python, text, list) in
        [("min_length", "minLength", "minItems"), ("max_length", "maxLength", "maxItems")]
    {
        if let Some(value) = keyword(call, python).and_then(literal) {
            schema.push((if is_list { list } else { text }.into(), value));
        }
    }
}
