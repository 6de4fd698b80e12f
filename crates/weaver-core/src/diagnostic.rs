//! Problems in user code, as data: what, where, how to mend it.

use serde::{Deserialize, Serialize};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Runs, but probably not as meant.
    Warning,
    /// Will not run.
    Error,
}

/// A place in a source text. Byte offsets are half open and always lie on
/// character boundaries inside the text; lines and columns count from 1, columns
/// in Unicode scalar values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte.
    pub line: u32,
    /// Column of the first byte.
    pub column: u32,
    /// Line of the last byte.
    pub end_line: u32,
    /// Column one past the last byte.
    pub end_column: u32,
}

/// One problem found in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Diagnostic {
    /// A stable word such as `unknown_node`; each has a page in `docs/errors/`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: what is wrong, naming the thing.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub span: Span,
    /// How to mend it, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Maps byte offsets of one text to lines and columns.
#[derive(Clone, Debug)]
pub struct LineIndex {
    line_starts: Vec<u32>,
}

impl LineIndex {
    /// Indexes a text. Lines end at `\n`, `\r\n` or a lone `\r`, as in Python.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut line_starts = vec![0];
        for (i, byte) in bytes.iter().enumerate() {
            let ends_line =
                *byte == b'\n' || (*byte == b'\r' && bytes.get(i + 1).is_none_or(|b| *b != b'\n'));
            if ends_line {
                line_starts.push(i as u32 + 1);
            }
        }
        LineIndex { line_starts }
    }

    /// Line and column, both from 1, of a byte offset; an offset past the end
    /// gives the end, one inside a character gives the character's start.
    pub fn position(&self, text: &str, offset: u32) -> (u32, u32) {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line_starts.partition_point(|start| *start as usize <= offset) - 1;
        let start = self.line_starts[line] as usize;
        let column = text[start..offset].chars().count();
        (line as u32 + 1, column as u32 + 1)
    }

    /// The span of a byte range.
    pub fn span(&self, text: &str, start: u32, end: u32) -> Span {
        let (line, column) = self.position(text, start);
        let (end_line, end_column) = self.position(text, end);
        Span { start, end, line, column, end_line, end_column }
    }

    /// Byte offset of the first character of a line counted from 1; past the
    /// last line gives `None`.
    pub fn line_start(&self, line: u32) -> Option<u32> {
        self.line_starts.get(line.checked_sub(1)? as usize).copied()
    }

    /// How many lines there are; an empty text has one.
    pub fn line_count(&self) -> u32 {
        self.line_starts.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_all_line_ends() {
        let text = "a\r\n日本x\rz";
        let index = LineIndex::new(text);
        assert_eq!(index.line_count(), 3);
        assert_eq!(index.position(text, text.find('x').unwrap() as u32), (2, 3));
        assert_eq!(index.position(text, text.find('z').unwrap() as u32), (3, 1));
        assert_eq!(index.position(text, 4), (2, 1), "inside a character: its start");
        assert_eq!(index.position(text, 999), (3, 2));
    }
}
