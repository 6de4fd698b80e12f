//! A field's new name in everything that reads or writes it.
//!
//! The key of a state is text in many places, and most texts are no keys. So it is
//! followed from where it surely is one: the state that nodes and deciders are called
//! with, what they answer, what a compiled graph is given. Where a value with the key goes
//! somewhere that the file does not show, the new name is refused with that place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Parameters, Stmt, StmtFunctionDef};
use weaver_core::spec::{Decider, FileSpec, GraphSpec, NodeKind, NodeSpec, SchemaKind, SchemaSpec};

use super::keys::{Callee, Handed, Question, Uses, uses, uses_of};
use super::leftovers;
use super::tree::{Callable, Tree};
use super::{Done, Editor, Refused, range_of_span, style};
use crate::eval::outcome::type_head;
use crate::syntax::range_of;

/// Parameters that the engine fills by their names.
const FILLED: [&str; 7] = ["self", "cls", "config", "runtime", "store", "writer", "previous"];

impl<'a> Editor<'_, 'a> {
    pub fn rename_field(&mut self, schema: Option<&str>, name: &str, to: &str) -> Done {
        let (spec, _) = self.schema(schema)?;
        if !spec.fields.iter().any(|field| field.name == name) {
            self.field(schema, name)?;
        }
        if !style::is_identifier(to) {
            let reason = format!("`{to}` is no Python name");
            return Err(Refused::field("to", reason, "use letters, digits and `_`"));
        }
        let shared = Shared::of(self.tree.spec, spec, name);
        shared.check(self.tree.spec, spec, to)?;
        self.rename_declarations(&shared, name, to)?;
        let mut walk = Walk::new(self.tree, &shared, name, to);
        for graph in &shared.graphs {
            for node in &graph.nodes {
                walk.node(node)?;
                if let NodeKind::Typed(typed) = &node.kind {
                    self.rename_in_settings(node, typed, name, to)?;
                }
            }
            walk.deciders(graph)?;
        }
        let (keys, names) = walk.finish()?;
        for key in keys {
            self.rename_place(key, name, to)?;
        }
        for place in names {
            self.replace(place, to);
        }
        self.rename_constants(to)
    }

    /// Renames the field in the classes that declare it; what else they do with it is in
    /// the way.
    fn rename_declarations(&mut self, shared: &Shared<'_>, name: &str, to: &str) -> Done {
        let spec = self.tree.spec;
        let before = self.edits.len();
        for schema in spec.schemas.iter().filter(|s| shared.classes.contains(&s.name)) {
            let place = range_of_span(&schema.span);
            let Some(class) = self.tree.classes.iter().find(|c| range_of(**c) == place) else {
                continue;
            };
            let mut declared = None;
            for field in class.body.iter().filter_map(Stmt::as_ann_assign_stmt) {
                if field.target.as_name_expr().is_some_and(|target| target.id.as_str() == name) {
                    declared = Some(range_of(&*field.target));
                }
            }
            let Some(declared) = declared else { continue };
            if let Some(other) = leftovers::in_class(class, name, &declared) {
                let reason = format!("the class `{}` uses `{name}` here", schema.name);
                return Err(Refused::at(other, reason));
            }
            self.replace(declared, to);
        }
        match self.edits.len() > before {
            true => Ok(()),
            false => {
                let reason = format!("`{name}` is declared outside this file");
                Err(Refused::at(range_of_span(&self.graph.span), reason))
            }
        }
    }
}

/// All that has a field in common: graphs that read and write one another's state by the
/// names of its keys, and their classes.
struct Shared<'s> {
    graphs: Vec<&'s GraphSpec>,
    classes: BTreeSet<String>,
    /// Variables that hold the graphs, compiled.
    compiled: BTreeSet<String>,
}

