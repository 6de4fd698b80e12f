//! How values lie in columns.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;

use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use weaver_core::{Hash, Timestamp};

use super::fault::Fault;
use crate::BLOB_BYTES_MIN;
use crate::encode::{decode, encode};

/// A `timestamptz`. Both sides count microseconds, from different days.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Timestamp);

/// 2000-01-01, where PostgreSQL's time begins.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// From 4714 BC to 294276 AD.
const MICROS_MIN: i64 = -211_813_488_000_000_000;
const MICROS_END: i64 = 9_223_371_331_200_000_000;

/// A time that PostgreSQL cannot keep.
#[derive(Debug, thiserror::Error)]
#[error("{0} microseconds since 1970 is no time that the store can keep")]
pub(super) struct OutOfRange(i64);

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let micros = self.0.0.checked_sub(EPOCH_MICROS);
        let micros = micros.filter(|micros| (MICROS_MIN..MICROS_END).contains(micros));
        let micros = micros.ok_or(OutOfRange(self.0.0))?;
        out.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Time(Timestamp(i64::from_be_bytes(raw.try_into()?) + EPOCH_MICROS)))
    }

    accepts!(TIMESTAMPTZ);
}

/// Where a payload goes: into its row, or into a blob that the row names.
pub(super) struct Stored {
    pub(super) inline: Option<Vec<u8>>,
    pub(super) blob: Option<Hash>,
}

impl Stored {
    /// Nothing: both columns are null.
    pub(super) const NONE: Stored = Stored { inline: None, blob: None };

    pub(super) fn of(bytes: &[u8]) -> Self {
        match bytes.len() < BLOB_BYTES_MIN {
            true => Stored { inline: Some(encode(bytes)), blob: None },
            false => Stored { inline: None, blob: Some(Hash::of(bytes)) },
        }
    }

    /// The payload's hash: that of its blob, or computed.
    pub(super) fn hash(&self, payload: &[u8]) -> Hash {
        self.blob.unwrap_or_else(|| Hash::of(payload))
    }

    pub(super) fn blob_bytes(&self) -> Option<&[u8]> {
        self.blob.as_ref().map(|hash| &hash.0[..])
    }
}

/// The payload in a column.
pub(super) fn payload_at(row: &Row, column: usize) -> Result<Vec<u8>, Fault> {
    optional_payload_at(row, column)?.ok_or_else(|| Fault::unreadable("a payload is missing"))
}

/// The payload in a column, which may be null.
pub(super) fn optional_payload_at(row: &Row, column: usize) -> Result<Option<Vec<u8>>, Fault> {
    let stored: Option<&[u8]> = row.try_get(column)?;
    let decoded = |stored| decode(stored).ok_or_else(|| Fault::unreadable("a payload is damaged"));
    stored.map(decoded).transpose()
}

/// A hash in a column.
pub(super) fn hash_at(row: &Row, column: usize) -> Result<Hash, Fault> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map(Hash).map_err(|_| Fault::unreadable("a hash has not its length"))
}

/// A time in a column, which may be null.
pub(super) fn time_at(row: &Row, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row.try_get::<_, Option<Time>>(column)?.map(|time| time.0))
}

/// A time in a column.
pub(super) fn some_time_at(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    Ok(row.try_get::<_, Time>(column)?.0)
}

/// A number that was unsigned when it was written.
pub(super) fn count_at(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)? as u64)
}

/// A text in a column.
pub(super) fn text_at<T: for<'a> From<&'a str>>(row: &Row, column: usize) -> Result<T, Fault> {
    Ok(T::from(row.try_get::<_, &str>(column)?))
}

/// A text in a column of bytes.
pub(super) fn bytes_text_at(row: &Row, column: usize) -> Result<String, Fault> {
    let bytes: Vec<u8> = row.try_get(column)?;
    String::from_utf8(bytes).map_err(|_| Fault::unreadable("a text is damaged"))
}

/// A column with one of a few words.
pub(super) fn word_at<T>(
    row: &Row,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Fault> {
    let word: &str = row.try_get(column)?;
    parse(word).ok_or_else(|| Fault::unreadable(format!("`{word}` is no word of this program")))
}

/// A limit; 0 means the usual one, and if there is none, all.
pub(super) fn limit_or(limit: usize, usual: i64) -> Option<i64> {
    match (limit, usual) {
        (0, 0) => None,
        (0, usual) => Some(usual),
        (limit, _) => i64::try_from(limit).ok(),
    }
}
