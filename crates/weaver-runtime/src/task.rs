//! [`Handler`] and [`TaskContext`]: what runs a node, and what it may do besides computing.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use weaver_core::{Event, EventKind, Failure, FailureKind, Value};
use weaver_engine::{Answer, Call, CallId, Chunk, Graph, Invoked, StreamModes, TaskInfo};
use weaver_store::{Interrupt, Store};

use crate::children::Children;
use crate::effects::{EffectRequest, Fire, TaskEffects};
use crate::journal::Journal;
use crate::purse::Purse;

/// Runs the functions of a graph: nodes, branches, reducers.
pub trait Handler: Send + Sync + 'static {
    /// Runs one function. Dropping the future abandons the call.
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>>;
}

/// What all tasks of a run share.
pub struct RunContext {
    /// The thread.
    pub thread: Arc<str>,
    /// Whose data this is.
    pub tenant: Arc<str>,
    /// `context=` of the run.
    pub context: Value,
    /// `configurable` and other parts of the run's config, as nodes see it.
    pub config: Value,
    /// Long-term memory lives here; nothing when a run keeps nothing.
    pub store: Option<Store>,
    /// Where events go.
    pub journal: Journal,
    /// Called off from outside.
    pub cancel: CancellationToken,
    /// What tasks may spend; absent: what they like.
    pub purse: Option<Purse>,
    /// Starts executions; absent: tasks cannot start any.
    pub children: Option<Children>,
    /// Whether tasks may wait for workers.
    pub has_workers: bool,
}

/// What a task may do besides computing. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext {
    pub(crate) run: Arc<RunContext>,
    pub(crate) task: Arc<TaskInfo>,
    pub(crate) call: CallId,
    pub(crate) effects: TaskEffects,
    pub(crate) requests: mpsc::UnboundedSender<TaskRequest>,
    pub(crate) suspended: Option<Arc<Interrupt>>,
}

/// What a running task asks of the driver.
pub(crate) enum TaskRequest {
    Progress(CallId),
    /// The last event of the call says this too.
    Tell(CallId, &'static str, Value),
    Invoke {
        call: CallId,
        ordinal: u32,
        graph: Graph<Value>,
        input: Value,
        stream: StreamModes,
        reply: oneshot::Sender<crate::drive::InvokedGraph>,
    },
    Suspend {
        task: String,
        snapshot: Vec<u8>,
    },
}

impl TaskContext {
    /// What the run shares.
    pub fn run(&self) -> &RunContext {
        &self.run
    }

    /// Which task this is.
    pub fn task(&self) -> &TaskInfo {
        &self.task
    }

    /// Makes a call to the outside, or gives its recorded result.
    pub async fn effect<F>(
        &self,
        request: EffectRequest,
        fire: impl FnOnce(Fire) -> F,
    ) -> Result<Value, Failure>
    where
        F: Future<Output = Result<Value, Failure>>,
    {
        self.effects.call(request, fire).await
    }

    /// The task's calls so far, for a function that is suspended.
    pub fn effects(&self) -> &TaskEffects {
        &self.effects
    }

    /// Shows and logs something that happened in this task.
    pub fn emit(&self, kind: EventKind, data: impl Into<Value>) {
        self.run.journal.emit(self.event(kind).with_data(data));
    }

    /// An event of this task, to add to before it is given to [`TaskContext::emit_event`].
    pub fn event(&self, kind: EventKind) -> Event {
        task_event(&self.task, kind)
    }

    /// Shows and logs an event.
    pub fn emit_event(&self, event: Event) {
        self.run.journal.emit(event);
    }

    /// A sign of life: the task's idle limit starts anew.
    pub fn progress(&self) {
        let _ = self.requests.send(TaskRequest::Progress(self.call));
    }

    /// Says that the answer comes from an earlier run, and what it cost there.
    pub(crate) fn reused(&self, cost: Value) {
        self.tell("cached", true.into());
        self.tell("cost", cost);
    }

    /// Says that calls of this task were answered by an earlier run, and what they cost there.
    pub(crate) fn spared(&self, cost: Value) {
        self.tell("spared", cost);
    }

    fn tell(&self, what: &'static str, value: Value) {
        let _ = self.requests.send(TaskRequest::Tell(self.call, what, value));
    }

    /// Runs a graph inside this task; with its chunks of the modes of `stream`. After
    /// [`Invoked::Interrupted`] and [`Invoked::Parent`] the call itself is over: return.
    pub async fn invoke(
        &self,
        ordinal: u32,
        graph: Graph<Value>,
        input: Value,
        stream: StreamModes,
    ) -> Result<(Invoked<Value>, Vec<Chunk<Value>>), Failure> {
        let (reply, answer) = oneshot::channel();
        let request = TaskRequest::Invoke { call: self.call, ordinal, graph, input, stream, reply };
        let gone = || Failure::new(FailureKind::Cancelled, "run_ended", "the run has ended");
        self.requests.send(request).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Keeps the suspended function with the question that the task ends with now.
    pub fn suspend(&self, snapshot: Vec<u8>) {
        let task = self.task.id.to_string();
        let _ = self.requests.send(TaskRequest::Suspend { task, snapshot });
    }

    /// The function as [`TaskContext::suspend`] left it, when this call answers its question.
    pub fn suspended(&self) -> Option<&[u8]> {
        self.suspended.as_ref()?.snapshot.as_deref()
    }
}

/// An event of a task.
pub(crate) fn task_event(task: &TaskInfo, kind: EventKind) -> Event {
    let mut event = Event::new(kind);
    event.step = Some(task.step);
    event.namespace = split_namespace(&task.namespace);
    event.node = Some(task.node.to_string());
    event.task = Some(task.id.to_string());
    event
}

/// `a:1|b:2` as its parts.
pub(crate) fn split_namespace(namespace: &str) -> Vec<String> {
    namespace.split('|').filter(|part| !part.is_empty()).map(String::from).collect()
}
