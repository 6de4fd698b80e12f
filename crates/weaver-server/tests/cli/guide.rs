//! The commands of the guide, as they stand there.

use crate::desk::Desk;

const FIRST_WORKFLOW: &str = include_str!("../../../../docs/guide/first-workflow.md");
const ASK_A_PERSON: &str = include_str!("../../../../docs/guide/ask-a-person.md");
const TIME_TRAVEL: &str = include_str!("../../../../docs/guide/time-travel.md");

/// The fenced blocks of a page, without their fences.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1).collect()
}

/// The commands of a page.
fn commands<'p>(blocks: &[&'p str]) -> Vec<&'p str> {
    let lines = blocks.iter().flat_map(|block| block.lines());
    lines.filter(|line| line.starts_with("agentweaver ")).collect()
}

/// The words of a command line in which quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(String::from)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

#[test]
fn the_page_on_a_first_workflow_works_as_written() {
    let blocks = blocks(FIRST_WORKFLOW);
    let desk = Desk::with("greet.py", blocks[0]);
    let commands = commands(&blocks);
    assert_eq!(commands.len(), 6);
    for command in commands {
        let ended = desk.run(&words(command)[1..]).expect(0);
        if command.contains("--fork") {
            assert!(ended.out.contains("Hello, Grace!"), "{}", ended.out);
        }
    }
    desk.write("greet.py", blocks[0].replace(r#"edge("greet""#, r#"edge("greeet""#));
    let checked = desk.run(["check", "greet.py"]).expect(1);
    assert!(checked.out.contains("unknown_node"), "{}", checked.out);
    assert!(checked.out.contains("did you mean `greet`?"), "{}", checked.out);
}

#[test]
fn the_page_on_asking_a_person_works_as_written() {
    let blocks = blocks(ASK_A_PERSON);
    let desk = Desk::with("letter.py", blocks[0]);
    let commands = commands(&blocks);
    assert_eq!(commands.len(), 2);
    desk.run(&words(commands[0])[1..]).expect(3).says(&["Send this?"]);
    let ended = desk.run(&words(commands[1])[1..]).expect(0);
    assert!(ended.out.contains(r#""approved": true"#), "{}", ended.out);
}

#[test]
fn the_page_on_time_travel_works_as_written() {
    let blocks = blocks(TIME_TRAVEL);
    let desk = Desk::with("notes.py", blocks[0]);
    desk.write("notes.script.yaml", blocks[1]);
    let commands = blocks[2..].iter().flat_map(|block| block.lines());
    let mut count = 0;
    for command in commands.filter(|command| !command.contains("--thread ID")) {
        let changes = command.contains("notes.py --replay");
        if changes {
            desk.write("notes.py", blocks[0].replace("\"; \"", "\", \""));
        }
        let ended = desk.run(&words(command)[1..]).expect(i32::from(changes));
        if changes {
            assert!(ended.out.contains("node `write` (notes.py:35)"), "{}", ended.out);
        }
        if command.contains("--only-changed") {
            ended.says(&["1 of 3 node runs", "2 taken from before", "saved 1 model call"]);
        }
        count += 1;
    }
    assert_eq!(count, 11);
}
