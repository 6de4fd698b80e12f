//! Items between brackets, separated by commas: arguments, lists, dicts, types in
//! `Literal[...]`.

use std::ops::Range;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Arguments, Expr, ExprSubscript};
use ruff_text_size::Ranged;

use super::lines;
use super::splice::TextEdit;
use super::tree::Tree;
use crate::syntax::range_of;

/// Items between brackets.
pub(super) struct Items<'a> {
    text: &'a str,
    /// Behind the opening bracket.
    open: usize,
    /// The closing bracket.
    close: usize,
    items: Vec<Item>,
}

struct Item {
    /// With parentheses around it.
    range: Range<usize>,
    /// The comma behind it.
    comma: Option<usize>,
    /// A comment stands between it and the item behind it, or the bracket.
    comment_behind: bool,
}

impl<'a> Items<'a> {
    /// The arguments of a call, positional and by keyword in the order of the text.
    pub fn of_arguments(tree: &Tree<'a>, arguments: &Arguments) -> Self {
        let mut ranges: Vec<Range<usize>> = arguments.args.iter().map(range_of).collect();
        ranges.extend(arguments.keywords.iter().map(range_of));
        ranges.sort_by_key(|range| range.start);
        let whole = range_of(arguments);
        Items::new(tree, whole.start + 1, whole.end - 1, ranges)
    }

    /// The items of a list, tuple or set in brackets, or of a dict.
    pub fn of_display(tree: &Tree<'a>, expr: &Expr) -> Option<Self> {
        let ranges: Vec<Range<usize>> = match expr {
            Expr::List(list) => list.elts.iter().map(range_of).collect(),
            Expr::Set(set) => set.elts.iter().map(range_of).collect(),
            Expr::Tuple(tuple) if tuple.parenthesized => tuple.elts.iter().map(range_of).collect(),
            Expr::Dict(dict) => {
                let items = dict.items.iter().map(|item| match &item.key {
                    Some(key) => key.start().to_usize()..item.value.end().to_usize(),
                    None => range_of(&item.value),
                });
                items.collect()
            }
            _ => return None,
        };
        let whole = range_of(expr);
        Some(Items::new(tree, whole.start + 1, whole.end - 1, ranges))
    }

    /// What stands in the brackets of `Literal[...]`.
    pub fn of_subscript(tree: &Tree<'a>, subscript: &ExprSubscript) -> Option<Self> {
        let ranges = match &*subscript.slice {
            Expr::Tuple(tuple) if tuple.parenthesized => return None,
            Expr::Tuple(tuple) => tuple.elts.iter().map(range_of).collect(),
            other => vec![range_of(other)],
        };
        let (value, whole) = (range_of(&*subscript.value), range_of(subscript));
        let open = tree
            .tokens(value.end..whole.end)
            .iter()
            .find(|token| token.kind() == TokenKind::Lsqb)?
            .end()
            .to_usize();
        Some(Items::new(tree, open, whole.end - 1, ranges))
    }

