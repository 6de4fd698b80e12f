//! The statements of a stage, each of many rows.

use tokio_postgres::types::ToSql;
use uuid::Uuid;
use weaver_core::Timestamp;

use super::connection::Connection;
use super::fault::Fault;
use super::pipeline::{Pipeline, both};
use super::plan::{Side, Stage};
use super::side;
use super::value::{Stored, Time};
use crate::record::{State, Totals};
use crate::{Error, Lane, TenantId, crash_point};

/// What a statement did.
pub(super) type Written = Result<(), Fault>;

/// Adds the statements of a stage to what is on its way.
pub(super) fn stage<'a>(
    connection: &'a Connection,
    tenant: TenantId,
    stage: &'a Stage<'a>,
    pipeline: &mut Pipeline<'a, Written>,
) {
    let to = To { connection, tenant };
    // Each table's rows in the order of their keys where two writers may write the
    // same one, and the tables always in this order: so nobody waits in a circle.
    if !stage.blobs.is_empty() {
        pipeline.push(blobs(to, stage));
    }
    if !stage.versions.is_empty() || !stage.executions.is_empty() {
        pipeline.push(begin(to, stage));
    }
    if !stage.changes.is_empty() || !stage.packs.is_empty() || !stage.checkpoints.is_empty() {
        pipeline.push(step(to, stage));
    }
    if !stage.leases.is_empty() {
        pipeline.push(leases(to, stage));
    }
    if !stage.entry_blobs.is_empty() {
        pipeline.push(entry_blobs(to, stage));
    }
    if !stage.drops.is_empty() {
        pipeline.push(drops(to, stage));
    }
    if !stage.pending.is_empty() {
        pipeline.push(pending(to, stage));
    }
    if !stage.effects.is_empty() {
        pipeline.push(effects(to, stage));
    }
    stage.sides.iter().for_each(|side| pipeline.push(side::write(to, side)));
    if let Some(thread) = stage.forgets {
        for sql in FORGET {
            pipeline.push(async move { to.run(sql, &[&to.tenant.0, &thread]).await.map(drop) });
        }
    }
}

/// Where rows go.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    connection: &'a Connection,
    pub(super) tenant: TenantId,
}

impl To<'_> {
    pub(super) async fn run(
        self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        self.connection.execute(sql, values).await
    }
}

/// The writers' statements, to be prepared when a connection is new: one that has
/// to be prepared on the way would be overtaken by those behind it.
pub(super) const ALL: [&str; 9] =
    [BLOBS_LOCK, BLOBS, BEGIN, STEP, LEASES, ENTRY_BLOBS, DROPS, PENDING, EFFECTS];

fn column<'r, R, T>(rows: &'r [R], get: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(get).collect()
}

fn threads<'r, R>(rows: &'r [R], lane: impl Fn(&'r R) -> &'r Lane) -> Vec<&'r str> {
    rows.iter().map(|row| &*lane(row).thread).collect()
}

fn namespaces<'r, R>(rows: &'r [R], lane: impl Fn(&'r R) -> &'r Lane) -> Vec<&'r str> {
    rows.iter().map(|row| &*lane(row).namespace).collect()
}

fn inline<'r, R>(rows: &'r [R], get: impl Fn(&'r R) -> &'r Stored) -> Vec<Option<&'r [u8]>> {
    rows.iter().map(|row| get(row).inline.as_deref()).collect()
}

fn blob<'r, R>(rows: &'r [R], get: impl Fn(&'r R) -> &'r Stored) -> Vec<Option<&'r [u8]>> {
    rows.iter().map(|row| get(row).blob_bytes()).collect()
}

fn time(time: Option<Timestamp>) -> Option<Time> {
    time.map(Time)
}

/// Held until the end of the transaction against whoever frees blobs, so that one
/// that is found here and not written again stays.
pub(super) const BLOBS_LOCK: &str =
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('blobs ' || $1::uuid::text, 0))";

