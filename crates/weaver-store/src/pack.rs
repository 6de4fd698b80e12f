//! Several entries in one row.
//!
//! Each entry is: one byte of flags; the namespace, unless it is that of the
//! entry before; the kind; the step, if there is one; the time, as the difference
//! to the entry before; the payload, or the hash of its blob. Numbers are
//! variable-length, signed ones in zigzag; texts and bytes follow their length.

use std::sync::Arc;

use weaver_core::{Hash, Timestamp};

use crate::ExecutionId;
use crate::record::Entry;

const SAME_NAMESPACE: u8 = 1;
const HAS_STEP: u8 = 2;
const IN_BLOB: u8 = 4;

/// A row is closed when it holds so many bytes: reading one entry unpacks its row.
pub(crate) const PACK_BYTES_MAX: usize = 32 * 1024;

/// Entries of one execution on their way into a row.
#[derive(Default)]
pub(crate) struct Pack {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    namespace: Arc<str>,
    time: i64,
}

/// An entry out of a row. The payload is empty if it is in a blob.
pub(crate) struct Packed {
    pub(crate) entry: Entry,
    pub(crate) blob: Option<Hash>,
}

impl Pack {
    /// Adds the next entry; its payload is left out if it is in a blob.
    pub(crate) fn push(&mut self, entry: &Entry, blob: Option<Hash>) {
        if self.bytes.is_empty() {
            self.first_sequence = entry.sequence;
        }
        self.last_sequence = entry.sequence;
        let same_namespace = self.namespace == entry.namespace;
        let flags = if same_namespace { SAME_NAMESPACE } else { 0 }
            | if entry.step.is_some() { HAS_STEP } else { 0 }
            | if blob.is_some() { IN_BLOB } else { 0 };
        self.bytes.push(flags);
        if !same_namespace {
            put_bytes(&mut self.bytes, entry.namespace.as_bytes());
            self.namespace = entry.namespace.clone();
        }
        put_bytes(&mut self.bytes, entry.kind.as_bytes());
        if let Some(step) = entry.step {
            put_signed(&mut self.bytes, step);
        }
        put_signed(&mut self.bytes, entry.time.0.wrapping_sub(self.time));
        self.time = entry.time.0;
        match blob {
            Some(hash) => self.bytes.extend_from_slice(&hash.0),
            None => put_bytes(&mut self.bytes, &entry.payload),
        }
    }
}

/// A row of entries that is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("entry {sequence} of execution {execution} is damaged")]
pub(crate) struct Damaged {
    execution: ExecutionId,
    sequence: u64,
}

/// The entries of a row whose first has sequence `first`.
pub(crate) fn unpack(
    execution: ExecutionId,
    first: u64,
    bytes: &[u8],
) -> Result<Vec<Packed>, Damaged> {
    let mut cursor = Cursor { bytes, namespace: "".into(), time: 0 };
    let mut entries = Vec::new();
    while !cursor.bytes.is_empty() {
        let sequence = first + entries.len() as u64;
        entries.push(cursor.entry(execution, sequence).ok_or(Damaged { execution, sequence })?);
    }
    Ok(entries)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    namespace: Arc<str>,
    time: i64,
}

impl<'a> Cursor<'a> {
    fn entry(&mut self, execution: ExecutionId, sequence: u64) -> Option<Packed> {
        let flags = self.take(1)?[0];
        if flags & SAME_NAMESPACE == 0 {
            self.namespace = self.text()?;
        }
        let kind = self.text()?;
        let step = if flags & HAS_STEP == 0 { None } else { Some(self.signed()?) };
        self.time = self.time.wrapping_add(self.signed()?);
        let (payload, blob) = if flags & IN_BLOB == 0 {
            (self.counted()?.to_vec(), None)
        } else {
            (Vec::new(), Some(Hash(self.take(32)?.try_into().ok()?)))
        };
        let namespace = self.namespace.clone();
        let time = Timestamp(self.time);
        let entry = Entry { execution, sequence, kind, namespace, step, time, payload };
        Some(Packed { entry, blob })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(self.counted()?).ok().map(Arc::from)
    }
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) {
    put_number(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = (Entry, bool)> {
        let words = ("[a-c]?", "[a-zé]{0,3}");
        let payload = prop::collection::vec(any::<u8>(), 0..200);
        (words, prop::option::of(any::<i64>()), any::<i64>(), payload, any::<bool>()).prop_map(
            |((namespace, kind), step, time, payload, in_blob)| {
                let execution = ExecutionId(uuid::Uuid::nil());
                let (kind, namespace, time) = (kind.into(), namespace.into(), Timestamp(time));
                (Entry { execution, sequence: 0, kind, namespace, step, time, payload }, in_blob)
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(mut entries in prop::collection::vec(entry(), 1..20)) {
            let mut pack = Pack::default();
            for ((entry, in_blob), sequence) in entries.iter_mut().zip(7..) {
                entry.sequence = sequence;
                pack.push(entry, in_blob.then(|| Hash::of(&entry.payload)));
            }
            let id = ExecutionId(uuid::Uuid::nil());
            let unpacked = unpack(id, pack.first_sequence, &pack.bytes).unwrap();
            prop_assert_eq!(unpacked.len(), entries.len());
            for (packed, (entry, in_blob)) in unpacked.into_iter().zip(entries) {
                prop_assert_eq!(packed.blob, in_blob.then(|| Hash::of(&entry.payload)));
                let payload = if in_blob { Vec::new() } else { entry.payload.clone() };
                prop_assert_eq!(packed.entry, Entry { payload, ..entry });
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(ExecutionId(uuid::Uuid::nil()), 1, &bytes);
        }
    }
}
