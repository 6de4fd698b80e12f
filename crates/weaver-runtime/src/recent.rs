//! [`Recent`]: the states in which runs of this process left their threads.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use weaver_core::Value;
use weaver_engine::CheckpointState;
use weaver_engine::checkpoint::Stored;
use weaver_store::{CheckpointId, Lane, SnapshotMeter, Store};

use crate::codec;
use crate::error::Error;

/// Remembers where threads stand, so that the next turn of a conversation does not
/// read all of it again.
///
/// The log decides: what is remembered counts only while it is the thread's latest
/// checkpoint there. Checkpoints never change, and one is remembered only when it is
/// in the log, so another process may have gone on with the thread at any time.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Inner>);

/// Together at most, in bytes as [`Value::approximate_size`] counts them.
const BYTES_MAX: usize = 16 << 20;
/// One larger than this is read again, so that it does not push out all others.
const THREAD_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Default)]
struct Inner {
    threads: HashMap<Key, Left>,
    /// Longest unused first.
    order: VecDeque<Key>,
    bytes: usize,
}

/// Tenant and thread.
type Key = (Arc<str>, Arc<str>);

#[derive(Clone, Debug)]
struct Left {
    state: CheckpointState<Value>,
    meter: SnapshotMeter,
    bytes: usize,
}

impl Recent {
    /// The state of a thread's root graph, if it is remembered and still the latest:
    /// `latest` is the checkpoint that the log ends with, where that is known.
    pub(crate) async fn take(
        &self,
        store: &Store,
        tenant: &Arc<str>,
        thread: &Arc<str>,
        latest: Option<CheckpointId>,
    ) -> Result<Option<(CheckpointState<Value>, SnapshotMeter)>, Error> {
        // Taken out: a run that goes on alone with the state changes its lists in place.
        let Some(left) = self.lock().remove(&(tenant.clone(), thread.clone())) else {
            return Ok(None);
        };
        let latest = match latest {
            Some(id) => Some(id),
            None => store.checkpoint(Lane::root(thread.clone()), None).await?.map(|info| info.id),
        };
        let is_latest = latest.is_some_and(|id| codec::engine_id(id) == left.state.id);
        Ok(is_latest.then_some((left.state, left.meter)))
    }

    /// Remembers the state at a checkpoint that is in the log.
    pub(crate) fn put(
        &self,
        tenant: &Arc<str>,
        thread: &Arc<str>,
        state: CheckpointState<Value>,
        meter: SnapshotMeter,
    ) {
        let bytes = size(&state);
        if bytes <= THREAD_BYTES_MAX {
            self.lock().insert((tenant.clone(), thread.clone()), Left { state, meter, bytes });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn insert(&mut self, key: Key, left: Left) {
        self.remove(&key);
        self.bytes += left.bytes;
        self.order.push_back(key.clone());
        self.threads.insert(key, left);
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Left> {
        let left = self.forget(key)?;
        self.order.retain(|other| other != key);
        Some(left)
    }

    fn forget(&mut self, key: &Key) -> Option<Left> {
        let left = self.threads.remove(key)?;
        self.bytes -= left.bytes;
        Some(left)
    }
}

fn size(state: &CheckpointState<Value>) -> usize {
    let stored = state.channels.values().filter_map(|channel| channel.stored.as_ref());
    let values = stored.filter_map(|stored| match stored {
        Stored::Value(value) => Some(value),
        _ => None,
    });
    values.map(Value::approximate_size).sum()
}
