//! `agentweaver worker`: run functions of workflow files in this machine's Python.
//!
//! A task is a worker's own under a lease. A lease counts from before its claim by the
//! clock of this machine that never jumps; who cannot extend it for two thirds of its
//! time stops the work, before another worker may begin it.

mod files;
mod task;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use weaver_api::worker::{About, HeartbeatRequest, PollRequest, Polled, RegisterRequest};
use weaver_api::{Client, Error, WorkerClient};

use crate::cli::WorkerArgs;
use crate::commands::serve::find_server;
use crate::commands::stop::StopSignal;
use crate::error::CliError;
use crate::render::term;
use crate::settings::Settings;
use files::Files;

/// How long an unanswered poll waits at the server.
const WAIT_SECONDS: u32 = 20;
/// Between tries of a server that does not answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// For how long a worker that is told to stop lets its tasks end.
const GRACE: Duration = Duration::from_secs(10);

/// Works until it is told to stop, then ends what it has or hands it back.
pub async fn run(args: &WorkerArgs, settings: Settings) -> Result<(), CliError> {
    let files = Files::new(&args.python, &args.interpreter)?;
    let client = client(args, &settings)?;
    let request = RegisterRequest { name: name(args), about: about(args) };
    let worker = client.register(&request).await?;
    let mut signal = StopSignal::listen();
    let shown = &worker.registered.worker;
    term::note(&format!("worker {} · {} · {}", shown.name, shown.id, client.address()));
    let (stop, stopping) = (CancellationToken::new(), CancellationToken::new());
    let told = stopping.clone();
    let signals = tokio::spawn(async move {
        signal.asked().await;
        told.cancel();
    });
    let mut floor = Floor {
        client,
        request,
        worker: Arc::new(worker),
        files: Arc::new(files),
        tasks: JoinSet::new(),
        capacity: args.concurrency,
        stop,
    };
    let worked = floor.work(&stopping).await;
    signals.abort();
    floor.end().await;
    worked
}

/// The tasks under way.
struct Floor {
    client: Client,
    request: RegisterRequest,
    worker: Arc<WorkerClient>,
    files: Arc<Files>,
    tasks: JoinSet<()>,
    capacity: u32,
    /// Tasks that have not ended are to be handed back.
    stop: CancellationToken,
}

impl Floor {
    /// Pulls tasks until it is told to stop.
    async fn work(&mut self, stopping: &CancellationToken) -> Result<(), CliError> {
        let every = self.worker.registered.heartbeat_seconds.max(1);
        let mut heartbeat = tokio::time::interval(Duration::from_secs(every.into()));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let free = self.capacity.saturating_sub(self.tasks.len() as u32);
            let worker = self.worker.clone();
            let asked = Instant::now();
            let request = self.poll_request(free);
            let polled = async {
                match free {
                    0 => std::future::pending().await,
                    _ => worker.poll(&request).await,
                }
            };
            tokio::pin!(polled);
            // A poll that is under way may have been given a task: it is let go of only
            // when the worker stops, and then the task's lease runs out.
            let answer = loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return Ok(()),
                    answer = &mut polled => break answer,
                    Some(_) = self.tasks.join_next() => {
                        if free == 0 {
                            break Ok(Polled { tasks: Vec::new(), draining: false });
                        }
                    }
                    _ = heartbeat.tick() => {
                        let running = self.tasks.len() as u32;
                        // A poll says the same: what fails here fails there.
                        let _ = self.worker.heartbeat(&HeartbeatRequest { running }).await;
                    }
                }
            };
            match answer {
                Ok(Polled { draining: true, .. }) => {
                    term::note("told to drain: what is under way ends");
                    return Ok(());
                }
                Ok(polled) => self.take(polled, asked),
                Err(error) => self.mend(error, stopping).await?,
            }
        }
    }

    fn poll_request(&self, free: u32) -> PollRequest {
        PollRequest {
            texts: self.files.texts(),
            count: free.max(1),
            wait_seconds: WAIT_SECONDS,
            running: self.tasks.len() as u32,
        }
    }

    fn take(&mut self, polled: Polled, asked: Instant) {
        for task in polled.tasks {
            let hands = task::Hands {
                worker: self.worker.clone(),
                files: self.files.clone(),
                stop: self.stop.clone(),
            };
            self.tasks.spawn(hands.perform(task, asked));
        }
    }

    /// A server that is away is waited for; one that has forgotten this worker is told
    /// of it again.
    async fn mend(&mut self, error: Error, stopping: &CancellationToken) -> Result<(), CliError> {
        match error {
            Error::Refused(problem) if problem.code == "worker_unknown" => {
                self.worker = Arc::new(self.client.register(&self.request).await?);
                term::note(&format!("registered again as {}", self.worker.registered.worker.id));
            }
            Error::Refused(problem) if problem.status < 500 => {
                return Err(Error::Refused(problem).into());
            }
            other => {
                term::warning(&other.to_string());
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN_AFTER) => {}
                    () = stopping.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    /// Lets tasks end for a while, then hands back what is left.
    async fn end(mut self) {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            self.stop.cancel();
            while self.tasks.join_next().await.is_some() {}
        }
    }
}

fn client(args: &WorkerArgs, settings: &Settings) -> Result<Client, CliError> {
    if let Some(server) = &args.server {
        return Ok(Client::new(server, args.token.clone())?);
    }
    let file = find_server(settings).ok_or_else(|| {
        CliError::usage(format!("no server works on {}", settings.data.display()))
            .with_help("start one with `agentweaver serve`, or name one with --server and --token")
    })?;
    Ok(Client::new(&file.address, Some(file.token))?)
}

fn about(args: &WorkerArgs) -> About {
    About {
        machine: Some(machine()).filter(|name| !name.is_empty()),
        files: args.python.iter().map(|file| file.display().to_string()).collect(),
        tools: args.tools.clone(),
        skills: Vec::new(),
        capacity: args.concurrency,
    }
}

fn name(args: &WorkerArgs) -> String {
    let own = args.name.clone().unwrap_or_else(machine);
    if own.is_empty() { "worker".into() } else { own }
}

fn machine() -> String {
    std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_string()
}
