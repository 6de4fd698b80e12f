//! The command line, as data.

mod credentials;
mod executions;
mod limit;
mod models;
mod schedule;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use credentials::{CredentialsArgs, CredentialsCommand};
pub use executions::{
    CancelArgs, ExecutionArgs, LogsArgs, MoveArgs, OrderArgs, PsArgs, ReconcileArgs, ResumeArgs,
    RetryArgs, Role, ServeArgs, SubmitArgs, Target,
};
pub use limit::{LimitArgs, LimitCommand, ScopeArgs};
pub use models::{ChatArgs, ModelsArgs};
pub use schedule::{CreateArgs, MissedArg, ScheduleArgs, ScheduleCommand};
pub use worker::WorkerArgs;

/// What the first help ends with.
const START: &str = "\
First steps:
  agentweaver demo                            a research agent on real documents, offline
  agentweaver check flow.py                   what is wrong with a file, without running it
  agentweaver run flow.py --input '{\"question\": \"…\"}'
  agentweaver history                         what ran, what waits, what failed

`agentweaver COMMAND --help` shows a command's options with examples.";

const RUN: &str = "\
Examples:
  agentweaver run flow.py --input '{\"question\": \"…\"}'
  agentweaver run chat.py --message 'Hello' --thread ada    a conversation: run it again for the next turn
  agentweaver run flow.py:second --input @input.json        a graph of several in the file
  agentweaver run --thread ada --resume yes                 answer what the thread waits for
  agentweaver run --thread ada                              go on after a crash
  agentweaver run flow.py --json --input - < in.json        one event a line, for scripts

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 waiting for a person, 130 interrupted.";

const GRAPH: &str = "\
Examples:
  agentweaver graph flow.py                        Mermaid text, for Markdown
  agentweaver graph flow.py --format svg -o flow.svg
  agentweaver graph flow.py:second --format dot | dot -Tpng -o flow.png";

