//! [`Shape`]: what may be given to a graph, and what must be.

use weaver_core::Value;
use weaver_core::spec::{
    Decider, FieldSpec, GraphSpec, NodeKind, NodeSpec, ReducerSpec, START, SchemaKind, SchemaSpec,
    TypedNode,
};
use weaver_studio::typed_nodes::{ArgumentKind, node_type};
use weaver_studio::{Analysis, Touched, touched};

use super::Workflow;

/// The fields that may be given, and the schema that they stand in.
pub struct Shape<'a> {
    /// The schema, when it is known.
    pub schema: Option<&'a SchemaSpec>,
    /// Its fields without the computed ones; empty when they are not known.
    pub fields: Vec<&'a FieldSpec>,
}

impl Shape<'_> {
    /// The names of the fields.
    pub fn keys(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }
}

impl Workflow {
    /// What an input may have.
    pub fn input_shape(&self) -> Shape<'_> {
        let graph = self.graph();
        let name = graph.input_schema.as_ref().unwrap_or(&graph.state.schema);
        self.shape(name)
    }

    /// What a change of the state may have: the fields of every schema of the graph.
    pub fn state_shape(&self) -> Shape<'_> {
        let graph = self.graph();
        let mut shape = self.shape(&graph.state.schema);
        let own = graph.nodes.iter().filter_map(|node| node.input_schema.as_ref());
        let whole = [&graph.input_schema, &graph.output_schema].into_iter().flatten();
        for name in own.chain(whole) {
            for field in self.shape(name).fields {
                if !shape.keys().contains(&field.name.as_str()) {
                    shape.fields.push(field);
                }
            }
        }
        shape
    }

    /// Whether the graph may well run on nothing: no node needs a key that neither
    /// another node writes nor the state begins with.
    pub fn runs_on_nothing(&self) -> bool {
        let shape = self.input_shape();
        let validated = shape.schema.is_some_and(|schema| schema.kind == SchemaKind::Pydantic);
        let required = validated && shape.fields.iter().any(|field| field.required);
        !required
            && needed(&self.analysis, self.graph(), &shape).is_some_and(|keys| keys.is_empty())
    }

    /// Flags that give an input, as an example: `--input '{"question": "…"}'`.
    pub fn input_example(&self) -> String {
        let shape = self.input_shape();
        if shape.keys().contains(&"messages") {
            return "--message 'Hello'".into();
        }
        let needed = needed(&self.analysis, self.graph(), &shape).unwrap_or_default();
        let wanted = match (needed.is_empty(), &self.graph().input_schema) {
            (false, _) => needed,
            (true, Some(_)) => shape.fields.clone(),
            // Which keys of a state are its input is not written down; the first is.
            (true, None) => {
                let plain = shape.fields.iter().find(|field| field.reducer.is_none());
                plain.or(shape.fields.first()).copied().into_iter().collect()
            }
        };
        let example = wanted.iter().map(|field| {
            let value = field.default.clone().unwrap_or_else(|| example_of(&field.annotation));
            (field.name.as_str(), value)
        });
        format!("--input '{}'", Value::map(example).to_json())
    }

    fn shape(&self, name: &str) -> Shape<'_> {
        let schema = self.analysis.spec.schemas.iter().find(|schema| schema.name == *name);
        let fields = schema.map_or(&self.graph().state.fields, |schema| &schema.fields);
        Shape { schema, fields: fields.iter().filter(|field| field.managed.is_none()).collect() }
    }
}

