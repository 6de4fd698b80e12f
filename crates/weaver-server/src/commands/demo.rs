//! `agentweaver demo`: an example on real documents, offline, step by step.

use std::path::{Path, PathBuf};

use crate::cli::{DemoArgs, RunArgs};
use crate::commands::run;
use crate::error::CliError;
use crate::render::term;
use crate::settings::Settings;

/// The example that the demo runs.
const EXAMPLE: &str = "examples/research.py";

/// Runs the research example over the documents of the current directory.
pub async fn run(args: &DemoArgs, settings: Settings) -> Result<(), CliError> {
    let file = Path::new(EXAMPLE);
    if !file.is_file() {
        return Err(CliError::usage(format!("there is no {EXAMPLE} here"))
            .with_help("run the demo in a clone of the repository"));
    }
    term::note("A research agent over the documents of this directory: it plans searches,");
    term::note("writes an answer with its sources, and checks that they exist.\n");
    let input = args.question.as_ref().map(|question| {
        weaver_core::Value::map([("question", weaver_core::Value::str(&**question))]).to_json()
    });
    let run_args = RunArgs {
        file: Some(PathBuf::from(EXAMPLE)),
        input,
        model: args.model.clone(),
        ..RunArgs::default()
    };
    run::run(&run_args, settings).await
}
