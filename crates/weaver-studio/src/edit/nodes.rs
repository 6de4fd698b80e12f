//! Nodes: added and removed, with all that belongs to them.

use std::ops::Range;

use ruff_python_ast::{Expr, Stmt};
use weaver_core::spec::{CompileSpec, Decider, EdgeKind, EdgeSpec, GraphSpec, NodeKind, NodeSpec};
use weaver_core::value::Map;

use super::branches::{Branch, Routes};
use super::functions::{NamedNodes, literal_items};
use super::items::Items;
use super::operation::NewNode;
use super::settings::check_setting;
use super::tree::Site;
use super::typed_routes::TypedRoutes;
use super::{Done, Editor, Refused, range_of_span, style};
use crate::assemble::is_end;
use crate::bindings::bound_names;
use crate::problem::suggestion;
use crate::syntax::range_of;

/// Widest line that a new call is written on.
const WIDTH_MAX: usize = 88;

impl<'a> Editor<'_, 'a> {
    pub fn add_node(&mut self, name: &str, node: &NewNode) -> Done {
        self.check_new_name("name", name)?;
        let is_node = |site: &Site<'a>| matches!(site.method(), "add_node" | "add_sequence");
        let anchor = self.anchor(is_node)?;
        let written = self.text(name);
        let call = match node {
            NewNode::Function { function } => {
                self.check_function(function, anchor.place())?;
                format!("add_node({written}, {function})")
            }
            NewNode::NewFunction { new_function } => {
                self.insert_function(new_function, "dict", "return {}")?;
                format!("add_node({written}, {new_function})")
            }
            NewNode::Typed { typed, settings } => {
                let module = self.import("agentweaver", "nodes")?;
                let arguments = self.arguments(typed, settings)?;
                let head = format!("add_node({written}, {module}.{typed}(");
                match head.len() + arguments.iter().map(|a| a.len() + 2).sum::<usize>() {
                    width if width <= WIDTH_MAX => format!("{head}{}))", arguments.join(", ")),
                    _ => {
                        let unit = self.indent_unit();
                        let lines = arguments.iter().map(|argument| format!("\n{unit}{argument},"));
                        format!("{head}{}\n))", lines.collect::<String>())
                    }
                }
            }
        };
        self.insert_call(&anchor, &call)
    }

    fn arguments(&self, typed: &str, settings: &Map) -> Result<Vec<String>, Refused> {
        check_setting(typed, "").or_else(|refused| match refused.field {
            "settings" => Ok(()),
            _ => Err(refused),
        })?;
        let mut arguments = Vec::new();
        for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
            check_setting(typed, name)?;
            arguments.push(format!("{name}={}", self.value(value, "node")?));
        }
        Ok(arguments)
    }

    /// A name that a node can have and none has.
    pub fn check_new_name(&self, field: &'static str, name: &str) -> Done {
        let reason = match name {
            "" => "a node's name is not empty".to_string(),
            _ if is_end(name) => format!("the name `{name}` is reserved"),
            _ if name.contains(['|', ':']) => "a node's name has no `|` and no `:`".to_string(),
            _ if self.is_node(name) => format!("there is a node `{name}` already"),
            _ => return Ok(()),
        };
        Err(Refused::field(field, reason, "choose another name"))
    }

    /// A function that can be named at a place of the text.
    pub fn check_function(&self, name: &str, place: usize) -> Done {
        let body = &self.tree.module.body;
        let binds = |stmt: &&Stmt| {
            bound_names(std::slice::from_ref(*stmt)).iter().any(|bound| bound.as_str() == name)
        };
        let local = self.home.block.iter().find(binds);
        let in_module = std::ptr::eq(self.home.block, body.as_slice());
        let Some(found) = local.or_else(|| body.iter().find(binds)) else {
            let functions =
                body.iter().filter_map(|stmt| Some(stmt.as_function_def_stmt()?.name.as_str()));
            let functions: Vec<&str> = functions.collect();
            let help = suggestion(name, "function", &functions);
            return Err(Refused::field("function", format!("there is no function `{name}`"), help));
        };
        if range_of(found).end > place && (in_module || local.is_some()) {
            let reason = format!("`{name}` is defined below the graph");
            return Err(Refused::at(range_of(found), reason));
        }
        Ok(())
    }

    pub fn remove_node(&mut self, name: &str, remove_function: bool) -> Done {
        self.node(name)?;
        let nodes: Vec<NodeSpec> =
            self.graph.nodes.iter().filter(|node| node.name == name).cloned().collect();
        for node in &nodes {
            self.remove_one_node(node)?;
        }
        let own = |edge: &EdgeSpec| nodes.iter().any(|node| node.span == edge.span);
        let edges: Vec<EdgeSpec> = self.graph.edges.clone();
        for edge in edges.iter().filter(|edge| !own(edge)) {
            if edge.source == name || edge.target == name {
                self.remove_arrow(edge, name)?;
            }
        }
        for branch in self.graph.branches.clone() {
            let to_it = branch.path_map.iter().flatten().any(|(_, target)| target == name);
            if branch.source == name {
                let branch = self.read_branch(&branch)?;
                self.remove_call(branch.site);
            } else if to_it {
                let branch = self.read_branch(&branch)?;
                let gone = branch.pairs.iter().enumerate().filter(|(_, (_, to))| to == name);
                let gone: Vec<usize> = gone.map(|(position, _)| position).collect();
                let sends = self.graph.edges.iter().any(|edge| {
                    edge.kind == EdgeKind::Send && edge.span.end as usize == branch.site.end()
                });
                if sends && gone.len() == branch.pairs.len() {
                    let reason = format!("`{}` goes on to nodes by `Send`", branch.name);
                    return Err(Refused::at(range_of(branch.site.call), reason));
                }
                self.remove_routes(&branch, &gone)?;
            }
        }
        for node in self.graph.nodes.iter().filter(|node| node.name != name) {
            match &node.kind {
                NodeKind::Typed(typed) => {
                    let changes = TypedRoutes(typed).without(name)?;
                    self.set_settings(&node.clone(), typed, &changes)?;
                }
                NodeKind::Function { id } => self.remove_goto(node, Some(id), name)?,
                _ => self.remove_goto(node, None, name)?,
            }
        }
        self.remove_interrupts(name)?;
        match nodes.as_slice() {
            [NodeSpec { kind: NodeKind::Function { id }, .. }] if remove_function => {
                self.remove_function(id);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn remove_one_node(&mut self, node: &NodeSpec) -> Done {
        let what = format!("node `{}`", node.name);
        match self.sequence_item(node) {
            Some((site, items, position)) => {
                let (edges, last) = (self.uses_of(&site), items.len() - 1);
                if site.repeated.is_some() || edges > 1 {
                    return Err(Refused::at(
                        range_of(site.call),
                        format!("{what} is made several times"),
                    ));
                }
                match position {
                    _ if last == 0 => self.remove_call(site),
                    0 => self.edits.extend(items.remove(&[0])),
                    _ if position == last => self.edits.extend(items.remove(&[position])),
                    _ => self.cut_sequence(
                        &site,
                        items.range(position - 1).end..items.range(position + 1).start,
                    ),
                }
                Ok(())
            }
            None => {
                let site = self.sole_site(&node.span, &what)?;
                if site.method() != "add_node" {
                    let reason = format!("{what} is not added by `add_node`");
                    return Err(Refused::at(range_of(site.call), reason));
                }
                self.remove_call(site);
                Ok(())
            }
        }
    }

    /// The sequence that a node is an item of.
    pub fn sequence_item(&self, node: &NodeSpec) -> Option<(Site<'a>, Items<'a>, usize)> {
        if self.tree.site(&node.span).is_some_and(|site| site.method() == "add_node") {
            return None;
        }
        let site = self.tree.call_around(&node.span).filter(|s| s.method() == "add_sequence")?;
        let items = Items::of_display(self.tree, site.argument(0, "nodes")?)?;
        let position = items.position(&range_of_span(&node.span))?;
        Some((site, items, position))
    }

    /// How many nodes have the place of the first item of a sequence.
    fn uses_of(&self, site: &Site<'a>) -> usize {
        let Some(Expr::List(list)) = site.argument(0, "nodes") else { return 0 };
        let Some(first) = list.elts.first().map(range_of) else { return 0 };
        let nodes = self.tree.spec.graphs.iter().flat_map(|graph| &graph.nodes);
        nodes.filter(|node| range_of_span(&node.span) == first).count()
    }

    /// Takes out an arrow that another call than the node's own makes.
    fn remove_arrow(&mut self, edge: &EdgeSpec, name: &str) -> Done {
        let site = self.tree.site(&edge.span);
        let method = site.map_or("", |site| site.method());
        match edge.kind {
            // The sequence was cut at the node.
            EdgeKind::Plain if method == "add_sequence" => Ok(()),
            EdgeKind::Plain | EdgeKind::Join
                if method == "add_edge" || method.starts_with("set_") =>
            {
                if edge.kind == EdgeKind::Join && edge.target != name {
                    return self.remove_one(edge);
                }
                let what = format!("the edge from `{}` to `{}`", edge.source, edge.target);
                let site = self.sole_site(&edge.span, &what)?;
                self.remove_call(site);
                Ok(())
            }
            // These come from routes and settings, which are seen to by themselves.
            EdgeKind::Plain | EdgeKind::Join | EdgeKind::Command => Ok(()),
            EdgeKind::Send if edge.source == name => Ok(()),
            EdgeKind::Send => {
                Err(self.named_in_code(&edge.source, name, &range_of_span(&edge.span)))
            }
            EdgeKind::Conditional if edge.source == name => Ok(()),
            EdgeKind::Conditional => {
                let branch = self.graph.branches.iter().find(|branch| branch.span == edge.span);
                match branch {
                    Some(branch) if branch.path_map.is_none() => {
                        let branch: Branch<'a> = self.read_branch(branch)?;
                        debug_assert!(!matches!(branch.routes, Routes::Dict(_)));
                        self.remove_routes(&branch, &[])
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn named_in_code(&self, source: &str, name: &str, place: &Range<usize>) -> Refused {
        let ids = functions_at(self.graph, source).into_iter();
        let named = ids.filter_map(|id| self.tree.callable(id));
        let place = named
            .flat_map(|callable| NamedNodes::of(self.tree, callable).in_body().collect::<Vec<_>>())
            .find(|expr| self.tree.text_of(expr) == Some(name))
            .map_or(place.clone(), range_of);
        Refused::at(place, format!("the code behind `{source}` goes to `{name}`"))
    }

    /// Takes a node out of where another one says itself that it goes.
    fn remove_goto(&mut self, node: &NodeSpec, id: Option<&str>, name: &str) -> Done {
        let goes = self.graph.edges.iter().any(|edge| {
            edge.source == node.name && edge.target == name && edge.kind == EdgeKind::Command
        });
        if !goes {
            return Ok(());
        }
        let place = range_of_span(&node.span);
        if let Some((id, callable)) = id.and_then(|id| Some((id, self.tree.callable(id)?))) {
            let named = NamedNodes::of(self.tree, callable);
            let in_body = named.gotos.iter().chain(&named.sends);
            if let Some(goto) = in_body.clone().find(|goto| self.tree.text_of(goto) == Some(name)) {
                let reason = format!("`{id}` goes to `{name}`");
                return Err(Refused::at(range_of(*goto), reason));
            }
            for literal in &named.command_literals {
                let gone = self.positions(literal_items(literal), name);
                let Some(items) = Items::of_subscript(self.tree, literal) else { continue };
                if gone.is_empty() {
                    continue;
                }
                if gone.len() == items.len() || named.hidden_annotation || self.users(id) > 1 {
                    let reason = format!("`{id}` says that it goes to `{name}`");
                    return Err(Refused::at(range_of(*literal), reason));
                }
                self.edits.extend(items.remove(&gone));
            }
        }
        let destinations = self.tree.site(&node.span).and_then(|site| {
            let keyword = site.call.arguments.find_keyword("destinations")?;
            Some(&keyword.value)
        });
        if let Some(destinations) = destinations {
            self.remove_names(destinations, name, &place)?;
        }
        Ok(())
    }

    fn positions(&self, items: &'a [Expr], name: &str) -> Vec<usize> {
        let found = items.iter().enumerate();
        let found = found.filter(|(_, item)| self.tree.text_of(item) == Some(name));
        found.map(|(position, _)| position).collect()
    }

    /// Takes a name out of a list, or out of the keys of a dict.
    fn remove_names(&mut self, list: &'a Expr, name: &str, place: &Range<usize>) -> Done {
        let gone = match list {
            Expr::List(list) => self.positions(&list.elts, name),
            Expr::Tuple(tuple) => self.positions(&tuple.elts, name),
            Expr::Set(set) => self.positions(&set.elts, name),
            Expr::Dict(dict) => {
                let keys = dict.items.iter().map(|item| item.key.as_ref());
                let named = keys
                    .enumerate()
                    .filter(|(_, key)| key.is_some_and(|key| self.tree.text_of(key) == Some(name)));
                named.map(|(position, _)| position).collect()
            }
            _ => Vec::new(),
        };
        match Items::of_display(self.tree, list) {
            Some(items) if !gone.is_empty() => self.edits.extend(items.remove(&gone)),
            _ => {
                let reason = format!("`{name}` is named by `{}`", self.source_of(list));
                return Err(Refused::at(place.clone(), reason));
            }
        }
        Ok(())
    }

    fn remove_interrupts(&mut self, name: &str) -> Done {
        for (list, place) in self.interrupts(name)? {
            self.remove_names(list, name, &place)?;
        }
        Ok(())
    }

    /// The lists of `interrupt_before=` and `interrupt_after=` that name a node.
    pub fn interrupts(&self, name: &str) -> Result<Vec<(&'a Expr, Range<usize>)>, Refused> {
        let mut lists = Vec::new();
        let mut seen = Vec::new();
        for compile in self.compiles() {
            let Some(span) = compile.span.filter(|span| !seen.contains(span)) else { continue };
            seen.push(span);
            let named = [
                ("interrupt_before", &compile.interrupt_before),
                ("interrupt_after", &compile.interrupt_after),
            ];
            for (keyword, _) in named.iter().filter(|(_, names)| names.iter().any(|n| n == name)) {
                let place = range_of_span(&span);
                let site = self.sole_compile(&span)?;
                let Some(list) = site.call.arguments.find_keyword(keyword) else {
                    return Err(Refused::at(place, format!("`{keyword}` is not written out")));
                };
                lists.push((&list.value, place));
            }
        }
        Ok(lists)
    }

    fn sole_compile(&self, span: &weaver_core::Span) -> Result<Site<'a>, Refused> {
        let place = range_of_span(span);
        let site = self.tree.site(span).filter(|site| site.repeated.is_none());
        site.ok_or_else(|| Refused::at(place, "the graph is not compiled by a call of its own"))
    }

    /// All ways in which the graph is compiled.
    fn compiles(&self) -> impl Iterator<Item = &CompileSpec> {
        let own = std::iter::once(&self.graph.compile).chain(self.graph.variants.values());
        let all = self.tree.spec.graphs.iter().flat_map(|graph| &graph.nodes);
        let nested = all.filter_map(|node| match &node.kind {
            NodeKind::Subgraph { graph, compile } if *graph == self.graph.name => Some(compile),
            _ => None,
        });
        own.chain(nested)
    }

    /// Takes a function of the module out, if nothing reads its name but what goes.
    fn remove_function(&mut self, id: &str) {
        let body = &self.tree.module.body;
        let found = body
            .iter()
            .find_map(|stmt| stmt.as_function_def_stmt().filter(|def| def.name.as_str() == id));
        if let Some(def) = found
            && self.tree.loads(id) == 1
        {
            let lines = style::function_lines(self.tree.text, range_of(def));
            self.replace(lines, "");
        }
    }
}

/// Functions that run or decide at a node.
pub(super) fn functions_at<'g>(graph: &'g GraphSpec, source: &str) -> Vec<&'g str> {
    let nodes = graph.nodes.iter().filter(|node| node.name == source);
    let nodes = nodes.filter_map(|node| match &node.kind {
        NodeKind::Function { id } => Some(id.as_str()),
        _ => None,
    });
    let branches = graph.branches.iter().filter(|branch| branch.source == source);
    let deciders = branches.filter_map(|branch| match &branch.decider {
        Decider::Function(id) => Some(id.as_str()),
        _ => None,
    });
    nodes.chain(deciders).collect()
}
