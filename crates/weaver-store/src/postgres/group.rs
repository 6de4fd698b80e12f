//! One group of batches in one transaction, and what a writer's connection goes
//! through: it is lost and made again, and a commit's answer may never come.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::PostgresOptions;
use super::connection::Connection;
use super::dsn::Dsn;
use super::fault::{Fault, commit_fault};
use super::load::{self, Guard, Known, Locked, Wanted};
use super::pipeline::{Pipeline, both};
use super::plan::{Plan, Stage};
use super::pool::{Mode, begin, connect_patiently, set_tenant};
use super::queue_tx::{self, Needed, PgRows, lock_queue};
use super::turns::Turns;
use super::wakers::Wakers;
use super::write::{self, Written};
use super::writer::Append;
use crate::batch::Record;
use crate::queue;
use crate::record::{Checkpoint, Entry};
use crate::{Batch, Clock, Error, ExecutionId, Result, TenantId, crash, crash_point};

/// A writer's connection and what it remembers.
pub(super) struct Session {
    dsn: Dsn,
    options: PostgresOptions,
    turns: Turns,
    connection: Option<Connection>,
    known: HashMap<TenantId, Known>,
    /// The marks of connections that were asked for a commit and never answered.
    unanswered: Vec<i64>,
    wakeups: Arc<Wakers>,
}

/// How much is remembered between transactions.
const REMEMBERED_MAX: usize = 16 * 1024;

/// How often a group is tried on what may be a passing trouble: a circle of waiting
/// that the server broke, a connection that was lost before anything was asked to
/// be final.
const TRIES: usize = 3;

/// Between two looks at a transaction that is still under way.
const PAUSE: Duration = Duration::from_millis(20);

type Batches<'a> = BTreeMap<TenantId, Vec<&'a Batch>>;
type Stages<'a> = Vec<(TenantId, Vec<Stage<'a>>)>;

impl Session {
    pub(super) fn new(
        dsn: Dsn,
        options: PostgresOptions,
        wakeups: Arc<Wakers>,
        turns: Turns,
    ) -> Self {
        let (known, unanswered) = (HashMap::new(), Vec::new());
        Session { dsn, options, turns, connection: None, known, unanswered, wakeups }
    }

    /// Writes all batches of a group or none of them.
    pub(super) async fn write(&mut self, group: &[Append]) -> Result<()> {
        let mut batches = Batches::new();
        for append in group.iter().filter(|append| !append.batch.is_empty()) {
            batches.entry(append.tenant).or_default().push(&append.batch);
        }
        if batches.is_empty() {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let remembered = !self.known.is_empty();
            let Err(fault) = self.attempt(&batches).await else { return Ok(()) };
            self.known.clear();
            let is_lost = fault.is_lost();
            let is_overtaken = fault.duplicate().is_some_and(|table| table.starts_with("entries"));
            let error = match fault.duplicate() {
                Some(table) => Error::Conflict(exists_already(table, &batches)),
                None => fault.into_error(&self.dsn.server()),
            };
            // What was remembered may have been wrong: somebody else may write too.
            let again = is_lost
                || matches!(error, Error::Busy { .. }) && batches.values().flatten().count() == 1
                || error.is_of_batch() && remembered
                || is_overtaken && tries == 1;
            if !again || tries == TRIES {
                return Err(error);
            }
        }
    }

    /// Waits until no transaction of this writer is under way any more, so that
    /// what is read from now on is final.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let connection = self.connect().await;
        let connection = connection.map_err(|fault| fault.into_error(&self.dsn.server()))?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn attempt(&mut self, batches: &Batches<'_>) -> Result<(), Fault> {
        if self.known.values().map(Known::len).sum::<usize>() > REMEMBERED_MAX {
            self.known.clear();
        }
        let connection = self.connect().await?;
        let mut committing = false;
        let result = self.transaction(&connection, batches, &mut committing).await;
        match (&result, committing) {
            (Ok(()), _) => self.connection = Some(connection),
            (Err(Fault::Store(Error::UnknownCommit { .. })), true) => {
                self.unanswered.push(connection.mark);
            }
            (Err(fault), _) => {
                if !fault.is_lost() && connection.batch("ROLLBACK").await.is_ok() {
                    self.connection = Some(connection);
                }
            }
        }
        result
    }

