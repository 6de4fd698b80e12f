//! Prebuilt agents (`create_react_agent`, `create_agent`) as the graph that they
//! stand for: a node that calls the model, a `ToolNode`, hooks around the model,
//! a last node that asks for structured output.

use std::ops::Range;
use std::rc::Rc;

use ruff_python_ast::Expr;
use weaver_core::Value;
use weaver_core::spec::{END, EdgeKind, START};

use super::Evaluator;
use super::function::{Callable, FunctionDraft, FunctionExpression};
use super::graph::{BranchDraft, DeciderDraft, NodeAction, NodeDraft};
use super::outcome::type_head;
use super::value::{Abs, CallArgs, FunctionRef, ScopeRef, Val};
use crate::syntax;

/// What the texts of nodes call names of the host that the file need
/// not import: the local name, its module, its name there.
pub(crate) const HOST_NAMES: [(&str, &str, &str); 5] = [
    ("_init_chat_model", "langchain.chat_models", "init_chat_model"),
    ("_agent_messages", "langgraph.prebuilt", "_agent_messages"),
    ("_agent_turn", "langgraph.prebuilt", "_agent_turn"),
    ("_agent_after_tools", "langgraph.prebuilt", "_agent_after_tools"),
    ("_tools_or_fallbacks", "langgraph.prebuilt", "_tools_or_fallbacks"),
];

/// Arguments that mean the same here, of both makers.
const ARGUMENTS: [&str; 13] = [
    "model",
    "tools",
    "response_format",
    "state_schema",
    "context_schema",
    "checkpointer",
    "store",
    "name",
    "version",
    "debug",
    "cache",
    "interrupt_before",
    "interrupt_after",
];
const REACT_ARGUMENTS: [&str; 3] = ["prompt", "pre_model_hook", "post_model_hook"];
const AGENT_ARGUMENTS: [&str; 2] = ["system_prompt", "middleware"];

/// The node of `create_react_agent` that calls the model.
const REACT_NODE: &str = "agent";
const GENERATE: &str = "generate_structured_response";
/// What a function that is no node of its own may be given by name.
const FILLED: [&str; 4] = ["config", "runtime", "store", "writer"];

/// A prebuilt agent, read out of its arguments. All texts mean the same at the
/// end of the module.
struct Agent<'a> {
    /// What makes it, as its nodes are shown.
    maker: String,
    /// The name of the node that calls the model.
    node: &'static str,
    /// The node's function.
    turn: Text,
    tools: Vec<Val<'a>>,
    /// Each call of a tool is a task of its own; before `version="v2"` a turn's calls were one.
    task_per_call: bool,
    /// Tools whose result ends the run.
    direct: Vec<String>,
    pre_hook: Option<Val<'a>>,
    post_hook: Option<Val<'a>>,
    /// The function of the node that asks for structured output.
    generate: Option<Text>,
    /// It writes `structured_response`.
    structured: bool,
}

/// A lambda's text, and what it is given beside the state.
struct Text {
    text: String,
    fills: Vec<String>,
}

impl<'a> Evaluator<'a> {
    /// The compiled graph of a prebuilt agent; a problem where it cannot be read.
    pub(super) fn prebuilt(
        &mut self,
        maker: &str,
        args: &CallArgs<'a>,
        span: &Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        if self.frozen {
            return Abs::Unknown;
        }
        let in_module = Rc::ptr_eq(scope, &self.module);
        match (Reader { evaluator: self, args, in_module }).agent(maker) {
            Ok(agent) => self.agent_graph(agent, args, span, scope),
            Err(why) => {
                let message = format!("`{maker}` cannot be read as a graph: {why}");
                let help = "write its two nodes: a function that calls the model, and \
                            `ToolNode(tools)`, with `tools_condition` between them";
                if !self.is_broken(span) {
                    self.problems.error("needs_worker", span, message, help);
                }
                Abs::Unknown
            }
        }
    }

