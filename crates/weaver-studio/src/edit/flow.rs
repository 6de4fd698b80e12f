//! A scope gone through: which of its values have the keys of the state, and where it
//! names one of them.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    CmpOp, Expr, ExprCall, ExprContext, InterpolatedStringElement, Keyword, Operator, Parameters,
    Stmt,
};

use super::keys::{Callee, Handed, Question, Scope, Uses};
use super::tree::Tree;
use crate::eval::outcome::type_head;
use crate::syntax::range_of;

/// Functions to which a state may be handed: what they do with it names no key.
const HARMLESS: [&str; 8] = ["print", "len", "bool", "isinstance", "type", "id", "repr", "str"];
/// Functions and methods that give the same keys again.
const COPIES: [&str; 4] = ["dict", "copy", "deepcopy", "model_copy"];
/// Methods that run a compiled graph with an input.
const RUNS: [&str; 6] =
    ["invoke", "ainvoke", "stream", "astream", "astream_events", "stream_events"];
/// Those of them that answer with a state.
const ANSWERS: [&str; 2] = ["invoke", "ainvoke"];

/// One scope as it is gone through.
pub(super) struct Flow<'t, 'a, 'q> {
    tree: &'t Tree<'a>,
    question: Question<'q>,
    /// Variables whose keys are those of the state.
    keyed: BTreeSet<String>,
    /// Variables that the scope gives values.
    own: BTreeSet<String>,
    /// Starts of dicts that were looked at as values with the keys.
    displays: BTreeSet<usize>,
    pub uses: Uses<'a>,
}

impl<'t, 'a, 'q> Flow<'t, 'a, 'q> {
    pub fn new(tree: &'t Tree<'a>, question: Question<'q>, keyed: BTreeSet<String>) -> Self {
        let (own, displays) = (BTreeSet::new(), BTreeSet::new());
        Flow { tree, question, keyed, own, displays, uses: Uses::default() }
    }

    /// Finds the variables that have the keys, forwards and backwards, and looks at what
    /// is assigned to them.
    pub fn spread(&mut self, scope: &Scope<'a>, answers: bool) {
        self.own.extend(scope.assigned.iter().map(|(name, _)| name.to_string()));
        loop {
            let known = self.keyed.len();
            if answers {
                scope.returned.iter().for_each(|answer| self.value(answer));
            }
            for (name, value) in &scope.assigned {
                if self.keyed.contains(*name) {
                    self.value(value);
                } else if self.has_keys(value) {
                    self.keyed.insert((*name).to_string());
                }
            }
            if self.keyed.len() == known {
                return;
            }
        }
    }

