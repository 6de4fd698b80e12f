//! The size of a picture, from the first bytes of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The kind of a picture by its first bytes; none for kinds that we do not know.
pub(crate) fn kind(base64: &str) -> Option<&'static str> {
    let bytes = STANDARD.decode(base64.get(..16)?).ok()?;
    let is = |start: &[u8]| bytes.starts_with(start);
    match () {
        () if is(b"\x89PNG") => Some("image/png"),
        () if is(b"\xff\xd8\xff") => Some("image/jpeg"),
        () if is(b"GIF8") => Some("image/gif"),
        () if is(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Some("image/webp"),
        () => None,
    }
}

/// Width and height in pixels of a PNG, GIF, JPEG or WebP in base64; none for others.
pub(crate) fn size(base64: &str) -> Option<(u32, u32)> {
    // The header is near the beginning; a photograph's may come after its thumbnail.
    let head = base64.get(..base64.len().min(256 << 10) / 4 * 4)?;
    let bytes = STANDARD.decode(head).ok()?;
    let be =
        |at: usize| Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let le =
        |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        return Some((word(16)?, word(20)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((le(6)?, le(8)?));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return match bytes.get(12..16)? {
            b"VP8 " => Some((le(26)? & 0x3fff, le(28)? & 0x3fff)),
            b"VP8X" => Some((
                1 + (le(24)? | u32::from(*bytes.get(26)?) << 16),
                1 + (le(27)? | u32::from(*bytes.get(29)?) << 16),
            )),
            _ => None,
        };
    }
    if bytes.starts_with(b"\xff\xd8") {
        let mut at = 2;
        while *bytes.get(at)? == 0xff {
            let marker = *bytes.get(at + 1)?;
            // A frame header; the others in this range are tables.
            if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                return Some((be(at + 7)?, be(at + 5)?));
            }
            at += 2 + be(at + 2)? as usize;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<(u32, u32)> {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(3), 0);
        size(&STANDARD.encode(bytes))
    }

    #[test]
    fn sizes_of_every_kind() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\x40\0\0\0\xf0";
        assert_eq!(of(png), Some((320, 240)));
        assert_eq!(of(b"GIF89a\x40\x01\xf0\x00"), Some((320, 240)));
        let jpeg =
            b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff\xc4\x00\x02\xff\xc2\x00\x11\x08\x00\xf0\x01\x40";
        assert_eq!(of(jpeg), Some((320, 240)));
        let webp = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0";
        assert_eq!(of(webp), Some((320, 240)));
        assert_eq!(of(b"%PDF-1.7"), None);
        assert_eq!(size("not base64!"), None);
    }
}
