//! What a function can answer: targets that it returns, `Command` and `Send`
//! targets, state keys that it writes.

use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt};

use super::Evaluator;
use super::function::Callable;
use super::value::{Abs, Scope, ScopeRef, Val};
use crate::bindings::target_names;
use crate::syntax;
use weaver_core::{FastMap, FastSet};

/// A name with its place.
pub(crate) type Target = (String, Range<usize>);

/// What a function can answer.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// Names that it returns.
    pub targets: Vec<Target>,
    /// Nothing else than those names, `Send`s and `Command`s is returned.
    pub complete: bool,
    /// `Literal[...]` of the return annotation.
    pub annotated: Option<Vec<Target>>,
    /// `Command[Literal[...]]` of the return annotation.
    pub commands_annotated: Option<Vec<Target>>,
    /// `Send("x", …)` outside a `goto`.
    pub sends: Vec<Target>,
    /// `Command(goto="x")`.
    pub gotos: Vec<Target>,
    /// Keys of returned dicts and of `Command(update={…})`.
    pub updates: Vec<Target>,
    /// All that is ever returned is one dict with those keys.
    pub sole_update: bool,
    /// A `Command` is made somewhere.
    pub makes_command: bool,
}

impl Outcomes {
    /// Whether the function itself may say where to go.
    pub fn uses_command(&self) -> bool {
        self.makes_command || self.commands_annotated.is_some() || !self.sends.is_empty()
    }
}

/// Deepest nesting of an answer that is followed.
const DEPTH_MAX: u32 = 12;

impl<'a> Evaluator<'a> {
    /// What a function can answer, from its annotation and its body.
    pub fn outcomes(&mut self, callable: &Callable<'a>) -> Outcomes {
        let mut answer = Answer { outcomes: Outcomes::default(), assigned: FastMap::default() };
        answer.outcomes.complete = true;
        let scope = callable.scope().cloned().unwrap_or_else(|| self.module.clone());
        let base = std::mem::replace(&mut self.base, callable.base());
        match callable {
            Callable::Prebuilt { .. } => {}
            Callable::Lambda(lambda) => {
                answer.outcomes.sole_update = matches!(&*lambda.lambda.body, Expr::Dict(_));
                self.answer(&lambda.lambda.body, &scope, &mut answer, 0);
            }
            Callable::Def { function, .. } => {
                if let Some(annotation) = &function.def.returns {
                    let place = self.span(&**annotation);
                    self.annotation(annotation, &place, &scope, &mut answer.outcomes, 0);
                }
                let mut body = Body::default();
                function.def.body.iter().for_each(|stmt| body.visit_stmt(stmt));
                answer.assigned = body.assigned;
                let inner: ScopeRef<'a> =
                    Rc::new(Scope { parent: Some(scope.clone()), ..Scope::default() });
                self.scopes.push(inner.clone());
                let hidden = answer.assigned.keys().cloned();
                let parameters = function.def.parameters.iter().map(|p| p.name().id.clone());
                for name in hidden.chain(parameters).collect::<Vec<_>>() {
                    self.bind(&name, Val::unknown(base..base), &inner);
                }
                answer.outcomes.sole_update = matches!(body.returns.as_slice(), [Expr::Dict(_)]);
                for value in body.returns {
                    self.answer(value, &inner, &mut answer, 0);
                }
                for call in body.calls {
                    self.control_call(call, &inner, &mut answer);
                }
                if body.leaves {
                    answer.outcomes.sends.clear();
                }
            }
        }
        self.base = base;
        let mut outcomes = answer.outcomes;
        for list in [&mut outcomes.targets, &mut outcomes.sends, &mut outcomes.gotos] {
            let mut seen = FastSet::default();
            list.retain(|(name, _)| seen.insert(name.clone()));
        }
        outcomes
    }

