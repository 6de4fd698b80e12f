//! What a top-level statement binds, uses and changes, and what in it the embedded
//! interpreter does not run. Depends on the statement alone, so it is kept with it.

use std::ops::Range;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Expr, ExprContext, Operator, Parameters, Stmt, StmtClassDef, StmtFunctionDef,
};
use weaver_core::{FastSet, Hash};

use crate::bindings::{Mentions, bound_names, root_name, target_names};
use crate::generators;
use crate::subset;
use crate::syntax::range_of;

/// A statement of a module, or of the body of a function that builds a graph.
/// All ranges count from the first byte of the chunk.
#[derive(Debug)]
pub(crate) struct Item {
    /// The statement.
    pub range: Range<usize>,
    /// Names that it gives a value.
    pub binds: Vec<Name>,
    /// Names whose object it changes (`tools.append(x)`, `CONFIG["a"] = 1`).
    pub modifies: Vec<Name>,
    /// Names from outside that it needs, sorted.
    pub uses: Vec<Name>,
    /// Names in its annotations, sorted: it needs no more of them than that the host
    /// may give it instances.
    pub mentions: Vec<Name>,
    /// Hash of its text.
    pub hash: Hash,
    /// What the embedded interpreter does not run.
    pub violations: Vec<Violation>,
    /// `name.member` of names from outside, which may be modules.
    pub members: Vec<Member>,
    /// Imports anywhere in it.
    pub imports: Vec<Import>,
    /// For a function that builds graphs: the statements of its body.
    pub body: Vec<Item>,
    /// What kind of statement.
    pub kind: ItemKind,
    /// Writes to module variables from inside functions.
    pub global_writes: Vec<(Range<usize>, Name)>,
    /// It names a graph builder or one of its methods.
    pub builds_graph: bool,
    /// Parameters, for a function.
    pub parameters: Vec<Name>,
}

/// What kind of statement an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// `def`.
    Function {
        /// Where its name starts.
        name_start: usize,
    },
    /// `class`.
    Class,
    /// `import` or `from … import`.
    Import,
    /// `if __name__ == "__main__":`.
    Main,
    /// Anything else.
    Other,
}

/// Something that the embedded interpreter does not run.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Where.
    pub range: Range<usize>,
    /// What, as the object of "the embedded interpreter does not support".
    pub what: &'static str,
    /// The way out.
    pub instead: &'static str,
    /// The built-in name it is about: nothing is wrong where the file defines it.
    pub builtin: Option<Name>,
}

/// `name.member`, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub range: Range<usize>,
    pub of: Name,
    pub name: Name,
}

/// One name bound by an import.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// The import statement.
    pub statement: Range<usize>,
    /// `langgraph.graph`; relative imports begin with dots.
    pub module: String,
    /// The name in it; nothing for `import module`.
    pub name: Option<Name>,
    /// The name it gets here.
    pub local: Name,
}

/// Reads one statement; `text` is that of its chunk.
pub(crate) fn item(stmt: &Stmt, text: &str) -> Item {
    let mut collector = Collector::default();
    collector.visit_stmt(stmt);
    let range = range_of(stmt);
    let uses = sorted(collector.uses);
    let mentions = sorted(collector.mentions);
    let builds_graph = collector.builds_graph;
    let (kind, body) = match stmt {
        Stmt::FunctionDef(def) => {
            let body = match builds_graph {
                true => def.body.iter().map(|stmt| item(stmt, text)).collect(),
                false => Vec::new(),
            };
            (ItemKind::Function { name_start: range_of(&def.name).start }, body)
        }
        Stmt::ClassDef(_) => (ItemKind::Class, Vec::new()),
        Stmt::Import(_) | Stmt::ImportFrom(_) => (ItemKind::Import, Vec::new()),
        Stmt::If(branch) if is_main_test(&branch.test) => (ItemKind::Main, Vec::new()),
        _ => (ItemKind::Other, Vec::new()),
    };
    Item {
        hash: Hash::of(text.get(range.clone()).unwrap_or("").as_bytes()),
        range,
        binds: bound_names(std::slice::from_ref(stmt)).into_iter().collect(),
        modifies: collector.modifies,
        uses,
        mentions,
        violations: collector.violations,
        members: collector.members,
        imports: collector.imports,
        body,
        kind,
        global_writes: collector.global_writes,
        builds_graph,
        parameters: match stmt {
            Stmt::FunctionDef(def) => parameter_names(&def.parameters).into_iter().collect(),
            _ => Vec::new(),
        },
    }
}

/// The outside names that an expression needs, sorted, and what in it does not run embedded.
pub(crate) fn expression(expr: &Expr) -> (Vec<Name>, Vec<Violation>) {
    let mut collector = Collector::default();
    collector.visit_expr(expr);
    (sorted(collector.uses), collector.violations)
}

