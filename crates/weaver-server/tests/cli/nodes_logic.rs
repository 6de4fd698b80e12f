//! `nodes.condition`, `loop`, `parallel`, `response`.

use serde_json::json;

use crate::desk::{Desk, Ended, workflow};

fn run(text: &str, input: &str) -> Ended {
    let desk = Desk::with("flow.py", text);
    desk.run(["run", "flow.py", "--input", input])
}

fn condition() -> String {
    workflow(
        "amount: float\nsays: str",
        "",
        "graph.add_node(\"route\", nodes.condition(rules=[{\"if\": \"amount > 100\", \"goto\": \"large\"}, {\"if\": \"amount > 10 and not says\", \"goto\": \"middle\"}], default=\"small\"))\n\
         graph.add_node(\"large\", nodes.response(text=\"large: {{ amount }}\", into=\"says\"))\n\
         graph.add_node(\"middle\", nodes.response(text=\"middle\", into=\"says\"))\n\
         graph.add_node(\"small\", nodes.response(text=\"small\", into=\"says\"))\n\
         graph.add_edge(START, \"route\")",
    )
}

#[test]
fn a_condition_takes_the_first_rule_that_is_true() {
    for (amount, says) in [("200.5", "large: 200.5"), ("50", "middle"), ("5", "small")] {
        let input = format!("{{\"amount\": {amount}}}");
        assert_eq!(run(&condition(), &input).expect(0).json()["says"], says);
    }
}

#[test]
fn a_condition_that_cannot_be_computed_shows_its_rule() {
    let text = condition().replace("amount > 100", "amount.x.y > 100");
    let ended = run(&text, "{\"amount\": 1}").expect(1);
    ended.says(&["error[template_failed]: node `route` failed", "`rules` of `nodes.condition`"]);
}

#[test]
fn a_loop_goes_over_the_items_of_a_list() {
    let text = workflow(
        "names: list\nitem: str\nat: int\ngreeted: Annotated[list, operator.add]",
        "def greet(state: State):\n    return {\"greeted\": [f\"{state['at']} {state['item']}\"]}\n",
        "graph.add_node(\"each\", nodes.loop(body=\"greet\", items=\"names\", index_key=\"at\"))\n\
         graph.add_node(greet)\ngraph.add_edge(START, \"each\")\ngraph.add_edge(\"greet\", \"each\")",
    );
    let ended = run(&text, r#"{"names": ["Ada", "Bob"]}"#).expect(0);
    assert_eq!(ended.json()["greeted"], json!(["0 Ada", "1 Bob"]));
    assert!(!ended.out.contains("__loop"), "no inner keys: {}", ended.out);
}

#[test]
fn a_loop_runs_while_its_condition_holds_and_no_longer_than_its_limit() {
    let text = |settings: &str| {
        workflow(
            "n: int\nresult: str",
            "def add(state: State):\n    return {\"n\": state[\"n\"] + 1}\n",
            &format!(
                "graph.add_node(\"again\", nodes.loop(body=\"add\", exit=\"out\", {settings}))\n\
                 graph.add_node(add)\ngraph.add_node(\"out\", nodes.response(text=\"{{{{ n }}}}\", into=\"result\"))\n\
                 graph.add_edge(START, \"again\")\ngraph.add_edge(\"add\", \"again\")"
            ),
        )
    };
    let result = |settings| run(&text(settings), "{\"n\": 0}").expect(0).json()["result"].clone();
    assert_eq!(result("while_=\"n < 3\""), "3");
    assert_eq!(result("while_=\"true\", limit=2"), "2");
}

fn parallel(settings: &str) -> String {
    workflow(
        "log: Annotated[list, operator.add]\nseen: int",
        "def a(state: State):\n    return {\"log\": [\"a\"]}\n\n\ndef b(state: State):\n    return {\"log\": [\"b\"]}\n\n\n\
         def b2(state: State):\n    return {\"log\": [\"b2\"]}\n\n\ndef c(state: State):\n    return {\"log\": [\"c\"]}\n\n\n\
         def after(state: State):\n    return {\"seen\": len(state[\"log\"])}\n",
        &format!(
            "graph.add_node(\"fan\", nodes.parallel(branches=[\"a\", [\"b\", \"b2\"], \"c\"], then=\"after\", {settings}))\n\
             graph.add_node(a)\ngraph.add_node(b)\ngraph.add_node(b2)\ngraph.add_node(c)\ngraph.add_node(after)\n\
             graph.add_edge(START, \"fan\")\ngraph.add_edge(\"after\", END)"
        ),
    )
}

#[test]
fn parallel_branches_join_when_all_any_or_some_have_ended() {
    let state = |settings| run(&parallel(settings), "{\"log\": []}").expect(0).json();
    let all = state("join=\"all\"");
    assert_eq!(all["seen"], 4);
    assert_eq!(all["log"], json!(["a", "b", "c", "b2"]));
    assert!(state("join=\"any\"")["seen"].as_i64().unwrap() >= 1, "goes on after the first");
    assert!(state("join=2")["seen"].as_i64().unwrap() >= 2, "goes on after two");
    assert_eq!(state("join=3")["seen"], 4);
}

#[test]
fn parallel_branches_run_no_more_at_once_than_allowed() {
    let state = run(&parallel("max_concurrency=1"), "{\"log\": []}").expect(0).json();
    assert_eq!(state["log"], json!(["a", "b", "b2", "c"]), "one after the other");
    assert_eq!(state["seen"], 4);
    let ended = run(&parallel("max_concurrency=2"), "{\"log\": []}").expect(0);
    assert_eq!(ended.json()["seen"], 4);
    assert!(!ended.err.contains("__"), "no inner nodes are shown: {}", ended.err);
}

#[test]
fn a_response_is_shown_and_written() {
    let text = workflow(
        "name: str\nmessages: Annotated[list, add_messages]",
        "",
        "graph.add_node(\"greet\", nodes.response(text=\"Hello {{ name | upper }}\", into=\"messages\"))\ngraph.add_edge(START, \"greet\")",
    );
    let ended = run(&text, r#"{"name": "ada"}"#).expect(0);
    assert_eq!(ended.json()["messages"][0]["content"], "Hello ADA");
    assert_eq!(ended.json()["messages"][0]["type"], "ai");
}
