//! What a node with a cache policy wrote for the same input before.

use weaver_core::{Hash, Timestamp, Value};
use weaver_engine::SavedWrite;
use weaver_engine::effect::CacheKey;
use weaver_store::{CacheEntry, Record, Store};

use crate::codec;
use crate::error::Error;

/// The writes kept under the key, unless they are out of date or cannot be read.
pub async fn get(
    store: &Store,
    key: &CacheKey,
    now: Timestamp,
) -> Result<Option<Vec<SavedWrite<Value>>>, Error> {
    let found = store.cached(hash(key), now).await?;
    Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Keeps the writes under the key, until they expire.
pub fn entry(key: &CacheKey, writes: &[SavedWrite<Value>], expires: Option<Timestamp>) -> Record {
    Record::Cache(CacheEntry { key: hash(key), payload: codec::encode(&writes), expires })
}

fn hash(key: &CacheKey) -> Hash {
    Hash::of_parts([key.node.as_bytes(), key.key.as_bytes()])
}
