//! `agentweaver schedule`, as data.

use clap::{Args, Subcommand, ValueEnum};

use super::{OrderArgs, Target};

/// `agentweaver schedule`
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Keep a schedule
    Create(Box<CreateArgs>),
    /// List schedules
    List {
        /// Which server or log.
        #[command(flatten)]
        target: Target,
    },
    /// Stop a schedule; slots that pass meanwhile are not missed
    Pause(NameArgs),
    /// Let a schedule fire again, from its next slot on
    Resume(NameArgs),
    /// Forget a schedule; what it has submitted goes on
    Delete(NameArgs),
}

/// `agentweaver schedule create`
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name: letters, digits, `-`, `_` and `.`
    pub name: String,
    /// What each slot submits.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Minute, hour, day of month, month, day of week; with six fields seconds first
    #[arg(long, value_name = "LINE")]
    pub cron: String,
    /// Time zone that the line is meant in, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Slots that passed while no server was there
    #[arg(long, value_enum, default_value = "once")]
    pub missed: MissedArg,
    /// Take the place of a schedule of this name
    #[arg(long)]
    pub replace: bool,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// What happens to missed slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissedArg {
    /// Nothing
    Skip,
    /// One execution for all of them
    Once,
    /// One execution for each, at most a hundred
    All,
}

/// A command about one schedule.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Its name
    pub name: String,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}
