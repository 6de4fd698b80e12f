//! [`Hands`]: one task of a worker, from its claim to its report.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_api::worker::{CallRequest, CompleteRequest, Completed, FailRequest, LeasedTask};
use weaver_api::{Error, WorkerClient};
use weaver_core::task::{Assignment, CallResult, Emitted, TaskCall};
use weaver_core::{Failure, FailureKind};

use super::TRY_AGAIN_AFTER;
use super::files::Files;
use crate::python::{Interpreter, Said};
use crate::render::term;

/// What a task is done with.
pub struct Hands {
    /// Speaks for the worker.
    pub worker: Arc<WorkerClient>,
    /// Its files.
    pub files: Arc<Files>,
    /// Cancelled when it is to hand back what it has not ended.
    pub stop: CancellationToken,
}

/// What a report holds at most of what a function has shown.
const EMITTED_MAX: usize = 1_000;

/// How the work on a task ended.
enum Ended {
    Completed(Completed),
    Failed(Failure),
    /// The server has no use for it any more.
    LeaseLost,
}

/// What a function has shown since the last report.
#[derive(Default)]
struct Shown {
    emitted: Vec<Emitted>,
    left_out: usize,
}

impl Hands {
    /// Does a task that was asked for at a moment of this machine's clock.
    pub async fn perform(self, task: LeasedTask, asked: Instant) {
        let mut shown = Shown::default();
        let mut lease = Lease { worker: &self.worker, token: &task.lease, since: asked };
        let ended = tokio::select! {
            biased;
            () = lease.lost() => Ended::LeaseLost,
            () = self.stop.cancelled() => {
                let _ = self.worker.release(&task.lease).await;
                return;
            }
            ended = self.work(&task, &mut shown) => ended,
        };
        let name = &task.assignment.function;
        match ended {
            Ended::LeaseLost => term::note(&format!(
                "`{name}` is dropped: somebody else has it, or nobody needs it"
            )),
            ended => tokio::select! {
                biased;
                () = lease.lost() => {}
                () = self.report(&task, ended, shown.take()) => {}
            },
        }
    }

    async fn work(&self, task: &LeasedTask, shown: &mut Shown) -> Ended {
        let assignment = &task.assignment;
        let mut process = match self.files.process(&assignment.text).await {
            Ok(process) => process,
            Err(failure) => return Ended::Failed(failure),
        };
        let limit = assignment.timeout_ms.map(Duration::from_millis);
        let running = self.follow(task, &mut process, shown);
        let ended = match limit {
            None => running.await,
            Some(limit) => match tokio::time::timeout(limit, running).await {
                Ok(ended) => ended,
                Err(_) => return Ended::Failed(timed_out(limit)),
            },
        };
        match ended {
            Ok(ended) => {
                self.files.give_back(&assignment.text, process);
                ended
            }
            Err(ended) => ended,
        }
    }

    /// Runs the function. `Err`: the process is of no use any more.
    async fn follow(
        &self,
        task: &LeasedTask,
        process: &mut Interpreter,
        shown: &mut Shown,
    ) -> Result<Ended, Ended> {
        process.begin(&task.assignment).await.map_err(Ended::Failed)?;
        loop {
            match process.next().await.map_err(Ended::Failed)? {
                Said::Print(text) => shown.add(Emitted::Print(text)),
                Said::Custom(value) => shown.add(Emitted::Custom(value)),
                Said::Call(call) => {
                    let result = self.call(task, call, shown.take()).await?;
                    process.answer(&result).await.map_err(Ended::Failed)?;
                }
                Said::Returned(value) => return Ok(Ended::Completed(Completed::Returned(value))),
                Said::Asked(value) => return Ok(Ended::Completed(Completed::Asked(value))),
                Said::Failed(raised) => return Ok(Ended::Failed(process.failure(raised))),
                other @ (Said::Ready(_) | Said::Broken(_)) => {
                    return Err(Ended::Failed(process.out_of_step(&other)));
                }
            }
        }
    }