const CHECK: &str = "\
Examples:
  agentweaver check flow.py
  agentweaver check examples/*.py --json

Exit codes: 0 no errors, 1 errors.";

const CONVERT: &str = "\
Examples:
  agentweaver convert old.json -o flow.py
  agentweaver convert old.json | less";

const HISTORY: &str = "\
Examples:
  agentweaver history                              all threads
  agentweaver history ada                          the checkpoints of one, newest first
  agentweaver history ada --at 34ee4edb13          the state there, as JSON
  agentweaver history ada --fork 34ee4edb13 --update '{\"question\": \"…\"}'
  agentweaver history ada --events                 what happened, event by event";

const SCHEDULE: &str = "\
Examples:
  agentweaver schedule create digest digest.py --cron '0 9 * * 1-5' --zone Europe/Berlin
  agentweaver schedule list
  agentweaver schedule pause digest";

const COMPLETIONS: &str = "\
Examples:
  source <(agentweaver completions bash)
  agentweaver completions fish > ~/.config/fish/completions/agentweaver.fish";

/// Write agent workflows as Python graph files, see them, run them durably.
#[derive(Debug, Parser)]
#[command(name = "agentweaver", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = START)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// Where they stand in every help.
const GLOBAL: &str = "Everywhere";

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Directory of the log [default: .agentweaver]
    #[arg(long, global = true, value_name = "DIR", env = "AGENTWEAVER_DATA", hide_env_values = true, help_heading = GLOBAL)]
    pub data: Option<PathBuf>,
    /// Settings file [default: agentweaver.toml, when there is one]
    #[arg(long, global = true, value_name = "FILE", env = "AGENTWEAVER_CONFIG", hide_env_values = true, help_heading = GLOBAL)]
    pub config: Option<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = GLOBAL)]
    pub color: clap::ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workflow file, or go on with a thread
    #[command(after_help = RUN)]
    Run(Box<RunArgs>),
    /// Show a file's graph
    #[command(after_help = GRAPH)]
    Graph(GraphArgs),
    /// Find every problem in workflow files without running them
    #[command(after_help = CHECK)]
    Check(CheckArgs),
    /// Write an old JSON workflow as a Python file
    #[command(after_help = CONVERT)]
    Convert(ConvertArgs),
    /// Show a thread's checkpoints, a past state, or run on from one
    #[command(after_help = HISTORY)]
    History(HistoryArgs),
    /// Drive what is submitted, and answer about it over HTTP
    Serve(ServeArgs),
    /// Run functions of a workflow file in this machine's Python, for a server
    #[command(after_help = worker::WORKER)]
    Worker(WorkerArgs),
    /// Hand a workflow file over to be executed
    Submit(SubmitArgs),
    /// List executions
    Ps(PsArgs),
    /// Show an execution's events, and those to come
    Logs(LogsArgs),
    /// Stop an execution and all that it has started
    Cancel(CancelArgs),
    /// Hold an execution before its next superstep
    Pause(ExecutionArgs),
    /// Answer what an execution waits for, or end its pause
    Resume(ResumeArgs),
    /// Queue a failed execution again, from where it failed
    Retry(RetryArgs),
    /// Move an execution to a changed workflow file, if it fits
    Move(MoveArgs),
    /// Say what came of a call whose outcome is unknown
    Reconcile(ReconcileArgs),
    /// Submit a workflow file by a cron line
    #[command(after_help = SCHEDULE)]
    Schedule(ScheduleArgs),
    /// Limit how many executions are under way at once, and how fast they start
    Limit(LimitArgs),
    /// Keep keys of providers, sealed
    #[command(after_help = credentials::CREDENTIALS)]
    Credentials(CredentialsArgs),
    /// List the models that can be asked, with their prices
    #[command(after_help = models::MODELS)]
    Models(ModelsArgs),
    /// Talk to a model
    #[command(after_help = models::CHAT)]
    Chat(ChatArgs),
    /// Look at this machine, the settings and the data directory
    Doctor(DoctorArgs),
    /// Bring a store's schema up to date, or move everything into another store
    Migrate(MigrateArgs),
    /// Run an example on real documents, offline, step by step
    Demo(DemoArgs),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The sandboxed interpreter process; started by `agentweaver` itself
    #[command(name = "__pyworker", hide = true)]
    PyWorker,
    /// Execute a differential scenario and print its canonical result
    #[command(name = "__scenario", hide = true)]
    Scenario {
        /// Scenario JSON files
        files: Vec<PathBuf>,
        /// Keep checkpoints in a SQLite database instead of memory
        #[arg(long)]
        sqlite: bool,
    },
    /// Time a graph file and print one JSON line
    #[command(name = "__bench", hide = true)]
    Bench(BenchArgs),
}

/// `agentweaver run`
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// Workflow file, or FILE:GRAPH; may be left out when --thread or --replay names an earlier run
    #[arg(required_unless_present_any = ["thread", "replay"])]
    pub file: Option<PathBuf>,
    /// Input as JSON, @FILE, or - for standard input [default: NAME.input.json beside the file]
    #[arg(long, value_name = "JSON|@FILE|-", conflicts_with_all = ["message", "resume"])]
    pub input: Option<String>,
    /// Input as one chat message of the user
    #[arg(long, value_name = "TEXT", conflicts_with = "resume")]
    pub message: Option<String>,
    /// Thread to run on; without --input it goes on from its last checkpoint
    #[arg(long, value_name = "ID")]
    pub thread: Option<String>,
    /// Answer to what the thread waits for: JSON, plain text, or a map by interrupt id
    #[arg(long, value_name = "JSON", requires = "thread", allow_negative_numbers = true)]
    pub resume: Option<String>,
    /// What to print of the run [default: updates]
    #[arg(long, value_name = "WHAT")]
    pub stream: Option<StreamArg>,
    /// One JSON event a line on standard output
    #[arg(long)]
    pub json: bool,
    /// Model for every model call: openai/gpt-4o, ollama/llama3.2, http://host:port/v1#name, scripted, scripted:FILE
    #[arg(long, value_name = "NAME", env = "AGENTWEAVER_MODEL", hide_env_values = true)]
    pub model: Option<String>,
    /// Which compiled graph of the file to run [default: the last one]
    #[arg(long, value_name = "NAME")]
    pub graph: Option<String>,
    /// Values for the graph's context schema, as JSON
    #[arg(long, value_name = "JSON|@FILE")]
    pub context: Option<String>,
    /// Superstep limit of this run
    #[arg(long, value_name = "N")]
    pub recursion_limit: Option<u32>,
    /// When checkpoints must be on disk
    #[arg(long, value_enum, default_value = "async")]
    pub durability: DurabilityArg,
    /// Node tasks at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_concurrency: Option<u32>,
    /// Stop before these nodes (`*` for all)
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    pub interrupt_before: Vec<String>,
    /// Stop after these nodes (`*` for all)
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    pub interrupt_after: Vec<String>,
    /// Let this Python run functions that import its packages, outside the sandbox [default
    /// COMMAND: python3]
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    pub python: Option<String>,
    /// Never ask on the terminal; exit with 3 when a person is needed
    #[arg(long)]
    pub no_prompt: bool,
    /// Time travel and changed files
    #[command(flatten, next_help_heading = "Time travel")]
    pub travel: TravelArgs,
}

/// `agentweaver run`, on what has happened.
#[derive(Debug, Default, Args)]
pub struct TravelArgs {
    /// Run on from a checkpoint of the thread, as a new branch; with FILE on the changed file
    #[arg(long, value_name = "CHECKPOINT", requires = "thread", conflicts_with_all = ["input", "message", "resume"])]
    pub fork: Option<String>,
    /// With --fork: state to change first, as JSON
    #[arg(long, value_name = "JSON|@FILE", requires = "fork")]
    pub update: Option<String>,
    /// With --update: the node that is taken to have returned it
    #[arg(long, value_name = "NODE", requires = "update")]
    pub as_node: Option<String>,
    /// With --fork: look for the checkpoint in this subgraph: its nodes joined by `|`
    #[arg(long, value_name = "NODES", requires = "fork")]
    pub namespace: Option<String>,
    /// With --fork: run on in a thread of this name instead of a branch
    #[arg(long, value_name = "ID", requires = "fork")]
    pub to_thread: Option<String>,
    /// Go through a recorded run again without firing anything; exit with 1 if it is not equal
    #[arg(long, value_name = "THREAD|EXECUTION", conflicts_with_all = ["thread", "input", "message", "resume"])]
    pub replay: Option<String>,
    /// Do the last run of the file (or of --thread) again, and run only nodes that changed
    #[arg(long, conflicts_with_all = ["fork", "replay", "resume"])]
    pub only_changed: bool,
    /// Move a run that waits or was stopped to the changed file, if it fits
    #[arg(long, requires = "thread", conflicts_with_all = ["fork", "replay", "only_changed", "input", "message"])]
    pub migrate: bool,
}

/// What to print of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StreamArg {
    /// The whole state after each superstep
    Values,
    /// What each node wrote
    Updates,
    /// Model tokens and messages
    Messages,
    /// Every event
    Events,
}

/// When checkpoints must be on disk.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DurabilityArg {
    /// Each superstep before the next starts
    Sync,
    /// In order, while the next supersteps run
    #[default]
    Async,
    /// Only the last one
    Exit,
}

/// `agentweaver graph`
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Workflow file, or FILE:GRAPH
    pub file: PathBuf,
    /// Format
    #[arg(long, value_enum, default_value = "mermaid")]
    pub format: GraphFormat,
    /// Which graph of the file [default: all for json, else the last compiled one]
    #[arg(long, value_name = "NAME")]
    pub graph: Option<String>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of `agentweaver graph`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Mermaid flowchart
    Mermaid,
    /// Everything the parser knows
    Json,
    /// Graphviz
    Dot,
    /// A picture
    Svg,
}

/// `agentweaver check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Workflow files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print problems and plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `agentweaver convert`
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Old workflow: JSON with `nodes` and `edges`
    pub file: PathBuf,
    /// Write to a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `agentweaver history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Thread; without one, the threads of the data directory are listed
    pub thread: Option<String>,
    /// Print the state at a checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub at: Option<String>,
    /// Compare the states at two checkpoints
    #[arg(long, value_names = ["CHECKPOINT", "CHECKPOINT"], num_args = 2, conflicts_with = "at")]
    pub diff: Vec<String>,
    /// A subgraph instead of the root graph: its nodes joined by `|`
    #[arg(long, value_name = "NODES")]
    pub namespace: Option<String>,
    /// Run on from a checkpoint, as `run --thread THREAD --fork` does
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["at", "diff"])]
    pub fork: Option<String>,
    /// With --fork: state to change first, as JSON
    #[arg(long, value_name = "JSON|@FILE", requires = "fork")]
    pub update: Option<String>,
    /// With --update: the node that is taken to have returned it
    #[arg(long, value_name = "NODE", requires = "update")]
    pub as_node: Option<String>,
    /// With --fork: run on in a thread of this name instead of a branch
    #[arg(long, value_name = "ID", requires = "fork")]
    pub to_thread: Option<String>,
    /// Model for a fork's model calls
    #[arg(long, value_name = "NAME", env = "AGENTWEAVER_MODEL", hide_env_values = true)]
    pub model: Option<String>,
    /// How many checkpoints to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// Print the events of the log instead of checkpoints
    #[arg(long, conflicts_with_all = ["at", "fork", "diff"])]
    pub events: bool,
}

/// `agentweaver doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// `agentweaver migrate`
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Store: sqlite:DIR or postgres://USER@HOST/DATABASE [default: the data directory]
    #[arg(value_name = "STORE")]
    pub store: Option<String>,
    /// Look at the schema and change nothing; exits with 1 when it is not up to date
    #[arg(long)]
    pub status: bool,
    /// Store to move from; nobody may use it meanwhile
    #[arg(long, value_name = "STORE", requires = "to", conflicts_with_all = ["store", "status"])]
    pub from: Option<String>,
    /// Empty store to move to
    #[arg(long, value_name = "STORE", requires = "from")]
    pub to: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// `agentweaver demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The question [default: the one of the example]
    #[arg(long, value_name = "TEXT")]
    pub question: Option<String>,
    /// Model to use instead of the offline script
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

/// `agentweaver __bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Workflow file
    pub file: PathBuf,
    /// Input as JSON, or @FILE
    #[arg(long)]
    pub input: Option<String>,
    /// Runs
    #[arg(long, default_value_t = 1)]
    pub repeat: u32,
    /// sync, async, exit, or none for no log at all
    #[arg(long, default_value = "async")]
    pub durability: String,
    /// All runs on one thread, one after another, as a conversation
    #[arg(long)]
    pub one_thread: bool,
}
