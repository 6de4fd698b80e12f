//! What the evaluator knows of a value.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, ExprLambda, StmtClassDef, StmtFunctionDef};
use weaver_core::spec::{CacheSpec, CompileSpec, RetrySpec, TimeoutSpec, TypedNode};
use weaver_core::{FastMap, Value};

/// A value with the place it was written at, in bytes of the whole text.
#[derive(Clone, Debug)]
pub(crate) struct Val<'a> {
    pub abs: Abs<'a>,
    pub span: Range<usize>,
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub(crate) enum Abs<'a> {
    /// Nothing.
    Unknown,
    /// `None`, a boolean, a number or text.
    Const(Value),
    /// A list, tuple or set.
    List(Rc<RefCell<Vec<Val<'a>>>>),
    Dict(Rc<RefCell<Vec<(Val<'a>, Val<'a>)>>>),
    /// Something imported: its dotted path.
    Import(Rc<str>),
    Function(FunctionRef<'a>),
    Lambda(LambdaRef<'a>),
    Class(ClassRef<'a>),
    /// A method with the object it is bound to.
    Method(Rc<Object<'a>>, FunctionRef<'a>),
    /// `partial(f, …)`: what it wraps, and how many leading parameters are given.
    Partial(Rc<Val<'a>>, Rc<PartialArguments>),
    Instance(Rc<Object<'a>>),
    /// A graph builder, by index.
    Builder(usize),
    Compiled(usize, Rc<CompileSpec>),
    /// A method of a graph builder or another value, not yet called.
    Attribute(Rc<Val<'a>>, Name),
    Typed(Rc<TypedNode>),
    ToolNode(Rc<ToolNodeRef>),
    Retry(Rc<RetrySpec>),
    Timeout(TimeoutSpec),
    Cache(CacheSpec),
    /// The result of a call of something imported (`ChatOpenAI(…)`), by that path.
    Made(Rc<str>),
    /// Something that the module can make at its end, by that text, with a name.
    Text(Rc<str>, &'static str),
    /// A subscripted type (`Literal["a", "b"]`), to be read as an annotation.
    Type(Placed<'a>),
}

/// A `def` with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct FunctionRef<'a> {
    pub def: &'a StmtFunctionDef,
    /// Offset of its chunk.
    pub base: usize,
    /// `outer.name` or `Class.name`, without the name for a function of the module.
    pub path: Rc<str>,
    /// The scope it was defined in, when that is a function's.
    pub scope: Option<ScopeRef<'a>>,
    /// The call of the module whose result it is, when a function made it.
    pub made_by: Option<Rc<str>>,
    /// What `StructuredTool.from_function` was told of it.
    pub as_tool: Option<Rc<CallArgs<'a>>>,
}

impl FunctionRef<'_> {
    /// What it is known by: a factory makes several functions of one path.
    pub fn id(&self) -> &Rc<str> {
        self.made_by.as_ref().unwrap_or(&self.path)
    }
}

/// A lambda with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct LambdaRef<'a> {
    pub lambda: &'a ExprLambda,
    pub base: usize,
    pub scope: Option<ScopeRef<'a>>,
}

/// A class with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct ClassRef<'a> {
    pub class: &'a StmtClassDef,
    pub base: usize,
    pub scope: Option<ScopeRef<'a>>,
}

/// An object of a class of the file.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pub class: ClassRef<'a>,
    pub fields: RefCell<FastMap<Name, Val<'a>>>,
    /// The module variable that holds it.
    pub variable: RefCell<Option<Name>>,
    /// The call that makes it, where that means the same at the end of the module.
    pub text: Option<String>,
}

/// What a partial gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartialArguments {
    pub positional: usize,
    pub keywords: Vec<String>,
    /// The call, in bytes of the whole text.
    pub span: Range<usize>,
    /// The call with the values that its arguments have, where all can be written.
    pub text: Option<String>,
}

/// `ToolNode([...])`.
#[derive(Clone, Debug)]
pub(crate) struct ToolNodeRef {
    /// Ids of the functions; why they are not known.
    pub tools: Result<Vec<String>, String>,
    /// The list of tools at the end of the module.
    pub text: Option<String>,
    pub messages_key: String,
    pub handle_errors: weaver_core::spec::ToolErrors,
}

/// The variables of one function call.
pub(crate) type ScopeRef<'a> = Rc<Scope<'a>>;

/// Variables and the scope around them.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    pub names: RefCell<FastMap<Name, Val<'a>>>,
    pub parent: Option<ScopeRef<'a>>,
    /// Path of the function, for names of what is defined in it.
    pub path: Option<Rc<str>>,
    /// `self`'s class or the function, the name for graphs made here.
    pub maker: Option<Rc<str>>,
}

/// An argument list as it is evaluated.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallArgs<'a> {
    pub positional: Vec<Val<'a>>,
    pub keywords: Vec<(Name, Val<'a>, Range<usize>)>,
    /// `*args` or `**kwargs` whose content is not known.
    pub open: bool,
}

impl<'a> CallArgs<'a> {
    /// The argument of a position or keyword.
    pub fn get(&self, position: usize, keyword: &str) -> Option<&Val<'a>> {
        self.keyword(keyword).or_else(|| self.positional.get(position))
    }

    /// The argument of a keyword.
    pub fn keyword(&self, keyword: &str) -> Option<&Val<'a>> {
        self.keywords.iter().find(|(name, ..)| name.as_str() == keyword).map(|(_, value, _)| value)
    }
}

