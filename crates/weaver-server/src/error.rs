//! [`CliError`]: what ends a command, with its exit code.

/// Exit codes of all commands.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// The run failed, or problems were found.
    pub const FAILED: u8 = 1;
    /// The command line, the file or the input is wrong.
    pub const USAGE: u8 = 2;
    /// A person is needed.
    pub const WAITING: u8 = 3;
    /// Stopped by Ctrl-C.
    pub const INTERRUPTED: u8 = 130;
}

/// What ends a command. Printed as `error: message` and `help: …`, unless it
/// was shown already.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub code: u8,
    /// One or two sentences; empty when everything was printed already.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl CliError {
    /// Something the user can put right before anything runs.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError { code: exit::USAGE, message: message.into(), help: None }
    }

    /// Something that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        CliError { code: exit::FAILED, message: message.into(), help: None }
    }

    /// An exit code whose reason was printed already.
    pub fn shown(code: u8) -> Self {
        CliError { code, message: String::new(), help: None }
    }

    /// The same with the way out.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<weaver_store::Error> for CliError {
    fn from(error: weaver_store::Error) -> Self {
        use weaver_store::Error::*;
        let help = match &error {
            Locked { .. } => Some("wait for it to end, or use another directory with --data"),
            NewerSchema { .. } => {
                Some("a newer agentweaver wrote it: use that one, or another directory with --data")
            }
            Unwritable { .. } => Some("make it writable, or use another directory with --data"),
            Corrupt { .. } => Some(
                "`agentweaver doctor` says what is damaged; restore a copy, or start afresh with another --data",
            ),
            NotADatabase { .. } => Some("point --data at another directory"),
            Full { .. } => Some("make room on the disk; what was saved before is whole"),
            _ => None,
        };
        CliError { help: help.map(String::from), ..CliError::usage(error.to_string()) }
    }
}

impl From<weaver_runtime::Error> for CliError {
    fn from(error: weaver_runtime::Error) -> Self {
        match error {
            weaver_runtime::Error::Store(error) => {
                CliError { code: exit::FAILED, ..CliError::from(error) }
            }
            weaver_runtime::Error::Stalled => CliError::failed(error.to_string()),
            other => CliError::usage(other.to_string()),
        }
    }
}
