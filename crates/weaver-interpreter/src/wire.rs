//! The bytes between pool and worker: length-prefixed frames of values.
//!
//! A frame is a little-endian `u32` length and that many bytes. Numbers are
//! LEB128 varints, text is a length and UTF-8, a value is a tag byte and its
//! parts. Both ends are the same binary, so there is no version; what a worker
//! sends is nevertheless checked as hostile: lengths, UTF-8, depth.

use std::sync::Arc;

use weaver_core::{Map, Value};

/// Values nest at most this deep on their way in or out.
pub(crate) const MAX_DEPTH: usize = 200;

pub(crate) const NULL: u8 = 0;
pub(crate) const FALSE: u8 = 1;
pub(crate) const TRUE: u8 = 2;
pub(crate) const INT: u8 = 3;
pub(crate) const FLOAT: u8 = 4;
pub(crate) const STR: u8 = 5;
pub(crate) const LIST: u8 = 6;
pub(crate) const MAP: u8 = 7;
// What a worker keeps ([`crate::kept`]); only on the way to it. Each with a slot.
/// A value follows: use and keep it.
pub(crate) const KEEP: u8 = 8;
/// Use what is kept.
pub(crate) const KEPT: u8 = 9;
/// A list or map follows: add it to what is kept, and use that.
pub(crate) const MORE: u8 = 10;

/// The bytes do not hold what they should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Builds one frame.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A frame that starts with the kind of its message.
    pub(crate) fn frame(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend([0, 0, 0, 0, kind]);
        Writer { bytes }
    }

    /// The frame with its length in front.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len() - 4).expect("a frame is limited far below 4 GiB");
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        self.bytes
    }

    /// The bytes without a frame.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn u8(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn uint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn str(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Bytes that are already encoded.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn int(&mut self, n: i64) {
        self.u8(INT);
        self.uint(((n << 1) ^ (n >> 63)) as u64);
    }

    pub(crate) fn float(&mut self, x: f64) {
        self.u8(FLOAT);
        self.raw(&x.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.u8(STR);
        self.str(text);
    }

    /// A value; fails when it nests deeper than [`MAX_DEPTH`].
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Malformed> {
        self.value_at(value, 0)
    }

    /// The entries of a map, without its tag byte.
    pub(crate) fn map(&mut self, map: &Map) -> Result<(), Malformed> {
        self.map_at(map, 0)
    }

    fn value_at(&mut self, value: &Value, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        match value {
            Value::Null => self.u8(NULL),
            Value::Bool(false) => self.u8(FALSE),
            Value::Bool(true) => self.u8(TRUE),
            Value::Int(n) => self.int(*n),
            Value::Float(x) => self.float(*x),
            Value::Str(text) => self.text(text),
            Value::List(items) => {
                self.u8(LIST);
                self.uint(items.len() as u64);
                for item in items.iter() {
                    self.value_at(item, depth + 1)?;
                }
            }
            Value::Map(map) => {
                self.u8(MAP);
                self.map_at(map, depth)?;
            }
        }
        Ok(())
    }

    fn map_at(&mut self, map: &Map, depth: usize) -> Result<(), Malformed> {
        self.uint(map.len() as u64);
        for (key, value) in map {
            self.str(key);
            self.value_at(value, depth + 1)?;
        }
        Ok(())
    }
}

/// Reads one frame's bytes.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.bytes.split_first().ok_or(Malformed)?;
        self.bytes = rest;
        Ok(*byte)
    }

    pub(crate) fn uint(&mut self) -> Result<u64, Malformed> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(Malformed)
    }

    /// A count of things that take at least one byte each, so that a forged
    /// count cannot reserve more memory than the frame itself has.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let n = usize::try_from(self.uint()?).map_err(|_| Malformed)?;
        if n > self.bytes.len() { Err(Malformed) } else { Ok(n) }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.count()?;
        let (head, rest) = self.bytes.split_at(n);
        self.bytes = rest;
        Ok(head)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// The number after an [`INT`] tag.
    pub(crate) fn int(&mut self) -> Result<i64, Malformed> {
        let n = self.uint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// The number after a [`FLOAT`] tag.
    pub(crate) fn float(&mut self) -> Result<f64, Malformed> {
        let (head, rest) = self.bytes.split_at_checked(8).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(f64::from_le_bytes(head.try_into().expect("eight bytes")))
    }

    pub(crate) fn value(&mut self) -> Result<Value, Malformed> {
        self.value_at(0)
    }

    /// A value that stands that deep in another.
    pub(crate) fn value_at(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        Ok(match self.u8()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(self.int()?),
            FLOAT => Value::Float(self.float()?),
            STR => Value::str(self.str()?),
            LIST => {
                let n = self.count()?;
                let mut items = Vec::with_capacity(n);
                for _ in 0..n {
                    items.push(self.value_at(depth + 1)?);
                }
                Value::List(Arc::new(items))
            }
            MAP => Value::Map(Arc::new(self.map_at(depth)?)),
            _ => return Err(Malformed),
        })
    }

    fn map_at(&mut self, depth: usize) -> Result<Map, Malformed> {
        let n = self.count()?;
        let mut map = Map::with_capacity(n);
        for _ in 0..n {
            let key = self.str()?.into();
            map.insert(key, self.value_at(depth + 1)?);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &Value) -> Value {
        let mut writer = Writer::default();
        writer.value(value).unwrap();
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let back = reader.value().unwrap();
        assert!(reader.rest().is_empty());
        back
    }

    #[test]
    fn values_come_back_as_they_went() {
        let text =
            r#"{"a":[null,true,-1,9223372036854775807,-9223372036854775808,1.5,"é"],"b":{}}"#;
        let value = Value::from_json(text).unwrap();
        assert_eq!(round_trip(&value).to_json(), text);
    }

    #[test]
    fn forged_counts_and_endless_nesting_are_refused() {
        assert_eq!(
            Reader::new(&[LIST, 0xff, 0xff, 0xff, 0xff, 0x0f]).value().unwrap_err(),
            Malformed
        );
        let nested: Vec<u8> = std::iter::repeat_n([LIST, 1], 10_000).flatten().collect();
        assert_eq!(Reader::new(&nested).value().unwrap_err(), Malformed);
        let deep = (0..300).fold(Value::Null, |inner, _| Value::list([inner]));
        assert_eq!(Writer::default().value(&deep).unwrap_err(), Malformed);
    }
}
