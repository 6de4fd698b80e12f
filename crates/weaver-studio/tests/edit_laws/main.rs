//! The laws of edits, by thousands of operations on hundreds of files:
//!
//! - parse(edit(text, operation)) is what the operation means for parse(text);
//! - an operation and its inverse give the text back, byte for byte;
//! - no comment line is lost, and other graphs of the file stay as they are.
//!
//! `WEAVER_EDITS=100000 cargo t -p weaver-studio --test edit_laws` runs for long;
//! `WEAVER_EDITS_SHOW=1` prints how often each operation was done and why it was refused.

mod corpus;
mod model;
mod operations;

use std::collections::BTreeMap;

use corpus::Random;
use model::{Model, model};
use operations::{inverse, operation};
use weaver_core::spec::{FileSpec, GraphSpec};
use weaver_studio::edit::{Operation, edit, splice};
use weaver_studio::parse;

const GENERATED: u64 = 220;

#[test]
fn an_operation_on_the_text_is_the_operation_on_the_graph() {
    let mut files = corpus::repository();
    files.extend((0..GENERATED).map(|seed| (format!("generated {seed}"), corpus::generated(seed))));
    assert!(files.len() >= 200, "only {} files", files.len());
    let wanted: usize =
        std::env::var("WEAVER_EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let mut counts = Counts::default();
    let mut round = 0;
    while counts.tried < wanted {
        for (at, (name, source)) in files.iter().enumerate() {
            let mut random = Random::new(round * 1_000_003 + at as u64);
            walk(name, source, &mut random, &mut counts);
        }
        round += 1;
    }
    counts.show();
    let broken: Vec<String> =
        counts.broken.values().filter_map(|all| all.first().cloned()).collect();
    let total: usize = counts.broken.values().map(Vec::len).sum();
    assert!(total == 0, "{total} laws broken; one of each operation: {}", broken.join("\n=====\n"));
    assert!(
        counts.done * 2 > counts.tried,
        "{} of {} were refused",
        counts.tried - counts.done,
        counts.tried
    );
    assert!(counts.inverted * 5 > counts.done, "only {} inverses", counts.inverted);
}

/// Some operations on one file, each on what the one before it left.
fn walk(name: &str, source: &str, random: &mut Random, counts: &mut Counts) {
    let mut text = source.to_string();
    for _ in 0..5 {
        let spec = parse("file.py", &text).spec;
        if spec.graphs.is_empty() || spec.problems.iter().any(|p| p.code == "syntax_error") {
            return;
        }
        let graph = &spec.graphs[random.below(spec.graphs.len())];
        let Some(wanted) = operation(graph, &text, random) else { continue };
        match check(&text, &spec, graph, &wanted, counts) {
            Ok(Some(edited)) => text = edited,
            Ok(None) => {}
            Err(broken) => {
                let json = serde_json::to_string(&wanted).expect("operations are plain data");
                let story = format!("{name}: {json}\n{broken}\n--- before\n{text}");
                counts.broken.entry(kind(&wanted)).or_default().push(story);
            }
        }
    }
}

/// Does one operation and holds it to the laws: the new text, unless it is refused, or
/// which law is broken.
fn check(
    text: &str,
    spec: &FileSpec,
    graph: &GraphSpec,
    wanted: &Operation,
    counts: &mut Counts,
) -> Result<Option<String>, String> {
    let json = serde_json::to_string(wanted).expect("operations are plain data");
    let again: Operation = serde_json::from_str(&json).expect("the JSON form is read again");
    assert_eq!(again, *wanted);
    counts.tried += 1;
    let edited = match edit(text, Some(&graph.name), std::slice::from_ref(wanted)) {
        Ok(edited) => edited,
        Err(refusal) => {
            counts.refused(wanted, &refusal.message);
            return Ok(None);
        }
    };
    counts.done(wanted);
    let law = |holds: bool, law: &str| match holds {
        true => Ok(()),
        false => Err(format!("{law}\n--- after\n{}", edited.source)),
    };
    law(splice(text, &edited.edits) == edited.source, "the edits give the new text")?;
    law(splice(&edited.source, &edited.undo) == text, "they can be undone")?;
    let apart = edited.edits.windows(2).all(|pair| pair[0].end < pair[1].start);
    law(apart, "they are sorted and apart")?;
    let lost = lost_comments(text, &edited.source);
    let with_call = |line: &usize| {
        let spans = graph.nodes.iter().map(|node| node.span);
        let mut spans = spans.chain(graph.branches.iter().map(|branch| branch.span));
        spans.any(|span| span.line as usize <= *line && *line <= span.end_line as usize)
    };
    let takes_code = matches!(wanted, Operation::RemoveNode { remove_function: true, .. });
    law(takes_code || lost.iter().all(with_call), &format!("comments stay: lines {lost:?}"))?;
    let after = parse("file.py", &edited.source).spec;
    for (old, new) in spec.graphs.iter().zip(&after.graphs) {
        let on_fields = matches!(
            wanted,
            Operation::AddField { .. } | Operation::SetField { .. } | Operation::RemoveField { .. }
        );
        // A field's new name goes to all graphs that share it.
        let renamed = |to: &String| new.state.fields.iter().any(|field| field.name == *to);
        let shares = match wanted {
            Operation::RenameField { to, .. } => renamed(to),
            _ => on_fields && old.state.schema == graph.state.schema,
        };
        let expected = match old.name == graph.name || shares {
            true => model(old).apply(wanted),
            false => model(old),
        };
        let (mut found, mut expected) = comparable(model(new), expected, wanted);
        if old.name != graph.name {
            // A subgraph may be compiled in the call that adds it as a node.
            found.interrupts.clear();
            expected.interrupts.clear();
        }
        law(found == expected, &found.difference(&expected))?;
    }
    if let Some(back) = inverse(wanted, graph, text) {
        counts.inverted += 1;
        let returned = edit(&edited.source, Some(&graph.name), std::slice::from_ref(&back));
        match returned {
            Ok(returned) => {
                law(returned.source == text, &format!("{back:?} gives\n{}", returned.source))?;
            }
            Err(refusal) => law(false, &format!("{back:?} is refused: {refusal}"))?,
        }
    }
    Ok(Some(edited.source))
}

/// Both sides without what an operation may do in one way or the other: a route that is
/// called as its node may keep its word when the node is renamed.
fn comparable(found: Model, expected: Model, operation: &Operation) -> (Model, Model) {
    match operation {
        Operation::RenameNode { name, to } => {
            (found.without_names(&[name, to]), expected.without_names(&[name, to]))
        }
        _ => (found, expected),
    }
}

/// Numbers of the lines of nothing but a comment that are not in the new text.
fn lost_comments(old: &str, new: &str) -> Vec<usize> {
    let mut left: Vec<&str> = new.lines().map(str::trim).filter(|l| l.starts_with('#')).collect();
    let comments = old.lines().enumerate().filter(|(_, line)| line.trim().starts_with('#'));
    let lost = comments.filter(|(_, line)| {
        let known = left.iter().position(|known| *known == line.trim());
        known.map(|at| left.swap_remove(at)).is_none()
    });
    lost.map(|(number, _)| number + 1).collect()
}

#[derive(Default)]
struct Counts {
    tried: usize,
    done: usize,
    inverted: usize,
    by_operation: BTreeMap<String, (usize, usize)>,
    reasons: BTreeMap<String, usize>,
    broken: BTreeMap<String, Vec<String>>,
}

impl Counts {
    fn done(&mut self, operation: &Operation) {
        self.done += 1;
        self.by_operation.entry(kind(operation)).or_default().0 += 1;
    }

    fn refused(&mut self, operation: &Operation, reason: &str) {
        self.by_operation.entry(kind(operation)).or_default().1 += 1;
        let reason: Vec<&str> = reason.split('`').step_by(2).collect();
        let reason = reason.join("_");
        let reason = reason.split(" (line").next().unwrap_or("").to_string();
        *self.reasons.entry(format!("{} {reason}", kind(operation))).or_default() += 1;
    }

    fn show(&self) {
        if std::env::var_os("WEAVER_EDITS_SHOW").is_some() {
            println!("{} tried, {} done, {} inverted", self.tried, self.done, self.inverted);
            println!("{:#?}\n{:#?}", self.by_operation, self.reasons);
        }
    }
}

fn kind(operation: &Operation) -> String {
    let json = serde_json::to_value(operation).expect("plain data");
    json["op"].as_str().unwrap_or_default().to_string()
}
