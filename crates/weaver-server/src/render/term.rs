//! Small things that are said on the terminal.

use anstream::eprintln;
use console::style;

/// `error: …` and the way out.
pub fn error(message: &str, help: Option<&str>) {
    eprintln!("{} {message}", style("error:").red().bold().for_stderr());
    if let Some(help) = help {
        eprintln!(" {} {help}", style("help:").cyan().bold().for_stderr());
    }
}

/// A line of less weight.
pub fn note(message: &str) {
    eprintln!("{}", style(message).dim().for_stderr());
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
        assert_eq!(one_line("a\n  b\tc", 10), "a b c");
    }
}
