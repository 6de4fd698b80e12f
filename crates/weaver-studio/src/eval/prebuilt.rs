//! Prebuilt agents (`create_react_agent`, `create_agent`) as the graph that they
//! stand for: a node that calls the model, a `ToolNode`, `tools_condition` between.

use std::ops::Range;
use std::rc::Rc;

use weaver_core::Value;
use weaver_core::spec::{END, EdgeKind, START};

use super::Evaluator;
use super::function::{Callable, FunctionDraft, FunctionExpression};
use super::graph::{NodeAction, NodeDraft};
use super::value::{Abs, CallArgs, ScopeRef, Val};

/// What the text of an agent's node calls `init_chat_model`, which the file need
/// not import.
pub(crate) const INIT_CHAT_MODEL: &str = "_init_chat_model";

/// Arguments that mean the same here.
const ARGUMENTS: [&str; 12] = [
    "model",
    "tools",
    "prompt",
    "system_prompt",
    "checkpointer",
    "store",
    "name",
    "version",
    "debug",
    "cache",
    "interrupt_before",
    "interrupt_after",
];

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
        match self.agent_text(args, scope) {
            Ok(text) => self.agent_graph(maker, text, args, span, scope),
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

    /// The function that calls the model, as text.
    fn agent_text(&self, args: &CallArgs<'a>, scope: &ScopeRef<'a>) -> Result<String, String> {
        if !Rc::ptr_eq(scope, &self.module) {
            return Err("it is made inside a function".into());
        }
        let other = args.keywords.iter().find(|(name, ..)| !ARGUMENTS.contains(&name.as_str()));
        if let Some((name, ..)) = other {
            return Err(format!("it has the argument `{name}`"));
        }
        if args.open || args.positional.len() > 2 {
            return Err("its arguments are only known when it runs".into());
        }
        let model = match args.get(0, "model") {
            Some(Val { abs: Abs::Const(name @ Value::Str(_)), .. }) => {
                format!("{INIT_CHAT_MODEL}({})", name.to_json())
            }
            Some(Val { abs: Abs::Made(_), span }) => format!("({})", self.source(span)),
            _ => return Err("its model is only known when it runs".into()),
        };
        let model = match self.agent_tools(args)? {
            Some(tools) => format!("{model}.bind_tools({})", self.source(&tools.span)),
            None => model,
        };
        let messages = match args.keyword("prompt").or_else(|| args.keyword("system_prompt")) {
            None => "state[\"messages\"]".to_string(),
            Some(prompt) if prompt.is_none() => "state[\"messages\"]".to_string(),
            Some(Val { abs: Abs::Const(text @ Value::Str(_)), .. }) => {
                format!("[(\"system\", {})] + list(state[\"messages\"])", text.to_json())
            }
            Some(Val { abs: Abs::Made(path), span }) if path.ends_with(".SystemMessage") => {
                format!("[{}] + list(state[\"messages\"])", self.source(span))
            }
            Some(_) => return Err("its prompt is no text".into()),
        };
        Ok(format!("lambda state: {{\"messages\": [{model}.invoke({messages})]}}"))
    }

    /// The tools, if there are any.
    fn agent_tools<'v>(&self, args: &'v CallArgs<'a>) -> Result<Option<&'v Val<'a>>, String> {
        let Some(tools) = args.get(1, "tools").filter(|tools| !tools.is_none()) else {
            return Ok(None);
        };
        match tools.items() {
            Some(items) if items.is_empty() => Ok(None),
            Some(items) if items.iter().all(|item| matches!(item.abs, Abs::Function(_))) => {
                Ok(Some(tools))
            }
            _ => Err("its tools are not all functions of this file".into()),
        }
    }

    fn agent_graph(
        &mut self,
        maker: &str,
        text: String,
        args: &CallArgs<'a>,
        span: &Range<usize>,
        scope: &ScopeRef<'a>,
    ) -> Abs<'a> {
        let made = self.new_builder("MessageGraph", &CallArgs::default(), span, scope);
        let Abs::Builder(index) = made else { return Abs::Unknown };
        let agent = if maker == "create_agent" { "model" } else { "agent" };
        let id = self.place_id(agent, span.start);
        let callable = Callable::Prebuilt(agent);
        self.function_ids.insert(id.clone(), self.functions.len());
        self.functions.push(FunctionDraft {
            id: id.clone(),
            callable: callable.clone(),
            span: span.clone(),
            expression: Some(FunctionExpression::Text(text)),
        });
        let written = maker.to_string();
        self.agent_node(index, agent, NodeAction::Function { id, written, callable }, span);
        let name = |name: &str| Val::str(name, span.clone());
        let (start, agent, end) = (name(START), name(agent), name(END));
        self.connect(index, &start, Some(&agent), EdgeKind::Plain, None, span);
        match self.agent_tools(args).ok().flatten().cloned() {
            Some(tools) => {
                let tools = CallArgs { positional: vec![tools], ..CallArgs::default() };
                if let Abs::ToolNode(node) = self.tool_node(&tools) {
                    self.agent_node(index, "tools", NodeAction::ToolNode(node), span);
                }
                let condition = Abs::Import("langgraph.prebuilt.tools_condition".into());
                let condition = Val { abs: condition, span: span.clone() };
                self.add_branch(index, Some(&agent), Some(&condition), None, span);
                let tools = name("tools");
                self.connect(index, &tools, Some(&agent), EdgeKind::Plain, None, span);
            }
            None => self.connect(index, &agent, Some(&end), EdgeKind::Plain, None, span),
        }
        let compile = CallArgs { keywords: args.keywords.clone(), ..CallArgs::default() };
        self.compile(index, &compile, span.clone()).abs
    }

    fn agent_node(
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
