//! Whether the calls of a program leave traces behind: in its module, or in the
//! values that they are given.
//!
//! Where they cannot, a module that one execution has used is as good as new for
//! the next one of its tenant, and one Python object can stand for the same value
//! in many calls. The answer comes from the text alone and errs to one side:
//! whatever is not plainly harmless counts as a trace. Functions may change only
//! what they have made themselves ([`Scope::made`]), and the module may hold only
//! what does not change by being used ([`Reader::lasting`]).

mod bindings;
mod known;

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use weaver_core::embedded::NATIVE_MODULES;
use weaver_core::{HostImport, Program};

use self::bindings::Bindings;
use self::known::{
    CHANGING, DECORATORS, LASTING, LASTING_MODULES, MAKING, MAKING_METHODS, REACHING,
    STATEFUL_MODULES,
};

/// Whether no call of the program can change its module or its arguments.
pub(crate) fn is_traceless(program: &Program) -> bool {
    let lambdas = program.lambdas.iter().map(|(_, text)| format!("_ = (\n{text}\n)\n"));
    let hidden = |import: &HostImport| {
        is_hidden(&import.module, import.name.as_deref()) || shadows(&import.local)
    };
    if program.imports.iter().any(hidden) {
        return false;
    }
    let of_the_host = |import: &&HostImport| !NATIVE_MODULES.contains(&import.module.as_str());
    let imported = program.imports.iter().filter(of_the_host);
    let imported: HashSet<&str> = imported.map(|import| import.local.as_str()).collect();
    std::iter::once(program.source.clone()).chain(lambdas).all(|source| {
        let Ok(parsed) = ruff_python_parser::parse_module(&source) else { return false };
        let body = &parsed.syntax().body;
        let mut reader = Reader {
            imported: &imported,
            lasting: HashSet::new(),
            scopes: Vec::new(),
            traces: false,
        };
        reader.module(body, None);
        !reader.traces
    })
}

/// Goes through a program and notes whether there is a trace.
struct Reader<'a> {
    imported: &'a HashSet<&'a str>,
    /// Names of the module that stand for what such a call has made.
    lasting: HashSet<String>,
    /// Of the functions around, outermost first.
    scopes: Vec<Scope>,
    traces: bool,
}

/// The names of one function.
struct Scope {
    /// Names that are bound here, and whether everything that they are bound to is
    /// a new object of the call.
    made: HashMap<String, bool>,
    /// The instance, in a method.
    own: Option<String>,
}