    /// Looks into an expression whose value may have the keys, as a whole.
    pub fn whole(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if self.is_keyed(&name.id) => {}
            Expr::Await(awaited) => self.whole(&awaited.value),
            Expr::Call(call) => self.visit_call(call),
            _ => self.visit_expr(expr),
        }
    }

    /// Whether a value surely has the keys of one that is known to have them.
    fn has_keys(&self, value: &Expr) -> bool {
        match value {
            Expr::Name(name) => self.is_keyed(&name.id),
            Expr::Await(awaited) => self.has_keys(&awaited.value),
            Expr::BinOp(both) if both.op == Operator::BitOr => {
                self.has_keys(&both.left) || self.has_keys(&both.right)
            }
            Expr::Dict(dict) => {
                dict.items.iter().any(|item| item.key.is_none() && self.has_keys(&item.value))
            }
            Expr::Call(call) => {
                let class = call.func.as_name_expr();
                let is_class = class.is_some_and(|name| self.is_class(&name.id));
                let is_copy = COPIES.contains(&type_head(&call.func))
                    && (call.arguments.args.first().is_some_and(|first| self.has_keys(first))
                        || receiver(call).is_some_and(|from| self.has_keys(from)));
                is_class || is_copy || self.is_run(call, &ANSWERS)
            }
            _ => false,
        }
    }

    /// Looks at an expression whose value has the keys of the state.
    pub fn value(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if self.is_keyed(&name.id) || self.tree.is_end(&name.id) => {}
            Expr::Name(name) => {
                let constant =
                    self.tree.constant(&name.id).filter(|_| !self.own.contains(name.id.as_str()));
                match constant {
                    Some(dict) if dict.is_dict_expr() && self.tree.loads(&name.id) == 1 => {
                        self.value(dict);
                    }
                    Some(_) => self.unknown(expr),
                    None => drop(self.keyed.insert(name.id.to_string())),
                }
            }
            Expr::Dict(dict) => {
                if !self.displays.insert(range_of(expr).start) {
                    return;
                }
                for item in &dict.items {
                    match &item.key {
                        Some(key) => self.key(key),
                        None => self.value(&item.value),
                    }
                }
            }
            Expr::Call(call) => self.called_value(expr, call),
            Expr::If(choice) => {
                self.value(&choice.body);
                self.value(&choice.orelse);
            }
            Expr::BoolOp(any) => any.values.iter().for_each(|value| self.value(value)),
            Expr::BinOp(both) if matches!(both.op, Operator::BitOr | Operator::Add) => {
                self.value(&both.left);
                self.value(&both.right);
            }
            Expr::Await(awaited) => self.value(&awaited.value),
            // Several commands or sends.
            Expr::List(list) => list.elts.iter().for_each(|item| self.value(item)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| self.value(item)),
            Expr::ListComp(all) => self.value(&all.elt),
            Expr::NoneLiteral(_) | Expr::StringLiteral(_) | Expr::BooleanLiteral(_) => {}
            _ => self.unknown(expr),
        }
    }

    fn called_value(&mut self, expr: &'a Expr, call: &'a ExprCall) {
        let head = type_head(&call.func);
        match &*call.func {
            // Their updates are looked at wherever they stand.
            _ if matches!(head, "Command" | "Send") => {}
            Expr::Name(name) if name.id.as_str() == "dict" => {
                call.arguments.args.iter().for_each(|from| self.value(from));
                self.keywords(&call.arguments.keywords);
            }
            _ if self.has_keys(expr) => {}
            _ => match self.callee(call) {
                Some(callee) => self.uses.answered.push((callee, range_of(expr))),
                None => self.unknown(expr),
            },
        }
    }

    fn unknown(&mut self, expr: &Expr) {
        let code = self.tree.source(range_of(expr)).lines().next().unwrap_or_default();
        self.stop(expr, format!("which keys `{code}` has is only known when it runs"));
    }

    /// One key of a value: a text, or a constant.
    fn key(&mut self, key: &'a Expr) {
        match self.tree.text_of(key) {
            Some(text) if text == self.question.key => {
                let start = range_of(key).start;
                if !self.uses.keys.iter().any(|known| range_of(*known).start == start) {
                    self.uses.keys.push(key);
                }
            }
            Some(text) if text == self.question.to => {
                self.stop(key, format!("`{text}` is a key here already"));
            }
            Some(_) => {}
            None => {
                let code = self.tree.source(range_of(key));
                self.stop(key, format!("which key `{code}` is, is only known when it runs"));
            }
        }
    }

    /// An attribute or keyword that is a key.
    fn name(&mut self, name: &str, place: Range<usize>) {
        if name == self.question.key {
            if !self.uses.names.contains(&place) {
                self.uses.names.push(place);
            }
        } else if name == self.question.to && self.uses.obstacle.is_none() {
            self.uses.obstacle = Some((place, format!("`{name}` is a key here already")));
        }
    }

    fn keywords(&mut self, keywords: &'a [Keyword]) {
        for keyword in keywords {
            match &keyword.arg {
                Some(name) => self.name(name.as_str(), range_of(name)),
                None => self.value(&keyword.value),
            }
        }
    }

    fn stop(&mut self, place: &Expr, reason: String) {
        self.uses.obstacle.get_or_insert((range_of(place), reason));
    }

    fn is_keyed(&self, name: &str) -> bool {
        self.keyed.contains(name)
    }

    fn is_class(&self, name: &str) -> bool {
        self.question.classes.contains(name)
    }

    fn is_run(&self, call: &ExprCall, methods: &[&str]) -> bool {
        let graph = receiver(call).and_then(Expr::as_name_expr);
        graph.is_some_and(|name| self.question.compiled.contains(name.id.as_str()))
            && methods.contains(&type_head(&call.func))
    }

    fn callee(&self, call: &'a ExprCall) -> Option<Callee<'a>> {
        match &*call.func {
            Expr::Name(name) => Some(Callee::Function(name.id.as_str())),
            Expr::Attribute(method) => {
                let receiver = method.value.as_name_expr()?;
                let own = matches!(receiver.id.as_str(), "self" | "cls");
                own.then_some(Callee::Method(method.attr.as_str()))
            }
            _ => None,
        }
    }

    /// A function inside this one must not give a variable another meaning.
    fn check_parameters(&mut self, parameters: &Parameters) {
        for parameter in parameters {
            if self.is_keyed(parameter.name().as_str()) {
                let reason = format!("`{}` gets another meaning", parameter.name());
                self.uses.obstacle.get_or_insert((range_of(parameter.name()), reason));
            }
        }
    }

    fn visit_call(&mut self, call: &'a ExprCall) {
        let arguments = &call.arguments;
        let given = |position: usize, name: &str| {
            let keyword = arguments.find_keyword(name).map(|keyword| &keyword.value);
            keyword.or_else(|| arguments.args.get(position))
        };
        match type_head(&call.func) {
            "Send" => given(1, "arg").into_iter().for_each(|sent| self.value(sent)),
            "Command" => given(1, "update").into_iter().for_each(|update| self.value(update)),
            head if self.is_class(head) => self.keywords(&arguments.keywords),
            _ => {}
        }
        if self.is_run(call, &RUNS) {
            self.uses.runs = true;
            given(0, "input").into_iter().for_each(|input| self.value(input));
        } else if self.is_run(call, &["update_state", "aupdate_state"]) {
            self.uses.runs = true;
            given(1, "values").into_iter().for_each(|values| self.value(values));
        }
        if let Some(from) = receiver(call).filter(|from| self.has_keys(from)) {
            self.visit_method(call, from);
        } else {
            self.visit_expr(&call.func);
        }
        let takes_keys = self.takes_keys(call);
        for (position, argument) in arguments.args.iter().enumerate() {
            self.visit_argument(call, argument, Handed::Position(position), takes_keys);
        }
        for keyword in &arguments.keywords {
            match &keyword.arg {
                Some(name) => {
                    let handed = Handed::Keyword(name.as_str());
                    self.visit_argument(call, &keyword.value, handed, takes_keys);
                }
                None if takes_keys => self.whole(&keyword.value),
                None => self.visit_expr(&keyword.value),
            }
        }
    }

    /// Whether a call may get values with the keys without a look at what it does.
    fn takes_keys(&self, call: &ExprCall) -> bool {
        let head = type_head(&call.func);
        let is_known = HARMLESS.contains(&head) || COPIES.contains(&head);
        is_known
            || matches!(head, "Send" | "Command" | "update")
            || self.is_class(head)
            || self.is_run(call, &RUNS)
            || self.is_run(call, &["update_state", "aupdate_state"])
    }

    fn visit_argument(
        &mut self,
        call: &'a ExprCall,
        argument: &'a Expr,
        handed: Handed<'a>,
        takes_keys: bool,
    ) {
        match (argument, self.callee(call)) {
            _ if takes_keys => self.whole(argument),
            (Expr::Name(name), Some(callee)) if self.is_keyed(&name.id) => {
                self.uses.handed.push((callee, handed, range_of(argument)));
            }
            _ => self.visit_expr(argument),
        }
    }

    /// A method of a value with the keys.
    fn visit_method(&mut self, call: &'a ExprCall, from: &'a Expr) {
        self.whole(from);
        let first = call.arguments.args.first();
        match (type_head(&call.func), first) {
            ("get" | "pop" | "setdefault", Some(key)) => self.key(key),
            ("update", _) => {
                first.into_iter().for_each(|update| self.value(update));
                self.keywords(&call.arguments.keywords);
            }
            ("model_copy", _) => {
                let update = call.arguments.find_keyword("update");
                update.into_iter().for_each(|update| self.value(&update.value));
            }
            ("copy" | "values", _) => {}
            _ => {
                let code = self.tree.source(range_of(call));
                let place = range_of(call);
                let reason = format!("`{code}` does not say which keys it means");
                self.uses.obstacle.get_or_insert((place, reason));
            }
        }
    }
}

