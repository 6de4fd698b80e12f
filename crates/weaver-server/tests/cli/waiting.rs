//! `nodes.wait` and `nodes.user_input`: forms, routes, deadlines.

use serde_json::json;

use crate::desk::{Desk, Ended, workflow};

fn desk(node: &str) -> Desk {
    let build = format!(
        "graph.add_node(\"ask\", {node})\n\
         graph.add_node(\"paid\", nodes.response(text=\"paid {{{{ answer }}}}\", into=\"result\"))\n\
         graph.add_node(\"late\", nodes.response(text=\"too late\", into=\"result\"))\n\
         graph.add_edge(START, \"ask\")\ngraph.add_edge(\"paid\", END)\ngraph.add_edge(\"late\", END)"
    );
    Desk::with("flow.py", &workflow("topic: str\nanswer: object\nresult: str", "", &build))
}

fn start(desk: &Desk) -> Ended {
    desk.run(["run", "flow.py", "--input", r#"{"topic":"soap"}"#, "--thread", "t"])
}

fn answer(desk: &Desk, answer: &str) -> Ended {
    desk.run(["run", "flow.py", "--thread", "t", "--resume", answer])
}

#[test]
fn a_wait_shows_its_form_and_takes_an_answer_that_fits() {
    let desk = desk(
        "nodes.wait(message=\"Pay for {{ topic }}?\", form={\"ok\": \"bool\", \"note\": \"str\"}, goto=\"paid\", into=\"answer\")",
    );
    start(&desk).expect(3).says(&["Pay for soap?", "\"ok\": true or false", "\"note\": text"]);
    let again = answer(&desk, r#"{"ok": "perhaps", "note": 1}"#).expect(3);
    again.says(&["Pay for soap?", "does not fit the form", "perhaps"]);
    let ended = answer(&desk, r#"{"ok": true, "note": "fine"}"#).expect(0);
    assert_eq!(ended.json()["answer"], json!({"ok": true, "note": "fine"}));
    assert!(ended.json()["result"].as_str().unwrap().starts_with("paid "));
}

#[test]
fn a_deadline_that_has_not_passed_is_shown_and_the_thread_waits_on() {
    let desk =
        desk("nodes.wait(message=\"Pay?\", deadline=3600, on_timeout=\"late\", goto=\"paid\")");
    start(&desk).expect(3).says(&["Pay?", "minutes", "left to answer"]);
    desk.run(["run", "flow.py", "--thread", "t"]).expect(3).says(&["left to answer"]);
    assert!(answer(&desk, "yes").expect(0).json()["result"].as_str().unwrap().starts_with("paid"));
}

#[test]
fn a_run_behind_the_deadline_takes_the_route_of_the_time_out() {
    let desk =
        desk("nodes.wait(message=\"Pay?\", deadline=0.001, on_timeout=\"late\", goto=\"paid\")");
    start(&desk).expect(3);
    let ended = desk.run(["run", "flow.py", "--thread", "t"]).expect(0);
    assert_eq!(ended.json()["result"], "too late");
    // The time-out is the answer now: it is not given twice.
    answer(&desk, "yes").expect(2).says(&["waits for no answer"]);
}

#[test]
fn a_time_out_without_a_route_fails_the_node() {
    let desk = desk("nodes.wait(message=\"Pay?\", deadline=0.001, goto=\"paid\")");
    start(&desk).expect(3);
    let ended = desk.run(["run", "flow.py", "--thread", "t"]).expect(1);
    ended.says(&["error[wait_timeout]", "nobody answered in time", "on_timeout"]);
}

#[test]
fn user_input_writes_its_fields_to_the_state() {
    let desk = desk(
        "nodes.user_input(message=\"Which one?\", fields={\"topic\": \"str\", \"result\": \"str\"})",
    );
    start(&desk).expect(3).says(&["Which one?", "\"topic\": text"]);
    let ended = answer(&desk, r#"{"topic": "tea", "result": "green"}"#).expect(0);
    assert_eq!(ended.json(), json!({"topic": "tea", "result": "green"}));
}

#[test]
fn user_input_writes_one_answer_to_one_key() {
    let desk = desk("nodes.user_input(message=\"Which one?\", into=\"topic\")");
    start(&desk).expect(3);
    assert_eq!(answer(&desk, "tea").expect(0).json()["topic"], "tea");
}
