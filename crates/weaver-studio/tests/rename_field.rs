//! A field of the state gets another name wherever the file shows that it is one.

use weaver_studio::edit::{Operation, edit};

const FILE: &str = r#"import operator
from typing import Annotated, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt
from agentweaver import llm, nodes

TOPIC = "topic"


class State(TypedDict):
    topic: str  # "topic" in a comment
    log: Annotated[list[str], operator.add]
    score: int


class Question(TypedDict):
    topic: str


def short(values, limit=3):
    return values[TOPIC][:limit]


def draft(state: State) -> Command[Literal["topic", "check"]]:
    """About the topic."""
    words = {"topic": "no key of the state"}
    reply = llm("m", f"{state['topic']} {short(state)} {words['topic']}")
    interrupt({"topic": reply.text})
    if "topic" not in state or state.get("score", 0) > 2:
        return Command(goto="check", update={"topic": reply.text})
    return Command(goto="topic")


def check(state: State) -> dict:
    update = {**state, "log": ["topic"]}
    update["topic"] = dict(topic=1)["topic"]
    return update


def fan(state: State):
    return [Send("check", {"topic": word, "log": []}) for word in state["log"]]


graph = StateGraph(State, input_schema=Question)
graph.add_node("draft", draft)
graph.add_node("check", check)
graph.add_node("topic", nodes.llm(model="topic", prompt="On {{ topic }}, {{ a.topic }} and topic", into="topic"))
graph.add_node("sort", nodes.condition(rules=[{"if": "topic == 'topic'", "goto": "topic"}], default="check"))
graph.add_edge(START, "draft")
graph.add_conditional_edges("check", fan, ["check"])
app = graph.compile()

if __name__ == "__main__":
    answer = app.invoke({"topic": "rain", "log": []})
    print(answer["topic"])
"#;

