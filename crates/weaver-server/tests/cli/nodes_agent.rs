//! `nodes.llm`, `intent`, `store`, and models that answer nonsense.

use serde_json::json;

use crate::desk::{Desk, Ended, one_node, workflow};

fn run(text: &str, script: &str, input: &str) -> Ended {
    let desk = Desk::with("flow.py", text);
    desk.write("flow.script.yaml", script);
    desk.run(["run", "flow.py", "--input", input])
}

#[test]
fn an_llm_node_renders_its_prompt_and_writes_the_answer() {
    let node = "nodes.llm(model=\"openai/gpt-4o-mini\", system=\"Be short.\", prompt=\"Capital of {{ land }}?\", into=\"answer\")";
    let text = one_node("land: str\nanswer: str", "", node);
    let script = "rules:\n  - when: {user: {regex: \"Capital of Peru\"}}\n    say: Lima\ndefault:\n  say: no idea\n";
    let ended = run(&text, script, r#"{"land":"Peru"}"#).expect(0);
    assert_eq!(ended.json()["answer"], "Lima");
    ended.says(&["model: scripted", "no real model", "tokens"]);
}

#[test]
fn an_llm_node_calls_tools_of_the_file() {
    let body = "from langchain_core.tools import tool\n\n\n@tool\ndef double(n: int) -> int:\n    \"\"\"Doubles a number.\"\"\"\n    return n * 2\n";
    let node = "nodes.llm(model=\"openai/gpt-4o-mini\", prompt=\"Double 21\", tools=[double], into=\"answer\")";
    let script = "rules:\n  - when: {tool: double, tool_result: \"42\"}\n    say: it is 42\n  - tool_calls: [{name: double, args: {n: 21}}]\n";
    let ended = run(&one_node("answer: str", body, node), script, "{}").expect(0);
    assert_eq!(ended.json()["answer"], "it is 42");
    ended.says(&["⚒ double {\"n\":21}"]);
}

#[test]
fn an_llm_node_that_never_stops_calling_tools_fails() {
    let body = "from langchain_core.tools import tool\n\n\n@tool\ndef double(n: int) -> int:\n    \"\"\"Doubles a number.\"\"\"\n    return n * 2\n";
    let node = "nodes.llm(model=\"openai/gpt-4o-mini\", prompt=\"Double 21\", tools=[double], max_tool_rounds=2, into=\"answer\")";
    let script = "rules:\n  - tool_calls: [{name: double, args: {n: 21}}]\n";
    let ended = run(&one_node("answer: str", body, node), script, "{}").expect(1);
    ended.says(&["error[tool_rounds]", "max_tool_rounds"]);
}

const PERSON: &str =
    "from pydantic import BaseModel\n\n\nclass Person(BaseModel):\n    name: str\n    age: int\n";
const EXTRACT: &str = "nodes.llm(model=\"openai/gpt-4o-mini\", prompt=\"Who? {{ text }}\", output_schema=Person, into=\"person\")";

#[test]
fn an_llm_node_gives_an_instance_of_its_schema() {
    let text = one_node("text: str\nperson: object", PERSON, EXTRACT);
    let script = "rules:\n  - json: {name: Ada, age: 36}\n";
    let ended = run(&text, script, r#"{"text":"Ada is 36"}"#).expect(0);
    assert_eq!(ended.json()["person"], json!({"name": "Ada", "age": 36}));
}

#[test]
fn a_model_that_answers_nonsense_where_a_schema_is_asked() {
    let text = one_node("text: str\nperson: object", PERSON, EXTRACT);
    for script in [
        "rules:\n  - say: I like turtles\n",
        "rules:\n  - fail: nonsense\n",
        "rules:\n  - json: {name: Ada, age: old}\n",
    ] {
        let ended = run(&text, script, r#"{"text":"Ada"}"#).expect(1);
        ended.says(&["error[model_output_invalid]: node `work` failed", "nodes.llm("]);
    }
}

#[test]
fn a_model_that_fails_says_so() {
    let node = "nodes.llm(model=\"openai/gpt-4o-mini\", prompt=\"x\", into=\"answer\")";
    let text = one_node("answer: str", "", node);
    let ended = run(&text, "rules:\n  - fail: rate_limited\n", "{}");
    assert_eq!(ended.code, 1, "{}", ended.err);
    ended.says(&["error[model_rate_limited]"]);
}

fn triage() -> String {
    workflow(
        "text: str\nkind: str\nsays: str",
        "",
        "graph.add_node(\"triage\", nodes.intent(model=\"openai/gpt-4o-mini\", text=\"{{ text }}\", intents={\"refund\": {\"description\": \"wants money back\", \"goto\": \"money\"}, \"praise\": \"says thanks\"}, fallback=\"other\", into=\"kind\"))\n\
         graph.add_node(\"money\", nodes.response(text=\"to the till\", into=\"says\"))\n\
         graph.add_node(\"praise\", nodes.response(text=\"thank you\", into=\"says\"))\n\
         graph.add_node(\"other\", nodes.response(text=\"to a person\", into=\"says\"))\n\
         graph.add_edge(START, \"triage\")",
    )
}

#[test]
fn an_intent_goes_on_at_its_route() {
    for (intent, says) in
        [("refund", "to the till"), ("praise", "thank you"), ("none", "to a person")]
    {
        let script = format!("rules:\n  - json: {{intent: {intent}}}\n");
        let ended = run(&triage(), &script, r#"{"text":"hi"}"#).expect(0);
        assert_eq!((&ended.json()["kind"], &ended.json()["says"]), (&json!(intent), &json!(says)));
    }
    let ended =
        run(&triage(), "rules:\n  - json: {intent: dinner}\n", r#"{"text":"hi"}"#).expect(1);
    ended.says(&["error[model_output_invalid]"]);
}

#[test]
fn a_store_node_remembers_beyond_a_thread() {
    let put = "nodes.store(op=\"put\", namespace=[\"people\", \"{{ name }}\"], key=\"city\", value=\"{{ city }}\")";
    let get = "nodes.store(op=\"get\", namespace=[\"people\", \"{{ name }}\"], key=\"city\", into=\"city\")";
    let search =
        "nodes.store(op=\"search\", namespace=[\"people\"], query=\"lima\", into=\"found\")";
    let delete = "nodes.store(op=\"delete\", namespace=[\"people\", \"{{ name }}\"], key=\"city\")";
    let state = "name: str\ncity: str\nfound: list";
    let desk = Desk::new();
    for (name, node) in [("put", put), ("get", get), ("search", search), ("delete", delete)] {
        desk.write(&format!("{name}.py"), one_node(state, "", node));
    }
    let run = |file: &str, input: &str| desk.run(["run", file, "--input", input]).expect(0).json();
    run("put.py", r#"{"name":"ada","city":"Lima"}"#);
    run("put.py", r#"{"name":"bob","city":"Oslo"}"#);
    assert_eq!(run("get.py", r#"{"name":"ada"}"#)["city"], "Lima");
    assert_eq!(run("search.py", "{}")["found"], json!([{"key": "city", "value": "Lima"}]));
    run("delete.py", r#"{"name":"ada"}"#);
    assert_eq!(run("get.py", r#"{"name":"ada"}"#)["city"], json!(null));
}
