//! Classes that describe data: fields, reducers, defaults, JSON Schema.

mod enums;
mod json_schema;
mod reducer;

use std::ops::Range;

use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;
use weaver_core::spec::{FieldSpec, ReducerSpec, SchemaKind, SchemaSpec};
use weaver_core::{FastMap, Value};

use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{Abs, ClassRef, ScopeRef};
use crate::problem::span;
use crate::syntax;

/// Longest chain of base classes and aliases that is followed.
const DEPTH_MAX: u32 = 12;

/// The schemas of a file, made when they are asked for.
#[derive(Default)]
pub(crate) struct Schemas {
    /// By offset of the class statement; nothing while it is being made, and for
    /// classes that describe no data.
    made: FastMap<usize, Option<SchemaSpec>>,
}

impl Schemas {
    /// The schema of a class, if it describes data.
    pub fn get<'a>(
        &mut self,
        class: &ClassRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Option<SchemaSpec> {
        let offset = class.base + class.class.start().to_usize();
        if let Some(known) = self.made.get(&offset) {
            return known.clone();
        }
        self.made.insert(offset, None);
        let schema = self.make(class, evaluator, depth);
        self.made.insert(offset, schema.clone());
        schema
    }

    fn make<'a>(
        &mut self,
        class: &ClassRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Option<SchemaSpec> {
        if depth > DEPTH_MAX {
            return None;
        }
        let scope = class.scope.clone().unwrap_or_else(|| evaluator.module.clone());
        let (kind, mut fields) = self.kind_and_inherited(class, &scope, evaluator, depth)?;
        let total = class.class.arguments.as_ref().is_none_or(|arguments| {
            !arguments.keywords.iter().any(|keyword| {
                keyword.arg.as_ref().is_some_and(|arg| arg.as_str() == "total")
                    && matches!(&keyword.value, Expr::BooleanLiteral(literal) if !literal.value)
            })
        });
        for stmt in &class.class.body {
            let field = match (kind, stmt) {
                (SchemaKind::Enum, Stmt::Assign(assign)) => {
                    let last = fields.last().and_then(|member| member.default.as_ref());
                    enums::member(assign, last, class, &scope, evaluator)
                }
                (SchemaKind::Enum, _) => None,
                (_, Stmt::AnnAssign(assign)) => {
                    let Expr::Name(name) = &*assign.target else { continue };
                    let place = class.base + assign.start().to_usize()
                        ..class.base + assign.end().to_usize();
                    let source = FieldSource {
                        name: name.id.to_string(),
                        annotation: &assign.annotation,
                        value: assign.value.as_deref(),
                        place,
                        base: class.base,
                        total,
                        kind,
                    };
                    self.field(&source, &scope, evaluator, depth)
                }
                _ => None,
            };
            if let Some(field) = field {
                match fields.iter_mut().find(|known: &&mut FieldSpec| known.name == field.name) {
                    Some(known) => *known = field,
                    None => fields.push(field),
                }
            }
        }
        let place =
            class.base + class.class.start().to_usize()..class.base + class.class.end().to_usize();
        let mut schema = SchemaSpec {
            name: class.class.name.to_string(),
            kind,
            fields,
            doc: syntax::docstring(&class.class.body),
            json_schema: Value::Null,
            span: span(evaluator.text, evaluator.lines, &place),
        };
        schema.json_schema = self.class_schema(&schema, class, &scope, evaluator, depth);
        Some(schema)
    }