/// What stands before the dot of a call.
fn receiver(call: &ExprCall) -> Option<&Expr> {
    Some(&*call.func.as_attribute_expr()?.value)
}

impl<'a> Visitor<'a> for Flow<'_, 'a, '_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let is_plain = |flow: &Self, target: &Expr| match target {
            Expr::Name(name) => flow.is_keyed(&name.id),
            _ => false,
        };
        match stmt {
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    if !is_plain(self, target) {
                        self.visit_expr(target);
                    }
                }
                match assign.targets.iter().any(|target| is_plain(self, target)) {
                    true => self.whole(&assign.value),
                    false => self.visit_expr(&assign.value),
                }
            }
            Stmt::AnnAssign(assign) if is_plain(self, &assign.target) => {
                assign.value.iter().for_each(|value| self.whole(value));
            }
            Stmt::AugAssign(assign) if is_plain(self, &assign.target) => {
                self.whole(&assign.value);
            }
            Stmt::Return(answer) => answer.value.iter().for_each(|value| self.whole(value)),
            Stmt::Expr(statement) => self.whole(&statement.value),
            Stmt::FunctionDef(def) => {
                self.check_parameters(&def.parameters);
                visitor::walk_stmt(self, stmt);
            }
            Stmt::If(choice) => {
                self.whole(&choice.test);
                choice.body.iter().for_each(|stmt| self.visit_stmt(stmt));
                choice.elif_else_clauses.iter().for_each(|rest| self.visit_elif_else_clause(rest));
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if self.is_keyed(&name.id) => {
                let reason = match name.ctx {
                    ExprContext::Load => format!("`{}` is handed on as a whole", name.id),
                    _ => format!("`{}` gets another meaning", name.id),
                };
                self.stop(expr, reason);
            }
            Expr::Subscript(read) if self.has_keys(&read.value) => {
                self.whole(&read.value);
                self.key(&read.slice);
            }
            Expr::Attribute(read) if self.has_keys(&read.value) => {
                self.whole(&read.value);
                if self.question.has_attributes {
                    self.name(read.attr.as_str(), range_of(&read.attr));
                }
            }
            Expr::Compare(compare) => {
                for (at, operand) in compare.operands.iter().enumerate() {
                    let op = compare.ops.get(at);
                    let next = compare.operands.get(at + 1).is_some_and(|n| self.has_keys(n));
                    match op {
                        Some(CmpOp::In | CmpOp::NotIn) if next => self.key(operand),
                        _ => self.whole(operand),
                    }
                }
            }
            Expr::Dict(dict) if self.displays.contains(&range_of(expr).start) => {
                for item in &dict.items {
                    item.key.iter().for_each(|key| self.visit_expr(key));
                    match item.key {
                        Some(_) => self.visit_expr(&item.value),
                        None => self.whole(&item.value),
                    }
                }
            }
            Expr::BinOp(both) if both.op == Operator::BitOr && self.has_keys(expr) => {
                for side in [&*both.left, &*both.right] {
                    self.value(side);
                    self.whole(side);
                }
            }
            Expr::UnaryOp(not) if self.has_keys(&not.operand) => {}
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|all| self.check_parameters(all));
                self.visit_expr(&lambda.body);
            }
            Expr::Call(call) => {
                if self.has_keys(expr) {
                    let code = self.tree.source(range_of(expr));
                    self.stop(expr, format!("`{code}` is handed on as a whole"));
                }
                self.visit_call(call);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }

    /// In a text between others the whole state is for people.
    fn visit_interpolated_string_element(&mut self, element: &'a InterpolatedStringElement) {
        match element {
            InterpolatedStringElement::Interpolation(part) => self.whole(&part.expression),
            InterpolatedStringElement::Literal(_) => {}
        }
    }
}