impl Reader<'_> {
    /// Statements that run when the module is made: those of a class, too.
    fn module(&mut self, body: &[Stmt], class: Option<&str>) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(function) => self.function(function, class.is_some()),
                Stmt::ClassDef(class) => {
                    self.traces |= is_known(&class.name);
                    self.decorators(&class.decorator_list);
                    self.module(&class.body, Some(&class.name));
                }
                Stmt::Assign(assign) => {
                    let known =
                        |target: &Expr| matches!(target, Expr::Name(name) if is_known(&name.id));
                    self.traces |= assign.targets.iter().any(known);
                    self.lasting(&assign.value);
                    if let ([Expr::Name(name)], Expr::Call(_)) =
                        (assign.targets.as_slice(), &*assign.value)
                    {
                        self.lasting.insert(name.id.to_string());
                    }
                }
                Stmt::AugAssign(assign) => self.lasting(&assign.value),
                Stmt::AnnAssign(assign) => {
                    assign.value.iter().for_each(|value| self.lasting(value));
                }
                Stmt::If(branch) => {
                    self.lasting(&branch.test);
                    self.module(&branch.body, class);
                    for clause in &branch.elif_else_clauses {
                        clause.test.iter().for_each(|test| self.lasting(test));
                        self.module(&clause.body, class);
                    }
                }
                Stmt::Expr(expr) => self.traces |= !expr.value.is_literal_expr(),
                Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Pass(_) => self.import(stmt),
                _ => self.traces = true,
            }
        }
    }

    /// A value that the module keeps: data, functions, and what the host's classes make.
    fn lasting(&mut self, expr: &Expr) {
        match expr {
            Expr::Call(call) => {
                self.traces |= !self.makes_what_lasts(&call.func);
                call.arguments.args.iter().for_each(|arg| self.lasting(arg));
                call.arguments.keywords.iter().for_each(|keyword| self.lasting(&keyword.value));
                if let Expr::Attribute(method) = &*call.func {
                    self.lasting(&method.value);
                }
            }
            Expr::Generator(_) | Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.traces = true;
            }
            Expr::Lambda(_) => self.visit_expr(expr),
            Expr::Attribute(part) => {
                self.attribute(part);
                self.lasting(&part.value);
            }
            Expr::Name(name) => self.name(name),
            _ => {
                let mut parts = Parts::default();
                visitor::walk_expr(&mut parts, expr);
                parts.0.into_iter().for_each(|part| self.lasting(part));
            }
        }
    }

    /// Whether a function that the module calls gives what does not change by being used.
    fn makes_what_lasts(&self, function: &Expr) -> bool {
        match function {
            Expr::Name(name) => {
                LASTING.contains(&name.id.as_str()) || self.imported.contains(name.id.as_str())
            }
            Expr::Attribute(method) => match root(&method.value) {
                Some(Expr::Name(name)) => {
                    let name = name.id.as_str();
                    self.imported.contains(name)
                        || self.lasting.contains(name)
                        || LASTING_MODULES.contains(&name)
                }
                Some(other) => other.is_literal_expr() || other.is_f_string_expr(),
                None => false,
            },
            _ => false,
        }
    }

    fn decorators(&mut self, decorators: &[ast::Decorator]) {
        for decorator in decorators {
            let named = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            let name = match named {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => "",
            };
            self.traces |= !DECORATORS.contains(&name);
            if let Expr::Call(call) = &decorator.expression {
                call.arguments.args.iter().for_each(|arg| self.lasting(arg));
                call.arguments.keywords.iter().for_each(|keyword| self.lasting(&keyword.value));
            }
        }
    }

    fn function(&mut self, function: &ast::StmtFunctionDef, is_method: bool) {
        self.decorators(&function.decorator_list);
        let parameters = &function.parameters;
        for parameter in parameters.iter_non_variadic_params() {
            parameter.default().into_iter().for_each(|default| self.lasting(default));
        }
        let mut names: Vec<String> =
            parameters.iter().map(|parameter| parameter.name().to_string()).collect();
        self.traces |= names.iter().any(|name| shadows(name)) || is_known(&function.name);
        // Elsewhere `self` may be anything: `C.method(message)`.
        let initializes = matches!(function.name.as_str(), "__init__" | "__post_init__");
        let own = names.first().filter(|_| is_method && initializes).cloned();
        let mut made: HashMap<String, bool> = names.drain(..).map(|name| (name, false)).collect();
        let mut bindings = Bindings { made: &mut made };
        bindings.visit_body(&function.body);
        self.traces |= made.keys().any(|name| shadows(name));
        self.scopes.push(Scope { made, own });
        self.visit_body(&function.body);
        self.scopes.pop();
    }

    /// Whether an object was made by the running call itself.
    fn is_made(&self, expr: &Expr) -> bool {
        let Expr::Name(name) = expr else { return makes(expr) };
        let known = |scope: &Scope| scope.made.get(name.id.as_str()).copied();
        self.scopes.iter().rev().find_map(known).unwrap_or(false)
    }

    fn is_own(&self, expr: &Expr) -> bool {
        let Expr::Name(name) = expr else { return false };
        self.scopes.last().is_some_and(|scope| scope.own.as_deref() == Some(name.id.as_str()))
    }

    fn name(&mut self, name: &ast::ExprName) {
        self.traces |= REACHING.contains(&name.id.as_str());
    }

    fn attribute(&mut self, attribute: &ast::ExprAttribute) {
        let name = attribute.attr.as_str();
        let of_super = name == "__init__"
            && matches!(root(&attribute.value), Some(Expr::Name(name)) if name.id == "super");
        let of_operator = matches!(&*attribute.value, Expr::Name(name) if name.id == "operator");
        self.traces |= match attribute.ctx {
            ExprContext::Load => {
                CHANGING.contains(&name) && !of_operator && !self.is_made(&attribute.value)
                    || name.starts_with("__") && name != "__name__" && !of_super
            }
            _ => !self.is_own(&attribute.value),
        };
    }

    fn import(&mut self, stmt: &Stmt) {
        let names: &[ast::Alias] = match stmt {
            Stmt::Import(import) => &import.names,
            Stmt::ImportFrom(import) => &import.names,
            _ => &[],
        };
        for alias in names {
            let name = alias.name.as_str();
            self.traces |= match stmt {
                Stmt::ImportFrom(ast::StmtImportFrom { module: Some(module), .. }) => {
                    is_hidden(module, Some(name))
                }
                _ => is_hidden(name, None),
            };
            self.traces |= match &alias.asname {
                Some(local) => is_known(local),
                None => shadows(name),
            };
        }
    }

    /// `x += 1` changes the object of `x` where that is a list; a number says it is none.
    fn augmented(&mut self, assign: &ast::StmtAugAssign) {
        let harmless = is_number(&assign.value)
            || matches!(&*assign.target, Expr::Name(_)) && self.is_made(&assign.target);
        self.traces |= !harmless;
    }
}

