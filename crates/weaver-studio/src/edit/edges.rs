//! Plain edges and joins.

use std::ops::Range;

use ruff_python_ast::Expr;
use weaver_core::spec::{END, EdgeKind, EdgeSpec, START};

use super::items::Items;
use super::tree::Site;
use super::{Done, Editor, Refused, lines, range_of_span};
use crate::syntax::range_of;

/// Methods of a builder that make edges.
const EDGE_METHODS: [&str; 6] = [
    "add_edge",
    "add_sequence",
    "add_conditional_edges",
    "set_entry_point",
    "set_conditional_entry_point",
    "set_finish_point",
];

impl<'a> Editor<'_, 'a> {
    pub fn add_edge(&mut self, source: &str, target: &str) -> Done {
        self.check_end("source", source, START)?;
        self.check_end("target", target, END)?;
        self.check_free(source, target)?;
        let call = self.edge_call(source, target);
        let anchor = self.edge_anchor()?;
        self.insert_call(&anchor, &call)
    }

    /// Behind the last edge, or behind the last node where there is none.
    pub fn edge_anchor(&self) -> Result<super::statements::Anchor<'a>, Refused> {
        let is_edge = |site: &Site<'a>| EDGE_METHODS.contains(&site.method());
        let has_edges = self.graph.edges.iter().map(|edge| edge.span);
        let mut spans = has_edges.chain(self.graph.branches.iter().map(|branch| branch.span));
        if spans.any(|span| self.tree.site(&span).is_some_and(|site| is_edge(&site))) {
            let anchor = self.anchor(is_edge)?;
            if anchor.place() != self.home.end() {
                return Ok(anchor);
            }
        }
        self.anchor(|_| true)
    }

    /// An edge as a call: with `set_entry_point` where the file has no `START`.
    fn edge_call(&self, source: &str, target: &str) -> String {
        let (from, to) = (self.end(source), self.end(target));
        match (source, target) {
            (START, END) => format!("add_edge({from}, {to})"),
            (START, _) if self.end_name(START).is_none() => format!("set_entry_point({to})"),
            (_, END) if self.end_name(END).is_none() => format!("set_finish_point({from})"),
            _ => format!("add_edge({from}, {to})"),
        }
    }

    fn check_free(&self, source: &str, target: &str) -> Done {
        if self.plain_edges(source, target).next().is_some() {
            let reason = format!("there is an edge from `{source}` to `{target}` already");
            return Err(Refused::field("target", reason, "choose another target"));
        }
        Ok(())
    }

    fn plain_edges<'e>(
        &'e self,
        source: &'e str,
        target: &'e str,
    ) -> impl Iterator<Item = &'e EdgeSpec> {
        self.graph.edges.iter().filter(move |edge| {
            edge.source == source
                && edge.target == target
                && matches!(edge.kind, EdgeKind::Plain | EdgeKind::Join)
        })
    }

    pub fn remove_edge(&mut self, source: &str, target: &str) -> Done {
        let edges: Vec<EdgeSpec> = self.plain_edges(source, target).cloned().collect();
        if edges.is_empty() {
            return Err(self.no_edge(source, target));
        }
        edges.iter().try_for_each(|edge| self.remove_one(edge))
    }

    /// Why there is no plain edge.
    fn no_edge(&self, source: &str, target: &str) -> Refused {
        let drawn = self.graph.edges.iter().find(|e| e.source == source && e.target == target);
        let Some(edge) = drawn else {
            let reason = format!("there is no edge from `{source}` to `{target}`");
            return Refused::field("source", reason, "take one that the graph has");
        };
        let place = range_of_span(&edge.span);
        let (reason, help) = match edge.kind {
            EdgeKind::Conditional => {
                (format!("the arrow from `{source}` to `{target}` is a route"), "change the route")
            }
            _ => (
                format!("`{source}` itself says that it goes to `{target}`"),
                "edit the function's code",
            ),
        };
        Refused { help: help.into(), ..Refused::at(place, reason) }
    }

    /// Moves an edge. What is no call of its own is taken out and added anew.
    pub fn redirect_edge(&mut self, (source, target): (&str, &str), to: (&str, &str)) -> Done {
        let edges: Vec<EdgeSpec> = self.plain_edges(source, target).cloned().collect();
        let [edge] = edges.as_slice() else {
            return Err(match edges.is_empty() {
                true => self.no_edge(source, target),
                false => {
                    let reason = format!("there are several edges from `{source}` to `{target}`");
                    Refused::field("source", reason, "remove one of them first")
                }
            });
        };
        self.check_end("to_source", to.0, START)?;
        self.check_end("to_target", to.1, END)?;
        if to == (source, target) {
            return Ok(());
        }
        self.check_free(to.0, to.1)?;
        let what = format!("the edge from `{source}` to `{target}`");
        let site = self.sole_site(&edge.span, &what)?;
        match site.method() {
            "add_edge" if edge.kind == EdgeKind::Join => self.redirect_join(&site, edge, to, &what),
            "add_edge" => {
                for (at, key, old, new) in
                    [(0, "start_key", source, to.0), (1, "end_key", target, to.1)]
                {
                    if let Some(end) = site.argument(at, key).filter(|_| old != new) {
                        self.replace_end(end, new);
                    }
                }
                Ok(())
            }
            "set_entry_point" if to.0 == START && to.1 != END => self.redirect_sole(&site, to.1),
            "set_finish_point" if to.1 == END && to.0 != START => self.redirect_sole(&site, to.0),
            "set_entry_point" | "set_finish_point" if site.receiver().is_some() => {
                let name = match &*site.call.func {
                    Expr::Attribute(attribute) => range_of(&attribute.attr).start,
                    _ => range_of(site.call).start,
                };
                let call = format!("add_edge({}, {})", self.end(to.0), self.end(to.1));
                self.replace(name..site.end(), call);
                Ok(())
            }
            "add_sequence" => {
                self.remove_one(edge)?;
                let call = self.edge_call(to.0, to.1);
                let anchor = self.edge_anchor()?;
                self.insert_call(&anchor, &call)
            }
            _ => self.remove_one(edge),
        }
    }

    fn redirect_sole(&mut self, site: &Site<'a>, to: &str) -> Done {
        if let Some(key) = site.argument(0, "key") {
            self.replace_end(key, to);
        }
        Ok(())
    }

    fn redirect_join(
        &mut self,
        site: &Site<'a>,
        edge: &EdgeSpec,
        to: (&str, &str),
        what: &str,
    ) -> Done {
        let place = range_of(site.call);
        if to.0 == START {
            let reason = format!("{what} is one of a join, which waits for nodes");
            return Err(Refused::at(place, reason));
        }
        let (Some(sources), Some(target)) =
            (site.argument(0, "start_key"), site.argument(1, "end_key"))
        else {
            return Err(Refused::at(place, format!("the ends of {what} are not written out")));
        };
        if to.1 != edge.target {
            let others = self.graph.edges.iter().filter(|e| e.join == edge.join).count();
            if others > 1 {
                let reason = format!("{what} is one of a join: its target is that of all of them");
                let help = "remove the edge from the join and add another one".into();
                return Err(Refused { help, ..Refused::at(place, reason) });
            }
            self.replace_end(target, to.1);
        }
        if to.0 != edge.source {
            let (items, position) = self.join_item(sources, &edge.source, what)?;
            let code = self.end(to.0);
            self.replace(items.range(position), code);
        }
        Ok(())
    }

    /// Writes another end in the place of one.
    pub fn replace_end(&mut self, old: &Expr, name: &str) {
        let written = match self.end_name(name) {
            Some(known) => known.to_string(),
            None if old.is_string_literal_expr() => self.text_like(old, name),
            None => self.text(name),
        };
        self.replace(range_of(old), written);
    }

    /// Makes a node the first one.
    pub fn set_entry(&mut self, target: &str) -> Done {
        self.check_end("target", target, "")?;
        if let Some(branch) = self.graph.branches.iter().find(|branch| branch.source == START) {
            let reason = format!("`{}` decides where the graph begins", branch.name);
            let help = "change its routes, or remove the condition".into();
            return Err(Refused { help, ..Refused::at(range_of_span(&branch.span), reason) });
        }
        let entries = self.graph.edges.iter().filter(|edge| edge.source == START);
        let mut entries: Vec<String> = entries.map(|edge| edge.target.clone()).collect();
        entries.dedup();
        let kept = entries.iter().position(|entry| entry == target);
        for (at, entry) in entries.iter().enumerate().filter(|(at, _)| Some(*at) != kept) {
            match kept.is_none() && at == 0 {
                true => self.redirect_edge((START, entry), (START, target))?,
                false => self.remove_edge(START, entry)?,
            }
        }
        if entries.is_empty() {
            self.add_edge(START, target)?;
        }
        Ok(())
    }

    pub fn remove_one(&mut self, edge: &EdgeSpec) -> Done {
        let what = format!("the edge from `{}` to `{}`", edge.source, edge.target);
        let site = self.sole_site(&edge.span, &what)?;
        match site.method() {
            "set_entry_point" | "set_finish_point" => self.remove_call(site),
            "add_edge" => match site.argument(0, "start_key") {
                Some(sources) if edge.kind == EdgeKind::Join => {
                    let group = self.graph.edges.iter().filter(|e| e.join == edge.join);
                    if group.count() == 1 {
                        self.remove_call(site);
                        return Ok(());
                    }
                    let (items, position) = self.join_item(sources, &edge.source, &what)?;
                    self.edits.extend(items.remove(&[position]));
                }
                _ => self.remove_call(site),
            },
            "add_sequence" => self.split_sequence(&site, edge)?,
            _ => {
                let place = range_of_span(&edge.span);
                let help = "change the node's settings".into();
                return Err(Refused {
                    help,
                    ..Refused::at(place, format!("{what} comes from a setting of a node"))
                });
            }
        }
        Ok(())
    }

    /// The item of a join's list that names a source.
    fn join_item(
        &self,
        sources: &'a Expr,
        source: &str,
        what: &str,
    ) -> Result<(Items<'a>, usize), Refused> {
        let not_written =
            || Refused::at(range_of(sources), format!("the sources of {what} are not written out"));
        let elts = match sources {
            Expr::List(list) => &list.elts,
            Expr::Tuple(tuple) => &tuple.elts,
            Expr::Set(set) => &set.elts,
            _ => return Err(not_written()),
        };
        let position = elts.iter().position(|elt| self.tree.text_of(elt) == Some(source));
        let items = Items::of_display(self.tree, sources);
        items.zip(position).ok_or_else(not_written)
    }

    /// Ends a sequence behind an edge's source and begins another one at its target.
    fn split_sequence(&mut self, site: &Site<'a>, edge: &EdgeSpec) -> Done {
        let place = range_of(site.call);
        let reason = "the sequence is not written out as a list";
        let Some(list) = site.argument(0, "nodes").filter(|list| list.is_list_expr()) else {
            return Err(Refused::at(place, reason));
        };
        let Some(items) = Items::of_display(self.tree, list) else {
            return Err(Refused::at(place, reason));
        };
        let edges: Vec<&EdgeSpec> =
            self.graph.edges.iter().filter(|other| other.span == edge.span).collect();
        let position = edges.iter().position(|other| other.target == edge.target);
        let Some(position) = position.filter(|_| edges.len() + 1 == items.len()) else {
            return Err(Refused::at(place, reason));
        };
        if site.call.arguments.args.len() != 1 || !site.call.arguments.keywords.is_empty() {
            return Err(Refused::at(place, reason));
        }
        self.cut_sequence(site, items.range(position).end..items.range(position + 1).start);
        Ok(())
    }

    /// Puts the end of one sequence and the beginning of another in the place of what
    /// stands between two items.
    pub fn cut_sequence(&mut self, site: &Site<'a>, between: Range<usize>) {
        let text = self.tree.text;
        let cut = match site.is_link() {
            true => "]).add_sequence([".to_string(),
            false => {
                let receiver = site.receiver().map(|receiver| self.source_of(receiver));
                let statement = range_of(site.statement).start;
                let break_line = lines::line_break(text, statement);
                let indent = lines::indent(text, statement);
                let receiver = receiver.unwrap_or_default();
                format!("]){break_line}{indent}{receiver}.add_sequence([")
            }
        };
        self.replace(between, cut);
    }
}
