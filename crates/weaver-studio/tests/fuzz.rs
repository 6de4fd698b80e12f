//! No text makes the parser panic, and what it answers always fits the text.
//!
//! `WEAVER_FUZZ_CASES=1000000 cargo t -p weaver-studio --test fuzz` runs for long.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use weaver_core::Span;
use weaver_studio::{Analysis, Document, parse, program};

/// Pieces that break parsers: unclosed brackets and strings, odd line ends, odd
/// indentation, text that is no ASCII.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "f\"{",
    "f'{x!r:>{w}}'",
    "\\",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "#",
    "@",
    ":",
    ";",
    ",",
    "=",
    "lambda",
    "async ",
    "await ",
    "def ",
    "class ",
    "if ",
    "else:",
    "elif",
    "for ",
    "in ",
    "import ",
    "from ",
    "return ",
    "yield ",
    "del ",
    "日本語",
    "é",
    "\u{0}",
    "\u{feff}",
    "🙂",
    "graph.add_node(",
    "graph.add_edge(START, ",
    "StateGraph(",
    ".compile()",
    "*",
    "**",
    "...",
    "Annotated[",
    "Literal[\"a\", ",
    "Command[",
    "Send(\"x\", ",
    "nodes.llm(model=",
    "rules=[{\"if\": ",
    "x = [x, x]\n",
    "y = x + x\n",
    "s = f\"{s}{s}\"\n",
    "\u{c}",
    "match x:\n case ",
    "type X = ",
    "\\\n",
    "0x",
    "1e999",
    "99999999999999999999",
];

fn cases() -> u32 {
    std::env::var("WEAVER_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_500)
}

fn seeds() -> Vec<String> {
    let mut seeds = Vec::new();
    for kind in ["ok", "err"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data").join(kind);
        for entry in fs::read_dir(folder).expect("the folder is part of the repository") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_some_and(|ext| ext == "py") {
                seeds.push(fs::read_to_string(path).expect("test data is text"));
            }
        }
    }
    seeds.sort();
    seeds
}

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    Cut { at: usize, length: usize },
    Insert { at: usize, piece: usize },
    Copy { from: usize, length: usize, to: usize },
    Truncate { at: usize },
    Splice { seed: usize, from: usize, length: usize, to: usize },
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..20_000usize;
    prop_oneof![
        (place.clone(), 1..80usize).prop_map(|(at, length)| Change::Cut { at, length }),
        (place.clone(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert { at, piece }),
        (place.clone(), 1..200usize, place.clone()).prop_map(|(from, length, to)| Change::Copy {
            from,
            length,
            to
        }),
        place.clone().prop_map(|at| Change::Truncate { at }),
        (0..64usize, place.clone(), 1..400usize, place)
            .prop_map(|(seed, from, length, to)| Change::Splice { seed, from, length, to }),
    ]
}

fn apply(text: &mut String, change: &Change, seeds: &[String]) {
    match change {
        Change::Cut { at, length } => {
            let from = boundary(text, *at);
            let to = boundary(text, from + length);
            text.replace_range(from.min(to)..to.max(from), "");
        }
        Change::Insert { at, piece } => text.insert_str(boundary(text, *at), PIECES[*piece]),
        Change::Copy { from, length, to } => {
            let from = boundary(text, *from);
            let end = boundary(text, from + length).max(from);
            let piece = text[from..end].to_string();
            text.insert_str(boundary(text, *to), &piece);
        }
        Change::Truncate { at } => text.truncate(boundary(text, *at)),
        Change::Splice { seed, from, length, to } => {
            let other = &seeds[seed % seeds.len()];
            let from = boundary(other, *from);
            let end = boundary(other, from + length).max(from);
            text.insert_str(boundary(text, *to), &other[from..end]);
        }
    }
}

/// A place in a text, wrapped around its length, at the start of a character.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_never_panic_and_spans_stay_inside(
        seed in 0..64usize,
        changes in proptest::collection::vec(change(), 1..8),
    ) {
        let seeds = seeds();
        let mut text = seeds[seed % seeds.len()].clone();
        for change in &changes {
            apply(&mut text, change, &seeds);
        }
        holds(&parse("fuzz.py", &text));
    }

    #[test]
    fn pieces_in_any_order_never_panic(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        holds(&parse("fuzz.py", &text));
    }

    #[test]
    fn an_edited_document_is_the_same_as_a_fresh_one(
        seed in 0..64usize,
        changes in proptest::collection::vec(change(), 1..5),
    ) {
        let seeds = seeds();
        let mut text = seeds[seed % seeds.len()].clone();
        let mut document = Document::new("fuzz.py", &text);
        for change in &changes {
            let before = text.clone();
            apply(&mut text, change, &seeds);
            let same = before.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
            let start = (0..=same).rev().find(|at| before.is_char_boundary(*at) && text.is_char_boundary(*at)).unwrap_or(0);
            document.edit(start..before.len(), &text[start..]).expect("a range of the text");
        }
        let fresh = parse("fuzz.py", &text);
        prop_assert_eq!(&document.analysis().spec, &fresh.spec);
        prop_assert_eq!(program(document.analysis(), None), program(&fresh, None));
    }
}

