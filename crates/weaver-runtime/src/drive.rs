//! [`drive`]: the loop between the engine, the handler and the log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{AbortHandle, Abortable, BoxFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_core::{Event, EventKind, Value};
use weaver_engine::{
    Answer, Call, CallId, CallKind, Chunk, Effect, Happened, Invoked, Load, Outcome, Run, TaskInfo,
};
use weaver_store::{ExecutionChange, ExecutionId, Lane, Record, Store, Totals};

use crate::commit::Committer;
use crate::effects::TaskEffects;
use crate::error::Error;
use crate::graft::Grafts;
use crate::journal::{Journal, STAND_IN_STATE};
use crate::request::{Clock, Report, RunRequest};
use crate::task::{Handler, RunContext, TaskContext, TaskRequest, task_event};
use crate::{codec, ending, node_cache, open, shown, thread};

/// Takes a run to its end, its wait or its failure. Without a store nothing is
/// kept and nothing can be resumed.
///
/// Errors are about the log and the request; a failing node is an outcome.
pub async fn drive(
    store: Option<Store>,
    handler: Arc<dyn Handler>,
    request: RunRequest,
) -> Result<Report, Error> {
    let began = Instant::now();
    let mut driver = Driver::start(store, handler, request).await?;
    let outcome = match driver.turn().await {
        Ok(outcome) => outcome,
        Err(error) => {
            driver.running.clear();
            return Err(error);
        }
    };
    driver.finish(&outcome, began.elapsed()).await?;
    Ok(Report {
        execution: driver.committer.execution,
        thread: driver.context.thread.clone(),
        checkpoint: driver.committer.last,
        totals: driver.context.journal.totals(),
        steps: driver.step_count,
        duration: began.elapsed(),
        outcome,
    })
}

/// What an invoked graph came to, with the chunks that were asked for.
pub(crate) type InvokedGraph = (Invoked<Value>, Vec<Chunk<Value>>);
type CallResult = (CallId, Option<Answer<Value>>);

struct Driver {
    run: Run<Value>,
    handler: Arc<dyn Handler>,
    clock: Clock,
    request: RunRequest,
    /// Subgraphs that go on from a checkpoint of another branch.
    grafts: Grafts,
    context: Arc<RunContext>,
    committer: Committer,
    running: FuturesUnordered<BoxFuture<'static, CallResult>>,
    calls: HashMap<CallId, RunningCall>,
    /// Calls of tasks of open supersteps, for further attempts.
    effects: HashMap<String, TaskEffects>,
    /// Namespaces that this run has committed to: nothing of their tasks can be
    /// in the log before.
    fresh: HashSet<Arc<str>>,
    resumed: bool,
    /// The superstep that each namespace is in.
    steps: HashMap<Arc<str>, i64>,
    step_count: u64,
    requests: mpsc::UnboundedReceiver<TaskRequest>,
    request_sender: mpsc::UnboundedSender<TaskRequest>,
    invocations: HashMap<(CallId, u32), oneshot::Sender<InvokedGraph>>,
    /// Taken away once they have fired.
    cancel: Option<CancellationToken>,
    drain: Option<CancellationToken>,
}

