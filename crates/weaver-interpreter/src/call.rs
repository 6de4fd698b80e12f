//! [`Call`]: one function run, step by step.

use std::sync::Arc;

use weaver_core::{Failure, FailureKind};

use crate::delta;
use crate::lease::{Lease, Module, Parked, Place};
use crate::pool::{PoolError, Template};
use crate::process::{Lost, Worker};
use crate::protocol::{self, Reply, request};
use crate::session::{CallRequest, Limits, Shared};
use crate::snapshot::Snapshot;
use crate::step::{Answer, Step};
use crate::worker::{CPU_EXIT_CODE, cpu_failure, memory_failure};

/// A running function. Dropping it ends the run; its worker is recycled or killed.
pub struct Call {
    shared: Arc<Shared>,
    request: CallRequest,
    phase: Phase,
    lease: Option<Lease>,
    /// Where the worker is while the call waits for the host.
    cell: Arc<Parked>,
    /// The desk's key of the waiting call.
    parked: Option<u64>,
    /// The host step that waits for answers.
    waiting: Option<Step>,
    answers: Vec<(u32, Answer)>,
    /// The final step.
    ended: Option<Step>,
}

/// What the worker is to do, or does.
enum Phase {
    /// Nothing yet.
    New,
    /// Take this state over.
    Restore(Arc<Snapshot>),
    /// It makes the module, whose state is to be kept as a template or not; the
    /// call comes after.
    Loading { keep: bool },
    /// It runs the function.
    Running,
    /// A frame is on its way to it: if that is cut off, the worker is lost.
    Sending,
}

impl Call {
    pub(crate) fn new(shared: Arc<Shared>, request: CallRequest) -> Self {
        Call {
            shared,
            request,
            phase: Phase::New,
            lease: None,
            cell: Arc::default(),
            parked: None,
            waiting: None,
            answers: Vec::new(),
            ended: None,
        }
    }

    pub(crate) fn restored(shared: Arc<Shared>, snapshot: &Snapshot, limits: Limits) -> Self {
        let request = CallRequest { limits, ..CallRequest::default() };
        let mut call = Call::new(shared, request);
        call.phase = Phase::Restore(Arc::new(snapshot.clone()));
        call
    }

    /// Runs to the next stop. After [`Step::HostCall`] or [`Step::HostCalls`]
    /// give answers with [`Call::resume`] first; without any the same step comes again.
    /// After a final step (`Returned`, `Raised`, `Limit`, `Crashed`) it comes again.
    ///
    /// May be dropped while it waits for the worker and called again; the call
    /// goes on as if nothing had happened.
    pub async fn next(&mut self) -> Step {
        if let Some(step) = &self.ended {
            return step.clone();
        }
        match self.advance().await {
            Ok(step) => step,
            Err(step) => self.end(step),
        }
    }

    /// Answers a host call; takes effect with the next [`Call::next`]. An id
    /// that does not wait is ignored.
    pub fn resume(&mut self, id: u32, answer: Answer) {
        self.answers.retain(|(other, _)| *other != id);
        self.answers.push((id, answer));
    }

