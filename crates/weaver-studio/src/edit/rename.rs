//! A node's new name in everything that names it.

use ruff_python_ast::Expr;
use weaver_core::spec::{Decider, EdgeKind, EdgeSpec, NodeKind, NodeSpec};

use super::branches::{Branch, Routes};
use super::functions::{NamedNodes, literal_items};
use super::nodes::functions_at;
use super::typed_routes::TypedRoutes;
use super::{Done, Editor, Refused, range_of_span};
use crate::syntax::range_of;

impl<'a> Editor<'_, 'a> {
    pub fn rename_node(&mut self, name: &str, to: &str) -> Done {
        self.node(name)?;
        self.check_new_name("to", to)?;
        for node in self.graph.nodes.clone() {
            if node.name == name {
                self.rename_itself(&node, to)?;
            }
            self.rename_in_node(&node, name, to)?;
        }
        for edge in self.graph.edges.clone() {
            if edge.source == name || edge.target == name {
                self.rename_in_edge(&edge, name, to)?;
            }
        }
        for branch in self.graph.branches.clone() {
            let read = self.read_branch(&branch)?;
            if branch.source == name {
                let Some(source) = read.site.argument(0, "source") else {
                    let place = range_of_span(&branch.span);
                    return Err(Refused::at(place, "the source of a branch is not written out"));
                };
                self.rename_place(source, name, to)?;
            }
            self.rename_routes(&read, &branch.decider, name, to)?;
        }
        for (list, _) in self.interrupts(name)? {
            self.rename_in_list(list, name, to)?;
        }
        self.rename_constants(to)
    }

    fn rename_itself(&mut self, node: &NodeSpec, to: &str) -> Done {
        let what = format!("node `{}`", node.name);
        if let Some((site, items, position)) = self.sequence_item(node) {
            if site.repeated.is_some() {
                return Err(Refused::at(range_of(site.call), format!("{what} is made in a loop")));
            }
            let Some(Expr::List(list)) = site.argument(0, "nodes") else {
                return Err(Refused::at(range_of(site.call), "the sequence is not a list"));
            };
            return match &list.elts[position] {
                Expr::Tuple(tuple) if tuple.elts.len() == 2 => {
                    self.rename_place(&tuple.elts[0], &node.name, to)
                }
                item => {
                    let code = format!("({}, {})", self.text(to), self.source_of(item));
                    self.replace(items.range(position), code);
                    Ok(())
                }
            };
        }
        let site = self.sole_site(&node.span, &what)?;
        let place = range_of(site.call);
        let (Some(first), "add_node") = (site.call.arguments.args.first(), site.method()) else {
            return Err(Refused::at(place, format!("{what} is not added by `add_node`")));
        };
        if site.argument(1, "action").is_some() || self.tree.text_of(first).is_some() {
            return self.rename_place(first, &node.name, to);
        }
        // The function gave the node its name.
        let code = format!("{}, ", self.text(to));
        let start = range_of(first).start;
        self.replace(start..start, code);
        Ok(())
    }

    /// What a node says about where it goes.
    fn rename_in_node(&mut self, node: &NodeSpec, name: &str, to: &str) -> Done {
        let goes = self.graph.edges.iter().any(|edge| {
            edge.source == node.name
                && edge.target == name
                && matches!(edge.kind, EdgeKind::Command | EdgeKind::Send)
        });
        let site = self.tree.site(&node.span).filter(|_| goes);
        let destinations = site.and_then(|s| s.call.arguments.find_keyword("destinations"));
        if let Some(destinations) = destinations {
            self.rename_in_list(&destinations.value, name, to)?;
        }
        match &node.kind {
            NodeKind::Typed(typed) => {
                let changes = TypedRoutes(typed).renamed(name, to)?;
                self.set_settings(node, typed, &changes)
            }
            NodeKind::Function { id } if goes => self.rename_in_function(id, name, to),
            NodeKind::Subgraph { graph, .. } => {
                let graphs = &self.tree.spec.graphs;
                let Some(inner) = graphs.iter().find(|other| other.name == *graph) else {
                    return Ok(());
                };
                for inner_node in &inner.nodes {
                    for id in functions_at(inner, &inner_node.name) {
                        let Some(callable) = self.tree.callable(id) else { continue };
                        for goto in NamedNodes::of(self.tree, callable).parent_gotos {
                            if self.tree.text_of(goto) == Some(name) {
                                self.rename_place(goto, name, to)?;
                            }
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn rename_in_edge(&mut self, edge: &EdgeSpec, name: &str, to: &str) -> Done {
        let Some(site) = self.tree.site(&edge.span) else {
            let place = range_of_span(&edge.span);
            return Err(Refused::at(place, "an edge is not made by a call of its own"));
        };
        let places: [Option<&Expr>; 2] = match (edge.kind, site.method()) {
            (EdgeKind::Plain | EdgeKind::Join, "add_edge") => {
                [site.argument(0, "start_key"), site.argument(1, "end_key")]
            }
            (EdgeKind::Plain, "set_entry_point" | "set_finish_point") => {
                [site.argument(0, "key"), None]
            }
            _ => return Ok(()),
        };
        let what = format!("the edge from `{}` to `{}`", edge.source, edge.target);
        self.sole_site(&edge.span, &what)?;
        let mut found = false;
        for place in places.into_iter().flatten() {
            let items = match place {
                Expr::List(list) => list.elts.as_slice(),
                Expr::Tuple(tuple) => tuple.elts.as_slice(),
                other => std::slice::from_ref(other),
            };
            for item in items.iter().filter(|item| self.tree.text_of(item) == Some(name)) {
                self.rename_place(item, name, to)?;
                found = true;
            }
        }
        match found {
            true => Ok(()),
            false => {
                let reason = format!("{what} does not write the name out");
                Err(Refused::at(range_of_span(&edge.span), reason))
            }
        }
    }

    fn rename_routes(
        &mut self,
        branch: &Branch<'a>,
        decider: &Decider,
        name: &str,
        to: &str,
    ) -> Done {
        let id = match decider {
            Decider::Function(id) => Some(id.as_str()),
            _ => None,
        };
        let sends = self.graph.edges.iter().any(|edge| {
            edge.kind == EdgeKind::Send
                && edge.target == name
                && edge.span.end as usize == branch.site.end()
        });
        let goes = branch.pairs.iter().any(|(_, target)| target == name);
        match &branch.routes {
            _ if !goes && !sends => Ok(()),
            Routes::Dict(Expr::Dict(dict)) => {
                for item in &dict.items {
                    if self.tree.text_of(&item.value) == Some(name) {
                        self.rename_place(&item.value, name, to)?;
                    }
                }
                match id {
                    Some(id) if sends => self.rename_sends(id, name, to),
                    _ => Ok(()),
                }
            }
            Routes::Dict(_) | Routes::Hidden(_) => {
                let reason = format!("the routes of `{}` name `{name}`", branch.name);
                Err(Refused::at(range_of(branch.site.call), reason))
            }
            // Answers are nodes: the function is renamed in too, where all it answers is known.
            Routes::List(list) => {
                self.rename_in_list(list, name, to)?;
                self.rename_answers(branch, id, name, to)
            }
            Routes::Literal(literal) => {
                for item in literal_items(literal) {
                    if self.tree.text_of(item) == Some(name) {
                        self.rename_place(item, name, to)?;
                    }
                }
                self.rename_answers(branch, id, name, to)
            }
            Routes::Open => self.rename_answers(branch, id, name, to),
        }
    }

    fn rename_answers(
        &mut self,
        branch: &Branch<'a>,
        id: Option<&str>,
        name: &str,
        to: &str,
    ) -> Done {
        let place = range_of(branch.site.call);
        let Some(id) = id else {
            return Err(Refused::at(place, format!("`{}` answers `{name}`", branch.name)));
        };
        let complete = self
            .tree
            .callable(id)
            .is_some_and(|callable| NamedNodes::of(self.tree, callable).complete);
        if !complete {
            let reason = format!("what `{id}` answers is only known when it runs");
            return Err(Refused::at(place, reason));
        }
        self.rename_in_function(id, name, to)
    }

    fn rename_sends(&mut self, id: &str, name: &str, to: &str) -> Done {
        let Some(callable) = self.tree.callable(id) else { return Ok(()) };
        let sends = NamedNodes::of(self.tree, callable).sends;
        let named = sends.into_iter().filter(|send| self.tree.text_of(send) == Some(name));
        for send in named.collect::<Vec<_>>() {
            self.rename_place(send, name, to)?;
        }
        Ok(())
    }

    fn rename_in_function(&mut self, id: &str, name: &str, to: &str) -> Done {
        let Some(callable) = self.tree.callable(id) else { return Ok(()) };
        let named = NamedNodes::of(self.tree, callable);
        let annotated = named.command_literals.iter().flat_map(|literal| literal_items(literal));
        let places = named.in_body().chain(annotated);
        let places = places.filter(|place| self.tree.text_of(place) == Some(name));
        for place in places.collect::<Vec<_>>() {
            self.rename_place(place, name, to)?;
        }
        Ok(())
    }

    /// Items of a list, keys of a dict.
    fn rename_in_list(&mut self, list: &'a Expr, name: &str, to: &str) -> Done {
        let items: Vec<&Expr> = match list {
            Expr::List(list) => list.elts.iter().collect(),
            Expr::Tuple(tuple) => tuple.elts.iter().collect(),
            Expr::Set(set) => set.elts.iter().collect(),
            Expr::Dict(dict) => dict.items.iter().filter_map(|item| item.key.as_ref()).collect(),
            Expr::StringLiteral(_) => vec![list],
            _ => Vec::new(),
        };
        let mut found = false;
        for item in items {
            if self.tree.text_of(item) == Some(name) {
                self.rename_place(item, name, to)?;
                found = true;
            }
        }
        match found {
            true => Ok(()),
            false => {
                let reason = format!("`{name}` is named by `{}`", self.source_of(list));
                Err(Refused::at(range_of(list), reason))
            }
        }
    }

    /// One place that names the node: a text, or a constant that is renamed as a whole.
    pub fn rename_place(&mut self, place: &'a Expr, name: &str, to: &str) -> Done {
        let range = range_of(place);
        match place {
            Expr::StringLiteral(text) if text.value.to_str() == name => {
                let code = self.text_like(place, to);
                if !self.edits.iter().any(|edit| edit.start as usize == range.start) {
                    self.replace(range, code);
                }
                Ok(())
            }
            Expr::Name(constant) if self.tree.text_of(place) == Some(name) => {
                if !self.constants.iter().any(|(_, at)| *at == range.start) {
                    self.constants.push((constant.id.to_string(), range.start));
                }
                Ok(())
            }
            _ => {
                let reason = format!("`{}` gives the name of `{name}`", self.source_of(place));
                Err(Refused::at(range, reason))
            }
        }
    }

    /// Constants that hold the name get the new one, if nothing else reads them.
    pub fn rename_constants(&mut self, to: &str) -> Done {
        let mut uses = std::mem::take(&mut self.constants);
        uses.sort();
        for uses in uses.chunk_by(|a, b| a.0 == b.0) {
            let constant = uses[0].0.as_str();
            let Some(literal) = self.tree.constant(constant) else { continue };
            if self.tree.loads(constant) != uses.len() {
                let reason = format!("`{constant}` is used for other things too");
                return Err(Refused::at(range_of(literal), reason));
            }
            let code = self.text_like(literal, to);
            self.replace(range_of(literal), code);
        }
        Ok(())
    }
}
