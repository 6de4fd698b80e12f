//! Functions that nodes, branches, policies and reducers name.

use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Parameters, Stmt};
use ruff_text_size::Ranged;
use weaver_core::Value;
use weaver_core::spec::ParameterSpec;

use super::Evaluator;
use super::value::{Abs, CallArgs, FunctionRef, LambdaRef, Object, ScopeRef, Val};
use crate::syntax;

/// A function as it is used.
#[derive(Debug)]
pub(crate) struct FunctionDraft<'a> {
    pub id: String,
    pub callable: Callable<'a>,
    /// The definition.
    pub span: Range<usize>,
    /// The expression that gives it in the module, when its id is not its global name.
    pub expression: Option<FunctionExpression<'a>>,
}

/// How the module gives a function that has no global name of its own.
#[derive(Clone, Debug)]
pub(crate) enum FunctionExpression<'a> {
    /// Text that stands in the file or is made of constants.
    Text(String),
    /// A nested function that is made global when what is around it is opened.
    Nested(String),
    /// A method of an object, by the variable that will hold it.
    Method(Rc<Object<'a>>, String),
}

/// Something with parameters and a body.
#[derive(Clone, Debug)]
pub(crate) enum Callable<'a> {
    Def {
        function: FunctionRef<'a>,
        given: usize,
        given_names: Vec<String>,
    },
    Lambda(LambdaRef<'a>),
    /// A part of a prebuilt agent.
    Prebuilt {
        /// What LangGraph calls it.
        name: &'static str,
        /// What it is given beside the state.
        fills: Vec<String>,
    },
}

impl<'a> Callable<'a> {
    /// What LangGraph calls it.
    pub fn name(&self) -> String {
        match self {
            Callable::Def { function, .. } => function.def.name.to_string(),
            Callable::Lambda(_) => "condition".into(),
            Callable::Prebuilt { name, .. } => (*name).into(),
        }
    }

    /// Offset of the chunk that holds it.
    pub fn base(&self) -> usize {
        match self {
            Callable::Def { function, .. } => function.base,
            Callable::Lambda(lambda) => lambda.base,
            Callable::Prebuilt { .. } => 0,
        }
    }

    pub fn scope(&self) -> Option<&ScopeRef<'a>> {
        match self {
            Callable::Def { function, .. } => function.scope.as_ref(),
            Callable::Lambda(lambda) => lambda.scope.as_ref(),
            Callable::Prebuilt { .. } => None,
        }
    }

    pub fn is_async(&self) -> bool {
        matches!(self, Callable::Def { function, .. } if function.def.is_async)
    }

    pub fn doc(&self) -> Option<String> {
        match self {
            Callable::Def { function, .. } => syntax::docstring(&function.def.body)
                .and_then(|doc| doc.lines().next().map(String::from)),
            Callable::Lambda(_) | Callable::Prebuilt { .. } => None,
        }
    }

    /// The parameters that the caller gives.
    pub fn parameters(&self, text: &str) -> Vec<ParameterSpec> {
        let (parameters, base) = match self {
            Callable::Def { function, .. } => (&*function.def.parameters, function.base),
            Callable::Lambda(lambda) => match &lambda.lambda.parameters {
                Some(parameters) => (&**parameters, lambda.base),
                None => return Vec::new(),
            },
            Callable::Prebuilt { fills, .. } => {
                let names = std::iter::once("state").chain(fills.iter().map(String::as_str));
                let parameter = |name: &str| ParameterSpec {
                    name: name.into(),
                    annotation: None,
                    has_default: false,
                    keyword_only: false,
                };
                return names.map(parameter).collect();
            }
        };
        let (skip, given): (usize, &[String]) = match self {
            Callable::Def { given, given_names, .. } => (*given, given_names),
            Callable::Lambda(_) | Callable::Prebuilt { .. } => (0, &[]),
        };
        let all = parameter_specs(parameters, base, text);
        let positional = parameters.posonlyargs.len() + parameters.args.len();
        all.into_iter()
            .enumerate()
            .filter(|(index, p)| {
                (*index >= skip || *index >= positional) && !given.contains(&p.name)
            })
            .map(|(_, parameter)| parameter)
            .collect()
    }

    /// The schema that the first parameter is annotated with.
    pub fn input_schema(&self, evaluator: &mut Evaluator<'a>) -> Option<String> {
        let Callable::Def { function, given, .. } = self else { return None };
        let parameters = &function.def.parameters;
        let first = parameters.posonlyargs.iter().chain(&parameters.args).nth(*given)?;
        let scope = function.scope.clone().unwrap_or_else(|| evaluator.module.clone());
        evaluator.class_named(first.annotation()?, &scope)
    }
}