    /// What a class is made with, and the fields of its bases.
    fn kind_and_inherited<'a>(
        &mut self,
        class: &ClassRef<'a>,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Option<(SchemaKind, Vec<FieldSpec>)> {
        let mut kind = None;
        let mut fields: Vec<FieldSpec> = Vec::new();
        let bases: &[Expr] =
            class.class.arguments.as_ref().map_or(&[], |arguments| &arguments.args);
        for base in bases {
            match resolve(base, scope, evaluator) {
                Some(Abs::Class(base)) => {
                    if let Some(schema) = self.get(&base, evaluator, depth + 1) {
                        kind = kind.or(Some(schema.kind));
                        for field in schema.fields {
                            match fields.iter_mut().find(|known| known.name == field.name) {
                                Some(known) => *known = field,
                                None => fields.push(field),
                            }
                        }
                    }
                }
                Some(Abs::Import(path)) => {
                    let found = match path.rsplit('.').next().unwrap_or("") {
                        "TypedDict" => SchemaKind::TypedDict,
                        "BaseModel" if !path.starts_with("builtins.") => SchemaKind::Pydantic,
                        "MessagesState" | "AgentState" => SchemaKind::Messages,
                        "NamedTuple" => SchemaKind::NamedTuple,
                        "Enum" | "StrEnum" | "IntEnum" => SchemaKind::Enum,
                        _ => continue,
                    };
                    if found == SchemaKind::Messages {
                        fields.push(messages_field());
                    }
                    // `class Color(str, Enum)`, `class S(MessagesState, TypedDict)`
                    kind = kind.or(Some(found));
                }
                _ => {}
            }
        }
        let is_dataclass = class.class.decorator_list.iter().any(|decorator| {
            let name = match &decorator.expression {
                Expr::Call(call) => type_head(&call.func),
                other => type_head(other),
            };
            name == "dataclass"
        });
        if is_dataclass {
            kind = Some(SchemaKind::Dataclass);
        }
        Some((kind?, fields))
    }

    fn field<'a>(
        &mut self,
        source: &FieldSource<'a>,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Option<FieldSpec> {
        let parts = Parts::of(source.annotation, scope, evaluator, 0);
        if parts.class_var {
            return None;
        }
        let written = parts.written(evaluator.text, source.base);
        let reducer = parts.metadata.as_ref().and_then(|metadata| {
            metadata.last().and_then(|last| self.reducer(last, source.base, scope, evaluator))
        });
        let channel = self.channel_annotation(source.annotation, scope, evaluator);
        let reducer = reducer.or(channel);
        let options = FieldOptions::of(source, &parts, scope, evaluator);
        let required = match source.kind {
            SchemaKind::TypedDict | SchemaKind::Messages => parts.required.unwrap_or(source.total),
            _ => !options.has_default,
        };
        let initial = match &reducer {
            Some(ReducerSpec::Channel { .. }) | None => None,
            Some(_) => initial_value(&written),
        };
        let _ = depth;
        Some(FieldSpec {
            name: source.name.clone(),
            managed: managed(&written),
            annotation: written,
            reducer,
            initial,
            default: options.default,
            required,
            description: options.description,
            span: span(evaluator.text, evaluator.lines, &source.place),
        })
    }
}

/// A field as it is declared.
struct FieldSource<'a> {
    name: String,
    annotation: &'a Expr,
    value: Option<&'a Expr>,
    place: Range<usize>,
    base: usize,
    total: bool,
    kind: SchemaKind,
}

/// An annotation taken apart.
pub(super) struct Parts {
    /// The type without `Annotated`, `Required` and the like.
    inner: Expr,
    /// Its text came from a string annotation: offsets mean nothing.
    detached: bool,
    /// What `Annotated` adds.
    metadata: Option<Vec<Expr>>,
    required: Option<bool>,
    class_var: bool,
}

impl Parts {
    fn of<'a>(
        annotation: &Expr,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
        depth: u32,
    ) -> Parts {
        let plain = |inner: &Expr| Parts {
            inner: inner.clone(),
            detached: false,
            metadata: None,
            required: None,
            class_var: false,
        };
        if depth > DEPTH_MAX {
            return plain(annotation);
        }
        if depth == 0
            && let Some(spread) = spread(annotation, scope, evaluator)
        {
            return Parts { detached: true, ..Parts::of(&spread, scope, evaluator, 1) };
        }
        match annotation {
            Expr::StringLiteral(text) => match syntax::parse_annotation(text.value.to_str()) {
                Some(inner) => {
                    let parts = Parts::of(&inner, scope, evaluator, depth + 1);
                    Parts { detached: true, ..parts }
                }
                None => plain(annotation),
            },
            Expr::Name(_) => match resolve(annotation, scope, evaluator) {
                Some(Abs::Type(alias)) if type_head_of(alias.expr) == "Annotated" => {
                    let parts = Parts::of(alias.expr, scope, evaluator, depth + 1);
                    Parts { detached: true, ..parts }
                }
                _ => plain(annotation),
            },
            Expr::Subscript(subscript) => {
                let nested = |inner: &Expr, evaluator: &mut Evaluator<'a>| {
                    Parts::of(inner, scope, evaluator, depth + 1)
                };
                match (type_head(&subscript.value), &*subscript.slice) {
                    ("Annotated", Expr::Tuple(tuple)) if !tuple.elts.is_empty() => {
                        let mut parts = nested(&tuple.elts[0], evaluator);
                        let metadata = parts.metadata.get_or_insert_with(Vec::new);
                        metadata.extend(tuple.elts[1..].iter().cloned());
                        parts
                    }
                    ("Required", inner) => {
                        Parts { required: Some(true), ..nested(inner, evaluator) }
                    }
                    ("NotRequired", inner) => {
                        Parts { required: Some(false), ..nested(inner, evaluator) }
                    }
                    ("ReadOnly" | "Final", inner) => nested(inner, evaluator),
                    ("ClassVar", _) => Parts { class_var: true, ..plain(annotation) },
                    _ => plain(annotation),
                }
            }
            _ => plain(annotation),
        }
    }

    /// The type as it is written.
    fn written(&self, text: &str, base: usize) -> String {
        let range = base + self.inner.start().to_usize()..base + self.inner.end().to_usize();
        match self.detached {
            false => text.get(range).unwrap_or("").to_string(),
            true => render(&self.inner, 0, &|_| Vec::new()),
        }
    }
}

