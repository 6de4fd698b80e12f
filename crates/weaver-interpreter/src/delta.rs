//! A state as what differs from another state.
//!
//! Nine tenths of a saved state are the faces, the same in every module. A
//! snapshot therefore holds pieces: copies from the state of an empty module,
//! and new bytes.

use std::collections::HashMap;

use crate::wire::{Malformed, Reader, Writer};

/// Copies shorter than this are not looked for.
const BLOCK: usize = 24;
/// A state is never larger than this.
const MAX_STATE_BYTES: usize = 256 << 20;

/// What makes `target` out of `base`.
pub(crate) fn encode(base: &[u8], target: &[u8]) -> Vec<u8> {
    let blocks: HashMap<&[u8], usize> =
        base.chunks_exact(BLOCK).enumerate().map(|(i, block)| (block, i * BLOCK)).rev().collect();
    let mut w = Writer::default();
    let (mut at, mut new_from) = (0, 0);
    while at + BLOCK <= target.len() {
        let Some(&found) = blocks.get(&target[at..at + BLOCK]) else {
            at += 1;
            continue;
        };
        let before = common(base[..found].iter().rev(), target[new_from..at].iter().rev());
        let after = common(base[found..].iter(), target[at..].iter());
        w.bytes(&target[new_from..at - before]);
        w.uint((found - before) as u64);
        w.uint((before + after) as u64);
        at += after;
        new_from = at;
    }
    w.bytes(&target[new_from..]);
    w.into_bytes()
}

/// Makes the target again.
pub(crate) fn decode(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut r = Reader::new(delta);
    let mut target = Vec::with_capacity(base.len());
    loop {
        target.extend_from_slice(r.bytes()?);
        if r.rest().is_empty() {
            return Ok(target);
        }
        let start = usize::try_from(r.uint()?).map_err(|_| Malformed)?;
        let len = usize::try_from(r.uint()?).map_err(|_| Malformed)?;
        let end = start.checked_add(len).ok_or(Malformed)?;
        target.extend_from_slice(base.get(start..end).ok_or(Malformed)?);
        if target.len() > MAX_STATE_BYTES {
            return Err(Malformed);
        }
    }
}

fn common<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_makes_its_target_and_is_small() {
        let base: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut target = base.clone();
        target.splice(30_001..30_020, b"something else".iter().copied());
        target.extend_from_slice(&base[100..5_000]);
        let delta = encode(&base, &target);
        assert!(delta.len() < 200, "{}", delta.len());
        assert_eq!(decode(&base, &delta), Ok(target));
        for target in [&b""[..], b"x", &base] {
            assert_eq!(decode(&base, &encode(&base, target)).as_deref(), Ok(target));
        }
        assert_eq!(decode(b"", &encode(&base, &base)), Err(Malformed));
    }
}
