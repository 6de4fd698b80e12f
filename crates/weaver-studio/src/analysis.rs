//! From a text to an [`Analysis`]: chunks, facts, evaluation, graphs, checks.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, Stmt};
use weaver_core::spec::{FileSpec, SchemaKind, SchemaSpec, ToolSpec};
use weaver_core::{FastMap, LineIndex, Program, Severity};

use crate::assemble;
use crate::checks;
use crate::chunk::{self, ChunkRange};
use crate::cut;
use crate::eval::Evaluator;
use crate::eval::outcome::type_head;
use crate::eval::value::{Abs, ClassRef};
use crate::facts::{self, Item};
use crate::functions::Functions;
use crate::problem::{Problems, span};
use crate::schema::Schemas;
use crate::syntax::{self, Tree};
use crate::tools;
use crate::units::{Closure, Known, Units};

/// What the parser knows of one text.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The file as the user named it, for tracebacks.
    pub file: Arc<str>,
    /// The text.
    pub source: Arc<str>,
    /// Graphs, schemas, functions, tools and problems, the latter in order of place.
    pub spec: FileSpec,
    /// The program of each function, by its id.
    parts: Arc<Parts>,
}

/// What [`program`] needs later.
#[derive(Debug, Default)]
struct Parts {
    functions: BTreeMap<String, Part>,
    /// Cut out of the text: statements and what is blanked in them.
    cutter: Cutter,
}

/// What one function needs.
#[derive(Debug)]
pub(crate) struct Part {
    pub closure: Closure,
    /// What gives it in the module, when its id is not its global name.
    pub expression: Option<String>,
    pub embedded: bool,
}

/// The statements of the text, kept with their chunks.
#[derive(Debug, Default)]
struct Cutter {
    chunks: Vec<(usize, Arc<Chunk>)>,
    graph_statements: BTreeSet<(usize, usize)>,
    known: FastMap<String, Known>,
    graph_names: Vec<String>,
}

/// A chunk that was read; it stays the same while its text does.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub tree: Tree,
    pub items: Vec<Item>,
    /// Nested too deeply: not read.
    pub too_deep: bool,
}

/// The schemas of a file by name.
pub(crate) type SchemaMap<'s> = FastMap<&'s str, &'s SchemaSpec>;

/// The chunks of a text with their offsets.
type Chunks = Vec<(usize, Arc<Chunk>)>;

/// A text as it was read last, for the next reading of it.
#[derive(Debug)]
pub(crate) struct Cache {
    source: Arc<str>,
    /// Its chunks in order.
    chunks: Vec<(ChunkRange, Arc<Chunk>)>,
}

impl Default for Cache {
    fn default() -> Self {
        Cache { source: "".into(), chunks: Vec::new() }
    }
}

impl Cache {
    /// The chunk of a text, if it is the one at a position.
    fn get(&self, position: usize, text: &str, too_deep: bool) -> Option<&Arc<Chunk>> {
        let (known, chunk) = self.chunks.get(position)?;
        let same = known.too_deep == too_deep && self.source[known.range.clone()] == *text;
        same.then_some(chunk)
    }
}

impl Analysis {
    /// Whether any problem is an error: such a file does not run as it is meant.
    pub fn has_errors(&self) -> bool {
        self.spec.problems.iter().any(|p| p.severity == Severity::Error)
    }
}

/// Reads a text of Python. A text from 4 GiB on is read as empty, with a problem.
pub fn parse(file_name: &str, source: &str) -> Analysis {
    analyse(file_name.into(), source.into(), &mut Cache::default())
}

/// The part of a file that the embedded interpreter runs: everything that the
/// functions of one graph (by [`weaver_core::spec::GraphSpec::name`]) or of the
/// whole file need. Functions that only a worker can run are left out, and so is
/// what only they need.
///
/// - The source is as long as the file, byte for byte, with the same line ends.
/// - All imports are blanked, those of the standard library too;
///   [`Program::imports`] lists the ones that are needed.
/// - [`Program::lambdas`] holds, by id, an expression for every function whose id
///   is not its global name: lambdas, partials, bound methods (`agent.plan`),
///   results of factories (`make("a")`), functions defined inside others.
/// - Functions that were defined inside a function are global here.
pub fn program(analysis: &Analysis, graph: Option<&str>) -> Program {
    let parts = &analysis.parts;
    let wanted: Vec<(&String, &Part)> = parts
        .functions
        .iter()
        .filter(|(id, part)| part.embedded && graph.is_none_or(|name| uses(analysis, name, id)))
        .collect();
    let all = cut::union(wanted.iter().map(|(_, part)| &part.closure));
    let cutter = &parts.cutter;
    let units = cutter.units();
    Program {
        file: analysis.file.to_string(),
        source: cut::source(&analysis.source, &units, &all.units),
        imports: cut::host_imports(&all.imports),
        schemas: analysis
            .spec
            .schemas
            .iter()
            .filter(|schema| {
                // State, input and context may become instances without being named.
                let makes_instances =
                    matches!(schema.kind, SchemaKind::Dataclass | SchemaKind::Pydantic);
                makes_instances || all.schemas.contains(&schema.name)
            })
            .cloned()
            .collect(),
        tools: analysis
            .spec
            .tools
            .iter()
            .filter(|tool| wanted.iter().any(|(id, _)| **id == tool.function))
            .cloned()
            .collect(),
        graphs: all
            .graphs
            .iter()
            .filter_map(|(local, index)| {
                let name = cutter.graph_names.get(*index)?;
                let mut graphs = analysis.spec.graphs.iter();
                let graph = graphs.find(|graph| graph.name == *name);
                let variant = graph.is_some_and(|graph| graph.variants.contains_key(local));
                let name = if variant { format!("{name}/{local}") } else { name.clone() };
                Some((local.clone(), name))
            })
            .collect(),
        lambdas: wanted
            .iter()
            .filter_map(|(id, part)| Some(((*id).clone(), part.expression.clone()?)))
            .collect(),
    }
}

