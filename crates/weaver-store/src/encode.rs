//! How bytes lie in a column: one byte that says how, then the bytes, compressed
//! where that pays.

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// As they are.
const PLAIN: u8 = 0;
/// Their number in four bytes (little endian), then a raw deflate stream.
const DEFLATED: u8 = 1;
/// The same, of a stream that goes on after [`PHRASES`].
const DEFLATED_AFTER_PHRASES: u8 = 2;

/// Smaller ones are not worth the time.
const DEFLATED_BYTES_MIN: usize = 96;
/// Larger ones repeat themselves: the phrases would cost more time than they save room.
const PHRASES_BYTES_MAX: usize = 8 * 1024;

/// What small rows have in common, the most usual last: a step of a chat takes half
/// the room with it. Rows are unreadable without the very phrases that they were
/// written with, so a change of this file is a new tag beside this one.
static PHRASES: &[u8] = include_bytes!("phrases.1.txt");

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
    let after_phrases = bytes.len() <= PHRASES_BYTES_MAX;
    stored.push(if after_phrases { DEFLATED_AFTER_PHRASES } else { DEFLATED });
    stored.extend_from_slice(&length.to_le_bytes());
    let mut compressor =
        COMPRESSOR.take().unwrap_or_else(|| Compress::new(Compression::new(3), false));
    if after_phrases {
        compressor.set_dictionary(PHRASES).ok()?;
    }
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
        (how @ (&DEFLATED | &DEFLATED_AFTER_PHRASES), rest) => {
            let (length, deflated) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length) as usize;
            // Deflate shrinks at most about a thousandfold: a damaged length must
            // not take all memory.
            if length / 1100 > deflated.len() {
                return None;
            }
            let mut bytes = Vec::with_capacity(length);
            let mut stream = Decompress::new(false);
            if *how == DEFLATED_AFTER_PHRASES {
                stream.set_dictionary(PHRASES).ok()?;
            }
            let status = stream.decompress_vec(deflated, &mut bytes, FlushDecompress::Finish);
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

    /// A step of a graph, as an engine writes it.
    const STEP: &str = r#"{"format":1,"namespace":"","id":"000660c5f3c519ecd0fea8a1287d9d2f","parent":"000660c5f3c519eba8a338c27babbc75","step":2,"source":"loop","time":1795253174869549,"version":3,"changes":[{"channel":"count","version":3,"change":{"set":{"value":5}}},{"channel":"branch:to:add","version":3,"change":"clear"}],"wrote":[[{"value":["count",5]}]]}"#;
    const STORED_1: &str = "02500100008595d10dc0200805574211957110eafe23d41adb3446dbff9790bc3be0d701008811942a2a\
        393ed4a01e92c5f99c8ccdd7b72353b6b41c62569f8a94a2891e871a819d434c9ed0a5902353e055ffb3\
        51da9ee9b5ac9fa44639d4b86c588bf55bb8c07d4bb2a97bcca7dee709";

    #[test]
    fn rows_with_the_usual_phrases_stay_readable() {
        // Written in November 2026; it must never become unreadable.
        let digits = STORED_1.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair));
        let stored: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(pair.expect("ASCII"), 16).expect("hexadecimal digits"))
            .collect();
        assert_eq!(decode(&stored).as_deref(), Some(STEP.as_bytes()));
        assert!(encode(STEP.as_bytes()).len() <= stored.len() + 8);
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
        for (repeats, how) in [(1_000, DEFLATED), (100, DEFLATED_AFTER_PHRASES)] {
            let stored = encode(&b"0123456789".repeat(repeats));
            assert_eq!(stored[0], how);
            for end in 0..stored.len() {
                assert_eq!(decode(&stored[..end]), None, "cut at {end}");
            }
        }
        assert_eq!(decode(&[9, 9]), None);
        assert_eq!(decode(&[DEFLATED, 255, 255, 255, 255, 1]), None);
    }
}
