//! A file changes while a run of it is open.

use serde_json::{Value, json};

use crate::desk::{Desk, one_question, two_steps, workflow};

const TOPIC: &str = r#"{"topic":"soap"}"#;

fn waiting(text: &str) -> Desk {
    let desk = Desk::with("ask.py", text);
    desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3);
    desk
}

fn answer(desk: &Desk, more: &[&str]) -> crate::desk::Ended {
    let args = ["run", "ask.py", "--thread", "t", "--resume", "yes"];
    desk.run(args.iter().chain(more))
}

#[test]
fn what_waits_goes_on_with_what_it_began_with() {
    let desk = waiting(&one_question());
    desk.write(
        "ask.py",
        one_question().replace("{\"answer\": interrupt", "{\"answer\": \"new \" + interrupt"),
    );
    let ended = answer(&desk, &[]).expect(0).says(&["ask.py has changed", "--migrate"]);
    assert_eq!(ended.json()["answer"], "yes");
    // It has ended: new input takes the new file.
    desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3);
    assert_eq!(answer(&desk, &[]).expect(0).json()["answer"], "new yes");
}

#[test]
fn what_waits_is_moved_where_it_fits() {
    let desk = waiting(&one_question());
    let changed =
        one_question().replace("{\"answer\": interrupt", "{\"answer\": \"new \" + interrupt");
    desk.write("ask.py", &changed);
    // Looking does not move it; a question is asked by the new file from then on.
    desk.run(["run", "ask.py", "--thread", "t", "--migrate"]).expect(3);
    desk.write("ask.py", "not python (");
    assert_eq!(
        desk.run(["run", "--thread", "t", "--resume", "yes"]).expect(0).json()["answer"],
        "new yes"
    );
    desk.run(["run", "--replay", "t"]).expect(2).says(&["was moved to another version"]);
}

#[test]
fn a_move_that_does_not_fit_is_refused_with_the_list() {
    let cases: [(&str, &str, &[&str]); 4] = [
        (
            "graph.add_node(\"work\", work)",
            "graph.add_node(\"other\", work)",
            &["`work` runs next, and there is no such node"],
        ),
        ("topic: str", "topic: int", &["`topic` holds str, and is to be `int`"]),
        ("topic: str", "title: str", &["the state holds `topic`, and has no such key"]),
        (
            "interrupt({\"question\"",
            "str({\"question\"",
            &["`work` waits for an answer, and asks nothing"],
        ),
    ];
    for (from, to, words) in cases {
        let desk = waiting(&one_question());
        let before = desk.checkpoints("t");
        let mut changed = one_question().replace(from, to);
        if to.contains("other") {
            changed = changed.replace("\"work\"", "\"other\"");
        }
        assert_ne!(changed, one_question());
        desk.write("ask.py", changed);
        let ended = answer(&desk, &["--migrate"]).expect(2);
        ended.says(&["error[version_misfit]", "agentweaver run --thread t"]).says(words);
        assert_eq!(desk.checkpoints("t"), before);
        assert_eq!(answer(&desk, &[]).expect(0).json()["answer"], "yes", "it goes on as it was");
    }
}

#[test]
fn a_subgraph_a_join_and_a_call_before_the_question_are_looked_at() {
    let text = nested();
    let desk = waiting(&text);
    let renamed = text
        .replace("inner.add_node(\"ask\"", "inner.add_node(\"demand\"")
        .replace("\"dig\", \"ask\"", "\"dig\", \"demand\"")
        .replace("inner.add_edge(\"ask\"", "inner.add_edge(\"demand\"");
    for (changed, words) in [
        (renamed, "in research: `ask` runs next"),
        (
            text.replace("inner.compile()", "lambda state: {\"notes\": []}"),
            "`research` is in the midst of a subgraph",
        ),
        (
            text.replace("[\"research\", \"aside\"]", "[\"aside\", \"first\"]"),
            "a join has aside and waits",
        ),
        (text.replace("\"go?\"", "\"go on?\""), "made a tool call before it asked"),
    ] {
        assert_ne!(changed, text);
        desk.write("ask.py", &changed);
        answer(&desk, &["--migrate"]).expect(2).says(&[words]);
    }
    desk.write(
        "ask.py",
        text.replace("\"aside\"]}", "\"beside\"]}").replace("\", \".join", "\" + \".join"),
    );
    let ended = answer(&desk, &["--migrate"]).expect(0).json();
    assert_eq!(ended["answer"], "aside + aside + dug + yes 3", "what had ended stays: {ended}");
}

/// A subgraph that calls a tool and asks, beside a branch that ends first.
fn nested() -> String {
    workflow(
        "topic: str\nnotes: Annotated[list, operator.add]\nanswer: str",
        "from agentweaver import tool\n\n\nclass Inner(TypedDict):\n    notes: Annotated[list, operator.add]\n\n\n\
         def dig(state: Inner):\n    return {\"notes\": [\"dug\"]}\n\n\n\
         def ask(state: Inner):\n    tool(\"document_search\", query=\"soap\")\n    return {\"notes\": [interrupt(\"go?\") + \" 3\"]}\n\n\n\
         inner = StateGraph(Inner)\ninner.add_node(dig)\ninner.add_node(\"ask\", ask)\n\
         inner.add_edge(START, \"dig\")\ninner.add_edge(\"dig\", \"ask\")\ninner.add_edge(\"ask\", END)\n\n\n\
         def first(state: State):\n    return {}\n\n\n\
         def aside(state: State):\n    return {\"notes\": [\"aside\"]}\n\n\n\
         def close(state: State):\n    return {\"answer\": \", \".join(state[\"notes\"])}\n",
        "graph.add_node(first)\ngraph.add_node(\"research\", inner.compile())\ngraph.add_node(aside)\ngraph.add_node(close)\n\
         graph.add_edge(START, \"first\")\ngraph.add_edge(START, \"aside\")\ngraph.add_edge(\"first\", \"research\")\n\
         graph.add_edge([\"research\", \"aside\"], \"close\")\ngraph.add_edge(\"close\", END)",
    )
}

#[test]
fn what_failed_goes_on_with_the_mended_file() {
    let broken = two_steps().replace(".upper()", ".uper()");
    let desk = Desk::with("flow.py", &broken);
    let args = ["run", "flow.py", "--input", r#"{"question":"hi"}"#, "--thread", "t"];
    desk.run(args).expect(1);
    desk.run(["run", "flow.py", "--thread", "t"]).expect(1);
    desk.write("flow.py", two_steps());
    let ended = desk.run(["run", "flow.py", "--thread", "t", "--json"]).expect(0);
    assert_eq!(ended.nodes(), ["answer"], "what had ended is not run again");
    let listed: Vec<Value> = desk.threads();
    assert_eq!(listed[0]["executions"], json!(1));
    desk.write("flow.py", broken.replace("answer", "reply"));
    let args = ["run", "flow.py", "--thread", "t", "--fork", desk_checkpoint(&desk).leak()];
    desk.run(args).expect(2).says(&["`answer` runs next, and there is no such node"]);
}

fn desk_checkpoint(desk: &Desk) -> String {
    desk.checkpoints("t")[1]["checkpoint"].as_str().unwrap().to_string()
}
