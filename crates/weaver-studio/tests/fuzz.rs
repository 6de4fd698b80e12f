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
