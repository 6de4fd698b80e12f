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

/// What ends a command. Printed as `error[word]: message` and `help: …`, unless it
/// was shown already.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub code: u8,
    /// The stable word that has a page in `docs/errors/`, when there is one.
    pub word: Option<&'static str>,
    /// One or two sentences; empty when everything was printed already.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl CliError {
    /// Something the user can put right before anything runs.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError { code: exit::USAGE, word: None, message: message.into(), help: None }
    }

    /// Something that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        CliError { code: exit::FAILED, word: None, message: message.into(), help: None }
    }

    /// An exit code whose reason was printed already.
    pub fn shown(code: u8) -> Self {
        CliError { code, word: None, message: String::new(), help: None }
    }

    /// The same with the way out.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<weaver_store::Error> for CliError {
    fn from(error: weaver_store::Error) -> Self {
        CliError {
            word: Some(error.code()),
            help: error.help().map(String::from),
            ..CliError::usage(error.to_string())
        }
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

impl From<crate::vault::Error> for CliError {
    fn from(error: crate::vault::Error) -> Self {
        use crate::vault::Error;
        let said = CliError { word: Some(error.code()), ..CliError::usage(error.to_string()) };
        match error {
            Error::Store(error) => error.into(),
            Error::Locked(_) => said.with_help(
                "bring the master key that they were sealed with: AGENTWEAVER_MASTER_KEY, or \
                 master.key in the data directory",
            ),
            Error::Master(_) => said,
            _ => CliError { word: None, ..said },
        }
    }
}