const BLOBS: &str = "INSERT INTO blobs (tenant_id, hash, content)
     SELECT $1, * FROM unnest($2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING";

async fn blobs(to: To<'_>, stage: &Stage<'_>) -> Written {
    let hashes: Vec<&[u8]> = stage.blobs.keys().map(|hash| &hash.0[..]).collect();
    let contents: Vec<&[u8]> = stage.blobs.values().map(Vec::as_slice).collect();
    let tenant: [&(dyn ToSql + Sync); 1] = [&to.tenant.0];
    let values: [&(dyn ToSql + Sync); 3] = [&to.tenant.0, &hashes, &contents];
    let (locked, written) = both(to.run(BLOBS_LOCK, &tenant), to.run(BLOBS, &values)).await;
    crash_point!("after_blob");
    locked.and(written).map(drop)
}

/// Executions that begin, with their sources and their tenant where those are new.
const BEGIN: &str = "WITH tenant AS (
        INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING),
     version AS (
        INSERT INTO workflow_versions (tenant_id, hash, file, source, created_at)
        SELECT $1, * FROM unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::timestamptz[])
        ON CONFLICT DO NOTHING)
     INSERT INTO executions (tenant_id, id, parent, thread, workflow, version, status, input,
        input_blob, started_at, ended_at, error, error_blob, tokens_input, tokens_cached_read,
        tokens_cached_write, tokens_output, tokens_reasoning, cost_micros)
     SELECT $1, * FROM unnest($6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::bytea[],
        $11::text[], $12::bytea[], $13::bytea[], $14::timestamptz[], $15::timestamptz[],
        $16::bytea[], $17::bytea[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[],
        $22::bigint[], $23::bigint[])";

async fn begin(to: To<'_>, stage: &Stage<'_>) -> Written {
    let mut versions = stage.versions.clone();
    // The first of a hash stays; the order among hashes is that of the key.
    versions.sort_by_key(|version| version.hash.0);
    versions.dedup_by_key(|version| version.hash.0);
    let rows = &stage.executions;
    let totals = Sums::of(rows.iter().map(|row| row.execution.totals));
    let values: [&(dyn ToSql + Sync); 23] = [
        &to.tenant.0,
        &column(&versions, |version| &version.hash.0[..]),
        &column(&versions, |version| version.file.as_bytes()),
        &column(&versions, |version| version.source.as_bytes()),
        &column(&versions, |version| Time(version.created)),
        &column(rows, |row| row.execution.id.0),
        &column(rows, |row| row.execution.parent.map(|id| id.0)),
        &column(rows, |row| &*row.execution.thread),
        &column(rows, |row| row.execution.workflow.as_deref()),
        &column(rows, |row| row.execution.version.as_ref().map(|hash| &hash.0[..])),
        &column(rows, |row| row.execution.status.as_str()),
        &inline(rows, |row| &row.input),
        &blob(rows, |row| &row.input),
        &column(rows, |row| Time(row.execution.started)),
        &column(rows, |row| time(row.execution.ended)),
        &inline(rows, |row| &row.error),
        &blob(rows, |row| &row.error),
        &totals.input,
        &totals.cached_read,
        &totals.cached_write,
        &totals.output,
        &totals.reasoning,
        &totals.cost_micros,
    ];
    to.run(BEGIN, &values).await.map(drop)
}

/// How executions stand, their logs and their checkpoints: what a superstep writes is one
/// statement, since each costs a message there and back.
const STEP: &str = "WITH changed AS (
        UPDATE executions e SET status = u.status, ended_at = u.ended_at, error = u.error,
            error_blob = u.error_blob, tokens_input = u.input,
            tokens_cached_read = u.cached_read, tokens_cached_write = u.cached_write,
            tokens_output = u.output, tokens_reasoning = u.reasoning,
            cost_micros = u.cost_micros,
            lease_owner = CASE WHEN u.fence IS NULL THEN e.lease_owner ELSE u.lease_owner END,
            lease_until = CASE WHEN u.fence IS NULL THEN e.lease_until ELSE u.lease_until END,
            fence = coalesce(u.fence, e.fence)
        FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[], $6::bytea[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
            $12::bigint[], $13::text[], $14::timestamptz[], $15::bigint[])
            u (id, status, ended_at, error, error_blob, input, cached_read, cached_write,
               output, reasoning, cost_micros, lease_owner, lease_until, fence)
        WHERE e.tenant_id = $1 AND e.id = u.id),
     logged AS (
        INSERT INTO entries
            (tenant_id, execution_id, first_sequence, last_sequence, packed, hash)
        SELECT $1, * FROM unnest($16::uuid[], $17::bigint[], $18::bigint[], $19::bytea[],
            $20::bytea[]))
     INSERT INTO checkpoints (tenant_id, thread, namespace, id, parent, step, source,
        execution_id, time, meta, is_full, state, state_blob, hash)
     SELECT $1, * FROM unnest($21::text[], $22::text[], $23::uuid[], $24::uuid[], $25::bigint[],
        $26::text[], $27::uuid[], $28::timestamptz[], $29::bytea[], $30::boolean[],
        $31::bytea[], $32::bytea[], $33::bytea[])";