/// The text of a function (by [`weaver_core::spec::FunctionSpec::id`]) and of all that
/// it uses, cut out of the file as [`program`] does; and the graphs that it invokes.
pub fn function(analysis: &Analysis, id: &str) -> Option<(String, Vec<String>)> {
    let part = analysis.parts.functions.get(id)?;
    let cutter = &analysis.parts.cutter;
    let text = cut::source(&analysis.source, &cutter.units(), &part.closure.units);
    let graphs = part.closure.graphs.values();
    let graphs = graphs.filter_map(|index| cutter.graph_names.get(*index).cloned()).collect();
    Some((text, graphs))
}

impl Cutter {
    fn units(&self) -> Units<'_> {
        Units::new(items(&self.chunks), &self.graph_statements, self.known.clone())
    }
}

/// Whether a function belongs to a graph or to no graph alone. Tools and reducers
/// are small and shared: they always belong.
fn uses(analysis: &Analysis, graph: &str, id: &str) -> bool {
    let in_graph = |spec: &weaver_core::spec::GraphSpec| {
        spec.nodes.iter().any(|node| {
            matches!(&node.kind, weaver_core::spec::NodeKind::Function { id: used } if used == id)
        })
    };
    let graphs = &analysis.spec.graphs;
    graphs.iter().any(|g| g.name == graph && in_graph(g)) || !graphs.iter().any(in_graph)
}

fn items(chunks: &[(usize, Arc<Chunk>)]) -> impl Iterator<Item = (usize, &Item, bool)> {
    chunks.iter().flat_map(|(base, chunk)| {
        let broken = !chunk.tree.errors.is_empty();
        chunk.items.iter().map(move |item| (*base, item, broken))
    })
}

/// Reads a text; chunks that are in the cache are not read again. Afterwards the
/// cache holds the chunks of this text.
pub(crate) fn analyse(file: Arc<str>, source: Arc<str>, cache: &mut Cache) -> Analysis {
    let text: &str = if source.len() < u32::MAX as usize { &source } else { "" };
    let lines = LineIndex::new(text);
    let (chunks, ranges) = read_chunks(&source, text, cache);
    let broken: Vec<Range<usize>> = ranges
        .iter()
        .zip(&chunks)
        .filter(|(_, (_, chunk))| chunk.too_deep || !chunk.tree.errors.is_empty())
        .map(|(range, _)| range.clone())
        .collect();
    let mut evaluator = Evaluator::new(text, &lines, broken);
    for (base, chunk) in &chunks {
        for stmt in &chunk.tree.body {
            evaluator.module_statement(stmt, *base);
        }
    }
    for (base, chunk) in &chunks {
        for (stmt, item) in chunk.tree.body.iter().zip(&chunk.items) {
            if item.builds_graph {
                evaluator.enter_uncalled(stmt, *base);
            }
        }
    }
    evaluator.frozen = true;
    let mut schemas = Schemas::default();
    let schema_specs = all_schemas(&mut evaluator, &mut schemas);
    let tools = all_tools(&chunks, &mut evaluator, &mut schemas);
    let by_name: SchemaMap<'_> =
        schema_specs.iter().map(|schema| (schema.name.as_str(), schema)).collect();
    let tool_names: FastMap<String, String> =
        tools.iter().map(|tool| (tool.function.clone(), tool.name.clone())).collect();
    let assembled = assemble::graphs(&mut evaluator, &by_name, &tool_names);
    let mut problems = std::mem::take(&mut evaluator.problems);
    syntax_problems(&chunks, &ranges, &mut problems);
    let broken = std::mem::take(&mut evaluator.broken);
    for graph in &assembled {
        checks::check(graph, &by_name, &broken, &mut problems);
    }
    evaluator.broken = broken;
    let graph_names: Vec<String> = assembled.iter().map(|graph| graph.spec.name.clone()).collect();
    let mut graphs: Vec<_> = assembled.into_iter().map(|graph| graph.spec).collect();
    graphs.extend(functional_graphs(&chunks, &mut evaluator, &mut problems));
    graphs.sort_by_key(|graph| graph.span.start);

    let known = known_names(&evaluator, &by_name);
    let graph_statements = std::mem::take(&mut evaluator.graph_statements);
    let drafts = std::mem::take(&mut evaluator.functions);
    let cutter = Cutter { chunks: chunks.clone(), graph_statements, known, graph_names };
    let states: Vec<Name> = graphs.iter().map(|graph| Name::new(&graph.state.schema)).collect();
    let (functions, parts) = Functions {
        text,
        lines: &lines,
        units: &cutter.units(),
        evaluator: &evaluator,
        schemas: &by_name,
        states: &states,
    }
    .all(&drafts, &mut problems);
    drop(drafts);
    drop(evaluator);
    let problems = problems.into_diagnostics(text, &lines);
    let spec = FileSpec { graphs, schemas: schema_specs, functions, tools, problems };
    Analysis { file, source, spec, parts: Arc::new(Parts { functions: parts, cutter }) }
}

