//! [`Desk`]: a directory, files in it, commands run there.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A directory of its own in which commands run with a clean environment.
pub struct Desk {
    dir: tempfile::TempDir,
}

/// What a command gave.
pub struct Ended {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Desk {
    /// An empty directory.
    pub fn new() -> Self {
        Desk { dir: tempfile::tempdir().unwrap() }
    }

    /// A directory with one workflow file.
    pub fn with(name: &str, text: &str) -> Self {
        let desk = Desk::new();
        desk.write(name, text);
        desk
    }

    /// The path of a file here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        self.run_with(args, &[])
    }

    /// Runs a command with some variables set.
    pub fn run_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        variables: &[(&str, &str)],
    ) -> Ended {
        let mut command = self.command(args);
        command.envs(variables.iter().copied());
        command.output().unwrap().into()
    }

    /// Runs a command with a text on its standard input.
    pub fn run_fed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, text: &str) -> Ended {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Runs a command whose reader has gone away.
    pub fn run_unread<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = self.command(args);
        command.stdout(writer).stderr(Stdio::piped());
        command.spawn().unwrap().wait_with_output().unwrap().into()
    }

    /// Starts a command whose output can be read.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A command, not begun.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentweaver"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// The checkpoints of a thread, newest first.
    pub fn checkpoints(&self, thread: &str) -> Vec<Value> {
        let ended = self.run(["history", thread, "--json"]).expect(0);
        serde_json::from_str(&ended.out).unwrap()
    }

    /// The threads of the data directory.
    pub fn threads(&self) -> Vec<Value> {
        let ended = self.run(["history", "--json"]).expect(0);
        serde_json::from_str(&ended.out).unwrap()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The same, if it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// The same, if all of these stand in standard error.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is missing in: {}", self.err);
        }
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}\nout: {}\nerr: {}", self.out, self.err))
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let read =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(read).collect()
    }

    /// The nodes that ended, from the events in standard output.
    pub fn nodes(&self) -> Vec<String> {
        let lines = self.lines();
        let ended = lines.iter().filter(|event| event["kind"] == "node_exit");
        ended.map(|event| event["node"].as_str().unwrap().to_string()).collect()
    }

    /// The kinds of the events in standard output.
    pub fn kinds(&self) -> Vec<String> {
        self.lines().iter().map(|event| event["kind"].as_str().unwrap().to_string()).collect()
    }
}

/// A file with the usual imports, one `State` and one graph. `state` are the fields
/// of the class, `body` functions, `build` calls of `graph`.
pub fn workflow(state: &str, body: &str, build: &str) -> String {
    let fields: String = state.lines().map(|line| format!("    {}\n", line.trim())).collect();
    let build: String = build.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
    format!(
        "from typing import Annotated, TypedDict\n\
         import operator\n\
         from agentweaver import llm, nodes\n\
         from langgraph.graph import END, START, StateGraph, add_messages\n\
         from langgraph.types import Command, Send, interrupt\n\n\n\
         class State(TypedDict):\n{fields}\n\n{body}\n\n\
         graph = StateGraph(State)\n{build}app = graph.compile()\n"
    )
}

/// A file whose graph is one node `work`.
pub fn one_node(state: &str, body: &str, node: &str) -> String {
    let build = format!(
        "graph.add_node(\"work\", {node})\ngraph.add_edge(START, \"work\")\ngraph.add_edge(\"work\", END)"
    );
    workflow(state, body, &build)
}

/// Two nodes in a row: `look` prints and notes, `answer` answers.
pub fn two_steps() -> String {
    workflow(
        "question: str\nlog: Annotated[list, operator.add]\nanswer: str",
        "def look(state: State):\n    print(\"looking\")\n    return {\"log\": [\"looked\"]}\n\n\n\
         def answer(state: State):\n    return {\"answer\": state[\"question\"].upper(), \"log\": [\"answered\"]}\n",
        "graph.add_node(look)\ngraph.add_node(answer)\ngraph.add_edge(START, \"look\")\n\
         graph.add_edge(\"look\", \"answer\")\ngraph.add_edge(\"answer\", END)",
    )
}

/// Two nodes side by side that each ask.
pub fn two_questions() -> String {
    workflow(
        "topic: str\nanswers: Annotated[list, operator.add]",
        "def colour(state: State):\n    return {\"answers\": [f\"colour {interrupt('which colour?')}\"]}\n\n\n\
         def size(state: State):\n    return {\"answers\": [f\"size {interrupt('which size?')}\"]}\n",
        "graph.add_node(colour)\ngraph.add_node(size)\ngraph.add_edge(START, \"colour\")\n\
         graph.add_edge(START, \"size\")\ngraph.add_edge(\"colour\", END)\ngraph.add_edge(\"size\", END)",
    )
}

/// One node that asks once.
pub fn one_question() -> String {
    one_node(
        "topic: str\nanswer: object",
        "def work(state: State):\n    return {\"answer\": interrupt({\"question\": \"Shall it go out?\", \"topic\": state[\"topic\"]})}\n",
        "work",
    )
}