    /// One answer of a function.
    fn answer(
        &mut self,
        expr: &'a Expr,
        scope: &ScopeRef<'a>,
        answer: &mut Answer<'a>,
        depth: u32,
    ) {
        if depth > DEPTH_MAX {
            answer.outcomes.complete = false;
            return;
        }
        match expr {
            Expr::If(choice) => {
                self.answer(&choice.body, scope, answer, depth + 1);
                self.answer(&choice.orelse, scope, answer, depth + 1);
            }
            Expr::List(list) => {
                list.elts.iter().for_each(|elt| self.answer(elt, scope, answer, depth + 1));
            }
            Expr::Tuple(tuple) => {
                tuple.elts.iter().for_each(|elt| self.answer(elt, scope, answer, depth + 1));
            }
            Expr::ListComp(comp) => {
                self.answer(&comp.elt, scope, answer, depth + 1);
            }
            Expr::Call(call) => {
                if !self.control_call(call, scope, answer) {
                    self.known_answer(expr, scope, answer);
                }
            }
            Expr::Name(name) if answer.assigned.contains_key(&name.id) => {
                let values = answer.assigned.remove(&name.id).unwrap_or_default();
                for value in &values {
                    self.answer(value, scope, answer, depth + 1);
                }
                answer.assigned.insert(name.id.clone(), values);
            }
            Expr::Subscript(subscript) => {
                let object = self.expr(&subscript.value, scope);
                match object.entries() {
                    Some(entries) => {
                        for (_, value) in entries {
                            push_target(&value, answer);
                        }
                    }
                    None => self.known_answer(expr, scope, answer),
                }
            }
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(key) = &item.key {
                        let key = self.expr(key, scope);
                        if let Some(name) = key.as_str() {
                            answer.outcomes.updates.push((name.to_string(), key.span.clone()));
                        }
                    }
                }
                answer.outcomes.complete = false;
            }
            _ => self.known_answer(expr, scope, answer),
        }
    }

    fn known_answer(&mut self, expr: &'a Expr, scope: &ScopeRef<'a>, answer: &mut Answer<'a>) {
        // `ROUTES.get(key, default)`: every value of the dict.
        if let Expr::Call(call) = expr
            && let Expr::Attribute(attribute) = &*call.func
            && attribute.attr.as_str() == "get"
            && let Some(entries) = self.expr(&attribute.value, scope).entries()
        {
            entries.iter().for_each(|(_, value)| push_target(value, answer));
            if let Some(default) = call.arguments.args.get(1) {
                let default = self.expr(default, scope);
                push_target(&default, answer);
            }
            return;
        }
        let value = self.expr(expr, scope);
        push_target(&value, answer);
    }

    /// `Send(…)` and `Command(…)`; whether the call is one of them.
    fn control_call(
        &mut self,
        call: &'a ExprCall,
        scope: &ScopeRef<'a>,
        answer: &mut Answer<'a>,
    ) -> bool {
        let callee = self.expr(&call.func, scope);
        let keyword = |name: &str| {
            call.arguments
                .keywords
                .iter()
                .find(|k| k.arg.as_ref().is_some_and(|a| a.as_str() == name))
        };
        match callee.import_of("langgraph") {
            Some("Send") => {
                let node =
                    call.arguments.args.first().or_else(|| keyword("node").map(|k| &k.value));
                if let Some(node) = node {
                    let node = self.expr(node, scope);
                    if let Some(name) = node.as_str() {
                        answer.outcomes.sends.push((name.to_string(), node.span.clone()));
                    }
                }
                true
            }
            Some("Command") => {
                answer.outcomes.makes_command = true;
                // What it writes and where it goes are the parent's.
                if leaves_graph(call) {
                    return true;
                }
                if let Some(update) = keyword("update")
                    && let Expr::Dict(_) = &update.value
                {
                    let complete = answer.outcomes.complete;
                    self.answer(&update.value, scope, answer, 1);
                    answer.outcomes.complete = complete;
                }
                if let Some(goto) = keyword("goto") {
                    let mut inner = Answer {
                        outcomes: Outcomes::default(),
                        assigned: std::mem::take(&mut answer.assigned),
                    };
                    self.answer(&goto.value, scope, &mut inner, 1);
                    answer.assigned = inner.assigned;
                    answer.outcomes.gotos.extend(inner.outcomes.targets);
                    answer.outcomes.sends.extend(inner.outcomes.sends);
                }
                true
            }
            _ => false,
        }
    }

    /// `Literal[...]`, `Command[Literal[...]]`, unions of them, and aliases.
    fn annotation(
        &mut self,
        annotation: &Expr,
        place: &Range<usize>,
        scope: &ScopeRef<'a>,
        outcomes: &mut Outcomes,
        depth: u32,
    ) {
        if depth > DEPTH_MAX {
            return;
        }
        match annotation {
            Expr::StringLiteral(text) => {
                if let Some(inner) = syntax::parse_annotation(text.value.to_str()) {
                    self.annotation(&inner, place, scope, outcomes, depth + 1);
                }
            }
            Expr::BinOp(union) => {
                self.annotation(&union.left, place, scope, outcomes, depth + 1);
                self.annotation(&union.right, place, scope, outcomes, depth + 1);
            }
            Expr::Name(name) => {
                if let Some(Val { abs: Abs::Type(alias), .. }) = self.lookup(&name.id, scope) {
                    self.annotation(alias.expr, place, scope, outcomes, depth + 1);
                }
            }
            Expr::Subscript(subscript) => match type_head(&subscript.value) {
                "Literal" => {
                    let names = self.literal_names(&subscript.slice, place, scope);
                    outcomes.annotated.get_or_insert_with(Vec::new).extend(names);
                }
                "Command" => {
                    let mut inner = Outcomes::default();
                    self.annotation(&subscript.slice, place, scope, &mut inner, depth + 1);
                    let names = inner.annotated.unwrap_or_default();
                    outcomes.commands_annotated.get_or_insert_with(Vec::new).extend(names);
                }
                "Union" | "Optional" | "Annotated" | "list" | "List" | "Sequence" => {
                    match &*subscript.slice {
                        Expr::Tuple(tuple) => {
                            for elt in &tuple.elts {
                                self.annotation(elt, place, scope, outcomes, depth + 1);
                            }
                        }
                        other => self.annotation(other, place, scope, outcomes, depth + 1),
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn literal_names(
        &mut self,
        slice: &Expr,
        place: &Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Vec<Target> {
        let parts: &[Expr] = match slice {
            Expr::Tuple(tuple) => &tuple.elts,
            other => std::slice::from_ref(other),
        };
        let mut names = Vec::new();
        for part in parts {
            match part {
                Expr::StringLiteral(text) => names.push(text.value.to_str().to_string()),
                Expr::Name(name) => {
                    let value = self.lookup(&name.id, scope);
                    let value = value.map(|value| Val {
                        abs: super::expr::constant_of(value.abs),
                        span: value.span,
                    });
                    names.extend(value.and_then(|value| value.as_str().map(str::to_string)));
                }
                // `Literal[*MEMBERS]`
                Expr::Starred(starred) => names.extend(self.texts_of(&starred.value, scope)),
                _ => {}
            }
        }
        names.into_iter().map(|name| (name, place.clone())).collect()
    }

    /// The texts of a list that a name stands for.
    pub(crate) fn texts_of(&self, expr: &Expr, scope: &ScopeRef<'a>) -> Vec<String> {
        let Expr::Name(name) = expr else { return Vec::new() };
        let items = self.lookup(&name.id, scope).and_then(|value| value.items());
        let items = items.unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_string)).collect()
    }
}

/// The last name of a type's path: `Literal` of `typing.Literal`.
pub(crate) fn type_head(expr: &Expr) -> &str {
    match expr {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => "",
    }
}

struct Answer<'a> {
    outcomes: Outcomes,
    /// Values that the function gives its variables.
    assigned: FastMap<Name, Vec<&'a Expr>>,
}

fn push_target(value: &Val<'_>, answer: &mut Answer<'_>) {
    match (value.as_str(), value.items()) {
        (Some(name), _) => answer.outcomes.targets.push((name.to_string(), value.span.clone())),
        (None, Some(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            let names =
                items.iter().filter_map(|i| Some((i.as_str()?.to_string(), i.span.clone())));
            answer.outcomes.targets.extend(names);
        }
        _ if value.is_none() => {}
        _ => answer.outcomes.complete = false,
    }
}

/// What a function's body returns, assigns and calls, without functions inside it.
#[derive(Default)]
struct Body<'a> {
    returns: Vec<&'a Expr>,
    assigned: FastMap<Name, Vec<&'a Expr>>,
    calls: Vec<&'a ExprCall>,
    /// A command leaves for places that stand elsewhere in the body: which of its
    /// `Send`s are the parent's is not known.
    leaves: bool,
}

/// Whether a call is a `Command(graph=Command.PARENT, …)`.
fn leaves_graph(call: &ExprCall) -> bool {
    call.arguments.find_keyword("graph").is_some_and(|keyword| match &keyword.value {
        Expr::Attribute(attribute) => attribute.attr.as_str() == "PARENT",
        Expr::StringLiteral(text) => text.value.to_str() == "__parent__",
        _ => false,
    })
}

impl<'a> Visitor<'a> for Body<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Return(ret) => self.returns.extend(ret.value.as_deref()),
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    match target {
                        Expr::Name(name) => {
                            self.assigned.entry(name.id.clone()).or_default().push(&assign.value);
                        }
                        // Parts of a tuple are not followed, but hide names of the module.
                        other => target_names(other).into_iter().for_each(|name| {
                            self.assigned.entry(name).or_default().push(&assign.value);
                        }),
                    }
                }
            }
            Stmt::AnnAssign(assign) => {
                if let (Expr::Name(name), Some(value)) = (&*assign.target, &assign.value) {
                    self.assigned.entry(name.id.clone()).or_default().push(value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Call(call) if leaves_graph(call) => {
                self.calls.push(call);
                let goto = call.arguments.find_keyword("goto").map(|keyword| &keyword.value);
                self.leaves |= !matches!(
                    goto,
                    None | Some(Expr::StringLiteral(_) | Expr::List(_) | Expr::Call(_))
                );
            }
            Expr::Call(call) => {
                let name = type_head(&call.func);
                if !name.is_empty() {
                    self.calls.push(call);
                }
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
