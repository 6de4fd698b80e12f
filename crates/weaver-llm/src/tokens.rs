//! How many tokens a text will be, before anyone is asked.
//!
//! Tokenizers cut a text into pieces first (a word with the blank before it, up to
//! three digits, a run of signs) and then each piece into tokens. The first step is
//! done here as they do it; for the second it is known how many tokens a piece of a
//! kind and length has on average, which over a prompt comes within a few percent
//! without a vocabulary of megabytes. The averages were measured with OpenAI's
//! `o200k_base` on English prose, Rust, Python, TypeScript and Chinese; other
//! tokenizers are told by factors.

use serde_json::Value;

use crate::chat::{ChatRequest, Part, Source, ToolDefinition};
use crate::dialect::Dialect;
use crate::model::ModelRef;

/// Tokens of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// How many.
    pub tokens: u64,
    /// The provider counted; otherwise we estimated.
    pub exact: bool,
}

/// What a call will be at most, before anyone is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the prompt, within a tenth for texts.
    pub input: u64,
    /// Tokens of the longest answer that was asked for; none where that is left to the model.
    pub output_max: Option<u64>,
    /// What both cost without a cache, in micro-USD: a bound where the answer has one.
    pub cost_micros: Option<u64>,
}

/// The tokens of a prompt, estimated: its texts, tools and pictures, and what the
/// provider puts around them.
pub(crate) fn of_request(request: &ChatRequest, model: &ModelRef) -> u64 {
    let family = Family::of(model);
    let mut tokens = family.request;
    for message in &request.messages {
        tokens += family.message + message.parts.iter().map(|p| of_part(p, &family)).sum::<f64>();
        tokens += message.name.as_deref().map_or(0.0, |name| of_text(name, &family) + 1.0);
    }
    if !request.tools.is_empty() {
        tokens += family.tools;
        tokens += request.tools.iter().map(|tool| of_tool(tool, &family)).sum::<f64>();
    }
    if let Some(output) = &request.output {
        tokens += family.schema + of_text(&output.schema.to_json(), &family);
    }
    tokens.round() as u64
}

/// The tokens of a piece of an answer.
pub(crate) fn of_piece(text: &str, model: &ModelRef) -> f64 {
    of_text(text, &Family::of(model))
}

/// What a model's tokenizer and provider make of a prompt, against `o200k_base`.
#[derive(Clone, Copy)]
struct Family {
    /// Words of Latin letters.
    latin: f64,
    /// Signs and blanks, of which code is full.
    signs: f64,
    /// Chinese characters, tokens for each.
    han: f64,
    /// Digits that share a token.
    digits: usize,
    /// Around a prompt, a message, tools, a schema for the answer.
    request: f64,
    message: f64,
    tools: f64,
    schema: f64,
    /// A picture when its size is not known.
    picture: f64,
}

const O200K: Family = Family {
    // A little more than measured: names and terms of a trade are cut finer than prose.
    latin: 1.02,
    signs: 1.0,
    han: 0.75,
    digits: 3,
    request: 3.0,
    message: 3.0,
    tools: 12.0,
    schema: 10.0,
    picture: 765.0,
};

impl Family {
    fn of(model: &ModelRef) -> Self {
        let bare = model.model.rsplit('/').next().unwrap_or(&model.model).to_lowercase();
        let starts = |names: &[&str]| names.iter().any(|name| bare.starts_with(name));
        if model.dialect == Dialect::Anthropic || starts(&["claude"]) {
            return claude(&bare);
        }
        if starts(&["gemini", "gemma"]) {
            let gemini = Family { han: 0.66, digits: 1, request: 0.0, message: 1.0, ..O200K };
            return Family { tools: 15.0, picture: 258.0, ..gemini };
        }
        if starts(&["gpt-4o", "gpt-4.1", "gpt-4.5"]) {
            return O200K;
        }
        if starts(&["gpt-4", "gpt-3.5", "text-embedding"]) {
            return Family { han: 1.15, ..O200K };
        }
        if starts(&["gpt-oss"]) {
            return Family { request: 66.0, tools: 40.0, ..O200K };
        }
        if starts(&["gpt-5", "gpt-6", "o1", "o3", "o4"]) {
            return Family { tools: 90.0, ..O200K };
        }
        if starts(&["qwen", "deepseek", "glm"]) {
            let chinese = Family { han: 0.66, digits: 1, request: 5.0, message: 4.0, ..O200K };
            let tools = if bare.starts_with("deepseek") { 240.0 } else { 130.0 };
            return Family { tools, ..chinese };
        }
        if starts(&["llama", "mistral", "ministral", "codestral"]) {
            return Family { han: 0.8, tools: 40.0, ..O200K };
        }
        O200K
    }
}