fn operations(name: &str, to: &str) -> Vec<Operation> {
    let json = format!(r#"[{{"op": "rename_field", "name": "{name}", "to": "{to}"}}]"#);
    serde_json::from_str(&json).expect("an operation")
}

/// Renames `topic`; each pair is a text of the old file and what is there now.
#[track_caller]
fn renamed(source: &str, replaced: &[(&str, &str)]) {
    let mut expected = source.to_string();
    for (old, new) in replaced {
        assert!(expected.contains(old), "{old}");
        expected = expected.replacen(old, new, 1);
    }
    let edited = edit(source, Some("graph"), &operations("topic", "theme"));
    let edited = edited.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(edited.source, expected);
    let back = edit(&edited.source, Some("graph"), &operations("theme", "topic"));
    assert_eq!(back.expect("it can be undone").source, source);
}

#[track_caller]
fn refused(source: &str, words: &[&str]) {
    let refusal = edit(source, Some("graph"), &operations("topic", "theme"));
    let refusal = refusal.expect_err("it is refused");
    for word in words {
        assert!(refusal.message.contains(word), "{word}: {refusal}");
    }
}

#[test]
fn all_that_is_surely_the_field_is_renamed_and_nothing_else() {
    renamed(
        FILE,
        &[
            ("TOPIC = \"topic\"", "TOPIC = \"theme\""),
            ("topic: str  # ", "theme: str  # "),
            ("(TypedDict):\n    topic: str\n\n\ndef", "(TypedDict):\n    theme: str\n\n\ndef"),
            ("state['topic']", "state['theme']"),
            ("if \"topic\" not in", "if \"theme\" not in"),
            ("update={\"topic\"", "update={\"theme\""),
            ("update[\"topic\"]", "update[\"theme\"]"),
            ("Send(\"check\", {\"topic\"", "Send(\"check\", {\"theme\""),
            ("On {{ topic }}", "On {{ theme }}"),
            ("into=\"topic\"", "into=\"theme\""),
            ("\"if\": \"topic ==", "\"if\": \"theme =="),
            ("app.invoke({\"topic\"", "app.invoke({\"theme\""),
            ("answer[\"topic\"]", "answer[\"theme\"]"),
        ],
    );
}

/// The file with the body of `check` replaced.
fn with_body(body: &str) -> String {
    let start = FILE.find("    update = {**state").expect("the body");
    let end = FILE.find("\n\n\ndef fan").expect("its end");
    format!("{}    {body}{}", &FILE[..start], &FILE[end..])
}

#[test]
fn what_hides_its_keys_is_refused_with_its_line() {
    refused(&with_body("return {\"log\": [state[input()]]}"), &["`input()`", "(line 36)"]);
    refused(&with_body("return {input(): 1}"), &["`input()`", "(line 36)"]);
    refused(&with_body("return llm.parse(state[\"log\"])"), &["only known when it runs"]);
    refused(&with_body("return open(state)"), &["`open` does with the keys"]);
    refused(&with_body("return {\"log\": [dict(state)]}"), &["handed on as a whole"]);
    refused(&with_body("return {\"log\": [key for key in state]}"), &["`state` is handed on"]);
    refused(&with_body("return {\"log\": list(state.keys())}"), &["`state.keys()`"]);
    refused(&with_body("return {\"theme\": state[\"topic\"]}"), &["`theme` is a key here already"]);
    refused(
        &with_body("return {\"log\": (lambda state: state[\"topic\"])({})}"),
        &["another meaning"],
    );
}

#[test]
fn what_stands_around_the_graph_is_not_guessed_at() {
    let twice = FILE.replace("[:limit]", "[:limit] + TOPIC");
    refused(&twice, &["`TOPIC` is used for other things too"]);
    let streamed = FILE.replace(
        "answer = app.invoke({\"topic\": \"rain\", \"log\": []})\n    print(answer[\"topic\"])",
        "for chunk in app.stream({\"topic\": \"rain\"}):\n        print(chunk[\"check\"][\"topic\"])",
    );
    refused(&streamed, &["whether `topic` is the field here", "(line 56)"]);
    let bound = FILE.replace("On {{ topic }}", "{% set topic = 1 %}{{ topic }}");
    refused(&bound, &["another meaning in `prompt`"]);
    let escaped = FILE.replace("On {{ topic }}", "On \\x7b{ topic }}");
    refused(&escaped, &["in a way that is not plain"]);
    let foreign = FILE.replace("\"check\", check)", "\"check\", imported)");
    refused(
        &foreign.replace("from agentweaver", "from other import imported\nfrom agentweaver"),
        &["imported"],
    );
}

#[test]
fn a_new_name_must_be_free_and_a_name() {
    for (to, word) in [("score", "field `score` already"), ("two words", "no Python name")] {
        let refusal = edit(FILE, Some("graph"), &operations("topic", to)).expect_err("refused");
        assert!(refusal.message.contains(word), "{refusal}");
        assert_eq!(refusal.field, "to");
    }
}

#[test]
fn attributes_and_keywords_are_keys_where_the_state_is_an_object() {
    let source = "\
from pydantic import BaseModel
from langgraph.graph import START, StateGraph

class State(BaseModel):
    topic: str
    size: int = 0

class Deep(State):
    more: str = ''

class Agent:
    def plan(self, state: State):
        return self.told(state.model_copy(update={'topic': state.topic}))

    def told(self, values):
        return State(topic=values.topic, size=1)

agent = Agent()
graph = StateGraph(Deep)
graph.add_node('plan', agent.plan)
graph.add_edge(START, 'plan')
app = graph.compile()
print(app.invoke(State(topic='x'))['topic'])
";
    refused(source, &["handed on as a whole"]);
    let source = &source.replace(
        "self.told(state.model_copy(update={'topic': state.topic}))",
        "self.told(state) if state.topic else self.told(values=state)",
    );
    let edited = edit(source, None, &operations("topic", "theme"));
    let edited = edited.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(edited.source, source.replace("topic", "theme"));
}

#[test]
fn graphs_that_share_the_field_are_renamed_in_together() {
    let source = "\
from typing import TypedDict
from langgraph.graph import START, StateGraph

class Inner(TypedDict):
    topic: str

class Other(TypedDict):
    topic: str

class State(TypedDict):
    topic: str

inner = StateGraph(Inner)
inner.add_node('a', lambda s: {'topic': s['topic']})
inner.add_edge(START, 'a')
other = StateGraph(Other)
other.add_node('a', lambda s: {'topic': s['topic']})
other.add_edge(START, 'a')
told = other.compile()

def ask(state):
    return {'topic': told.invoke({'topic': state['topic']})['topic']}

graph = StateGraph(State)
graph.add_node('inner', inner.compile())
graph.add_node('ask', ask)
graph.add_edge(START, 'inner')
";
    renamed(
        source,
        &[
            ("Inner(TypedDict):\n    topic", "Inner(TypedDict):\n    theme"),
            ("State(TypedDict):\n    topic", "State(TypedDict):\n    theme"),
            ("{'topic': s['topic']})\ninner", "{'theme': s['theme']})\ninner"),
            ("{'topic': told", "{'theme': told"),
            ("state['topic']", "state['theme']"),
        ],
    );
}