/// Fields that somebody reads, nobody writes and the state does not begin with;
/// nothing where what runs first may read any.
fn needed<'a>(
    analysis: &Analysis,
    graph: &GraphSpec,
    shape: &Shape<'a>,
) -> Option<Vec<&'a FieldSpec>> {
    let entries: Vec<&str> = graph
        .edges
        .iter()
        .filter(|edge| edge.source == START)
        .map(|edge| edge.target.as_str())
        .collect();
    let (mut first, mut later) = (Touched::default(), Touched::default());
    for node in &graph.nodes {
        let is_first = entries.contains(&node.name.as_str());
        add(if is_first { &mut first } else { &mut later }, by_node(analysis, node, shape));
    }
    for branch in &graph.branches {
        let Decider::Function(id) = &branch.decider else { continue };
        let own = by_function(analysis, id);
        add(if branch.source == START { &mut first } else { &mut later }, own);
    }
    if first.reads_any || entries.is_empty() {
        return None;
    }
    let written = |name: &String| first.writes.contains(name) || later.writes.contains(name);
    let is_needed = |field: &&&FieldSpec| {
        // A conversation begins with somebody saying something.
        let begins = match field.reducer {
            Some(ReducerSpec::AddMessages) => false,
            _ => field.initial.is_some() || field.default.is_some(),
        };
        let name = &field.name;
        !begins && (first.reads.contains(name) || later.reads.contains(name) && !written(name))
    };
    Some(shape.fields.iter().filter(is_needed).copied().collect())
}

fn add(sum: &mut Touched, own: Touched) {
    sum.reads.extend(own.reads);
    sum.writes.extend(own.writes);
    sum.reads_any |= own.reads_any;
}

fn by_node(analysis: &Analysis, node: &NodeSpec, shape: &Shape<'_>) -> Touched {
    match &node.kind {
        NodeKind::Function { id } => by_function(analysis, id),
        NodeKind::Typed(typed) => by_typed(typed, &shape.keys()),
        _ => Touched { reads_any: true, ..Touched::default() },
    }
}

/// Templates and expressions read, keys are written.
fn by_typed(node: &TypedNode, keys: &[&str]) -> Touched {
    let mut touched = Touched { reads_any: node.node_type == "code", ..Touched::default() };
    let table = node_type(&node.node_type);
    for setting in &node.settings {
        let json = setting.value.to_json();
        let kind = table.and_then(|table| table.argument(&setting.name)).map(|own| own.kind);
        match kind {
            Some(ArgumentKind::Key) if setting.name != "messages_key" => {
                touched.writes.extend(setting.value.as_str().map(String::from));
            }
            Some(ArgumentKind::Key | ArgumentKind::Expression | ArgumentKind::List) => {
                touched.reads.extend(named(&json, keys));
            }
            Some(ArgumentKind::Dict) if setting.name == "fields" => {
                let fields = setting.value.as_map().into_iter().flat_map(|fields| fields.keys());
                touched.writes.extend(fields.map(|field| field.to_string()));
            }
            _ => {
                touched.reads.extend(marked(&json).flat_map(|part| named(part, keys)));
            }
        }
    }
    // Without a prompt a model is shown the messages.
    touched.reads_any |= touched.reads.is_empty() && keys.contains(&"messages");
    touched
}

/// The keys that stand in a text as words.
fn named(text: &str, keys: &[&str]) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| keys.contains(word)).map(String::from).collect()
}

/// What stands between the braces of a template.
fn marked(template: &str) -> impl Iterator<Item = &str> {
    let behind = |mark| template.split(mark).skip(1);
    behind("{{").chain(behind("{%")).filter_map(|part| part.split(['}', '%']).next())
}

fn by_function(analysis: &Analysis, id: &str) -> Touched {
    let function = analysis.spec.functions.iter().find(|function| function.id == *id);
    let span = function.map(|function| function.span.start as usize..function.span.end as usize);
    span.and_then(|span| analysis.source.get(span)).map_or_else(|| touched(""), touched)
}

fn example_of(annotation: &str) -> Value {
    match annotation.split(['[', ' ', '|']).next().unwrap_or("") {
        "int" => Value::Int(1),
        "float" => Value::Float(1.0),
        "bool" => Value::Bool(true),
        "list" | "List" | "Sequence" | "set" => Value::list([]),
        "dict" | "Dict" => Value::map::<&str>([]),
        _ => Value::str("…"),
    }
}