async fn step(to: To<'_>, stage: &Stage<'_>) -> Written {
    let changes: Vec<_> = stage.changes.values().collect();
    let totals = Sums::of(changes.iter().map(|row| row.change.totals));
    let leases: Vec<_> = changes.iter().map(|row| row.lease.map(|change| &change.lease)).collect();
    let (packs, rows) = (&stage.packs, &stage.checkpoints);
    let values: [&(dyn ToSql + Sync); 33] = [
        &to.tenant.0,
        &column(&changes, |row| row.change.id.0),
        &column(&changes, |row| row.change.status.as_str()),
        &column(&changes, |row| time(row.change.ended)),
        &inline(&changes, |row| &row.error),
        &blob(&changes, |row| &row.error),
        &totals.input,
        &totals.cached_read,
        &totals.cached_write,
        &totals.output,
        &totals.reasoning,
        &totals.cost_micros,
        &column(&leases, |lease| lease.and_then(|lease| lease.owner.as_deref())),
        &column(&leases, |lease| time(lease.and_then(|lease| lease.until))),
        &column(&leases, |lease| lease.map(|lease| lease.fence as i64)),
        &column(packs, |row| row.execution.0),
        &column(packs, |row| row.first_sequence),
        &column(packs, |row| row.last_sequence),
        &column(packs, |row| row.packed.as_slice()),
        &column(packs, |row| &row.hash.0[..]),
        &threads(rows, |row| &row.checkpoint.lane),
        &namespaces(rows, |row| &row.checkpoint.lane),
        &column(rows, |row| row.checkpoint.id.0),
        &column(rows, |row| row.checkpoint.parent.map(|id| id.0)),
        &column(rows, |row| row.checkpoint.step),
        &column(rows, |row| row.checkpoint.source.as_str()),
        &column(rows, |row| row.checkpoint.execution.0),
        &column(rows, |row| Time(row.checkpoint.time)),
        &column(rows, |row| row.checkpoint.meta.as_slice()),
        &column(rows, |row| matches!(row.checkpoint.state, State::Full(_))),
        &inline(rows, |row| &row.state),
        &blob(rows, |row| &row.state),
        &column(rows, |row| &row.hash.0[..]),
    ];
    to.run(STEP, &values).await.map(drop)
}

/// Totals by column.
#[derive(Default)]
struct Sums {
    input: Vec<i64>,
    cached_read: Vec<i64>,
    cached_write: Vec<i64>,
    output: Vec<i64>,
    reasoning: Vec<i64>,
    cost_micros: Vec<i64>,
}

impl Sums {
    fn of(rows: impl Iterator<Item = Totals>) -> Self {
        let mut sums = Sums::default();
        for Totals { usage, cost_micros } in rows {
            sums.input.push(usage.input as i64);
            sums.cached_read.push(usage.cached_read as i64);
            sums.cached_write.push(usage.cached_write as i64);
            sums.output.push(usage.output as i64);
            sums.reasoning.push(usage.reasoning as i64);
            sums.cost_micros.push(cost_micros as i64);
        }
        sums
    }
}

const LEASES: &str = "UPDATE executions e
     SET lease_owner = u.owner, lease_until = u.until, fence = u.fence
     FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
        u (id, owner, until, fence)
     WHERE e.tenant_id = $1 AND e.id = u.id";

async fn leases(to: To<'_>, stage: &Stage<'_>) -> Written {
    let rows: Vec<_> = stage.leases.values().copied().collect();
    let values: [&(dyn ToSql + Sync); 5] = [
        &to.tenant.0,
        &column(&rows, |change| change.execution.0),
        &column(&rows, |change| change.lease.owner.as_deref()),
        &column(&rows, |change| time(change.lease.until)),
        &column(&rows, |change| change.lease.fence as i64),
    ];
    to.run(LEASES, &values).await.map(drop)
}

const ENTRY_BLOBS: &str = "INSERT INTO entry_blobs (tenant_id, execution_id, hash)
     SELECT $1, * FROM unnest($2::uuid[], $3::bytea[]) ON CONFLICT DO NOTHING";

async fn entry_blobs(to: To<'_>, stage: &Stage<'_>) -> Written {
    let executions: Vec<Uuid> = stage.entry_blobs.iter().map(|(id, _)| id.0).collect();
    let hashes: Vec<&[u8]> = stage.entry_blobs.iter().map(|(_, hash)| &hash.0[..]).collect();
    to.run(ENTRY_BLOBS, &[&to.tenant.0, &executions, &hashes]).await.map(drop)
}

const DROPS: &str = "DELETE FROM pending_writes w
     USING unnest($2::text[], $3::text[], $4::uuid[]) u (thread, namespace, checkpoint)
     WHERE w.tenant_id = $1 AND w.thread = u.thread AND w.namespace = u.namespace
        AND w.checkpoint = u.checkpoint";

async fn drops(to: To<'_>, stage: &Stage<'_>) -> Written {
    let rows = &stage.drops;
    let values: [&(dyn ToSql + Sync); 4] = [
        &to.tenant.0,
        &threads(rows, |(lane, _)| lane),
        &namespaces(rows, |(lane, _)| lane),
        &column(rows, |(_, checkpoint)| checkpoint.0),
    ];
    to.run(DROPS, &values).await.map(drop)
}

