//! [`Workflow`]: a file that was read, understood and compiled.

mod report;
mod shape;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use weaver_agent::{Plan, plan};
use weaver_core::spec::{FunctionSpec, GraphSpec, Runs};
use weaver_core::{Diagnostic, Severity};
use weaver_store::WorkflowVersion;
use weaver_studio::Analysis;

use crate::error::CliError;
use crate::render::{source, term};

pub use report::{problems_of, report, text_version, validated};

/// A file that compiles.
pub struct Workflow {
    /// The file as the user named it.
    pub file: String,
    /// What the parser knows of it.
    pub analysis: Analysis,
    /// Ready to run.
    pub plan: Plan,
    /// The graph that the user asked for by name.
    pub chosen: Option<String>,
}

/// More than a person mends at once push the first ones off the screen.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Why a text does not compile.
#[derive(Clone, Debug)]
pub enum Broken {
    /// It has no graph of the name that was asked for.
    NoGraph(Vec<Diagnostic>),
    /// This is wrong with it.
    Problems(Vec<Diagnostic>),
}

impl Workflow {
    /// Reads and compiles `FILE` or `FILE:GRAPH`; problems are printed with line and
    /// caret.
    pub fn read(path: &Path, graph: Option<&str>) -> Result<Self, CliError> {
        let (path, graph) = target(path, graph)?;
        let text = read_source(&path)?;
        Workflow::compile(&path.display().to_string(), &text, graph.as_deref())
    }

    /// Compiles a source text; problems are printed with line and caret.
    pub fn compile(file: &str, text: &str, graph: Option<&str>) -> Result<Self, CliError> {
        Workflow::build(file, text, graph).map_err(|broken| match broken {
            Broken::NoGraph(missing) => no_graph(file, &missing),
            Broken::Problems(problems) => {
                for problem in problems.iter().take(PROBLEMS_SHOWN_MAX) {
                    term::say(&format!("{}\n", source::diagnostic(file, text, problem)));
                }
                let error =
                    CliError::usage(format!("{file} does not run: {}", count(problems.len())));
                match problems.len() > PROBLEMS_SHOWN_MAX {
                    true => error.with_help(format!(
                        "these are the first {PROBLEMS_SHOWN_MAX}; `{} check {}` shows all",
                        term::program(),
                        term::shell_word(file)
                    )),
                    false => error,
                }
            }
        })
    }

    /// Compiles a source text, and says nothing.
    pub fn build(file: &str, text: &str, graph: Option<&str>) -> Result<Self, Broken> {
        let analysis = weaver_studio::parse(file, text);
        let errors: Vec<Diagnostic> = errors_of(&analysis).cloned().collect();
        if !errors.is_empty() {
            return Err(Broken::Problems(errors));
        }
        if let Some(Err(missing)) = graph.map(|name| plan::choose(&analysis.spec, Some(name))) {
            return Err(Broken::NoGraph(missing));
        }
        let plan = compile(&analysis, graph).map_err(Broken::Problems)?;
        let chosen = graph.map(String::from);
        Ok(Workflow { file: file.into(), analysis, plan, chosen })
    }

    /// Refuses a file with functions that need a worker: printed with line and caret.
    pub fn check_embedded(&self) -> Result<(), CliError> {
        let outside = |function: &FunctionSpec| matches!(function.runs, Runs::Worker { .. });
        if !self.plan.functions.iter().any(outside) {
            return Ok(());
        }
        let problems = self.analysis.spec.problems.iter();
        for problem in problems.filter(|problem| problem.code == "needs_worker") {
            let text = source::diagnostic(&self.file, &self.analysis.source, problem);
            term::say(&format!("{text}\n"));
        }
        let message = format!("{} needs a Python worker", self.file);
        Err(CliError { word: Some("needs_worker"), ..CliError::usage(message) }.with_help(
            "run it with --python to let this machine's Python run those functions outside the sandbox, or submit it to a server with a worker",
        ))
    }

