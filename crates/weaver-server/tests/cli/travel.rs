//! Time travel: forks anywhere, replays, diffs.

use serde_json::{Value, json};

use crate::desk::{Desk, one_question, two_steps, workflow};

/// Two parallel branches, one of them a subgraph of two steps, and a join.
fn nested() -> String {
    let body = "class Inner(TypedDict):\n    topic: str\n    notes: Annotated[list, operator.add]\n\n\n\
         def dig(state: Inner):\n    return {\"notes\": [\"dug \" + state[\"topic\"]]}\n\n\n\
         def sift(state: Inner):\n    return {\"notes\": [\"sifted \" + state[\"notes\"][-1]]}\n\n\n\
         inner = StateGraph(Inner)\ninner.add_node(dig)\ninner.add_node(sift)\n\
         inner.add_edge(START, \"dig\")\ninner.add_edge(\"dig\", \"sift\")\ninner.add_edge(\"sift\", END)\n\n\n\
         def aside(state: State):\n    return {\"notes\": [\"aside\"]}\n\n\n\
         def close(state: State):\n    return {\"answer\": \", \".join(state[\"notes\"])}\n";
    workflow(
        "topic: str\nnotes: Annotated[list, operator.add]\nanswer: str",
        body,
        "graph.add_node(\"research\", inner.compile())\ngraph.add_node(aside)\ngraph.add_node(close)\n\
         graph.add_edge(START, \"research\")\ngraph.add_edge(START, \"aside\")\n\
         graph.add_edge([\"research\", \"aside\"], \"close\")\ngraph.add_edge(\"close\", END)",
    )
}

/// One node that asks a model, a clock and chance.
pub fn asking(prompt: &str) -> String {
    workflow(
        "question: str\nanswer: str\nwhen: float\ndice: int",
        &format!(
            "import random\nimport time\n\n\ndef look(state: State):\n    return {{\"when\": time.time(), \"dice\": random.randint(0, 10**9)}}\n\n\n\
             def answer(state: State):\n    return {{\"answer\": llm(\"scripted\", \"{prompt} \" + state[\"question\"]).text}}\n"
        ),
        "graph.add_node(look)\ngraph.add_node(answer)\ngraph.add_edge(START, \"look\")\n\
         graph.add_edge(\"look\", \"answer\")\ngraph.add_edge(\"answer\", END)",
    )
}

/// The newest checkpoint of a subgraph that comes after a step.
fn inside(desk: &Desk, namespace: &str, step: i64) -> String {
    let listed = desk.run(["history", "t", "--namespace", namespace, "--json"]).expect(0).json();
    let found = listed.as_array().unwrap().iter().find(|entry| entry["step"] == step).unwrap();
    found["checkpoint"].as_str().unwrap().to_string()
}

