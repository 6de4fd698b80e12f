//! [`Place`]: a directory with a server at work in it, and commands that ask it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long something that must come may take.
const AT_MOST: Duration = Duration::from_secs(60);

/// A directory with its log, or a database beside it.
pub struct Place {
    dir: tempfile::TempDir,
    database: Option<String>,
}

/// A server process; killed when it is dropped.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Waits until the process dies by itself.
    pub fn dies(mut self) {
        let status = self.0.wait().unwrap();
        assert!(!status.success(), "it dies in the midst of something: {status}");
    }
}

/// What a command gave.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new(database: Option<String>) -> Self {
        Place { dir: tempfile::tempdir().unwrap(), database }
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts a server, with some variables set, and waits until it answers.
    pub fn serve(&self, variables: &[(&str, &str)]) -> Server {
        let server = self.serve_unheard(variables);
        let deadline = Instant::now() + AT_MOST;
        while self.health().is_none() {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::yield_now();
        }
        server
    }

    /// Starts a server that may die at once.
    pub fn serve_unheard(&self, variables: &[(&str, &str)]) -> Server {
        let _ = std::fs::remove_file(self.data().join("server.json"));
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--lease", "1"]);
        command.envs(variables.iter().copied());
        Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentweaver"));
        command.args(args).arg("--data").arg(self.data()).current_dir(self.dir.path());
        command.env("AGENTWEAVER_HTTP_ALLOW", "127.0.0.1").stdin(Stdio::null());
        if let Some(url) = &self.database {
            command.env("AGENTWEAVER_DATABASE_URL", url);
        }
        command
    }

    pub fn say(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON answer of a command that succeeds.
    pub fn ask(&self, args: &[&str]) -> Value {
        let said = self.say(&[args, &["--json"]].concat()).expect(0);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
    }

    /// Submits a file and gives the execution's id.
    pub fn submit(&self, args: &[&str]) -> String {
        let submitted = self.ask(&[&["submit"], args].concat());
        submitted["execution_id"].as_str().unwrap().to_string()
    }

    /// An execution, once it is as wanted.
    pub fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + AT_MOST;
        loop {
            let (status, execution) = self.http("GET", &format!("/executions/{id}"), None);
            if status == 200 && wanted(&execution) {
                return execution;
            }
            assert!(Instant::now() < deadline, "it does not come to that: {execution}");
        }
    }

    pub fn ended(&self, id: &str) -> Value {
        let is_over = |execution: &Value| execution.get("completed_at").is_some();
        self.until(id, is_over)
    }

    pub fn has_status(&self, id: &str, status: &str) -> Value {
        self.until(id, |execution| execution["status"] == status)
    }

    fn health(&self) -> Option<Value> {
        self.server_file()?;
        let (status, body) = self.try_http("GET", "/health", None)?;
        (status == 200).then_some(body)
    }

    fn server_file(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.data().join("server.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Asks the server over HTTP, with its token.
    pub fn http(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.try_http(method, path, body).expect("the server answers")
    }

    fn try_http(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let (status, body) = self.try_ask(method, &format!("/api/v1{path}"), body)?;
        Some((status, serde_json::from_str(&body).unwrap_or_default()))
    }

    /// What stands under a path of the server.
    pub fn text(&self, path: &str) -> String {
        let (status, text) = self.try_ask("GET", path, None).expect("the server answers");
        assert_eq!(status, 200, "{text}");
        text
    }

    fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, String)> {
        let file = self.server_file()?;
        let address = file["address"].as_str()?.strip_prefix("http://")?.to_string();
        let token = file["token"].as_str()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(&address).ok()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_string()))
    }
}

impl Said {
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
}