    fn new(tree: &Tree<'a>, open: usize, close: usize, ranges: Vec<Range<usize>>) -> Self {
        let mut items: Vec<Item> = Vec::with_capacity(ranges.len());
        // What stands between two items belongs to the one before it up to the comma.
        let mut start = None;
        for token in tree.tokens(open..ranges.first().map_or(open, |first| first.start)) {
            if !token.kind().is_trivia() {
                start.get_or_insert(token.start().to_usize());
            }
        }
        for (index, range) in ranges.iter().enumerate() {
            let next = ranges.get(index + 1).map_or(close, |next| next.start);
            let mut item = Item {
                range: start.take().unwrap_or(range.start)..range.end,
                comma: None,
                comment_behind: false,
            };
            for token in tree.tokens(range.end..next) {
                match token.kind() {
                    TokenKind::Comma => item.comma = Some(token.start().to_usize()),
                    TokenKind::Comment => item.comment_behind = true,
                    kind if kind.is_trivia() => {}
                    _ if item.comma.is_none() => item.range.end = token.end().to_usize(),
                    _ => {
                        start.get_or_insert(token.start().to_usize());
                    }
                }
            }
            items.push(item);
        }
        Items { text: tree.text, open, close, items }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// An item with the parentheses around it.
    pub fn range(&self, index: usize) -> Range<usize> {
        self.items[index].range.clone()
    }

    /// The position of the item around a place.
    pub fn position(&self, place: &Range<usize>) -> Option<usize> {
        self.items
            .iter()
            .position(|item| item.range.start <= place.start && place.end <= item.range.end)
    }

    /// The brackets with all between them.
    pub fn around(&self) -> Range<usize> {
        self.open - 1..self.close + 1
    }

    /// Adds an item behind the last, in the style of the others.
    pub fn append(&self, item: &str) -> Vec<TextEdit> {
        self.append_all(&[item.to_string()])
    }

    /// Adds items behind the last, in the style of the others.
    pub fn append_all(&self, added: &[String]) -> Vec<TextEdit> {
        let Some(last) = self.items.last() else {
            return vec![TextEdit::new(self.open..self.open, added.join(", "))];
        };
        let own_line = lines::starts_line(self.text, last.range.start);
        let behind = last.comma.map_or(last.range.end, |comma| comma + 1);
        if !own_line {
            let added = added.join(", ");
            let text = match last.comma {
                Some(_) => format!(" {added},"),
                None => format!(", {added}"),
            };
            return vec![TextEdit::new(behind..behind, text)];
        }
        let break_line = lines::line_break(self.text, last.range.start);
        let indent = lines::indent(self.text, last.range.start);
        let line_end = match lines::ends_line(self.text, behind) {
            true => lines::line_end(self.text, behind),
            false => behind,
        };
        let added: Vec<String> =
            added.iter().map(|item| format!("{break_line}{indent}{item}")).collect();
        match last.comma {
            Some(_) => vec![TextEdit::new(line_end..line_end, added.join(",") + ",")],
            None => vec![
                TextEdit::new(behind..behind, ","),
                TextEdit::new(line_end..line_end, added.join(",")),
            ],
        }
    }

    /// Removes items, with the commas that only they need.
    pub fn remove(&self, gone: &[usize]) -> Vec<TextEdit> {
        let mut gone = gone.to_vec();
        gone.sort_unstable();
        gone.dedup();
        let mut edits = Vec::new();
        for run in gone.chunk_by(|a, b| a + 1 == *b) {
            let (first, last) = (run[0], run[run.len() - 1]);
            if let Some(comma) = self.comma_too_many(first, last) {
                edits.push(TextEdit::new(comma..comma + 1, ""));
            }
            edits.push(TextEdit::new(self.removed(first, last), ""));
        }
        edits
    }

    /// Without a comma behind the last item there shall be none afterwards.
    fn comma_too_many(&self, first: usize, last: usize) -> Option<usize> {
        let is_last = last + 1 == self.len() && self.items[last].comma.is_none();
        self.items[first.checked_sub(1)?].comma.filter(|_| is_last)
    }

    /// What goes with a run of items.
    fn removed(&self, first: usize, last: usize) -> Range<usize> {
        let comma = self.items[last].comma;
        let start = self.items[first].range.start;
        let end = comma.map_or(self.items[last].range.end, |comma| comma + 1);
        let previous = first.checked_sub(1).map(|previous| &self.items[previous]);
        let behind_previous = previous
            .filter(|previous| !previous.comment_behind)
            .map(|previous| previous.comma.map_or(previous.range.end, |comma| comma + 1));
        let own_lines = lines::starts_line(self.text, start) && lines::ends_line(self.text, end);
        let comments = self.items[last].comment_behind
            || previous.is_some_and(|previous| previous.comment_behind);
        if own_lines && (comma.is_some() || comments) {
            return lines::whole_lines(self.text, start..end);
        }
        let next = self.items.get(last + 1).map(|next| next.range.start);
        let near = next.filter(|next| self.text[end..*next].trim_matches(' ').is_empty());
        match (near, behind_previous) {
            (Some(next), _) => start..next,
            (None, Some(previous)) => previous..end,
            (None, None) => start..end,
        }
    }
}