fn claude(model: &str) -> Family {
    let family = Family {
        latin: 1.12,
        signs: 1.1,
        han: 1.1,
        request: 3.0,
        message: 4.0,
        tools: 340.0,
        schema: 170.0,
        picture: 1200.0,
        ..O200K
    };
    // From Opus 4.7 on the tokenizer makes about a third more.
    let newer = ["opus-4-7", "opus-4-8", "-5", "mythos"].iter().any(|mark| model.contains(mark));
    match newer && !model.contains("-4-5") && !model.contains("3-5") {
        true => Family { latin: 1.36, signs: 1.33, han: 1.3, digits: 1, tools: 480.0, ..family },
        false if model.contains("-4-") => Family { tools: 480.0, ..family },
        false => family,
    }
}

fn of_part(part: &Part, family: &Family) -> f64 {
    match part {
        Part::Text { text } | Part::Refusal { text } => of_text(text, family),
        // What was thought goes back sealed, and most of it is not read again.
        Part::Reasoning { .. } => 0.0,
        Part::Image { source, .. } => of_picture(source, family),
        // A page of a document is about as much as a picture and its text.
        Part::File { source: Source::Base64 { data, .. }, .. } => {
            1500.0 * (data.len() as f64 / 100_000.0).ceil()
        }
        Part::File { .. } => 1500.0,
        Part::ToolCall(call) => {
            of_text(&call.name, family) + of_text(&call.arguments, family) + 8.0
        }
        Part::ToolResult { content, .. } => {
            content.iter().map(|part| of_part(part, family)).sum::<f64>() + 5.0
        }
        Part::Native { value, .. } => of_text(&value.to_json(), family),
    }
}

/// A tool as providers write it for the model: names, descriptions and types, but not
/// all the signs of the schema.
fn of_tool(tool: &ToolDefinition, family: &Family) -> f64 {
    let schema = Value::from(&tool.parameters);
    6.0 + of_text(&tool.name, family)
        + of_text(&tool.description, family)
        + of_schema(&schema, family)
}

fn of_schema(schema: &Value, family: &Family) -> f64 {
    let Some(object) = schema.as_object() else { return 0.0 };
    let mut tokens = 1.0;
    for (key, value) in object {
        match (key.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(members)) => {
                for (name, member) in members {
                    tokens += 1.5 + of_text(name, family) + of_schema(member, family);
                }
            }
            ("description" | "title", Value::String(text)) => tokens += of_text(text, family) + 2.0,
            ("enum", Value::Array(items)) => {
                let texts = items.iter().map(|item| of_text(&item.to_string(), family));
                tokens += texts.sum::<f64>();
            }
            // Told by a mark at the name.
            ("required", _) => {}
            (_, Value::Object(_)) => tokens += 1.0 + of_schema(value, family),
            (_, Value::Array(items)) => {
                tokens += items.iter().map(|item| of_schema(item, family)).sum::<f64>();
            }
            ("type", _) => tokens += 1.0,
            _ => {}
        }
    }
    tokens
}

fn of_picture(source: &Source, family: &Family) -> f64 {
    let Source::Base64 { data, .. } = source else { return family.picture };
    let Some((width, height)) = crate::picture::size(data) else { return family.picture };
    let (width, height) = (f64::from(width), f64::from(height));
    if family.picture > 1000.0 {
        // Anthropic scales to 1568 pixels at most and counts 750 to a token.
        let scale = (1568.0 / width.max(height)).min(1.0);
        return (width * height * scale * scale / 750.0).min(1600.0);
    }
    if family.picture < 500.0 {
        let tiles = (width / 768.0).ceil() * (height / 768.0).ceil();
        return if width.max(height) <= 384.0 { 258.0 } else { 258.0 * tiles };
    }
    // OpenAI fits into 2048, then the short side into 768, and counts tiles of 512.
    let scale = (2048.0 / width.max(height)).min(1.0);
    let scale = scale * (768.0 / (width.min(height) * scale)).min(1.0);
    85.0 + 170.0 * (width * scale / 512.0).ceil() * (height * scale / 512.0).ceil()
}

/// The tokens of a text.
fn of_text(text: &str, family: &Family) -> f64 {
    let mut scanner = Scanner { text, at: 0 };
    let mut tokens = 0.0;
    while let Some(piece) = scanner.next() {
        tokens += piece.tokens(family);
    }
    tokens
}

