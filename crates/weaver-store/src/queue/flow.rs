//! The rules: how work gets in, gets on, and gets out.

use weaver_core::Timestamp;

use super::BudgetKey;
use super::admit::{enter, free, paced};
use super::rows::{Answer, Row, Rows};
use super::taker::Taker;
use super::work::{Cancel, Enqueue, Park, Work, WorkKey, WorkState};
use crate::library;
use crate::{BLOB_BYTES_MIN, Error, ExecutionId, ExecutionStatus, Result, TenantId};

/// Applies one change. The batch that it is in has been checked against its fence.
pub(crate) async fn apply<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    work: &Work,
) -> Answer<(), R::Error> {
    match work {
        Work::Enqueue(request) => enqueue(rows, tenant, request).await,
        Work::Park { execution, park } => self::park(rows, tenant, *execution, *park).await,
        Work::Done(execution) => done(rows, tenant, *execution).await,
        Work::TaskDone { execution, task, fence } => {
            let key = WorkKey::task(tenant, *execution, task.clone());
            let row = leased(rows, &key, *fence).await?;
            drop_row(rows, row).await
        }
        Work::TaskHeld { execution, task, fence } => {
            let key = WorkKey::task(tenant, *execution, task.clone());
            leased(rows, &key, *fence).await.map(drop)
        }
        Work::GotOn { execution, fence } => got_on(rows, tenant, *execution, *fence).await,
        Work::Idle { execution, fence } => idle(rows, tenant, *execution, *fence).await,
        Work::Wake(execution) => wake(rows, tenant, *execution).await,
        Work::Cancel(cancel) => self::cancel(rows, tenant, cancel).await,
        Work::Pause(execution) => pause(rows, tenant, *execution).await,
        Work::Unpause(execution) => unpause(rows, tenant, *execution).await,
        Work::Requeue { execution, task } => {
            unbury(rows, &WorkKey::task(tenant, *execution, task.clone())).await
        }
        Work::Budget { root, limit_micros } => {
            super::budget::set(rows, &BudgetKey { tenant, root: *root }, limit_micros).await
        }
        Work::Restore(kept) => super::kept::restore(rows, tenant, kept).await,
        Work::AddWorkflow(added) => library::add(rows, tenant, &added.0, &added.1).await,
        Work::Fired { schedule, slot, next } => {
            super::schedule::fired(rows, schedule, *slot, *next).await
        }
    }
}

async fn leased<R: Rows>(rows: &mut R, key: &WorkKey, fence: u64) -> Answer<Row, R::Error> {
    let found = rows.row(key).await?;
    let found_fence = found.as_ref().map_or(0, |row| row.fence);
    found.filter(|row| row.is_leased(fence)).ok_or_else(|| {
        Error::Fenced { execution: key.execution, held: fence, found: found_fence }.into()
    })
}

async fn enqueue<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    request: &Enqueue,
) -> Answer<(), R::Error> {
    let key = WorkKey::task(tenant, request.execution, request.task.clone());
    check_enqueue(request)?;
    let taker = request.taker.as_ref();
    taker.into_iter().for_each(Taker::tried);
    if rows.row(&key).await?.is_some() {
        let message = format!("execution {} is queued already", request.execution);
        return Err(Error::Conflict(message).into());
    }
    let now = rows.now().await?;
    let fence = match key.is_execution() {
        true => rows.fence(tenant, request.execution).await?,
        false => 0,
    };
    let mut row = Row {
        key,
        route: request.route.clone(),
        priority: request.priority,
        workflow: request.workflow.clone(),
        concurrency: request.key.clone(),
        state: WorkState::Delayed,
        rank: 0,
        since: now,
        run_at: None,
        slots: 0,
        held_on: None,
        deliveries: 0,
        deliveries_max: request.deliveries_max,
        fence,
        owner: None,
        until: None,
        paused: false,
        woken: false,
    };
    let paced = paced(rows, &row, now).await?;
    let run_at = request.run_at.into_iter().chain(paced).max().filter(|time| *time > now);
    match run_at {
        Some(time) => delay(rows, row, Some(time)).await,
        None => enter(rows, &mut row, now, taker).await,
    }
}

fn check_enqueue(request: &Enqueue) -> Result<()> {
    super::at_least_one("the number of deliveries", request.deliveries_max)?;
    if let Some(key) = &request.key {
        super::at_least_one("the limit of a concurrency key", key.limit)?;
    }
    Ok(())
}

