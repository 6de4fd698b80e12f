//! Tools: functions marked with `@tool`, and plain functions given to a `ToolNode`
//! or to `bind_tools`.

use ruff_python_ast::{Expr, ExprCall, StmtFunctionDef};
use weaver_core::Value;
use weaver_core::spec::ToolSpec;

use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{Abs, FunctionRef, Val};
use crate::problem::span;
use crate::schema::Schemas;
use crate::syntax;

/// `response_format` of a tool that returns a pair.
const WITH_ARTIFACT: &str = "content_and_artifact";

/// Whether a function is marked with `@tool`.
pub(crate) fn is_tool<'a>(def: &'a StmtFunctionDef, evaluator: &mut Evaluator<'a>) -> bool {
    def.decorator_list.iter().any(|decorator| marks_tool(&decorator.expression, evaluator))
}

/// Whether a decorator is `tool`, under whatever name the file imports it.
fn marks_tool<'a>(decorator: &'a Expr, evaluator: &mut Evaluator<'a>) -> bool {
    let head = match decorator {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    if type_head(head) != "tool" && !matches!(head, Expr::Name(_)) {
        return false;
    }
    let module = evaluator.module.clone();
    match crate::schema::resolve(head, &module, evaluator) {
        Some(Abs::Import(path)) => {
            path.ends_with(".tool")
                && (path.starts_with("langchain") || path.starts_with("agentweaver"))
        }
        _ => false,
    }
}

/// The call of `@tool(…)`.
fn decorating_call<'a>(
    def: &'a StmtFunctionDef,
    evaluator: &mut Evaluator<'a>,
) -> Option<&'a ExprCall> {
    let mut calls = def.decorator_list.iter().filter_map(|decorator| match &decorator.expression {
        call @ Expr::Call(inner) => Some((call, inner)),
        _ => None,
    });
    calls.find(|(call, _)| marks_tool(call, evaluator)).map(|(_, call)| call)
}

/// The name that a model knows a tool by.
pub(crate) fn name_of<'a>(function: &FunctionRef<'a>, evaluator: &mut Evaluator<'a>) -> String {
    if let Some(name) = function.as_tool.as_ref().and_then(|made| made.get(2, "name")?.as_str()) {
        return name.to_string();
    }
    let scope = function.scope.clone().unwrap_or_else(|| evaluator.module.clone());
    // In a factory the name is often its argument.
    let given = decorating_call(function.def, evaluator).and_then(first_argument);
    let given = given.map(|expr| evaluator.expr_at(expr, function.base, &scope));
    let given = given.and_then(|value| value.as_str().map(String::from));
    given.unwrap_or_else(|| function.def.name.to_string())
}

/// The tool that a function is.
pub(crate) fn tool_spec<'a>(
    function: &FunctionRef<'a>,
    evaluator: &mut Evaluator<'a>,
    schemas: &mut Schemas,
) -> Option<ToolSpec> {
    let value = Val { abs: Abs::Function(function.clone()), span: function.base..function.base };
    let (id, _) = evaluator.register(&value).ok()?;
    let call = decorating_call(function.def, evaluator);
    let doc = syntax::docstring(&function.def.body).unwrap_or_default();
    let option = |name: &str| call.and_then(|call| crate::schema::keyword(call, name));
    let flag = |name: &str| matches!(option(name), Some(Expr::BooleanLiteral(b)) if b.value);
    let scope = function.scope.clone().unwrap_or_else(|| evaluator.module.clone());
    let explicit =
        match option("args_schema").and_then(|e| crate::schema::resolve(e, &scope, evaluator)) {
            Some(Abs::Class(class)) => schemas.get(&class, evaluator, 0).map(|s| s.json_schema),
            _ => match option("args_schema") {
                Some(Expr::Attribute(given)) if given.attr.as_str() == "args_schema" => {
                    // `args_schema=tool.args_schema`, in a function that wraps a tool.
                    match evaluator.expr_at(&given.value, function.base, &scope).abs {
                        Abs::Function(wrapped) => {
                            tool_spec(&wrapped, evaluator, schemas).map(|spec| spec.parameters)
                        }
                        _ => None,
                    }
                }
                _ => None,
            },
        };
    let made = |position, name| function.as_tool.as_ref()?.get(position, name);
    let explicit = match made(5, "args_schema").map(|schema| &schema.abs) {
        Some(Abs::Class(class)) => schemas.get(class, evaluator, 0).map(|s| s.json_schema),
        _ => explicit,
    };
    let described = if flag("parse_docstring") { argument_docs(&doc) } else { Vec::new() };
    let parameters = match explicit {
        Some(schema) => schema,
        None => parameters_schema(function, &described, evaluator, schemas),
    };
    let doc = match described.is_empty() {
        true => doc,
        false => doc.split("\n\nArgs:").next().unwrap_or(&doc).to_string(),
    };
    // In a factory the description is often its argument.
    let mut text = |expr: Option<&'a Expr>| {
        evaluator.expr_at(expr?, function.base, &scope).as_str().map(String::from)
    };
    let description = match made(3, "description").and_then(Val::as_str) {
        Some(description) => Some(description.to_string()),
        None => text(option("description")),
    };
    let name = name_of(function, evaluator);
    let place = {
        use ruff_text_size::Ranged;
        let def = function.def;
        function.base + def.start().to_usize()..function.base + def.end().to_usize()
    };
    Some(ToolSpec {
        name,
        function: id,
        description: description.unwrap_or(doc),
        parameters,
        gives_artifact: match made(6, "response_format") {
            Some(format) => format.as_str() == Some(WITH_ARTIFACT),
            None => matches!(option("response_format"),
                Some(Expr::StringLiteral(format)) if format.value.to_str() == WITH_ARTIFACT),
        },
        return_direct: flag("return_direct")
            || made(4, "return_direct").and_then(Val::as_bool).unwrap_or(false),
        span: span(evaluator.text, evaluator.lines, &place),
    })
}