/// A piece that tokens never cross.
#[derive(Debug, PartialEq)]
enum Piece {
    /// Letters, with what stands right before them.
    Word { before: Before, letters: usize, case: Case, script: Script },
    /// Up to three digits.
    Digits(usize),
    /// A run of signs.
    Signs(usize),
    /// A run of blanks or line ends.
    Space,
    /// Pictures and rare signs, so many.
    Rare(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Nothing,
    Blank,
    Sign,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Lower,
    Capital,
    Upper,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Script {
    Latin,
    /// Latin with marks, so many letters of it.
    Marked(usize),
    Han,
    /// Others, with tokens for a hundred letters.
    Other(usize),
}

impl Piece {
    fn tokens(&self, family: &Family) -> f64 {
        match *self {
            Piece::Word { before, letters, case, script } => match script {
                Script::Latin => word(before, letters, case) * family.latin,
                Script::Marked(marks) => {
                    (word(before, letters, case) + 0.45 * marks as f64) * family.latin
                }
                Script::Han => {
                    let sign = if before == Before::Nothing { 0.0 } else { 0.9 };
                    sign + letters as f64 * family.han
                }
                Script::Other(per_hundred) => {
                    let per_letter = per_hundred as f64 / 100.0;
                    (0.4 + letters as f64 * per_letter) * family.latin.max(1.0)
                }
            },
            Piece::Digits(digits) => digits.div_ceil(family.digits) as f64,
            Piece::Signs(count) => {
                let table = [1.0, 1.0, 1.01, 1.14, 1.4];
                let tokens = table.get(count).copied().unwrap_or(count as f64 * 0.45);
                tokens * family.signs
            }
            Piece::Space => family.signs,
            Piece::Rare(count) => count as f64 * 1.9,
        }
    }
}

/// Tokens of a word of Latin letters by what is before it, its length and its case.
fn word(before: Before, letters: usize, case: Case) -> f64 {
    const AFTER_BLANK: [f64; 14] =
        [1.0, 1.0, 1.0, 1.0, 1.02, 1.06, 1.06, 1.08, 1.2, 1.24, 1.3, 1.37, 1.5, 1.6];
    const ALONE: [f64; 11] = [1.0, 1.0, 1.0, 1.02, 1.05, 1.1, 1.12, 1.2, 1.36, 1.5, 1.7];
    const AFTER_SIGN: [f64; 11] = [1.0, 1.03, 1.1, 1.15, 1.24, 1.32, 1.34, 1.54, 1.8, 2.0, 2.15];
    if case == Case::Upper && letters >= 4 {
        return 0.6 + letters as f64 * 0.17;
    }
    let (table, slope): (&[f64], f64) = match before {
        Before::Blank => (&AFTER_BLANK, 0.1),
        Before::Nothing => (&ALONE, 0.17),
        Before::Sign => (&AFTER_SIGN, 0.18),
    };
    let tokens = match table.get(letters) {
        Some(tokens) => *tokens,
        None => table[table.len() - 1] + (letters - table.len() + 1) as f64 * slope,
    };
    match case == Case::Capital && letters >= 5 && before == Before::Blank {
        true => tokens + 0.07,
        false => tokens,
    }
}

/// Cuts a text into pieces.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take_while(&mut self, good: impl Fn(char) -> bool) -> usize {
        let mut count = 0;
        while let Some(c) = self.peek().filter(|c| good(*c)) {
            self.at += c.len_utf8();
            count += 1;
        }
        count
    }

    fn next(&mut self) -> Option<Piece> {
        let first = self.peek()?;
        if first.is_numeric() {
            let start = self.at;
            for _ in 0..3 {
                match self.peek().filter(|c| c.is_numeric()) {
                    Some(c) => self.at += c.len_utf8(),
                    None => break,
                }
            }
            return Some(Piece::Digits(self.text[start..self.at].chars().count()));
        }
        if first.is_alphabetic() {
            return Some(self.word(Before::Nothing));
        }
        if first == '\n' || first == '\r' {
            self.take_while(char::is_whitespace);
            return Some(Piece::Space);
        }
        // One sign or blank belongs to the word behind it.
        let mut ahead = self.text[self.at..].chars().skip(1);
        if ahead.next().is_some_and(char::is_alphabetic) && !is_rare(first) {
            self.at += first.len_utf8();
            let before = if first == ' ' { Before::Blank } else { Before::Sign };
            return Some(self.word(before));
        }
        if first.is_whitespace() {
            return self.space(first);
        }
        if is_rare(first) {
            return Some(Piece::Rare(self.take_while(is_rare)));
        }
        Some(self.signs())
    }

    /// Blanks: a run leaves its last one to the word or signs behind it.
    fn space(&mut self, first: char) -> Option<Piece> {
        let rest = &self.text[self.at..];
        let run = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        match rest[run..].chars().next() {
            Some('\n' | '\r') => {
                self.take_while(char::is_whitespace);
                Some(Piece::Space)
            }
            // A single blank joins the signs that follow.
            Some(c) if run == 1 && first == ' ' && !c.is_numeric() => {
                self.at += 1;
                match is_rare(c) {
                    true => self.next(),
                    false => Some(self.signs()),
                }
            }
            Some(_) if run > 1 => {
                self.at += run - 1;
                Some(Piece::Space)
            }
            _ => {
                self.at += run.max(first.len_utf8());
                Some(Piece::Space)
            }
        }
    }