struct RunningCall {
    task: Arc<TaskInfo>,
    kind: CallKind,
    began: Instant,
    abort: AbortHandle,
    /// What its last event says besides.
    told: Vec<(&'static str, Value)>,
}

impl Driver {
    async fn start(
        store: Option<Store>,
        handler: Arc<dyn Handler>,
        request: RunRequest,
    ) -> Result<Self, Error> {
        let unfinished = match &store {
            Some(store) => open::unfinished(store, &request).await?,
            None => None,
        };
        let (execution, sequence, totals) = match &unfinished {
            Some((last, sequence)) => (last.id, *sequence, last.totals),
            None => (ExecutionId::generate(), 0, Totals::default()),
        };
        let listener = request.listener.clone();
        let clock = request.clock.started();
        let journal = Journal::new(store.clone(), execution, sequence, totals, listener);
        journal.go_by(clock);
        journal.show_to(request.follower.clone());
        let mut committer = Committer::new(
            Lane::new(request.thread.clone(), request.namespace.clone()),
            execution,
            store.clone(),
            journal.clone(),
            request.durability,
        );
        committer.workers = request.workers;
        let origin = open::load_origin(store.as_ref(), &request, &mut committer).await?;
        let resumed = origin.saved.is_some();
        open::begin(&journal, execution, &request, unfinished.as_ref().map(|(last, _)| last));
        if let (Some(store), Some(answers)) = (&store, open::answers_of(&request.input)) {
            open::note_answers(store, &mut committer, answers).await?;
        }
        let context = Arc::new(RunContext {
            thread: request.thread.clone(),
            tenant: request.tenant.clone(),
            context: request.context.clone(),
            config: request.config.clone(),
            store: store.clone(),
            journal,
            cancel: request.cancel.clone(),
            purse: request.purse.clone(),
            children: request.children.clone(),
            has_workers: request.workers.is_some(),
        });
        let mut options = request.options.clone();
        options.checkpoints = store.is_some();
        // Without a log each run is a thread of its own: a conversation that the caller
        // carries along must not get the same ids for its messages again.
        options.thread = match &store {
            Some(_) => open::thread_number(&request.thread),
            None => uuid::Uuid::now_v7().as_u128(),
        };
        let (graph, input) = (request.graph.clone(), request.input.clone());
        let run = Run::start(graph, origin, input, options, clock.now());
        let (request_sender, requests) = mpsc::unbounded_channel();
        Ok(Driver {
            run,
            handler,
            clock,
            cancel: Some(request.cancel.clone()),
            drain: Some(request.drain.clone()),
            grafts: Grafts::new(&request),
            request,
            context,
            committer,
            running: FuturesUnordered::new(),
            calls: HashMap::new(),
            effects: HashMap::new(),
            fresh: HashSet::new(),
            resumed,
            steps: HashMap::new(),
            step_count: 0,
            requests,
            request_sender,
            invocations: HashMap::new(),
        })
    }

    async fn turn(&mut self) -> Result<Outcome<Value>, Error> {
        loop {
            while let Some(effect) = self.run.poll_effect() {
                if let Some(outcome) = self.act(effect).await? {
                    return Ok(outcome);
                }
            }
            self.wait().await?;
            // A loop of nodes that never wait would keep its thread from all others.
            tokio::task::coop::consume_budget().await;
        }
    }

    async fn act(&mut self, effect: Effect<Value>) -> Result<Option<Outcome<Value>>, Error> {
        match effect {
            Effect::Call(call) => self.start_call(call).await?,
            Effect::Stop(id) => {
                if let Some(call) = self.calls.remove(&id) {
                    call.abort.abort();
                }
            }
            Effect::Commit(commit) => {
                self.fresh.insert(commit.namespace.clone());
                self.grafts.moved(&commit);
                self.committer.commit(commit).await?;
                // What ran is part of the checkpoint now: only running tasks have calls to keep.
                let open: HashSet<String> =
                    self.calls.values().map(|call| call.task.id.to_string()).collect();
                self.effects.retain(|name, _| open.iter().any(|task| name.starts_with(task)));
            }
            Effect::SaveWrites(writes) => self.committer.save_writes(&writes),
            Effect::Load(load) => self.load(load).await?,
            Effect::CacheGet { id, key } => {
                let writes = match &self.context.store {
                    Some(store) if !self.request.ignore_cache => {
                        node_cache::get(store, &key, self.clock.now()).await?
                    }
                    _ => None,
                };
                self.run.handle(self.clock.now(), Happened::Cached { id, writes });
            }
            Effect::CachePut { key, ttl, writes } => {
                let expires = ttl.map(|ttl| self.clock.now().after(ttl));
                self.context.journal.record(node_cache::entry(&key, &writes, expires));
            }
            Effect::Invoked { call, ordinal, result, chunks } => {
                if let Some(reply) = self.invocations.remove(&(call, ordinal)) {
                    let _ = reply.send((result, chunks));
                }
            }
            Effect::Retry { task, failure, delay } => {
                let data = Value::map([
                    ("error", shown::failure(&failure)),
                    ("attempt", task.attempt.into()),
                    ("delay_ms", Value::from(delay.as_millis() as i64)),
                ]);
                self.context.journal.emit(task_event(&task, EventKind::NodeRetry).with_data(data));
            }
            Effect::Emit(emit) => {
                if let Some(chunks) = &self.request.chunks {
                    chunks(&emit);
                }
            }
            Effect::Notice(notice) => {
                let data = Value::map([
                    ("code", Value::str(notice.code)),
                    ("message", notice.message.into()),
                ]);
                let mut event = Event::new(EventKind::Notice).with_data(data);
                event.node = Some(notice.node.to_string());
                self.context.journal.emit(event);
            }
            Effect::Finish(outcome) => return Ok(Some(outcome)),
        }
        Ok(None)
    }

