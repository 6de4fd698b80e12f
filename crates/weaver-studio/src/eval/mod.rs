//! Reads graph-building code without running it: a small evaluator over what is
//! known of each value. What is not known is [`Abs::Unknown`] and goes on.
//!
//! Both arms of an undecided `if` are read, the body of an undecided loop once.
//! Work is bounded by [`STEPS_MAX`] and [`DEPTH_MAX`], never by the input.

mod builtins;
mod call;
mod expr;
mod flow;
mod function;
mod graph;
mod node;
pub(crate) mod outcome;
mod policy;
pub(crate) mod prebuilt;
mod tool_node;
pub(crate) mod typed;
pub(crate) mod value;

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;
use weaver_core::{FastMap, FastSet, LineIndex};

use crate::problem::Problems;
pub(crate) use function::{Callable, FunctionDraft, FunctionExpression};
pub(crate) use graph::{BranchDraft, Builder, DeciderDraft, DynamicDraft, NodeAction, NodeDraft};
use value::{Abs, ClassRef, FunctionRef, Object, Scope, ScopeRef, Val, dispose, snapshot};

/// Most statements and expressions that are read for one text.
const STEPS_MAX: u32 = 2_000_000;
/// Deepest nesting of calls into functions of the file.
const CALLS_MAX: u32 = 8;
/// Deepest nesting of expressions and blocks.
const DEPTH_MAX: u32 = 150;
/// Most rounds of a loop over a known list.
const ROUNDS_MAX: usize = 1_000;

/// The evaluator and everything it has found.
pub(crate) struct Evaluator<'a> {
    pub text: &'a str,
    pub lines: &'a LineIndex,
    pub module: ScopeRef<'a>,
    pub builders: Vec<Builder<'a>>,
    pub functions: Vec<FunctionDraft<'a>>,
    pub function_ids: FastMap<String, usize>,
    /// Classes in the order they are defined.
    pub classes: Vec<ClassRef<'a>>,
    /// Plain functions that are used as tools.
    pub tool_functions: Vec<FunctionRef<'a>>,
    pub problems: Problems,
    /// Simple statements that build graphs: never part of what is run.
    pub graph_statements: BTreeSet<(usize, usize)>,
    /// Chunks that do not parse: only the syntax error is reported there.
    pub broken: Vec<Range<usize>>,
    /// All graphs are built: what is read from now on only asks for values.
    pub frozen: bool,
    /// Offset of the chunk that is read.
    base: usize,
    steps: u32,
    depth: u32,
    calls: u32,
    /// Whether the statement that is read touched a builder.
    touched: bool,
    /// Why it is not known whether the code being read runs.
    undecided: Option<&'static str>,
    /// Functions that were entered, by offset.
    entered: FastSet<usize>,
    memo: FastMap<(usize, String), Val<'a>>,
    /// Every scope and object that was made: they can hold each other in a circle,
    /// which dropping the evaluator breaks.
    scopes: Vec<ScopeRef<'a>>,
    objects: Vec<Rc<Object<'a>>>,
}

impl Drop for Evaluator<'_> {
    fn drop(&mut self) {
        let scopes = self.scopes.iter().chain([&self.module]);
        let mut left: Vec<Val<'_>> = Vec::new();
        scopes.for_each(|scope| left.extend(scope.names.take().into_values()));
        self.objects.iter().for_each(|object| left.extend(object.fields.take().into_values()));
        left.extend(self.memo.drain().map(|(_, value)| value));
        dispose(left);
    }
}

/// Longest list that is built.
const LIST_MAX: usize = 20_000;

/// How a block ended.
enum Flow<'a> {
    Next,
    Return(Val<'a>),
    /// `break` or `continue`.
    Leave {
        again: bool,
    },
}

impl<'a> Evaluator<'a> {
    pub fn new(text: &'a str, lines: &'a LineIndex, broken: Vec<Range<usize>>) -> Self {
        Evaluator {
            text,
            lines,
            module: Rc::new(Scope::default()),
            builders: Vec::new(),
            functions: Vec::new(),
            function_ids: FastMap::default(),
            classes: Vec::new(),
            tool_functions: Vec::new(),
            problems: Problems::default(),
            graph_statements: BTreeSet::new(),
            broken,
            frozen: false,
            base: 0,
            steps: 0,
            depth: 0,
            calls: 0,
            touched: false,
            undecided: None,
            entered: FastSet::default(),
            memo: FastMap::default(),
            scopes: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Reads a statement of the module.
    pub fn module_statement(&mut self, stmt: &'a Stmt, base: usize) {
        self.base = base;
        self.depth = 0;
        self.undecided = None;
        let module = self.module.clone();
        self.statement(stmt, &module);
    }

    /// Reads a function or the methods of a class that build graphs and that
    /// nothing in the module has called.
    pub fn enter_uncalled(&mut self, stmt: &'a Stmt, base: usize) {
        self.base = base;
        let module = self.module.clone();
        match stmt {
            Stmt::FunctionDef(def) if !self.entered.contains(&(base + range_start(stmt))) => {
                if let Some(value) = self.lookup(&def.name.id, &module)
                    && let Abs::Function(function) = value.abs
                {
                    self.call_function(&function, None, &value::CallArgs::default(), value.span);
                }
            }
            Stmt::ClassDef(class) => {
                if let Some(value) = self.lookup(&class.name.id, &module)
                    && let Abs::Class(class) = value.abs
                {
                    self.enter_class(&class);
                }
            }
            _ => {}
        }
    }

    /// What a name is at the end of the module.
    pub fn final_value(&self, name: &str) -> Option<Val<'a>> {
        self.module.names.borrow().get(name).cloned()
    }

    /// What is known of an expression of a chunk.
    pub fn expr_at(&mut self, expr: &'a Expr, base: usize, scope: &ScopeRef<'a>) -> Val<'a> {
        let outside = std::mem::replace(&mut self.base, base);
        let value = self.expr(expr, scope);
        self.base = outside;
        value
    }

