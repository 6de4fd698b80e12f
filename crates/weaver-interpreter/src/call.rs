//! [`Call`]: one function run, step by step.

use std::sync::Arc;

use weaver_core::{Failure, FailureKind};

use crate::delta;
use crate::pool::PoolError;
use crate::process::{Lost, Worker};
use crate::protocol::{self, Reply, request};
use crate::session::{CallRequest, Limits, Shared, Slot};
use crate::snapshot::Snapshot;
use crate::step::{Answer, Step};
use crate::worker::{CPU_EXIT_CODE, cpu_failure, memory_failure};

/// A running function. Dropping it ends the run; its worker is recycled or killed.
pub struct Call {
    shared: Arc<Shared>,
    request: CallRequest,
    phase: Phase,
    worker: Option<Worker>,
    /// Whether the session's own module runs this, not a copy.
    owns_module: bool,
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
    /// It makes the module; the call comes after.
    Loading,
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
            worker: None,
            owns_module: false,
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
        let (Some(_), Some(worker)) = (&self.waiting, &mut self.worker) else {
            return Err(not_now());
        };
        let gone = |_| crashed("while its state was saved");
        worker.send(&protocol::plain(request::SAVE)).await.map_err(gone)?;
        match worker.receive().await.map_err(gone)? {
            Reply::State(state) => {
                let base = self.shared.pool.base().await;
                let (bytes, base) = match base.as_deref() {
                    Some((hash, base)) => (delta::encode(base, &state), Some(*hash)),
                    None => (state, None),
                };
                let Shared { pool, binding, prepared, .. } = &*self.shared;
                Ok(Snapshot::seal(bytes, base, &pool.options.key, binding, prepared.code_hash))
            }
            _ => Err(not_now()),
        }
    }

    /// The id of the worker process, once there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.worker.as_ref().and_then(Worker::id)
    }

    async fn advance(&mut self) -> Result<Step, Step> {
        self.begin().await?;
        loop {
            if let Some(step) = &self.waiting {
                let answers = self.take_answers(step);
                if answers.is_empty() {
                    return Ok(step.clone());
                }
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
                    if matches!(self.phase, Phase::Loading) {
                        self.worker = None;
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
            Phase::Loading | Phase::Running | Phase::Sending => return Ok(()),
        };
        // Owned already: an earlier `next` was dropped while it waited for a worker.
        let slot = if self.owns_module { None } else { self.shared.take() };
        self.owns_module |= slot.is_some();
        let mut state = None;
        match slot {
            Some(Slot::Idle(worker)) => {
                self.worker = Some(*worker);
                if restored.is_none() {
                    return self.start_function().await;
                }
            }
            Some(Slot::Saved(saved)) => state = Some(saved),
            _ => {}
        }
        if self.worker.is_none() {
            let acquired = self.shared.pool.acquire(&self.shared.binding.tenant).await;
            self.worker = Some(acquired.map_err(no_worker)?);
        }
        let limits = self.request.limits;
        if let Some(snapshot) = restored {
            let state = self.state_of(&snapshot).await?;
            self.send(&protocol::restore(&state, &limits)).await?;
            self.phase = Phase::Running;
            return Ok(());
        }
        let template = self.shared.pool.template(self.shared.prepared.code_hash);
        let frame = match (state, template) {
            (Some(state), _) => protocol::restore(&state, &limits),
            (None, Some(template)) => protocol::restore(&template, &limits),
            (None, None) => protocol::load(&self.shared.prepared.file, &self.shared.prepared.units),
        };
        self.send(&frame).await?;
        self.phase = Phase::Loading;
        Ok(())
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
        let code = self.shared.prepared.code_hash;
        if pure_module && self.shared.pool.template(code).is_none() {
            self.send(&protocol::plain(request::SAVE)).await?;
            self.phase = Phase::Loading;
            if let Reply::State(state) = self.receive().await? {
                self.shared.pool.keep_template(code, state);
            }
        }
        self.start_function().await
    }

    async fn start_function(&mut self) -> Result<(), Step> {
        let frame = protocol::call(&self.request).map_err(|_| too_deep("the function's input"))?;
        self.request.args.clear();
        self.request.kwargs.clear();
        self.send(&frame).await?;
        self.phase = Phase::Running;
        Ok(())
    }

    /// Sends a frame; the phase is `Sending` until the caller says what follows.
    async fn send(&mut self, frame: &[u8]) -> Result<(), Step> {
        let before = std::mem::replace(&mut self.phase, Phase::Sending);
        let worker = self.worker.as_mut().ok_or_else(|| Step::Crashed(crashed("")))?;
        let sent = worker.send(frame).await;
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
        let limits = &self.request.limits;
        let patience = limits.cpu + self.shared.pool.options.grace;
        let worker = self.worker.as_mut().ok_or_else(|| Step::Crashed(crashed("")))?;
        match tokio::time::timeout(patience, worker.receive()).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(lost)) => Err(self.post_mortem(lost).await),
            Err(_) => {
                let message = format!("the interpreter gave no sign of life for {patience:?}");
                Err(Step::Limit(Failure::new(FailureKind::Limit, "python_timeout", message)))
            }
        }
    }

    /// What a lost worker died of.
    async fn post_mortem(&mut self, lost: Lost) -> Step {
        let Some(mut worker) = self.worker.take() else { return Step::Crashed(crashed("")) };
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
        let worker = self.worker.take().filter(|_| well);
        match (worker, std::mem::take(&mut self.owns_module)) {
            (Some(worker), true) => self.shared.give_back(Slot::Idle(Box::new(worker))),
            (Some(worker), false) => self.shared.pool.put_back(worker),
            (None, true) => self.shared.give_back(Slot::Empty),
            (None, false) => {}
        }
        step
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // One that waits for the host can serve again; one that computes is killed
        // by its own drop.
        if let Some(worker) = self.worker.take()
            && self.waiting.is_some()
        {
            self.shared.pool.put_back(worker);
        }
        if self.owns_module {
            self.shared.give_back(Slot::Empty);
        }
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
        PoolError::Busy(_) => "python_busy",
        PoolError::Spawn(_) | PoolError::Sandbox(_) => "interpreter_unavailable",
    };
    Step::Crashed(Failure::new(FailureKind::Crash, code, error.to_string()).retryable())
}

fn too_deep(what: &str) -> Step {
    let message = format!("{what} is nested more than {} deep", crate::wire::MAX_DEPTH);
    Step::Limit(Failure::new(FailureKind::Limit, "python_input_depth", message))
}