    fn agent_graph(
        &mut self,
        agent: Agent<'a>,
        args: &CallArgs<'a>,
        span: &Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        let own_state = args.keyword("state_schema").filter(|schema| match &schema.abs {
            Abs::Import(path) => !path.ends_with(".AgentState"),
            _ => !schema.is_none(),
        });
        let context = args.keywords.iter().filter(|(name, ..)| name == "context_schema").cloned();
        let given = CallArgs {
            positional: own_state.cloned().into_iter().collect(),
            keywords: context.collect(),
            open: false,
        };
        let class = if own_state.is_some() { "StateGraph" } else { "MessageGraph" };
        let Abs::Builder(index) = self.new_builder(class, &given, span, scope) else {
            return Abs::Unknown;
        };
        if agent.structured {
            self.builders[index].more_keys.push("structured_response");
        }
        if agent.pre_hook.is_some() {
            self.builders[index].more_keys.push("llm_input_messages");
        }
        self.agent_nodes(index, &agent, span);
        self.agent_edges(index, &agent, span);
        let compile = CallArgs { keywords: args.keywords.clone(), ..CallArgs::default() };
        self.compile(index, &compile, span.clone()).abs
    }

    fn agent_nodes(&mut self, index: usize, agent: &Agent<'a>, span: &Range<usize>) {
        if let Some(hook) = &agent.pre_hook {
            self.agent_node(index, "pre_model_hook", hook, span);
        }
        let action = self.agent_function(agent.node, &agent.turn, &agent.maker, span);
        self.push_agent_node(index, agent.node, action, span);
        if !agent.tools.is_empty() {
            let tools = Val::list(agent.tools.clone(), span.clone());
            let tools = CallArgs { positional: vec![tools], ..CallArgs::default() };
            if let Abs::ToolNode(node) = self.tool_node(&tools) {
                self.push_agent_node(index, "tools", NodeAction::ToolNode(node), span);
            }
        }
        if let Some(hook) = &agent.post_hook {
            self.agent_node(index, "post_model_hook", hook, span);
        }
        if let Some(text) = &agent.generate {
            let action = self.agent_function(GENERATE, text, &agent.maker, span);
            self.push_agent_node(index, GENERATE, action, span);
        }
    }

    fn agent_edges(&mut self, index: usize, agent: &Agent<'a>, span: &Range<usize>) {
        let mut edge = |from: &str, to: &str| {
            let (from, to) = (Val::str(from, span.clone()), Val::str(to, span.clone()));
            self.connect(index, &from, Some(&to), EdgeKind::Plain, None, span);
        };
        let entry = if agent.pre_hook.is_some() { "pre_model_hook" } else { agent.node };
        let end = if agent.generate.is_some() { GENERATE } else { END };
        edge(START, entry);
        if entry != agent.node {
            edge(entry, agent.node);
        }
        let mut last = agent.node;
        if agent.post_hook.is_some() {
            edge(last, "post_model_hook");
            last = "post_model_hook";
        }
        if end != END {
            edge(GENERATE, END);
        }
        if agent.tools.is_empty() {
            return edge(last, end);
        }
        if agent.direct.is_empty() {
            edge("tools", entry);
        } else {
            let names: Vec<Value> = agent.direct.iter().map(|name| Value::str(&**name)).collect();
            let names = Value::list(names).to_json();
            let all = if agent.node == REACT_NODE { "False" } else { "True" };
            let text =
                format!("lambda state: _agent_after_tools(state, {names}, {all}, \"{entry}\")");
            self.agent_branch(index, "tools", text, &[(entry, entry), (END, END)], span);
        }
        let answered = agent.post_hook.is_some().then(|| entry.to_string());
        let mut routes = vec![("tools", "tools")];
        routes.extend(answered.is_some().then_some((entry, entry)));
        routes.push((END, end));
        let routes = routes.into_iter();
        let routes = routes.map(|(key, to)| (Value::str(key), to.to_string(), span.clone()));
        let (name, decider) = match agent.task_per_call || answered.is_some() {
            true => ("tool_calls", DeciderDraft::ToolCalls { answered }),
            false => ("tools_condition", DeciderDraft::ToolsCondition),
        };
        self.builders[index].branches.push(BranchDraft {
            source: last.into(),
            name: name.into(),
            decider,
            path_map: Some(routes.collect()),
            span: span.clone(),
        });
    }