    /// Sets `committing` once the commit is asked for.
    async fn transaction(
        &mut self,
        connection: &Connection,
        batches: &Batches<'_>,
        committing: &mut bool,
    ) -> Result<(), Fault> {
        let mut wanted = Vec::with_capacity(batches.len());
        for (tenant, batches) in batches {
            wanted.push((*tenant, Wanted::of(batches, self.known.entry(*tenant).or_default())));
        }
        let changes = QueueChanges::of(batches);
        // What changes the queue takes its lock before those of executions.
        let guards: Option<Vec<Guard>> = match changes.is_empty() {
            true => {
                let guard = |(tenant, wanted): &(TenantId, Wanted<'_>)| {
                    wanted.guard(self.known.get(tenant)?)
                };
                wanted.iter().map(guard).collect()
            }
            false => None,
        };
        let (locked, needed) = match guards {
            Some(_) => (wanted.iter().map(|_| Locked::default()).collect(), Vec::new()),
            None => self.load(connection, &changes, &wanted).await?,
        };
        let stages = self.plan(batches, locked)?;
        let all = || stages.iter().flat_map(|(_, stages)| stages);
        changes.forget(connection, &self.options.clock, &self.turns).await?;
        let rare: Vec<_> = all().flat_map(Stage::rare_statements).collect();
        connection.prepare(&rare).await?;
        let alone = guards.is_none() && batches.len() == 1 && changes.forgotten.is_empty();
        let mut acting = batches.keys().next().copied().filter(|_| alone);
        let mut pipeline = written(connection, &stages, guards.as_deref(), &mut acting);
        // Asking for the commit at once saves a round trip: after a failed statement
        // it rolls back. A crash point wants to be between the two.
        let mut apart = crash::is_armed();
        if apart || all().any(Stage::must_be_seen) {
            first_failure(pipeline.run_apart_if_armed().await)?;
            pipeline = Pipeline::new();
            apart = true;
        }
        let mut wake = false;
        if !changes.works.is_empty() {
            let PostgresOptions { clock, .. } = &self.options;
            let rows = PgRows::new(connection, clock, &self.turns, false);
            let mut rows = rows.behind(pipeline, acting, changes.begun.clone());
            changes.apply(&mut rows, needed).await?;
            pipeline = rows.finish().await?;
            wake = rows.wake;
        }
        if apart {
            first_failure(pipeline.run().await)?;
            pipeline = Pipeline::new();
            crash_point!("during_commit");
        }
        *committing = true;
        pipeline.push(connection.batch("COMMIT"));
        first_failure(pipeline.run().await).map_err(commit_fault)?;
        if wake {
            self.wakeups.wake();
        }
        Ok(())
    }

