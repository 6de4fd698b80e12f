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

/// A file with a bit of everything; edits are told as what they replace.
const MIXED: &str = r#"from typing import Annotated, Literal, TypedDict
import operator

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from agentweaver import nodes

MODEL = "openai/gpt-4o"
REVIEW = "review"


class State(TypedDict):
    topic: str  # what it is about
    log: Annotated[list[str], operator.add]


def draft(state: State) -> Command[Literal["review", "ask"]]:
    # "ask" is a person
    return Command(goto="ask" if state["topic"] == "ask" else "review")


def review(state: State) -> dict:
    return {"log": ["ask"]}


def route(state: State) -> Literal["draft", "__end__"]:
    return "draft" if state["log"] else END


def fan(state: State):
    return [Send("ask", {"topic": word}) for word in state["log"]]


graph = StateGraph(State)
graph.add_node("draft", draft)
graph.add_node(REVIEW, review)
graph.add_node(
    "ask",
    nodes.llm(
        model=MODEL,
        prompt="Write about {{ topic }}",  # the task
        temperature=0.70,
        into="log",
    ),
)
graph.add_node("sort", nodes.condition(rules=[{"if": "topic", "goto": "ask"}], default="draft"))
graph.add_edge(START, "draft")
graph.add_edge("ask", REVIEW)
graph.add_conditional_edges(REVIEW, route)
graph.add_conditional_edges("sort", fan)
app = graph.compile(interrupt_before=["ask", "review"])
"#;

/// Does one operation; each pair is a text of the old file and what is there now.
#[track_caller]
fn changes(operation: &str, replaced: &[(&str, &str)]) {
    let mut expected = MIXED.to_string();
    for (old, new) in replaced {
        assert!(expected.contains(old), "{old}");
        expected = expected.replace(old, new);
    }
    check(MIXED, &format!("[{operation}]"), &expected);
}

/// Does one operation, which is refused for a reason that names these words.
#[track_caller]
fn refused(operation: &str, words: &[&str]) {
    let operations: Vec<Operation> = serde_json::from_str(&format!("[{operation}]")).expect("JSON");
    let refusal = edit(MIXED, None, &operations).expect_err("it is refused");
    for word in words {
        assert!(refusal.message.contains(word), "{word}: {refusal}");
    }
    assert!(!refusal.help.is_empty());
}

