//! One connection: how it is made and what each session is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::PostgresOptions;
use super::dsn::{Dsn, chain};
use super::fault::Fault;
use super::pipeline::Pipeline;
use super::wakers::{Listener, listen};
use crate::{Error, Result};

/// The role whose rights a session has, where the URL's user may take it: it owns
/// nothing and row-level security holds for it.
pub(super) const APP_ROLE: &str = "agentweaver_app";

/// Servers before this one are refused (`server_version_num`).
const VERSION_MIN: i32 = 150_000;

/// The oldest minor release of each line without known holes in row-level
/// security or lost data; older ones are warned about.
const FLOOR: [i32; 4] = [150_020, 160_016, 170_012, 180_007];

/// A connection with its prepared statements.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The key of an advisory lock that the session has while the server keeps it:
    /// who cannot take it knows that the session is not over.
    pub(super) mark: i64,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

/// What a server says of itself and of the user.
pub(super) struct Session {
    /// `server_version_num`.
    pub(super) version: i32,
    /// Row-level security does not hold for the user.
    pub(super) bypasses_rls: bool,
    /// The user may take [`APP_ROLE`].
    pub(super) has_app_role: bool,
}

impl Connection {
    /// A connection that may do what the URL's user may: for migrations.
    pub(super) async fn as_owner(dsn: &Dsn) -> Result<(Self, Session)> {
        let client = connect(dsn).await?;
        let mark = Uuid::new_v4().as_u64_pair().0 as i64;
        let connection = Connection { client, mark, statements: Mutex::default() };
        let session = connection.introduce(dsn).await?;
        let path = format!("SET search_path TO \"{}\", pg_temp", dsn.schema);
        connection.batch(&path).await.map_err(|fault| fault.into_error(&dsn.server()))?;
        Ok((connection, session))
    }

    /// A connection for everyday work, with time limits that the server keeps:
    /// also for a program that has stopped in the middle.
    pub(super) async fn for_work(dsn: &Dsn, options: &PostgresOptions) -> Result<Self> {
        let (connection, session) = Connection::as_owner(dsn).await?;
        if session.bypasses_rls && !session.has_app_role {
            let reason = format!(
                "row-level security does not hold for its user, and there is no role {APP_ROLE}"
            );
            return Err(Error::Refused { server: dsn.server(), reason });
        }
        let mut setup = format!(
            "SET statement_timeout TO {}; SET lock_timeout TO {};
             SET idle_in_transaction_session_timeout TO {};
             SET tcp_keepalives_idle TO 10; SET tcp_keepalives_interval TO 5;
             SET tcp_keepalives_count TO 3; SELECT pg_advisory_lock({});
             SELECT set_config('synchronous_commit', 'on', false)
                WHERE current_setting('synchronous_commit') = 'off';",
            options.statement_timeout.as_millis(),
            options.lock_timeout.as_millis(),
            options.idle_timeout.as_millis(),
            connection.mark,
        );
        if session.has_app_role {
            setup.push_str(&format!("SET ROLE {APP_ROLE}"));
        }
        connection.batch(&setup).await.map_err(|fault| fault.into_error(&dsn.server()))?;
        Ok(connection)
    }

    async fn introduce(&self, dsn: &Dsn) -> Result<Session> {
        let row = self
            .client
            .query_one(
                "SELECT current_setting('server_version_num')::int, rolsuper OR rolbypassrls,
                    coalesce(pg_has_role(current_user, to_regrole($1), 'MEMBER'), false)
                 FROM pg_roles WHERE rolname = current_user",
                &[&APP_ROLE],
            )
            .await
            .map_err(|error| Fault::from(error).into_error(&dsn.server()))?;
        let session =
            Session { version: row.get(0), bypasses_rls: row.get(1), has_app_role: row.get(2) };
        if session.version < VERSION_MIN {
            let found = version_text(session.version);
            return Err(Error::ServerTooOld { server: dsn.server(), found });
        }
        Ok(session)
    }

    /// Statements without parameters, in one go.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// A statement that is used again and again: its text is looked at once.
    pub(super) async fn statement(&self, sql: &'static str) -> Result<Statement, Fault> {
        let known = || self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(sql).cloned();
        if let Some(statement) = found {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        known().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Has statements ready, so that none has to be made so on the way.
    pub(super) async fn prepare(&self, statements: &[&'static str]) -> Result<(), Fault> {
        let mut pipeline = Pipeline::new();
        statements.iter().for_each(|sql| pipeline.push(self.statement(sql)));
        pipeline.run().await.into_iter().try_for_each(|prepared| prepared.map(drop))
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// Gives the number of rows that were changed.
    pub(super) async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }
}

impl Session {
    /// What to tell people about the server's age.
    pub(super) fn version_warning(&self) -> Option<String> {
        let floor = FLOOR.iter().find(|floor| *floor / 10_000 == self.version / 10_000)?;
        (self.version < *floor).then(|| {
            format!(
                "PostgreSQL {} has known faults that {} mends",
                version_text(self.version),
                version_text(*floor)
            )
        })
    }
}

/// 150018 is 15.18.
pub(super) fn version_text(version: i32) -> String {
    format!("{}.{}", version / 10_000, version % 10_000)
}

impl Dsn {
    /// What messages call the server.
    pub(super) fn server(&self) -> Arc<str> {
        self.name.as_str().into()
    }
}

/// Connects, and leaves the socket's work to a task of the running runtime.
async fn connect(dsn: &Dsn) -> Result<Client> {
    let failed = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(_) => Fault::from(error).into_error(&dsn.server()),
        None => Error::Unreachable { server: dsn.server(), reason: chain(&error) },
    };
    if !dsn.tls {
        let (client, connection) = dsn.config.connect(NoTls).await.map_err(failed)?;
        Handle::current().spawn(drive(connection));
        return Ok(client);
    }
    let tls = MakeRustlsConnect::new(tls_config(dsn)?);
    let (client, connection) = dsn.config.connect(tls).await.map_err(failed)?;
    Handle::current().spawn(drive(connection));
    Ok(client)
}

/// A connection that says what others notify it of.
pub(super) async fn connect_listening(dsn: &Dsn, heard: Listener) -> Result<Client> {
    let failed = |error: tokio_postgres::Error| Error::Unreachable {
        server: dsn.server(),
        reason: chain(&error),
    };
    if !dsn.tls {
        let (client, connection) = dsn.config.connect(NoTls).await.map_err(failed)?;
        Handle::current().spawn(listen(connection, heard));
        return Ok(client);
    }
    let tls = MakeRustlsConnect::new(tls_config(dsn)?);
    let (client, connection) = dsn.config.connect(tls).await.map_err(failed)?;
    Handle::current().spawn(listen(connection, heard));
    Ok(client)
}

/// A failed connection tells its users by failing what they ask.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = %chain(&error), "a database connection ended");
    }
}

fn tls_config(dsn: &Dsn) -> Result<ClientConfig> {
    let unreachable = |reason: String| Error::Unreachable { server: dsn.server(), reason };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(unreachable("the system has no certificates to check the server's".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreachable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
