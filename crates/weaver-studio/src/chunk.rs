//! Splits a text into its top-level statements without parsing it, so that a
//! broken statement damages only itself and an edit re-reads only what changed.
//!
//! The scanner knows strings (f-strings with their nested expressions too),
//! brackets, comments and continued lines. It also measures nesting, because
//! everything behind it recurses.

use std::ops::Range;

/// Deepest bracket, block and f-string nesting that is read.
const DEPTH_MAX: usize = 60;
/// Most operators, calls and attributes that one expression may chain: each can be
/// a level of the syntax tree.
const CHAIN_MAX: u32 = 700;

/// One top-level statement (or several on one line), without the blank lines and
/// comments around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRange {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// Nested too deeply to be parsed.
    pub too_deep: bool,
}

/// The chunks of a text in order.
pub(crate) fn split(text: &str) -> Vec<ChunkRange> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: start,
        frames: Vec::new(),
        weights: vec![0],
        weight: 0,
        too_deep: false,
        eager: false,
    };
    let mut chunks: Vec<ChunkRange> = Vec::new();
    let mut decorated = false;
    let mut indents: Vec<usize> = Vec::new();
    while scanner.at < scanner.text.len() {
        let line = scanner.at;
        let first = scanner.skip_indent();
        if scanner.at_blank_line() {
            scanner.skip_line();
            continue;
        }
        let indent = first - line;
        let opens = indent == 0 && !decorated && !scanner.at_word(&CLAUSES);
        if opens || chunks.is_empty() {
            chunks.push(ChunkRange { range: line..line, too_deep: false });
            indents.clear();
        }
        decorated = indent == 0 && scanner.text[first] == b'@';
        while indents.last().is_some_and(|last| *last >= indent) {
            indents.pop();
        }
        indents.push(indent);
        scanner.too_deep = indents.len() > DEPTH_MAX;
        scanner.logical_line();
        let chunk = chunks.last_mut().expect("a chunk was opened above");
        chunk.range.end = scanner.trimmed_end(first);
        chunk.too_deep |= scanner.too_deep;
    }
    chunks
}

/// Words that go on with the statement above them.
const CLAUSES: [&str; 4] = ["else", "elif", "except", "finally"];
/// Words that begin a statement and never stand at the start of a line inside brackets.
const STATEMENTS: [&str; 11] = [
    "def", "class", "import", "from", "try", "while", "with", "return", "async", "raise", "global",
];

/// What is open around the place that is scanned.
#[derive(Clone, Copy, PartialEq)]
enum Frame {
    Bracket,
    /// The literal part of an f-string.
    Text {
        quote: u8,
        triple: bool,
    },
    /// An expression in an f-string.
    Field,
    /// What follows the colon of such an expression.
    Spec,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    frames: Vec<Frame>,
    /// Length of the chain at each level of brackets, the outermost first.
    weights: Vec<u32>,
    /// Their sum.
    weight: u32,
    too_deep: bool,
    /// A bracket once ran into the end of the text: from now on a line that looks
    /// like a statement ends what is open.
    eager: bool,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_indent(&mut self) -> usize {
        while matches!(self.peek(0), b' ' | b'\t' | b'\x0c') {
            self.at += 1;
        }
        self.at
    }

    fn at_blank_line(&self) -> bool {
        self.at >= self.text.len() || matches!(self.text[self.at], b'\n' | b'\r' | b'#')
    }

    fn at_word(&self, words: &[&str]) -> bool {
        let rest = &self.text[self.at..];
        words.iter().any(|word| {
            rest.starts_with(word.as_bytes()) && !rest.get(word.len()).is_some_and(|b| is_word(*b))
        })
    }

    /// Goes to the start of the next physical line.
    fn skip_line(&mut self) {
        while self.at < self.text.len() && !matches!(self.text[self.at], b'\n' | b'\r') {
            self.at += 1;
        }
        self.newline();
    }

    fn newline(&mut self) {
        if self.peek(0) == b'\r' && self.peek(1) == b'\n' {
            self.at += 1;
        }
        self.at = (self.at + 1).min(self.text.len());
    }

    /// Where the line just scanned ends, without its line end and trailing blanks.
    fn trimmed_end(&self, first: usize) -> usize {
        let mut end = self.at;
        while end > first && matches!(self.text[end - 1], b'\n' | b'\r' | b' ' | b'\t') {
            end -= 1;
        }
        end
    }

    /// Scans one logical line and stands on the line after it. When what it opens
    /// is never closed, it ends where a line looks like a new statement.
    fn logical_line(&mut self) {
        let start = self.at;
        let deep = self.too_deep;
        if self.scan_line() {
            return;
        }
        if !self.eager {
            self.eager = true;
            self.at = start;
            self.too_deep = deep;
            self.scan_line();
        }
    }

