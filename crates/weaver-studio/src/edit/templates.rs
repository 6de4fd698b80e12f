//! Names of state keys in Jinja texts, by their places.

use std::ops::Range;

/// What a text is to the template engine.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Jinja {
    /// Text with `{{ … }}` and `{% … %}`.
    Template,
    /// One expression.
    Expression,
}

/// Where a text reads a key of the state. Nothing where the text gives the name another
/// meaning, so that its uses cannot be told apart.
pub(super) fn reads(text: &str, name: &str, kind: Jinja) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    if kind == Jinja::Expression {
        code(text, 0..text.len(), name, &mut found);
        return Some(found);
    }
    let mut at = 0;
    while let Some(open) = text[at..].find("{").map(|open| at + open) {
        let (end, is_statement) = match text.get(open..open + 2) {
            Some("{#") => {
                at = text[open..].find("#}").map_or(text.len(), |end| open + end + 2);
                continue;
            }
            Some("{{") => (closing(text, open + 2, "}}"), false),
            Some("{%") => (closing(text, open + 2, "%}"), true),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let inside = open + 2..end;
        if is_statement && binds(&text[inside.clone()], name) {
            return None;
        }
        code(text, inside, name, &mut found);
        at = end;
    }
    Some(found)
}

/// Where a tag ends: quotes may hold what would close it.
fn closing(text: &str, start: usize, close: &str) -> usize {
    let mut at = start;
    while at < text.len() && !text[at..].starts_with(close) {
        at = match text.as_bytes()[at] {
            quote @ (b'"' | b'\'') => quoted_end(text, at, quote),
            _ => at + text[at..].chars().next().map_or(1, char::len_utf8),
        };
    }
    at
}

/// The first byte behind a quoted text.
fn quoted_end(text: &str, start: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let mut end = (at + 1).min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    end
}

/// Whether a statement may give the name a meaning of its own.
fn binds(statement: &str, name: &str) -> bool {
    let statement = statement.trim_matches(['-', '+']).trim();
    let (tag, rest) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
    let names = |text: &str| {
        let mut found = Vec::new();
        words(text, 0..text.len(), |_, word, _| found.push(word.to_string()));
        found.iter().any(|word| word == name)
    };
    match tag {
        "for" => names(rest.split(" in ").next().unwrap_or(rest)),
        "raw" => true,
        "set" | "with" | "macro" | "call" | "import" | "from" | "include" => names(rest),
        _ => false,
    }
}

/// Adds the places in which an expression reads a name: no attribute, filter, test or
/// keyword is called so.
fn code(text: &str, range: Range<usize>, name: &str, found: &mut Vec<Range<usize>>) {
    words(text, range, |before, word, place| {
        let rest = text[place.end..].trim_start();
        let is_keyword = rest.starts_with('=') && !rest.starts_with("==");
        if word == name && !matches!(before, "." | "|" | "is") && !is_keyword {
            found.push(place);
        }
    });
}

/// Tells each word of code with what stands before it: a word, or one sign.
fn words(text: &str, range: Range<usize>, mut tell: impl FnMut(&str, &str, Range<usize>)) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = String::new();
    let mut at = range.start;
    while at < range.end {
        let c = text[at..].chars().next().unwrap_or(' ');
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if c == '"' || c == '\'' {
            at = quoted_end(text, at, c as u8);
            before = "\"".into();
            continue;
        }
        if !is_word(c) {
            at += c.len_utf8();
            before = c.to_string();
            continue;
        }
        let rest = &text[at..range.end];
        let end = at + rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let word = &text[at..end];
        if !c.is_numeric() {
            tell(&before, word, at..end);
        }
        // `is not defined`: the word behind it is a test too.
        if !(before == "is" && word == "not") {
            before = word.to_string();
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::{Jinja, reads};

    #[track_caller]
    fn check(text: &str, kind: Jinja, expected: Option<usize>) {
        let found = reads(text, "score", kind);
        assert_eq!(found.as_ref().map(Vec::len), expected, "{text}");
        assert!(found.into_iter().flatten().all(|place| &text[place] == "score"));
    }

    #[test]
    fn only_reads_of_the_key_are_found() {
        use Jinja::{Expression, Template};
        check("score {{ score }} {{ a.score }} {# {{ score }} #}", Template, Some(1));
        check("{{ 'score }}' ~ score }}{{ x | score }}", Template, Some(1));
        check("{% if score is score %}{{ f(score=score) }}{% endif %}", Template, Some(2));
        check("{% for s in score %}{{ s }}{% endfor %}", Template, Some(1));
        check("{% for score in all %}{{ score }}{% endfor %}", Template, None);
        check("{% set score = 1 %}{{ score }}", Template, None);
        check("{ score } {{", Template, Some(0));
        check("score > 3 and score is not score or \"score\"", Expression, Some(2));
        check("größe.score + 2score", Expression, Some(0));
    }
}