    async fn start_call(&mut self, call: Call<Value>) -> Result<(), Error> {
        let task = Arc::new(call.task.clone());
        let effects = self.task_effects(&call).await?;
        if call.kind == CallKind::Node
            && self.steps.insert(task.namespace.clone(), task.step) != Some(task.step)
        {
            self.step_count += 1;
        }
        if call.kind == CallKind::Node && self.context.journal.is_watched() {
            let mut event = task_event(&task, EventKind::NodeEnter);
            event.data =
                Value::map([("input", call.input.to_value()), ("attempt", task.attempt.into())]);
            self.context.journal.emit(event);
        }
        let suspended = (!call.answers.is_empty()).then(|| {
            let answered = call.answers.len() - 1;
            let id = weaver_engine::InterruptId::of(&task.task_namespace(), answered);
            self.committer.known_questions.get(&id.to_string()).cloned().map(Arc::new)
        });
        let context = TaskContext {
            run: self.context.clone(),
            task: task.clone(),
            call: call.id,
            effects,
            requests: self.request_sender.clone(),
            suspended: suspended.flatten(),
        };
        let (abort, registration) = AbortHandle::new_pair();
        let (id, kind) = (call.id, call.kind);
        self.calls
            .insert(id, RunningCall { task, kind, began: Instant::now(), abort, told: Vec::new() });
        let future = Abortable::new(self.handler.call(call, context), registration);
        self.running.push(Box::pin(async move { (id, future.await.ok()) }));
        Ok(())
    }

    /// The recorded calls of a task: from this run, or from the log when the
    /// task may have started before.
    async fn task_effects(&mut self, call: &Call<Value>) -> Result<TaskEffects, Error> {
        let task = &call.task;
        let name = match call.kind {
            CallKind::Node => task.id.to_string(),
            kind => format!("{}/{kind:?}:{}", task.id, call.what),
        };
        let lane = Lane::new(self.request.thread.clone(), task.namespace.clone());
        let recorded = match (self.effects.get(&name), &self.context.store) {
            (Some(effects), _) => effects.recorded(),
            (None, Some(store)) if self.resumed && !self.fresh.contains(&task.namespace) => {
                store.effects(lane.clone(), name.as_str().into()).await?
            }
            _ => Vec::new(),
        };
        let effects = TaskEffects::new(
            lane,
            name.as_str().into(),
            self.committer.execution,
            task.step,
            task.attempt,
            recorded,
            self.context.journal.clone(),
        );
        self.effects.insert(name, effects.clone());
        Ok(effects)
    }

    async fn load(&mut self, load: Load) -> Result<(), Error> {
        let grafted = self.grafts.take(&load, &mut self.committer).await?;
        let saved = match (grafted, &self.context.store) {
            (Some(grafted), _) => Some(grafted),
            (None, None) => None,
            (None, Some(store)) => {
                self.committer.readable(&load.namespace).await?;
                thread::load_below(store, &self.request.thread, &load).await?
            }
        };
        let saved = saved.map(|(saved, meter)| {
            self.committer.loaded(&saved, meter);
            self.resumed = true;
            saved
        });
        self.run.handle(self.clock.now(), Happened::Loaded { id: load.id, saved });
        Ok(())
    }

    /// Waits for the next thing to happen, and takes it in.
    async fn wait(&mut self) -> Result<(), Error> {
        let mut timeout = self.run.poll_timeout();
        if self.running.is_empty() && timeout.is_none() && self.requests.is_empty() {
            return Err(Error::Stalled);
        }
        // Tasks that end at once would keep the rest of the select from being looked at.
        if self.cancel.as_ref().is_some_and(CancellationToken::is_cancelled) {
            self.cancel = None;
            self.run.cancel();
            return Ok(());
        }
        if self.drain.as_ref().is_some_and(CancellationToken::is_cancelled) {
            self.drain = None;
            self.run.drain();
            return Ok(());
        }
        let flush = self.committer.flush_due();
        if let (Clock::Replayed(clock), Some(at)) = (&mut self.clock, timeout) {
            match self.running.is_empty() {
                true => *clock = at.max(*clock),
                false => timeout = None,
            }
        }
        let since = self.clock.now().0;
        let pause = timeout.map(|at| Duration::from_micros((at.0 - since).max(0) as u64));
        tokio::select! {
            biased;
            Some((id, answer)) = self.running.next() => self.returned(id, answer),
            Some(request) = self.requests.recv() => self.take_request(request),
            () = cancelled(self.cancel.as_ref()) => {
                self.cancel = None;
                self.run.cancel();
            }
            () = cancelled(self.drain.as_ref()) => {
                self.drain = None;
                self.run.drain();
            }
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {
                self.run.handle(self.clock.now(), Happened::Timeout);
            }
            () = sleep_until(flush) => self.committer.flush()?,
        }
        Ok(())
    }

