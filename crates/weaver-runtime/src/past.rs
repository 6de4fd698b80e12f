//! [`Past`]: what an earlier execution recorded of a task, to answer the calls of
//! a task that does the same again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use weaver_core::{Failure, FailureKind, Hash, Value};
use weaver_store::{Effect, EffectStatus};

use crate::effects::EffectRequest;

/// The recorded calls of one task, and what becomes of a call that is not among them.
#[derive(Clone)]
pub(crate) struct Past {
    /// The calls of this very task.
    pub own: Vec<Effect>,
    /// Of other tasks of the same node, for one that comes at another step now.
    pub others: Vec<Effect>,
    /// Which calls were served, over all tasks.
    pub served: Arc<Mutex<Served>>,
    /// Where a call that is not recorded is noted, and not fired. Without, it is fired.
    pub missing: Option<Missing>,
}

/// Is told the position of a call, what is asked, and the call that stands in its
/// place in the log.
pub(crate) type Missing = Arc<dyn Fn(u32, &EffectRequest, Option<&Effect>) + Send + Sync>;

/// Names a recorded call: namespace, task, ordinal.
pub(crate) type CallName = (Arc<str>, Arc<str>, u32);

/// Which recorded calls were served.
#[derive(Default)]
pub(crate) struct Served {
    pub calls: HashSet<CallName>,
    /// How many of each kind, `model`, `tool` and so on.
    pub kinds: std::collections::BTreeMap<Arc<str>, u64>,
}

/// How a call is answered.
pub(crate) enum Answered {
    /// Not at all: fire it.
    Fire,
    /// With this result.
    Done(Value),
    /// It failed then.
    Failed(Failure),
    /// It was announced, and its outcome is not known.
    Unknown,
}

pub(crate) fn name_of(effect: &Effect) -> CallName {
    (effect.lane.namespace.clone(), effect.task.clone(), effect.ordinal)
}

impl Past {
    /// Whether a call that is not recorded fails.
    pub fn is_strict(&self) -> bool {
        self.missing.is_some()
    }

    /// Answers a call by its place in the task; else by what it asks, for calls that
    /// were made side by side or have moved.
    pub fn answer(&mut self, ordinal: u32, request: &EffectRequest, hash: Hash) -> Answered {
        let served = &mut *self.served.lock().expect("nothing panics while it is held");
        let asks = |effect: &&Effect| effect.request == hash && &*effect.kind == request.kind;
        let at = |effect: &&Effect| effect.ordinal == ordinal;
        let free = |effect: &&Effect| !served.calls.contains(&name_of(effect));
        let found = self
            .own
            .iter()
            .filter(asks)
            .find(at)
            .or_else(|| self.own.iter().filter(asks).find(free))
            .or_else(|| self.others.iter().filter(asks).find(free));
        if let Some(effect) = found {
            if served.calls.insert(name_of(effect)) {
                *served.kinds.entry(effect.kind.clone()).or_default() += 1;
            }
            if let Some(answered) = answered(effect) {
                return answered;
            }
        }
        let Some(missing) = &self.missing else { return Answered::Fire };
        missing(ordinal, request, self.own.iter().find(at));
        Answered::Failed(not_recorded(request))
    }
}

fn answered(effect: &Effect) -> Option<Answered> {
    Some(match effect.status {
        EffectStatus::Done => Answered::Done(serde_json::from_slice(&effect.result).ok()?),
        EffectStatus::Failed => Answered::Failed(serde_json::from_slice(&effect.result).ok()?),
        EffectStatus::Intent => Answered::Unknown,
    })
}

fn not_recorded(request: &EffectRequest) -> Failure {
    let message = format!("a replay fires nothing, and this {} call is not recorded", request.kind);
    Failure::new(FailureKind::Internal, "replay_diverged", message)
}
