//! [`Workflow`]: a file that was read, understood and compiled.

mod shape;

use std::path::{Path, PathBuf};

use weaver_agent::{Plan, plan};
use weaver_core::spec::GraphSpec;
use weaver_core::{Diagnostic, Hash, Severity};
use weaver_store::WorkflowVersion;
use weaver_studio::Analysis;

use crate::error::CliError;
use crate::render::{source, term};

/// A file that compiles.
pub struct Workflow {
    /// The file as the user named it.
    pub file: String,
    /// What the parser knows of it.
    pub analysis: Analysis,
    /// Ready to run.
    pub plan: Plan,
}

impl Workflow {
    /// Reads and compiles a file; problems are printed with line and caret.
    pub fn read(path: &Path, graph: Option<&str>) -> Result<Self, CliError> {
        let text = read_source(path)?;
        Workflow::compile(&path.display().to_string(), &text, graph)
    }

    /// Compiles a source text.
    pub fn compile(file: &str, text: &str, graph: Option<&str>) -> Result<Self, CliError> {
        let analysis = weaver_studio::parse(file, text);
        let mut errors: Vec<&Diagnostic> = errors_of(&analysis).collect();
        let compiled = match errors.is_empty() {
            true => compile(&analysis, graph),
            false => Err(Vec::new()),
        };
        match compiled {
            Ok(plan) => Ok(Workflow { file: file.into(), analysis, plan }),
            Err(more) => {
                errors.extend(&more);
                for problem in &errors {
                    term::say(&format!("{}\n", source::diagnostic(file, text, problem)));
                }
                let message = format!("{file} does not run: {}", count(errors.len()));
                Err(CliError::usage(message))
            }
        }
    }

    /// The version that a run is pinned to.
    pub fn version(&self) -> WorkflowVersion {
        let source = self.analysis.source.to_string();
        let parts = [self.file.as_bytes(), source.as_bytes()];
        WorkflowVersion {
            hash: Hash::of_parts(parts),
            file: self.file.clone(),
            source,
            created: weaver_runtime::now(),
        }
    }

    /// A file beside the workflow: `NAME.input.json`, `NAME.script.yaml`.
    pub fn beside(&self, ending: &str) -> Option<PathBuf> {
        let path = Path::new(&self.file).with_extension(ending);
        path.is_file().then_some(path)
    }

    /// The graph that runs.
    pub fn graph(&self) -> &GraphSpec {
        let chosen = plan::choose(&self.analysis.spec, Some(&self.plan.name));
        chosen.expect("the plan is of a graph of the file")
    }
}

/// The text of a workflow file.
pub fn read_source(path: &Path) -> Result<String, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            std::io::ErrorKind::IsADirectory => {
                format!("{} is a directory; a workflow is a Python file", path.display())
            }
            _ => format!("cannot read {}: {error}", path.display()),
        };
        CliError::usage(message)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        CliError::usage(format!(
            "{} is not UTF-8 text: line {line} is the first that is not",
            path.display()
        ))
        .with_help("save it as UTF-8")
    })
}

/// Compiles one graph of an analysed file.
pub fn compile(analysis: &Analysis, graph: Option<&str>) -> Result<Plan, Vec<Diagnostic>> {
    let program = weaver_studio::program(analysis, None);
    plan::compile(&analysis.spec, program, graph)
}

fn errors_of(analysis: &Analysis) -> impl Iterator<Item = &Diagnostic> {
    analysis.spec.problems.iter().filter(|problem| problem.severity == Severity::Error)
}

fn count(n: usize) -> String {
    if n == 1 { "1 error".into() } else { format!("{n} errors") }
}
