//! `agentweaver chat` and `agentweaver models`.

use crate::desk::Desk;

const SCRIPT: &str = "
rules:
  - say: 'Turn {{ messages | length }}: {{ last_user }}'
";

#[test]
fn a_chat_keeps_what_was_said_until_it_is_told_to_forget() {
    let desk = Desk::new();
    desk.write("chat.yaml", SCRIPT);
    let chat = ["chat", "--model", "scripted:chat.yaml"];
    let ended = desk.run_fed(chat, "one\n\ntwo\n/new\nthree\n/exit\nfour\n").expect(0);
    assert_eq!(ended.out, "Turn 1: one\nTurn 3: two\nTurn 1: three\n");
    let ended = desk.run_fed(["chat", "--model", "opnai/gpt-4o"], "one\n").expect(2);
    ended.says(&["Did you mean `openai`?"]);
}

#[test]
fn a_chat_that_fails_ends_with_what_went_wrong() {
    let desk = Desk::new();
    desk.write("chat.yaml", "rules:\n  - fail: {kind: auth}\n");
    desk.run_fed(["chat", "--model", "scripted:chat.yaml"], "one\n")
        .expect(1)
        .says(&["refused the key"]);
}

#[test]
fn providers_are_listed_with_what_they_lack() {
    let desk = Desk::new();
    let ended = desk.run(["models", "anthropic"]).expect(0);
    assert!(ended.out.contains("anthropic    no key: set ANTHROPIC_API_KEY"), "{}", ended.out);
    let ended = desk.run(["models", "anthropic", "--json"]).expect(0);
    assert_eq!(ended.json()[0]["provider"], "anthropic");
    desk.run(["models", "antropic"]).expect(2).says(&["did you mean `anthropic`?"]);
}
