//! Problems as they are found, and words that are near to a mistyped one.

use std::ops::Range;

use weaver_core::{Diagnostic, FastSet, LineIndex, Severity};

/// Every code the crate reports; each has a page in `docs/errors/`.
pub const CODES: &[&str] = &[
    "bad_argument",
    "dead_end",
    "duplicate_edge",
    "duplicate_node",
    "edge_from_end",
    "edge_to_start",
    "embedded_subset",
    "global_state",
    "invalid_node_name",
    "missing_setting",
    "needs_server",
    "needs_worker",
    "no_entry",
    "not_compiled",
    "setting_type",
    "syntax_error",
    "two_writers",
    "unknown_node",
    "unknown_setting",
    "unknown_state_key",
    "unknown_typed_node",
    "unreachable_node",
];

/// Problems found so far; the same problem at the same place counts once.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Found>,
    seen: FastSet<(&'static str, usize, String)>,
}

#[derive(Debug)]
struct Found {
    code: &'static str,
    severity: Severity,
    message: String,
    range: Range<usize>,
    help: Option<String>,
}

impl Problems {
    /// Adds a problem at a range of bytes of the text.
    pub fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        range: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        debug_assert!(CODES.contains(&code), "{code} is not listed");
        let message = message.into();
        if self.seen.insert((code, range.start, message.clone())) {
            self.found.push(Found { code, severity, message, range, help });
        }
    }

    /// An error with a way out.
    pub fn error(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(code, Severity::Error, range.clone(), message, Some(help.into()));
    }

    /// A warning with a way out.
    pub fn warning(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(code, Severity::Warning, range.clone(), message, Some(help.into()));
    }

    /// All problems in order of place.
    pub fn into_diagnostics(mut self, text: &str, lines: &LineIndex) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| {
            (a.range.start, a.range.end, a.code, &a.message).cmp(&(
                b.range.start,
                b.range.end,
                b.code,
                &b.message,
            ))
        });
        self.found
            .into_iter()
            .map(|found| Diagnostic {
                code: found.code.into(),
                severity: found.severity,
                message: found.message,
                span: span(text, lines, &found.range),
                help: found.help,
            })
            .collect()
    }
}

/// A range of bytes as a span, cut to the text and to character boundaries.
pub(crate) fn span(text: &str, lines: &LineIndex, range: &Range<usize>) -> weaver_core::Span {
    let mut start = range.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    lines.span(text, start as u32, end as u32)
}

/// The known word that is nearest to a mistyped one, if one is near.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate, limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?" or the list of what there is.
pub(crate) fn suggestion(word: &str, what: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} yet"),
        None => {
            let shown: Vec<String> = known.iter().take(12).map(|k| format!("`{k}`")).collect();
            let more = if known.len() > 12 { ", …" } else { "" };
            format!("there is {}{more}", shown.join(", "))
        }
    }
}

/// Edit distance with transpositions, not exact above the limit.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().take(64).collect(), b.to_lowercase().chars().take(64).collect());
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("serach", ["search", "answer"]), Some("search"));
        assert_eq!(nearest("temprature", ["temperature", "model"]), Some("temperature"));
        assert_eq!(nearest("x", ["search"]), None);
    }
}
