//! Plain edges and joins.

use ruff_python_ast::Expr;
use weaver_core::spec::{END, EdgeKind, EdgeSpec, START};

use super::items::Items;
use super::splice::TextEdit;
use super::tree::Site;
use super::{Done, Editor, Refused, range_of_span};
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

    fn remove_one(&mut self, edge: &EdgeSpec) -> Done {
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
        let position = elts.iter().position(|elt| Self::literal(elt) == Some(source));
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
        let start = items.range(position).end;
        let end = items.range(position + 1).start;
        let text = self.tree.text;
        let between = match site.is_link() {
            true => "]).add_sequence([".to_string(),
            false => {
                let receiver = site.receiver().map(|receiver| self.source_of(receiver));
                let statement = range_of(site.statement).start;
                let break_line = super::lines::line_break(text, statement);
                let indent = super::lines::indent(text, statement);
                let receiver = receiver.unwrap_or_default();
                format!("]){break_line}{indent}{receiver}.add_sequence([")
            }
        };
        self.edits.push(TextEdit::new(start..end, between));
        Ok(())
    }
}