fn sorted(names: FastSet<Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// `__name__ == "__main__"`.
pub(crate) fn is_main_test(test: &Expr) -> bool {
    let Expr::Compare(compare) = test else { return false };
    compare.operands.iter().any(|side| matches!(side, Expr::Name(name) if name.id == *"__name__"))
}

/// Attributes that only graph code uses.
const GRAPH_WORDS: [&str; 9] = [
    "StateGraph",
    "MessageGraph",
    "add_node",
    "add_edge",
    "add_conditional_edges",
    "add_sequence",
    "set_entry_point",
    "create_agent",
    "create_react_agent",
];

#[derive(Default)]
struct Collector {
    /// Names bound by the functions, classes and comprehensions around the place.
    scopes: Vec<FastSet<Name>>,
    /// How many functions are around the place.
    functions: usize,
    uses: FastSet<Name>,
    mentions: FastSet<Name>,
    modifies: Vec<Name>,
    violations: Vec<Violation>,
    members: Vec<Member>,
    imports: Vec<Import>,
    global_writes: Vec<(Range<usize>, Name)>,
    globals: FastSet<Name>,
    builds_graph: bool,
    /// What `super()` can mean at the place.
    super_means: subset::Super,
    /// Where a `yield` stands whose value nobody takes.
    plain_yield: Option<Range<usize>>,
}

impl Collector {
    fn is_local(&self, name: &Name) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    fn violation(&mut self, range: Range<usize>, found: subset::Missing) {
        let subset::Missing { what, instead } = found;
        self.violations.push(Violation { range, what, instead, builtin: None });
    }

    fn builtin(&mut self, name: &Name, range: Range<usize>, found: subset::Missing) {
        let subset::Missing { what, instead } = found;
        let builtin = Some(name.clone());
        self.violations.push(Violation { range, what, instead, builtin });
    }

    fn function(&mut self, def: &StmtFunctionDef) {
        for decorator in &def.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        self.parameters(&def.parameters);
        let mut scope = parameter_names(&def.parameters);
        scope.extend(bound_names(&def.body));
        for stmt in &def.body {
            if let Stmt::Global(global) = stmt {
                for name in &global.names {
                    scope.remove(&name.id);
                    self.globals.insert(name.id.clone());
                }
            }
        }
        self.scopes.push(scope);
        self.functions += 1;
        for stmt in &def.body {
            self.visit_stmt(stmt);
        }
        self.functions -= 1;
        self.scopes.pop();
    }

    fn parameters(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(annotation) = parameter.annotation() {
                Mentions(&mut self.mentions).visit_expr(annotation);
            }
            if let Some(default) = parameter.default() {
                self.visit_expr(default);
            }
        }
    }

    fn class(&mut self, class: &StmtClassDef) {
        for decorator in &class.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        if let Some(arguments) = &class.arguments {
            for expr in &arguments.args {
                self.visit_expr(expr);
            }
            for keyword in &arguments.keywords {
                self.visit_expr(&keyword.value);
            }
        }
        for (range, found) in subset::class_problems(class) {
            self.violation(range, found);
        }
        if let Some(arguments) = &class.arguments
            && self.functions > 0
            && !arguments.args.is_empty()
        {
            self.violation(range_of(&**arguments), subset::LOCAL_CLASS_WITH_BASES);
        }
        let outside = std::mem::replace(&mut self.super_means, subset::Super::of(class));
        self.scopes.push(bound_names(&class.body).into_iter().collect());
        for stmt in &class.body {
            self.visit_stmt(stmt);
        }
        self.scopes.pop();
        self.super_means = outside;
    }

    fn import(&mut self, stmt: &Stmt) {
        let statement = range_of(stmt);
        match stmt {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.as_str();
                    let top = module.split('.').next().unwrap_or(module);
                    let (module, local) = match &alias.asname {
                        Some(local) => (module, local.id.clone()),
                        None => (top, Name::new(top)),
                    };
                    let module = module.to_string();
                    self.imports.push(Import {
                        statement: statement.clone(),
                        module,
                        name: None,
                        local,
                    });
                }
            }
            Stmt::ImportFrom(import) => {
                let dots = ".".repeat(import.level as usize);
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    self.imports.push(Import {
                        statement: statement.clone(),
                        module: format!("{dots}{module}"),
                        name: Some(alias.name.id.clone()),
                        local: alias.asname.as_ref().unwrap_or(&alias.name).id.clone(),
                    });
                }
            }
            _ => {}
        }
    }

    /// A statement changes an object that a name from outside holds.
    fn change(&mut self, target: &Expr) {
        let Some(name) = root_name(target) else { return };
        if self.is_local(name) {
            return;
        }
        if self.functions == 0 {
            self.modifies.push(name.clone());
        } else {
            self.global_writes.push((range_of(target), name.clone()));
        }
    }

    fn assigned(&mut self, target: &Expr) {
        match target {
            Expr::Subscript(_) | Expr::Attribute(_) => self.change(target),
            _ => {
                for name in target_names(target) {
                    if self.globals.contains(&name) && !self.is_local(&name) {
                        self.global_writes.push((range_of(target), name));
                    }
                }
            }
        }
    }

    fn comprehension(&mut self, expr: &Expr, generators: &[ruff_python_ast::Comprehension]) {
        let mut scope = FastSet::default();
        for generator in generators {
            scope.extend(target_names(&generator.target));
        }
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        self.scopes.push(scope);
        visitor::walk_expr(self, expr);
        self.scopes.pop();
    }
}