    /// Begins the transaction, locks and loads, in one round trip unless somebody else
    /// has had the executions.
    async fn load(
        &mut self,
        connection: &Connection,
        changes: &QueueChanges<'_>,
        wanted: &[(TenantId, Wanted<'_>)],
    ) -> Result<(Vec<Locked>, Vec<(TenantId, Needed)>), Fault> {
        let mut pipeline = Pipeline::new();
        for (i, (tenant, wanted)) in wanted.iter().enumerate() {
            let mut start = match i {
                0 => begin(*tenant, Mode::Write),
                _ => set_tenant(*tenant),
            };
            // The queue before executions: whoever has it may wait for them.
            let queue = changes.locks(*tenant).then(|| lock_queue(*tenant));
            for lock in queue.into_iter().chain(wanted.keep_apart(*tenant)) {
                start = format!("{start}; {lock}");
            }
            pipeline.push(async move {
                let locked = wanted.lock(connection, *tenant);
                let asked = both(locked, changes.needed(connection, *tenant));
                let (started, (locked, needed)) = both(connection.batch(&start), asked).await;
                started?;
                Ok::<_, Fault>((locked?, needed?))
            });
        }
        let loaded = pipeline.run().await;
        let (mut found, mut all_needed) = (Vec::with_capacity(wanted.len()), Vec::new());
        for ((tenant, wanted), loaded) in wanted.iter().zip(loaded) {
            let (mut locked, needed): (Locked, Option<Needed>) = loaded?;
            wanted.reconcile(&mut locked, self.known.entry(*tenant).or_default());
            found.push(locked);
            all_needed.extend(needed.map(|needed| (*tenant, needed)));
        }
        Ok((found, all_needed))
    }

    /// Looks at all batches, and gives what is to be written.
    fn plan<'a>(
        &mut self,
        batches: &Batches<'a>,
        locked: Vec<Locked>,
    ) -> Result<Stages<'a>, Fault> {
        let mut stages = Vec::with_capacity(batches.len());
        for ((tenant, batches), locked) in batches.iter().zip(locked) {
            let mut plan = Plan::new(self.known.entry(*tenant).or_default(), locked);
            batches.iter().try_for_each(|batch| plan.batch(batch))?;
            stages.push((*tenant, plan.finish()));
        }
        Ok(stages)
    }

    /// The connection, made again if it was lost. Patient with a server that starts
    /// again, and with a transaction that is still under way there.
    async fn connect(&mut self) -> Result<Connection, Fault> {
        match self.connection.take() {
            Some(connection) if !connection.client.is_closed() => return Ok(connection),
            _ => {}
        }
        let connection = connect_patiently(&self.dsn, &self.options).await?;
        connection.prepare(&write::ALL).await?;
        connection.prepare(&load::ALL).await?;
        connection.prepare(&queue_tx::NEEDED).await?;
        let give_up = Instant::now() + self.options.patience;
        while let Some(mark) = self.unanswered.last() {
            if !is_marked(&connection, *mark).await? {
                self.unanswered.pop();
            } else if Instant::now() < give_up {
                sleep(PAUSE).await;
            } else {
                let reason = "a commit that was cut off is still under way".into();
                return Err(Error::Busy { server: self.dsn.server(), reason }.into());
            }
        }
        Ok(connection)
    }
}

/// The statements of all stages; behind the beginning of the transaction and locks on what
/// is known, where nothing was loaded in it. `acting` is as whom the session acts, if that is
/// certain.
fn written<'a>(
    connection: &'a Connection,
    stages: &'a Stages<'a>,
    guards: Option<&'a [Guard]>,
    acting: &mut Option<TenantId>,
) -> Pipeline<'a, Written> {
    let mut pipeline = Pipeline::new();
    for (i, (tenant, stages)) in stages.iter().enumerate() {
        let begins = i == 0 && guards.is_some();
        if begins || *acting != Some(*tenant) {
            let start = if begins { begin(*tenant, Mode::Write) } else { set_tenant(*tenant) };
            pipeline.push(async move { connection.batch(&start).await });
            *acting = Some(*tenant);
        }
        if let Some(guards) = guards {
            pipeline.push(guards[i].lock(connection, *tenant));
        }
        for stage in stages {
            write::stage(connection, *tenant, stage, &mut pipeline);
        }
    }
    pipeline
}

