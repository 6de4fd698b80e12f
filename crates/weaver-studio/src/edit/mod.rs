//! Edits of a graph as edits of its text: [`edit`].
//!
//! Each [`Operation`] becomes the fewest [`TextEdit`]s, in the style of what stands
//! around: quotes, indentation, line ends, chained calls. All other bytes stay. What a
//! sure edit of the text cannot do, such as removing a node that is added in a loop, is
//! refused with its place.
//!
//! The text between two edits is never looked at as anything but Python: the places
//! come from the [`FileSpec`] and the syntax tree, and what came of an operation is
//! read again and compared with what was asked before it is handed out.

mod operation;
mod splice;

mod branches;
mod edges;
mod field_names;
mod field_reads;
mod fields;
mod flow;
mod functions;
mod guard;
mod items;
mod keys;
mod leftovers;
mod lines;
mod nodes;
mod rename;
mod settings;
mod statements;
pub(crate) mod style;
mod templates;
mod tree;
mod typed_routes;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ruff_python_ast::{Expr, Stmt};
use weaver_core::spec::{END, FileSpec, GraphSpec, START};
use weaver_core::value::Map;
use weaver_core::{LineIndex, Span, Value};

pub use operation::{NewNode, Operation};
pub use splice::{TextEdit, splice};

use crate::problem::suggestion;
use crate::syntax::range_of;
use tree::{Site, Tree};

/// A text after operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub source: String,
    /// What changed, in bytes of the old text: sorted, not overlapping.
    pub edits: Vec<TextEdit>,
    /// The edits on the new text that give back the old one, byte for byte.
    pub undo: Vec<TextEdit>,
}

/// An operation that a sure edit of the text cannot do. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Position of the operation in the list.
    pub operation: usize,
    /// The field of the operation that is in the way; empty for the whole operation.
    pub field: &'static str,
    /// Why, in one sentence, with the line where there is one.
    pub message: String,
    /// What in the text is in the way. In the text as it is after the operations before
    /// this one.
    pub span: Option<Span>,
    /// What would do.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for Refusal {}

/// Does operations, one after the other, on a graph of a file: by
/// [`GraphSpec::name`], which may be left out where the file has just one.
pub fn edit(
    source: &str,
    graph: Option<&str>,
    operations: &[Operation],
) -> Result<Edited, Refusal> {
    let mut text = source.to_string();
    let mut pieces = splice::Pieces::new(source.len());
    for (index, operation) in operations.iter().enumerate() {
        for step in steps(operation) {
            let edits =
                one(&text, graph, &step).map_err(|refused| refused.refusal(index, &text))?;
            pieces.apply(&edits);
            text = splice(&text, &edits);
        }
    }
    let edits = pieces.edits(source.len());
    let undo = splice::undo(source, &edits);
    Ok(Edited { source: text, edits, undo })
}

/// An operation as several that each touch one thing: settings go one by one, because
/// one that is added and one that is removed may be neighbours.
fn steps(operation: &Operation) -> Vec<Cow<'_, Operation>> {
    match operation {
        Operation::SetNode { name, settings } if settings.len() > 1 => {
            let one = |(setting, value): (&Arc<str>, &Value)| {
                let settings = Map::from_iter([(setting.clone(), value.clone())]);
                Cow::Owned(Operation::SetNode { name: name.clone(), settings })
            };
            settings.iter().map(one).collect()
        }
        _ => vec![Cow::Borrowed(operation)],
    }
}

/// Why an operation is refused.
#[derive(Debug)]
struct Refused {
    field: &'static str,
    reason: String,
    place: Option<Range<usize>>,
    help: String,
}

impl Refused {
    /// Something is wrong with the operation itself.
    fn field(field: &'static str, reason: impl Into<String>, help: impl Into<String>) -> Self {
        Refused { field, reason: reason.into(), place: None, help: help.into() }
    }

    /// Something in the code is in the way.
    fn at(place: Range<usize>, reason: impl Into<String>) -> Self {
        let help = "edit the code there".into();
        Refused { field: "", reason: reason.into(), place: Some(place), help }
    }

    fn refusal(self, operation: usize, text: &str) -> Refusal {
        let lines = LineIndex::new(text);
        let span = self.place.map(|place| crate::problem::span(text, &lines, &place));
        let message = match span {
            Some(span) => format!("{} (line {})", self.reason, span.line),
            None => self.reason,
        };
        Refusal { operation, field: self.field, message, span, help: self.help }
    }
}

type Done = Result<(), Refused>;