    fn agent_branch(
        &mut self,
        index: usize,
        source: &str,
        text: String,
        routes: &[(&str, &str)],
        span: &Range<usize>,
    ) {
        let text = Text { text, fills: Vec::new() };
        let action = self.agent_function("route", &text, "", span);
        let NodeAction::Function { id, callable, .. } = action else { return };
        let routes = routes.iter().map(|(key, to)| (Value::str(*key), (*to).into(), span.clone()));
        self.builders[index].branches.push(BranchDraft {
            source: source.into(),
            name: "route".into(),
            decider: DeciderDraft::Function { id, callable },
            path_map: Some(routes.collect()),
            span: span.clone(),
        });
    }

    /// A part of the agent that runs a text.
    fn agent_function(
        &mut self,
        name: &'static str,
        text: &Text,
        maker: &str,
        span: &Range<usize>,
    ) -> NodeAction<'a> {
        let draft = FunctionDraft {
            id: self.place_id(name, span.start),
            callable: Callable::Prebuilt { name, fills: text.fills.clone() },
            span: span.clone(),
            expression: Some(FunctionExpression::Text(text.text.clone())),
        };
        let (id, callable) = self.remember(draft);
        NodeAction::Function { id, written: maker.to_string(), callable }
    }

    /// A node of the agent that runs a value of the file.
    fn agent_node(&mut self, index: usize, name: &str, value: &Val<'a>, span: &Range<usize>) {
        let action = self.action(value);
        if let NodeAction::Dynamic(reason) = &action {
            let reason = format!("what runs node `{name}`: {reason}");
            self.dynamic(index, span.clone(), &reason);
        }
        self.push_agent_node(index, name, action, span);
    }

    fn push_agent_node(
        &mut self,
        index: usize,
        name: &str,
        action: NodeAction<'a>,
        span: &Range<usize>,
    ) {
        self.builders[index].nodes.push(NodeDraft {
            name: name.to_string(),
            name_span: span.clone(),
            span: span.clone(),
            action,
            input_schema: None,
            defer: false,
            policies: Default::default(),
            metadata: Value::Null,
            destinations: Vec::new(),
        });
    }
}

/// Reads the arguments of a prebuilt agent.
struct Reader<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    args: &'e CallArgs<'a>,
    /// It is made in the module: what is written there means the same at its end.
    in_module: bool,
}