impl<'s> Shared<'s> {
    fn of(spec: &'s FileSpec, first: &SchemaSpec, name: &str) -> Self {
        let mut classes = BTreeSet::from([first.name.clone()]);
        let mut graphs: BTreeSet<usize> = BTreeSet::new();
        let has = |graph: &GraphSpec| graph.state.fields.iter().any(|field| field.name == name);
        let field = |schema: &SchemaSpec| {
            schema.fields.iter().find(|field| field.name == name).map(|field| field.span)
        };
        loop {
            let known = (classes.len(), graphs.len());
            // A class that inherits the field has the same place for it.
            let places: BTreeSet<_> = spec
                .schemas
                .iter()
                .filter(|schema| classes.contains(&schema.name))
                .filter_map(field)
                .map(|span| span.start)
                .collect();
            let sharing = spec
                .schemas
                .iter()
                .filter(|schema| field(schema).is_some_and(|span| places.contains(&span.start)));
            classes.extend(sharing.map(|schema| schema.name.clone()));
            for (at, graph) in spec.graphs.iter().enumerate() {
                let nested = |outer: &GraphSpec, inner: &GraphSpec| {
                    outer.nodes.iter().any(|node| {
                        matches!(&node.kind, NodeKind::Subgraph { graph, .. } if *graph == inner.name)
                    })
                };
                let linked = graphs.iter().any(|other| {
                    let other = &spec.graphs[*other];
                    has(graph) && (nested(graph, other) || nested(other, graph))
                });
                if linked || classes_of(graph).any(|class| classes.contains(class)) {
                    graphs.insert(at);
                    let own = classes_of(graph).filter(|class| {
                        let schema = spec.schemas.iter().find(|schema| schema.name == **class);
                        schema.and_then(field).is_some()
                    });
                    classes.extend(own.cloned());
                }
            }
            if known == (classes.len(), graphs.len()) {
                let graphs: Vec<_> = graphs.into_iter().map(|at| &spec.graphs[at]).collect();
                let compiled = graphs.iter().flat_map(|graph| graph.compiled.clone()).collect();
                return Shared { graphs, classes, compiled };
            }
        }
    }

    /// Everything with the field must be known, and none of it may have the new name yet.
    fn check(&self, spec: &FileSpec, first: &SchemaSpec, to: &str) -> Done {
        let Some(graph) = self.graphs.first() else {
            let reason = format!("`{}` is the state of no graph", first.name);
            return Err(Refused::at(range_of_span(&first.span), reason));
        };
        for schema in spec.schemas.iter().filter(|schema| self.classes.contains(&schema.name)) {
            if schema.fields.iter().any(|field| field.name == to) {
                let reason = format!("`{}` has a field `{to}` already", schema.name);
                return Err(Refused::field("to", reason, "choose another name"));
            }
        }
        if let Some(clash) =
            self.graphs.iter().find(|g| g.state.fields.iter().any(|f| f.name == to))
        {
            let reason = format!("the state of `{}` has a field `{to}` already", clash.name);
            return Err(Refused::field("to", reason, "choose another name"));
        }
        let contexts = spec.graphs.iter().filter_map(|graph| graph.context_schema.as_ref());
        if contexts.clone().any(|class| self.classes.contains(class)) {
            let reason = format!("`{}` is the context of a graph too", first.name);
            return Err(Refused::at(range_of_span(&graph.span), reason));
        }
        match self.graphs.iter().find_map(|graph| graph.dynamic.first()) {
            Some(unknown) => {
                let reason = format!("this is only known when it runs: {}", unknown.reason);
                Err(Refused::at(range_of_span(&unknown.span), reason))
            }
            None => Ok(()),
        }
    }

    fn has_attributes(&self, spec: &FileSpec) -> bool {
        let shared = spec.schemas.iter().filter(|schema| self.classes.contains(&schema.name));
        shared.into_iter().any(|s| !matches!(s.kind, SchemaKind::TypedDict | SchemaKind::Messages))
    }
}

/// The classes whose fields are keys of a graph's state.
fn classes_of(graph: &GraphSpec) -> impl Iterator<Item = &String> {
    let own = std::iter::once(&graph.state.schema);
    let ends = graph.input_schema.iter().chain(&graph.output_schema);
    own.chain(ends).chain(graph.nodes.iter().filter_map(|node| node.input_schema.as_ref()))
}

/// A function, and what of it has the keys.
struct Job<'a> {
    callable: Callable<'a>,
    keyed: BTreeSet<String>,
    answers: bool,
    /// It was looked at since something was added.
    done: bool,
}

/// The functions of a file, gone through from where the state comes in.
struct Walk<'t, 'a> {
    tree: &'t Tree<'a>,
    shared: &'t Shared<'t>,
    question: Question<'t>,
    jobs: BTreeMap<usize, Job<'a>>,
    keys: Vec<&'a Expr>,
    names: Vec<Range<usize>>,
}

