//! Problems and tracebacks with the source line and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use weaver_core::spec::{FileSpec, NodeKind};
use weaver_core::{Diagnostic, Failure, Frame, LineIndex, Severity, Span};

/// One problem as rustc would show it: code, place, line, caret, help.
pub fn diagnostic(file: &str, source: &str, problem: &Diagnostic) -> String {
    report(renderer(), file, source, problem)
}

/// The same without colours, for a reader elsewhere.
pub fn plain_diagnostic(file: &str, source: &str, problem: &Diagnostic) -> String {
    report(Renderer::plain().term_width(PLAIN_WIDTH), file, source, problem)
}

/// In a file or a pipe nothing has to fit: whole lines are best.
const PLAIN_WIDTH: usize = 240;

fn report(renderer: Renderer, file: &str, source: &str, problem: &Diagnostic) -> String {
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
    renderer.render(&report).to_string()
}

/// Where a node stands: the function that it is, or the call that adds it.
pub fn place_of(spec: &FileSpec, node: &str) -> Option<Span> {
    let node = spec.graphs.iter().flat_map(|graph| &graph.nodes).find(|own| own.name == node)?;
    let function = match &node.kind {
        NodeKind::Function { id } => spec.functions.iter().find(|function| function.id == *id),
        _ => None,
    };
    Some(function.map_or(node.span, |function| function.span))
}

/// A failed node: the exception at the innermost line of the user's file, the
/// callers beside it, and the way out. Without a traceback the place of the node
/// is shown.
pub fn failure(file: &str, source: &str, failure: &Failure, place: Option<Span>) -> String {
    let headline = match &failure.node {
        Some(node) => format!("node `{node}` failed: {failure}"),
        None => failure.to_string(),
    };
    let title = Level::ERROR.primary_title(&headline).id(&failure.code);
    let mut marks = frame_marks(file, source, failure);
    if let (true, Some(span)) = (marks.is_empty(), place) {
        let start = span.start as usize;
        let end = end_of_first_line(source, start, span.end as usize);
        marks.push(Mark { range: start..end, label: String::new() });
    }
    let mut group = Group::with_title(title);
    if let Some((innermost, callers)) = marks.split_last() {
        let mark = |kind: AnnotationKind, mark: &'_ Mark| {
            let annotation = kind.span(mark.range.clone());
            match mark.label.is_empty() {
                true => annotation,
                false => annotation.label(mark.label.clone()),
            }
        };
        let mut snippet = Snippet::source(source).path(file).fold(true);
        snippet = snippet.annotation(mark(AnnotationKind::Primary, innermost));
        for caller in callers {
            snippet = snippet.annotation(mark(AnnotationKind::Context, caller));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &failure.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer().render(&[group]).to_string()
}

/// A place in the source with what is said about it.
struct Mark {
    range: std::ops::Range<usize>,
    label: String,
}

/// The lines of a traceback, innermost last. A line that comes again and again, as
/// in a function that calls itself, is marked once.
fn frame_marks(file: &str, source: &str, failure: &Failure) -> Vec<Mark> {
    let index = LineIndex::new(source);
    let mut found: Vec<(std::ops::Range<usize>, &str, usize)> = Vec::new();
    for frame in failure.traceback.iter().rev().filter(|frame| frame.file == file) {
        let Some(range) = frame_range(source, &index, frame) else { continue };
        match found.iter_mut().find(|(known, ..)| *known == range) {
            Some((.., times)) => *times += 1,
            None => found.push((range, &frame.function, 1)),
        }
    }
    let label = |function: &str, times| match times {
        1 => format!("in {function}"),
        _ => format!("in {function}, again and again"),
    };
    found.truncate(FRAMES_MAX);
    let marks = found.into_iter().rev();
    marks.map(|(range, function, times)| Mark { range, label: label(function, times) }).collect()
}

/// Different lines of a traceback that are shown.
const FRAMES_MAX: usize = 12;

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
    let term = console::Term::stderr();
    let width = if term.is_term() { term.size().1.max(60) as usize } else { PLAIN_WIDTH };
    Renderer::styled().term_width(width)
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
        let text = plain(failure("flow.py", source, &error, None));
        assert!(text.contains("node `node` failed: ZeroDivisionError: division by zero"), "{text}");
        assert!(text.contains("flow.py:2:5"), "{text}");
        assert!(text.contains("in inner") && text.contains("in node"), "{text}");
    }
}
