//! The one place that knows the parser: a chunk of text to a syntax tree and errors.

use std::ops::Range;

use ruff_python_ast::{Mod, Stmt, Suite};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::Ranged;

/// How often a broken line is blanked and the rest of its chunk parsed again.
const REPAIRS_MAX: usize = 8;

/// A parsed chunk; all offsets count from its first byte.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The statements.
    pub body: Suite,
    /// What is wrong, with its place.
    pub errors: Vec<SyntaxError>,
}

/// One thing that is no Python.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    /// Where.
    pub range: Range<usize>,
    /// The parser's words.
    pub message: String,
}

/// Parses a chunk. A broken line inside a block is blanked, so that the rest of the
/// block is still understood; a broken lone statement keeps what the parser could make of it.
pub(crate) fn parse_chunk(text: &str) -> Tree {
    let (body, first) = parse_once(text);
    let Some(first) = first else { return Tree { body, errors: Vec::new() } };
    if !is_block(text) {
        return Tree { body, errors: vec![first] };
    }
    let mut tree = Tree { body, errors: vec![first] };
    let mut repaired = text.to_string();
    let mut at = tree.errors[0].range.start;
    for _ in 0..REPAIRS_MAX {
        let Some((text, body, error)) = repair(&repaired, at) else { return tree };
        repaired = text;
        tree.body = body;
        let Some(error) = error else { return tree };
        // The next line over is most often the same mistake seen again.
        let apart = repaired.get(at.min(error.range.start)..at.max(error.range.start));
        if apart.is_some_and(|between| between.matches('\n').count() > 1) {
            tree.errors.push(error.clone());
        }
        at = error.range.start;
    }
    tree
}

/// Blanks the line of an error or the one before it, whichever makes more of the
/// text readable: an open bracket is only noticed on the next line.
fn repair(text: &str, at: usize) -> Option<(String, Suite, Option<SyntaxError>)> {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = text[..line].trim_end().len();
    let mut best: Option<(String, Suite, Option<SyntaxError>)> = None;
    for (place, word) in [(at, "pass"), (before, "pass"), (at, "")] {
        let mut candidate = text.to_string();
        if !blank_line(&mut candidate, place, word) {
            continue;
        }
        let (body, error) = parse_once(&candidate);
        let reach =
            |error: &Option<SyntaxError>| error.as_ref().map_or(usize::MAX, |e| e.range.start);
        if best.as_ref().is_none_or(|(.., known)| reach(&error) > reach(known)) {
            best = Some((candidate, body, error));
        }
    }
    best
}

/// Parses one expression, such as the text of a string annotation.
pub(crate) fn parse_annotation(text: &str) -> Option<ruff_python_ast::Expr> {
    let chunks = crate::chunk::split(text);
    if chunks.len() != 1 || chunks[0].too_deep {
        return None;
    }
    ruff_python_parser::parse_expression(text).ok().map(|parsed| *parsed.into_syntax().body)
}

fn parse_once(text: &str) -> (Suite, Option<SyntaxError>) {
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let error = parsed.errors().first().map(|error| {
        let range = error.location;
        let mut start = range.start().to_usize().min(text.len());
        let mut end = range.end().to_usize().min(text.len());
        // At the end of a line the parser points at the line end: point at the
        // character before it instead, which is on the line to be mended.
        if start == end {
            let line = text[..start].trim_end();
            end = line.len();
            start = line.char_indices().next_back().map_or(0, |(at, _)| at);
        }
        SyntaxError { range: start..end, message: error.error.to_string() }
    });
    match parsed.into_syntax() {
        Mod::Module(module) => (module.body, error),
        Mod::Expression(_) => (Suite::new(), error),
    }
}

fn is_block(text: &str) -> bool {
    text.contains('\n')
        && ["def ", "class ", "async ", "@", "if ", "for ", "while ", "with ", "try:", "match "]
            .iter()
            .any(|word| text.starts_with(word))
}

/// Replaces the content of the line of an offset by a word and blanks (without a
/// word, its indentation is no longer one); not possible for a line that is blank
/// already or opens the chunk.
fn blank_line(text: &mut String, at: usize, word: &str) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let line = &text[start..end];
    let first = end - line.trim_start().len();
    let content = line.trim();
    if start == 0 || content.is_empty() || content == word || content.len() < 4 {
        return false;
    }
    let blank = format!("{word}{}", " ".repeat(end - first - word.len()));
    text.replace_range(first..end, &blank);
    true
}

/// The bytes of a node, from the first byte of its chunk.
pub(crate) fn range_of(node: &impl Ranged) -> Range<usize> {
    node.start().to_usize()..node.end().to_usize()
}

/// The statement's docstring, if it has one.
pub(crate) fn docstring(body: &[Stmt]) -> Option<String> {
    let Some(Stmt::Expr(first)) = body.first() else { return None };
    let text = first.value.as_string_literal_expr()?.value.to_str();
    Some(clean_docstring(text))
}

/// A docstring as `inspect.cleandoc` shows it.
fn clean_docstring(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("").trim();
    let rest: Vec<&str> = lines.collect();
    let margin = rest
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.chars().take_while(|c| c.is_whitespace()).count())
        .min()
        .unwrap_or(0);
    let mut cleaned = vec![first.to_string()];
    cleaned.extend(rest.iter().map(|line| {
        let line: String = line.chars().skip(margin).collect();
        line.trim_end().to_string()
    }));
    while cleaned.last().is_some_and(String::is_empty) {
        cleaned.pop();
    }
    cleaned.join("\n").trim_start_matches('\n').to_string()
}
