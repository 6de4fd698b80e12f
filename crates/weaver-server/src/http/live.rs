//! [`Live`]: the events of the executions that this process drives, to those who watch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;
use weaver_core::Event;
use weaver_runtime::scheduler::{Note, Watched, Watcher};
use weaver_store::{ExecutionId, TenantId};

use super::Meters;

/// Events that a watcher may be behind before it has to read the log again.
const BEHIND_MAX: usize = 1024;

type Key = (TenantId, ExecutionId);

/// Passes events on to those who watch an execution. What nobody watches is dropped
/// at once; the log is where to read what was missed.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<Key, broadcast::Sender<Arc<Event>>>>>);

impl Live {
    /// Events of an execution from now on.
    pub fn watch(
        &self,
        tenant: TenantId,
        execution: ExecutionId,
    ) -> broadcast::Receiver<Arc<Event>> {
        let mut watched = self.0.lock().expect("nothing panics while it is held");
        let sender =
            watched.entry((tenant, execution)).or_insert_with(|| broadcast::channel(BEHIND_MAX).0);
        sender.subscribe()
    }
}

impl Live {
    /// Forgets an execution that nobody watches any more: one that has ended shows nothing
    /// that would tell.
    pub fn leave(&self, key: (TenantId, ExecutionId)) {
        let mut watched = self.0.lock().expect("nothing panics while it is held");
        if watched.get(&key).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&key);
        }
    }

    /// How many streams are open.
    pub fn readers(&self) -> usize {
        let watched = self.0.lock().expect("nothing panics while it is held");
        watched.values().map(broadcast::Sender::receiver_count).sum()
    }

    fn has_readers(&self, key: Key) -> bool {
        let watched = self.0.lock().expect("nothing panics while it is held");
        watched.get(&key).is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Passes an event on to the open streams of an execution.
    pub fn show(&self, key: (TenantId, ExecutionId), event: &Event) {
        let mut watched = self.0.lock().expect("nothing panics while it is held");
        let Some(sender) = watched.get(&key) else { return };
        if sender.send(Arc::new(event.clone())).is_err() {
            watched.remove(&key);
        }
    }
}

/// Who sees what executions of this process do: those who watch, and the meters.
pub struct Watch {
    /// Those who watch.
    pub live: Live,
    /// What is counted.
    pub meters: Arc<Meters>,
}

impl Watcher for Watch {
    fn is_there(&self, watched: &Watched) -> bool {
        self.live.has_readers((watched.tenant, watched.execution))
    }

    fn see(&self, watched: &Watched, event: &Event) {
        self.meters.see(&watched.workflow, event);
        self.live.show((watched.tenant, watched.execution), event);
    }

    fn note(&self, note: Note) {
        self.meters.note(note);
    }
}
