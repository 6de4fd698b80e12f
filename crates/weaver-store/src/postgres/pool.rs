//! The pool, which nothing outside this file touches, and the one way to a
//! transaction: [`Pool::with_tx`].

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresOptions;
use super::connection::Connection;
use super::dsn::Dsn;
use super::fault::{Fault, commit_fault};
use super::pipeline::both;
use super::schema;
use crate::{Connections, Error, Result, TenantId};

/// What a transaction's work gives, when it gives it.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Connections for everything but the writers' group commits.
pub(super) struct Pool {
    dsn: Dsn,
    options: PostgresOptions,
    runtime: Handle,
    idle: Mutex<Vec<Arc<Connection>>>,
    permits: Arc<Semaphore>,
}

/// Whether a transaction may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    /// One statement that touches nobody's rows: it needs no transaction.
    Alone,
    /// Reads all of it as it was at one moment.
    Snapshot,
    Write,
    /// Writes what a crash of the server may take back although it was committed.
    WriteUnflushed,
}

impl Mode {
    fn writes(self) -> bool {
        matches!(self, Mode::Write | Mode::WriteUnflushed)
    }
}

/// A transaction of one tenant.
pub(super) struct Tx {
    pub(super) connection: Arc<Connection>,
    pub(super) tenant: TenantId,
}

impl Tx {
    /// The rows of a statement.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        self.connection.query(sql, values).await
    }

    /// The first row of a statement.
    pub(super) async fn first(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Gives the number of rows that were changed.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        self.connection.execute(sql, values).await
    }

    /// Statements without parameters, in one go.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        self.connection.batch(sql).await
    }

    /// Begins to read a statement whose rows may not fit the memory; `$1` is the
    /// tenant. One at a time.
    pub(super) async fn open_cursor(&self, sql: &str) -> Result<(), Fault> {
        // The statement that makes a cursor takes no parameters. An id needs no quoting.
        let sql = sql.replace("$1", &format!("'{}'::uuid", self.tenant));
        self.batch(&format!("DECLARE rows NO SCROLL CURSOR FOR {sql}")).await
    }

    /// The next rows, none at the end.
    pub(super) async fn fetch(&self) -> Result<Vec<Row>, Fault> {
        Ok(self.connection.client.query("FETCH 500 FROM rows", &[]).await?)
    }

    pub(super) async fn close_cursor(&self) -> Result<(), Fault> {
        self.batch("CLOSE rows").await
    }
}

impl Pool {
    pub(super) fn new(dsn: Dsn, options: PostgresOptions, runtime: Handle) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(options.connections.max(1)));
        Arc::new(Pool { dsn, options, runtime, idle: Mutex::default(), permits })
    }

    /// Runs something that is not a transaction by itself.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// See [`schema::renew`].
    pub(super) async fn renew_partitions(self: &Arc<Self>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        let pool = self.clone();
        self.runtime.spawn(async move { drop(done.send(schema::renew(&pool.dsn).await)) });
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Runs `work` in one transaction of a tenant, in a task of its own: when the
    /// caller loses interest the transaction still ends as it should, and no
    /// connection comes back with one open. A connection that turns out to be dead
    /// is replaced once, before anything was committed. What was read is answered
    /// before its transaction ends, as nothing depends on that.
    pub(super) async fn with_tx<A, T>(
        self: &Arc<Self>,
        tenant: TenantId,
        mode: Mode,
        arguments: A,
        work: impl for<'t> Fn(&'t Tx, &'t A) -> Work<'t, T> + Send + Sync + 'static,
    ) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let pool = self.clone();
        self.runtime.spawn(async move {
            let mut done = Some(done);
            // Nobody may be waiting any more.
            let mut answer = |result: Result<T>| drop(done.take().map(|done| done.send(result)));
            let mut tried = pool.attempt(tenant, mode, &arguments, &work, &mut answer).await;
            // What a snapshot has given so far cannot be taken back.
            if mode != Mode::Snapshot && tried.as_ref().is_err_and(Fault::is_lost) {
                pool.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                tried = pool.attempt(tenant, mode, &arguments, &work, &mut answer).await;
            }
            if let Err(fault) = tried {
                answer(Err(fault.into_error(&pool.dsn.server())));
            }
        });
        answer.await.unwrap_or(Err(Error::Closed))
    }

    async fn attempt<A, T>(
        &self,
        tenant: TenantId,
        mode: Mode,
        arguments: &A,
        work: &(impl for<'t> Fn(&'t Tx, &'t A) -> Work<'t, T> + Sync),
        answer: &mut (impl FnMut(Result<T>) + Send),
    ) -> Result<(), Fault> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let tx = Tx { connection: self.take().await?, tenant };
        if mode == Mode::Alone {
            answer(Ok(work(&tx, arguments).await?));
            self.put_back(tx.connection);
            return Ok(());
        }
        let begin = begin(tenant, mode);
        // In one round trip: were `BEGIN` to fail, the work would find a session
        // without a tenant, which sees and may write nothing.
        let (began, result) = both(tx.connection.batch(&begin), work(&tx, arguments)).await;
        let mut result = began.and(result).map(Some);
        if mode == Mode::Read
            && let Ok(read) = &mut result
        {
            read.take().into_iter().for_each(|read| answer(Ok(read)));
        }
        let ended = match &result {
            Ok(_) => tx.connection.batch("COMMIT").await,
            Err(_) => tx.connection.batch("ROLLBACK").await,
        };
        match ended {
            Ok(()) => self.put_back(tx.connection),
            Err(fault) if mode.writes() && result.is_ok() => return Err(commit_fault(fault)),
            Err(_) => {}
        }
        result?.into_iter().for_each(|value| answer(Ok(value)));
        Ok(())
    }

    async fn take(&self) -> Result<Arc<Connection>> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.client.is_closed() => {}
                Some(connection) => return Ok(connection),
                None => return Ok(Arc::new(self.connect().await?)),
            }
        }
    }

    /// How much of it is in use.
    pub(super) fn in_use(&self) -> Connections {
        let max = self.options.connections.max(1);
        let used = max - self.permits.available_permits().min(max);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        Connections { used, idle, max: Some(max) }
    }

    fn put_back(&self, connection: Arc<Connection>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    async fn connect(&self) -> Result<Connection> {
        connect_patiently(&self.dsn, &self.options).await
    }
}

/// The statement that begins a transaction of a tenant.
pub(super) fn begin(tenant: TenantId, mode: Mode) -> String {
    let how = match mode {
        Mode::Read | Mode::Alone => " READ ONLY",
        Mode::Snapshot => " ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Mode::Write => "",
        Mode::WriteUnflushed => "; SET LOCAL synchronous_commit = off",
    };
    format!("BEGIN{how}; {}", set_tenant(tenant))
}

/// The statement that makes what follows, until the transaction's end, that of a
/// tenant.
pub(super) fn set_tenant(tenant: TenantId) -> String {
    format!("SELECT set_config('app.tenant_id', '{tenant}', true)")
}

/// The first pause between two tries, doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection, after several tries if the server is away: it may be starting
/// again. Not patient with a server that refuses.
pub(super) async fn connect_patiently(dsn: &Dsn, options: &PostgresOptions) -> Result<Connection> {
    let give_up = tokio::time::Instant::now() + options.patience;
    let mut pause = PAUSE_MIN;
    loop {
        match Connection::for_work(dsn, options).await {
            Err(Error::Unreachable { .. }) if tokio::time::Instant::now() + pause < give_up => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            result => return result,
        }
    }
}
