//! `ToolNode`, and functions that a call makes tools of.

use std::rc::Rc;

use super::Evaluator;
use super::value::{Abs, CallArgs, ToolNodeRef, Val};

/// `StructuredTool.from_function(…)`: the function, which remembers what it was told.
pub(super) fn tool_of<'a>(args: CallArgs<'a>) -> Option<Abs<'a>> {
    let function = args.get(0, "func").filter(|function| !function.is_none());
    let Abs::Function(function) = &function.or_else(|| args.get(1, "coroutine"))?.abs else {
        return None;
    };
    let mut function = function.clone();
    function.as_tool = Some(Rc::new(args));
    Some(Abs::Function(function))
}

impl<'a> Evaluator<'a> {
    pub(super) fn tool_node(&mut self, args: &CallArgs<'a>) -> Abs<'a> {
        let given = args.get(0, "tools");
        let tools = match given.map(Val::items) {
            Some(Some(items)) => {
                self.remember_tools(&items);
                items.iter().map(|tool| self.tool_id(tool)).collect()
            }
            _ => Err("its tools are only known when it runs".into()),
        };
        let handle = args.keyword("handle_tool_errors").cloned();
        let handle = handle.map(|value| self.tool_errors(&value)).unwrap_or_default();
        let key = args.keyword("messages_key").and_then(Val::as_str).unwrap_or("messages");
        Abs::ToolNode(Rc::new(ToolNodeRef {
            tools,
            text: args.get(0, "tools").and_then(|tools| self.value_text(tools)),
            messages_key: key.to_string(),
            handle_errors: handle,
        }))
    }

    /// `ToolNode(tools).with_fallbacks([handler], exception_key="error")`, which runs
    /// in Python as it is written.
    pub(super) fn tool_node_with_fallbacks(&self, node: &Abs<'a>, args: &CallArgs<'a>) -> Abs<'a> {
        let Abs::ToolNode(node) = node else { return Abs::Unknown };
        let fallbacks = args.get(0, "fallbacks").and_then(|list| self.value_text(list));
        let key = args.keyword("exception_key").and_then(|key| self.value_text(key));
        let (Some(tools), Some(fallbacks)) = (&node.text, fallbacks) else { return Abs::Unknown };
        let key = key.unwrap_or_else(|| "None".into());
        let text = format!("_tools_or_fallbacks({tools}, {fallbacks}, {key})");
        Abs::Text(text.into(), "tools")
    }

    fn tool_id(&self, tool: &Val<'a>) -> Result<String, String> {
        match &tool.abs {
            Abs::Function(function) => Ok(function.id().to_string()),
            _ => Err(format!("its tool `{}` is no function of this file", self.source(&tool.span))),
        }
    }

    pub(super) fn remember_tools(&mut self, tools: &[Val<'a>]) {
        for tool in tools {
            if let Abs::Function(function) = &tool.abs {
                self.tool_functions.push(function.clone());
            }
        }
    }
}
