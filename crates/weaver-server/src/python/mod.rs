//! [`Interpreter`]: a CPython process that has imported a workflow file. The user's own
//! code with the user's own rights: a server never starts one.

mod local;

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use weaver_core::failure::Frame;
use weaver_core::task::{Assignment, CallResult, TaskCall};
use weaver_core::{Failure, FailureKind, Value};

pub use local::ThisMachine;

/// What runs in the process: one text, given on the command line.
const DRIVER: &str = concat!(
    include_str!("codec.py"),
    "\n\n",
    include_str!("stand_ins.py"),
    "\n\n",
    include_str!("driver.py")
);

/// A CPython process with a workflow file. It and what it has started are killed when
/// it is let go of.
pub struct Interpreter {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    file: String,
}

/// What a process says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The file is imported.
    Ready(()),
    /// It cannot be.
    Broken(Raised),
    /// The function prints.
    Print(String),
    /// It writes to its stream.
    Custom(Value),
    /// It calls the server, and waits.
    Call(TaskCall),
    /// It returned.
    Returned(Value),
    /// It raised.
    Failed(Raised),
    /// It waits for a person.
    Asked(Value),
}

/// An exception.
#[derive(Debug, Deserialize)]
pub struct Raised {
    class: String,
    bases: Vec<String>,
    message: String,
    frames: Vec<RaisedAt>,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RaisedAt {
    line: u32,
    function: String,
}

impl Interpreter {
    /// Starts `command` (`python3`) and has it import a file, as which it is given `text`.
    /// A failure says why it cannot.
    pub async fn start(command: &str, file: &Path, text: &str) -> Result<Self, Failure> {
        let shown = file.display().to_string();
        let mut child = Command::new(command)
            .args(["-c", DRIVER])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                unavailable(format!("`{command}` cannot be started: {error}"))
                    .with_help("name the program with --interpreter, or install Python")
            })?;
        let input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        let lines = BufReader::new(output).lines();
        let mut started = Interpreter { child, input, lines, file: shown.clone() };
        started.send(&text).await?;
        loop {
            match started.next().await? {
                Said::Ready(_) => return Ok(started),
                Said::Print(text) => eprint!("{text}"),
                Said::Broken(raised) => {
                    let failure = started.failure(raised);
                    let message = format!("{shown} cannot be imported: {failure}");
                    let mut broken = unavailable(message).with_help(
                        "install what it imports where the worker runs, or give another Python with --interpreter",
                    );
                    broken.traceback = failure.traceback;
                    return Err(broken);
                }
                other => return Err(started.out_of_step(&other)),
            }
        }
    }

    /// Begins a function.
    pub async fn begin(&mut self, assignment: &Assignment) -> Result<(), Failure> {
        self.send(assignment).await
    }

    /// Answers a call.
    pub async fn answer(&mut self, result: &CallResult) -> Result<(), Failure> {
        self.send(result).await
    }

    /// What it says next. The failure is the end of the process.
    pub async fn next(&mut self) -> Result<Said, Failure> {
        match self.lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line).map_err(|error| {
                crashed(format!("the Python process says what nobody understands: {error}"))
            }),
            Ok(None) => Err(self.ended().await),
            Err(error) => Err(crashed(format!("the Python process cannot be read: {error}"))),
        }
    }

    /// An exception of the file as a failure.
    pub fn failure(&self, raised: Raised) -> Failure {
        let mut failure = Failure::exception(&raised.class, raised.message);
        failure.bases = raised.bases;
        if let Some(code) = raised.code {
            failure.code = code;
        }
        failure.traceback = raised
            .frames
            .into_iter()
            .map(|frame| Frame {
                file: self.file.clone(),
                line: frame.line,
                column: None,
                end_column: None,
                function: frame.function,
            })
            .collect();
        failure
    }

    /// What it says when nobody asked for that.
    pub fn out_of_step(&self, said: &Said) -> Failure {
        crashed(format!("the Python process says something out of turn: {said:?}"))
    }

    async fn send(&mut self, message: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(message).expect("a message has a JSON form");
        line.push(b'\n');
        let sent = async {
            self.input.write_all(&line).await?;
            self.input.flush().await
        };
        match sent.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// How the process ended.
    async fn ended(&mut self) -> Failure {
        match self.child.wait().await {
            Ok(status) => crashed(format!("the Python process of {} died: {status}", self.file)),
            Err(error) => crashed(format!("the Python process of {} is gone: {error}", self.file)),
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

fn unavailable(message: String) -> Failure {
    Failure::new(FailureKind::InvalidInput, "python_unavailable", message)
}

fn crashed(message: String) -> Failure {
    Failure::new(FailureKind::Crash, "python_crashed", message)
        .with_help("what it said last is in the output of the worker")
}