#[test]
fn a_fork_inside_a_subgraph_beside_a_parallel_branch() {
    let desk = Desk::with("nested.py", &nested());
    let first = desk.run(["run", "nested.py", "--input", r#"{"topic":"tea"}"#, "--thread", "t"]);
    let all = "aside, dug tea, sifted dug tea";
    assert_eq!(first.expect(0).json()["answer"], all);
    let id = inside(&desk, "research", 1);
    let state = desk.run(["history", "t", "--at", &id]).expect(0).json();
    assert_eq!(state, json!({"topic": "tea", "notes": ["dug tea"]}));
    // As it was: `dig` does not run again, `sift` and the rest do.
    let plain = desk.run(["run", "--thread", "t", "--fork", &id, "--json"]).expect(0);
    let mut ran = plain.nodes();
    // Side by side: either may end first.
    ran[..2].sort();
    assert_eq!(ran, ["aside", "sift", "close"]);
    assert_eq!(desk.run(["run", "--thread", "t"]).expect(0).json()["answer"], all);
    // With another state inside the subgraph.
    let update = r#"{"notes":["found coffee"]}"#;
    let args = ["run", "--thread", "t", "--fork", &id, "--update", update, "--as-node", "dig"];
    let ended = desk.run(args).expect(0);
    assert_eq!(ended.json()["answer"], "aside, dug tea, found coffee, sifted found coffee");
    assert_eq!(desk.run(["history", "t", "--at", &id]).expect(0).json(), state, "untouched");
}

#[test]
fn a_fork_into_a_thread_of_its_own_leaves_the_old_one_alone() {
    let desk = Desk::with("nested.py", &nested());
    desk.run(["run", "nested.py", "--input", r#"{"topic":"tea"}"#, "--thread", "t"]).expect(0);
    let before = desk.checkpoints("t");
    let id = inside(&desk, "research", 1);
    let update = r#"{"notes":["found coffee"]}"#;
    let args = ["run", "--thread", "t", "--fork", &id, "--to-thread", "new", "--update", update];
    let ended = desk.run(args.into_iter().chain(["--as-node", "dig"])).expect(0);
    assert_eq!(ended.json()["answer"], "aside, dug tea, found coffee, sifted found coffee");
    assert_eq!(desk.checkpoints("t"), before);
    assert_eq!(desk.run(["run", "--thread", "new"]).expect(0).json(), ended.json());
    desk.run(args).expect(2).says(&["there is a thread `new` already"]);
}

#[test]
fn a_fork_runs_on_with_a_changed_file() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", r#"{"question":"hi"}"#, "--thread", "t"]).expect(0);
    desk.write("flow.py", two_steps().replace(".upper()", "[::-1]"));
    let id = desk.checkpoints("t")[1]["checkpoint"].as_str().unwrap().to_string();
    let old = desk.run(["run", "--thread", "t", "--fork", &id]).expect(0);
    assert_eq!(old.json()["answer"], "HI", "pinned");
    let new = desk.run(["run", "flow.py", "--thread", "t", "--fork", &id]).expect(0);
    assert_eq!(new.json()["answer"], "ih");
    let both = ["run", "--thread", "t", "--fork", &id, "--input", "{}"];
    desk.run(both).expect(2);
    desk.run(["run", "--thread", "no", "--fork", &id]).expect(2).says(&["there is no thread `no`"]);
}

#[test]
fn a_replay_is_equal_and_fires_nothing() {
    let desk = Desk::with("ask.py", &asking("Say"));
    desk.write("ask.script.yaml", "rules:\n  - say: first answer\n");
    let args = ["run", "ask.py", "--input", r#"{"question":"why"}"#, "--thread", "t"];
    assert_eq!(desk.run(args).expect(0).json()["answer"], "first answer");
    // A model that would answer otherwise is not asked.
    desk.write("ask.script.yaml", "rules:\n  - say: second answer\n");
    let ended = desk.run(["run", "--replay", "t"]).expect(0);
    assert!(
        ended.out.contains("equal: 4 checkpoints") && ended.out.contains("1 model call"),
        "{}",
        ended.out
    );
    let replayed = desk.run(["run", "--replay", "t", "--json"]).expect(0).json();
    assert_eq!(replayed["served"]["model"], 1);
    assert_eq!(replayed["served"]["clock"], 1);
    let by_id = desk.run(["run", "--replay", replayed["execution"].as_str().unwrap()]).expect(0);
    assert_eq!(by_id.out, ended.out);
    assert_eq!(desk.checkpoints("t").len(), 4, "nothing was written");
    desk.run(["run", "--replay", "nope"]).expect(2).says(&["there is no thread `nope`"]);
}

#[test]
fn a_replay_with_a_changed_file_says_what_would_differ() {
    let desk = Desk::with("ask.py", &asking("Say"));
    desk.write("ask.script.yaml", "rules:\n  - say: an answer\n");
    let args = ["run", "ask.py", "--input", r#"{"question":"why"}"#, "--thread", "t"];
    desk.run(args).expect(0);
    let differences = |text: &str| -> Vec<Value> {
        desk.write("ask.py", text);
        let ended = desk.run(["run", "ask.py", "--replay", "t", "--json"]);
        ended.json()["differences"].as_array().unwrap().clone()
    };
    assert_eq!(differences(&asking("Say").replace("def look", "# a remark\ndef look")), [0; 0]);
    let asked = differences(&asking("Tell"));
    assert_eq!(
        (asked[0]["kind"].as_str(), asked[0]["what"].as_str()),
        (Some("call_changed"), Some("model"))
    );
    assert_eq!((&asked[0]["node"], &asked[0]["step"]), (&json!("answer"), &json!(2)));
    let line = asking("Tell").lines().position(|line| line.starts_with("def answer")).unwrap() + 1;
    assert_eq!(asked[0]["line"], line);
    let wrote = differences(&asking("Say").replace(").text}", ").text.upper()}"));
    assert_eq!(wrote.len(), 1, "{wrote:?}");
    assert_eq!((&wrote[0]["kind"], &wrote[0]["what"]), (&json!("wrote"), &json!("answer")));
    assert_eq!(
        (&wrote[0]["recorded"], &wrote[0]["now"]),
        (&json!("an answer"), &json!("AN ANSWER"))
    );
    let more = differences(
        &asking("Say")
            .replace("time.time(), ", "time.time() + len(llm(\"scripted\", \"x\").text), "),
    );
    assert_eq!((&more[0]["kind"], &more[0]["node"]), (&json!("call_not_recorded"), &json!("look")));
    let less = differences(
        &asking("Say")
            .replace("llm(\"scripted\", \"Say \" + state[\"question\"]).text", "\"no model\""),
    );
    assert!(less.iter().any(|difference| difference["kind"] == "call_not_made"), "{less:?}");
    let ended = desk.run(["run", "ask.py", "--replay", "t"]).expect(1);
    assert!(ended.out.contains("step 2 · node `answer` (ask.py:"), "{}", ended.out);
}

#[test]
fn a_replay_answers_what_was_answered() {
    let desk = Desk::with("ask.py", &one_question());
    let args = ["run", "ask.py", "--input", r#"{"topic":"soap"}"#, "--thread", "t"];
    desk.run(args).expect(3);
    desk.run(["run", "--replay", "t"]).expect(0);
    desk.run(["run", "ask.py", "--thread", "t", "--resume", "yes"]).expect(0);
    let ended = desk.run(["run", "--replay", "t"]).expect(0);
    assert!(ended.out.contains("equal: 3 checkpoints"), "{}", ended.out);
}

#[test]
fn a_fork_can_be_replayed_too() {
    let desk = Desk::with("nested.py", &nested());
    desk.run(["run", "nested.py", "--input", r#"{"topic":"tea"}"#, "--thread", "t"]).expect(0);
    desk.run(["run", "--replay", "t"]).expect(0);
    let id = inside(&desk, "research", 1);
    let update = r#"{"notes":["found coffee"]}"#;
    let args = ["run", "--thread", "t", "--fork", &id, "--update", update, "--as-node", "dig"];
    desk.run(args).expect(0);
    let ended = desk.run(["run", "--replay", "t"]);
    assert!(ended.out.contains("equal:"), "{}{}", ended.out, ended.err);
}

#[test]
fn branches_are_a_tree_with_the_runs_that_made_them() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", r#"{"question":"hi"}"#, "--thread", "t"]).expect(0);
    let id = desk.checkpoints("t")[1]["checkpoint"].as_str().unwrap().to_string();
    let args = ["history", "t", "--fork", &id, "--update", r#"{"question":"changed"}"#];
    desk.run(args).expect(0);
    let shown = desk.run(["history", "t"]).expect(0).out;
    let columns: Vec<&str> = shown.lines().map(|line| line.split("  ").next().unwrap()).collect();
    let of_runs =
        |line: &&&str| !line.is_empty() && !line.starts_with("run") && !line.starts_with("edit");
    let tree: Vec<&str> = columns.iter().filter(of_runs).copied().collect();
    assert_eq!(tree, ["●", "●", "│ ●", "├─╯", "●", "●", "●"], "{shown}");
    assert_eq!(columns.iter().filter(|line| line.starts_with("run ")).count(), 2, "{shown}");
    assert_eq!(columns.iter().filter(|line| line.starts_with("edit ")).count(), 1, "{shown}");
    let listed = desk.checkpoints("t");
    let forked = listed.iter().find(|entry| entry["checkpoint"] == *id).unwrap();
    assert_eq!((&forked["children"], &forked["branch"]), (&json!(2), &json!(0)));
    assert_eq!(listed[2]["branch"], 1);
}

#[test]
fn a_diff_shows_what_lies_between_two_states() {
    let desk = Desk::with("flow.py", &two_steps());
    desk.run(["run", "flow.py", "--input", r#"{"question":"hi"}"#, "--thread", "t"]).expect(0);
    let ids: Vec<String> = desk
        .checkpoints("t")
        .iter()
        .map(|entry| entry["checkpoint"].as_str().unwrap().to_string())
        .collect();
    let shown = desk.run(["history", "t", "--diff", &ids[1], &ids[0]]).expect(0).out;
    for part in
        ["+ answer: \"HI\"", "+ log: 1 more behind 1", "+ \"answered\"", "~ next: answer → the end"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = desk.run(["history", "t", "--diff", &ids[0], &ids[1], "--json"]).expect(0).json();
    let changes = json["changes"].as_array().unwrap();
    let kinds: Vec<&str> = changes.iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["removed", "changed"]);
    assert_eq!(json["to"]["next"], json!(["answer"]));
    desk.run(["history", "t", "--diff", &ids[0], &ids[0]]).expect(0).says(&["the same"]);
    desk.run(["history", "t", "--diff", &ids[0]]).expect(2);
    desk.run(["history", "t", "--diff", &ids[0], "zz"]).expect(2).says(&["no checkpoint `zz`"]);
}

#[test]
fn a_replay_knows_the_cache_and_refuses_what_the_log_does_not_hold() {
    let text = asking("Say")
        .replace("graph.add_node(answer)", "graph.add_node(answer, cache_policy=CachePolicy())")
        .replace("graph.add_node(look)\n", "")
        .replace("graph.add_edge(START, \"look\")\n", "")
        .replace("graph.add_edge(\"look\", \"answer\")", "graph.add_edge(START, \"answer\")")
        .replace("graph.compile()", "graph.compile(cache=InMemoryCache())")
        .replace("import random", "from langgraph.cache.memory import InMemoryCache\nfrom langgraph.types import CachePolicy\nimport random");
    let desk = Desk::with("ask.py", &text);
    desk.write("ask.script.yaml", "rules:\n  - say: an answer\n");
    let run = |thread: &str, durability: &str| {
        let input = ["--input", r#"{"question":"why"}"#, "--durability", durability];
        let args = ["run", "ask.py", "--json", "--thread", thread];
        desk.run(args.into_iter().chain(input)).expect(0)
    };
    assert_eq!(run("first", "sync").nodes(), ["answer"]);
    assert_eq!(run("second", "sync").nodes(), [""; 0], "the cache answers");
    for thread in ["first", "second"] {
        let ended = desk.run(["run", "--replay", thread]).expect(0);
        assert!(ended.out.contains("equal: 3 checkpoints"), "{thread}: {}", ended.out);
    }
    run("last", "exit");
    desk.run(["run", "--replay", "last"]).expect(2).says(&["its log has only its end"]);
}

#[test]
fn a_fork_inside_a_graph_that_a_function_invokes() {
    let text = nested()
        .replace("graph.add_node(\"research\", inner.compile())", "graph.add_node(research)")
        .replace("def aside(", "deep = inner.compile()\n\n\ndef research(state: State):\n    return {\"notes\": deep.invoke({\"topic\": state[\"topic\"], \"notes\": []})[\"notes\"]}\n\n\ndef aside(");
    let desk = Desk::with("nested.py", &text);
    desk.run(["run", "nested.py", "--input", r#"{"topic":"tea"}"#, "--thread", "t"]).expect(0);
    let id = inside(&desk, "research", 1);
    let update = r#"{"notes":["found coffee"]}"#;
    let args = ["run", "--thread", "t", "--fork", &id, "--update", update, "--as-node", "dig"];
    let ended = desk.run(args).expect(0).json();
    assert_eq!(ended["answer"], "aside, dug tea, found coffee, sifted found coffee");
    desk.run(["run", "--replay", "t"]).expect(0);
    desk.write("nested.py", text.replace("\"sifted \" +", "\"sieved \" +"));
    let ended = desk.run(["run", "nested.py", "--only-changed", "--json"]).expect(0);
    let lines = ended.lines();
    let ran = lines
        .iter()
        .filter(|event| event["kind"] == "node_exit" && event["data"]["cached"].is_null());
    let ran: Vec<&str> = ran.map(|event| event["node"].as_str().unwrap()).collect();
    assert_eq!(ran, ["sift", "research", "close"]);
}