impl<'a> Reader<'_, 'a> {
    fn agent(&self, maker: &str) -> Result<Agent<'a>, String> {
        self.known_arguments(maker)?;
        let is_react = maker == "create_react_agent";
        let tools = self.tools()?;
        let (model, mut fills) = self.model(is_react)?;
        let bound = match self.given(1, "tools").filter(|_| !tools.is_empty()) {
            // A model that a function chooses comes with its tools.
            Some(list) if fills.is_empty() => {
                format!("{model}.bind_tools({})", self.list_text(list, &tools)?)
            }
            _ => model.clone(),
        };
        let messages = self.messages(&mut fills)?;
        let name = match self.given(usize::MAX, "name").and_then(Val::as_str) {
            Some(name) => Value::str(name).to_json(),
            None => "None".into(),
        };
        let (schema, prompt) = self.response_format()?;
        let in_turn = schema.as_deref().filter(|_| !is_react).unwrap_or("None");
        let turn = format!("_agent_turn({bound}, {messages}, {name}, {in_turn})");
        let generate = schema.as_ref().filter(|_| is_react).map(|schema| {
            let messages = format!("_agent_messages(state, {prompt}, True)");
            let asked = format!("{model}.with_structured_output({schema})");
            let text = format!("{{\"structured_response\": {asked}.invoke({messages})}}");
            lambda(&text, &fills)
        });
        Ok(Agent {
            maker: maker.to_string(),
            node: if is_react { REACT_NODE } else { "model" },
            turn: lambda(&turn, &fills),
            direct: tools.iter().filter_map(returns_directly).collect(),
            tools,
            task_per_call: self.given(usize::MAX, "version").and_then(Val::as_str) != Some("v1"),
            pre_hook: self.given(usize::MAX, "pre_model_hook").cloned(),
            post_hook: self.given(usize::MAX, "post_model_hook").cloned(),
            structured: schema.is_some(),
            generate,
        })
    }

    fn known_arguments(&self, maker: &str) -> Result<(), String> {
        let own: &[&str] = match maker {
            "create_react_agent" => &REACT_ARGUMENTS,
            _ => &AGENT_ARGUMENTS,
        };
        for (name, value, _) in &self.args.keywords {
            let name = name.as_str();
            if name == "middleware" && !value.items().is_some_and(|items| items.is_empty()) {
                return Err("its middleware has no counterpart here".into());
            }
            if !ARGUMENTS.contains(&name) && !own.contains(&name) {
                return Err(format!("it has the argument `{name}`"));
            }
        }
        match self.args.open || self.args.positional.len() > 2 {
            true => Err("its arguments are only known when it runs".into()),
            false => Ok(()),
        }
    }

    fn given(&self, position: usize, name: &str) -> Option<&Val<'a>> {
        self.args.get(position, name).filter(|value| !value.is_none())
    }

    /// The text of a value at the end of the module.
    fn text(&self, value: &Val<'a>, what: &str) -> Result<String, String> {
        let text = match self.in_module {
            true => Some(format!("({})", self.evaluator.source(&value.span))),
            false => self.evaluator.value_text(value),
        };
        text.ok_or_else(|| format!("its {what} is only known in the function that makes it"))
    }

    /// The model, and what the function that chooses it is given.
    fn model(&self, is_react: bool) -> Result<(String, Vec<String>), String> {
        match self.args.get(0, "model") {
            Some(Val { abs: Abs::Const(name @ Value::Str(_)), .. }) => {
                Ok((format!("_init_chat_model({})", name.to_json()), Vec::new()))
            }
            Some(value @ Val { abs: Abs::Made(_), .. }) => {
                Ok((self.text(value, "model")?, Vec::new()))
            }
            Some(value @ Val { abs: Abs::Function(function), .. }) if is_react => {
                let mut fills = Vec::new();
                let text = self.called(value, function, "model", &mut fills)?;
                if fills.is_empty() {
                    return Err("the function that gives its model takes no `runtime`".into());
                }
                Ok((text, fills))
            }
            _ => Err("its model is only known when it runs".into()),
        }
    }

    /// A call of a function with the state and what it takes by name.
    fn called(
        &self,
        value: &Val<'a>,
        function: &FunctionRef<'a>,
        what: &str,
        fills: &mut Vec<String>,
    ) -> Result<String, String> {
        let parameters = function.def.parameters.iter_non_variadic_params().skip(1);
        let mut text = format!("{}(state", self.text(value, what)?);
        for parameter in parameters {
            let name = parameter.name().to_string();
            if FILLED.contains(&name.as_str()) {
                text.push_str(&format!(", {name}={name}"));
                if !fills.contains(&name) {
                    fills.push(name);
                }
            } else if parameter.default().is_none() {
                return Err(format!("the function of its {what} needs `{name}`"));
            }
        }
        text.push(')');
        Ok(text)
    }

    /// What the model is asked.
    fn messages(&self, fills: &mut Vec<String>) -> Result<String, String> {
        let prompt = self.given(usize::MAX, "prompt");
        let Some(prompt) = prompt.or_else(|| self.given(usize::MAX, "system_prompt")) else {
            return Ok("_agent_messages(state, None)".into());
        };
        match &prompt.abs {
            Abs::Const(text @ Value::Str(_)) => {
                Ok(format!("_agent_messages(state, {})", text.to_json()))
            }
            Abs::Made(path) if path.ends_with(".SystemMessage") => {
                Ok(format!("_agent_messages(state, {})", self.text(prompt, "prompt")?))
            }
            Abs::Made(_) => Ok(format!("{}.invoke(state)", self.text(prompt, "prompt")?)),
            Abs::Function(function) => self.called(prompt, function, "prompt", fills),
            Abs::Lambda(_) if self.in_module => {
                Ok(format!("{}(state)", self.text(prompt, "prompt")?))
            }
            _ => Err("its prompt is only known when it runs".into()),
        }
    }

    fn tools(&self) -> Result<Vec<Val<'a>>, String> {
        let Some(tools) = self.given(1, "tools") else { return Ok(Vec::new()) };
        match tools.items() {
            Some(items) if items.iter().all(|item| matches!(item.abs, Abs::Function(_))) => {
                Ok(items)
            }
            _ => Err("its tools are not all functions of this file".into()),
        }
    }

    fn list_text(&self, list: &Val<'a>, tools: &[Val<'a>]) -> Result<String, String> {
        if self.in_module {
            return Ok(self.evaluator.source(&list.span).to_string());
        }
        let tools: Result<Vec<String>, String> =
            tools.iter().map(|tool| self.text(tool, "tools")).collect();
        Ok(format!("[{}]", tools?.join(", ")))
    }

    /// The schema of structured output and the prompt to ask for it with.
    fn response_format(&self) -> Result<(Option<String>, String), String> {
        let none = || "None".to_string();
        let Some(format) = self.given(usize::MAX, "response_format") else {
            return Ok((None, none()));
        };
        let what = "response format";
        match &format.abs {
            Abs::Class(_) | Abs::Dict(_) => Ok((Some(self.text(format, what)?), none())),
            Abs::List(items) => match items.borrow().as_slice() {
                [prompt, schema] if prompt.as_str().is_some() => {
                    Ok((Some(self.text(schema, what)?), self.text(prompt, what)?))
                }
                _ => Err("its response format is no schema".into()),
            },
            Abs::Made(path) if path.ends_with("Strategy") => {
                let schema = syntax::parse_annotation(self.evaluator.source(&format.span));
                let schema = schema.as_ref().and_then(strategy_schema).map(String::from);
                Ok((Some(schema.ok_or("its response format is no schema of this file")?), none()))
            }
            _ => Err("its response format is only known when it runs".into()),
        }
    }
}