/// The chunks of a text. Those before and after what changed since the last
/// reading are found by comparing with it; what lies between is read.
fn read_chunks(source: &Arc<str>, text: &str, cache: &mut Cache) -> (Chunks, Vec<Range<usize>>) {
    let found = chunk::split(text);
    let known = cache.chunks.len();
    let at = |index: usize| (&text[found[index].range.clone()], found[index].too_deep);
    let shorter = known.min(found.len());
    let same_at = |position: usize, index: usize| {
        let (text, too_deep) = at(index);
        cache.get(position, text, too_deep).is_some()
    };
    let head = (0..shorter).take_while(|index| same_at(*index, *index)).count();
    let tail =
        (1..=shorter - head).take_while(|back| same_at(known - back, found.len() - back)).count();
    let kept = |index: usize| match index {
        _ if index < head => Some(index),
        _ if index >= found.len() - tail => Some(index + known - found.len()),
        _ => None,
    };
    let chunks: Vec<Arc<Chunk>> = (0..found.len())
        .map(|index| match kept(index) {
            Some(position) => cache.chunks[position].1.clone(),
            None => {
                let (text, too_deep) = at(index);
                Arc::new(read_chunk(text, too_deep))
            }
        })
        .collect();
    let ranges = found.iter().map(|chunk| chunk.range.clone()).collect();
    let placed = found.iter().zip(&chunks).map(|(found, chunk)| (found.range.start, chunk.clone()));
    let placed = placed.collect();
    *cache = Cache { source: source.clone(), chunks: found.into_iter().zip(chunks).collect() };
    (placed, ranges)
}

fn read_chunk(text: &str, too_deep: bool) -> Chunk {
    if too_deep {
        let tree = Tree { body: Default::default(), errors: Vec::new() };
        return Chunk { tree, items: Vec::new(), too_deep };
    }
    let tree = syntax::parse_chunk(text);
    let items = tree.body.iter().map(|stmt| facts::item(stmt, text)).collect();
    Chunk { tree, items, too_deep }
}

fn syntax_problems(
    chunks: &[(usize, Arc<Chunk>)],
    ranges: &[Range<usize>],
    problems: &mut Problems,
) {
    for ((base, chunk), range) in chunks.iter().zip(ranges) {
        for error in &chunk.tree.errors {
            let place = base + error.range.start..base + error.range.end;
            problems.error(
                "syntax_error",
                &place,
                error.message.clone(),
                "the rest of the file is read",
            );
        }
        if chunk.too_deep {
            let message = "this statement is nested too deeply to be read";
            let place = range.start..range.start + 1;
            problems.error("syntax_error", &place, message, "split it into smaller parts");
        }
    }
}

fn all_schemas(evaluator: &mut Evaluator<'_>, schemas: &mut Schemas) -> Vec<SchemaSpec> {
    let classes = evaluator.classes.clone();
    let mut specs: Vec<SchemaSpec> = Vec::new();
    let mut places: FastMap<&str, usize> = FastMap::default();
    for class in &classes {
        if let Some(spec) = schemas.get(class, evaluator, 0) {
            match places.entry(class.class.name.as_str()) {
                Entry::Occupied(place) => specs[*place.get()] = spec,
                Entry::Vacant(place) => {
                    place.insert(specs.len());
                    specs.push(spec);
                }
            }
        }
    }
    specs
}

