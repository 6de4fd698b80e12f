//! Text edits: put together, applied, turned back.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Replaces a range of bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TextEdit {
    /// First byte in the old text.
    pub start: u32,
    /// One past the last byte in the old text.
    pub end: u32,
    /// What stands there in the new text.
    pub text: String,
}

impl TextEdit {
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        TextEdit { start: range.start as u32, end: range.end as u32, text: text.into() }
    }

    fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A text with edits applied that are sorted and do not overlap.
pub fn splice(text: &str, edits: &[TextEdit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        result.push_str(&text[at..edit.range().start]);
        result.push_str(&edit.text);
        at = edit.range().end;
    }
    result + &text[at..]
}

/// Sorts edits and joins those that touch; a deletion inside a larger one is dropped.
/// Nothing where two of them contradict each other.
pub(super) fn sorted(mut edits: Vec<TextEdit>) -> Option<Vec<TextEdit>> {
    // An insertion stands before a deletion at the same place; of two that delete,
    // the larger comes first.
    edits.sort_by_key(|edit| (edit.start, edit.start != edit.end, u32::MAX - edit.end));
    let mut sorted: Vec<TextEdit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match sorted.last_mut() {
            Some(last) if edit.start < last.end => {
                if edit.end > last.end || !edit.text.is_empty() {
                    return None;
                }
            }
            Some(last) if edit.start == last.end => {
                last.end = edit.end;
                last.text.push_str(&edit.text);
            }
            _ => sorted.push(edit),
        }
    }
    Some(sorted)
}

/// A text as it comes about by several rounds of edits: what is kept of the first
/// text, and what is new.
pub(super) struct Pieces(Vec<Piece>);

enum Piece {
    Kept(Range<usize>),
    New(String),
}

impl Pieces {
    pub fn new(length: usize) -> Self {
        Pieces(vec![Piece::Kept(0..length)])
    }

    /// One more round; the edits are on the text as it is now.
    pub fn apply(&mut self, edits: &[TextEdit]) {
        for edit in edits.iter().rev() {
            let start = self.cut(edit.range().start);
            let end = self.cut(edit.range().end);
            self.0.splice(start..end, [Piece::New(edit.text.clone())]);
        }
    }

    /// The edits on the first text that do the same as all rounds.
    pub fn edits(self, length: usize) -> Vec<TextEdit> {
        let mut edits = Vec::new();
        let mut at = 0;
        let mut text = String::new();
        for piece in self.0.into_iter().chain([Piece::Kept(length..length)]) {
            match piece {
                Piece::New(new) => text.push_str(&new),
                Piece::Kept(kept) if kept.start == kept.end && kept.start < length => {}
                Piece::Kept(kept) => {
                    if at < kept.start || !text.is_empty() {
                        edits.push(TextEdit::new(at..kept.start, std::mem::take(&mut text)));
                    }
                    at = kept.end;
                }
            }
        }
        edits
    }

    /// The index of the piece that starts at an offset; a piece around it is cut in two.
    fn cut(&mut self, offset: usize) -> usize {
        let mut at = 0;
        for index in 0..self.0.len() {
            if at == offset {
                return index;
            }
            let length = match &self.0[index] {
                Piece::Kept(kept) => kept.len(),
                Piece::New(text) => text.len(),
            };
            if offset < at + length {
                let within = offset - at;
                let rest = match &mut self.0[index] {
                    Piece::Kept(kept) => {
                        let rest = kept.start + within..kept.end;
                        kept.end = rest.start;
                        Piece::Kept(rest)
                    }
                    Piece::New(text) => Piece::New(text.split_off(within)),
                };
                self.0.insert(index + 1, rest);
                return index + 1;
            }
            at += length;
        }
        self.0.len()
    }
}

/// The edits on the new text that give back the old one.
pub(super) fn undo(text: &str, edits: &[TextEdit]) -> Vec<TextEdit> {
    let mut shift = 0isize;
    let mut undone = Vec::with_capacity(edits.len());
    for edit in edits {
        let start = edit.range().start.strict_add_signed(shift);
        undone.push(TextEdit::new(start..start + edit.text.len(), &text[edit.range()]));
        shift += edit.text.len() as isize - edit.range().len() as isize;
    }
    undone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_edits_are_one_round_on_the_first_text() {
        let text = "one two three";
        let first = [TextEdit::new(0..3, "1"), TextEdit::new(8..13, "3!")];
        let middle = splice(text, &first);
        assert_eq!(middle, "1 two 3!");
        let second = [TextEdit::new(1..6, ""), TextEdit::new(7..7, ",")];
        let last = splice(&middle, &second);
        let mut pieces = Pieces::new(text.len());
        pieces.apply(&first);
        pieces.apply(&second);
        let edits = pieces.edits(text.len());
        assert_eq!(splice(text, &edits), last);
        assert_eq!(splice(&last, &undo(text, &edits)), text);
    }

    #[test]
    fn edits_that_contradict_each_other_are_none() {
        let inside = vec![TextEdit::new(2..4, ""), TextEdit::new(0..6, "")];
        assert_eq!(sorted(inside), Some(vec![TextEdit::new(0..6, "")]));
        assert_eq!(sorted(vec![TextEdit::new(0..6, ""), TextEdit::new(2..4, "x")]), None);
        assert_eq!(sorted(vec![TextEdit::new(0..4, ""), TextEdit::new(2..6, "")]), None);
    }
}
