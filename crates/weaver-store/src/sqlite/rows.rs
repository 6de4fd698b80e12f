//! Small helpers that every statement uses.

use std::ops::Deref;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use uuid::Uuid;
use weaver_core::Hash;

use super::fault::Fault;
use crate::encode::{decode, encode};
use crate::{BLOB_BYTES_MIN, TenantId, crash_point};

/// A connection as one tenant uses it: what a statement names with
/// [`Db::tenant`] is all that it can see.
#[derive(Clone, Copy)]
pub(super) struct Db<'a> {
    pub(super) connection: &'a Connection,
    /// The tenant's row in `tenants`; 0, which no row has, for one that has
    /// never written.
    pub(super) tenant: i64,
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> Db<'a> {
    /// For reading.
    pub(super) fn of(connection: &'a Connection, tenant: TenantId) -> rusqlite::Result<Self> {
        let number = connection
            .prepare_cached("SELECT id FROM tenants WHERE uuid = ?1")?
            .query_row([uuid_bytes(&tenant.0)], |row| row.get(0))
            .optional()?;
        Ok(Db { connection, tenant: number.unwrap_or(0) })
    }

    /// For writing: a tenant that is new gets its row.
    pub(super) fn made_for(connection: &'a Connection, tenant: TenantId) -> rusqlite::Result<Self> {
        let found = Db::of(connection, tenant)?;
        if found.tenant != 0 {
            return Ok(found);
        }
        connection
            .prepare_cached("INSERT INTO tenants (name, uuid) VALUES (?1, ?2)")?
            .execute(params![tenant.to_string(), uuid_bytes(&tenant.0)])?;
        Ok(Db { connection, tenant: connection.last_insert_rowid() })
    }
}

/// Where a payload went: into its row, or into a blob that the row names.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) inline: Option<Vec<u8>>,
    pub(super) blob: Option<[u8; 32]>,
}

/// Puts a large payload into the blobs; says what the row holds.
pub(super) fn payload(db: Db<'_>, bytes: &[u8]) -> Result<Stored, Fault> {
    if bytes.len() < BLOB_BYTES_MIN {
        return Ok(Stored { inline: Some(encode(bytes)), blob: None });
    }
    let hash = Hash::of(bytes);
    blob(db, hash, bytes)?;
    Ok(Stored { inline: None, blob: Some(hash.0) })
}

/// Keeps a blob, once.
pub(super) fn blob(db: Db<'_>, hash: Hash, bytes: &[u8]) -> Result<(), Fault> {
    let known = db
        .prepare_cached("SELECT 1 FROM blobs WHERE tenant_id = ?1 AND hash = ?2")?
        .exists(params![db.tenant, &hash.0[..]])?;
    if !known {
        execute(
            db,
            "INSERT INTO blobs (tenant_id, hash, content) VALUES (?1, ?2, ?3)",
            params![db.tenant, &hash.0[..], encode(bytes)],
        )?;
    }
    crash_point!("after_blob");
    Ok(())
}

/// The same for a payload that may be absent: then both columns are null.
pub(super) fn optional_payload(db: Db<'_>, bytes: Option<&[u8]>) -> Result<Stored, Fault> {
    bytes.map_or_else(|| Ok(Stored::default()), |bytes| payload(db, bytes))
}

/// Runs a statement that is used again and again.
pub(super) fn execute(db: Db<'_>, sql: &str, values: impl Params) -> Result<(), Fault> {
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The stored form of an id.
pub(super) fn uuid_bytes(id: &Uuid) -> &[u8] {
    id.as_bytes()
}

/// The payload in a column.
pub(super) fn payload_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    let stored = row.get_ref(column)?.as_blob()?;
    decode(stored).ok_or_else(|| unreadable(column, "a payload is damaged"))
}

/// The payload in a column, which may be null.
pub(super) fn optional_payload_at(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Vec<u8>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => payload_at(row, column).map(Some),
    }
}

/// A limit as SQLite takes it; 0 means the usual one, and if there is none, all.
pub(super) fn limit_or(limit: usize, usual: i64) -> i64 {
    match (limit, usual) {
        (0, 0) => -1,
        (0, usual) => usual,
        (limit, _) => i64::try_from(limit).unwrap_or(-1),
    }
}

/// A column with one of a few words.
pub(super) fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    parse(&word).ok_or_else(|| unreadable(column, format!("`{word}` is no word of this program")))
}

/// The error of a column whose content is not what we write.
pub(super) fn unreadable(
    column: usize,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason.into())
}