/// `@tool("name")` or `@tool(name_or_callable="name")`.
fn first_argument(call: &ExprCall) -> Option<&Expr> {
    call.arguments.args.first().or_else(|| crate::schema::keyword(call, "name_or_callable"))
}

/// JSON Schema of the parameters that the model gives.
fn parameters_schema<'a>(
    function: &FunctionRef<'a>,
    described: &[(String, String)],
    evaluator: &mut Evaluator<'a>,
    schemas: &mut Schemas,
) -> Value {
    let scope = function.scope.clone().unwrap_or_else(|| evaluator.module.clone());
    let mut properties: Vec<(String, Value)> = Vec::new();
    let mut required: Vec<Value> = Vec::new();
    let parameters = &function.def.parameters;
    let all = parameters.posonlyargs.iter().chain(&parameters.args).chain(&parameters.kwonlyargs);
    for parameter in all {
        let name = parameter.name().to_string();
        if parameter.annotation().is_some_and(is_injected) || matches!(&*name, "config" | "runtime")
        {
            continue;
        }
        let (mut schema, mut description) = match parameter.annotation() {
            Some(annotation) => {
                schemas.annotation_schema(annotation, function.base, &scope, evaluator)
            }
            None => (Vec::new(), None),
        };
        if description.is_none() {
            description =
                described.iter().find(|(known, _)| *known == name).map(|(_, d)| d.clone());
        }
        if let Some(description) = description {
            schema.push(("description".into(), Value::from(description)));
        }
        match parameter.default() {
            Some(default) => {
                if let Some(value) = evaluator.expr_at(default, function.base, &scope).to_value() {
                    schema.push(("default".into(), value));
                }
            }
            None => required.push(Value::str(name.as_str())),
        }
        properties.push((name, Value::map(schema)));
    }
    Value::map([
        ("type", Value::str("object")),
        ("properties", Value::map(properties)),
        ("required", Value::list(required)),
    ])
}

/// Parameters that the runtime fills: the model never sees them.
fn is_injected(annotation: &Expr) -> bool {
    match annotation {
        Expr::Subscript(subscript) => match (type_head(&subscript.value), &*subscript.slice) {
            ("Annotated", Expr::Tuple(tuple)) => tuple.elts.iter().any(is_injected),
            ("ToolRuntime" | "Optional", inner) => {
                type_head(&subscript.value) == "ToolRuntime" || is_injected(inner)
            }
            _ => false,
        },
        Expr::Call(call) => type_head(&call.func).starts_with("Injected"),
        Expr::StringLiteral(text) => syntax::parse_annotation(text.value.to_str())
            .is_some_and(|inner| !matches!(inner, Expr::StringLiteral(_)) && is_injected(&inner)),
        other => {
            let name = type_head(other);
            name.starts_with("Injected") || matches!(name, "RunnableConfig" | "ToolRuntime")
        }
    }
}

/// The `Args:` of a docstring in Google's style.
fn argument_docs(doc: &str) -> Vec<(String, String)> {
    let mut docs: Vec<(String, String)> = Vec::new();
    let lines = doc.lines().skip_while(|line| line.trim() != "Args:").skip(1);
    for line in lines {
        let text = line.trim();
        if text.is_empty() || !line.starts_with(char::is_whitespace) {
            break;
        }
        match text.split_once(':') {
            Some((name, rest)) if !name.contains(' ') || name.ends_with(')') => {
                let name = name.split('(').next().unwrap_or(name).trim();
                docs.push((name.to_string(), rest.trim().to_string()));
            }
            _ => {
                if let Some((_, known)) = docs.last_mut() {
                    known.push(' ');
                    known.push_str(text);
                }
            }
        }
    }
    docs
}