/// Methods that change the object they are called on.
const CHANGING_METHODS: [&str; 17] = [
    "append",
    "extend",
    "insert",
    "update",
    "add",
    "setdefault",
    "pop",
    "popitem",
    "remove",
    "discard",
    "clear",
    "sort",
    "reverse",
    "appendleft",
    "extendleft",
    "register",
    "popleft",
];

impl<'a> Visitor<'a> for Collector {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Some(found) = subset::statement_problem(stmt) {
            self.violation(range_of(stmt), found);
        }
        match stmt {
            Stmt::FunctionDef(def) => return self.function(def),
            Stmt::ClassDef(class) => return self.class(class),
            Stmt::Import(_) | Stmt::ImportFrom(_) => return self.import(stmt),
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.assigned(target)),
            Stmt::AugAssign(assign) => {
                if let (Expr::Name(name), 0) = (&*assign.target, self.functions) {
                    self.uses.insert(name.id.clone());
                }
                self.assigned(&assign.target);
            }
            Stmt::AnnAssign(assign) => self.assigned(&assign.target),
            Stmt::While(repeat)
                if generators::is_endless(repeat) && generators::yields(&repeat.body) =>
            {
                self.violation(range_of(&*repeat.test), subset::ENDLESS_GENERATOR);
            }
            Stmt::Expr(expr) => {
                if matches!(&*expr.value, Expr::Yield(_) | Expr::YieldFrom(_)) {
                    self.plain_yield = Some(range_of(&*expr.value));
                }
                if let Expr::Call(call) = &*expr.value
                    && let Expr::Attribute(attribute) = &*call.func
                    && CHANGING_METHODS.contains(&attribute.attr.as_str())
                {
                    self.change(&attribute.value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    /// Annotations are kept as text by the interpreter: they are not evaluated.
    fn visit_annotation(&mut self, annotation: &'a Expr) {
        Mentions(&mut self.mentions).visit_expr(annotation);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Some(found) = subset::expression_problem(expr) {
            self.violation(range_of(expr), found);
        }
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                if GRAPH_WORDS.contains(&name.id.as_str()) {
                    self.builds_graph = true;
                }
                if !self.is_local(&name.id) {
                    if let Some(found) = subset::missing_builtin(&name.id) {
                        self.builtin(&name.id, range_of(expr), found);
                    }
                    self.uses.insert(name.id.clone());
                }
            }
            Expr::Call(call)
                if subset::super_method(call)
                    .is_some_and(|method| self.super_means.runs(method)) =>
            {
                visitor::walk_arguments(self, &call.arguments);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                if self.plain_yield != Some(range_of(expr)) {
                    self.violation(range_of(expr), subset::YIELD_VALUE);
                }
                visitor::walk_expr(self, expr);
            }
            Expr::Call(call) => {
                if let Some((name, found)) = subset::call_problem(call)
                    && !self.is_local(name)
                {
                    self.builtin(name, range_of(expr), found);
                }
                visitor::walk_expr(self, expr);
            }
            Expr::Attribute(attribute) => {
                if GRAPH_WORDS.contains(&attribute.attr.as_str()) {
                    self.builds_graph = true;
                }
                if let Expr::Name(of) = &*attribute.value
                    && !self.is_local(&of.id)
                {
                    let (of, name) = (of.id.clone(), attribute.attr.id.clone());
                    self.members.push(Member { range: range_of(expr), of, name });
                }
                visitor::walk_expr(self, expr);
            }
            Expr::Lambda(lambda) => {
                let mut scope = FastSet::default();
                if let Some(parameters) = &lambda.parameters {
                    self.parameters(parameters);
                    scope = parameter_names(parameters);
                }
                self.scopes.push(scope);
                self.functions += 1;
                self.visit_expr(&lambda.body);
                self.functions -= 1;
                self.scopes.pop();
            }
            Expr::ListComp(comp) => self.comprehension(expr, &comp.generators),
            Expr::SetComp(comp) => self.comprehension(expr, &comp.generators),
            Expr::DictComp(comp) => self.comprehension(expr, &comp.generators),
            Expr::Generator(comp) => self.comprehension(expr, &comp.generators),
            Expr::BinOp(operation) if operation.op == Operator::MatMult => {
                self.violation(range_of(expr), subset::MATMUL);
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}

fn parameter_names(parameters: &Parameters) -> FastSet<Name> {
    parameters.iter().map(|parameter| parameter.name().id.clone()).collect()
}