impl<'t, 'a> Walk<'t, 'a> {
    fn new(tree: &'t Tree<'a>, shared: &'t Shared<'t>, key: &'t str, to: &'t str) -> Self {
        let question = Question {
            key,
            to,
            classes: &shared.classes,
            compiled: &shared.compiled,
            has_attributes: shared.has_attributes(tree.spec),
        };
        let (jobs, keys, names) = (BTreeMap::new(), Vec::new(), Vec::new());
        Walk { tree, shared, question, jobs, keys, names }
    }

    fn node(&mut self, node: &NodeSpec) -> Done {
        let place = || range_of_span(&node.span);
        let policies = &node.policies;
        if let Some(function) = &policies.error_handler {
            self.called(function, place(), true)?;
        }
        if let Some(function) = policies.cache.as_ref().and_then(|cache| cache.key_func.as_ref()) {
            self.called(function, place(), false)?;
        }
        match &node.kind {
            NodeKind::Function { id } => {
                let action = self.tree.site(&node.span).and_then(|site| site.argument(1, "action"));
                let given = action.and_then(Expr::as_call_expr);
                if given.is_some_and(|call| call.arguments.args.len() > 1) {
                    let reason = format!("`{}` is given arguments by position", node.name);
                    return Err(Refused::at(place(), reason));
                }
                self.called(id, place(), true)
            }
            NodeKind::ToolNode { messages_key, .. } if messages_key == self.question.key => {
                Err(Refused::at(place(), format!("`{}` reads `{messages_key}`", node.name)))
            }
            NodeKind::Dynamic { reason } => {
                let reason = format!("what `{}` does is not known: {reason}", node.name);
                Err(Refused::at(place(), reason))
            }
            _ => Ok(()),
        }
    }

    fn deciders(&mut self, graph: &GraphSpec) -> Done {
        for branch in &graph.branches {
            let place = range_of_span(&branch.span);
            match &branch.decider {
                Decider::Function(id) => self.called(id, place, false)?,
                Decider::ToolsCondition | Decider::ToolCalls { .. }
                    if self.question.key != "messages" => {}
                _ => {
                    let reason = format!("what `{}` reads is not known", branch.name);
                    return Err(Refused::at(place, reason));
                }
            }
        }
        Ok(())
    }

    /// The engine calls a function with the state.
    fn called(&mut self, id: &str, place: Range<usize>, answers: bool) -> Done {
        let Some(callable) = self.tree.callable(id) else {
            return Err(Refused::at(place, format!("the code of `{id}` is not in this file")));
        };
        let parameters = names_of(parameters(&callable));
        let state = parameters.into_iter().find(|name| !FILLED.contains(&name.as_str()));
        self.add(callable, state, answers);
        Ok(())
    }

    fn add(&mut self, callable: Callable<'a>, keyed: Option<String>, answers: bool) {
        let fresh = Job { callable, keyed: BTreeSet::new(), answers: false, done: false };
        let job = self.jobs.entry(callable.range().start).or_insert(fresh);
        let known = (job.keyed.len(), job.answers);
        job.keyed.extend(keyed);
        job.answers |= answers;
        job.done &= known == (job.keyed.len(), job.answers);
    }