/// What a field's default and `Field(...)` say.
#[derive(Default)]
struct FieldOptions {
    has_default: bool,
    default: Option<Value>,
    description: Option<String>,
}

impl FieldOptions {
    fn of<'a>(
        source: &FieldSource<'a>,
        parts: &Parts,
        scope: &ScopeRef<'a>,
        evaluator: &mut Evaluator<'a>,
    ) -> FieldOptions {
        let mut options = FieldOptions::default();
        for item in parts.metadata.iter().flatten() {
            if let Some(call) = field_call(item) {
                options.description = literal_keyword(call, "description").or(options.description);
            }
        }
        let Some(value) = source.value else { return options };
        let Some(call) = field_call(value) else {
            options.has_default = true;
            options.default = evaluator.expr_at(value, source.base, scope).to_value();
            return options;
        };
        options.description = literal_keyword(call, "description").or(options.description);
        let positional = call.arguments.args.first();
        let named = keyword(call, "default");
        if let Some(default) = named.or(positional)
            && !matches!(default, Expr::EllipsisLiteral(_))
        {
            options.has_default = true;
            options.default = evaluator.expr_at(default, source.base, scope).to_value();
        }
        if let Some(factory) = keyword(call, "default_factory") {
            options.has_default = true;
            options.default = match factory {
                Expr::Name(name) => initial_value(&name.id),
                Expr::Lambda(lambda) => {
                    evaluator.expr_at(&lambda.body, source.base, scope).to_value()
                }
                _ => None,
            };
        }
        options
    }
}

/// `Field(...)` or `field(...)`.
pub(super) fn field_call(expr: &Expr) -> Option<&ExprCall> {
    let Expr::Call(call) = expr else { return None };
    matches!(type_head(&call.func), "Field" | "field").then_some(call)
}

pub(crate) fn keyword<'e>(call: &'e ExprCall, name: &str) -> Option<&'e Expr> {
    let mut keywords = call.arguments.keywords.iter();
    keywords.find(|k| k.arg.as_ref().is_some_and(|arg| arg.as_str() == name)).map(|k| &k.value)
}

fn literal_keyword(call: &ExprCall, name: &str) -> Option<String> {
    match keyword(call, name)? {
        Expr::StringLiteral(text) => Some(text.value.to_str().to_string()),
        _ => None,
    }
}

/// The one field of `MessagesState`.
pub(crate) fn messages_field() -> FieldSpec {
    FieldSpec {
        name: "messages".into(),
        annotation: "list[AnyMessage]".into(),
        reducer: Some(ReducerSpec::AddMessages),
        initial: Some(Value::list([])),
        default: None,
        required: true,
        description: None,
        managed: None,
        span: Default::default(),
    }
}

/// A key that takes any value and need not be given.
pub(crate) fn plain_field(name: &str) -> FieldSpec {
    FieldSpec {
        name: name.into(),
        annotation: "Any".into(),
        reducer: None,
        initial: None,
        required: false,
        ..messages_field()
    }
}

