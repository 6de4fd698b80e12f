//! Answers to waiting threads.

use serde_json::json;

use crate::desk::{Desk, one_question, two_questions};

const TOPIC: &str = r#"{"topic":"soap"}"#;

#[test]
fn a_waiting_run_ends_with_3_and_says_how_to_answer() {
    let desk = Desk::with("ask.py", &one_question());
    let ended = desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3).says(&[
        "Shall it go out?",
        "topic: soap",
        "agentweaver run ask.py --thread t --resume",
    ]);
    assert_eq!(ended.json(), json!({"topic": "soap"}), "the state so far");
    let again = desk.run(["run", "ask.py", "--thread", "t"]).expect(3);
    again.says(&["Shall it go out?"]);
}

#[test]
fn an_answer_is_text_or_json() {
    for (given, expected) in [
        ("yes", json!("yes")),
        ("\"yes\"", json!("yes")),
        ("5", json!(5)),
        ("{\"a\": [1]}", json!({"a": [1]})),
        ("{\"face\": 1}", json!({"face": 1})),
    ] {
        let desk = Desk::with("ask.py", &one_question());
        desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3);
        let ended = desk.run(["run", "ask.py", "--thread", "t", "--resume", given]).expect(0);
        assert_eq!(ended.json()["answer"], expected);
    }
}

#[test]
fn several_questions_are_answered_by_id_or_its_beginning() {
    let desk = Desk::with("ask.py", &two_questions());
    let ended = desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t", "--json"]).expect(3);
    let id_of = |question: &str| {
        let events = ended.lines();
        let event = events
            .iter()
            .find(|event| event["kind"] == "interrupt" && event["data"]["value"] == question);
        event.unwrap()["data"]["id"].as_str().unwrap().to_string()
    };
    let (colour, size) = (id_of("which colour?"), id_of("which size?"));
    let resume = |answer: &str| desk.run(["run", "ask.py", "--thread", "t", "--resume", answer]);

    resume("red").expect(2).says(&["waits for 2 answers", "--resume '{\""]);
    resume(&json!({"0123456789abcdef0123456789abcdef": 1}).to_string())
        .expect(2)
        .says(&["no open question has the id `0123456789abcdef0123456789abcdef`", &colour[..8]]);
    let ended = resume(&json!({&colour[..8]: "red"}).to_string()).expect(3).says(&["which size?"]);
    assert!(!ended.err.contains("which colour?"), "that one is answered: {}", ended.err);
    let ended = resume(&json!({size: "xl"}).to_string()).expect(0);
    assert_eq!(ended.json()["answers"], json!(["colour red", "size xl"]));
}

#[test]
fn an_answer_to_nothing_is_refused_and_changes_nothing() {
    let desk = Desk::with("ask.py", &one_question());
    desk.run(["run", "ask.py", "--thread", "new", "--resume", "yes"])
        .expect(2)
        .says(&["there is no thread `new`", "agentweaver history"]);
    desk.run(["run", "--thread", "new"]).expect(2).says(&["there is no thread `new`"]);
    assert_eq!(desk.threads().len(), 0, "nothing was written");

    desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3);
    desk.run(["run", "ask.py", "--thread", "t", "--resume", "yes"]).expect(0);
    let before = desk.checkpoints("t");
    desk.run(["run", "ask.py", "--thread", "t", "--resume", "no"])
        .expect(2)
        .says(&["waits for no answer", "it has ended"]);
    assert_eq!(desk.checkpoints("t"), before);
}

#[test]
fn a_pinned_thread_is_answered_without_its_file() {
    let desk = Desk::with("ask.py", &one_question());
    desk.run(["run", "ask.py", "--input", TOPIC, "--thread", "t"]).expect(3);
    std::fs::remove_file(desk.path("ask.py")).unwrap();
    let ended = desk.run(["run", "--thread", "t", "--resume", "yes"]).expect(0);
    assert_eq!(ended.json()["answer"], "yes");
}

#[test]
fn an_answer_with_a_slip_is_refused_and_the_thread_waits_on() {
    let desk = Desk::with("ask.py", &one_question());
    desk.run(["run", "ask.py", "--thread", "t", "--input", TOPIC]).expect(3);
    for broken in [r#"{"ok": "#, "[1, 2", "\"yes"] {
        let ended = desk.run(["run", "ask.py", "--thread", "t", "--resume", broken]).expect(2);
        ended.says(&["--resume is not JSON", "^", "[like this]"]);
    }
    let went_on = desk.run(["run", "ask.py", "--thread", "t", "--resume", "-3"]).expect(0);
    assert_eq!(went_on.json()["answer"], -3);
}