/// The parameters of a function as data.
pub(crate) fn parameter_specs(
    parameters: &Parameters,
    base: usize,
    text: &str,
) -> Vec<ParameterSpec> {
    let source = |expr: &Expr| {
        let range = base + expr.start().to_usize()..base + expr.end().to_usize();
        text.get(range).unwrap_or("").to_string()
    };
    let positional = parameters.posonlyargs.iter().chain(&parameters.args).map(|p| (p, false));
    let keyword_only = parameters.kwonlyargs.iter().map(|p| (p, true));
    positional
        .chain(keyword_only)
        .map(|(parameter, keyword_only)| ParameterSpec {
            name: parameter.name().to_string(),
            annotation: parameter.annotation().map(source),
            has_default: parameter.default().is_some(),
            keyword_only,
        })
        .collect()
}

impl<'a> Evaluator<'a> {
    /// Remembers a function and gives its id, or says why it cannot run here.
    pub fn register(&mut self, value: &Val<'a>) -> Result<(String, Callable<'a>), String> {
        let draft = self.draft(value)?;
        Ok(self.remember(draft))
    }

    /// Gives a draft its id: that of a known function that is the same.
    pub(super) fn remember(&mut self, mut draft: FunctionDraft<'a>) -> (String, Callable<'a>) {
        let wanted = draft.id.clone();
        let mut count = 1;
        while let Some(known) = self.function_ids.get(&draft.id) {
            if same_expression(&self.functions[*known].expression, &draft.expression) {
                return (draft.id, draft.callable);
            }
            // The same place in another round of a loop, or a method of another object.
            count += 1;
            draft.id = format!("{wanted}#{count}");
        }
        let (id, callable) = (draft.id.clone(), draft.callable.clone());
        self.function_ids.insert(id.clone(), self.functions.len());
        self.functions.push(draft);
        (id, callable)
    }

    /// Remembers what is at an offset of a class's annotations as a reducer: a lambda, or
    /// a call that makes a function. Its id, if it is one.
    pub fn reducer_at(
        &mut self,
        place: usize,
        base: usize,
        scope: &ScopeRef<'a>,
    ) -> Option<String> {
        let classes = self.classes.iter().filter(|class| class.base == base);
        let found = classes.flat_map(|class| &class.class.body).find_map(|stmt| {
            let mut finder = ReducerFinder { place: place - base, found: None };
            if let Stmt::AnnAssign(assign) = stmt {
                finder.visit_expr(&assign.annotation);
            }
            finder.found
        });
        let value = self.expr_at(found?, base, scope);
        self.register(&value).ok().map(|(id, _)| id)
    }

