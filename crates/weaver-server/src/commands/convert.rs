//! `agentweaver convert`: an old JSON workflow as a Python file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use weaver_core::Value;
use weaver_studio::convert::convert;

use crate::cli::ConvertArgs;
use crate::error::CliError;
use crate::render::term;

/// Writes the file, and says on standard error what has no counterpart.
pub fn run(args: &ConvertArgs) -> Result<(), CliError> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| CliError::usage(format!("cannot read {shown}: {error}")))?;
    let document = Value::from_json(text.trim_start_matches('\u{feff}'))
        .map_err(|error| CliError::usage(format!("{shown} is not JSON: {error}")))?;
    let converted =
        convert(&document).map_err(|error| CliError::usage(format!("{shown}: {error}")))?;
    match &args.output {
        Some(path) => write_new(path, &converted.source)?,
        None => term::print(&converted.source),
    }
    for warning in &converted.warnings {
        match &warning.node {
            Some(node) => term::warning(&format!("node `{node}`: {}", warning.message)),
            None => term::warning(&warning.message),
        }
    }
    Ok(())
}

/// A file that is there may have been worked on since it was converted.
fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let shown = path.display();
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::usage(format!("{shown} is there already")).with_help("name a new file")
        }
        _ => CliError::usage(format!("cannot write {shown}: {error}")),
    })
}