    /// The version that a run is pinned to.
    pub fn version(&self) -> WorkflowVersion {
        let source = self.analysis.source.to_string();
        WorkflowVersion {
            hash: crate::wire::version_hash(&self.file, &source),
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

    /// The graph's name where the file has others that could have been meant.
    pub fn label(&self) -> Option<&str> {
        let runnable = |graph: &&GraphSpec| !graph.compiled.is_empty();
        let several = self.analysis.spec.graphs.iter().filter(runnable).count() > 1;
        several.then(|| shown_name(self.graph()))
    }

    /// The graph that runs.
    pub fn graph(&self) -> &GraphSpec {
        let chosen = plan::choose(&self.analysis.spec, Some(&self.plan.name));
        chosen.expect("the plan is of a graph of the file")
    }
}

/// What a graph is called: by the variable that can be run, else by its builder's.
pub fn shown_name(graph: &GraphSpec) -> &str {
    graph.compiled.first().unwrap_or(&graph.name)
}

/// The file and graph that `FILE` or `FILE:GRAPH` means.
pub fn target(path: &Path, graph: Option<&str>) -> Result<(PathBuf, Option<String>), CliError> {
    let text = path.to_string_lossy();
    let split = text.rsplit_once(':').filter(|(_, name)| !name.is_empty() && !name.contains('/'));
    match (split, graph) {
        (Some((file, name)), given) if !path.exists() => match given {
            Some(other) if other != name => {
                let message = format!("two graphs are named: `{name}` and `{other}`");
                Err(CliError::usage(message).with_help("leave out --graph, or name the file alone"))
            }
            _ => Ok((file.into(), Some(name.into()))),
        },
        (_, given) => Ok((path.into(), given.map(String::from))),
    }
}

/// The text of a workflow file.
pub fn read_source(path: &Path) -> Result<String, CliError> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let missing = CliError::usage(format!("there is no file {}", path.display()));
            match near(path) {
                Some(help) => missing.with_help(help),
                None => missing,
            }
        }
        ErrorKind::IsADirectory => {
            let message = format!("{} is a directory; a workflow is a Python file", path.display());
            match workflow_files(path).first() {
                Some(first) => CliError::usage(message)
                    .with_help(format!("such as {}", path.join(first).display())),
                None => CliError::usage(message),
            }
        }
        _ => CliError::usage(format!("cannot read {}: {error}", path.display())),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let path = path.display();
        let message = match error.as_bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => format!("{path} is not UTF-8 text but UTF-16"),
            _ => format!("{path} is not UTF-8 text: line {line} is the first that is not"),
        };
        CliError::usage(message).with_help("save it as UTF-8")
    })
}

/// Names are taken for each other from this similarity on, 1 being the same.
const SIMILAR: f64 = 0.85;

/// Files that a mistyped name may mean.
fn near(path: &Path) -> Option<String> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        return Some(format!("there is no directory {} either", directory.display()));
    }
    let wanted = path.file_name()?.to_string_lossy();
    let files = workflow_files(directory);
    let distance = |file: &str| strsim::jaro_winkler(file, &wanted);
    let best = files.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    Some(match distance(best) >= SIMILAR {
        true => format!("did you mean {}?", path.with_file_name(best).display()),
        false => format!("Python files there: {}", files[..files.len().min(5)].join(", ")),
    })
}

/// The Python files of a directory by name.
fn workflow_files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(".py")).collect();
    files.sort_unstable();
    files
}

/// Compiles one graph of an analysed file.
pub fn compile(analysis: &Analysis, graph: Option<&str>) -> Result<Plan, Vec<Diagnostic>> {
    let program = weaver_studio::program(analysis, None);
    plan::compile(&analysis.spec, program, graph)
}

/// A graph that the file does not have: there is no line to point at.
pub fn no_graph(file: &str, missing: &[Diagnostic]) -> CliError {
    let Some(first) = missing.first() else {
        return CliError::usage(format!("{file} has no such graph"));
    };
    let error = CliError::usage(format!("{file}: {}", first.message));
    let error = CliError { word: Some("no_graph"), ..error };
    match &first.help {
        Some(help) => error.with_help(help.clone()),
        None => error,
    }
}

fn errors_of(analysis: &Analysis) -> impl Iterator<Item = &Diagnostic> {
    analysis.spec.problems.iter().filter(|problem| problem.severity == Severity::Error)
}

/// `1 error`, `2 errors`.
pub fn count(n: usize) -> String {
    if n == 1 { "1 error".into() } else { format!("{n} errors") }
}
