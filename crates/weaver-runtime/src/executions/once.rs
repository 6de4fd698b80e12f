//! Changes that take effect once under a caller's key.

use weaver_core::Hash;
use weaver_store::{Batch, Idempotency, IdempotencyKey, Record};

use super::{Executions, Refused};
use crate::journal::now;

/// A request that takes effect once: the same again gets the first answer.
#[derive(Clone, Debug)]
pub struct Once {
    /// The caller's key, within the route.
    pub key: IdempotencyKey,
    /// Hash of the request's body.
    pub body: Hash,
}

impl Executions {
    /// The same executions, one change of which takes effect once.
    pub fn under(&self, once: Option<Once>) -> Self {
        Executions { once, ..self.clone() }
    }

    /// Whether the change was made before, under the same key.
    pub(super) async fn was_done(&self) -> Result<bool, Refused> {
        let Some(once) = &self.once else { return Ok(false) };
        match self.store.idempotency(once.key.clone()).await? {
            None => Ok(false),
            Some(first) if first.body == once.body => Ok(true),
            Some(_) => Err(Refused::KeyReused),
        }
    }

    /// What goes to the log with the change.
    pub(super) fn idempotency(&self) -> Option<Idempotency> {
        let Once { key, body } = self.once.clone()?;
        Some(Idempotency { key, body, answer: Vec::new(), time: now() })
    }

    /// Makes a change, unless it was made before.
    pub(super) async fn change(&self, mut batch: Batch) -> Result<(), Refused> {
        let once = self.idempotency();
        batch.records.splice(0..0, once.clone().map(Record::Idempotency));
        self.store.append_once(batch, once.as_ref()).await?;
        Ok(())
    }
}