/// A file in which statements far apart say what others mean: a graph built in a loop
/// over a constant, a helper of a helper, a base class, an import, an alias of a type.
const CONNECTED: &str = r#"
import json
import operator
from typing import Annotated, Literal, TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

STAGES = ["plan", "write", "check"]
LAST = "check"
Target = Literal["write", "check"]


class Base(TypedDict):
    topic: str


class State(Base):
    log: Annotated[list[str], operator.add]


def clean(text):
    return json.dumps(text).strip()


def note(text):
    return [clean(text)]


def stage(state: State) -> dict:
    return {"log": note(LAST)}


def route(state: State) -> Target:
    return LAST


def leave(state: State) -> Command[Literal["plan"]]:
    return Command(goto=STAGES[0])


def make(names):
    graph = StateGraph(State)
    for name in names:
        graph.add_node(name, stage)
    graph.add_node("leave", leave)
    graph.add_edge(START, names[0])
    graph.add_conditional_edges(names[0], route)
    graph.add_edge(LAST, END)
    return graph


app = make(STAGES).compile()
"#;

/// Words of that file and what an edit may put in their place.
const RENAMED: [(&str, &str); 18] = [
    ("def clean", "def clear"),
    ("clean(text)", "clear(text)"),
    ("def note", "def noted"),
    ("\"plan\", \"write\"", "\"plan\", \"draft\", \"write\""),
    ("\"check\"]", "\"review\"]"),
    ("LAST = \"check\"", "LAST = \"write\""),
    ("class Base(TypedDict)", "class Base(dict)"),
    ("topic: str", "subject: int"),
    ("State(Base)", "State(TypedDict)"),
    ("operator.add]", "operator.mul]"),
    ("import json\n", "import numpy as json\n"),
    ("Literal[\"write\", \"check\"]", "Literal[\"plan\"]"),
    ("STAGES[0]", "STAGES[1]"),
    ("make(STAGES)", "make(STAGES[:2])"),
    ("def make(names)", "def make(names: list)"),
    ("StateGraph(State)", "StateGraph(Base)"),
    ("def stage", "async def stage"),
    ("Command[Literal[\"plan\"]]", "Command"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 5, failure_persistence: None, ..ProptestConfig::default() })]

    /// What one statement says reaches all that depend on it, whatever was known before.
    #[test]
    fn an_edit_reaches_statements_that_it_does_not_touch(
        edits in proptest::collection::vec((0..RENAMED.len(), proptest::bool::ANY), 1..8),
    ) {
        let mut document = Document::new("connected.py", CONNECTED);
        for (which, back) in edits {
            let (old, new) = RENAMED[which];
            let (old, new) = if back { (new, old) } else { (old, new) };
            let text = document.analysis().source.clone();
            let Some(start) = text.find(old) else { continue };
            document.edit(start..start + old.len(), new).expect("a range of the text");
            let fresh = parse("connected.py", &document.analysis().source);
            prop_assert_eq!(&document.analysis().spec, &fresh.spec);
            prop_assert_eq!(program(document.analysis(), None), program(&fresh, None));
        }
    }
}

/// What is true of every analysis.
fn holds(analysis: &Analysis) {
    let text = &*analysis.source;
    let json = serde_json::to_value(&analysis.spec).expect("a spec is plain data");
    spans(&json, &mut |span| {
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(start <= end && end <= text.len(), "{span:?} is outside the text");
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{span:?}");
        assert!(span.line >= 1 && span.column >= 1);
    });
    let cut = program(analysis, None);
    assert_eq!(cut.source.len(), text.len());
    for (a, b) in text.bytes().zip(cut.source.bytes()) {
        assert_eq!(a == b'\n', b == b'\n', "line ends stay in place");
    }
}

/// Every span in a spec; fields of schemas the host knows have none (line 0).
fn spans(json: &serde_json::Value, see: &mut impl FnMut(Span)) {
    match json {
        serde_json::Value::Object(map) => {
            if map.contains_key("end_column")
                && let Ok(span) = serde_json::from_value::<Span>(json.clone())
                && span.line > 0
            {
                see(span);
            }
            map.values().for_each(|value| spans(value, see));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| spans(item, see)),
        _ => {}
    }
}