    /// Returns whether all that was opened was closed.
    fn scan_line(&mut self) -> bool {
        self.frames.clear();
        self.weights.clear();
        self.weights.push(0);
        self.weight = 0;
        while self.at < self.text.len() {
            match self.frames.last() {
                Some(Frame::Text { quote, triple }) => {
                    let (quote, triple) = (*quote, *triple);
                    self.text_part(quote, triple);
                }
                Some(Frame::Spec) => self.spec_part(),
                _ => {
                    if let Some(closed) = self.code() {
                        return closed;
                    }
                }
            }
        }
        self.frames.is_empty()
    }

    /// One token of code; at the end of the line, whether all was closed.
    fn code(&mut self) -> Option<bool> {
        let byte = self.text[self.at];
        match byte {
            b'\n' | b'\r' => {
                self.newline();
                if self.frames.is_empty() {
                    return Some(true);
                }
                if self.in_short_text() {
                    self.close_short_texts();
                } else if self.looks_like_statement() {
                    return Some(true);
                }
            }
            b'#' => {
                while self.at < self.text.len() && !matches!(self.text[self.at], b'\n' | b'\r') {
                    self.at += 1;
                }
            }
            b'\\' => {
                self.at += 1;
                if matches!(self.peek(0), b'\n' | b'\r') {
                    self.newline();
                }
            }
            b'"' | b'\'' => self.string(false),
            b'(' | b'[' | b'{' => {
                self.count();
                self.open(Frame::Bracket);
                self.at += 1;
            }
            b')' | b']' | b'}' => {
                self.at += 1;
                self.close();
            }
            b',' | b';' => {
                self.at += 1;
                self.reset();
            }
            b':' if self.frames.last() == Some(&Frame::Field) && self.peek(1) != b'=' => {
                self.at += 1;
                self.close();
                self.open(Frame::Spec);
            }
            b' ' | b'\t' => self.at += 1,
            _ if is_word(byte) => self.word(),
            _ => {
                if !matches!(byte, b':' | b'=') {
                    self.count();
                }
                self.at += 1;
            }
        }
        None
    }

