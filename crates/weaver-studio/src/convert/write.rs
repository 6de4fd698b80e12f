//! The Python file of a converted workflow.

use weaver_core::spec::{END, START};

use super::document::Document;
use super::kinds::snake;
use super::{Node, Plan};
use crate::edit::style::{is_identifier, quoted, written};

/// Widest line that a node is written on.
const WIDTH_MAX: usize = 88;

pub(super) fn file(document: &Document, plan: &Plan) -> String {
    let mut functions = Functions { taken: reserved(), texts: Vec::new() };
    let names: Vec<Option<String>> =
        plan.nodes.iter().map(|node| functions.of_node(node)).collect();
    let deciders: Vec<String> = plan.conditions.iter().map(|c| functions.of_condition(c)).collect();
    let mut code = head(document, plan);
    code.push_str("\n\nclass State(TypedDict):\n");
    match plan.fields.is_empty() {
        true => code.push_str("    pass\n"),
        false => plan
            .fields
            .iter()
            .for_each(|(name, kind)| code.push_str(&format!("    {name}: {kind}\n"))),
    }
    for text in &functions.texts {
        code.push_str(&format!("\n\n{text}"));
    }
    code.push_str("\n\ngraph = StateGraph(State)\n");
    for (node, function) in plan.nodes.iter().zip(names) {
        code.push_str(&add_node(node, function.as_deref()));
    }
    for (source, target) in &plan.edges {
        code.push_str(&format!("graph.add_edge({}, {})\n", end(source), end(target)));
    }
    for (condition, decider) in plan.conditions.iter().zip(deciders) {
        let routes = condition.routes.iter();
        let routes =
            routes.map(|(key, target)| format!("    {}: {},\n", quoted(key, '"'), end(target)));
        code.push_str(&format!(
            "graph.add_conditional_edges({}, {decider}, {{\n{}}})\n",
            end(&condition.source),
            routes.collect::<String>()
        ));
    }
    code.push_str("app = graph.compile()\n");
    code
}

fn head(document: &Document, plan: &Plan) -> String {
    let mut code = String::new();
    if let Some(name) = &document.name {
        let name = name.replace(['\n', '\r'], " ");
        code.push_str(&format!("# {name}\n"));
    }
    let messages = plan.fields.iter().any(|(_, kind)| kind.contains("add_messages"));
    let any = plan.fields.iter().any(|(_, kind)| kind == "Any");
    let mut typing = Vec::new();
    typing.extend(messages.then_some("Annotated"));
    typing.extend(any.then_some("Any"));
    typing.push("TypedDict");
    code.push_str(&format!("from typing import {}\n\n", typing.join(", ")));
    let used = |name: &str| {
        let edges = plan.edges.iter().any(|(source, target)| source == name || target == name);
        edges
            || plan.conditions.iter().any(|condition| {
                condition.source == name
                    || condition.routes.iter().any(|(_, target)| target == name)
            })
    };
    let mut names = Vec::new();
    names.extend(used(END).then_some("END"));
    names.extend(used(START).then_some("START"));
    names.push("StateGraph");
    code.push_str(&format!("from langgraph.graph import {}\n", names.join(", ")));
    if messages {
        code.push_str("from langgraph.graph.message import add_messages\n");
    }
    if plan.nodes.iter().any(|node| node.typed.is_some()) {
        code.push_str("from agentweaver import nodes\n");
    }
    code
}

/// Names that functions cannot have.
fn reserved() -> Vec<String> {
    [
        "Annotated",
        "Any",
        "TypedDict",
        "END",
        "START",
        "StateGraph",
        "add_messages",
        "nodes",
        "State",
        "graph",
        "app",
    ]
    .map(String::from)
    .to_vec()
}

/// The functions of the file.
struct Functions {
    taken: Vec<String>,
    texts: Vec<String>,
}

impl Functions {
    /// A node without a counterpart as a function that does nothing.
    fn of_node(&mut self, node: &Node) -> Option<String> {
        if node.typed.is_some() {
            return None;
        }
        let name = self.name(&node.name);
        let todo = comment(&node.todo, "    ");
        self.texts.push(format!("def {name}(state: State) -> dict:\n{todo}    return {{}}\n"));
        Some(name)
    }

    fn of_condition(&mut self, condition: &super::Condition) -> String {
        let source = if condition.source == START { "start" } else { &condition.source };
        let name = self.name(&format!("route_{source}"));
        let todo = comment(&condition.todo, "    ");
        let first = condition.routes.first().map_or("", |(key, _)| key);
        let answer = quoted(first, '"');
        self.texts.push(format!("def {name}(state: State) -> str:\n{todo}    return {answer}\n"));
        name
    }

    fn name(&mut self, wanted: &str) -> String {
        let word = snake(wanted);
        let wanted = match word.as_str() {
            "" => "node".to_string(),
            word if is_identifier(word) => word.to_string(),
            word => format!("node_{word}"),
        };
        let wanted = if is_identifier(&wanted) { wanted } else { "node".to_string() };
        let mut name = wanted.clone();
        let mut count = 1;
        while self.taken.contains(&name) {
            count += 1;
            name = format!("{wanted}_{count}");
        }
        self.taken.push(name.clone());
        name
    }
}

fn add_node(node: &Node, function: Option<&str>) -> String {
    let name = quoted(&node.name, '"');
    let (Some(typed), None) = (node.typed, function) else {
        return format!("graph.add_node({name}, {})\n", function.unwrap_or_default());
    };
    let mut arguments = Vec::new();
    // In the order of the form.
    for argument in typed.arguments {
        if let Some(value) = node.settings.get(argument.name) {
            let value = written(value, '"').unwrap_or_else(|_| "None".into());
            arguments.push(format!("{}={value}", argument.name));
        }
    }
    let line = format!("graph.add_node({name}, nodes.{}({}))\n", typed.name, arguments.join(", "));
    let todo = comment(&node.todo, "");
    if line.trim_end().len() <= WIDTH_MAX || arguments.is_empty() {
        return format!("{todo}{line}");
    }
    let arguments = arguments.iter().map(|argument| format!("    {argument},\n"));
    let arguments: String = arguments.collect();
    format!("{todo}graph.add_node({name}, nodes.{}(\n{arguments}))\n", typed.name)
}

/// Lines of a comment that begins with `TODO`.
fn comment(lines: &[String], indent: &str) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let mark = if at == 0 { "TODO: " } else { "" };
        // What was a line break in the old document must not end the comment.
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&format!("{indent}# {mark}{line}\n"));
    }
    text
}

fn end(name: &str) -> String {
    match name {
        START => "START".into(),
        END => "END".into(),
        name => quoted(name, '"'),
    }
}