async fn delay<R: Rows>(
    rows: &mut R,
    mut row: Row,
    run_at: Option<Timestamp>,
) -> Answer<(), R::Error> {
    row.state = WorkState::Delayed;
    row.run_at = run_at;
    rows.put(&row).await
}

async fn park<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
    park: Park,
) -> Answer<(), R::Error> {
    let key = WorkKey::execution(tenant, execution);
    // The lease may be over and nobody else have it yet: then it is still this one's.
    let is_at_work = |row: &Row| matches!(row.state, WorkState::Leased | WorkState::Ready);
    let Some(mut row) = rows.row(&key).await?.filter(is_at_work) else {
        let message = format!("nobody works on execution {execution}, so it cannot start to wait");
        return Err(Error::Conflict(message).into());
    };
    let now = rows.now().await?;
    let run_at = match park {
        _ if row.woken => Some(now),
        Park::Ready => Some(now),
        Park::Until(time) => Some(time),
        Park::Wake => None,
    };
    end_lease(&mut row);
    row.deliveries = 0;
    row.woken = false;
    // Out of `leased` before its slots go to the next: that one may be itself.
    row.state = WorkState::Delayed;
    free(rows, &mut row).await?;
    match run_at {
        Some(time) if time <= now => enter_again(rows, row, now).await,
        _ => {
            rows.set_status(tenant, execution, ExecutionStatus::Waiting).await?;
            delay(rows, row, run_at).await
        }
    }
}

async fn got_on<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
    fence: u64,
) -> Answer<(), R::Error> {
    let found = rows.row(&WorkKey::execution(tenant, execution)).await?;
    if let Some(mut row) = found.filter(|row| row.is_leased(fence)) {
        row.deliveries = 1;
        rows.put(&row).await?;
    }
    Ok(())
}

/// Queues a row of an execution that is known to people under another status.
async fn enter_again<R: Rows>(rows: &mut R, mut row: Row, now: Timestamp) -> Answer<(), R::Error> {
    if row.key.is_execution() {
        let status = if row.paused { ExecutionStatus::Paused } else { ExecutionStatus::Queued };
        rows.set_status(row.key.tenant, row.key.execution, status).await?;
    }
    enter(rows, &mut row, now, None).await
}

fn end_lease(row: &mut Row) {
    row.owner = None;
    row.until = None;
}

async fn done<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
) -> Answer<(), R::Error> {
    for row in rows.rows_of(tenant, execution).await? {
        drop_row(rows, row).await?;
    }
    Ok(())
}

async fn idle<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
    fence: u64,
) -> Answer<(), R::Error> {
    let (found, is_leased) = match rows.row(&WorkKey::execution(tenant, execution)).await? {
        Some(row) => (row.fence, row.state == WorkState::Leased),
        None => (rows.fence(tenant, execution).await?, false),
    };
    if is_leased || found != fence {
        let message = format!("somebody works on execution {execution}");
        return Err(Error::Conflict(message).into());
    }
    Ok(())
}

/// Takes a thread that is to be forgotten out of the queue.
pub(crate) async fn forget_thread<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    thread: &str,
) -> Answer<(), R::Error> {
    for execution in rows.queued_of(tenant, thread).await? {
        done(rows, tenant, execution).await?;
    }
    Ok(())
}

async fn drop_row<R: Rows>(rows: &mut R, mut row: Row) -> Answer<(), R::Error> {
    rows.remove(&row.key).await?;
    if row.state == WorkState::Dead {
        rows.remove_dead(&row.key).await?;
    }
    free(rows, &mut row).await
}

async fn wake<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
) -> Answer<(), R::Error> {
    let Some(mut row) = rows.row(&WorkKey::execution(tenant, execution)).await? else {
        // It is driven without a queue, or has ended: whoever asks reads the answer.
        return Ok(());
    };
    match row.state {
        WorkState::Delayed => {
            let now = rows.now().await?;
            enter_again(rows, row, now).await
        }
        WorkState::Leased => {
            row.woken = true;
            rows.put(&row).await?;
            rows.wake().await
        }
        // It reads what came when it is claimed.
        WorkState::Ready | WorkState::Held | WorkState::Paused | WorkState::Dead => Ok(()),
    }
}

