//! A proxy before a PostgreSQL server that loses the answer of a commit.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What the server calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";
/// The command, and the server's word that it is done, as they are on the wire.
const COMMIT: &[u8] = b"COMMIT\0";

/// Passes everything on until it is told to lose an answer.
pub struct Proxy {
    dir: tempfile::TempDir,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy of the server whose socket is in `server`.
    pub fn before(server: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let (socket, is_armed) = (server.join(SOCKET), armed.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &socket, is_armed.clone());
            }
        });
        Proxy { dir, armed }
    }

    /// Where to connect to.
    pub fn url(&self) -> String {
        let host = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{host}/postgres")
    }

    /// The server gets the next `COMMIT` and does it; who sent it loses the connection.
    pub fn lose_next_answer(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }
}

fn serve(client: UnixStream, socket: &PathBuf, armed: Arc<AtomicBool>) {
    let Ok(server) = UnixStream::connect(socket) else { return };
    let doomed = Arc::new(AtomicBool::new(false));
    let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let is_doomed = doomed.clone();
    thread::spawn(move || {
        pass(from_client, to_server, |bytes| {
            if holds(bytes, COMMIT) && armed.swap(false, Ordering::SeqCst) {
                is_doomed.store(true, Ordering::SeqCst);
            }
            Passed::On
        })
    });
    thread::spawn(move || {
        pass(server, client, |bytes| match doomed.load(Ordering::SeqCst) {
            true if holds(bytes, COMMIT) => Passed::Cut,
            true => Passed::Dropped,
            false => Passed::On,
        })
    });
}

enum Passed {
    On,
    Dropped,
    Cut,
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut judge: impl FnMut(&[u8]) -> Passed) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        match judge(&buffer[..n]) {
            Passed::On if to.write_all(&buffer[..n]).is_ok() => {}
            Passed::Dropped => {}
            Passed::On | Passed::Cut => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}
