//! The queue's operations, each in one transaction.

use std::sync::Arc;

use super::pool::Mode;
use super::queue_tx::PgRows;
use super::turns::{self, Turns};
use super::write::Written;
use super::{Database, Postgres};
use crate::backend::Pending;
use crate::queue::{Operation, Transact};
use crate::{Clock, Error, Priority, Result, Wakeups};

/// How often an operation is tried that others are in the way of.
const TRIES: usize = 3;

impl Transact for Postgres {
    fn transact<O: Operation>(&self, operation: O) -> Pending<'_, O::Output> {
        let Database { clock, turns, .. } = &*self.database;
        let arguments = (Arc::new(operation), clock.clone(), turns.clone());
        Box::pin(async move {
            let mut tries = 1;
            let (output, wake, claimed) = loop {
                match self.operate(arguments.clone()).await {
                    Err(Error::Busy { .. }) if tries < TRIES => tries += 1,
                    outcome => break outcome?,
                }
            };
            if wake {
                self.database.wakers.wake();
            }
            self.keep_turns(claimed);
            Ok(output)
        })
    }

    fn wakeups(&self) -> Wakeups {
        self.database.wakers.wakeups()
    }
}

/// What an operation gave, whether somebody should look at the queue, and the ranks
/// that were claimed.
type Operated<T> = (T, bool, Vec<(Arc<str>, Priority, i64)>);

impl Postgres {
    async fn operate<O: Operation>(
        &self,
        arguments: (Arc<O>, Clock, Turns),
    ) -> Result<Operated<O::Output>> {
        let mode = match (O::READS, O::FLUSHED) {
            _ if O::ALONE => Mode::Alone,
            (true, _) => Mode::Read,
            (false, true) => Mode::Write,
            (false, false) => Mode::WriteUnflushed,
        };
        let pool = &self.database.pool;
        pool.with_tx(self.tenant, mode, arguments, |tx, (operation, clock, turns)| {
            Box::pin(async move {
                let mut rows = PgRows::new(&tx.connection, clock, turns, O::READS);
                let output = operation.run(&mut rows).await?;
                let unwritten = rows.finish().await?;
                unwritten.run().await.into_iter().collect::<Written>()?;
                Ok((output, rows.wake, std::mem::take(&mut rows.claimed)))
            })
        })
        .await
    }

    /// Keeps the ranks claimed last, while what was claimed is under way already.
    fn keep_turns(&self, claimed: Vec<(Arc<str>, Priority, i64)>) {
        if claimed.is_empty() {
            return;
        }
        self.database.turns.note(&claimed);
        let (pool, tenant) = (self.database.pool.clone(), self.tenant);
        self.database.pool.spawn(async move {
            let kept = pool.with_tx(tenant, Mode::WriteUnflushed, claimed, |tx, claimed| {
                Box::pin(turns::keep(tx, claimed))
            });
            if let Err(error) = kept.await {
                tracing::warn!(%error, "the ranks claimed last are not kept");
            }
        });
    }
}
