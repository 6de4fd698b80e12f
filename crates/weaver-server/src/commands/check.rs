//! `agentweaver check`: every problem of workflow files, without running them.

use console::style;
use serde_json::json;
use weaver_agent::plan::{Way, ways};
use weaver_core::{Diagnostic, Severity};
use weaver_studio::Analysis;

use crate::cli::CheckArgs;
use crate::error::{CliError, exit};
use crate::render::{source, term};
use crate::workflow::{problems_of, read_source, shown_name};

/// Prints all problems, and how each node of a good file will run.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let mut failed = false;
    let mut reports = Vec::new();
    for path in &args.files {
        let text = match read_source(path) {
            Ok(text) => text,
            // One unreadable file hides nothing of the others.
            Err(error) => {
                term::error(&error);
                failed = true;
                continue;
            }
        };
        let file = path.display().to_string();
        let analysis = weaver_studio::parse(&file, &text);
        let problems = problems_of(&analysis);
        failed |= problems.iter().any(|problem| problem.severity == Severity::Error);
        match args.json {
            true => reports.push(report(&analysis, &problems)),
            false => print(&analysis, &problems),
        }
    }
    if args.json {
        term::json(&reports);
    }
    if failed { Err(CliError::shown(exit::FAILED)) } else { Ok(()) }
}

fn report(analysis: &Analysis, problems: &[Diagnostic]) -> serde_json::Value {
    let graphs = analysis.spec.graphs.iter().map(|graph| {
        let nodes = ways(&analysis.spec, graph).into_iter().map(|(name, way)| {
            let (word, reasons) = words(&way);
            json!({ "name": name, "runs": word, "reasons": reasons })
        });
        json!({ "name": shown_name(graph), "builder": graph.name, "nodes": nodes.collect::<Vec<_>>() })
    });
    json!({
        "file": &*analysis.file,
        "problems": problems,
        "graphs": graphs.collect::<Vec<_>>(),
    })
}

fn words(way: &Way) -> (&'static str, &[String]) {
    match way {
        Way::Native => ("native", &[]),
        Way::Embedded => ("embedded Python", &[]),
        Way::Subgraph => ("subgraph", &[]),
        Way::Worker(reasons) => ("Python worker", reasons),
    }
}

fn print(analysis: &Analysis, problems: &[Diagnostic]) {
    for problem in problems {
        term::out(&format!("{}\n", source::diagnostic(&analysis.file, &analysis.source, problem)));
    }
    let mut lines = Vec::new();
    for graph in &analysis.spec.graphs {
        let ways = ways(&analysis.spec, graph);
        let count = |wanted: &str| ways.iter().filter(|(_, way)| words(way).0 == wanted).count();
        let parts: Vec<String> = ["native", "embedded Python", "subgraph", "Python worker"]
            .iter()
            .filter(|word| count(word) > 0)
            .map(|word| match (count(word), *word) {
                (1, word) => format!("1 {word} node"),
                (n, word) => format!("{n} {word} nodes"),
            })
            .collect();
        lines.push(format!("  graph `{}`: {}", shown_name(graph), parts.join(", ")));
        for (name, way) in &ways {
            if let Way::Worker(reasons) = way {
                lines.push(format!("    `{name}` needs a Python worker: {}", reasons.join("; ")));
            }
        }
    }
    let worst = problems.iter().map(|problem| problem.severity).max();
    let mark = match worst {
        Some(Severity::Error) => style("✘").red().bold(),
        Some(Severity::Warning) => style("!").yellow().bold(),
        _ => style("✔").green(),
    };
    let tally = source::tally(problems);
    let tally = if tally.is_empty() { "no problems".into() } else { tally };
    term::out(&format!("{mark} {}: {tally}", analysis.file));
    for line in lines {
        term::out(&line);
    }
}
