//! Problems and tracebacks with the source line and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use weaver_core::{Diagnostic, Failure, Frame, LineIndex, Severity};

/// One problem as rustc would show it: code, place, line, caret, help.
pub fn diagnostic(file: &str, source: &str, problem: &Diagnostic) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let start = problem.span.start as usize;
    let end = end_of_first_line(source, start, problem.span.end as usize);
    let snippet = Snippet::source(source)
        .path(file)
        .fold(true)
        .annotation(AnnotationKind::Primary.span(start..end));
    let title = level.primary_title(&problem.message).id(&problem.code);
    let mut report = vec![Group::with_title(title).element(snippet)];
    if let Some(help) = &problem.help {
        report[0] =
            std::mem::replace(&mut report[0], Group::with_title(Level::HELP.primary_title("")))
                .element(Level::HELP.message(help));
    }
    renderer().render(&report).to_string()
}

/// A failed node: the exception at the innermost line of the user's file, the
/// callers below it, and the way out.
pub fn failure(file: &str, source: &str, failure: &Failure) -> String {
    let headline = match &failure.node {
        Some(node) => format!("node `{node}` failed: {failure}"),
        None => failure.to_string(),
    };
    let title = Level::ERROR.primary_title(&headline).id(&failure.code);
    let index = LineIndex::new(source);
    let own: Vec<&Frame> = failure.traceback.iter().filter(|frame| frame.file == file).collect();
    let labels: Vec<String> = own.iter().map(|frame| format!("in {}", frame.function)).collect();
    let mut group = Group::with_title(title);
    if !own.is_empty() {
        let mut snippet = Snippet::source(source).path(file).fold(true);
        for (position, frame) in own.iter().enumerate() {
            let innermost = position + 1 == own.len();
            let kind = if innermost { AnnotationKind::Primary } else { AnnotationKind::Context };
            let Some(range) = frame_range(source, &index, frame) else { continue };
            snippet = snippet.annotation(kind.span(range).label(&labels[position]));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &failure.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer().render(&[group]).to_string()
}

/// `2 errors, 1 warning`, or nothing when there is nothing to count.
pub fn tally(problems: &[Diagnostic]) -> String {
    let count = |severity, word: &str| {
        let n = problems.iter().filter(|problem| problem.severity == severity).count();
        (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
    };
    let parts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "note"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Styled output; `anstream` takes the colours off when nobody looks.
fn renderer() -> Renderer {
    Renderer::styled().term_width(console::Term::stderr().size().1.max(60) as usize)
}

/// A caret under a whole function body helps nobody: mark its first line.
fn end_of_first_line(source: &str, start: usize, end: usize) -> usize {
    let line_end = source[start..].find(['\n', '\r']).map_or(source.len(), |at| start + at);
    end.min(line_end).max(start)
}

fn frame_range(source: &str, index: &LineIndex, frame: &Frame) -> Option<std::ops::Range<usize>> {
    let line_start = index.line_start(frame.line)? as usize;
    let line = source[line_start..].lines().next().unwrap_or("");
    let byte_of = |column: u32| {
        let offset = line.char_indices().nth(column as usize - 1).map_or(line.len(), |(at, _)| at);
        line_start + offset
    };
    let indent = line.len() - line.trim_start().len();
    let start = frame.column.filter(|c| *c > 0).map_or(line_start + indent, byte_of);
    let end =
        frame.end_column.filter(|c| *c > 0).map_or(line_start + line.trim_end().len(), byte_of);
    Some(start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        console::strip_ansi_codes(&text).into_owned()
    }

    #[test]
    fn a_problem_shows_code_line_caret_and_help() {
        let source = "a = 1\ngraph.add_edge(\"x\", \"anwser\")\n";
        let start = source.find("\"anwser\"").unwrap() as u32;
        let problem = Diagnostic {
            code: "unknown_node".into(),
            severity: Severity::Error,
            message: "no node is called `anwser`".into(),
            span: LineIndex::new(source).span(source, start, start + 8),
            help: Some("did you mean `answer`?".into()),
        };
        let text = plain(diagnostic("flow.py", source, &problem));
        assert!(text.starts_with("error[unknown_node]: no node is called `anwser`"), "{text}");
        assert!(text.contains("--> flow.py:2:21"), "{text}");
        assert!(text.contains("^^^^^^^^"), "{text}");
        assert!(text.contains("help: did you mean `answer`?"), "{text}");
    }

    #[test]
    fn a_traceback_marks_each_line_of_the_users_file() {
        let source = "def inner():\n    return 1 / 0\n\ndef node(state):\n    return inner()\n";
        let frame = |line, function: &str| Frame {
            file: "flow.py".into(),
            line,
            column: None,
            end_column: None,
            function: function.into(),
        };
        let mut error = Failure::exception("ZeroDivisionError", "division by zero").in_node("node");
        error.traceback = vec![frame(5, "node"), frame(2, "inner")];
        let text = plain(failure("flow.py", source, &error));
        assert!(text.contains("node `node` failed: ZeroDivisionError: division by zero"), "{text}");
        assert!(text.contains("flow.py:2:5"), "{text}");
        assert!(text.contains("in inner") && text.contains("in node"), "{text}");
    }
}