#[test]
fn renaming_changes_what_names_the_node_and_no_other_text() {
    changes(
        r#"{"op": "rename_node", "name": "ask", "to": "person"}"#,
        &[
            (r#"["review", "ask"]]"#, r#"["review", "person"]]"#),
            (r#"goto="ask" if"#, r#"goto="person" if"#),
            (r#"Send("ask""#, r#"Send("person""#),
            ("    \"ask\",\n", "    \"person\",\n"),
            (r#""goto": "ask""#, r#""goto": "person""#),
            (r#"edge("ask""#, r#"edge("person""#),
            (r#"["ask", "review"])"#, r#"["person", "review"])"#),
        ],
    );
    changes(
        r#"{"op": "rename_node", "name": "review", "to": "check"}"#,
        &[
            (r#"REVIEW = "review""#, r#"REVIEW = "check""#),
            (r#"["review", "ask"]]"#, r#"["check", "ask"]]"#),
            (r#"else "review""#, r#"else "check""#),
            (r#"["ask", "review"])"#, r#"["ask", "check"])"#),
        ],
    );
    changes(
        r#"{"op": "rename_node", "name": "draft", "to": "write"}"#,
        &[
            (r#"Literal["draft", "#, r#"Literal["write", "#),
            (r#"return "draft""#, r#"return "write""#),
            (r#"node("draft""#, r#"node("write""#),
            (r#"default="draft""#, r#"default="write""#),
            (r#"START, "draft""#, r#"START, "write""#),
        ],
    );
}

#[test]
fn removing_takes_edges_and_routes_along() {
    changes(
        r#"{"op": "remove_node", "name": "sort"}"#,
        &[
            (
                "graph.add_node(\"sort\", nodes.condition(rules=[{\"if\": \"topic\", \"goto\": \"ask\"}], default=\"draft\"))\n",
                "",
            ),
            ("graph.add_conditional_edges(\"sort\", fan)\n", ""),
        ],
    );
    changes(
        r#"{"op": "remove_node", "name": "draft", "remove_function": true}"#,
        &[
            (
                "def draft(state: State) -> Command[Literal[\"review\", \"ask\"]]:\n    # \"ask\" is a person\n    return Command(goto=\"ask\" if state[\"topic\"] == \"ask\" else \"review\")\n\n\n",
                "",
            ),
            (r#"Literal["draft", "__end__"]"#, r#"Literal["__end__"]"#),
            ("graph.add_node(\"draft\", draft)\n", ""),
            (", default=\"draft\"", ""),
            ("graph.add_edge(START, \"draft\")\n", ""),
        ],
    );
    refused(r#"{"op": "remove_node", "name": "ask"}"#, &["goes to `ask`", "(line 31)"]);
}

#[test]
fn settings_change_in_place_if_they_are_literals() {
    changes(
        r#"{"op": "set_node", "name": "ask", "settings": {"temperature": 0.5, "max_tokens": 9, "into": null}}"#,
        &[
            ("temperature=0.70", "temperature=0.5"),
            ("        into=\"log\",\n", "        max_tokens=9,\n"),
        ],
    );
    changes(
        r#"{"op": "set_node", "name": "sort", "settings": {"rules": [{"if": "topic", "goto": "review"}]}}"#,
        &[(r#""goto": "ask""#, r#""goto": "review""#)],
    );
    refused(
        r#"{"op": "set_node", "name": "ask", "settings": {"model": "other"}}"#,
        &["`model` is not a literal but `MODEL`", "(line 40)"],
    );
    refused(
        r#"{"op": "set_node", "name": "ask", "settings": {"modell": "x"}}"#,
        &["no setting `modell`"],
    );
    refused(
        r#"{"op": "set_node", "name": "draft", "settings": {"model": "x"}}"#,
        &["no typed node"],
    );
}

#[test]
fn routes_are_written_where_the_file_has_them() {
    changes(
        r#"{"op": "add_branch", "source": "review", "route": "ask", "target": "ask"}"#,
        &[(r#""__end__"]:"#, r#""__end__", "ask"]:"#)],
    );
    changes(
        r#"{"op": "set_branch", "source": "review", "route": "draft", "target": "sort"}"#,
        &[("REVIEW, route)", r#"REVIEW, route, {"draft": "sort", END: END})"#)],
    );
    changes(
        r#"{"op": "add_branch", "source": "sort", "branch": null, "route": "x", "target": "ask"}"#
            .replace("\"sort\"", "\"review\"")
            .as_str(),
        &[("REVIEW, route)", r#"REVIEW, route, {"draft": "draft", END: END, "x": "ask"})"#)],
    );
    refused(
        r#"{"op": "remove_branch", "source": "sort", "branch": "fan", "route": "ask"}"#,
        &["no route `ask`"],
    );
}

#[test]
fn nodes_and_conditions_come_with_their_functions() {
    let before = "\n\ngraph = StateGraph(State)\n";
    changes(
        r#"{"op": "add_node", "name": "sum up", "node": {"new_function": "sum_up"}}"#,
        &[
            (
                before,
                "\n\ndef sum_up(state: State) -> dict:\n    return {}\n\n\ngraph = StateGraph(State)\n",
            ),
            (r#"default="draft"))"#, "default=\"draft\"))\ngraph.add_node(\"sum up\", sum_up)"),
        ],
    );
    changes(
        r#"{"op": "add_condition", "source": "draft", "new_function": "again", "routes": {"yes": "draft", "no": "__end__"}}"#,
        &[
            (
                before,
                "\n\ndef again(state: State) -> str:\n    return \"yes\"\n\n\ngraph = StateGraph(State)\n",
            ),
            (
                "(\"sort\", fan)",
                "(\"sort\", fan)\ngraph.add_conditional_edges(\"draft\", again, {\"yes\": \"draft\", \"no\": END})",
            ),
        ],
    );
    refused(
        r#"{"op": "add_node", "name": "x", "node": {"new_function": "route"}}"#,
        &["`route` is taken"],
    );
    refused(
        r#"{"op": "add_node", "name": "x", "node": {"function": "rout"}}"#,
        &["no function `rout`"],
    );
}

#[test]
fn fields_keep_their_comments() {
    changes(
        r#"{"op": "set_field", "name": "topic", "type": "list[str]", "reducer": "add"}"#,
        &[("topic: str ", "topic: Annotated[list[str], operator.add] ")],
    );
    changes(
        r#"{"op": "set_field", "name": "log", "reducer": null}"#,
        &[("Annotated[list[str], operator.add]", "list[str]")],
    );
    changes(
        r#"{"op": "add_field", "name": "score", "type": "int"}"#,
        &[("operator.add]\n", "operator.add]\n    score: int\n")],
    );
    refused(r#"{"op": "add_field", "name": "x", "type": "Scoer"}"#, &["no `Scoer`"]);
}

#[test]
fn what_is_made_in_a_loop_is_refused_with_its_line() {
    let source = "\
from langgraph.graph import START, StateGraph
g = StateGraph(dict)
for name in ['a', 'b']:
    g.add_node(name, lambda s: {})
    g.add_edge(START, name)
";
    for operation in [
        r#"{"op": "remove_node", "name": "a"}"#,
        r#"{"op": "rename_node", "name": "a", "to": "c"}"#,
        r#"{"op": "remove_edge", "source": "__start__", "target": "a"}"#,
    ] {
        let operations: Vec<Operation> = serde_json::from_str(&format!("[{operation}]")).unwrap();
        let refusal = edit(source, None, &operations).expect_err("it is refused");
        assert!(refusal.message.contains("loop (line 3)"), "{refusal}");
        assert_eq!(refusal.span.map(|span| span.line), Some(3));
    }
}

#[test]
fn a_file_with_a_syntax_error_is_refused() {
    let operation = Operation::SetEntry { target: "a".into() };
    let refusal = edit(&PLAIN.replace("('b', l", "('b' l"), None, &[operation]);
    assert!(refusal.expect_err("it is refused").message.contains("syntax error (line 5)"));
}
