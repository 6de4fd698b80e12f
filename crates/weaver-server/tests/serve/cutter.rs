//! [`Cutter`]: stands between servers and PostgreSQL and cuts connections while a
//! commit is under way, so that nobody knows what became of it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The name that clients look for in a directory.
const SOCKET: &str = ".s.PGSQL.5432";

pub struct Cutter {
    dir: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    server: PathBuf,
    /// Commits that are to be cut from now on.
    wanted: AtomicUsize,
    cut: AtomicUsize,
}

impl Cutter {
    /// Stands before the server whose socket is in that directory.
    pub fn before(server: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let (wanted, cut) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { server: server.join(SOCKET), wanted, cut });
        let stands = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // While the server is away its clients hear the same from us.
                let _ = stands.clone().join(client);
            }
        });
        Cutter { dir, shared }
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        let host = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{host}/{database}")
    }

    /// Cuts at the next commit that anybody asks for.
    pub fn cut_next(&self) {
        self.shared.wanted.fetch_add(1, Ordering::SeqCst);
    }

    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn join(self: Arc<Self>, client: UnixStream) -> std::io::Result<()> {
        let server = UnixStream::connect(&self.server)?;
        let muted = Arc::new(AtomicBool::new(false));
        let (from, to) = (server.try_clone()?, client.try_clone()?);
        let hears = muted.clone();
        std::thread::spawn(move || {
            pass(from, to, |_| match hears.load(Ordering::SeqCst) {
                true => Passed::Cut,
                false => Passed::On,
            });
        });
        std::thread::spawn(move || pass(client, server, |bytes| self.asked(bytes, &muted)));
        Ok(())
    }

    /// What becomes of something that a client asks: every other commit that is cut
    /// never arrives, the rest is done and the answer lost.
    fn asked(&self, bytes: &[u8], muted: &AtomicBool) -> Passed {
        let commits = bytes.windows(6).any(|word| word == b"COMMIT");
        let take = |wanted: usize| wanted.checked_sub(1);
        let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        if !commits || self.wanted.fetch_update(success, failure, take).is_err() {
            return Passed::On;
        }
        let cut = self.cut.fetch_add(1, Ordering::SeqCst);
        if cut.is_multiple_of(2) {
            return Passed::Cut;
        }
        muted.store(true, Ordering::SeqCst);
        Passed::On
    }
}

enum Passed {
    On,
    Cut,
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut look: impl FnMut(&[u8]) -> Passed) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..count];
        if matches!(look(bytes), Passed::Cut) || to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