/// What the batches of a group change in the queue, by tenant. It is done behind
/// everything else that they write, where it sees all of that.
struct QueueChanges<'a> {
    begun: HashSet<(TenantId, ExecutionId)>,
    works: Vec<(TenantId, &'a crate::Work)>,
    forgotten: Vec<(TenantId, &'a str)>,
}

impl<'a> QueueChanges<'a> {
    fn of(batches: &Batches<'a>) -> Self {
        let (mut begun, mut works, mut forgotten) = (HashSet::new(), Vec::new(), Vec::new());
        for (tenant, batches) in batches {
            for record in batches.iter().flat_map(|batch| &batch.records) {
                match record {
                    Record::Execution(execution) => drop(begun.insert((*tenant, execution.id))),
                    Record::Work(work) => works.push((*tenant, work)),
                    Record::ForgetThread(thread) => forgotten.push((*tenant, &**thread)),
                    _ => {}
                }
            }
        }
        QueueChanges { begun, works, forgotten }
    }

    fn is_empty(&self) -> bool {
        self.works.is_empty() && self.forgotten.is_empty()
    }

    /// Whether something of a tenant's queue changes.
    fn locks(&self, of: TenantId) -> bool {
        self.works.iter().any(|(tenant, _)| *tenant == of)
            || self.forgotten.iter().any(|(tenant, _)| *tenant == of)
    }

    /// Reads what the changes of a tenant's queue need, behind its lock. Nothing where
    /// threads leave the queue before them.
    async fn needed(
        &self,
        connection: &Connection,
        tenant: TenantId,
    ) -> Result<Option<Needed>, Fault> {
        if !self.locks(tenant) || !self.forgotten.is_empty() {
            return Ok(None);
        }
        let works = self.works.iter().filter(|(of, _)| *of == tenant);
        let mut executions: Vec<_> = works
            .filter_map(|(_, work)| work.execution())
            .filter(|execution| !self.begun.contains(&(tenant, *execution)))
            .map(|execution| execution.0)
            .collect();
        executions.sort_unstable();
        executions.dedup();
        queue_tx::needed(connection, tenant, executions).await.map(Some)
    }

    /// Takes threads out of the queue while their executions are still there.
    async fn forget(
        &self,
        connection: &Connection,
        clock: &Clock,
        turns: &Turns,
    ) -> Result<(), Fault> {
        if self.forgotten.is_empty() {
            return Ok(());
        }
        let mut rows = PgRows::new(connection, clock, turns, false);
        for (tenant, thread) in &self.forgotten {
            queue::forget_thread(&mut rows, *tenant, thread).await?;
        }
        first_failure(rows.finish().await?.run().await)
    }

    async fn apply(
        &self,
        rows: &mut PgRows<'_>,
        needed: Vec<(TenantId, Needed)>,
    ) -> Result<(), Fault> {
        needed.into_iter().for_each(|(tenant, needed)| rows.know(tenant, needed));
        for (tenant, work) in &self.works {
            queue::apply(rows, *tenant, work).await?;
        }
        Ok(())
    }
}

/// What to say of a key that is there already; exact when it is about one batch.
fn exists_already(table: &str, batches: &Batches<'_>) -> String {
    let records = batches.values().flatten().flat_map(|batch| &batch.records);
    let named = records.filter_map(|record| match (table, record) {
        ("checkpoints", Record::Checkpoint(Checkpoint { id, lane, .. })) => {
            Some(format!("checkpoint {id} exists already in {lane}"))
        }
        ("executions", Record::Execution(execution)) => {
            Some(format!("execution {} exists already", execution.id))
        }
        (_, Record::Entry(entry)) if table.starts_with("entries") => {
            let Entry { sequence, execution, .. } = entry;
            Some(format!("entry {sequence} of execution {execution} exists already"))
        }
        _ => None,
    });
    let named: Vec<_> = named.take(3).collect();
    match named.is_empty() {
        true => format!("a row of `{table}` exists already"),
        false => named.join(", or "),
    }
}

/// Whether the server still has a session with this mark, which may be at work.
async fn is_marked(connection: &Connection, mark: i64) -> Result<bool, Fault> {
    let sql = "SELECT pg_try_advisory_lock($1)";
    let is_free: bool = connection.client.query_one(sql, &[&mark]).await?.try_get(0)?;
    if is_free {
        connection.client.query_one("SELECT pg_advisory_unlock($1)", &[&mark]).await?;
    }
    Ok(!is_free)
}

/// The first failure is the cause: those behind it only say that there was one.
fn first_failure(results: Vec<Written>) -> Written {
    results.into_iter().collect()
}
