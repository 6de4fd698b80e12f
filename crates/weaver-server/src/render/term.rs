//! The two ways out, and small things that are said on the terminal.

use std::borrow::Cow;
use std::io::Write;

use console::style;

use crate::error::{CliError, exit};

/// A line of the result, on standard output.
pub fn out(text: &str) {
    print(&format!("{text}\n"));
}

/// A part of the result. A reader that has seen enough (`| head`) ends the program,
/// as it ends others.
pub fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(i32::from(exit::INTERRUPTED));
    }
}

/// A result for scripts.
pub fn json(value: &impl serde::Serialize) {
    out(&serde_json::to_string_pretty(value).expect("it has a JSON form"));
}

/// A line about what goes on, on standard error; nobody listening is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// What stands before a person's line, on standard error.
pub fn prompt(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{}", style(text).bold().for_stderr());
    let _ = err.flush();
}

/// `error[word]: …` and the way out.
pub fn error(error: &CliError) {
    let word = error.word.map(|word| format!("[{word}]")).unwrap_or_default();
    let head = style(format!("error{word}")).red().bold().for_stderr();
    say(&format!("{head}{} {}", style(":").bold().for_stderr(), error.message));
    if let Some(help) = &error.help {
        say(&format!(" {} {help}", style("help:").cyan().bold().for_stderr()));
    }
}

/// A line of less weight.
pub fn note(message: &str) {
    say(&style(message).dim().for_stderr().to_string());
}

/// A line that should not be missed, though it stops nothing.
pub fn warning(message: &str) {
    say(&format!("{} {message}", style("!").yellow().bold().for_stderr()));
}

/// `3 days 4 hours`, `20 minutes`, `45 seconds`: the two largest units.
pub fn span(span: std::time::Duration) -> String {
    let seconds = span.as_secs().max(1);
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown = parts[first..].iter().take(2).filter(|(n, _)| *n > 0);
    let words = shown.map(|(n, unit)| format!("{n} {unit}{}", if *n == 1 { "" } else { "s" }));
    words.collect::<Vec<_>>().join(" ")
}

/// `1.2 s`, `340 ms`, `2 min 3 s`.
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => format!("{} min {} s", micros / 60_000_000, micros / 1_000_000 % 60),
    }
}

/// `$0.0123`; nothing for nothing.
pub fn cost(micros: u64) -> Option<String> {
    match micros {
        0 => None,
        1..10_000 => Some(format!("${:.6}", micros as f64 / 1e6)),
        _ => Some(format!("${:.4}", micros as f64 / 1e6)),
    }
}

/// `1,234`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// This program as it was called: a printed command works where it is pasted.
pub fn program() -> String {
    let called = std::env::args().next().filter(|called| called.contains('/'));
    shell_word(called.as_deref().unwrap_or("agentweaver")).into_owned()
}

/// A word as a shell reads it back: quoted where it must be.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")).into(),
    }
}

/// A text from a model or a node as a terminal may show it: nothing in it moves the
/// cursor, changes colours or rings.
pub fn harmless(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// A text whose lines break between words; a continued line keeps its indent.
pub fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches([' ', '-', '*', '>']).len();
        let mut current = line[..indent].to_string();
        for (i, word) in line[indent..].split(' ').enumerate() {
            let fits = console::measure_text_width(&current) + console::measure_text_width(word);
            if i > 0 && fits < width {
                current.push(' ');
            } else if i > 0 {
                lines.push(std::mem::replace(&mut current, " ".repeat(indent)));
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines.join("\n")
}

/// One line of a value, cut to a width.
pub fn one_line(text: &str, width: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    console::truncate_str(&line, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(duration(1_500), "1.5 ms");
        assert_eq!(duration(61_000_000), "1 min 1 s");
        assert_eq!(cost(1_500).unwrap(), "$0.001500");
        assert_eq!(span(std::time::Duration::from_secs(93_784)), "1 day 2 hours");
        assert_eq!(span(std::time::Duration::from_secs(60)), "1 minute");
        assert_eq!(span(std::time::Duration::ZERO), "1 second");
        assert_eq!(one_line("a\n  b\tc", 10), "a b c");
        assert_eq!(harmless("a\u{1b}[2Jb\u{7}\nc"), "ab\nc");
        assert_eq!(shell_word("flow.py"), "flow.py");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }

    #[test]
    fn lines_break_between_words_and_keep_their_indent() {
        assert_eq!(wrapped("one two three", 8), "one two\nthree");
        assert_eq!(wrapped("- one two\n\nthree", 7), "- one\n  two\n\nthree");
        assert_eq!(wrapped("    code  here", 80), "    code  here");
        assert_eq!(wrapped("indivisible", 4), "indivisible");
    }
}