    fn returned(&mut self, id: CallId, answer: Option<Answer<Value>>) {
        // A suspension is sent before the question that it belongs to.
        while let Ok(request) = self.requests.try_recv() {
            self.take_request(request);
        }
        let (Some(answer), Some(call)) = (answer, self.calls.remove(&id)) else { return };
        if matches!(call.kind, CallKind::Node | CallKind::ErrorHandler) {
            self.show_exit(&call, &answer);
        }
        self.run.handle(self.clock.now(), Happened::Returned { id, answer });
    }

    fn take_request(&mut self, request: TaskRequest) {
        match request {
            TaskRequest::Progress(call) => {
                self.run.handle(self.clock.now(), Happened::Progress(call))
            }
            TaskRequest::Tell(call, what, value) => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.told.push((what, value));
                }
            }
            TaskRequest::Suspend { task, snapshot } => {
                self.committer.snapshots.insert(task, snapshot);
            }
            TaskRequest::Invoke { call, ordinal, graph, input, stream, reply } => {
                self.invocations.insert((call, ordinal), reply);
                let happened = Happened::Invoke { call, ordinal, graph, input, stream };
                self.run.handle(self.clock.now(), happened);
            }
        }
    }

    fn show_exit(&self, call: &RunningCall, answer: &Answer<Value>) {
        let Some(mut data) = shown::exit(answer) else { return };
        data.extend(call.told.iter().cloned());
        let mut event = task_event(&call.task, EventKind::NodeExit).with_data(Value::map(data));
        event.duration_us = Some(call.began.elapsed().as_micros() as u64);
        self.context.journal.emit(event);
    }

    async fn finish(&mut self, outcome: &Outcome<Value>, took: Duration) -> Result<(), Error> {
        let (status, word) = ending::status(outcome);
        let journal = &self.context.journal;
        let mut error = None;
        if let Outcome::Failed(failure) = outcome {
            error = Some(codec::encode(failure));
            let mut event = Event::new(EventKind::Error).with_data(shown::failure(failure));
            event.node.clone_from(&failure.node);
            journal.emit(event);
        }
        let values = match outcome {
            Outcome::Done { output: values } | Outcome::Interrupted { values, .. } => {
                values.clone()
            }
            _ => Value::Null,
        };
        let claimed = self.request.claimed.as_ref();
        // Only readers of the log must put the values together again.
        let keys = claimed.and_then(|_| self.committer.keys_of(&values));
        let mut data = vec![("status", Value::str(word)), ("values", values)];
        data.extend(keys.map(|keys| (STAND_IN_STATE, keys)));
        let data = Value::map(data);
        let mut event = Event::new(EventKind::Done).with_data(data);
        event.duration_us = Some(took.as_micros() as u64);
        let totals = journal.totals();
        event.usage = (totals.usage != Default::default()).then_some(totals.usage);
        event.cost_micros = (totals.cost_micros > 0).then_some(totals.cost_micros);
        event.checkpoint = self.committer.last.map(|id| id.to_string());
        // The end is when the log says so: whoever saw that needs no look.
        let ended = Some(journal.emit(event));
        let id = self.committer.execution;
        journal.record(Record::ExecutionChange(ExecutionChange {
            id,
            status,
            ended,
            error,
            totals,
        }));
        if let Some(claimed) = claimed {
            let questions = self.committer.known_questions.values();
            for work in ending::work_after(claimed, outcome, questions) {
                journal.record(Record::Work(work));
            }
        }
        self.committer.barrier().await?;
        if let Some(recent) = &self.request.recent
            && let Some((state, meter)) = self.committer.root_state()
        {
            recent.put(&self.request.tenant, &self.request.thread, state, meter);
        }
        Ok(())
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Ends when the token is cancelled; a token that was taken in already never does.
async fn cancelled(token: Option<&CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}
