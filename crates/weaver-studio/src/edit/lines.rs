//! Physical lines of a text, whatever ends them.

use std::ops::Range;

/// The first byte of the line of an offset.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1)
}

/// Where the line of an offset ends, before what ends it.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end)
}

/// The first byte of the next line, or the end of the text.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    let end = line_end(text, at);
    end + break_at(text, end).len()
}

/// The white space that a line begins with.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len()]
}

/// Whether nothing but white space stands before an offset on its line.
pub(super) fn starts_line(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at].trim_matches([' ', '\t', '\x0c', '\u{feff}']).is_empty()
}

/// Whether nothing but white space and a comment stands behind an offset on its line.
pub(super) fn ends_line(text: &str, at: usize) -> bool {
    let rest = text[at..line_end(text, at)].trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// What ends the line of an offset; for the last line what ends the one before it.
pub(super) fn line_break(text: &str, at: usize) -> &str {
    let here = break_at(text, line_end(text, at));
    if !here.is_empty() {
        return here;
    }
    let start = line_start(text, at);
    match &text[..start] {
        before if before.ends_with("\r\n") => "\r\n",
        before if before.ends_with('\r') => "\r",
        _ => "\n",
    }
}

/// The lines of a range, with what ends them; without a line behind them, with what
/// ends the line before them.
pub(super) fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let start = line_start(text, range.start);
    let end = next_line(text, range.end);
    let is_last = end == text.len() && !text[..end].ends_with(['\n', '\r']);
    match start {
        0 => start..end,
        _ if is_last => {
            let before = text[..start].strip_suffix('\n').unwrap_or(&text[..start]);
            before.strip_suffix('\r').unwrap_or(before).len()..end
        }
        _ => start..end,
    }
}

fn break_at(text: &str, end: usize) -> &str {
    match &text[end..] {
        rest if rest.starts_with("\r\n") => "\r\n",
        rest if rest.starts_with('\n') => "\n",
        rest if rest.starts_with('\r') => "\r",
        _ => "",
    }
}