    /// The suspended call as bytes. Only between a `HostCall(s)` step and the
    /// following [`Call::next`]; else, and when the worker is gone, a failure.
    pub async fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        let not_now = || {
            Failure::new(
                FailureKind::Internal,
                "not_suspended",
                "the call does not wait for the host",
            )
        };
        if self.waiting.is_none() {
            return Err(not_now());
        }
        let state = match self.cell.settled().await {
            Place::Saved(state) => {
                self.cell.put(Place::Saved(state.clone()));
                state
            }
            Place::Here(mut worker) => {
                let gone = |_| crashed("while its state was saved");
                worker.send(&protocol::plain(request::SAVE)).await.map_err(gone)?;
                let reply = worker.receive().await.map_err(gone)?;
                self.cell.put(Place::Here(worker));
                let Reply::State(state) = reply else { return Err(not_now()) };
                state
            }
            Place::Away | Place::Saving | Place::Lost => return Err(crashed("while it waited")),
        };
        let base = self.shared.pool.base().await;
        let (bytes, base) = match base.as_deref() {
            Some((hash, base)) => (delta::encode(base, &state), Some(*hash)),
            None => (state, None),
        };
        let Shared { pool, binding, prepared, .. } = &*self.shared;
        Ok(Snapshot::seal(bytes, base, &pool.options.key, binding, prepared.code_hash))
    }

    /// The id of the worker process, once there is one.
    pub fn process_id(&self) -> Option<u32> {
        let worker = self.lease.as_ref().and_then(|lease| lease.worker.as_ref());
        worker.and_then(Worker::id).or_else(|| self.cell.process_id())
    }

    async fn advance(&mut self) -> Result<Step, Step> {
        self.begin().await?;
        loop {
            if let Some(step) = &self.waiting {
                let answers = self.take_answers(step);
                if answers.is_empty() {
                    let step = step.clone();
                    self.park();
                    return Ok(step);
                }
                self.unpark().await?;
                let frame = protocol::resume(&answers);
                let frame = frame.map_err(|_| too_deep("an answer of the host"))?;
                self.waiting = None;
                self.answers.clear();
                self.send(&frame).await?;
            }
            match self.receive().await? {
                Reply::Ready { pure_module } => self.module_is_ready(pure_module).await?,
                Reply::Printed(text) => return Ok(Step::Printed(text)),
                Reply::HostCall(call) => self.waiting = Some(Step::HostCall(call)),
                Reply::HostCalls(calls) => self.waiting = Some(Step::HostCalls(calls)),
                Reply::Returned(value) => return Ok(self.end(Step::Returned(value))),
                Reply::Raised(failure) => {
                    // A module that cannot be made leaves nothing to keep.
                    if matches!(self.phase, Phase::Loading { .. }) {
                        self.drop_worker();
                    }
                    // It may have raised before it had taken all in.
                    if let Some(worker) =
                        self.lease.as_mut().and_then(|lease| lease.worker.as_mut())
                    {
                        worker.kept.clear();
                    }
                    let failure = self.shared.place(failure);
                    return Ok(self.end(Step::Raised(failure)));
                }
                Reply::Limit(failure) => return Err(Step::Limit(self.shared.place(failure))),
                Reply::Refused(why) => return Err(Step::Crashed(crashed(&format!("({why})")))),
                Reply::Hello { .. } | Reply::State(_) | Reply::Probed(_) => {
                    return Err(Step::Crashed(crashed("(it broke the protocol)")));
                }
            }
        }
    }

    /// The first time: a worker, and what it starts with.
    async fn begin(&mut self) -> Result<(), Step> {
        let restored = match &self.phase {
            Phase::New => None,
            Phase::Restore(snapshot) => Some(snapshot.clone()),
            Phase::Loading { .. } | Phase::Running | Phase::Sending => return Ok(()),
        };
        // Before a worker is held: making the base may need one itself.
        let restored = match restored {
            Some(snapshot) => Some(self.state_of(&snapshot).await?),
            None => None,
        };
        self.acquire().await?;
        let limits = self.request.limits;
        let lease = self.lease.as_mut().ok_or_else(|| Step::Crashed(crashed("")))?;
        let module = std::mem::take(&mut lease.module);
        if let Some(state) = restored {
            self.send(&protocol::restore(&state, &limits)).await?;
            self.phase = Phase::Running;
            return Ok(());
        }
        let mut keep = false;
        let prepared = &self.shared.prepared;
        let frame = match module {
            Module::Live => return self.start_function().await,
            Module::Saved(state) => protocol::restore(&state, &limits),
            Module::New | Module::Dirty => match self.shared.pool.template(prepared.code_hash) {
                Template::Saved(template) => protocol::restore(&template, &limits),
                how => {
                    keep = matches!(how, Template::MakeAndKeep);
                    protocol::load(&prepared.file, &prepared.units)
                }
            },
        };
        self.send(&frame).await?;
        self.phase = Phase::Loading { keep };
        Ok(())
    }

    /// A worker, started if need be.
    async fn acquire(&mut self) -> Result<(), Step> {
        loop {
            if self.lease.is_none() {
                let Shared { pool, id, tenant, .. } = &*self.shared;
                self.lease = Some(pool.desk.module(*id, tenant.clone()).await);
            }
            let Some(lease) = &mut self.lease else { continue };
            // A worker that takes over a state has no use for the beginning of a module.
            let saved = matches!(lease.module, Module::Saved(_));
            let prepared = !saved && !self.shared.pool.has_template(self.shared.prepared.code_hash);
            if lease.start(&self.shared.tenant, prepared).await.map_err(no_worker)? {
                return Ok(());
            }
            self.lease = None;
        }
    }

    /// Lets others use the worker while the host works on an answer.
    fn park(&mut self) {
        if self.parked.is_none()
            && let Some(lease) = &mut self.lease
        {
            self.parked = lease.park(&self.cell);
        }
    }

    /// Gets the worker back, or another one with the call's state in it. May be cut
    /// off and called again.
    async fn unpark(&mut self) -> Result<(), Step> {
        let Some(at) = self.parked else { return Ok(()) };
        let worker = match self.cell.settled().await {
            Place::Here(worker) => *worker,
            Place::Saved(state) => {
                let frame = protocol::restore(&state, &self.request.limits);
                self.cell.put(Place::Saved(state));
                self.restored_elsewhere(&frame).await?
            }
            Place::Away | Place::Saving | Place::Lost => {
                return Err(Step::Crashed(crashed("while it waited")));
            }
        };
        self.cell.take();
        self.parked = None;
        if let Some(lease) = &mut self.lease {
            lease.unpark(at, worker);
        }
        Ok(())
    }

    /// A worker that has taken over the state of this call.
    async fn restored_elsewhere(&self, frame: &[u8]) -> Result<Worker, Step> {
        let tenant = &self.shared.tenant;
        let mut bare = self.shared.pool.desk.bare(tenant.clone()).await;
        bare.start(tenant, false).await.map_err(no_worker)?;
        let lost = || Step::Crashed(crashed("while its state was restored"));
        let mut worker = bare.worker.take().ok_or_else(lost)?;
        worker.send(frame).await.map_err(|_| lost())?;
        let reply = tokio::time::timeout(self.patience(), worker.receive()).await;
        match reply {
            Ok(Ok(Reply::HostCall(_) | Reply::HostCalls(_))) => Ok(worker),
            _ => Err(lost()),
        }
    }

    /// The whole state of a snapshot, whose seal was checked before.
    async fn state_of(&self, snapshot: &Snapshot) -> Result<Vec<u8>, Step> {
        let Some(wanted) = snapshot.base else { return Ok(snapshot.bytes.clone()) };
        let base = self.shared.pool.base().await;
        let state = match base.as_deref() {
            Some((hash, base)) if *hash == wanted => delta::decode(base, &snapshot.bytes).ok(),
            _ => None,
        };
        let lost = "the snapshot builds on a state that this process does not have";
        state.ok_or_else(|| {
            Step::Crashed(Failure::new(FailureKind::Internal, "snapshot_base", lost))
        })
    }

    /// The module is made: keeps it as a template where that is right, and calls.
    async fn module_is_ready(&mut self, pure_module: bool) -> Result<(), Step> {
        let Shared { prepared, .. } = &*self.shared;
        let reusable = (pure_module && prepared.traceless).then_some(prepared.code_hash);
        if let Some(worker) = self.lease.as_mut().and_then(|lease| lease.worker.as_mut()) {
            worker.reusable = reusable;
        }
        if pure_module && matches!(self.phase, Phase::Loading { keep: true }) {
            self.send(&protocol::plain(request::SAVE)).await?;
            if let Reply::State(state) = self.receive().await? {
                self.shared.pool.keep_template(self.shared.prepared.code_hash, state);
            }
        }
        self.start_function().await
    }

    async fn start_function(&mut self) -> Result<(), Step> {
        let Shared { prepared, .. } = &*self.shared;
        let worker = self.lease.as_mut().and_then(|lease| lease.worker.as_mut());
        let kept = worker.filter(|_| prepared.keeps_values).map(|worker| {
            let forget = worker.kept.start(self.request.limits.memory);
            (&mut worker.kept, forget)
        });
        let frame =
            protocol::call(&self.request, kept).map_err(|_| too_deep("the function's input"))?;
        self.request.args.clear();
        self.request.kwargs.clear();
        self.send(&frame).await?;
        self.phase = Phase::Running;
        Ok(())
    }

    /// Sends a frame; the phase is `Sending` until the caller says what follows.
    async fn send(&mut self, frame: &[u8]) -> Result<(), Step> {
        let before = std::mem::replace(&mut self.phase, Phase::Sending);
        let worker = self.lease.as_mut().and_then(|lease| lease.worker.as_mut());
        let sent = worker.ok_or_else(|| Step::Crashed(crashed("")))?.send(frame).await;
        self.phase = before;
        match sent {
            Ok(()) => Ok(()),
            Err(lost) => Err(self.post_mortem(lost).await),
        }
    }

    async fn receive(&mut self) -> Result<Reply, Step> {
        if matches!(self.phase, Phase::Sending) {
            return Err(Step::Crashed(crashed("(it was cut off)")));
        }
        let patience = self.patience();
        let worker = self.lease.as_mut().and_then(|lease| lease.worker.as_mut());
        let worker = worker.ok_or_else(|| Step::Crashed(crashed("")))?;
        match tokio::time::timeout(patience, worker.receive()).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(lost)) => Err(self.post_mortem(lost).await),
            Err(_) => {
                let message = format!("the interpreter gave no sign of life for {patience:?}");
                Err(Step::Limit(Failure::new(FailureKind::Limit, "python_timeout", message)))
            }
        }
    }

    /// Real time that the worker may take for one step.
    fn patience(&self) -> std::time::Duration {
        self.request.limits.cpu + self.shared.pool.options.grace
    }

    fn drop_worker(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.worker = None;
        }
    }

    /// What a lost worker died of.
    async fn post_mortem(&mut self, lost: Lost) -> Step {
        let worker = self.lease.as_mut().and_then(|lease| lease.worker.take());
        let Some(mut worker) = worker else { return Step::Crashed(crashed("")) };
        if matches!(lost, Lost::Nonsense) {
            return Step::Crashed(crashed("(it broke the protocol)"));
        }
        let status = worker.exit_status().await;
        let limits = &self.request.limits;
        match status.and_then(|status| status.code()) {
            Some(monty_types::OOM_EXIT_CODE) => Step::Limit(memory_failure(limits)),
            Some(CPU_EXIT_CODE) => Step::Limit(cpu_failure(limits)),
            _ => {
                let how = status.map(|status| format!("({status})")).unwrap_or_default();
                Step::Crashed(crashed(&how))
            }
        }
    }

    /// The answers to calls that wait.
    fn take_answers(&self, step: &Step) -> Vec<(u32, Answer)> {
        let waits = |id| match step {
            Step::HostCall(call) => call.id == id,
            Step::HostCalls(calls) => calls.iter().any(|call| call.id == id),
            _ => false,
        };
        self.answers.iter().filter(|(id, _)| waits(*id)).cloned().collect()
    }

    /// Ends the call: the module goes back to its session if it is well.
    fn end(&mut self, step: Step) -> Step {
        self.waiting = None;
        self.ended = Some(step.clone());
        let well = matches!(step, Step::Returned(_) | Step::Raised(_));
        self.leave(well);
        step
    }

    /// Gives back the worker, with the module when it is well.
    fn leave(&mut self, well: bool) {
        let Some(mut lease) = self.lease.take() else { return };
        if let Some(at) = self.parked.take() {
            lease.abandon(at, &self.cell);
        }
        if well && lease.worker.is_some() {
            lease.module = Module::Live;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // A worker that waits for the host can serve again; one that computes ends.
        self.leave(false);
    }
}

fn crashed(how: &str) -> Failure {
    let message = format!("the interpreter process died {how}");
    Failure::new(FailureKind::Crash, "interpreter_crashed", message.trim_end().to_owned())
        .with_help("the rest of the run is not hurt; report the function if it happens again")
        .retryable()
}

fn no_worker(error: PoolError) -> Step {
    let code = match error {
        PoolError::Spawn(_) | PoolError::Sandbox(_) => "interpreter_unavailable",
    };
    Step::Crashed(Failure::new(FailureKind::Crash, code, error.to_string()).retryable())
}

fn too_deep(what: &str) -> Step {
    let message = format!("{what} is nested more than {} deep", crate::wire::MAX_DEPTH);
    Step::Limit(Failure::new(FailureKind::Limit, "python_input_depth", message))
}
