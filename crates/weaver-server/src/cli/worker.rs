//! `agentweaver worker`, as data.

use std::path::PathBuf;

use clap::Args;

/// What its help ends with.
pub const WORKER: &str = "\
Examples:
  agentweaver worker --python flow.py                       for the server of this data directory
  agentweaver worker --python flow.py --interpreter .venv/bin/python --concurrency 4
  agentweaver worker --server http://127.0.0.1:8080 --token T --python flow.py

The functions run with your own rights, outside the sandbox. The worker runs no text but that
of the files it is given; a file that is edited counts from then on with its new text.";

/// `agentweaver worker`
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Server to work for [default: the one that works on the data directory]
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
    /// Workflow file whose functions it runs; may be given several times
    #[arg(long, value_name = "FILE.py", required = true)]
    pub python: Vec<PathBuf>,
    /// The Python that runs them
    #[arg(long, value_name = "COMMAND", default_value = "python3")]
    pub interpreter: String,
    /// Name, for people [default: the machine's name]
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Tasks at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub concurrency: u32,
    /// Tools that this machine has, for people
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub tools: Vec<String>,
}