/// What a name or attribute path stands for.
pub(crate) fn resolve<'a>(
    expr: &Expr,
    scope: &ScopeRef<'a>,
    evaluator: &mut Evaluator<'a>,
) -> Option<Abs<'a>> {
    match expr {
        Expr::Name(name) => match evaluator.value_of(&name.id, scope) {
            Some(value) => Some(value.abs),
            None => Some(Abs::Import(format!("builtins.{}", name.id).into())),
        },
        Expr::Attribute(attribute) => match resolve(&attribute.value, scope, evaluator)? {
            Abs::Import(path) => Some(Abs::Import(format!("{path}.{}", attribute.attr).into())),
            _ => None,
        },
        // `Generic[T]`, `BaseModel[...]`
        Expr::Subscript(subscript) => resolve(&subscript.value, scope, evaluator),
        _ => None,
    }
}

fn type_head_of(expr: &Expr) -> &str {
    match expr {
        Expr::Subscript(subscript) => type_head(&subscript.value),
        other => type_head(other),
    }
}

/// `T()` for the type of a key with a reducer, where it is empty.
fn initial_value(annotation: &str) -> Option<Value> {
    let head = annotation.split('[').next().unwrap_or("").trim();
    Some(match head.rsplit('.').next().unwrap_or("") {
        "list" | "List" | "Sequence" | "MutableSequence" | "tuple" | "Tuple" => Value::list([]),
        "dict" | "Dict" | "Mapping" | "MutableMapping" | "defaultdict" | "OrderedDict" => {
            Value::map::<&str>([])
        }
        "set" | "Set" | "frozenset" | "FrozenSet" | "MutableSet" => {
            Value::tagged("set", [("items", Value::list([]))])
        }
        "str" => Value::str(""),
        "int" => Value::Int(0),
        "float" => Value::Float(0.0),
        "bool" => Value::Bool(false),
        _ => return None,
    })
}

fn managed(annotation: &str) -> Option<String> {
    let last = annotation.rsplit('.').next().unwrap_or("");
    matches!(last, "IsLastStep" | "RemainingSteps").then(|| last.to_string())
}

/// An annotation with the lists that are spread in it (`Literal[*MEMBERS]`) written out;
/// nothing when there are none.
fn spread<'a>(annotation: &Expr, scope: &ScopeRef<'a>, evaluator: &Evaluator<'a>) -> Option<Expr> {
    if !has_spread(annotation) {
        return None;
    }
    let text = render(annotation, 0, &|list| evaluator.texts_of(list, scope));
    syntax::parse_annotation(&text)
}

fn has_spread(annotation: &Expr) -> bool {
    match annotation {
        Expr::Starred(_) => true,
        Expr::Subscript(subscript) => has_spread(&subscript.slice),
        Expr::Tuple(tuple) => tuple.elts.iter().any(has_spread),
        Expr::BinOp(union) => has_spread(&union.left) || has_spread(&union.right),
        _ => false,
    }
}

/// An annotation as text, for those that stood in a string or behind an alias; `texts`
/// says what is in a list that is spread.
fn render(expr: &Expr, depth: u32, texts: &dyn Fn(&Expr) -> Vec<String>) -> String {
    if depth > 20 {
        return "…".into();
    }
    let render = |expr: &Expr| render(expr, depth + 1, texts);
    let part = |elt: &Expr| match elt {
        Expr::Starred(starred) => {
            let texts = texts(&starred.value).into_iter();
            texts.map(|text| Value::from(text).to_json()).collect::<Vec<_>>().join(", ")
        }
        elt => render(elt),
    };
    let list = |elts: &[Expr]| {
        elts.iter().map(part).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    match expr {
        Expr::Name(name) => name.id.to_string(),
        Expr::Attribute(attribute) => {
            format!("{}.{}", render(&attribute.value), attribute.attr)
        }
        Expr::Subscript(subscript) => {
            let inner = match &*subscript.slice {
                Expr::Tuple(tuple) => list(&tuple.elts),
                other => part(other),
            };
            format!("{}[{inner}]", render(&subscript.value))
        }
        Expr::BinOp(union) => {
            format!("{} | {}", render(&union.left), render(&union.right))
        }
        Expr::StringLiteral(text) => Value::str(text.value.to_str()).to_json(),
        Expr::NoneLiteral(_) => "None".into(),
        Expr::EllipsisLiteral(_) => "...".into(),
        Expr::List(items) => format!("[{}]", list(&items.elts)),
        _ => "Any".into(),
    }
}
