//! The schema: forward-only migrations, embedded.

use std::path::Path;

use rusqlite::Connection;

use super::fault::Fault;
use crate::{Error, crash_point};

/// Written into the file's header, so that other programs' databases are told
/// from ours: "AgWv".
const APPLICATION_ID: i32 = 0x4167_5776;

/// In order; the position, from 1, is the version.
const MIGRATIONS: &[(&str, &str)] = &[
    ("log", include_str!("../../migrations/sqlite/0001_log.sql")),
    ("tenants", include_str!("../../migrations/sqlite/0002_tenants.sql")),
    ("queue", include_str!("../../migrations/sqlite/0003_queue.sql")),
    ("workflows", include_str!("../../migrations/sqlite/0004_workflows.sql")),
    ("accounts", include_str!("../../migrations/sqlite/0005_accounts.sql")),
    ("workers", include_str!("../../migrations/sqlite/0006_workers.sql")),
    ("lists", include_str!("../../migrations/sqlite/0007_lists.sql")),
];

/// The newest version that this program knows.
pub(super) const SUPPORTED: u32 = MIGRATIONS.len() as u32;

/// Looks whether the file is ours and not too new, without changing it. Gives
/// its version, 0 when it is new.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<u32, Fault> {
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(0);
    }
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id != APPLICATION_ID {
        let reason = "it is another program's database".into();
        return Err(Error::NotADatabase { path: path.into(), reason }.into());
    }
    let found: u32 =
        connection.query_row("SELECT max(version) FROM schema_migrations", [], |row| row.get(0))?;
    let supported = SUPPORTED;
    if found > supported {
        return Err(Error::NewerSchema { path: path.into(), found, supported }.into());
    }
    Ok(found)
}

/// Brings the schema up to date in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(connection, path)? == SUPPORTED {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let current = version(&transaction, path)?;
    if current == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(
            "CREATE TABLE schema_migrations (
                version    INTEGER PRIMARY KEY,
                name       TEXT NOT NULL,
                applied_at INTEGER NOT NULL
            ) STRICT",
        )?;
    }
    for (i, (name, sql)) in MIGRATIONS.iter().enumerate().skip(current as usize) {
        transaction.execute_batch(sql)?;
        crash_point!("in_migration");
        transaction.execute(
            "INSERT INTO schema_migrations VALUES (?1, ?2, unixepoch() * 1000000)",
            (i as u32 + 1, name),
        )?;
    }
    transaction.commit()?;
    Ok(())
}