    /// Goes through all that is called with the state and what that calls, then through
    /// the rest of the file. Gives the places that name the key.
    fn finish(mut self) -> Result<(Vec<&'a Expr>, Vec<Range<usize>>), Refused> {
        let callables = self.tree.callables.clone();
        for callable in callables {
            self.annotated(callable);
        }
        while let Some(job) = self.jobs.values_mut().find(|job| !job.done) {
            job.done = true;
            let (callable, keyed, answers) = (job.callable, job.keyed.clone(), job.answers);
            let found = match callable {
                Callable::Def(def) => {
                    let body: Vec<&Stmt> = def.body.iter().collect();
                    let found = uses(self.tree, self.question, &body, keyed, answers);
                    leftovers::check(&found, &body, self.question)?;
                    found
                }
                Callable::Lambda(lambda) => {
                    uses_of(self.tree, self.question, &lambda.body, keyed, answers)
                }
            };
            self.take(found)?;
        }
        let is_run = |stmt: &&Stmt| !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_));
        let module: Vec<&Stmt> = self.tree.module.body.iter().filter(is_run).collect();
        let found = uses(self.tree, self.question, &module, BTreeSet::new(), false);
        leftovers::check(&found, &module, self.question)?;
        self.take(found)?;
        // A place in a function inside another one was seen from both.
        self.keys.sort_by_key(|key| range_of(*key).start);
        self.keys.dedup_by_key(|key| range_of(*key).start);
        self.names.sort_by_key(|place| place.start);
        self.names.dedup();
        Ok((self.keys, self.names))
    }

    /// A function that says by its annotations that it takes or gives the state; any
    /// other is looked at for commands, and for graphs that it runs.
    fn annotated(&mut self, callable: Callable<'a>) {
        let Callable::Def(def) = callable else { return };
        let classes = &self.shared.classes;
        let mut keyed = Vec::new();
        for parameter in def.parameters.iter().map(|any| any.as_parameter()) {
            let Some(annotation) = &parameter.annotation else { continue };
            let mut names = Annotated { classes, has_class: false, injected: Vec::new() };
            names.visit_expr(annotation);
            if names.has_class {
                keyed.push(parameter.name.to_string());
            }
            let own = |key: &&Expr| self.tree.text_of(key) == Some(self.question.key);
            self.keys.extend(names.injected.into_iter().filter(own));
        }
        let returns = def.returns.as_deref().and_then(Expr::as_name_expr);
        let answers = returns.is_some_and(|class| classes.contains(class.id.as_str()));
        self.add(callable, None, answers);
        for name in keyed {
            self.add(callable, Some(name), answers);
        }
    }

    /// Keeps what was found in a scope, and follows where values with the key go.
    fn take(&mut self, found: Uses<'a>) -> Done {
        if let Some((place, reason)) = found.obstacle {
            return Err(Refused::at(place, reason));
        }
        self.keys.extend(found.keys);
        self.names.extend(found.names);
        for (callee, place) in found.answered {
            let def = self.defined(callee, &place)?;
            self.add(Callable::Def(def), None, true);
        }
        for (callee, handed, place) in found.handed {
            let def = self.defined(callee, &place)?;
            let names = names_of(Some(&def.parameters));
            let skipped = usize::from(matches!(callee, Callee::Method(_)));
            let parameter = match handed {
                Handed::Position(at) => names.get(at + skipped),
                Handed::Keyword(name) => names.iter().find(|known| *known == name),
            };
            let Some(parameter) = parameter.cloned() else {
                return Err(Refused::at(place, "it is not known what this argument becomes"));
            };
            self.add(Callable::Def(def), Some(parameter), false);
        }
        Ok(())
    }

    /// The one function of the file that is called so.
    fn defined(
        &self,
        callee: Callee<'a>,
        place: &Range<usize>,
    ) -> Result<&'a StmtFunctionDef, Refused> {
        let (Callee::Function(name) | Callee::Method(name)) = callee;
        let named = self.tree.callables.iter().filter_map(|callable| match callable {
            Callable::Def(def) if def.name.as_str() == name => Some(*def),
            _ => None,
        });
        let named: Vec<_> = named.collect();
        match named.as_slice() {
            [def] => Ok(def),
            _ => {
                let reason = format!("what `{name}` does with the keys is not known");
                Err(Refused::at(place.clone(), reason))
            }
        }
    }
}

fn parameters<'a>(callable: &Callable<'a>) -> Option<&'a Parameters> {
    match callable {
        Callable::Def(def) => Some(&def.parameters),
        Callable::Lambda(lambda) => lambda.parameters.as_deref(),
    }
}

fn names_of(parameters: Option<&Parameters>) -> Vec<String> {
    let all = parameters
        .into_iter()
        .flat_map(|all| all.posonlyargs.iter().chain(&all.args).chain(&all.kwonlyargs));
    all.map(|parameter| parameter.parameter.name.to_string()).collect()
}

/// What the annotation of a parameter says of the state.
struct Annotated<'c, 'a> {
    classes: &'c BTreeSet<String>,
    /// It is the state, or has one in it.
    has_class: bool,
    /// Keys whose values are put in: `InjectedState("key")`.
    injected: Vec<&'a Expr>,
}

impl<'a> Visitor<'a> for Annotated<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => {
                let name = name.id.as_str();
                self.has_class |= name == "InjectedState" || self.classes.contains(name);
            }
            Expr::Call(call) if type_head(&call.func) == "InjectedState" => {
                self.has_class |= call.arguments.args.is_empty();
                self.injected.extend(&call.arguments.args);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }
}
