//! [`Follower`]: runs functions on recorded calls, and notes where they leave the record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use weaver_core::Value;
use weaver_engine::{Answer, Call, CallKind, TaskId, TaskInfo};
use weaver_store::{Effect, EffectStatus, Lane, Store};

use super::recording::Recording;
use super::{Difference, DifferenceKind, ends_open};
use crate::effects::EffectRequest;
use crate::error::store_failure;
use crate::past::{Missing, Past, Served, name_of};
use crate::task::{Handler, TaskContext};

/// Runs functions on recorded calls.
pub(super) struct Follower(Arc<Inner>);

struct Inner {
    store: Store,
    handler: Arc<dyn Handler>,
    thread: Arc<str>,
    /// The tasks of each node.
    tasks: HashMap<Arc<str>, Vec<(Arc<str>, TaskId)>>,
    /// Results that were taken from earlier runs then: they are again.
    taken: HashMap<(Arc<str>, TaskId), Answer<Value>>,
    served: Arc<Mutex<Served>>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Calls that left the record, each once.
    missing: BTreeMap<(Arc<str>, TaskId, u32), Difference>,
    /// The recorded calls of the tasks that ran.
    ran: HashMap<TaskName, (TaskInfo, Vec<Effect>)>,
}

/// The namespace and the name of a task in the records.
type TaskName = (Arc<str>, Arc<str>);

impl Follower {
    pub fn new(store: Store, handler: Arc<dyn Handler>, recording: &Recording) -> Self {
        let mut tasks: HashMap<Arc<str>, Vec<(Arc<str>, TaskId)>> = HashMap::new();
        for ((namespace, task), node) in &recording.nodes {
            tasks.entry(node.clone()).or_default().push((namespace.clone(), *task));
        }
        Follower(Arc::new(Inner {
            store,
            handler,
            thread: recording.execution.thread.clone(),
            tasks,
            taken: recording.taken.clone(),
            served: Arc::default(),
            notes: Mutex::default(),
        }))
    }

    /// How many recorded calls were served, by kind.
    pub fn served(&self) -> BTreeMap<Arc<str>, u64> {
        self.0.served.lock().expect("nothing panics while it is held").kinds.clone()
    }

    /// Where the functions left the record: calls that are not in it, and recorded
    /// calls that were not made.
    pub fn differences(&self, recording: &Recording) -> Vec<Difference> {
        let notes = self.0.notes.lock().expect("nothing panics while it is held");
        let served = self.0.served.lock().expect("nothing panics while it is held");
        // The log of a run that was cut off, failed or waits may end before a call.
        let open = ends_open(recording.execution.status);
        let counts = |task: &(Arc<str>, TaskId)| !open || recording.settled.contains(task);
        let missing = notes.missing.iter().filter(|((namespace, task, _), _)| {
            let known = recording.nodes.contains_key(&(namespace.clone(), *task));
            !known || counts(&(namespace.clone(), *task))
        });
        let mut found: Vec<Difference> =
            missing.map(|(_, difference)| difference.clone()).collect();
        for (info, effects) in notes.ran.values() {
            if !counts(&(info.namespace.clone(), info.id)) {
                continue;
            }
            let left = effects.iter().filter(|effect| {
                effect.status == EffectStatus::Done && !served.calls.contains(&name_of(effect))
            });
            found.extend(left.map(|effect| Difference {
                kind: DifferenceKind::CallNotMade(effect.kind.to_string()),
                namespace: info.namespace.clone(),
                step: info.step,
                node: Some(info.node.clone()),
                recorded: result_of(effect),
                now: Value::Null,
            }));
        }
        // A call that asks something else leaves its old place unmade: one is enough.
        let changed: Vec<_> = found
            .iter()
            .filter(|difference| matches!(difference.kind, DifferenceKind::CallChanged(_)))
            .map(|difference| difference.recorded.clone())
            .collect();
        found.retain(|difference| {
            !matches!(difference.kind, DifferenceKind::CallNotMade(_))
                || !changed.contains(&difference.recorded)
        });
        found
    }
}

impl Handler for Follower {
    fn call(&self, call: Call<Value>, context: TaskContext) -> BoxFuture<'static, Answer<Value>> {
        let inner = self.0.clone();
        async move {
            let task = (call.task.namespace.clone(), call.task.id);
            if let (CallKind::Node, Some(taken)) = (call.kind, inner.taken.get(&task)) {
                return taken.clone();
            }
            match inner.clone().past(context.task(), &context.effects.name()).await {
                Ok(past) => context.effects.follow(past),
                Err(error) => return Answer::Failed(store_failure(error)),
            }
            inner.handler.call(call, context).await
        }
        .boxed()
    }
}

impl Inner {
    /// What the log holds of a task, and of others of its node.
    async fn past(
        self: Arc<Self>,
        task: &TaskInfo,
        (lane, name): &(Lane, Arc<str>),
    ) -> weaver_store::Result<Past> {
        let own = self.store.effects(lane.clone(), name.clone()).await?;
        let mut others = Vec::new();
        for (namespace, id) in self.tasks.get(&task.node).into_iter().flatten() {
            if (namespace, *id) != (&lane.namespace, task.id) {
                let lane = Lane::new(self.thread.clone(), namespace.clone());
                others.extend(self.store.effects(lane, id.to_string().into()).await?);
            }
        }
        let key = (lane.namespace.clone(), name.clone());
        let noted = (task.clone(), own.clone());
        self.notes.lock().expect("nothing panics while it is held").ran.insert(key, noted);
        let served = self.served.clone();
        let missing = self.missing(task.clone());
        Ok(Past { own, others, served, missing: Some(missing) })
    }

    fn missing(self: Arc<Self>, task: TaskInfo) -> Missing {
        Arc::new(move |ordinal: u32, request: &EffectRequest, stood: Option<&Effect>| {
            let stood = stood.filter(|effect| &*effect.kind == request.kind);
            let kind = request.kind.to_string();
            let difference = Difference {
                kind: match stood {
                    Some(_) => DifferenceKind::CallChanged(kind),
                    None => DifferenceKind::CallNotRecorded(kind),
                },
                namespace: task.namespace.clone(),
                step: task.step,
                node: Some(task.node.clone()),
                recorded: stood.map(result_of).unwrap_or_default(),
                now: request.request.clone(),
            };
            let mut notes = self.notes.lock().expect("nothing panics while it is held");
            notes.missing.insert((task.namespace.clone(), task.id, ordinal), difference);
        })
    }
}

fn result_of(effect: &Effect) -> Value {
    serde_json::from_slice(&effect.result).unwrap_or_default()
}
