//! A PostgreSQL server for tests, from the system's packages: in a directory of its
//! own, reached through a socket there, with `fsync` on, and gone with the process
//! that started it, however that ends.

#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A URL of a server that is there already, to be used in place of a new one. Its
/// user must be able to make databases and roles.
pub const VARIABLE: &str = "AGENTWEAVER_TEST_POSTGRES";

/// The server that the tests of this process share, as its superuser.
pub fn shared_url() -> String {
    static SHARED: OnceLock<Result<String, Server>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var(VARIABLE) {
        Ok(url) => Ok(url),
        Err(_) => Err(Server::start()),
    });
    match shared {
        Ok(url) => url.clone(),
        Err(server) => server.url("postgres", "postgres"),
    }
}

/// A server of one test, to be stopped and started as it likes.
pub struct Server {
    dir: PathBuf,
    bin: PathBuf,
    /// Stops the server and removes its directory when its input ends: also when
    /// this process is killed.
    _keeper: Child,
}

impl Server {
    /// A new server, ready.
    pub fn start() -> Self {
        let bin = bin();
        let dir = tempfile::Builder::new().prefix("weaver-pg-").tempdir().unwrap().keep();
        let command = |name: &str| as_other_user(&bin.join(name), &dir);
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&dir).status().unwrap();
            assert!(owned.success(), "there is no user `postgres`");
        }
        let data = dir.join("data");
        let mut initdb = command("initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        run(initdb.arg("-D").arg(&data));
        let conf = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             log_statement = 'none'\nlog_min_messages = 'warning'\n",
            dir.display()
        );
        let path = data.join("postgresql.auto.conf");
        fs::write(&path, conf).unwrap();
        let keeper = keeper(&bin, &dir);
        let server = Server { dir, bin, _keeper: keeper };
        server.control("start");
        server
    }

    /// A URL of a user and a database.
    pub fn url(&self, user: &str, database: &str) -> String {
        let host = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{host}/{database}")
    }

    /// Where its socket is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs statements as the superuser.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        psql(&self.url("postgres", database), sql)
    }

    /// Stops the server as if it had crashed.
    pub fn stop(&self) {
        self.control("stop");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.control("start");
    }

    fn control(&self, what: &str) {
        let mut command = as_other_user(&self.bin.join("pg_ctl"), &self.dir);
        command.args([what, "-w", "-m", "immediate", "-D"]).arg(self.dir.join("data"));
        if what == "start" {
            command.arg("-l").arg(self.dir.join("log"));
        }
        run(&mut command);
    }
}

/// Runs statements at a URL.
pub fn psql(url: &str, sql: &str) -> String {
    let mut command = Command::new(bin().join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    run(&mut command)
}

/// The newest of the system's packages.
pub fn bin() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let newest = versions
        .filter(|entry| entry.path().join("bin/initdb").exists())
        .max_by_key(version)
        .expect("PostgreSQL is installed: run ci/setup.sh");
    newest.path().join("bin")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// PostgreSQL refuses to run as root.
fn as_other_user(program: &Path, dir: &Path) -> Command {
    let mut command = match is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]);
            command.arg(program);
            command
        }
        false => Command::new(program),
    };
    command.current_dir(dir).env("LC_ALL", "C");
    command
}

fn keeper(bin: &Path, dir: &Path) -> Child {
    let mut stop = as_other_user(&bin.join("pg_ctl"), dir);
    stop.args(["stop", "-s", "-m", "immediate", "-D"]).arg(dir.join("data"));
    let words: Vec<_> = std::iter::once(stop.get_program()).chain(stop.get_args()).collect();
    Command::new("sh")
        .args(["-c", r#"dir=$1; shift; cat >/dev/null; "$@"; rm -rf "$dir""#, "keeper"])
        .arg(dir)
        .args(words)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a command printed; it must succeed.
fn run(command: &mut Command) -> String {
    // `pg_ctl` leaves its output to the server: a pipe would never end.
    let is_control = command.get_args().any(|argument| argument == "-w");
    let output = match is_control {
        true => command.stdout(Stdio::null()).stderr(Stdio::null()).output().unwrap(),
        false => command.stdin(Stdio::null()).output().unwrap(),
    };
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim_end().to_string()
}
