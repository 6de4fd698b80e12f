//! `agentweaver limit`, as data.

use clap::{Args, Subcommand};

use super::Target;

/// `agentweaver limit`
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LimitCommand,
}

/// What can be done with limits.
#[derive(Debug, Subcommand)]
pub enum LimitCommand {
    /// List limits and how much of each is used
    List {
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
    /// Set a limit; what is under way goes on
    Set(SetLimitArgs),
    /// Take a limit away
    Remove {
        /// Which limit.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
}

/// `agentweaver limit set`
#[derive(Debug, Args)]
pub struct SetLimitArgs {
    /// Which limit.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// How many may be under way at once
    #[arg(long, value_name = "N", required_unless_present = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub at_once: Option<u32>,
    /// How fast they start: 10/s, 30/m, 100/h
    #[arg(long, value_name = "N/UNIT", conflicts_with = "key")]
    pub rate: Option<String>,
    /// With --rate: how many may start at once after a pause
    #[arg(long, value_name = "N", default_value_t = 1, requires = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub burst: u32,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// What a limit counts.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ScopeArgs {
    /// Executions with this key (`submit --key`)
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// Executions of this workflow file, as it was submitted
    #[arg(long, value_name = "FILE")]
    pub workflow: Option<String>,
    /// All executions
    #[arg(long)]
    pub all: bool,
}
