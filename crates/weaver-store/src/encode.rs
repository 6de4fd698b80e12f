//! How bytes lie in a column: one byte that says how, then the bytes, compressed
//! where that pays.

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// As they are.
const PLAIN: u8 = 0;
/// Their number in four bytes (little endian), then a raw deflate stream.
const DEFLATED: u8 = 1;

/// Smaller ones are not worth the time.
const DEFLATED_BYTES_MIN: usize = 256;

thread_local! {
    /// Making one costs more than using it. Only one whose stream has ended comes
    /// back: zlib-rs 0.6.8 keeps unwritten output over a reset, and panics later.
    static COMPRESSOR: Cell<Option<Compress>> = const { Cell::new(None) };
}

/// The stored form.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= DEFLATED_BYTES_MIN
        && let Some(deflated) = deflate(bytes)
    {
        return deflated;
    }
    let mut stored = Vec::with_capacity(bytes.len() + 1);
    stored.push(PLAIN);
    stored.extend_from_slice(bytes);
    stored
}

/// The compressed form, if it saves an eighth or more.
fn deflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?;
    // Room for bytes that do not compress, so that the stream always ends.
    let mut stored = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 64);
    stored.push(DEFLATED);
    stored.extend_from_slice(&length.to_le_bytes());
    let mut compressor =
        COMPRESSOR.take().unwrap_or_else(|| Compress::new(Compression::new(3), false));
    let status = compressor.compress_vec(bytes, &mut stored, FlushCompress::Finish);
    if !matches!(status, Ok(Status::StreamEnd)) {
        return None;
    }
    compressor.reset();
    COMPRESSOR.set(Some(compressor));
    (stored.len() <= bytes.len() - bytes.len() / 8).then_some(stored)
}

/// The bytes of a stored form; nothing if it is damaged.
pub(crate) fn decode(stored: &[u8]) -> Option<Vec<u8>> {
    match stored.split_first()? {
        (&PLAIN, bytes) => Some(bytes.to_vec()),
        (&DEFLATED, rest) => {
            let (length, deflated) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length) as usize;
            // Deflate shrinks at most about a thousandfold: a damaged length must
            // not take all memory.
            if length / 1100 > deflated.len() {
                return None;
            }
            let mut bytes = Vec::with_capacity(length);
            let status = Decompress::new(false).decompress_vec(
                deflated,
                &mut bytes,
                FlushDecompress::Finish,
            );
            let complete = matches!(status, Ok(Status::StreamEnd)) && bytes.len() == length;
            complete.then_some(bytes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_comes_back() {
        let text = "the same words again and again, ".repeat(100);
        for bytes in [b"", &b"short"[..], text.as_bytes(), &vec![0; 10_000_000]] {
            assert_eq!(decode(&encode(bytes)).as_deref(), Some(bytes));
        }
        assert!(encode(text.as_bytes()).len() < text.len() / 10);
    }

    #[test]
    fn what_does_not_compress_comes_back_too() {
        let mut random = 1_u64;
        for length in (200..40_000).step_by(331) {
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) as u8
            };
            let noise: Vec<u8> = (0..length).map(|_| next()).collect();
            let stored = encode(&noise);
            assert_eq!((stored[0], stored.len()), (PLAIN, length + 1));
            assert_eq!(decode(&stored), Some(noise));
            let text = b"compresses well, ".repeat(length / 17);
            assert_eq!(decode(&encode(&text)), Some(text));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let stored = encode(&b"0123456789".repeat(100));
        assert_eq!(stored[0], DEFLATED);
        for end in 0..stored.len() {
            assert_eq!(decode(&stored[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(&[9, 9]), None);
        assert_eq!(decode(&[DEFLATED, 255, 255, 255, 255, 1]), None);
    }
}
