//! The commands of the guide, as they stand there.

use crate::desk::Desk;

const TIME_TRAVEL: &str = include_str!("../../../../docs/guide/time-travel.md");

/// The fenced blocks of a page, without their fences.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1).collect()
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
