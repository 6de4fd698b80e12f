//! Operations and the text that comes of them.

use weaver_studio::edit::{Operation, edit, splice};

/// Does operations that are written as JSON; the edits and their undoing must hold together.
fn check(source: &str, operations: &str, expected: &str) {
    let operations: Vec<Operation> = serde_json::from_str(operations).expect("operations");
    let edited = edit(source, None, &operations).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(edited.source, expected);
    assert_eq!(splice(source, &edited.edits), edited.source);
    assert_eq!(splice(&edited.source, &edited.undo), source);
}

const PLAIN: &str = "\
from langgraph.graph import START, StateGraph

g = StateGraph(dict)
g.add_node('a', lambda s: {})  # first
g.add_node('b', lambda s: {})
g.add_edge(START, 'a')  # entry
app = g.compile()
";

#[test]
fn an_edge_is_a_statement_behind_the_last_one() {
    let added = PLAIN.replace("# entry\n", "# entry\ng.add_edge('a', 'b')\n");
    check(PLAIN, r#"[{"op": "add_edge", "source": "a", "target": "b"}]"#, &added);
    check(&added, r#"[{"op": "remove_edge", "source": "a", "target": "b"}]"#, PLAIN);
    let finished = PLAIN.replace("# entry\n", "# entry\ng.set_finish_point('b')\n");
    check(PLAIN, r#"[{"op": "add_edge", "source": "b", "target": "__end__"}]"#, &finished);
}

#[test]
fn an_edge_is_a_link_where_calls_are_chained() {
    let chained = "\
from langgraph.graph import END, StateGraph
app = (
    StateGraph(dict)
    .add_node(\"a\", lambda s: {})
    .add_edge(\"__start__\", \"a\")  # entry
    .compile()
)
";
    let added = chained.replace("# entry\n", "# entry\n    .add_edge(\"a\", END)\n");
    check(chained, r#"[{"op": "add_edge", "source": "a", "target": "__end__"}]"#, &added);
    check(&added, r#"[{"op": "remove_edge", "source": "a", "target": "__end__"}]"#, chained);
}

#[test]
fn a_join_loses_a_source_and_a_sequence_is_split() {
    let join = "\
from langgraph.graph import StateGraph
g = StateGraph(dict)
g.add_sequence([(\"a\", len), (\"b\", len), (\"c\", len)])
g.add_edge([\"a\", \"b\"], \"c\")
";
    let split = join.replace(", (\"b\"", "])\ng.add_sequence([(\"b\"");
    check(join, r#"[{"op": "remove_edge", "source": "a", "target": "b"}]"#, &split);
    let less = split.replace("[\"a\", \"b\"]", "[\"b\"]");
    check(&split, r#"[{"op": "remove_edge", "source": "a", "target": "c"}]"#, &less);
}