impl<'a> Visitor<'a> for Reader<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => return self.function(function, false),
            // A class of one call: rare, and with state of its own.
            Stmt::ClassDef(_) | Stmt::Global(_) | Stmt::Nonlocal(_) => self.traces = true,
            Stmt::AugAssign(assign) => self.augmented(assign),
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.import(stmt),
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => self.name(name),
            Expr::Attribute(attribute) => self.attribute(attribute),
            Expr::Subscript(part) if part.ctx != ExprContext::Load => {
                self.traces |= !self.is_made(&part.value);
            }
            // `getattr(x, name)` could be any method.
            Expr::Call(call) => {
                let is_getattr = matches!(&*call.func, Expr::Name(name) if name.id == "getattr");
                let known = |arg: &Expr| {
                    matches!(arg, Expr::StringLiteral(text)
                        if !CHANGING.contains(&text.value.to_str()) && !text.value.to_str().starts_with("__"))
                };
                self.traces |= is_getattr && !call.arguments.args.get(1).is_some_and(known);
            }
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.iter().flat_map(|all| all.iter());
                let made = parameters.map(|parameter| (parameter.name().to_string(), false));
                self.scopes.push(Scope { made: made.collect(), own: None });
                visitor::walk_expr(self, expr);
                self.scopes.pop();
                return;
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

/// The parts of an expression.
#[derive(Default)]
struct Parts<'a>(Vec<&'a Expr>);

impl<'a> Visitor<'a> for Parts<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.0.push(expr);
    }
}

/// Whether an import brings something that keeps state, or changes what it is given.
fn is_hidden(module: &str, name: Option<&str>) -> bool {
    let first = module.split('.').next().unwrap_or_default();
    STATEFUL_MODULES.contains(&first) || name.is_some_and(|name| REACHING.contains(&name))
}

/// Whether a name stands here for what is known under it.
fn is_known(function: &str) -> bool {
    shadows(function)
        || LASTING.contains(&function)
        || LASTING_MODULES.contains(&function)
        || MAKING_METHODS.contains(&function)
}

/// The same for a variable.
fn shadows(name: &str) -> bool {
    MAKING.contains(&name) || name == "getattr"
}

/// Whether an expression gives a new object, or a number or text, whatever its parts are.
fn makes(expr: &Expr) -> bool {
    match expr {
        Expr::List(_) | Expr::Dict(_) | Expr::Set(_) | Expr::Tuple(_) => true,
        Expr::ListComp(_) | Expr::DictComp(_) | Expr::SetComp(_) | Expr::Generator(_) => true,
        Expr::BinOp(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::FString(_) => true,
        Expr::If(choice) => makes(&choice.body) && makes(&choice.orelse),
        Expr::Call(call) => match &*call.func {
            Expr::Name(name) => MAKING.contains(&name.id.as_str()),
            Expr::Attribute(method) => MAKING_METHODS.contains(&method.attr.as_str()),
            _ => false,
        },
        other => other.is_literal_expr(),
    }
}

/// Whether an expression is a number for certain.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::NumberLiteral(_) => true,
        Expr::UnaryOp(unary) => is_number(&unary.operand),
        Expr::BinOp(operation) => is_number(&operation.left) && is_number(&operation.right),
        Expr::Call(call) => matches!(&*call.func, Expr::Name(name)
            if ["len", "int", "float", "round", "ord"].contains(&name.id.as_str())),
        _ => false,
    }
}

