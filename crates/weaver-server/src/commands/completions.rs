//! `agentweaver completions`: a script for a shell.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::CliError;

/// Prints the script.
pub fn run(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(), "agentweaver", &mut script);
    use std::io::Write;
    let _ = std::io::stdout().write_all(&script);
    Ok(())
}

/// The command line without what only the program itself calls.
fn visible() -> clap::Command {
    let whole = Cli::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set());
    clap::Command::new("agentweaver")
        .args(whole.get_arguments().cloned())
        .subcommands(commands.cloned())
}