    fn draft(&mut self, value: &Val<'a>) -> Result<FunctionDraft<'a>, String> {
        match &value.abs {
            Abs::Function(function) => Ok(self.draft_function(function)),
            Abs::Method(object, function) => Ok(self.draft_method(object, function, None)),
            Abs::Instance(object) => {
                let call = object.class.class.body.iter().find_map(|stmt| match stmt {
                    Stmt::FunctionDef(def) if def.name.as_str() == "__call__" => Some(def),
                    _ => None,
                });
                match call {
                    Some(def) => {
                        let function = self.method(&object.class, def);
                        Ok(self.draft_method(object, &function, Some(())))
                    }
                    None => Err("the object has no `__call__` method".into()),
                }
            }
            Abs::Lambda(lambda) => {
                let start = lambda.base + lambda.lambda.start().to_usize();
                let span = start..lambda.base + lambda.lambda.end().to_usize();
                let text = self.lambda_text(lambda, &span);
                Ok(FunctionDraft {
                    id: self.place_id("lambda", start),
                    callable: Callable::Lambda(lambda.clone()),
                    expression: Some(FunctionExpression::Text(text)),
                    span,
                })
            }
            Abs::Partial(inner, given) => {
                let inner = self.draft(inner)?;
                let callable = match inner.callable {
                    Callable::Def { function, given: before, mut given_names } => {
                        given_names.extend(given.keywords.iter().cloned());
                        Callable::Def { function, given: before + given.positional, given_names }
                    }
                    other => other,
                };
                let text =
                    given.text.clone().unwrap_or_else(|| self.source(&given.span).to_string());
                Ok(FunctionDraft {
                    id: self.place_id("partial", given.span.start),
                    callable,
                    span: inner.span,
                    expression: Some(FunctionExpression::Text(text)),
                })
            }
            Abs::Text(text, name) => Ok(FunctionDraft {
                id: self.place_id(name, value.span.start),
                callable: Callable::Prebuilt { name, fills: Vec::new() },
                span: value.span.clone(),
                expression: Some(FunctionExpression::Text(text.to_string())),
            }),
            Abs::Import(path) if path.starts_with("builtins.") => {
                Err(format!("`{}` is not defined in this file", &path["builtins.".len()..]))
            }
            Abs::Import(path) => {
                Err(format!("`{path}` is imported: only a Python worker can run it"))
            }
            Abs::Made(path) => {
                let name = path.trim_end_matches("()").rsplit('.').next().unwrap_or(path);
                Err(format!("it is an object made by `{name}`: call it from a function instead"))
            }
            Abs::Class(class) => {
                Err(format!("`{}` is a class: use an object of it or a function", class.class.name))
            }
            _ => Err("it is only known when it runs".into()),
        }
    }

    /// A lambda with the values that its defaults have now: in a loop they are the
    /// values of the round.
    fn lambda_text(&mut self, lambda: &LambdaRef<'a>, span: &Range<usize>) -> String {
        let mut text = self.source(span).to_string();
        let Some(parameters) = &lambda.lambda.parameters else { return text };
        let scope = lambda.scope.clone().unwrap_or_else(|| self.module.clone());
        let defaults: Vec<&'a Expr> = parameters
            .iter_non_variadic_params()
            .filter_map(|parameter| parameter.default())
            .filter(|default| default.is_name_expr())
            .collect();
        for default in defaults.into_iter().rev() {
            let value = self.expr_at(default, lambda.base, &scope);
            let start = lambda.base + default.start().to_usize() - span.start;
            let end = lambda.base + default.end().to_usize() - span.start;
            if let (Some(literal), true) = (self.value_text(&value), end <= text.len()) {
                text.replace_range(start..end, &literal);
            }
        }
        text
    }

    fn draft_function(&self, function: &FunctionRef<'a>) -> FunctionDraft<'a> {
        let (id, expression) = match (&function.made_by, &function.scope) {
            (Some(call), _) => (call.to_string(), Some(FunctionExpression::Text(call.to_string()))),
            (None, None) => (function.path.to_string(), None),
            (None, Some(_)) => (
                function.path.to_string(),
                Some(FunctionExpression::Nested(function.def.name.to_string())),
            ),
        };
        FunctionDraft {
            id,
            span: def_span(function),
            callable: Callable::Def {
                function: function.clone(),
                given: 0,
                given_names: Vec::new(),
            },
            expression,
        }
    }

    fn draft_method(
        &self,
        object: &Rc<Object<'a>>,
        function: &FunctionRef<'a>,
        call: Option<()>,
    ) -> FunctionDraft<'a> {
        let is_static = function.def.decorator_list.iter().any(|decorator| {
            matches!(&decorator.expression, Expr::Name(name) if name.id == *"staticmethod")
        });
        let method = match call {
            Some(()) => String::new(),
            None => format!(".{}", function.def.name),
        };
        FunctionDraft {
            id: function.path.to_string(),
            span: def_span(function),
            callable: Callable::Def {
                function: function.clone(),
                given: usize::from(!is_static),
                given_names: Vec::new(),
            },
            expression: Some(FunctionExpression::Method(object.clone(), method)),
        }
    }

    pub(super) fn place_id(&self, what: &str, start: usize) -> String {
        let (line, column) = self.lines.position(self.text, start as u32);
        format!("{what}@{line}:{column}")
    }

    /// The text of a call that means the same at the end of the module, if there is one.
    pub(super) fn call_text(&self, path: &str, args: &CallArgs<'a>) -> Option<String> {
        if args.open {
            return None;
        }
        let mut parts = Vec::new();
        for value in &args.positional {
            parts.push(self.value_text(value)?);
        }
        for (name, value, _) in &args.keywords {
            parts.push(format!("{name}={}", self.value_text(value)?));
        }
        Some(format!("{path}({})", parts.join(", ")))
    }

    pub(super) fn value_text(&self, value: &Val<'a>) -> Option<String> {
        match &value.abs {
            Abs::Function(function) if function.scope.is_none() => Some(function.path.to_string()),
            Abs::Function(function) => function.made_by.as_ref().map(|call| call.to_string()),
            Abs::Class(class) => Some(class.class.name.to_string()),
            Abs::Instance(object) if object.text.is_some() => match &*object.variable.borrow() {
                Some(variable) => Some(variable.to_string()),
                None => object.text.clone(),
            },
            Abs::Made(_) | Abs::Instance(_) | Abs::Import(_) => {
                let written = self.source(&value.span);
                let known = self.final_value(written)?;
                matches!(known.abs, Abs::Made(_) | Abs::Instance(_) | Abs::Import(_))
                    .then(|| written.to_string())
            }
            Abs::Text(text, _) => Some(text.to_string()),
            Abs::Unknown if self.calls == 0 => self.module_variable(self.source(&value.span)),
            Abs::List(items) => {
                let items: Option<Vec<String>> =
                    items.borrow().iter().map(|item| self.value_text(item)).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            _ => python_literal(&value.to_value()?),
        }
    }

    /// A name that the module gives one value only.
    fn module_variable(&self, written: &str) -> Option<String> {
        self.final_value(written)?;
        let assigns = |line: &str| {
            line.strip_prefix(written).is_some_and(|rest| rest.trim_start().starts_with(['=', ':']))
        };
        (self.text.lines().filter(|line| assigns(line)).count() == 1).then(|| written.to_string())
    }

    /// The class that an annotation names.
    pub fn class_named(&mut self, annotation: &Expr, scope: &ScopeRef<'a>) -> Option<String> {
        match annotation {
            Expr::Name(name) => {
                let value = self.lookup(&name.id, scope)?;
                match value.abs {
                    Abs::Class(class) => Some(class.class.name.to_string()),
                    Abs::Import(path) if path.ends_with(".MessagesState") => {
                        Some("MessagesState".into())
                    }
                    _ => None,
                }
            }
            Expr::StringLiteral(text) => {
                let inner = syntax::parse_annotation(text.value.to_str())?;
                match inner {
                    Expr::Name(_) => self.class_named(&inner, scope),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Finds the lambda or call that starts at an offset of its chunk.
struct ReducerFinder<'a> {
    place: usize,
    found: Option<&'a Expr>,
}

impl<'a> Visitor<'a> for ReducerFinder<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) | Expr::Call(_) if expr.start().to_usize() == self.place => {
                self.found = Some(expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

/// Whether two drafts of one id are the same function.
fn same_expression<'a>(
    known: &Option<FunctionExpression<'a>>,
    other: &Option<FunctionExpression<'a>>,
) -> bool {
    match (known, other) {
        (Some(FunctionExpression::Text(a)), Some(FunctionExpression::Text(b))) => a == b,
        (Some(FunctionExpression::Method(a, _)), Some(FunctionExpression::Method(b, _))) => {
            Rc::ptr_eq(a, b)
        }
        _ => true,
    }
}

fn def_span(function: &FunctionRef<'_>) -> Range<usize> {
    function.base + function.def.start().to_usize()..function.base + function.def.end().to_usize()
}

/// A value as Python writes it.
fn python_literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) if float.is_finite() => format!("{float:?}"),
        Value::Str(_) => value.to_json(),
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(python_literal).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Map(map) if value.tag().is_none() => {
            let entries: Option<Vec<String>> = map
                .iter()
                .map(|(key, value)| {
                    Some(format!(
                        "{}: {}",
                        Value::Str(key.clone()).to_json(),
                        python_literal(value)?
                    ))
                })
                .collect();
            format!("{{{}}}", entries?.join(", "))
        }
        _ => return None,
    })
}
