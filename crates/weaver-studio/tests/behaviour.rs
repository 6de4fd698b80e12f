//! Single promises: hashes, places of problems, edits, hostile nesting.

use weaver_core::Severity;
use weaver_core::spec::ReducerSpec;
use weaver_studio::{Document, EditError, parse, program};

const GRAPH: &str = "\
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from agentweaver import nodes

LIMIT = 3

class State(TypedDict):
    n: int

def helper(n):
    return n + LIMIT

def node(state: State):
    return {\"n\": helper(state[\"n\"])}

def other(state: State):
    return {\"n\": 0}

g = StateGraph(State)
g.add_node(node)
g.add_node(other)
g.add_edge(START, \"node\")
g.add_edge(\"node\", \"other\")
g.add_edge(\"other\", END)
app = g.compile()
";

fn hash(source: &str, id: &str) -> String {
    let functions = parse("f.py", source).spec.functions;
    functions.into_iter().find(|f| f.id == id).expect("the function is used").code_hash
}

#[test]
fn a_code_hash_changes_with_what_is_used_and_with_nothing_else() {
    let before = hash(GRAPH, "node");
    let other = hash(GRAPH, "other");
    for used in
        [("LIMIT = 3", "LIMIT = 4"), ("n + LIMIT", "n - LIMIT"), ("helper(state", "abs(state")]
    {
        let changed = GRAPH.replace(used.0, used.1);
        assert_ne!(hash(&changed, "node"), before, "{used:?}");
        assert_eq!(hash(&changed, "other"), other, "{used:?}");
    }
    for unused in
        [("{\"n\": 0}", "{\"n\": 1}"), ("LIMIT = 3", "# a comment\n\nLIMIT = 3"), ("END)", "END )")]
    {
        assert_eq!(hash(&GRAPH.replace(unused.0, unused.1), "node"), before, "{unused:?}");
    }
}

#[test]
fn a_problem_points_at_the_very_argument() {
    let typo = "nodes.llm(model=\"m\", prompt=\"x\", temprature=0.5)";
    let source = GRAPH.replace("g.add_node(other)", &format!("g.add_node(\"other\", {typo})"));
    let problems = parse("f.py", &source).spec.problems;
    let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
    assert_eq!(problem.code, "unknown_setting");
    let place = problem.span.start as usize..problem.span.end as usize;
    assert_eq!(&source[place], "temprature=0.5");
    assert_eq!(problem.help.as_deref(), Some("did you mean `temperature`?"));
}

#[test]
fn a_broken_statement_damages_only_itself() {
    let source =
        GRAPH.replace("g.add_node(other)", "g.add_node(other").replace("return n +", "return (n +");
    let analysis = parse("f.py", &source);
    let graph = &analysis.spec.graphs[0];
    assert_eq!(graph.nodes.len(), 2);
    assert_eq!(graph.edges.len(), 3);
    assert!(analysis.spec.problems.iter().all(|p| p.code == "syntax_error"));
    assert_eq!(analysis.spec.problems.iter().map(|p| p.span.line).collect::<Vec<_>>(), [11, 21]);
    let cut = program(&analysis, None).source;
    assert!(!cut.contains("def node"), "what uses broken code does not run");
    assert!(cut.contains("def other"));
}

#[test]
fn the_program_keeps_lines_and_columns_of_what_it_keeps() {
    let analysis = parse("f.py", GRAPH);
    let cut = program(&analysis, Some("g"));
    for (kept, line) in cut.source.lines().zip(GRAPH.lines()) {
        assert!(kept.trim_end().is_empty() || kept.trim_end() == line, "{kept:?} of {line:?}");
    }
    assert!(cut.source.contains("LIMIT = 3") && cut.source.contains("def helper"));
    assert!(
        !cut.source.contains("import")
            && !cut.source.contains("class")
            && !cut.source.contains("g.")
    );
}

#[test]
fn functions_of_another_graph_stay_out_of_a_graphs_program() {
    let second = "\nh = StateGraph(State)\nh.add_node(\"x\", lambda s: {\"n\": 7})\nh.add_edge(START, \"x\")\nhapp = h.compile()\n";
    let analysis = parse("f.py", &format!("{GRAPH}{second}"));
    assert!(program(&analysis, Some("g")).lambdas.is_empty());
    let cut = program(&analysis, Some("h"));
    assert_eq!(cut.lambdas.len(), 1);
    assert!(!cut.source.contains("def node"));
}

#[test]
fn edits_that_do_not_fit_are_refused_and_change_nothing() {
    let mut document = Document::new("f.py", "x = 'é'\n");
    let reversed = std::ops::Range { start: 6, end: 5 };
    assert_eq!(document.edit(reversed, "").unwrap_err(), EditError::OutOfRange);
    assert_eq!(document.edit(0..99, "").unwrap_err(), EditError::OutOfRange);
    assert_eq!(document.edit(6..7, "").unwrap_err(), EditError::InsideCharacter);
    assert_eq!(&*document.analysis().source, "x = 'é'\n");
    assert_eq!(&*document.edit(5..7, "ü").unwrap().source, "x = 'ü'\n");
}

#[test]
fn hostile_nesting_is_refused_not_followed() {
    let deep = 100_000;
    let sources = [
        "(".repeat(deep),
        format!("x = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("x = {}1", "not ".repeat(deep)),
        format!("x = 1{}", " + 1".repeat(deep)),
        format!("x = a{}", "()".repeat(deep)),
        format!("x = {}1", "lambda: ".repeat(deep)),
        format!("x = f\"{}\"", "{f'".repeat(deep)),
        format!("x = 1{}", " if 1 else 1".repeat(deep)),
        (0..2_000).map(|n| format!("{}if 1:\n", " ".repeat(n))).collect(),
        format!("x: {}int", "a[".repeat(deep)),
        format!("@{}\ndef f(): pass", "a.".repeat(deep)),
        "x = [x, x]\n".repeat(10_000),
        format!("x = 1\n{}x = 1\n", "x = [x]\n".repeat(10_000)),
        format!("d = {{}}\n{}d['a'] = 1\n", "d['a'] = [d['a']]\n".repeat(10_000)),
        format!("from functools import partial\np = f\n{}", "p = partial(p, 1)\n".repeat(10_000)),
        format!("import m\nx = 'a'\n{}", "m = m.a\nx = x.b\n".repeat(10_000)),
        format!("from m import M\nm = M()\n{}", "m = m.a()\n".repeat(10_000)),
        "x = x + x\n".repeat(10_000),
        format!("x = 'a'\n{}", "x = f\"{x}{x}\"\n".repeat(1_000)),
        format!("x = [1]\n{}nodes.llm(model=x)", "x = [x, x]\n".repeat(60)),
        "x = []\nx.append(x)\nfrom agentweaver import nodes\nnodes.llm(model=x)".into(),
        (0..40).map(|n| format!("def f{n}(g):\n    f{}(g)\n    f{}(g)\n", n + 1, n + 1)).collect(),
        format!("{}for a in range(999):\n    pass", "def f():\n    f()\nf()\n".repeat(50)),
        "class A(B): pass\nclass B(A): pass\nclass C(C): x: 'C'\n".repeat(100),
        "for a in range(900):\n for b in range(900):\n  for c in range(900):\n   x = a\n".into(),
        "T = Annotated[T, f]\nU = Literal[U]\nclass S(TypedDict):\n  a: T\n  b: 'U'\n".into(),
    ];
    for source in sources {
        let analysis = parse("deep.py", &source);
        assert_eq!(program(&analysis, None).source.len(), source.len());
    }
}

#[test]
fn nesting_just_below_the_limit_is_read() {
    for source in [
        format!("x = {}1{}", "(".repeat(59), ")".repeat(59)),
        format!("x = {}1", "-".repeat(690)),
        format!("x = 1{}", " + 1".repeat(690)),
        format!("x = {}1{}", "f([".repeat(29), "])".repeat(29)),
    ] {
        assert!(parse("deep.py", &source).spec.problems.is_empty(), "{source}");
    }
}

#[test]
fn a_long_chain_of_calls_is_one_graph() {
    let nodes: String = (0..150).map(|n| format!(".add_node(\"n{n}\", f)")).collect();
    let source = format!(
        "from langgraph.graph import StateGraph, MessagesState, START\ndef f(s): return {{}}\n\
         app = StateGraph(MessagesState){nodes}.add_edge(START, \"n0\").compile()\n"
    );
    let spec = parse("chain.py", &source).spec;
    assert_eq!(spec.graphs[0].nodes.len(), 150);
    assert!(spec.problems.iter().all(|p| p.severity < Severity::Error));
}

#[test]
fn lists_in_literals_and_made_reducers_are_read() {
    let source = "from typing import Annotated, Literal, TypedDict\n\
        from langgraph.graph import END, StateGraph, START\n\
        from langgraph.types import Command\n\
        MEMBERS = ['a', 'b']\nOPTIONS = MEMBERS + ['END']\n\
        def keep(n):\n    def last(x, y): return y[-n:]\n    return last\n\
        class Route(TypedDict):\n    next: Literal[*OPTIONS]\n\
        class S(TypedDict):\n    route: Route\n    log: Annotated[list, keep(2)]\n\
        def boss(s) -> Command[Literal[*MEMBERS]]: return Command(goto=s['route']['next'])\n\
        def a(s): return {}\ndef b(s): return {}\n\
        g = StateGraph(S)\ng.add_node(boss)\ng.add_node(a)\ng.add_node(b)\n\
        g.add_edge(START, 'boss')\ng.add_edge('a', END)\ng.add_edge('b', END)\napp = g.compile()\n";
    let spec = parse("spread.py", source).spec;
    let targets: Vec<_> = spec.graphs[0]
        .edges
        .iter()
        .filter(|edge| edge.source == "boss")
        .map(|edge| edge.target.as_str())
        .collect();
    assert_eq!(targets, ["a", "b"]);
    assert!(spec.problems.is_empty(), "{:?}", spec.problems);
    let schema = |name: &str| spec.schemas.iter().find(|schema| schema.name == name).unwrap();
    let route = schema("Route").json_schema.to_json();
    assert!(route.contains(r#""enum":["a","b","END"]"#), "{route}");
    let log = schema("S").fields.iter().find(|field| field.name == "log").unwrap();
    assert!(matches!(&log.reducer, Some(ReducerSpec::Function { .. })), "{:?}", log.reducer);
}