    /// Has the server make a call of the function.
    async fn call(
        &self,
        task: &LeasedTask,
        call: TaskCall,
        emitted: Vec<Emitted>,
    ) -> Result<CallResult, Ended> {
        let request = CallRequest { call, emitted };
        loop {
            match self.worker.call(&task.lease, &request).await {
                Ok(answer) => {
                    if let Some(result) = answer.result {
                        return Ok(result);
                    }
                }
                Err(Error::Refused(problem)) if problem.code == "lease_lost" => {
                    return Err(Ended::LeaseLost);
                }
                Err(Error::Refused(problem)) if problem.status < 500 => {
                    return Err(Ended::Failed(refused(&task.assignment, &problem.to_string())));
                }
                // The call is made once, however often it is sent.
                Err(_) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
            }
        }
    }

    /// Reports until somebody has heard it.
    async fn report(&self, task: &LeasedTask, ended: Ended, emitted: Vec<Emitted>) {
        let mut ended = ended;
        loop {
            let told = match &ended {
                Ended::Completed(outcome) => {
                    let (outcome, emitted) = (outcome.clone(), emitted.clone());
                    let request = CompleteRequest { outcome, emitted };
                    self.worker.complete(&task.lease, &request).await
                }
                Ended::Failed(failure) => {
                    let (failure, emitted) = (failure.clone(), emitted.clone());
                    self.worker.fail(&task.lease, &FailRequest { failure, emitted }).await
                }
                Ended::LeaseLost => return,
            };
            match told {
                Ok(()) => return,
                Err(Error::Refused(problem)) if problem.code == "lease_lost" => return,
                Err(Error::Refused(problem)) if problem.status < 500 => {
                    // What it returned cannot be kept; that much can be said.
                    match ended {
                        Ended::Completed(_) => {
                            let failure = refused(&task.assignment, &problem.to_string());
                            ended = Ended::Failed(failure);
                        }
                        _ => return term::warning(&problem.to_string()),
                    }
                }
                Err(_) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
            }
        }
    }
}

/// The lease of a task.
struct Lease<'a> {
    worker: &'a WorkerClient,
    token: &'a str,
    /// Since when it holds, by this machine's clock.
    since: Instant,
}

impl Lease<'_> {
    /// Extends it again and again; ends when that fails for too long, or is refused.
    async fn lost(&mut self) {
        let whole = Duration::from_secs(self.worker.registered.lease_seconds.max(1).into());
        let mut next = self.since + whole / 3;
        loop {
            tokio::time::sleep_until(next).await;
            let (asked, stop_at) = (Instant::now(), self.since + whole * 2 / 3);
            match tokio::time::timeout_at(stop_at, self.worker.extend(self.token)).await {
                Ok(Ok(_)) => (self.since, next) = (asked, asked + whole / 3),
                Ok(Err(Error::Refused(problem))) if problem.status < 500 => return,
                Ok(Err(_)) if asked + TRY_AGAIN_AFTER < stop_at => next = asked + TRY_AGAIN_AFTER,
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

impl Shown {
    fn add(&mut self, emitted: Emitted) {
        match self.emitted.len() < EMITTED_MAX {
            true => self.emitted.push(emitted),
            false => self.left_out += 1,
        }
    }

    fn take(&mut self) -> Vec<Emitted> {
        if self.left_out > 0 {
            let note = format!("… and {} more that are left out\n", self.left_out);
            self.emitted.push(Emitted::Print(note));
        }
        std::mem::take(self).emitted
    }
}

fn timed_out(limit: Duration) -> Failure {
    let message =
        format!("The attempt took longer than its limit of {} s in all.", limit.as_secs_f64());
    let mut failure = Failure::new(FailureKind::Timeout, "node_timeout", message);
    failure.exception = Some("NodeTimeoutError".into());
    failure
}

fn refused(assignment: &Assignment, why: &str) -> Failure {
    let message = format!("the server does not take what `{}` came to: {why}", assignment.function);
    Failure::new(FailureKind::InvalidInput, "not_data", message)
}
