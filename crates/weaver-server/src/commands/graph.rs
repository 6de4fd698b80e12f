//! `agentweaver graph`: a file's graph as Mermaid, JSON, Graphviz or SVG.

use weaver_agent::plan::choose;

use crate::cli::{GraphArgs, GraphFormat};
use crate::error::CliError;
use crate::render::{graph as pictures, source, term};
use crate::workflow::{no_graph, read_source, target};

/// Draws the graph; a broken file is drawn as far as it is understood.
pub fn run(args: &GraphArgs) -> Result<(), CliError> {
    let (path, wanted) = target(&args.file, args.graph.as_deref())?;
    let text = read_source(&path)?;
    let file = path.display().to_string();
    let analysis = weaver_studio::parse(&file, &text);
    let drawn = match args.format {
        GraphFormat::Json => {
            let mut json =
                serde_json::to_string_pretty(&analysis.spec).expect("a spec has a JSON form");
            json.push('\n');
            json
        }
        format => {
            let graph = choose(&analysis.spec, wanted.as_deref()).map_err(|problems| {
                for problem in &analysis.spec.problems {
                    term::say(&format!("{}\n", source::diagnostic(&file, &text, problem)));
                }
                no_graph(&file, &problems)
            })?;
            match format {
                GraphFormat::Mermaid => pictures::mermaid(graph),
                GraphFormat::Dot => pictures::dot(graph),
                _ => pictures::svg(graph),
            }
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, drawn)
            .map_err(|error| CliError::usage(format!("cannot write {}: {error}", path.display()))),
        None => {
            term::print(&drawn);
            Ok(())
        }
    }
}