/// The edits of one operation.
fn one(text: &str, graph: Option<&str>, operation: &Operation) -> Result<Vec<TextEdit>, Refused> {
    let analysis = crate::parse("edit", text);
    let spec = &analysis.spec;
    if let Some(problem) = spec.problems.iter().find(|problem| problem.code == "syntax_error") {
        let place = problem.span.start as usize..problem.span.end as usize;
        return Err(Refused::at(place, "the file has a syntax error"));
    }
    let index = graph_index(spec, graph)?;
    let Ok(parsed) = ruff_python_parser::parse_module(text) else {
        return Err(Refused::field("", "the file has a syntax error", "mend it first"));
    };
    let tree = Tree::new(text, &parsed, spec);
    let mut editor = Editor::new(&tree, &spec.graphs[index])?;
    editor.operation(operation)?;
    let edits = editor.finish()?;
    let after = crate::parse("edit", &splice(text, &edits));
    guard::check(spec, &after.spec, index, operation)?;
    Ok(edits)
}

fn graph_index(spec: &FileSpec, graph: Option<&str>) -> Result<usize, Refused> {
    let names: Vec<&str> = spec.graphs.iter().map(|graph| graph.name.as_str()).collect();
    match graph {
        Some(wanted) => names.iter().position(|name| *name == wanted).ok_or_else(|| {
            let help = suggestion(wanted, "graph", &names);
            Refused::field("graph", format!("there is no graph `{wanted}`"), help)
        }),
        None if names.len() == 1 => Ok(0),
        None if names.is_empty() => {
            Err(Refused::field("graph", "the file has no graph", "add a `StateGraph`"))
        }
        None => {
            let help = format!("name one of {}", names.join(", "));
            Err(Refused::field("graph", "the file has several graphs", help))
        }
    }
}

/// One operation on one graph.
struct Editor<'t, 'a> {
    tree: &'t Tree<'a>,
    graph: &'t GraphSpec,
    /// The call that makes the builder.
    home: Site<'a>,
    edits: Vec<TextEdit>,
    /// Calls that go.
    gone: Vec<Site<'a>>,
    /// Statements that go with them.
    gone_statements: Vec<(&'a [Stmt], usize)>,
    /// Constants that hold a name which changes, and where each is read.
    constants: Vec<(String, usize)>,
    /// Imports that were put in.
    imports: Vec<String>,
}

impl<'t, 'a> Editor<'t, 'a> {
    fn new(tree: &'t Tree<'a>, graph: &'t GraphSpec) -> Result<Self, Refused> {
        let place = range_of_span(&graph.span);
        let Some(home) = tree.site(&graph.span) else {
            return Err(Refused::at(
                place,
                format!("graph `{}` is not drawn by calls", graph.name),
            ));
        };
        if graph.nodes.iter().any(|node| node.span == graph.span) {
            let reason = format!("graph `{}` is a prebuilt agent", graph.name);
            return Err(Refused::at(place, reason));
        }
        if let Some(repeated) = home.repeated {
            let reason = format!("graph `{}` is made in a loop", graph.name);
            return Err(Refused::at(repeated..place.end, reason));
        }
        if tree.spec.graphs.iter().filter(|other| other.span == graph.span).count() > 1 {
            let reason = format!("the code that makes graph `{}` makes others too", graph.name);
            return Err(Refused::at(place, reason));
        }
        Ok(Editor {
            tree,
            graph,
            home,
            edits: Vec::new(),
            gone: Vec::new(),
            gone_statements: Vec::new(),
            constants: Vec::new(),
            imports: Vec::new(),
        })
    }

