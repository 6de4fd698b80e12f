//! The schema: forward-only migrations, embedded.

use super::connection::{APP_ROLE, Connection, Session, version_text};
use super::dsn::Dsn;
use super::fault::Fault;
use super::partition;
use crate::{Error, Result, crash_point};

/// In order; the position, from 1, is the version. The names are those of the
/// SQLite store's.
const MIGRATIONS: &[(&str, &str)] = &[
    ("log", include_str!("../../migrations/postgres/0001_log.sql")),
    ("tenants", include_str!("../../migrations/postgres/0002_tenants.sql")),
    ("queue", include_str!("../../migrations/postgres/0003_queue.sql")),
    ("workflows", include_str!("../../migrations/postgres/0004_workflows.sql")),
    ("accounts", include_str!("../../migrations/postgres/0005_accounts.sql")),
    ("workers", include_str!("../../migrations/postgres/0006_workers.sql")),
    ("lists", include_str!("../../migrations/postgres/0007_lists.sql")),
];

/// The newest version that this program knows.
pub(super) const SUPPORTED: u32 = MIGRATIONS.len() as u32;

/// Where a database stands.
pub(super) struct Found {
    /// The schema's version, 0 when there is none.
    pub(super) version: u32,
    /// The server's version, such as `15.18`.
    pub(super) server: String,
    pub(super) warning: Option<String>,
}

/// Looks, and changes nothing. A schema that is too new is an error.
pub(super) async fn look(dsn: &Dsn) -> Result<Found> {
    let (connection, session) = Connection::as_owner(dsn).await?;
    let version = version(&connection, dsn).await?;
    Ok(found(version, &session))
}

/// Brings the schema up to date in one transaction, of which only one runs at a
/// time. Needs the right to create the schema; the rest of a server's life does
/// not.
pub(super) async fn migrate(dsn: &Dsn) -> Result<Found> {
    let (connection, session) = Connection::as_owner(dsn).await?;
    if version(&connection, dsn).await? < SUPPORTED {
        let migrated = migrate_with(&connection, dsn).await;
        migrated.map_err(|fault| fault.into_error(&dsn.server()))?;
    }
    make_ahead(&connection, dsn).await?;
    Ok(found(SUPPORTED, &session))
}

/// Makes the partitions of the coming months. Without the right to, none is made, and
/// what they would hold has a place all the same.
pub(super) async fn renew(dsn: &Dsn) -> Result<()> {
    let (connection, _) = Connection::as_owner(dsn).await?;
    make_ahead(&connection, dsn).await
}

async fn make_ahead(connection: &Connection, dsn: &Dsn) -> Result<()> {
    let made = partition::make_ahead(connection, partition::now_ms()).await;
    made.map_err(|fault| fault.into_error(&dsn.server()))
}

fn found(version: u32, session: &Session) -> Found {
    let warning = session.version_warning();
    Found { version, server: version_text(session.version), warning }
}

async fn version(connection: &Connection, dsn: &Dsn) -> Result<u32> {
    let found = stored_version(connection).await;
    let found = found.map_err(|fault| fault.into_error(&dsn.server()))?;
    if found > SUPPORTED {
        let path = dsn.name.clone().into();
        return Err(Error::NewerSchema { path, found, supported: SUPPORTED });
    }
    Ok(found)
}

async fn stored_version(connection: &Connection) -> Result<u32, Fault> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    let exists: bool = connection.client.query_one(exists, &[]).await?.try_get(0)?;
    if !exists {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM schema_migrations";
    let newest: i32 = connection.client.query_one(newest, &[]).await?.try_get(0)?;
    Ok(newest.try_into().unwrap_or(0))
}

async fn migrate_with(connection: &Connection, dsn: &Dsn) -> Result<(), Fault> {
    make_app_role(connection).await;
    connection.batch("BEGIN; SET LOCAL lock_timeout TO '30s'").await?;
    let result = migrate_in_transaction(connection, dsn).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.batch(end).await;
    result.and(ended)
}

async fn migrate_in_transaction(connection: &Connection, dsn: &Dsn) -> Result<(), Fault> {
    let schema = &dsn.schema;
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('migrate {schema}', 0))");
    connection.batch(&lock).await?;
    let exists: bool = connection
        .client
        .query_one("SELECT to_regnamespace($1) IS NOT NULL", &[schema])
        .await?
        .try_get(0)?;
    if !exists {
        connection.batch(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    let current = stored_version(connection).await?;
    if current == 0 {
        connection
            .batch(
                "CREATE TABLE schema_migrations (
                    version    integer PRIMARY KEY,
                    name       text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )",
            )
            .await?;
    }
    for (i, (name, sql)) in MIGRATIONS.iter().enumerate().skip(current as usize) {
        connection.batch(sql).await?;
        crash_point!("in_migration");
        let version = i as i32 + 1;
        connection
            .execute(
                "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
                &[&version, name],
            )
            .await?;
    }
    grant(connection, schema).await
}

/// Makes the role whose rights the everyday sessions have, and gives it to the
/// user. A user without the right to make roles works as the tables' owner, for
/// whom row-level security is forced.
async fn make_app_role(connection: &Connection) {
    // Roles are shared by a server's databases: another may be migrated at this moment.
    let made = connection
        .batch(&format!(
            "DO $$
             BEGIN
                IF to_regrole('{APP_ROLE}') IS NULL THEN
                    CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS;
                END IF;
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
             END $$",
        ))
        .await;
    let given = match made {
        Ok(()) => connection.batch(&format!("GRANT {APP_ROLE} TO CURRENT_USER")).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = given {
        tracing::debug!(?fault, "the sessions work as the tables' owner");
    }
}

async fn grant(connection: &Connection, schema: &str) -> Result<(), Fault> {
    let exists = "SELECT to_regrole($1) IS NOT NULL";
    let exists: bool = connection.client.query_one(exists, &[&APP_ROLE]).await?.try_get(0)?;
    if !exists {
        return Ok(());
    }
    connection
        .batch(&format!(
            "GRANT USAGE ON SCHEMA \"{schema}\" TO {APP_ROLE};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\"
                TO {APP_ROLE};
             REVOKE INSERT, UPDATE, DELETE ON \"{schema}\".schema_migrations FROM {APP_ROLE};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA \"{schema}\" TO {APP_ROLE}",
        ))
        .await
}
