//! Calls and attributes.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Arguments, Expr, Stmt};
use weaver_core::{FastMap, Value};

use super::builtins::{builtin, dict_method, partial, text_method, timedelta};
use super::tool_node::tool_of;
use super::value::{Abs, CallArgs, ClassRef, FunctionRef, Object, Scope, ScopeRef, Val, snapshot};
use super::{CALLS_MAX, Evaluator, Flow, LIST_MAX, expr};
use crate::{syntax, tools};

/// Longest path of an imported name that is followed.
const PATH_MAX: usize = 300;

impl<'a> Evaluator<'a> {
    /// A chain of attributes and calls, from its head outwards: a builder with a
    /// hundred chained calls is a hundred levels of syntax and one level here.
    pub(super) fn call_chain(&mut self, expr: &'a Expr, scope: &ScopeRef<'a>) -> Val<'a> {
        let mut links = Vec::new();
        let mut head = expr;
        loop {
            links.push(head);
            head = match head {
                Expr::Call(call) => &call.func,
                Expr::Attribute(attribute) => &attribute.value,
                _ => break,
            };
        }
        links.pop();
        let mut value = self.expr(head, scope);
        for link in links.into_iter().rev() {
            let span = self.link_span(link);
            value = match link {
                Expr::Call(call) => {
                    let args = self.arguments(&call.arguments, scope);
                    self.call(&value, args, span, scope)
                }
                Expr::Attribute(attribute) => self.attribute(&value, &attribute.attr.id, span),
                _ => value,
            };
        }
        value
    }

    /// A call in a chain starts at its method's name: what stands before it are
    /// other calls.
    fn link_span(&self, link: &'a Expr) -> Range<usize> {
        let whole = self.span(link);
        match link {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(attribute) if attribute.value.is_call_expr() => {
                    self.span(&attribute.attr).start..whole.end
                }
                _ => whole,
            },
            _ => whole,
        }
    }

    fn arguments(&mut self, arguments: &'a Arguments, scope: &ScopeRef<'a>) -> CallArgs<'a> {
        let mut args = CallArgs::default();
        for arg in &arguments.args {
            match arg {
                Expr::Starred(starred) => match self.expr(&starred.value, scope).items() {
                    Some(items) => args.positional.extend(items),
                    None => args.open = true,
                },
                _ => args.positional.push(self.expr(arg, scope)),
            }
        }
        for keyword in &arguments.keywords {
            let span = self.span(keyword);
            let value = self.expr(&keyword.value, scope);
            match &keyword.arg {
                Some(name) => args.keywords.push((name.id.clone(), value, span)),
                None => match value.entries() {
                    Some(entries) => {
                        for (key, value) in entries {
                            match key.as_str() {
                                Some(key) => {
                                    args.keywords.push((Name::new(key), value, span.clone()))
                                }
                                None => args.open = true,
                            }
                        }
                    }
                    None => args.open = true,
                },
            }
        }
        args
    }

    fn attribute(&mut self, object: &Val<'a>, name: &Name, span: Range<usize>) -> Val<'a> {
        let abs = match &object.abs {
            Abs::Function(_) | Abs::Method(..) | Abs::Lambda(_) | Abs::Class(_)
                if name.as_str() == "__name__" =>
            {
                self.name_of(object).map_or(Abs::Unknown, |name| Abs::Const(Value::from(name)))
            }
            // Only a function that is a tool has these.
            Abs::Function(function) if matches!(name.as_str(), "name" | "description") => {
                let text = match name.as_str() {
                    "name" => Some(tools::name_of(function, self)),
                    _ => syntax::docstring(&function.def.body),
                };
                text.map_or(Abs::Unknown, |text| Abs::Const(Value::from(text)))
            }
            Abs::Import(path) | Abs::Made(path) if path.len() > PATH_MAX => Abs::Unknown,
            Abs::Import(path) => expr::constant_of(Abs::Import(format!("{path}.{name}").into())),
            Abs::Instance(instance) => {
                let field = instance.fields.borrow().get(name).cloned();
                match field.or_else(|| self.class_attribute(instance, name)) {
                    Some(value) => value.abs,
                    None => Abs::Unknown,
                }
            }
            Abs::Unknown | Abs::Attribute(..) => Abs::Unknown,
            _ => Abs::Attribute(Rc::new(object.clone()), name.clone()),
        };
        Val { abs, span }
    }

    /// A method bound to an object, or a constant of its class.
    fn class_attribute(&mut self, object: &Rc<Object<'a>>, name: &Name) -> Option<Val<'a>> {
        let class = &object.class;
        for stmt in &class.class.body {
            match stmt {
                Stmt::FunctionDef(def) if def.name.id == *name => {
                    let function = self.method(class, def);
                    let span = class.base..class.base;
                    return Some(Val { abs: Abs::Method(object.clone(), function), span });
                }
                Stmt::Assign(assign)
                    if assign
                        .targets
                        .iter()
                        .any(|t| matches!(t, Expr::Name(n) if n.id == *name)) =>
                {
                    return Some(self.class_value(class, &assign.value));
                }
                Stmt::AnnAssign(assign) if matches!(&*assign.target, Expr::Name(n) if n.id == *name) =>
                {
                    return assign.value.as_ref().map(|value| self.class_value(class, value));
                }
                _ => {}
            }
        }
        None
    }

    fn class_value(&mut self, class: &ClassRef<'a>, value: &'a Expr) -> Val<'a> {
        let base = std::mem::replace(&mut self.base, class.base);
        let scope = class.scope.clone().unwrap_or_else(|| self.module.clone());
        let value = self.expr(value, &scope);
        self.base = base;
        value
    }

    pub(super) fn method(
        &self,
        class: &ClassRef<'a>,
        def: &'a ruff_python_ast::StmtFunctionDef,
    ) -> FunctionRef<'a> {
        FunctionRef {
            def,
            base: class.base,
            path: format!("{}.{}", class.class.name, def.name).into(),
            scope: class.scope.clone(),
            made_by: None,
            as_tool: None,
        }
    }

    /// Calls a value.
    fn call(
        &mut self,
        callee: &Val<'a>,
        args: CallArgs<'a>,
        span: Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Val<'a> {
        match &callee.abs {
            Abs::Import(path) => {
                let path = path.clone();
                self.call_import(&path, args, span, scope)
            }
            Abs::Attribute(object, name) => {
                let (object, name) = (object.clone(), name.clone());
                self.call_method(&object, &name, args, span, scope)
            }
            Abs::Function(function) => {
                let function = function.clone();
                self.call_function(&function, None, &args, span)
            }
            Abs::Method(object, function) => {
                let (object, function) = (object.clone(), function.clone());
                self.call_function(&function, Some(object), &args, span)
            }
            Abs::Class(class) => {
                let class = class.clone();
                self.instantiate(&class, &args, span)
            }
            _ => Val::unknown(span),
        }
    }

    fn call_import(
        &mut self,
        path: &Rc<str>,
        args: CallArgs<'a>,
        span: Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Val<'a> {
        let last = path.rsplit('.').next().unwrap_or(path);
        let langgraph = path.starts_with("langgraph.");
        let abs = match last {
            "StateGraph" | "MessageGraph" if langgraph => {
                self.new_builder(last, &args, &span, scope)
            }
            "ToolNode" if langgraph => self.tool_node(&args),
            "create_react_agent" if langgraph => self.prebuilt(last, &args, &span, scope),
            "create_agent" if &**path == "langchain.agents.create_agent" => {
                self.prebuilt(last, &args, &span, scope)
            }
            "RetryPolicy" if langgraph => Abs::Retry(Rc::new(self.retry_policy(&args))),
            "TimeoutPolicy" if langgraph => Abs::Timeout(self.timeout_policy(&args)),
            "CachePolicy" if langgraph => Abs::Cache(self.cache_policy(&args)),
            "RunnableLambda" | "RunnableCallable" => match args.positional.first() {
                Some(function) => function.abs.clone(),
                None => Abs::Unknown,
            },
            "partial" if &**path == "functools.partial" => {
                let written = self.source(&span).split('(').next().unwrap_or("partial").trim();
                let text = self.call_text(written, &args);
                partial(&args, &span, text)
            }
            "timedelta" if path.starts_with("datetime.") => timedelta(&args),
            // `tool(f)` where `@tool` could stand.
            "tool" if path.starts_with("langchain") => match args.positional.first() {
                Some(Val { abs: function @ Abs::Function(_), .. }) => function.clone(),
                _ => Abs::Made(path.clone()),
            },
            "from_function" if path.ends_with(".StructuredTool.from_function") => {
                tool_of(args).unwrap_or_else(|| Abs::Made(path.clone()))
            }
            _ if path.starts_with("agentweaver.nodes.") => self.typed_node(last, &args, &span),
            _ if path.starts_with("builtins.") => builtin(last, &args, &span),
            _ => Abs::Made(path.clone()),
        };
        Val { abs, span }
    }

    fn call_method(
        &mut self,
        object: &Val<'a>,
        name: &Name,
        args: CallArgs<'a>,
        span: Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Val<'a> {
        match &object.abs {
            Abs::Builder(index) => self.builder_method(*index, name, &args, span, scope),
            Abs::ToolNode(_) if name.as_str() == "with_fallbacks" => {
                Val { abs: self.tool_node_with_fallbacks(&object.abs, &args), span }
            }
            // A failed call of a tool is the business of the node's own settings.
            Abs::ToolNode(_) if name.starts_with("with_") => Val { abs: object.abs.clone(), span },
            // `.with_config(…)` and its kind give the same graph.
            Abs::Compiled(..) if name.starts_with("with_") => {
                self.touched = true;
                Val { abs: object.abs.clone(), span }
            }
            Abs::Function(_) | Abs::Lambda(_) if name.starts_with("with_") => {
                Val { abs: object.abs.clone(), span }
            }
            Abs::List(items) => {
                if let (Some(item), "append" | "add") = (args.positional.first(), name.as_str()) {
                    let item = snapshot(item);
                    items.borrow_mut().push(item);
                } else if name.as_str() == "extend"
                    && let Some(more) = args.positional.first().and_then(Val::items)
                {
                    let mut items = items.borrow_mut();
                    if items.len() + more.len() <= LIST_MAX {
                        items.extend(more);
                    }
                }
                Val { abs: Abs::Const(Value::Null), span }
            }
            Abs::Dict(entries) => dict_method(&entries.borrow(), name, &args, span),
            Abs::Const(Value::Str(text)) => Val { abs: text_method(text, name, &args), span },
            Abs::Made(_) if name.as_str() == "bind_tools" => {
                let tools = args.get(0, "tools").and_then(Val::items).unwrap_or_default();
                self.remember_tools(&tools);
                Val { abs: object.abs.clone(), span }
            }
            Abs::Made(path) => Val { abs: Abs::Made(format!("{path}().{name}").into()), span },
            _ => Val::unknown(span),
        }
    }

    /// Reads a function's body with its parameters bound. The same function with
    /// the same arguments is read once.
    pub(super) fn call_function(
        &mut self,
        function: &FunctionRef<'a>,
        object: Option<Rc<Object<'a>>>,
        args: &CallArgs<'a>,
        span: Range<usize>,
    ) -> Val<'a> {
        let key =
            (function.base + usize::from(function.def.range.start()), call_key(args, &object));
        if let Some(known) = self.memo.get(&key) {
            let known = known.clone();
            self.touched |= matches!(known.abs, Abs::Builder(_) | Abs::Compiled(..));
            return known;
        }
        if self.calls >= CALLS_MAX {
            return Val::unknown(span);
        }
        self.entered.insert(key.0);
        let maker = match (&object, function.def.name.as_str()) {
            (Some(object), "__init__") => Rc::from(object.class.class.name.as_str()),
            _ => function.path.clone(),
        };
        let scope: ScopeRef<'a> = Rc::new(Scope {
            names: RefCell::default(),
            parent: function.scope.clone(),
            path: Some(function.path.clone()),
            maker: Some(maker),
        });
        self.scopes.push(scope.clone());
        self.bind_parameters(function, object, args, &scope);
        let base = std::mem::replace(&mut self.base, function.base);
        let depth = std::mem::replace(&mut self.depth, 0);
        let undecided = self.undecided.take();
        let touched = std::mem::take(&mut self.touched);
        self.calls += 1;
        let flow = self.block(&function.def.body, &scope);
        self.calls -= 1;
        self.undecided = undecided;
        self.depth = depth;
        self.base = base;
        let mut result = match flow {
            Flow::Return(value) => Val { abs: value.abs, span },
            _ => Val { abs: Abs::Const(Value::Null), span },
        };
        if let Abs::Function(made) = &mut result.abs
            && made.scope.is_some()
            && function.scope.is_none()
        {
            made.made_by = self.call_text(&function.path, args).map(Rc::from);
        }
        self.touched = touched
            || matches!(result.abs, Abs::Builder(_) | Abs::Compiled(..))
            || args.positional.iter().any(|arg| matches!(arg.abs, Abs::Builder(_)));
        self.memo.insert(key, result.clone());
        result
    }

    fn bind_parameters(
        &mut self,
        function: &FunctionRef<'a>,
        object: Option<Rc<Object<'a>>>,
        args: &CallArgs<'a>,
        scope: &ScopeRef<'a>,
    ) {
        let parameters = &function.def.parameters;
        let mut positional = args.positional.iter();
        let mut receiver = object;
        let span = function.base..function.base;
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            let name = parameter.name();
            let value = match receiver.take() {
                Some(object) => Some(Val { abs: Abs::Instance(object), span: span.clone() }),
                None => positional.next().or_else(|| args.keyword(name.as_str())).cloned(),
            };
            let value = value.or_else(|| self.default_of(function, parameter.default(), args));
            self.bind(&name.id, value.unwrap_or_else(|| Val::unknown(span.clone())), scope);
        }
        for parameter in &parameters.kwonlyargs {
            let name = parameter.name();
            let value = args.keyword(name.as_str()).cloned();
            let value = value.or_else(|| self.default_of(function, parameter.default(), args));
            self.bind(&name.id, value.unwrap_or_else(|| Val::unknown(span.clone())), scope);
        }
        for parameter in parameters.vararg.iter().chain(&parameters.kwarg) {
            self.bind(&parameter.name.id, Val::unknown(span.clone()), scope);
        }
    }

    fn default_of(
        &mut self,
        function: &FunctionRef<'a>,
        default: Option<&'a Expr>,
        args: &CallArgs<'a>,
    ) -> Option<Val<'a>> {
        if args.open {
            return None;
        }
        let scope = function.scope.clone().unwrap_or_else(|| self.module.clone());
        let base = std::mem::replace(&mut self.base, function.base);
        let value = default.map(|default| self.expr(default, &scope));
        self.base = base;
        value
    }

    fn instantiate(
        &mut self,
        class: &ClassRef<'a>,
        args: &CallArgs<'a>,
        span: Range<usize>,
    ) -> Val<'a> {
        let object = Rc::new(Object {
            class: class.clone(),
            fields: RefCell::new(FastMap::default()),
            variable: RefCell::new(None),
            text: match class.scope {
                None => self.call_text(class.class.name.as_str(), args),
                Some(_) => None,
            },
        });
        self.objects.push(object.clone());
        let init = class.class.body.iter().find_map(|stmt| match stmt {
            Stmt::FunctionDef(def) if def.name.as_str() == "__init__" => Some(def),
            _ => None,
        });
        let touched = self.touched;
        if let Some(init) = init {
            let function = self.method(class, init);
            self.call_function(&function, Some(object.clone()), args, span.clone());
        }
        // Making the object is needed to run its methods, whatever `__init__` builds.
        self.touched = touched;
        Val { abs: Abs::Instance(object), span }
    }

    /// Reads the methods of a class that build graphs and that nothing has called.
    pub(super) fn enter_class(&mut self, class: &ClassRef<'a>) {
        let mut object = None;
        for stmt in &class.class.body {
            let Stmt::FunctionDef(def) = stmt else { continue };
            let function = self.method(class, def);
            let at = class.base + usize::from(def.range.start());
            let text = self.source(&(at..class.base + usize::from(def.range.end())));
            if self.entered.contains(&at) || !mentions_graph(text) {
                continue;
            }
            let span = at..at;
            let receiver = match &object {
                Some(object) => Rc::clone(object),
                None => {
                    let open = CallArgs { open: true, ..CallArgs::default() };
                    match self.instantiate(class, &open, span.clone()).abs {
                        Abs::Instance(made) => {
                            object = Some(made.clone());
                            made
                        }
                        _ => return,
                    }
                }
            };
            if !self.entered.contains(&at) {
                let open = CallArgs { open: true, ..CallArgs::default() };
                self.call_function(&function, Some(receiver), &open, span);
            }
        }
    }
}

fn mentions_graph(text: &str) -> bool {
    ["StateGraph", "MessageGraph", "add_node", "add_edge"].iter().any(|word| text.contains(word))
}

/// Tells calls with different arguments apart.
fn call_key<'a>(args: &CallArgs<'a>, object: &Option<Rc<Object<'a>>>) -> String {
    let mut key = String::new();
    if let Some(object) = object {
        key.push_str(&format!("{:p};", Rc::as_ptr(object)));
    }
    for value in &args.positional {
        push_key(value, &mut key);
    }
    for (name, value, _) in &args.keywords {
        key.push_str(name);
        key.push('=');
        push_key(value, &mut key);
    }
    key
}

fn push_key(value: &Val<'_>, key: &mut String) {
    match (&value.abs, value.to_value()) {
        (Abs::Builder(index), _) => key.push_str(&format!("builder{index}")),
        (Abs::Compiled(index, _), _) => key.push_str(&format!("graph{index}")),
        (_, Some(known)) => key.push_str(&known.to_json()),
        _ => key.push('?'),
    }
    key.push(';');
}
