//! Values that are read beside one that they resemble.
//!
//! A node that changes one entry of a large dict returns the whole dict. What in it
//! is as the pool had sent it becomes the very value that was sent: that costs no
//! memory, and whoever compares the two later sees it without looking into them.

use std::sync::Arc;

use weaver_core::{Map, Value};

use crate::kept::Kept;
use crate::wire::{self, MAX_DEPTH, Malformed, Reader};

/// Whether two values are one, as far as that is seen without looking into them.
pub(crate) fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b),
        (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// Reads what a function returned to which a state was given: an update of it has
/// values for some of its keys.
pub(crate) fn read_update(r: &mut Reader<'_>, kept: &Kept) -> Result<Value, Malformed> {
    if r.rest().first() != Some(&wire::MAP) {
        return r.value();
    }
    r.u8()?;
    let n = r.count()?;
    let mut update = Map::with_capacity(n);
    for _ in 0..n {
        let key = r.str()?;
        let value = read_like(r, kept.get(key), 1)?;
        update.insert(key.into(), value);
    }
    Ok(Value::Map(Arc::new(update)))
}

/// Reads a value that may resemble another.
fn read_like(r: &mut Reader<'_>, like: Option<&Value>, depth: usize) -> Result<Value, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    match (r.rest().first(), like) {
        (Some(&wire::STR), Some(Value::Str(like))) => {
            r.u8()?;
            Ok(Value::Str(text_like(r.str()?, like)))
        }
        (Some(&wire::LIST), Some(Value::List(like))) => {
            r.u8()?;
            Ok(Value::List(list_like(r, like, depth)?))
        }
        (Some(&wire::MAP), Some(Value::Map(like))) => {
            r.u8()?;
            Ok(Value::Map(map_like(r, like, depth)?))
        }
        _ => r.value_at(depth),
    }
}

fn text_like(text: &str, like: &Arc<str>) -> Arc<str> {
    if **like == *text { like.clone() } else { text.into() }
}

fn list_like(
    r: &mut Reader<'_>,
    like: &Arc<Vec<Value>>,
    depth: usize,
) -> Result<Arc<Vec<Value>>, Malformed> {
    let n = r.count()?;
    let mut items = Vec::with_capacity(n);
    let mut same = n == like.len();
    for index in 0..n {
        let before = like.get(index);
        let item = read_like(r, before, depth + 1)?;
        same = same && before.is_some_and(|before| is_same(before, &item));
        items.push(item);
    }
    Ok(if same { like.clone() } else { Arc::new(items) })
}

fn map_like(r: &mut Reader<'_>, like: &Arc<Map>, depth: usize) -> Result<Arc<Map>, Malformed> {
    let n = r.count()?;
    // A copy of the other since something in it turned out to differ.
    let mut changed: Option<Map> = None;
    for index in 0..n {
        let key = r.str()?;
        match like.get_index(index) {
            Some((same_key, before)) if **same_key == *key => {
                let value = read_like(r, Some(before), depth + 1)?;
                if !is_same(before, &value) {
                    changed.get_or_insert_with(|| Map::clone(like))[index] = value;
                }
            }
            _ => {
                let mut map = changed.unwrap_or_else(|| Map::clone(like));
                map.truncate(index);
                let value = r.value_at(depth + 1)?;
                map.insert(key.into(), value);
                return rest_of_map(r, map, n - index - 1, depth);
            }
        }
    }
    if n < like.len() {
        changed.get_or_insert_with(|| Map::clone(like)).truncate(n);
    }
    Ok(changed.map_or_else(|| like.clone(), Arc::new))
}

/// The entries behind those that have the same places.
fn rest_of_map(
    r: &mut Reader<'_>,
    mut map: Map,
    n: usize,
    depth: usize,
) -> Result<Arc<Map>, Malformed> {
    for _ in 0..n {
        let key = r.str()?.into();
        map.insert(key, r.value_at(depth + 1)?);
    }
    Ok(Arc::new(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    fn read_beside(json: &str, like: &Value) -> Value {
        let mut writer = Writer::default();
        writer.value(&Value::from_json(json).unwrap()).unwrap();
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let value = read_like(&mut reader, Some(like), 0).unwrap();
        assert!(reader.rest().is_empty());
        value
    }

    #[test]
    fn a_value_is_read_as_it_is_whatever_it_is_read_beside() {
        let values = [
            r#"{}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":"x","c":[1,2,{"d":null}]}"#,
            r#"{"a":1.0,"b":"x","c":[1,2,{"d":null}]}"#,
            r#"{"b":"x","a":1,"c":[1,2,{"d":null}]}"#,
            r#"{"a":1,"b":"y","c":[1,2,{"d":true,"e":2}],"f":[]}"#,
            r#"{"a":1,"z":0,"c":[1,3]}"#,
            r#"[1,"x",{"a":[]}]"#,
            r#"[1,"x",{"a":[]},2]"#,
            r#"[true,"x"]"#,
            r#""x""#,
            r#"null"#,
        ];
        for json in values {
            for like in values {
                let read = read_beside(json, &Value::from_json(like).unwrap());
                assert_eq!(read.to_json(), json, "beside {like}");
            }
        }
    }

    #[test]
    fn what_is_the_same_is_the_very_same() {
        let like = Value::from_json(r#"{"a":{"long":"text"},"b":[{"c":1}],"d":"one"}"#).unwrap();
        assert!(is_same(&read_beside(&like.to_json(), &like), &like));
        let changed = read_beside(r#"{"a":{"long":"text"},"b":[{"c":1}],"d":"two"}"#, &like);
        for key in ["a", "b"] {
            assert!(is_same(changed.get(key).unwrap(), like.get(key).unwrap()), "{key}");
        }
    }
}
