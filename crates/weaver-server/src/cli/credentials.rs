//! `agentweaver credentials`, as data.

use clap::{Args, Subcommand};

use super::Target;

/// Examples of `agentweaver credentials`.
pub const CREDENTIALS: &str = "\
Examples:
  agentweaver credentials set anthropic            asks for the key, and does not show it
  agentweaver credentials set openai < key.txt
  agentweaver credentials rotate --master

A key that is set here comes before one of the environment or of agentweaver.toml.";

/// `agentweaver credentials`
#[derive(Debug, Args)]
pub struct CredentialsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CredentialsCommand,
}

/// What can be done with credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialsCommand {
    /// Keep a provider's key, sealed; it is read from standard input
    Set {
        /// The provider, as in provider/model
        provider: String,
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
    /// List whose keys are kept; the keys are not shown
    List {
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
    /// Forget a provider's key
    Remove {
        /// The provider
        provider: String,
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
    /// Seal all keys anew, with another key
    Rotate {
        /// Change the master key as well
        #[arg(long)]
        master: bool,
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
}
