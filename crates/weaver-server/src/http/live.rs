//! [`Live`]: the events of the executions that this process drives, to those who watch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;
use weaver_core::Event;
use weaver_runtime::scheduler::Watcher;
use weaver_store::{ExecutionId, TenantId};

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

impl Watcher for Live {
    fn is_there(&self, tenant: TenantId, execution: ExecutionId) -> bool {
        let watched = self.0.lock().expect("nothing panics while it is held");
        watched.get(&(tenant, execution)).is_some_and(|sender| sender.receiver_count() > 0)
    }

    fn see(&self, tenant: TenantId, execution: ExecutionId, event: &Event) {
        let mut watched = self.0.lock().expect("nothing panics while it is held");
        let key = (tenant, execution);
        let Some(sender) = watched.get(&key) else { return };
        if sender.send(Arc::new(event.clone())).is_err() {
            watched.remove(&key);
        }
    }
}
