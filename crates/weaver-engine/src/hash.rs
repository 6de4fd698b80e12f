//! Ids: 128-bit, deterministic, stable across versions and platforms.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weaver_core::Timestamp;

/// A fast 128-bit hash for ids. Not for content that an attacker may choose:
/// a collision would need two tasks of one execution to agree on all 128 bits.
///
/// The result is part of the checkpoint format: resuming finds a task by its id.
#[derive(Clone, Copy, Debug)]
pub struct IdHasher(u64, u64);

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd1b5_4a32_d192_ed03;

impl IdHasher {
    /// Starts with a purpose, so that ids of different kinds never meet.
    pub fn new(purpose: u64) -> Self {
        IdHasher(purpose ^ K0, purpose.wrapping_mul(K1) ^ K1)
    }

    /// Adds a number.
    pub fn number(self, n: u64) -> Self {
        let a = fold(self.0 ^ n, K1);
        IdHasher(a ^ self.1.rotate_left(23), fold(self.1.wrapping_add(n), K0) ^ a)
    }

    /// Adds 128 bits.
    pub fn wide(self, n: u128) -> Self {
        self.number(n as u64).number((n >> 64) as u64)
    }

    /// Adds text; its length is part of it.
    pub fn text(self, text: &str) -> Self {
        let mut hasher = self.number(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            hasher = hasher.number(u64::from_le_bytes(bytes));
        }
        hasher
    }

    /// The 128 bits.
    pub fn finish(self) -> u128 {
        let IdHasher(a, b) = self.number(K0 ^ K1);
        (u128::from(fold(a, b | 1)) << 64) | u128::from(fold(b ^ K0, a | 1))
    }
}

/// The 32 hex digits of an id. Names of subgraphs and messages are made of them in
/// every step, and `{:032x}` costs several times as much.
pub(crate) struct Hex([u8; 32]);

impl Hex {
    pub fn of(bits: u128) -> Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        Hex(digits)
    }
}

impl std::ops::Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }
}

/// Multiplies to 128 bits and folds the halves together.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Hex::of(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Hex::of(self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let bits = if digits { u128::from_str_radix(text, 16).ok() } else { None };
                bits.map($name).ok_or_else(|| format!("`{text}` is no id of 32 hex digits"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type! {
    /// A checkpoint: the upper half is a moment in microseconds, strictly larger
    /// than its parent's, so ids of one namespace sort by age, as 32 hex digits too.
    CheckpointId
}

id_type! {
    /// A task: the hash of checkpoint, namespace, step, node and path, so a
    /// step that starts again has the same tasks.
    TaskId
}

id_type! {
    /// A pending question: the hash of the task's namespace and the question's
    /// position in the task.
    InterruptId
}

impl CheckpointId {
    /// The id of a checkpoint taken `now`, later than `floor`; `salt` tells apart
    /// checkpoints of one moment (the namespace and the step).
    pub(crate) fn next(now: Timestamp, floor: Option<CheckpointId>, salt: IdHasher) -> Self {
        let time = u64::try_from(now.0).unwrap_or(0);
        let time = match floor {
            Some(floor) => time.max((floor.0 >> 64) as u64 + 1),
            None => time,
        };
        let low = salt.wide(floor.map_or(0, |floor| floor.0)).number(time).finish() as u64;
        CheckpointId((u128::from(time) << 64) | u128::from(low))
    }

    /// The moment in it: when the input was given that it goes back to, plus one
    /// microsecond for each checkpoint since.
    pub fn time(self) -> Timestamp {
        Timestamp((self.0 >> 64) as i64)
    }
}

impl InterruptId {
    /// The id of the `index`-th question of the task whose namespace this is.
    pub fn of(task_namespace: &str, index: usize) -> Self {
        InterruptId(IdHasher::new(3).text(task_namespace).number(index as u64).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_ids_sort_by_age_even_when_the_clock_goes_back() {
        let salt = IdHasher::new(1);
        let first = CheckpointId::next(Timestamp(1000), None, salt);
        let second = CheckpointId::next(Timestamp(10), Some(first), salt);
        assert!(second > first && second.to_string() > first.to_string());
        assert_eq!(second.time(), Timestamp(1001));
        assert_eq!(second.to_string().parse(), Ok(second));
    }

    #[test]
    fn ids_are_a_promise() {
        assert_eq!(InterruptId::of("a", 0), InterruptId::of("a", 0));
        assert_ne!(InterruptId::of("a", 0), InterruptId::of("a", 1));
        assert_ne!(IdHasher::new(1).text("ab").finish(), IdHasher::new(1).text("ab\0").finish());
    }
}