impl<'a> Val<'a> {
    pub fn unknown(span: Range<usize>) -> Self {
        Val { abs: Abs::Unknown, span }
    }

    pub fn str(text: &str, span: Range<usize>) -> Self {
        Val { abs: Abs::Const(Value::str(text)), span }
    }

    pub fn list(items: Vec<Val<'a>>, span: Range<usize>) -> Self {
        Val { abs: Abs::List(Rc::new(RefCell::new(items))), span }
    }

    /// The text, if it is known text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.abs {
            Abs::Const(value) => value.as_str(),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match &self.abs {
            Abs::Const(value) => value.as_bool(),
            _ => None,
        }
    }

    pub fn is_none(&self) -> bool {
        matches!(&self.abs, Abs::Const(Value::Null))
    }

    /// The items of a known list, tuple or set.
    pub fn items(&self) -> Option<Vec<Val<'a>>> {
        match &self.abs {
            Abs::List(items) => Some(items.borrow().clone()),
            _ => None,
        }
    }

    /// The entries of a known dict.
    pub fn entries(&self) -> Option<Vec<(Val<'a>, Val<'a>)>> {
        match &self.abs {
            Abs::Dict(entries) => Some(entries.borrow().clone()),
            _ => None,
        }
    }

    /// The last part of an imported name's path, if the path begins with `package`.
    pub fn import_of(&self, package: &str) -> Option<&str> {
        match &self.abs {
            Abs::Import(path) => path
                .strip_prefix(package)
                .and_then(|rest| rest.strip_prefix('.'))
                .map(|rest| rest.rsplit('.').next().unwrap_or(rest)),
            _ => None,
        }
    }

    /// The whole as data, if all of it is literal; names of classes and functions
    /// become `{"$type": "ref", "name": …}`.
    pub fn to_value(&self) -> Option<Value> {
        // Shared lists can spell out a value far larger than the text.
        self.data(&mut 50_000, 0)
    }

    fn data(&self, budget: &mut usize, depth: u32) -> Option<Value> {
        *budget = budget.checked_sub(1).filter(|_| depth < DATA_DEPTH_MAX)?;
        match &self.abs {
            Abs::Const(value) => Some(value.clone()),
            Abs::List(items) => {
                let items = items.borrow();
                let data: Option<Vec<_>> =
                    items.iter().map(|item| item.data(budget, depth + 1)).collect();
                data.map(Value::list)
            }
            Abs::Dict(entries) => entries
                .borrow()
                .iter()
                .map(|(key, value)| {
                    let key = match &key.abs {
                        Abs::Const(Value::Str(text)) => text.to_string(),
                        Abs::Const(Value::Bool(b)) => if *b { "True" } else { "False" }.to_string(),
                        Abs::Const(value) => value.to_json(),
                        _ => return None,
                    };
                    Some((key, value.data(budget, depth + 1)?))
                })
                .collect::<Option<Vec<_>>>()
                .map(Value::map),
            Abs::Class(class) => Some(reference(class.class.name.as_str())),
            Abs::Function(function) => Some(reference(function.id())),
            Abs::Import(path) => Some(reference(path)),
            _ => None,
        }
    }

    /// Python's truth, where it is known.
    pub fn truth(&self) -> Option<bool> {
        match &self.abs {
            Abs::Const(value) => Some(value.is_truthy()),
            Abs::List(items) => Some(!items.borrow().is_empty()),
            Abs::Dict(entries) => Some(!entries.borrow().is_empty()),
            Abs::Function(_)
            | Abs::Lambda(_)
            | Abs::Class(_)
            | Abs::Builder(_)
            | Abs::Compiled(..) => Some(true),
            _ => None,
        }
    }
}

fn reference(name: &str) -> Value {
    Value::tagged("ref", [("name", Value::str(name))])
}

/// Deepest nesting of lists and dicts that is read as data.
const DATA_DEPTH_MAX: u32 = 40;

/// Drops values without recursion: `x = [x]` over and over nests without end.
pub(crate) fn dispose<'a>(values: impl IntoIterator<Item = Val<'a>>) {
    let mut open: Vec<Val<'a>> = values.into_iter().collect();
    while let Some(value) = open.pop() {
        match value.abs {
            Abs::List(items) => {
                open.extend(Rc::into_inner(items).into_iter().flat_map(RefCell::into_inner))
            }
            Abs::Dict(entries) => {
                let entries = Rc::into_inner(entries).into_iter().flat_map(RefCell::into_inner);
                open.extend(entries.flat_map(|(key, value)| [key, value]));
            }
            _ => {}
        }
    }
}

/// An expression with the offset of its chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    pub expr: &'a Expr,
    pub base: usize,
}

/// A list or dict with its own copy of the content, so that no list can come to
/// hold itself.
pub(crate) fn snapshot<'a>(value: &Val<'a>) -> Val<'a> {
    let abs = match &value.abs {
        Abs::List(items) => Abs::List(Rc::new(RefCell::new(items.borrow().clone()))),
        Abs::Dict(entries) => Abs::Dict(Rc::new(RefCell::new(entries.borrow().clone()))),
        other => other.clone(),
    };
    Val { abs, span: value.span.clone() }
}