    fn signs(&mut self) -> Piece {
        let sign = |c: char| !c.is_alphanumeric() && !c.is_whitespace() && !is_rare(c);
        let count = self.take_while(sign).max(1);
        self.take_while(|c| c == '\n' || c == '\r');
        Piece::Signs(count)
    }

    /// Letters of one script; where small letters end, a capital begins a new piece.
    fn word(&mut self, before: Before) -> Piece {
        let script = self.peek().map_or(Script::Latin, script);
        if !matches!(script, Script::Latin | Script::Marked(_)) {
            let letters = self.take_while(|c| c.is_alphabetic() && same_script(c, script));
            return Piece::Word { before, letters: letters.max(1), case: Case::Lower, script };
        }
        let is_latin = |c: char| matches!(self::script(c), Script::Latin | Script::Marked(_));
        let start = self.at;
        let upper = self.take_while(|c| c.is_uppercase() && is_latin(c));
        let lower = self.take_while(|c| c.is_alphabetic() && !c.is_uppercase() && is_latin(c));
        let text = &self.text[start..self.at];
        let marks = text.chars().filter(|c| !c.is_ascii()).count();
        let case = match (upper, lower) {
            (0, _) => Case::Lower,
            (2.., 0) => Case::Upper,
            _ => Case::Capital,
        };
        let script = if marks > 0 { Script::Marked(marks) } else { Script::Latin };
        Piece::Word { before, letters: (upper + lower).max(1), case, script }
    }
}

fn script(c: char) -> Script {
    match c {
        'a'..='z' | 'A'..='Z' => Script::Latin,
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
            Script::Han
        }
        '\u{3040}'..='\u{30ff}' => Script::Other(68),
        '\u{ac00}'..='\u{d7af}' => Script::Other(60),
        '\u{370}'..='\u{52f}' => Script::Other(30),
        '\u{590}'..='\u{6ff}' => Script::Other(38),
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Marked(1),
        _ => Script::Other(45),
    }
}

fn same_script(c: char, script: Script) -> bool {
    std::mem::discriminant(&self::script(c)) == std::mem::discriminant(&script)
}

/// Pictures, arrows, frames.
fn is_rare(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The harbour master wrote the tide tables by hand until last winter. Now a small program reads the gauge every ten minutes, smooths out the waves, and sends a warning when the level rises faster than it should. Nobody trusted it at first, but it has not missed a storm surge since October, and the old notebooks are kept only for the drawings of birds in their margins.";
    const CHINESE: &str = "港口的潮汐表以前由值班员手写，去年冬天才换成程序。程序每十分钟读取一次水位，去掉波浪的影响，如果水位上升得太快就发出警报。起初没有人相信它，但是十月以来它没有漏掉任何一次风暴潮。旧的记录本只是因为页边画着海鸟才保留下来。";
    const CODE: &str = "pub fn smooth(levels: &[f64], window: usize) -> Vec<f64> {\n    let mut out = Vec::with_capacity(levels.len());\n    for i in 0..levels.len() {\n        let from = i.saturating_sub(window);\n        let to = (i + window + 1).min(levels.len());\n        let sum: f64 = levels[from..to].iter().sum();\n        out.push(sum / (to - from) as f64);\n    }\n    out\n}\n";

    /// Counted by `o200k_base` and `cl100k_base`.
    #[test]
    fn texts_are_estimated_within_a_tenth() {
        let cl100k = Family { han: 1.15, ..O200K };
        for (text, family, counted) in [
            (ENGLISH, O200K, 76),
            (CHINESE, O200K, 89),
            (CODE, O200K, 108),
            (ENGLISH, cl100k, 76),
            (CHINESE, cl100k, 133),
            (CODE, cl100k, 105),
        ] {
            let estimate = of_text(text, &family);
            let off = (estimate / counted as f64 - 1.0).abs();
            let shown: String = text.chars().take(20).collect();
            assert!(off < 0.1, "{shown}: {estimate:.0} for {counted}");
        }
    }

    #[test]
    fn any_text_is_cut_to_its_end() {
        for text in [
            "",
            " ",
            "\u{0}\u{0}",
            "  a\n\n\tb 12345.6 ",
            "naïveté Ωμέγα 한국어 カナ 🎉🎉 →",
            "\u{301}\u{301}x",
        ] {
            let mut scanner = Scanner { text, at: 0 };
            let mut pieces = 0;
            while scanner.next().is_some() {
                pieces += 1;
                assert!(pieces <= text.len(), "{text:?} comes to an end");
            }
            assert_eq!(scanner.at, text.len());
        }
    }
}
