//! Old JSON workflows: the file that comes of them is read back to the same graph.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weaver_core::spec::{END, FileSpec, START};
use weaver_core::{Severity, Value};
use weaver_studio::convert::{ConvertError, Converted, convert};
use weaver_studio::parse;

/// Converts a document; the file must be Python without errors.
fn check(document: &str) -> (Converted, FileSpec) {
    let document = Value::from_json(document).expect("the test's document is JSON");
    let converted = convert(&document).expect("it has nodes");
    let spec = parse("converted.py", &converted.source).spec;
    let broken = spec.problems.iter().filter(|p| p.severity == Severity::Error);
    let broken: Vec<_> = broken.filter(|p| p.code != "missing_setting").collect();
    assert!(broken.is_empty(), "{broken:#?}\n{}", converted.source);
    (converted, spec)
}

/// The arrows of the file's graph.
fn arrows(spec: &FileSpec) -> BTreeSet<(String, String)> {
    let edges = spec.graphs[0].edges.iter();
    edges.map(|edge| (edge.source.clone(), edge.target.clone())).collect()
}

#[test]
fn a_workflow_of_known_types_has_no_warnings() {
    let (converted, spec) = check(
        r#"{"name": "Support", "nodes": [
            {"id": "1", "type": "start", "position": {"x": 0, "y": 0}},
            {"id": "2", "type": "intent", "name": "sort", "position": {"x": 200, "y": 0}, "data": {
                "model": "openai/gpt-4o", "text": "{{ question }}",
                "intents": [{"name": "buy", "description": "wants to buy"}, {"name": "ask", "description": "has a question"}]}},
            {"id": "3", "type": "llm", "name": "answer", "config": {
                "modelName": "openai/gpt-4o", "userPrompt": "Answer {{ question }}", "maxTokens": "200", "outputKey": "answer"}},
            {"id": "4", "type": "http", "name": "order", "settings": {"url": "https://shop.example/{{ item }}", "into": "order"}},
            {"id": "5", "type": "condition", "name": "enough", "config": {"conditions": [{"id": "c1", "expression": "order.total > 10"}]}},
            {"id": "6", "type": "end"}],
          "edges": [
            {"source": "1", "target": "2"},
            {"source": "2", "target": "4", "sourceHandle": "buy"},
            {"source": "2", "target": "3", "label": "ask"},
            {"source": "2", "target": "6", "label": "default"},
            {"source": "4", "target": "5"},
            {"source": "5", "target": "3", "sourceHandle": "c1"},
            {"source": "5", "target": "6", "sourceHandle": "else"},
            {"source": "3", "target": "6"}]}"#,
    );
    assert_eq!(converted.warnings, []);
    assert_eq!(
        converted.source,
        r#"# Support
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from agentweaver import nodes


class State(TypedDict):
    answer: Any
    order: Any
    question: Any
    item: Any


graph = StateGraph(State)
graph.add_node("sort", nodes.intent(
    model="openai/gpt-4o",
    text="{{ question }}",
    intents={"buy": {"description": "wants to buy", "goto": "order"}, "ask": {"description": "has a question", "goto": "answer"}},
))
graph.add_node("answer", nodes.llm(
    model="openai/gpt-4o",
    prompt="Answer {{ question }}",
    max_tokens=200,
    into="answer",
))
graph.add_node("order", nodes.http(url="https://shop.example/{{ item }}", into="order"))
graph.add_node("enough", nodes.condition(
    rules=[{"if": "order.total > 10", "goto": "answer"}],
))
graph.add_edge(START, "sort")
graph.add_edge("answer", END)
graph.add_edge("order", "enough")
app = graph.compile()
"#
    );
    assert_eq!(converted.layout["sort"].x, 200.0);
    let arrows = arrows(&spec);
    for (from, to) in [("sort", "order"), ("sort", "answer"), ("sort", END), ("enough", END)] {
        assert!(arrows.contains(&(from.into(), to.into())), "{from} to {to}");
    }
}

#[test]
fn what_has_no_counterpart_is_a_function_with_a_comment_and_a_warning() {
    let (converted, spec) = check(
        r#"{"workflow": {"nodes": {"a": {"type": "quantum", "config": {"qubits": 3, "note": "two\nlines"}},
            "b": {"type": "llm", "config": {"model": "m", "prompt": "x", "flux": 1}}},
          "edges": [["a", "b"], ["b", "nowhere"]]}}"#,
    );
    let messages: Vec<&str> = converted.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{messages:#?}");
    assert!(converted.source.contains("# TODO: the node type `quantum` has no counterpart."));
    assert!(converted.source.contains("# qubits = 3\n"));
    assert!(converted.source.contains("# TODO: flux = 1\n"));
    assert_eq!(spec.graphs[0].nodes.len(), 2);
    let expected = [("a", "b"), (START, "a")].map(|(a, b)| (a.to_string(), b.to_string()));
    assert_eq!(arrows(&spec), BTreeSet::from(expected));
}