/// What `a` is in `a.b(c).d`; nothing where there are other steps.
fn root(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Call(call) => root(&call.func),
        Expr::Subscript(_) => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traceless(source: &str) -> bool {
        is_traceless(&Program { source: source.into(), ..Program::default() })
    }

    #[test]
    fn functions_that_change_what_they_made_leave_no_trace() {
        for source in [
            "def f(s):\n    out = dict(s['a'])\n    out['k'] = 1\n    return {'a': out}\n",
            "def f(s):\n    parts = []\n    for x in s['xs']:\n        parts.append(x)\n    return {'n': len(parts)}\n",
            "def f(s):\n    n = s['n']\n    n += 1\n    return {'n': n, 'total': sum(s['xs'])}\n",
            "def f(s):\n    text = ''\n    text += s['t']\n    return {'t': text.upper()}\n",
            "WORDS = {'a': ['b']}\nLIMIT = 3\n\ndef f(s):\n    return WORDS[s['w']][:LIMIT]\n",
            "import re\nWORD = re.compile('[a-z]+')\n\nclass P:\n    def __init__(self, x):\n        self.x = x\n\ndef f(s):\n    return P(s['x']).x\n",
            "def f(s):\n    def g(x):\n        seen.append(x)\n    seen = []\n    g(1)\n    return seen\n",
        ] {
            assert!(traceless(source), "{source}");
        }
    }

    #[test]
    fn every_way_to_keep_something_is_a_trace() {
        for source in [
            "n = 0\ndef f(s):\n    global n\n    n = 1\n",
            "seen = []\ndef f(s):\n    seen.append(s)\n",
            "seen = []\ndef f(s):\n    mine = seen\n    mine.append(s)\n",
            "seen = []\ndef f(s):\n    mine = [1] if s else seen\n    mine.append(s)\n",
            "seen = {}\ndef f(s):\n    seen[s] = 1\n",
            "seen = {}\ndef f(s):\n    del seen[s]\n",
            "seen = []\ndef f(s):\n    add = seen.append\n    add(s)\n",
            "seen = []\ndef f(s):\n    getattr(seen, 'app' + 'end')(s)\n",
            "def f(s, seen=[]):\n    seen.append(s)\n",
            "def f(s):\n    f.count = 1\n",
            "def f(s):\n    s['xs'] += ['x']\n",
            "def f(s):\n    xs = s['xs']\n    xs += s['ys']\n",
            "def f(s):\n    xs = s['xs'] or []\n    xs.append(1)\n",
            "def f(s):\n    for m in s['messages']:\n        m.content = ''\n",
            "def f(s):\n    out = [s['a']]\n    out[0]['k'] = 1\n",
            "def f(s):\n    with s['a'] as x:\n        x['k'] = 1\n",
            "def f(s):\n    if (x := s['a']):\n        x.clear()\n",
            "def f(s):\n    x = []\n    x, y = s['a'], s['b']\n    x.append(1)\n",
            "def f(s):\n    x = []\n    match s:\n        case {'a': x}:\n            x.append(1)\n",
            "class C:\n    n = []\n    def f(self):\n        self.n.append(1)\n",
            "class C:\n    def f(self):\n        self.n = 1\n\nc = C()\n",
            "numbers = (n for n in range(9))\ndef f(s):\n    return next(numbers)\n",
            "import itertools\nnumbers = itertools.count()\n",
            "import functools\n@functools.lru_cache\ndef f(s):\n    return s\n",
            "import random\ndef f(s):\n    return random.random()\n",
            "f = lambda s: s['xs'].append(1)\n",
            "def f(s):\n    x = {}\n    def g(x):\n        x['a'] = 1\n    g(s)\n",
            "def f(s):\n    [x.append(1) for x in s['xs']]\n",
            "def f(s):\n    exec('seen = 1')\n",
            "def f(s):\n    x = []\n    for x in s['xs']:\n        x.append(1)\n",
            "def f(s):\n    x = []\n    def g():\n        nonlocal x\n        x = s\n    g()\n    x.append(1)\n",
            "def dict(x):\n    return x\ndef f(s):\n    dict(s)['a'] = 1\n",
            "def f(s, list):\n    list(s).append(1)\n",
            "class C:\n    def f(self, x):\n        self.x = x\n\ndef f(s):\n    C.f(s['messages'][0], 1)\n",
            "from random import choice\ndef f(s):\n    return choice(s)\n",
            "this is not python",
        ] {
            assert!(!traceless(source), "{source}");
        }
    }
}
