//! `agentweaver completions`: a script for a shell.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::CliError;

/// Prints the script.
pub fn run(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "agentweaver", &mut script);
    use std::io::Write;
    let _ = std::io::stdout().write_all(&script);
    Ok(())
}