async fn cancel<R: Rows>(rows: &mut R, tenant: TenantId, cancel: &Cancel) -> Answer<(), R::Error> {
    if cancel.payload.len() >= BLOB_BYTES_MIN {
        return Err(Error::Invalid("the reason of a cancel is too long".into()).into());
    }
    if rows.status(tenant, cancel.execution).await?.is_none() {
        let message = format!("there is no execution {}", cancel.execution);
        return Err(Error::Conflict(message).into());
    }
    for execution in rows.open_tree(tenant, cancel.execution).await? {
        // Without its row no fence of it is good any more.
        done(rows, tenant, execution).await?;
        rows.cancel(tenant, execution, cancel).await?;
    }
    rows.wake().await
}

async fn pause<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
) -> Answer<(), R::Error> {
    let mut row = controlled(rows, tenant, execution).await?;
    if row.paused {
        return Ok(());
    }
    row.paused = true;
    match row.state {
        WorkState::Ready | WorkState::Held => {
            row.state = WorkState::Paused;
            row.held_on = None;
            rows.put(&row).await?;
            free(rows, &mut row).await?;
            rows.put(&row).await?;
            rows.set_status(tenant, execution, ExecutionStatus::Paused).await
        }
        // One that is leased pauses when it parks; one that waits, when it is woken.
        _ => {
            rows.put(&row).await?;
            rows.wake().await
        }
    }
}

async fn unpause<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
) -> Answer<(), R::Error> {
    let mut row = controlled(rows, tenant, execution).await?;
    row.paused = false;
    if row.state == WorkState::Paused {
        let now = rows.now().await?;
        return enter_again(rows, row, now).await;
    }
    rows.put(&row).await
}

/// The row of an execution that is to be paused or to go on.
async fn controlled<R: Rows>(
    rows: &mut R,
    tenant: TenantId,
    execution: ExecutionId,
) -> Answer<Row, R::Error> {
    match rows.row(&WorkKey::execution(tenant, execution)).await? {
        Some(row) if row.state != WorkState::Dead => Ok(row),
        Some(_) => {
            Err(Error::Conflict(format!("execution {execution} was given up; requeue it first"))
                .into())
        }
        None => Err(Error::Conflict(format!(
            "execution {execution} is not in the queue: it has ended, or was not submitted"
        ))
        .into()),
    }
}

/// Makes a row ready again that was taken from its holder; it keeps its place.
pub(super) async fn hand_back<R: Rows>(rows: &mut R, mut row: Row) -> Answer<(), R::Error> {
    end_lease(&mut row);
    if row.paused {
        let now = rows.now().await?;
        row.state = WorkState::Paused;
        free(rows, &mut row).await?;
        return enter_again(rows, row, now).await;
    }
    row.state = WorkState::Ready;
    rows.put(&row).await?;
    rows.wake().await
}

/// Gives a row up that was delivered too often.
pub(super) async fn bury<R: Rows>(rows: &mut R, mut row: Row) -> Answer<(), R::Error> {
    end_lease(&mut row);
    row.state = WorkState::Dead;
    free(rows, &mut row).await?;
    rows.put(&row).await?;
    let letter = super::DeadLetter {
        key: row.key.clone(),
        route: row.route.clone(),
        reason: "its lease ended without a result each time".into(),
        deliveries: row.deliveries,
        time: rows.now().await?,
    };
    rows.put_dead(&letter).await?;
    rows.set_status(row.key.tenant, row.key.execution, ExecutionStatus::Waiting).await
}

/// Gives a buried row another chance.
async fn unbury<R: Rows>(rows: &mut R, key: &WorkKey) -> Answer<(), R::Error> {
    let Some(mut row) = rows.row(key).await?.filter(|row| row.state == WorkState::Dead) else {
        let message = format!("nothing of execution {} was given up", key.execution);
        return Err(Error::Conflict(message).into());
    };
    rows.remove_dead(key).await?;
    row.deliveries = 0;
    let now = rows.now().await?;
    enter_again(rows, row, now).await
}

/// A delayed row's time has come.
pub(super) async fn promote<R: Rows>(
    rows: &mut R,
    row: Row,
    now: Timestamp,
) -> Answer<(), R::Error> {
    enter_again(rows, row, now).await
}
