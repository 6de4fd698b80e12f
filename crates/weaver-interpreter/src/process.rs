//! [`Worker`]: the pool's end of one interpreter process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use weaver_core::Hash;

use crate::desk::Seat;
use crate::kept::Kept;
use crate::patience::Patience;
use crate::pool::{PoolError, PoolOptions};
use crate::program;
use crate::protocol::{self, Reply, request};

/// A reply larger than this is not believed.
const MAX_FRAME_BYTES: usize = 256 << 20;

/// Read at once while looking; most replies are smaller.
const LOOK_BYTES: usize = 4 << 10;

/// Why a worker gave no reply.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It ended, or closed its socket.
    Died,
    /// It sent what is no reply.
    Nonsense,
}

/// One live process. Dropping it kills the process.
pub(crate) struct Worker {
    stream: UnixStream,
    buffer: Vec<u8>,
    patience: Patience,
    child: Option<Child>,
    spawner: Spawner,
    /// Whether landlock is among its walls.
    pub(crate) landlock: bool,
    /// The tenant it has served; it serves no other.
    pub(crate) tenant: Option<String>,
    /// The session whose module it has, when it waits for that session's calls.
    pub(crate) holds: Option<u64>,
    /// The program whose module it has, where the calls of that program leave no traces.
    pub(crate) reusable: Option<Hash>,
    /// What it still has of the calls before.
    pub(crate) kept: Kept,
    _seat: Seat,
}

impl Worker {
    /// Starts a process and waits until its sandbox stands. A prepared one then
    /// makes what all modules start with, before it is asked for a module.
    pub(crate) async fn start(
        spawner: &Spawner,
        seat: Seat,
        prepared: bool,
    ) -> Result<Self, PoolError> {
        let (child, stream) = spawner.spawn().await?;
        stream.set_nonblocking(true)?;
        let mut worker = Worker {
            stream: UnixStream::from_std(stream)?,
            buffer: Vec::new(),
            patience: Patience::default(),
            child: Some(child),
            spawner: spawner.clone(),
            landlock: false,
            tenant: None,
            holds: None,
            reusable: None,
            kept: Kept::default(),
            _seat: seat,
        };
        match worker.receive().await {
            Ok(Reply::Hello { landlock }) => worker.landlock = landlock,
            Ok(Reply::Refused(why)) => return Err(PoolError::Sandbox(why)),
            Ok(_) | Err(Lost::Nonsense) => {
                return Err(PoolError::Sandbox("the binary is no interpreter worker".into()));
            }
            Err(Lost::Died) => {
                let status = worker.exit_status().await;
                let how = status.map_or_else(|| "ended".into(), |status| status.to_string());
                return Err(PoolError::Sandbox(format!("it ended at once ({how})")));
            }
        }
        if prepared {
            let frame = protocol::prepare(program::prelude());
            let _ = worker.send(&frame).await;
        }
        Ok(worker)
    }

    pub(crate) async fn send(&mut self, frame: &[u8]) -> Result<(), Lost> {
        if matches!(protocol::kind(frame), request::LOAD | request::RESTORE) {
            self.kept.clear();
        }
        self.stream.write_all(frame).await.map_err(|_| Lost::Died)
    }

    /// The next reply. May be dropped and called again: what was read is kept.
    pub(crate) async fn receive(&mut self) -> Result<Reply, Lost> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let len = u32::from_le_bytes(*head) as usize;
                if len > MAX_FRAME_BYTES {
                    return Err(Lost::Nonsense);
                }
                if self.buffer.len() >= 4 + len {
                    let reply = Reply::read(&self.buffer[4..4 + len], &self.kept)
                        .map_err(|_| Lost::Nonsense);
                    self.buffer.drain(..4 + len);
                    return reply;
                }
            }
            if let Some(read) = self.look() {
                match read {
                    Ok(0) | Err(_) => return Err(Lost::Died),
                    Ok(_) => continue,
                }
            }
            self.buffer.reserve(16 << 10);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(Lost::Died),
                Ok(_) => {}
            }
        }
    }

    /// What comes within a moment; see [`Patience`].
    fn look(&mut self) -> Option<io::Result<usize>> {
        let len = self.buffer.len();
        self.buffer.resize(len + LOOK_BYTES, 0);
        let read = self.patience.look(self.stream.as_fd(), &mut self.buffer[len..]);
        let more = read.as_ref().and_then(|read| read.as_ref().ok()).copied().unwrap_or_default();
        self.buffer.truncate(len + more);
        read
    }

    /// How the process ended; it must have, or be about to.
    pub(crate) async fn exit_status(&mut self) -> Option<ExitStatus> {
        let child = self.child.take()?;
        self.spawner.wait(child).await
    }

    /// The process id, for tests and `doctor`.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            self.spawner.reap(child);
        }
    }
}

/// A thread that starts processes and waits for their ends.
///
/// Workers ask the kernel to die with the thread that started them, so that
/// thread must live as long as the pool; a runtime's threads may not. Its other
/// use is to keep `fork` and `wait` out of the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

enum Job {
    Spawn(oneshot::Sender<io::Result<(Child, StdStream)>>),
    Wait(Child, Option<oneshot::Sender<ExitStatus>>),
}

impl Spawner {
    pub(crate) fn new(options: &PoolOptions) -> Self {
        let (jobs, queue) = mpsc::channel();
        let (program, args) = (options.program.clone(), options.args.clone());
        let work = move || {
            for job in queue {
                match job {
                    Job::Spawn(answer) => {
                        let mut command = Command::new(&program);
                        let _ = answer.send(spawn(command.args(&args)));
                    }
                    Job::Wait(mut child, answer) => {
                        if let (Ok(status), Some(answer)) = (child.wait(), answer) {
                            let _ = answer.send(status);
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("python-spawner".into());
        if let Err(error) = thread.spawn(work) {
            tracing::error!(%error, "no thread for starting interpreter processes");
        }
        Spawner { jobs }
    }

    async fn spawn(&self) -> io::Result<(Child, StdStream)> {
        let (answer, wait) = oneshot::channel();
        let gone = || io::Error::other("the spawner has ended");
        self.jobs.send(Job::Spawn(answer)).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }

    async fn wait(&self, child: Child) -> Option<ExitStatus> {
        let (answer, wait) = oneshot::channel();
        self.jobs.send(Job::Wait(child, Some(answer))).ok()?;
        wait.await.ok()
    }

    fn reap(&self, child: Child) {
        // Fails only at the pool's end, when the thread's end takes the workers along.
        let _ = self.jobs.send(Job::Wait(child, None));
    }
}

fn spawn(command: &mut Command) -> io::Result<(Child, StdStream)> {
    let (ours, theirs) = StdStream::pair()?;
    let child = command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C is for this program, which then ends its children in order.
        .process_group(0)
        .spawn()?;
    Ok((child, ours))
}