const PENDING: &str = "INSERT INTO pending_writes
        (tenant_id, thread, namespace, checkpoint, task, payload, payload_blob)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[],
        $7::bytea[])
     ON CONFLICT (tenant_id, thread, namespace, checkpoint, task)
        DO UPDATE SET payload = EXCLUDED.payload, payload_blob = EXCLUDED.payload_blob";

async fn pending(to: To<'_>, stage: &Stage<'_>) -> Written {
    let rows = &stage.pending;
    let values: [&(dyn ToSql + Sync); 7] = [
        &to.tenant.0,
        &threads(rows, |row| &row.write.lane),
        &namespaces(rows, |row| &row.write.lane),
        &column(rows, |row| row.write.checkpoint.0),
        &column(rows, |row| &*row.write.task),
        &inline(rows, |row| &row.payload),
        &blob(rows, |row| &row.payload),
    ];
    to.run(PENDING, &values).await.map(drop)
}

const EFFECTS: &str = "INSERT INTO effects (tenant_id, thread, namespace, task, ordinal,
        execution_id, step, kind, request, key, status, result, result_blob, time)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[],
        $7::bigint[], $8::text[], $9::bytea[], $10::text[], $11::text[], $12::bytea[],
        $13::bytea[], $14::timestamptz[])
     ON CONFLICT (tenant_id, thread, namespace, task, ordinal)
        DO UPDATE SET execution_id = EXCLUDED.execution_id, step = EXCLUDED.step,
            kind = EXCLUDED.kind, request = EXCLUDED.request, key = EXCLUDED.key,
            status = EXCLUDED.status, result = EXCLUDED.result,
            result_blob = EXCLUDED.result_blob, time = EXCLUDED.time
        WHERE effects.status <> 'done'";

async fn effects(to: To<'_>, stage: &Stage<'_>) -> Written {
    let rows = &stage.effects;
    let values: [&(dyn ToSql + Sync); 14] = [
        &to.tenant.0,
        &threads(rows, |row| &row.effect.lane),
        &namespaces(rows, |row| &row.effect.lane),
        &column(rows, |row| &*row.effect.task),
        &column(rows, |row| i64::from(row.effect.ordinal)),
        &column(rows, |row| row.effect.execution.0),
        &column(rows, |row| row.effect.step),
        &column(rows, |row| &*row.effect.kind),
        &column(rows, |row| &row.effect.request.0[..]),
        &column(rows, |row| &*row.effect.key),
        &column(rows, |row| row.effect.status.as_str()),
        &inline(rows, |row| &row.result),
        &blob(rows, |row| &row.result),
        &column(rows, |row| Time(row.effect.time)),
    ];
    let written = to.run(EFFECTS, &values).await?;
    if written < rows.len() as u64 {
        let (effect, more) = (&rows[0].effect, rows.len() - 1);
        let others = if more > 0 { format!(" or one of {more} others") } else { String::new() };
        return Err(Error::Conflict(format!(
            "effect {} of task `{}` in {}{others} is done already",
            effect.ordinal, effect.task, effect.lane
        ))
        .into());
    }
    Ok(())
}

/// Everything of a thread.
const FORGET: [&str; 8] = [
    "SELECT id FROM executions WHERE tenant_id = $1 AND thread = $2 ORDER BY id FOR UPDATE",
    "DELETE FROM pending_writes WHERE tenant_id = $1 AND thread = $2",
    "DELETE FROM effects WHERE tenant_id = $1 AND thread = $2",
    "DELETE FROM interrupts WHERE tenant_id = $1 AND thread = $2",
    "DELETE FROM checkpoints WHERE tenant_id = $1 AND thread = $2",
    "DELETE FROM entries WHERE tenant_id = $1 AND execution_id IN
        (SELECT id FROM executions WHERE tenant_id = $1 AND thread = $2)",
    "DELETE FROM entry_blobs WHERE tenant_id = $1 AND execution_id IN
        (SELECT id FROM executions WHERE tenant_id = $1 AND thread = $2)",
    "DELETE FROM executions WHERE tenant_id = $1 AND thread = $2",
];

impl Stage<'_> {
    /// The statements that are not always prepared and that this stage needs.
    pub(super) fn rare_statements(&self) -> Vec<&'static str> {
        let mut rare: Vec<_> = self.sides.iter().map(Side::statement).collect();
        if self.forgets.is_some() {
            rare.extend(FORGET);
        }
        rare
    }

    /// Whether a statement of this stage may succeed and still be a refusal, so that
    /// its answer must be seen before the transaction is ended.
    pub(super) fn must_be_seen(&self) -> bool {
        !self.effects.is_empty() || self.sides.iter().any(Side::must_be_seen)
    }
}
