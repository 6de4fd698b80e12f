//! Conditional edges and their routes.

use ruff_python_ast::Expr;
use weaver_core::Value;
use weaver_core::spec::{BranchSpec, Decider, END, EdgeKind, GraphSpec, NodeKind, NodeSpec, START};
use weaver_core::value::Map;

use super::functions::{NamedNodes, literal_items};
use super::items::Items;
use super::tree::Site;
use super::{Done, Editor, Refused, range_of_span, style};
use crate::problem::suggestion;
use crate::syntax::range_of;

/// How a branch writes its routes.
pub(super) enum Routes<'a> {
    /// A dict from answers to nodes.
    Dict(&'a Expr),
    /// A list of nodes that are the answers too.
    List(&'a Expr),
    /// `Literal[...]`, by which the function says what it answers.
    Literal(&'a ruff_python_ast::ExprSubscript),
    /// Not at all: the function's answers are nodes.
    Open,
    /// Some other way; why it cannot be changed.
    Hidden(String),
}

/// A branch with its call.
pub(super) struct Branch<'a> {
    pub name: String,
    pub site: Site<'a>,
    pub routes: Routes<'a>,
    /// Answers and nodes, in order.
    pub pairs: Vec<(Value, String)>,
}

impl<'a> Branch<'a> {
    fn position(&self, route: &str) -> Option<usize> {
        self.pairs.iter().position(|(key, _)| label(key) == route)
    }
}

impl<'a> Editor<'_, 'a> {
    pub fn add_condition(
        &mut self,
        source: &str,
        function: Option<&str>,
        new_function: Option<&str>,
        routes: &Map,
    ) -> Done {
        self.check_end("source", source, START)?;
        let mut pairs = Vec::new();
        for (route, target) in routes {
            let Some(target) = target.as_str() else {
                return Err(Refused::field("routes", "a route's target is text", "name a node"));
            };
            self.check_end("routes", target, END)?;
            pairs.push((Value::str(route.clone()), target.to_string()));
        }
        let Some((first, _)) = pairs.first() else {
            return Err(Refused::field("routes", "a condition needs a route", "give one"));
        };
        let anchor = self.edge_anchor()?;
        let decider = match (function, new_function) {
            (Some(name), None) => {
                self.check_function(name, anchor.place())?;
                name
            }
            (None, Some(name)) => {
                let answer = first.as_str().map(|text| self.text(text)).unwrap_or_default();
                self.insert_function(name, "str", &format!("return {answer}"))?;
                name
            }
            _ => {
                let help = "give just one of them";
                return Err(Refused::field("function", "`function` or `new_function`", help));
            }
        };
        let known = self.graph.branches.iter().find(|b| b.source == source && b.name == decider);
        if let Some(known) = known {
            let reason = format!("`{decider}` decides at `{source}` already");
            let help = "add routes to it".into();
            return Err(Refused { help, ..Refused::at(range_of_span(&known.span), reason) });
        }
        let map = self.map(&pairs);
        let call = match source {
            START if self.end_name(START).is_none() => {
                format!("set_conditional_entry_point({decider}, {map})")
            }
            _ => format!("add_conditional_edges({}, {decider}, {map})", self.end(source)),
        };
        self.insert_call(&anchor, &call)
    }

    pub fn remove_condition(&mut self, source: &str, branch: Option<&str>) -> Done {
        let branch = self.branch(source, branch)?;
        self.remove_call(branch.site);
        Ok(())
    }

    pub fn add_branch(
        &mut self,
        source: &str,
        branch: Option<&str>,
        route: &str,
        target: &str,
    ) -> Done {
        self.check_end("target", target, END)?;
        if let Some(node) = self.deciding_node(source, branch) {
            return self.change_typed(&node, |typed| typed.add(route, target));
        }
        let mut branch = self.branch(source, branch)?;
        if branch.position(route).is_some() {
            let reason = format!("there is a route `{route}` already");
            return Err(Refused::field("route", reason, "choose another answer"));
        }
        let key = key_like(route, &branch.pairs);
        match &branch.routes {
            Routes::Dict(map) => {
                let items = self.items(map, &branch)?;
                let code = self.entry(&key, target);
                self.edits.extend(items.append(&code));
                return Ok(());
            }
            Routes::List(list) if route == target => {
                let items = self.items(list, &branch)?;
                let code = self.end(target);
                self.edits.extend(items.append(&code));
                return Ok(());
            }
            Routes::Literal(literal) if route == target => {
                if let Some(items) = Items::of_subscript(self.tree, literal) {
                    let code = self.text(target);
                    self.edits.extend(items.append(&code));
                    return Ok(());
                }
            }
            _ => {}
        }
        branch.pairs.push((key, target.to_string()));
        self.write_map(&branch)
    }

    pub fn set_branch(
        &mut self,
        source: &str,
        branch: Option<&str>,
        route: &str,
        (to_route, to_target): (Option<&str>, Option<&str>),
    ) -> Done {
        if let Some(target) = to_target {
            self.check_end("target", target, END)?;
        }
        if let Some(node) = self.deciding_node(source, branch) {
            return self.change_typed(&node, |typed| typed.set(route, to_route, to_target));
        }
        let mut branch = self.branch(source, branch)?;
        let position = self.route(&branch, route)?;
        if let Some(to_route) = to_route.filter(|to| *to != route)
            && branch.position(to_route).is_some()
        {
            let reason = format!("there is a route `{to_route}` already");
            return Err(Refused::field("to_route", reason, "choose another answer"));
        }
        let others: Vec<_> = branch.pairs.clone();
        let pair = &mut branch.pairs[position];
        if let Some(to_route) = to_route {
            pair.0 = key_like(to_route, &others);
        }
        if let Some(target) = to_target {
            pair.1 = target.to_string();
        }
        let (key, target) = pair.clone();
        match &branch.routes {
            Routes::Dict(Expr::Dict(dict)) if dict.items.len() == branch.pairs.len() => {
                let item = &dict.items[position];
                if let (Some(expr), Some(_)) = (&item.key, to_route) {
                    let written = match (&key, expr) {
                        (Value::Str(text), Expr::StringLiteral(_)) => self.text_like(expr, text),
                        _ => self.key(&key),
                    };
                    self.replace(range_of(expr), written);
                }
                if to_target.is_some() {
                    self.replace_end(&item.value, &target);
                }
                Ok(())
            }
            Routes::List(list) if key.as_str() == Some(&target) => {
                let items = self.items(list, &branch)?;
                let code = self.end(&target);
                self.replace(items.range(position), code);
                Ok(())
            }
            _ => self.write_map(&branch),
        }
    }

    pub fn remove_branch(&mut self, source: &str, branch: Option<&str>, route: &str) -> Done {
        if let Some(node) = self.deciding_node(source, branch) {
            return self.change_typed(&node, |typed| typed.remove(route));
        }
        let branch = self.branch(source, branch)?;
        let position = self.route(&branch, route)?;
        self.remove_routes(&branch, &[position])
    }

    /// Takes routes out; with the last one the call goes.
    pub fn remove_routes(&mut self, branch: &Branch<'a>, gone: &[usize]) -> Done {
        match &branch.routes {
            Routes::Open | Routes::Hidden(_) => return Err(self.in_code(branch)),
            _ if gone.len() == branch.pairs.len() => self.remove_call(branch.site),
            Routes::Dict(map) | Routes::List(map) => {
                let items = self.items(map, branch)?;
                self.edits.extend(items.remove(gone));
            }
            Routes::Literal(literal) => {
                let Some(items) = Items::of_subscript(self.tree, literal) else {
                    return Err(self.in_code(branch));
                };
                self.edits.extend(items.remove(gone));
            }
        }
        Ok(())
    }

    fn in_code(&self, branch: &Branch<'a>) -> Refused {
        let reason = match &branch.routes {
            Routes::Hidden(reason) => reason.clone(),
            _ => format!("`{}` itself answers where to go", branch.name),
        };
        Refused::at(range_of(branch.site.call), reason)
    }

    /// A branch of a source by its name.
    pub fn branch(&self, source: &str, name: Option<&str>) -> Result<Branch<'a>, Refused> {
        let all: Vec<&BranchSpec> = self
            .graph
            .branches
            .iter()
            .filter(|b| b.source == source && name.is_none_or(|name| b.name == name))
            .collect();
        match all.as_slice() {
            [branch] => self.read_branch(branch),
            [] => {
                self.check_end("source", source, START)?;
                let reason = format!("`{source}` has no such branch");
                Err(Refused::field("branch", reason, "add a condition first"))
            }
            _ => {
                let names: Vec<&str> = all.iter().map(|branch| branch.name.as_str()).collect();
                let help = format!("name one of {}", names.join(", "));
                Err(Refused::field("branch", format!("`{source}` has several branches"), help))
            }
        }
    }

    /// A branch with the place of its routes.
    pub fn read_branch(&self, branch: &BranchSpec) -> Result<Branch<'a>, Refused> {
        let what = format!("the branch `{}` at `{}`", branch.name, branch.source);
        let site = self.sole_site(&branch.span, &what)?;
        let at = if site.method() == "set_conditional_entry_point" { 1 } else { 2 };
        let found = branch.path_map.clone();
        let pairs = found.unwrap_or_else(|| {
            let edges = self
                .graph
                .edges
                .iter()
                .filter(|edge| edge.span == branch.span && edge.kind == EdgeKind::Conditional);
            edges.map(|edge| (Value::str(edge.target.as_str()), edge.target.clone())).collect()
        });
        let routes = match (site.argument(at, "path_map"), &branch.decider) {
            (Some(map), _) => self.written_map(map, pairs.len()),
            (None, Decider::Function(id)) if branch.path_map.is_some() => {
                self.annotated(id, &pairs)
            }
            (None, Decider::Function(_)) => Routes::Open,
            (None, Decider::ToolsCondition) => {
                Routes::Hidden("`tools_condition` only goes to `tools` and to the exit".into())
            }
            (None, Decider::ToolCalls { .. }) => {
                Routes::Hidden("a prebuilt agent only goes to its tools and to its end".into())
            }
            (None, Decider::Dynamic(reason)) => Routes::Hidden(reason.clone()),
        };
        Ok(Branch { name: branch.name.clone(), site, routes, pairs })
    }

    /// Routes that are written in the call, or in a variable that only it uses.
    fn written_map(&self, map: &'a Expr, count: usize) -> Routes<'a> {
        let written = match map {
            Expr::Name(name) if self.tree.loads(&name.id) == 1 => {
                self.tree.constant(&name.id).unwrap_or(map)
            }
            _ => map,
        };
        match written {
            Expr::Dict(dict) if dict.items.len() == count => Routes::Dict(written),
            Expr::List(list) if list.elts.len() == count => Routes::List(written),
            Expr::Tuple(tuple) if tuple.elts.len() == count && tuple.parenthesized => {
                Routes::List(written)
            }
            _ => Routes::Hidden(format!("the routes are `{}`", self.source_of(map))),
        }
    }

    fn annotated(&self, id: &str, pairs: &[(Value, String)]) -> Routes<'a> {
        let hidden = |why: &str| Routes::Hidden(format!("the answers of `{id}` {why}"));
        let Some(callable) = self.tree.callable(id) else { return hidden("are not in the file") };
        let named = NamedNodes::of(self.tree, callable);
        match named.literals.as_slice() {
            _ if named.hidden_annotation => hidden("are annotated elsewhere"),
            _ if self.users(id) > 1 => hidden("decide other branches too"),
            [literal] if literal_items(literal).len() == pairs.len() => Routes::Literal(literal),
            _ => hidden("are annotated in several places"),
        }
    }

    /// How many nodes and branches of all graphs use a function.
    pub fn users(&self, id: &str) -> usize {
        let used = |graph: &GraphSpec| {
            let branches = graph.branches.iter();
            let deciders = branches.filter(|b| b.decider == Decider::Function(id.to_string()));
            let nodes = graph
                .nodes
                .iter()
                .filter(|node| matches!(&node.kind, NodeKind::Function { id: used } if used == id));
            deciders.count() + nodes.count()
        };
        self.tree.spec.graphs.iter().map(used).sum()
    }

    fn route(&self, branch: &Branch<'a>, route: &str) -> Result<usize, Refused> {
        branch.position(route).ok_or_else(|| {
            let labels: Vec<String> = branch.pairs.iter().map(|(key, _)| label(key)).collect();
            let known: Vec<&str> = labels.iter().map(String::as_str).collect();
            let reason = format!("there is no route `{route}`");
            Refused::field("route", reason, suggestion(route, "route", &known))
        })
    }

    fn items(&self, map: &Expr, branch: &Branch<'a>) -> Result<Items<'a>, Refused> {
        Items::of_display(self.tree, map).ok_or_else(|| self.in_code(branch))
    }

    /// Writes all routes as a dict in the call.
    fn write_map(&mut self, branch: &Branch<'a>) -> Done {
        let map = self.map(&branch.pairs);
        match &branch.routes {
            Routes::Dict(old) | Routes::List(old) => self.replace(range_of(*old), map),
            Routes::Hidden(_) => return Err(self.in_code(branch)),
            Routes::Literal(_) | Routes::Open => {
                let unknown = self.graph.dynamic.iter().any(|dynamic| {
                    range_of_span(&dynamic.span) == {
                        let end = branch.site.end();
                        let known = self.graph.branches.iter().find(|b| b.span.end as usize == end);
                        known.map_or(0..0, |b| range_of_span(&b.span))
                    }
                });
                if unknown && matches!(branch.routes, Routes::Open) {
                    return Err(self.in_code(branch));
                }
                let arguments = &branch.site.call.arguments;
                let items = Items::of_arguments(self.tree, arguments);
                let argument = match arguments.keywords.is_empty() {
                    true => map,
                    false => format!("path_map={map}"),
                };
                self.edits.extend(items.append(&argument));
            }
        }
        Ok(())
    }

    fn map(&self, pairs: &[(Value, String)]) -> String {
        let entries: Vec<String> =
            pairs.iter().map(|(key, target)| self.entry(key, target)).collect();
        format!("{{{}}}", entries.join(", "))
    }

    fn entry(&self, key: &Value, target: &str) -> String {
        format!("{}: {}", self.key(key), self.end(target))
    }

    fn key(&self, key: &Value) -> String {
        match key {
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::Str(text) => match &**text {
                END => self.end(END),
                text => style::quoted(text, self.quote()),
            },
            other => other.to_json(),
        }
    }

    /// The typed node that decides at a source, if no function does.
    fn deciding_node(&self, source: &str, branch: Option<&str>) -> Option<NodeSpec> {
        let has_branch = self.graph.branches.iter().any(|branch| branch.source == source);
        let node = self.graph.nodes.iter().find(|node| node.name == source)?;
        let is_typed = matches!(node.kind, NodeKind::Typed(_));
        (is_typed && branch.is_none() && !has_branch).then(|| node.clone())
    }
}

/// An answer as it is drawn on the arrow.
pub(super) fn label(key: &Value) -> String {
    match key {
        Value::Str(text) => text.to_string(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_json(),
    }
}

/// An answer of the type of the others.
fn key_like(route: &str, pairs: &[(Value, String)]) -> Value {
    let all = |is: fn(&Value) -> bool| !pairs.is_empty() && pairs.iter().all(|(key, _)| is(key));
    match route {
        "True" if all(|key| key.as_bool().is_some()) => Value::Bool(true),
        "False" if all(|key| key.as_bool().is_some()) => Value::Bool(false),
        _ => match route.parse::<i64>() {
            Ok(int) if all(|key| key.as_int().is_some()) => Value::Int(int),
            _ => Value::str(route),
        },
    }
}
