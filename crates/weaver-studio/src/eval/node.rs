//! `add_node` in all its forms.

use std::ops::Range;
use std::rc::Rc;

use super::Evaluator;
use super::graph::{NodeAction, NodeDraft, schema_name};
use super::value::{Abs, CallArgs, Val};

impl<'a> Evaluator<'a> {
    pub(super) fn add_node(&mut self, index: usize, args: &CallArgs<'a>, span: &Range<usize>) {
        let Some(first) = args.get(0, "node").cloned() else {
            self.argument_problem(index, span, "`add_node` needs a node");
            return;
        };
        let second = args.get(1, "action").cloned();
        let (name, name_span, action) = match (second, first.as_str()) {
            (Some(action), Some(name)) => (Some(name.to_string()), first.span.clone(), action),
            (Some(action), None) => (None, first.span.clone(), action),
            (None, Some(name)) => {
                let message = format!("node `{name}` has no function");
                let help =
                    "pass the function as the second argument: `add_node(\"name\", function)`";
                if !args.open && !self.is_broken(span) {
                    self.problems.error("bad_argument", span, message, help);
                }
                let missing = Val::unknown(first.span.clone());
                (Some(name.to_string()), first.span.clone(), missing)
            }
            (None, None) => (self.name_of(&first), first.span.clone(), first),
        };
        let Some(name) = name else {
            self.lost(index, name_span, "the node's name is only known when it runs");
            return;
        };
        self.put_node(index, name, name_span, action, args, span);
    }

    pub(super) fn put_node(
        &mut self,
        index: usize,
        name: String,
        name_span: Range<usize>,
        action: Val<'a>,
        args: &CallArgs<'a>,
        span: &Range<usize>,
    ) {
        let action = self.action(&action);
        if let NodeAction::Dynamic(reason) = &action {
            let reason = format!("what runs node `{name}`: {reason}");
            self.dynamic(index, span.clone(), &reason);
        }
        let annotated = match &action {
            NodeAction::Function { callable, .. } => callable.input_schema(self),
            _ => None,
        };
        let explicit = args.keyword("input_schema").or_else(|| args.keyword("input"));
        let policies = self.policies(args);
        let destinations = args.keyword("destinations").map(destinations).unwrap_or_default();
        let metadata = args.keyword("metadata").and_then(Val::to_value).unwrap_or_default();
        let defer = args.keyword("defer").and_then(Val::as_bool).unwrap_or(false);
        let state = self.builders[index].state.clone();
        let input_schema =
            explicit.and_then(schema_name).or(annotated).filter(|s| Some(s) != state.as_ref());
        self.builders[index].nodes.push(NodeDraft {
            name,
            name_span,
            span: span.clone(),
            action,
            input_schema,
            defer,
            policies,
            metadata,
            destinations,
        });
    }

    /// What a value does as a node.
    pub(super) fn action(&mut self, value: &Val<'a>) -> NodeAction<'a> {
        match &value.abs {
            Abs::Typed(node) => NodeAction::Typed(node.clone()),
            Abs::ToolNode(node) => match &node.tools {
                Ok(_) => NodeAction::ToolNode(node.clone()),
                Err(reason) => NodeAction::Dynamic(reason.clone()),
            },
            Abs::Compiled(index, spec) => NodeAction::Graph(*index, spec.clone()),
            Abs::Builder(index) => {
                // `add_node("sub", builder)` without compile fails in LangGraph too.
                let help = "call `.compile()` on it";
                let message = "a graph that is not compiled cannot be a node";
                self.problems.error("bad_argument", &value.span, message, help);
                NodeAction::Graph(*index, Rc::default())
            }
            _ => match self.register(value) {
                Ok((id, callable)) => {
                    let written = self.source(&value.span).to_string();
                    NodeAction::Function { id, written, callable }
                }
                Err(reason) => NodeAction::Dynamic(reason),
            },
        }
    }

    /// The name that `add_node(value)` gives.
    pub(super) fn name_of(&self, value: &Val<'a>) -> Option<String> {
        match &value.abs {
            Abs::Function(function) | Abs::Method(_, function) => {
                Some(function.def.name.to_string())
            }
            Abs::Class(class) => Some(class.class.name.to_string()),
            Abs::Lambda(_) => Some("<lambda>".into()),
            Abs::ToolNode(_) => Some("tools".into()),
            Abs::Compiled(_, spec) => Some(spec.name.clone().unwrap_or_else(|| "LangGraph".into())),
            Abs::Typed(node) => Some(node.node_type.clone()),
            Abs::Import(path) if !path.starts_with("builtins.") => {
                path.rsplit('.').next().map(String::from)
            }
            Abs::Instance(object) => Some(object.class.class.name.to_string()),
            _ => None,
        }
    }
}

/// `destinations=` as a list or as a dict with labels.
fn destinations(value: &Val<'_>) -> Vec<(String, Option<String>, Range<usize>)> {
    let from_entries = value.entries().map(|entries| {
        let named = entries.iter().filter_map(|(key, label)| {
            Some((key.as_str()?.to_string(), label.as_str().map(String::from), key.span.clone()))
        });
        named.collect()
    });
    from_entries
        .or_else(|| {
            let items = value.items()?;
            let named = items
                .iter()
                .filter_map(|item| Some((item.as_str()?.to_string(), None, item.span.clone())));
            Some(named.collect())
        })
        .unwrap_or_default()
}