    fn operation(&mut self, operation: &Operation) -> Done {
        match operation {
            Operation::AddNode { name, node } => self.add_node(name, node),
            Operation::RemoveNode { name, remove_function } => {
                self.remove_node(name, *remove_function)
            }
            Operation::RenameNode { name, to } => self.rename_node(name, to),
            Operation::SetNode { name, settings } => {
                settings.iter().try_for_each(|(setting, value)| self.set_node(name, setting, value))
            }
            Operation::AddEdge { source, target } => self.add_edge(source, target),
            Operation::RemoveEdge { source, target } => self.remove_edge(source, target),
            Operation::RedirectEdge { source, target, to_source, to_target } => {
                let to_source = to_source.as_ref().unwrap_or(source);
                let to_target = to_target.as_ref().unwrap_or(target);
                self.redirect_edge((source, target), (to_source, to_target))
            }
            Operation::AddCondition { source, function, new_function, routes } => {
                self.add_condition(source, function.as_deref(), new_function.as_deref(), routes)
            }
            Operation::RemoveCondition { source, branch } => {
                self.remove_condition(source, branch.as_deref())
            }
            Operation::AddBranch { source, branch, route, target } => {
                self.add_branch(source, branch.as_deref(), route, target)
            }
            Operation::SetBranch { source, branch, route, to_route, target } => {
                let to = (to_route.as_deref(), target.as_deref());
                self.set_branch(source, branch.as_deref(), route, to)
            }
            Operation::RemoveBranch { source, branch, route } => {
                self.remove_branch(source, branch.as_deref(), route)
            }
            Operation::SetEntry { target } => self.set_entry(target),
            Operation::AddField { schema, name, annotation, reducer } => {
                self.add_field(schema.as_deref(), name, annotation, reducer.as_deref())
            }
            Operation::SetField { schema, name, annotation, reducer } => {
                let reducer = reducer.as_ref().map(Option::as_deref);
                self.set_field(schema.as_deref(), name, annotation.as_deref(), reducer)
            }
            Operation::RenameField { schema, name, to } => {
                self.rename_field(schema.as_deref(), name, to)
            }
            Operation::RemoveField { schema, name } => self.remove_field(schema.as_deref(), name),
        }
    }

    /// All edits, sorted.
    fn finish(mut self) -> Result<Vec<TextEdit>, Refused> {
        self.remove_gone()?;
        splice::sorted(self.edits).ok_or_else(|| {
            let place = range_of_span(&self.graph.span);
            Refused::at(place, "the operation would change the same text in two ways")
        })
    }

    fn is_node(&self, name: &str) -> bool {
        self.graph.nodes.iter().any(|node| node.name == name)
    }

    /// A name must be that of a node, or the given end.
    fn check_end(&self, field: &'static str, name: &str, end: &str) -> Done {
        if name == end || self.is_node(name) {
            return Ok(());
        }
        if name == START || name == END {
            let reason = match field {
                "source" | "to_source" => "an edge cannot leave the exit",
                _ => "an edge cannot go to the entry",
            };
            return Err(Refused::field(field, reason, "choose a node"));
        }
        let names: Vec<&str> = self.graph.nodes.iter().map(|node| node.name.as_str()).collect();
        let help = suggestion(name, "node", &names);
        Err(Refused::field(field, format!("there is no node `{name}`"), help))
    }

    /// The call at a place, if it makes just one thing of one graph.
    fn sole_site(&self, span: &Span, what: &str) -> Result<Site<'a>, Refused> {
        let place = range_of_span(span);
        let Some(site) = self.tree.site(span) else {
            return Err(Refused::at(place, format!("{what} is not made by a call of its own")));
        };
        if let Some(repeated) = site.repeated {
            return Err(Refused::at(repeated..place.end, format!("{what} is made in a loop")));
        }
        if self.uses(span) > 1 {
            return Err(Refused::at(
                place,
                format!("the code that makes {what} runs several times"),
            ));
        }
        Ok(site)
    }

    /// How many things of all graphs come from one place.
    fn uses(&self, span: &Span) -> usize {
        let of = |graph: &GraphSpec| {
            let nodes = graph.nodes.iter().filter(|node| node.span == *span).count();
            let branches = graph.branches.iter().filter(|branch| branch.span == *span).count();
            let edges = graph.edges.iter().filter(|edge| edge.span == *span);
            let mut edges: Vec<_> =
                edges.map(|e| (e.join, e.join.is_none().then_some(e))).collect();
            edges.dedup_by(|a, b| a.0.is_some() && a.0 == b.0);
            let is_sequence = self.tree.site(span).is_some_and(|s| s.method() == "add_sequence");
            match nodes + branches {
                0 if is_sequence => {
                    let mut pairs: Vec<_> = edges.iter().filter_map(|(_, edge)| *edge).collect();
                    let all = pairs.len();
                    pairs.dedup_by(|a, b| (&a.source, &a.target) == (&b.source, &b.target));
                    if all == pairs.len() { 1 } else { 2 }
                }
                0 => edges.len(),
                made => made,
            }
        };
        self.tree.spec.graphs.iter().map(of).sum()
    }

    fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.edits.push(TextEdit::new(range, text));
    }

    fn source_of(&self, expr: &Expr) -> &'a str {
        self.tree.source(range_of(expr))
    }
}

fn range_of_span(span: &Span) -> Range<usize> {
    span.start as usize..span.end as usize
}
