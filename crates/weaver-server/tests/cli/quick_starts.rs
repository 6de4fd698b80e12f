//! Files as people bring them from LangGraph: nothing to change, no key needed.

use serde_json::{Value, json};

use crate::desk::Desk;

/// Checks a file, runs it offline, and gives its final state.
fn state_of(name: &str, text: &str, input: Value) -> Value {
    let desk = Desk::with(name, text);
    let checked = desk.run(["check", name]);
    assert_eq!(checked.code, 0, "{name}: {}{}", checked.out, checked.err);
    let input = input.to_string();
    let ran = desk.run(["run", name, "--model", "scripted", "--json", "--input", &input]);
    assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
    let mut events = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let done = events.rfind(|event| event["kind"] == "done").expect("the run ends");
    done["data"]["values"].clone()
}

/// What was said, without the offline model's notice.
fn said(state: &Value) -> Vec<String> {
    let messages = state["messages"].as_array().expect("the state has messages");
    let text = |message: &Value| {
        let text = message["content"].as_str().unwrap_or_default();
        text.replace("[scripted offline model, no real model was asked] ", "")
    };
    messages.iter().map(text).collect()
}

#[test]
fn tools_of_a_factory_hand_over_to_another_agent() {
    let asked =
        json!({"messages": [{"role": "user", "content": "Pass to sums: add up 20 and 22."}]});
    let state = state_of("hand_off.py", include_str!("../quick_starts/hand_off.py"), asked);
    let said = said(&state);
    assert_eq!(
        said[2..],
        ["passed on", "", "42", "pass_to_sums answered: passed on\nplus answered: 42"]
    );
    assert_eq!(state["messages"][5]["name"], "sums");
}

#[test]
fn a_prebuilt_agent_takes_state_prompt_hooks_and_a_response_format() {
    let asked = json!({"messages": [["user", "What is the forecast for Bern?"]], "reader": "Ann"});
    let text = include_str!("../quick_starts/structured_agent.py");
    let state = state_of("structured_agent.py", text, asked);
    let answer = &state["structured_response"];
    let answer = answer.get("fields").unwrap_or(answer);
    assert_eq!(answer["summary"], "Bern will be mild, 17 degrees.");
    assert_eq!(answer["degrees"], 17);
    assert_eq!(answer["advice"].as_array().map(Vec::len), Some(3));
}

#[test]
fn each_call_of_a_prebuilt_agent_is_a_task_of_its_own() {
    let desk = Desk::with("agent.py", include_str!("../quick_starts/agent_calls.py"));
    let both = "[{name: price, args: {hotel: Ritz}}, {name: book, args: {hotel: Ritz}}]";
    let script = format!("rules: [{{when: {{step: 1}}, tool_calls: {both}}}]\ndefault: done\n");
    desk.write("hotel.yaml", script);
    let base = ["run", "agent.py", "--model", "scripted:hotel.yaml", "--thread", "t"];
    let input = json!({"messages": [["user", "book"]], "budget": 7}).to_string();
    desk.run(base.iter().copied().chain(["--input", &input])).expect(3);
    assert_eq!(desk.checkpoints("t")[0]["next"], json!(["tools", "tools"]));
    // The call that asked goes on, the other one stays done.
    let went_on = desk.run(base.iter().copied().chain(["--resume", "yes", "--json"])).expect(0);
    assert_eq!(went_on.nodes(), ["tools", "agent"]);
    let done = went_on.lines().pop().unwrap();
    let messages = &done["data"]["values"]["messages"];
    assert_eq!(messages[2]["content"], "Ritz costs 70");
    assert_eq!(messages[3]["content"], "Ritz for 7: yes");
}

#[test]
fn classes_do_what_they_do_in_python() {
    let text = include_str!("../quick_starts/classes.py");
    let state = state_of("classes.py", text, json!({"text": "Big News", "lines": []}));
    let lines = [
        "loud/big-news",
        "['a', 'b'] ['new'] True",
        "LOUD CALM ['calm', 'loud']",
        "|*   'hi'|",
        "****** abab True",
        "[('a', 'b'), ('c', 'd'), ('the', 'end')] []",
    ];
    assert_eq!(state["lines"], json!(lines));
    let problem = state["problem"].as_str().unwrap();
    assert!(problem.contains("title") && problem.contains("a note needs a title"), "{problem}");
}

#[test]
fn classes_of_the_state_have_their_methods_validators_and_defaults() {
    let text = include_str!("../quick_starts/state_classes.py");
    let input = json!({"items": [{"name": " Tea "}, {"name": "Cup", "count": 2}]});
    let lines = [
        "3: ['1 tea', '2 cup'] large [1, 2, 3]",
        "good Mood.GOOD large say good [True, True, True, False]",
        "SoldOut 404: no tea left (tea)",
        "Gone 404: no cups left ever (cups)",
        "ShopError 1: closed",
    ];
    assert_eq!(state_of("state_classes.py", text, input)["lines"], json!(lines));
    let desk = Desk::with("state_classes.py", text);
    let input = r#"{"items": [{"name": " "}]}"#;
    let refused = desk.run(["run", "state_classes.py", "--input", input]).expect(1);
    refused.says(&["ValidationError", "an item needs a name"]);
}

#[test]
fn objects_fallbacks_and_streams_are_nodes_like_any_other() {
    let asked =
        json!({"messages": [{"role": "user", "content": "How many 'lamps' are in stock?"}]});
    let state = state_of("callables.py", include_str!("../quick_starts/callables.py"), asked);
    let said = said(&state);
    assert_eq!(said[2], "sorry: RuntimeError");
    assert_eq!(state["messages"][1]["tool_calls"][0]["args"], json!({"item": "lamps"}));
    assert!(state["closing"].as_str().unwrap().ends_with("opening hours"));
}

#[test]
fn a_missing_key_keeps_its_code_in_a_python_node() {
    let desk = Desk::with("callables.py", include_str!("../quick_starts/callables.py"));
    let input = r#"{"messages": [{"role": "user", "content": "hello"}]}"#;
    let ran = desk.run(["run", "callables.py", "--input", input]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("error[model_key_missing]"), "{}", ran.err);
}