#[test]
fn branches_that_meet_are_a_parallel_node() {
    let (converted, spec) = check(
        r#"{"nodes": [{"id": "all", "type": "parallel", "config": {"join": "any"}},
            {"id": "a", "type": "code", "config": {"code": "result = {}"}},
            {"id": "b", "type": "code", "config": {"code": "result = {}"}},
            {"id": "c", "type": "code", "config": {"code": "result = {}"}}, {"id": "x", "type": "end"}],
          "edges": [["all", "a"], ["all", "b"], ["a", "c"], ["c", "x"], ["b", "x"]]}"#,
    );
    assert_eq!(converted.warnings, []);
    let code = r#"nodes.parallel(branches=[["a", "c"], "b"], join="any")"#;
    assert!(converted.source.contains(code), "{}", converted.source);
    assert_eq!(arrows(&spec).len(), 6);
}

#[test]
fn a_document_without_nodes_is_no_workflow() {
    for document in ["{}", "[]", "1", r#"{"nodes": []}"#, r#"{"workflow": {"edges": []}}"#] {
        let document = Value::from_json(document).expect("JSON");
        assert_eq!(convert(&document), Err(ConvertError::NoNodes));
    }
}

/// Types that go where their arrows go, and some that decide.
const TYPES: [&str; 16] = [
    "llm",
    "http",
    "code",
    "response",
    "database",
    "file",
    "store",
    "notify",
    "userInput",
    "RAG",
    "condition",
    "intent",
    "wait",
    "parallel",
    "strange thing",
    "mcp_tool",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every arrow of the old document is one of the graph, and the graph has no others but
    /// those to the entry and, of nodes that decide, to the exit.
    #[test]
    fn arrows_are_the_same(
        types in proptest::collection::vec(0..TYPES.len(), 1..9),
        edges in proptest::collection::vec((0..10usize, 0..10usize, 0..4usize), 0..16),
        odd in "[ -~é日\"'\\\\{}]{0,12}",
    ) {
        let count = types.len();
        let id = |at: usize| if at == count { "end".to_string() } else { format!("n{at}") };
        let mut nodes: Vec<Value> = types.iter().enumerate().map(|(at, kind)| {
            let data = Value::map([("prompt", odd.as_str().into()), (odd.as_str(), 1.into())]);
            Value::map([("id", id(at).into()), ("type", TYPES[*kind].into()), ("data", data)])
        }).collect();
        nodes.push(Value::map([("id", "end".into()), ("type", "end".into())]));
        let edges: BTreeSet<(usize, usize, usize)> = edges.into_iter()
            .map(|(from, to, word)| (from % count, to % (count + 1), word))
            .collect();
        let old: Vec<Value> = edges.iter().map(|(from, to, word)| {
            let ends = [("source", id(*from).into()), ("target", id(*to).into())];
            let word = (*word > 0).then(|| ("label", Value::from(format!("word {word}"))));
            Value::map(ends.into_iter().chain(word))
        }).collect();
        let document = Value::map([("nodes", Value::list(nodes)), ("edges", Value::list(old))]);
        let (converted, spec) = check(&document.to_json());
        let name = |at: usize| if at == count { END.to_string() } else { id(at) };
        let names: BTreeSet<String> = (0..count).map(id).collect();
        let found: BTreeSet<String> = spec.graphs[0].nodes.iter().map(|n| n.name.clone()).collect();
        prop_assert_eq!(found, names, "{}", converted.source);
        let expected: BTreeSet<(String, String)> =
            edges.iter().map(|(from, to, _)| (name(*from), name(*to))).collect();
        let arrows = arrows(&spec);
        let missing: Vec<_> = expected.difference(&arrows).collect();
        prop_assert!(missing.is_empty(), "{missing:?}\n{}", converted.source);
        let decides = |name: &str| (0..count).any(|at| id(at) == name && matches!(TYPES[types[at]], "condition" | "intent"));
        let more: Vec<_> = arrows.difference(&expected)
            .filter(|(from, to)| from != START && !(to == END && decides(from)))
            .collect();
        prop_assert!(more.is_empty(), "{more:?}\n{}", converted.source);
    }
}