    fn word(&mut self) {
        let start = self.at;
        while self.at < self.text.len() && is_word(self.text[self.at]) {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        if matches!(self.peek(0), b'"' | b'\'') && word.len() <= 2 {
            let formatted = word.iter().any(|b| matches!(b, b'f' | b'F' | b't' | b'T'));
            self.string(formatted);
        } else if word.len() <= 6
            && matches!(
                word,
                b"not"
                    | b"and"
                    | b"or"
                    | b"if"
                    | b"else"
                    | b"lambda"
                    | b"await"
                    | b"in"
                    | b"is"
                    | b"for"
            )
        {
            self.count();
        }
    }

    fn string(&mut self, formatted: bool) {
        let quote = self.text[self.at];
        let triple = self.peek(1) == quote && self.peek(2) == quote;
        let opener = self.at;
        self.at += if triple { 3 } else { 1 };
        if formatted {
            self.count();
            self.open(Frame::Text { quote, triple });
            return;
        }
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'\\' => self.at = (self.at + 2).min(self.text.len()),
                b'\n' | b'\r' if !triple => return self.close_short_texts(),
                byte if byte == quote && (!triple || self.closes_triple(quote)) => {
                    self.at += if triple { 3 } else { 1 };
                    return;
                }
                _ => self.at += 1,
            }
        }
        if triple && self.eager {
            self.at = opener + 3;
            self.skip_to_statement();
        } else if triple {
            // Ran into the end of the text: reported as unclosed, so that the line is scanned again.
            self.open(Frame::Bracket);
        }
    }

    fn closes_triple(&self, quote: u8) -> bool {
        self.peek(1) == quote && self.peek(2) == quote
    }

    /// The literal part of an f-string up to its end or the next expression.
    fn text_part(&mut self, quote: u8, triple: bool) {
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'\\' if self.peek(1) == b'N' && self.peek(2) == b'{' => self.at += 3,
                b'\\' => self.at = (self.at + 2).min(self.text.len()),
                b'\n' | b'\r' if !triple => return self.close_short_texts(),
                b'{' if self.peek(1) == b'{' => self.at += 2,
                b'{' => {
                    self.at += 1;
                    return self.open(Frame::Field);
                }
                byte if byte == quote && (!triple || self.closes_triple(quote)) => {
                    self.at += if triple { 3 } else { 1 };
                    return self.close();
                }
                _ => self.at += 1,
            }
        }
    }

    fn spec_part(&mut self) {
        match self.text[self.at] {
            b'{' => {
                self.at += 1;
                self.open(Frame::Field);
            }
            b'}' => {
                self.at += 1;
                self.close();
            }
            b'\n' | b'\r' if self.in_short_text() => self.close_short_texts(),
            _ => self.at += 1,
        }
    }

    fn in_short_text(&self) -> bool {
        self.frames.iter().any(|frame| matches!(frame, Frame::Text { triple: false, .. }))
    }

    /// A line ends inside a string that may not span lines: the string ends too.
    fn close_short_texts(&mut self) {
        let first =
            self.frames.iter().position(|frame| matches!(frame, Frame::Text { triple: false, .. }));
        while first.is_some_and(|first| self.frames.len() > first) {
            self.close();
        }
    }

    fn open(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.weights.push(0);
        self.too_deep |= self.frames.len() > DEPTH_MAX;
    }

    /// Closes the innermost level; a closing bracket too many closes nothing.
    fn close(&mut self) {
        if self.frames.pop().is_some() {
            self.weight -= self.weights.pop().unwrap_or(0);
        }
    }

    fn count(&mut self) {
        if let Some(last) = self.weights.last_mut() {
            *last += 1;
            self.weight += 1;
            self.too_deep |= self.weight > CHAIN_MAX;
        }
    }

    fn reset(&mut self) {
        if let Some(last) = self.weights.last_mut() {
            self.weight -= *last;
            *last = 0;
        }
    }

    fn skip_to_statement(&mut self) {
        while self.at < self.text.len() {
            self.skip_line();
            if self.looks_like_statement() {
                self.frames.clear();
                self.at -= 1;
                return;
            }
        }
    }

    /// Whether a statement surely starts here, at the start of a line inside
    /// brackets. Once a bracket was left open, also whether one probably does:
    /// `name = …`, `name.attribute(…`.
    fn looks_like_statement(&self) -> bool {
        if self.text.get(self.at) == Some(&b'@') || self.at_word(&STATEMENTS) {
            return true;
        }
        if !self.eager || !self.text.get(self.at).is_some_and(|b| is_word(*b)) {
            return false;
        }
        let line = &self.text[self.at..];
        let line = &line[..line.iter().position(|b| *b == b'\n').unwrap_or(line.len())];
        let name = line.iter().position(|b| !is_word(*b)).unwrap_or(line.len());
        let rest = &line[name..];
        rest.starts_with(b" = ")
            || rest.starts_with(b": ")
            || rest.starts_with(b"(") && rest.trim_ascii_end().ends_with(b")")
            || rest.starts_with(b".") && rest.contains(&b'(')
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|chunk| &text[chunk.range]).collect()
    }

    #[test]
    fn one_chunk_per_statement_with_its_clauses_and_decorators() {
        let text = "# c\nimport a\n\n@d\n@e(1)\ndef f():\n    x\n\n    # in\n    y\nif a:\n  b\nelse:\n  c\nz = (1,\n2)\n";
        assert_eq!(
            texts(text),
            [
                "import a",
                "@d\n@e(1)\ndef f():\n    x\n\n    # in\n    y",
                "if a:\n  b\nelse:\n  c",
                "z = (1,\n2)"
            ]
        );
    }

    #[test]
    fn an_open_bracket_ends_at_the_next_statement() {
        assert_eq!(texts("g.add(\"a\", f\ng.add(\"b\", h)\nx = 1\n").len(), 3);
        assert_eq!(texts("x = [1,\ndef f():\n    pass\n"), ["x = [1,", "def f():\n    pass"]);
    }

    #[test]
    fn strings_hide_brackets_and_lines() {
        assert_eq!(
            texts("a = \"\"\"\n(\ndef\n\"\"\"\nb = '('\nc = f\"{x['(']:>{w}} (\"\nd = 1").len(),
            4
        );
        assert_eq!(texts("a = 'never closed (\nb = 1\n"), ["a = 'never closed (", "b = 1"]);
    }

    #[test]
    fn depth_is_measured_before_anything_recurses() {
        assert!(split(&"(".repeat(100_000))[0].too_deep);
        assert!(split(&format!("x = {}1", "-".repeat(100_000)))[0].too_deep);
        assert!(split(&format!("x = a{}", ".b".repeat(100_000)))[0].too_deep);
        let chain = format!("g = S(A){}", ".add_node('n', f)".repeat(200));
        assert!(!split(&chain)[0].too_deep);
        let list = format!("x = [{}]", "a.b(1), ".repeat(10_000));
        assert!(!split(&list)[0].too_deep);
    }
}
