//! `agentweaver __scenario`: executes differential scenarios.

use std::path::PathBuf;

use crate::error::CliError;

/// Prints the canonical result of a scenario.
pub async fn run(files: &[PathBuf]) -> Result<(), CliError> {
    Err(CliError::usage(format!("{} scenarios", files.len())))
}
