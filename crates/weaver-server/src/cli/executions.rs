//! Commands about executions and the server that drives them, as data.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

/// `agentweaver serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to answer on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", env = "AGENTWEAVER_LISTEN")]
    pub listen: SocketAddr,
    /// What this process does
    #[arg(long, value_enum, default_value = "all")]
    pub role: Role,
    /// Executions at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub slots: usize,
    /// Seconds for which an execution is held before another process may take it over,
    /// unless the hold is renewed
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub lease: u64,
    /// A folder whose Python files are workflows: changes show in the Studio at once, and
    /// the Studio's go into the files
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// What a server process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything
    All,
    /// Answers requests
    Api,
    /// Drives executions
    Scheduler,
}

impl Role {
    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Api => "api",
            Role::Scheduler => "scheduler",
        }
    }
}

/// Which server or log a command is about.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Server to ask [default: the one that works on the data directory, else the log itself]
    #[arg(long, value_name = "URL", env = "AGENTWEAVER_SERVER")]
    pub server: Option<String>,
    /// Token for that server
    #[arg(
        long,
        value_name = "TOKEN",
        env = "AGENTWEAVER_TOKEN",
        requires = "server",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is to be executed, and how.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// Workflow file
    pub file: PathBuf,
    /// Input as JSON, or @FILE [default: NAME.input.json beside the file, when there is one]
    #[arg(long, value_name = "JSON|@FILE")]
    pub input: Option<String>,
    /// Thread to run on; executions of a thread take turns [default: a new one]
    #[arg(long, value_name = "ID")]
    pub thread: Option<String>,
    /// Model for every model call
    #[arg(long, value_name = "NAME", env = "AGENTWEAVER_MODEL", hide_env_values = true)]
    pub model: Option<String>,
    /// Which compiled graph of the file to run [default: the last one]
    #[arg(long, value_name = "NAME")]
    pub graph: Option<String>,
    /// What goes first: 0 before 9
    #[arg(long, value_name = "0-9", default_value_t = 5)]
    pub priority: u8,
    /// Executions with the same key are limited together: NAME or NAME=LIMIT
    #[arg(long, value_name = "NAME=LIMIT", conflicts_with = "thread")]
    pub key: Option<String>,
    /// What it may cost with all that it starts, in US dollars
    #[arg(long, value_name = "USD")]
    pub budget: Option<String>,
}

/// `agentweaver submit`
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// What to execute.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Not before this moment: 2026-01-31T09:30:00Z, or a span from now: 90s, 15m, 2h, 3d
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Makes a repeat harmless: the same key and workflow give the same execution
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Wait until it ends or asks
    #[arg(long)]
    pub wait: bool,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver ps`
#[derive(Debug, Args)]
pub struct PsArgs {
    /// Only those with this status
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// Go on showing events until it ends
    #[arg(long, short)]
    pub follow: bool,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver cancel`
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver resume`
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// The answer: JSON or plain text; without one a pause ends
    #[arg(allow_negative_numbers = true)]
    pub answer: Option<String>,
    /// Which question, when there are several
    #[arg(long, value_name = "ID", requires = "answer")]
    pub question: Option<String>,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// A command about one execution.
#[derive(Debug, Args)]
pub struct ExecutionArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver retry`
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// What it may cost from now on with all that it starts, in US dollars, what it has
    /// cost included
    #[arg(long, value_name = "USD")]
    pub budget: Option<String>,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver move`
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// The changed workflow file
    pub file: PathBuf,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}

/// `agentweaver reconcile`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("verdict").required(true))]
pub struct ReconcileArgs {
    /// Execution, or the beginning or end of its id
    pub execution: String,
    /// It happened, and this came of it: JSON or plain text
    #[arg(long, value_name = "RESULT", group = "verdict")]
    pub happened: Option<String>,
    /// It did not happen: the execution goes on and makes the call
    #[arg(long, group = "verdict")]
    pub not_happened: bool,
    /// Nobody can know: the execution fails, for this reason
    #[arg(long, value_name = "REASON", group = "verdict")]
    pub fail: Option<String>,
    /// Which call, when there are several: its key or the beginning of it
    #[arg(long, value_name = "KEY")]
    pub call: Option<String>,
    /// Which server or log.
    #[command(flatten)]
    pub target: Target,
}
