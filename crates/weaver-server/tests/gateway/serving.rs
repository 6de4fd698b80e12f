//! [`Serving`]: a server at work, with everything in its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use serde_json::Value;

use crate::desk::Desk;

pub struct Serving {
    process: Child,
    address: String,
    token: String,
    /// What it says on standard error, once it has begun, goes there.
    log: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    pub fn start(desk: &Desk) -> Self {
        Serving::start_with(desk, &[])
    }

    pub fn start_with(desk: &Desk, variables: &[(&str, &str)]) -> Self {
        let mut command = desk.command(["serve", "--listen", "127.0.0.1:0"]);
        command.env("AGENTWEAVER_LOG", "trace").envs(variables.iter().copied());
        let mut process = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let (mut said, mut line) = (String::new(), String::new());
        while !line.starts_with("log: ") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "{said}");
            said.push_str(&line);
        }
        let path = desk.path("server.log");
        let log = std::thread::spawn(move || {
            let mut file = std::fs::File::create(path).unwrap();
            file.write_all(said.as_bytes()).unwrap();
            std::io::copy(&mut lines, &mut file).unwrap();
        });
        let file = std::fs::read(desk.path(".agentweaver/server.json")).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let text = |field: &str| file[field].as_str().unwrap().to_string();
        let address = text("address").trim_start_matches("http://").to_string();
        Serving { process, address, token: text("token"), log: Some(log) }
    }

    /// The calls of every interface that ask a model for an answer.
    pub fn calls(&self, model: &str, stream: bool) -> Vec<(&'static str, String)> {
        let messages = r#"[{"role":"user","content":"Hello"}]"#;
        let rest = |inputs: &str| {
            format!(r#"{{"model":"openai/{model}","stream":{stream},"max_tokens":50,{inputs}}}"#)
        };
        let chat = rest(&format!(r#""messages":{messages}"#));
        let responses =
            format!(r#"{{"model":"openai/{model}","stream":{stream},"input":"Hello"}}"#);
        vec![
            ("/v1/chat/completions", chat.clone()),
            ("/v1/messages", chat),
            ("/v1/responses", responses),
        ]
    }

    /// Asks with the token; the answer as it came, head and all.
    pub fn http(&self, method: &str, path: &str, body: Option<&str>) -> String {
        self.http_as(method, path, body, Some(&self.token))
    }

    pub fn http_as(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        token: Option<&str>,
    ) -> String {
        let token = token.map(|token| format!("Bearer {token}"));
        let headers = token.iter().map(|token| ("authorization", &**token));
        self.send(method, path, body, &headers.collect::<Vec<_>>())
    }

    /// Asks with the token and further headers.
    pub fn http_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> String {
        let token = format!("Bearer {}", self.token);
        let headers = [&[("authorization", &*token)][..], headers].concat();
        self.send(method, path, body, &headers)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let body = body.unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}content-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            headers,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it as `kill` does, and waits for the end of its log.
    pub fn stop(mut self) {
        let pid = self.process.id().to_string();
        std::process::Command::new("kill").arg(pid).status().unwrap();
        self.process.wait().unwrap();
        self.log.take().unwrap().join().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