fn lambda(body: &str, fills: &[String]) -> Text {
    let parameters: String = fills.iter().map(|name| format!(", {name}")).collect();
    Text { text: format!("lambda state{parameters}: {body}"), fills: fills.to_vec() }
}

/// `ToolStrategy(Schema)`: the class.
fn strategy_schema(expr: &Expr) -> Option<&str> {
    let Expr::Call(call) = expr else { return None };
    let first = call.arguments.args.first();
    match first.or_else(|| crate::schema::keyword(call, "schema"))? {
        Expr::Name(name) => Some(name.id.as_str()),
        _ => None,
    }
}

/// The name of a tool whose result ends the run.
fn returns_directly(tool: &Val<'_>) -> Option<String> {
    let Abs::Function(function) = &tool.abs else { return None };
    let calls = function.def.decorator_list.iter().filter_map(|d| d.expression.as_call_expr());
    let call = calls.into_iter().find(|call| type_head(&call.func) == "tool")?;
    let direct = crate::schema::keyword(call, "return_direct")?;
    matches!(direct, Expr::BooleanLiteral(literal) if literal.value).then(|| {
        let named = call.arguments.args.first().and_then(|name| name.as_string_literal_expr());
        named.map_or(function.def.name.to_string(), |name| name.value.to_str().to_string())
    })
}
