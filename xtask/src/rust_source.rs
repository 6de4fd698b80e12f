//! Just enough of Rust's lexical grammar to tell code from comments and strings.

/// A source text taken apart.
pub struct RustSource {
    /// The text with comments and the insides of literals blanked by spaces:
    /// the same length and the same line ends, so that offsets fit both.
    pub code: String,
    /// The string literals, in order.
    pub strings: Vec<StringLiteral>,
}

/// One string literal.
pub struct StringLiteral {
    /// Byte offset of its opening quote.
    pub start: usize,
    /// What stands between the quotes, escapes as written.
    pub text: String,
}

impl RustSource {
    /// Takes a text apart, without the test module at its foot: what tests do
    /// is not what the crate does.
    pub fn without_tests(text: &str) -> RustSource {
        let mut source = RustSource::new(text);
        let marker = source.code.match_indices("#[cfg(test)]").find(|(start, marker)| {
            let rest = source.code[start + marker.len()..].trim_start();
            let rest = rest.strip_prefix("pub(crate) ").unwrap_or(rest);
            rest.strip_prefix("mod ").is_some_and(|rest| {
                let brace = rest.find('{').unwrap_or(usize::MAX);
                brace < rest.find(';').unwrap_or(usize::MAX)
            })
        });
        if let Some((end, _)) = marker {
            source.code.truncate(end);
            source.strings.retain(|string| string.start < end);
        }
        source
    }

    /// Takes a text apart.
    pub fn new(text: &str) -> RustSource {
        let mut lexer = Lexer { text, at: 0, code: String::new(), strings: Vec::new() };
        while lexer.at < text.len() {
            lexer.step();
        }
        RustSource { code: lexer.code, strings: lexer.strings }
    }

    /// Line from 1 of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset.min(self.code.len())].iter().filter(|b| **b == b'\n').count()
            + 1
    }

    /// Code lines with their number from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Whether `word` stands in a line of code as a whole identifier or path.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        !line[..start].ends_with(is_name) && !line[start + word.len()..].starts_with(is_name)
    })
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    code: String,
    strings: Vec<StringLiteral>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") {
            self.blank(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.blank(block_comment_len(rest));
        } else if let Some(hashes) = raw_string_hashes(rest).filter(|_| !self.inside_name()) {
            let open = rest.find('"').expect("a raw string has an opening quote") + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let inside = rest[open..].find(&close).unwrap_or(rest.len() - open);
            self.string(open, inside, close.len());
        } else if let Some(inside) = rest.strip_prefix('"') {
            self.string(1, quoted_len(inside), 1);
        } else if let Some(len) = char_literal_len(rest) {
            self.blank(len);
        } else {
            let len = rest.chars().next().map_or(0, char::len_utf8);
            self.code.push_str(&rest[..len]);
            self.at += len;
        }
    }

    /// Whether the text just before belongs to the same identifier, as in `bar"`.
    fn inside_name(&self) -> bool {
        self.code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn string(&mut self, open: usize, inside: usize, close: usize) {
        let start = self.at + open;
        let text = self.text[start..start + inside].to_owned();
        self.strings.push(StringLiteral { start: start - 1, text });
        let len = (open + inside + close).min(self.text.len() - self.at);
        self.code.push('"');
        self.at += 1;
        self.blank(len.saturating_sub(2));
        if self.at < self.text.len() {
            self.code.push('"');
            self.at += 1;
        }
    }

    fn blank(&mut self, len: usize) {
        for byte in self.text[self.at..self.at + len].bytes() {
            self.code.push(if byte == b'\n' { '\n' } else { ' ' });
        }
        self.at += len;
    }
}

/// Number of `#` when a raw string (`r"`, `br#"`) starts here.
fn raw_string_hashes(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix('b').or_else(|| rest.strip_prefix('c')).unwrap_or(rest);
    let rest = rest.strip_prefix('r')?;
    let after = rest.trim_start_matches('#');
    after.starts_with('"').then_some(rest.len() - after.len())
}

fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Bytes before the closing quote.
fn quoted_len(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    inside.len()
}

/// Length of a character literal; a lifetime such as `'a` gives nothing.
fn char_literal_len(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let mut chars = inside.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (after, _) = chars.nth(1)?;
        return Some(1 + after + inside[after..].find('\'')? + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<String> {
        RustSource::new(text).strings.into_iter().map(|string| string.text).collect()
    }

    #[test]
    fn strings_are_told_from_code_and_comments() {
        let text = r##"let a = "x\"y"; // "no"
/* "no /* nested */ */ let b = r#"raw "q""#; let c = '"'; let d: &'a str = "z"; let e = '\''; "w""##;
        assert_eq!(strings(text), [r#"x\"y"#, r#"raw "q""#, "z", "w"]);
    }

    #[test]
    fn code_keeps_offsets_and_lines() {
        let text = "a(\"日本\");\n// std::fs 日\nb('é');\n";
        let source = RustSource::new(text);
        assert_eq!(source.code.len(), text.len());
        assert!(!source.code.contains("std::fs"));
        assert_eq!(source.line(source.code.find("b(").unwrap()), 3);
    }

    #[test]
    fn an_unfinished_text_ends_the_lexer() {
        for text in ["\"", "r#\"abc", "/* a", "'\\", "b\"x", "\"\\"] {
            RustSource::new(text);
        }
    }

    #[test]
    fn the_test_module_is_left_out_and_a_test_import_is_not() {
        let text = "#[cfg(test)]\nmod sim;\nfn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\n";
        let source = RustSource::without_tests(text);
        assert!(source.code.contains("fn a"));
        assert!(!source.code.contains("fn b"));
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use std::time::Instant;", "Instant"));
        assert!(!has_word("let InstantNoodles = 1;", "Instant"));
    }
}
