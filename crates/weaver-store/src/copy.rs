//! [`copy`]: everything that a store holds, into another of any kind.

use std::collections::VecDeque;

use crate::batch::{Batch, Record};
use crate::query::ExecutionQuery;
use crate::{Error, Records, Result, Store, TenantId, Ticket, Work, WorkKey};

/// How a copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many records of so many tenants are written.
    Written {
        /// Tenants so far, this one included.
        tenants: u64,
        /// Records so far.
        records: u64,
    },
    /// So many records were read from both and are the same.
    Verified {
        /// Tenants so far, this one included.
        tenants: u64,
        /// Records so far.
        records: u64,
    },
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Tenants.
    pub tenants: u64,
    /// Records, each written, read back and compared.
    pub records: u64,
}

/// A batch is handed over when it has so many records or bytes.
const BATCH_RECORDS: usize = 200;
const BATCH_BYTES: usize = 1024 * 1024;

/// So many batches are on their way before the first is waited for.
const ON_THE_WAY: usize = 8;

/// Copies all tenants of a store into another, which must be empty, and then reads
/// both and compares them record by record, the hash chains and the queue included. Nobody may
/// write to either meanwhile. Leases are not copied: whoever drives an execution
/// takes it anew.
///
/// After an error the other store holds a part and is of no use.
pub async fn copy(from: &Store, to: &Store, mut progress: impl FnMut(Progress)) -> Result<Copied> {
    for tenant in to.tenants().await? {
        if to.for_tenant(tenant).export().recv().await.transpose()?.is_some() {
            return Err(Error::Conflict("the store to copy to is not empty".into()));
        }
    }
    let tenants = from.tenants().await?;
    let mut written = Copied::default();
    for tenant in &tenants {
        written.tenants += 1;
        let (from, to) = (from.for_tenant(*tenant), to.for_tenant(*tenant));
        let mut count = |records| {
            written.records += records;
            let Copied { tenants, records } = written;
            progress(Progress::Written { tenants, records });
        };
        write(from.export(), &to, &mut count).await?;
        write_queue(&from, &to, &mut count).await?;
    }
    let mut verified = Copied::default();
    for tenant in tenants {
        verified.tenants += 1;
        compare(from, to, tenant, |records| {
            verified.records += records;
            let Copied { tenants, records } = verified;
            progress(Progress::Verified { tenants, records });
        })
        .await?;
    }
    match written == verified {
        true => Ok(verified),
        false => Err(different(format!("{written:?} were written, {verified:?} are there"))),
    }
}

/// Copies what waits in the queue, and what stands beside it.
async fn write_queue(from: &Store, to: &Store, mut count: impl FnMut(u64)) -> Result<()> {
    let mut next = Some(None);
    while let Some(after) = next {
        let records = from.queue().kept(from.tenant(), after).await?;
        next = last_row(&records).map(Some);
        if !records.is_empty() {
            let written = records.len() as u64;
            to.append(Batch { records, ..Batch::standalone() }).await?;
            count(written);
        }
    }
    Ok(())
}

/// Where the next page of a queue begins, if this was not the last one.
fn last_row(page: &[Record]) -> Option<WorkKey> {
    match page.last() {
        Some(Record::Work(Work::Restore(kept))) => kept.row().cloned(),
        _ => None,
    }
}

/// Reads both queues, side by side.
async fn compare_queues(from: &Store, to: &Store, mut count: impl FnMut(u64)) -> Result<()> {
    let mut next = Some(None);
    while let Some(after) = next {
        let original: Vec<Record> = from.queue().kept(from.tenant(), after.clone()).await?;
        if to.queue().kept(to.tenant(), after).await? != original {
            return Err(different("the queue".into()));
        }
        count(original.len() as u64);
        next = last_row(&original).map(Some);
    }
    Ok(())
}

async fn write(mut records: Records, to: &Store, mut count: impl FnMut(u64)) -> Result<()> {
    let mut on_the_way: VecDeque<(u64, Ticket)> = VecDeque::new();
    let mut batch = Batch::standalone();
    loop {
        let record = records.recv().await.transpose()?;
        let is_last = record.is_none();
        batch.records.extend(record);
        if is_last || batch.records.len() >= BATCH_RECORDS || batch.size() >= BATCH_BYTES {
            let batch = std::mem::take(&mut batch);
            on_the_way.push_back((batch.records.len() as u64, to.append(batch)));
        }
        while on_the_way.len() > if is_last { 0 } else { ON_THE_WAY } {
            if let Some((records, ticket)) = on_the_way.pop_front() {
                ticket.await?;
                count(records);
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Reads a tenant's records from both, side by side.
async fn compare(
    from: &Store,
    to: &Store,
    tenant: TenantId,
    mut count: impl FnMut(u64),
) -> Result<()> {
    let (from, to) = (from.for_tenant(tenant), to.for_tenant(tenant));
    let (mut originals, mut copies) = (from.export(), to.export());
    let mut compared = 0;
    loop {
        let original = originals.recv().await.transpose()?;
        let copy = copies.recv().await.transpose()?;
        if original != copy {
            return Err(different(match (original, copy) {
                (Some(original), None) => format!("{} is missing", name(&original)),
                (None, Some(copy)) => format!("{} is there and was not", name(&copy)),
                (Some(original), Some(copy)) => {
                    format!("{} is {}, or another", name(&original), name(&copy))
                }
                (None, None) => unreachable!("they are equal"),
            }));
        }
        match original {
            Some(_) => compared += 1,
            None => break,
        }
        if compared % BATCH_RECORDS as u64 == 0 {
            count(BATCH_RECORDS as u64);
        }
    }
    count(compared % BATCH_RECORDS as u64);
    compare_heads(&from, &to).await?;
    compare_queues(&from, &to, count).await
}

/// Compares the hashes at the ends of all logs, which cover every entry.
async fn compare_heads(from: &Store, to: &Store) -> Result<()> {
    let mut query = ExecutionQuery::default();
    loop {
        let page = from.executions(query.clone()).await?;
        for execution in &page {
            if from.head(execution.id).await? != to.head(execution.id).await? {
                return Err(different(format!("the log of execution {}", execution.id)));
            }
        }
        match page.last() {
            Some(last) => query.before = Some(last.id),
            None => return Ok(()),
        }
    }
}

fn different(what: String) -> Error {
    Error::Corrupt { path: "the copy".into(), detail: what }
}

/// What a message calls a record.
fn name(record: &Record) -> String {
    match record {
        Record::Version(version) => format!("version {}", version.hash),
        Record::Execution(execution) => format!("execution {}", execution.id),
        Record::Entry(entry) => format!("entry {} of {}", entry.sequence, entry.execution),
        Record::Checkpoint(checkpoint) => {
            format!("checkpoint {} in {}", checkpoint.id, checkpoint.lane)
        }
        Record::PendingWrite(write) => {
            format!("a write of task `{}` in {}", write.task, write.lane)
        }
        Record::Effect(effect) => {
            format!("effect {} of task `{}` in {}", effect.ordinal, effect.task, effect.lane)
        }
        Record::Interrupt(interrupt) => {
            format!("interrupt `{}` in {}", interrupt.id, interrupt.lane)
        }
        Record::Item(item) => format!("memory {:?}", item.key),
        Record::Cache(entry) => format!("cache entry {}", entry.key),
        _ => "a record".into(),
    }
}