    /// What a name stands for in a scope; `None` for built-in and unknown names.
    pub fn value_of(&self, name: &Name, scope: &ScopeRef<'a>) -> Option<Val<'a>> {
        self.lookup(name, scope)
    }

    fn block(&mut self, body: &'a [Stmt], scope: &ScopeRef<'a>) -> Flow<'a> {
        if self.depth >= DEPTH_MAX {
            return Flow::Next;
        }
        self.depth += 1;
        let mut flow = Flow::Next;
        for stmt in body {
            flow = self.statement(stmt, scope);
            if !matches!(flow, Flow::Next) {
                break;
            }
        }
        self.depth -= 1;
        flow
    }

    fn statement(&mut self, stmt: &'a Stmt, scope: &ScopeRef<'a>) -> Flow<'a> {
        if !self.step() {
            return Flow::Next;
        }
        match stmt {
            Stmt::FunctionDef(def) => {
                let function = FunctionRef {
                    def,
                    base: self.base,
                    path: path_of(scope, def.name.as_str()),
                    scope: self.closure(scope),
                    made_by: None,
                    as_tool: None,
                };
                let span = self.span(&def.name);
                self.bind(&def.name.id, Val { abs: Abs::Function(function), span }, scope);
                Flow::Next
            }
            Stmt::ClassDef(class) => {
                let reference = ClassRef { class, base: self.base, scope: self.closure(scope) };
                self.classes.push(reference.clone());
                let span = self.span(&class.name);
                self.bind(&class.name.id, Val { abs: Abs::Class(reference), span }, scope);
                Flow::Next
            }
            Stmt::Import(_) | Stmt::ImportFrom(_) => {
                self.import(stmt, scope);
                Flow::Next
            }
            Stmt::If(_)
            | Stmt::For(_)
            | Stmt::While(_)
            | Stmt::With(_)
            | Stmt::Try(_)
            | Stmt::Match(_) => self.compound(stmt, scope),
            Stmt::Break(_) => Flow::Leave { again: false },
            Stmt::Continue(_) => Flow::Leave { again: true },
            _ => self.simple(stmt, scope),
        }
    }

    /// A statement without a block; remembers whether it builds a graph.
    fn simple(&mut self, stmt: &'a Stmt, scope: &ScopeRef<'a>) -> Flow<'a> {
        let touched_outside = std::mem::take(&mut self.touched);
        let mut flow = Flow::Next;
        match stmt {
            Stmt::Assign(assign) => {
                let value = self.expr(&assign.value, scope);
                for target in &assign.targets {
                    self.assign(target, value.clone(), scope);
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.expr(value, scope);
                    self.assign(&assign.target, value, scope);
                }
            }
            Stmt::AugAssign(assign) => {
                let left = self.expr(&assign.target, scope);
                let right = self.expr(&assign.value, scope);
                let span = self.span(stmt);
                let value = expr::binary(assign.op, &left, &right, span);
                self.assign(&assign.target, value, scope);
            }
            Stmt::Expr(expr) => {
                self.expr(&expr.value, scope);
            }
            Stmt::Return(ret) => {
                let value = match &ret.value {
                    Some(value) => self.expr(value, scope),
                    None => {
                        Val { abs: Abs::Const(weaver_core::Value::Null), span: self.span(stmt) }
                    }
                };
                flow = Flow::Return(value);
            }
            _ => {}
        }
        if self.touched {
            let span = self.span(stmt);
            self.graph_statements.insert((span.start, span.end));
        }
        self.touched |= touched_outside;
        flow
    }

    fn import(&mut self, stmt: &'a Stmt, scope: &ScopeRef<'a>) {
        let span = self.span(stmt);
        match stmt {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.as_str();
                    let (local, path) = match &alias.asname {
                        Some(local) => (local.id.clone(), module),
                        None => {
                            let top = module.split('.').next().unwrap_or(module);
                            (Name::new(top), top)
                        }
                    };
                    self.bind(
                        &local,
                        Val { abs: Abs::Import(path.into()), span: span.clone() },
                        scope,
                    );
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    let path =
                        format!("{}{module}.{}", ".".repeat(import.level as usize), alias.name);
                    let local = alias.asname.as_ref().unwrap_or(&alias.name);
                    let value = Val { abs: Abs::Import(path.into()), span: span.clone() };
                    self.bind(&local.id, value, scope);
                }
            }
            _ => {}
        }
    }

    fn assign(&mut self, target: &'a Expr, value: Val<'a>, scope: &ScopeRef<'a>) {
        match target {
            Expr::Name(name) => {
                self.name_graph(&name.id, &value, scope);
                self.bind(&name.id, value, scope);
            }
            Expr::Tuple(_) | Expr::List(_) => {
                let targets = match target {
                    Expr::Tuple(tuple) => &tuple.elts,
                    Expr::List(list) => &list.elts,
                    _ => return,
                };
                let items = value.items().filter(|items| items.len() == targets.len());
                for (index, target) in targets.iter().enumerate() {
                    let item = items.as_ref().map(|items| items[index].clone());
                    let item = item.unwrap_or_else(|| Val::unknown(value.span.clone()));
                    self.assign(target, item, scope);
                }
            }
            Expr::Attribute(attribute) => {
                let object = self.expr(&attribute.value, scope);
                if let Abs::Instance(object) = object.abs {
                    let fields = &object.fields;
                    let old =
                        fields.borrow_mut().insert(attribute.attr.id.clone(), snapshot(&value));
                    dispose(old);
                }
            }
            Expr::Subscript(subscript) => {
                let object = self.expr(&subscript.value, scope);
                let key = self.expr(&subscript.slice, scope);
                if let Abs::Dict(entries) = &object.abs {
                    let value = snapshot(&value);
                    let mut entries = entries.borrow_mut();
                    let same = |known: &Val<'_>| {
                        known.as_str().is_some() && known.as_str() == key.as_str()
                    };
                    if let Some(at) = entries.iter().position(|(known, _)| same(known)) {
                        dispose([entries.remove(at).1]);
                    }
                    entries.push((key, value));
                }
            }
            Expr::Starred(starred) => {
                let unknown = Val::unknown(value.span.clone());
                self.assign(&starred.value, unknown, scope);
            }
            _ => {}
        }
    }

    /// The first variable that holds a builder names its graph; every module
    /// variable that holds a compiled graph is remembered.
    fn name_graph(&mut self, name: &Name, value: &Val<'a>, scope: &ScopeRef<'a>) {
        if self.frozen {
            return;
        }
        let in_module = Rc::ptr_eq(scope, &self.module);
        match &value.abs {
            Abs::Builder(index) => {
                self.builders[*index].variable.get_or_insert_with(|| name.to_string());
            }
            Abs::Compiled(index, spec) => {
                let builder = &mut self.builders[*index];
                let named = in_module || builder.maker.is_some();
                if named && !builder.compiled.iter().any(|known| known == name.as_str()) {
                    builder.compiled.push(name.to_string());
                }
                if named && !builder.compile.as_ref().is_some_and(|first| first.is_same(spec)) {
                    builder.variants.insert(name.to_string(), (**spec).clone());
                }
            }
            Abs::Instance(object) if in_module => {
                object.variable.borrow_mut().get_or_insert_with(|| name.clone());
            }
            _ => {}
        }
    }

    fn bind(&mut self, name: &Name, value: Val<'a>, scope: &ScopeRef<'a>) {
        let old = scope.names.borrow_mut().insert(name.clone(), value);
        dispose(old);
    }

    fn lookup(&self, name: &Name, scope: &ScopeRef<'a>) -> Option<Val<'a>> {
        let mut scope = Some(scope);
        while let Some(current) = scope {
            if let Some(value) = current.names.borrow().get(name) {
                return Some(value.clone());
            }
            scope = current.parent.as_ref();
        }
        self.module.names.borrow().get(name).cloned()
    }

    fn closure(&self, scope: &ScopeRef<'a>) -> Option<ScopeRef<'a>> {
        (!Rc::ptr_eq(scope, &self.module)).then(|| scope.clone())
    }

    fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps < STEPS_MAX
    }

    fn span(&self, node: &impl Ranged) -> Range<usize> {
        self.base + node.start().to_usize()..self.base + node.end().to_usize()
    }

    /// Whether a place is in a chunk that does not parse.
    pub fn is_broken(&self, span: &Range<usize>) -> bool {
        self.broken.iter().any(|broken| broken.start <= span.start && span.start < broken.end)
    }

    fn source(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or("")
    }
}

fn range_start(stmt: &Stmt) -> usize {
    stmt.start().to_usize()
}

fn path_of(scope: &ScopeRef<'_>, name: &str) -> Rc<str> {
    match &scope.path {
        Some(outer) => format!("{outer}.{name}").into(),
        None => name.into(),
    }
}