fn all_tools<'a>(
    chunks: &'a [(usize, Arc<Chunk>)],
    evaluator: &mut Evaluator<'a>,
    schemas: &mut Schemas,
) -> Vec<ToolSpec> {
    let mut functions = Vec::new();
    for (_, chunk) in chunks {
        for stmt in &chunk.tree.body {
            if let Stmt::FunctionDef(def) = stmt
                && !def.decorator_list.is_empty()
                && tools::is_tool(def, evaluator)
                && let Some(value) = evaluator.final_value(def.name.as_str())
                && let Abs::Function(function) = value.abs
            {
                functions.push(function);
            }
        }
    }
    functions.extend(evaluator.tool_functions.clone());
    let mut specs: Vec<ToolSpec> = Vec::new();
    for function in &functions {
        if let Some(spec) = tools::tool_spec(function, evaluator, schemas)
            && !specs.iter().any(|known| known.function == spec.function)
        {
            specs.push(spec);
        }
    }
    specs
}

/// Graphs of the functional API.
fn functional_graphs<'a>(
    chunks: &'a [(usize, Arc<Chunk>)],
    evaluator: &mut Evaluator<'a>,
    problems: &mut Problems,
) -> Vec<weaver_core::spec::GraphSpec> {
    let mut graphs = Vec::new();
    for (base, chunk) in chunks {
        for stmt in &chunk.tree.body {
            let Stmt::FunctionDef(def) = stmt else { continue };
            let is_entry = def.decorator_list.iter().any(|decorator| {
                let head = match &decorator.expression {
                    Expr::Call(call) => &*call.func,
                    other => other,
                };
                let module = evaluator.module.clone();
                matches!(
                    crate::schema::resolve(head, &module, evaluator),
                    Some(Abs::Import(path)) if path.starts_with("langgraph.func") && path.ends_with(".entrypoint")
                )
            });
            if is_entry {
                let range = syntax::range_of(&def.name);
                let place = base + range.start..base + range.end;
                let message = format!(
                    "`{}` is an `@entrypoint` of the functional API, which only a Python worker runs",
                    def.name
                );
                let help = "not available yet: write its steps as nodes of a `StateGraph`";
                problems.error("needs_worker", &place, message, help);
                let place = span(evaluator.text, evaluator.lines, &place);
                graphs.push(assemble::functional_graph(def.name.as_str(), place));
            }
        }
    }
    graphs
}

/// Whether a schema's class, or one that it builds on, has methods, or defaults that
/// only running it gives, or is an enum of texts or numbers.
fn has_body(class: &ClassRef<'_>, spec: &SchemaSpec, evaluator: &Evaluator<'_>) -> bool {
    if !is_object(spec.kind) {
        return false;
    }
    let mut bases = class.class.arguments.iter().flat_map(|arguments| &arguments.args);
    let computed = match spec.kind {
        SchemaKind::Enum => bases.any(|base| type_head(base) != "Enum"),
        _ => spec.fields.iter().any(|field| !field.required && field.default.is_none()),
    };
    let mut open = vec![class.class];
    let mut seen = Vec::new();
    while let Some(class) = open.pop() {
        if class.body.iter().any(|stmt| matches!(stmt, Stmt::FunctionDef(_))) {
            return true;
        }
        seen.push(class.name.as_str());
        for base in class.arguments.iter().flat_map(|arguments| &arguments.args) {
            if let Expr::Name(name) = base
                && !seen.contains(&name.id.as_str())
                && let Some(value) = evaluator.final_value(&name.id)
                && let Abs::Class(base) = value.abs
            {
                open.push(base.class);
            }
        }
    }
    computed
}

/// Whether a schema's instances are objects that a state may hold.
fn is_object(kind: SchemaKind) -> bool {
    matches!(kind, SchemaKind::Pydantic | SchemaKind::Dataclass | SchemaKind::Enum)
}

/// Module variables that are graphs or classes the host makes.
fn known_names(evaluator: &Evaluator<'_>, schemas: &SchemaMap<'_>) -> FastMap<String, Known> {
    let mut known = FastMap::default();
    for (name, value) in evaluator.module.names.borrow().iter() {
        match &value.abs {
            Abs::Compiled(index, _) | Abs::Builder(index) => {
                known.insert(name.to_string(), Known::Graph(*index));
            }
            Abs::Class(class) => {
                let spec = schemas.get(class.class.name.as_str());
                let plain = spec.is_some_and(|spec| {
                    spec.kind == SchemaKind::Dataclass
                        && class.class.arguments.as_ref().is_none_or(|a| a.args.is_empty())
                });
                if let Some(spec) = spec {
                    let has_body = has_body(class, spec, evaluator);
                    let is_object = is_object(spec.kind);
                    let class = Known::Schema { has_body, is_made: !plain, is_object };
                    known.insert(name.to_string(), class);
                }
            }
            _ => {}
        }
    }
    known
}
