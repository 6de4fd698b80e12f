//! `add_messages`, at a cost that does not grow with the history.

use std::sync::Arc;

use weaver_core::FastMap;

use crate::hash::{Hex, IdHasher};
use crate::value::{MessageRole, REMOVE_ALL_MESSAGES, StateValue};

/// Where each message of a key is, by id; made on first use.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageIndex {
    positions: Option<FastMap<Arc<str>, usize>>,
}

/// What an update did to the list.
pub(crate) enum Added<V> {
    /// Only these were added at its end.
    Appended(Vec<V>),
    /// More than that.
    Changed,
}

/// What LangChain raises when a write cannot be added: for what is no message
/// at all another error than for a message that does not fit.
pub(crate) fn error_class<V: StateValue>(write: &V) -> &'static str {
    let whole = std::slice::from_ref(write);
    let items = write.items().unwrap_or(whole);
    let known = |item: &V| {
        item.message_role().is_some()
            || item.text().is_some()
            || item.fields().is_some()
            || item.items().is_some()
    };
    if items.iter().all(known) { "ValueError" } else { "NotImplementedError" }
}

/// Merges `right` into the list in `slot`. `seed` makes ids for messages that have none.
pub(crate) fn add<V: StateValue>(
    slot: &mut Option<V>,
    index: &mut MessageIndex,
    right: V,
    seed: (u128, u64),
) -> Result<Added<V>, String> {
    let mut changed = prepare_left(slot, index, seed)?;
    let right = coerce(right, seed, 0)?;
    let all = |message: &V| {
        message.message_role() == Some(MessageRole::Remove)
            && message.message_id().as_deref() == Some(REMOVE_ALL_MESSAGES)
    };
    if let Some(position) = right.iter().rposition(all) {
        *slot = Some(V::from_items(right[position + 1..].to_vec()));
        index.positions = None;
        return Ok(Added::Changed);
    }
    let positions = index.positions.as_mut().expect("prepare_left made the index");
    let list = slot.as_mut().expect("prepare_left made the list");
    let mut appended = Vec::new();
    let mut removed: Vec<Arc<str>> = Vec::new();
    let mut length = list.items().map_or(0, <[V]>::len);
    for message in right {
        let id = message.message_id().expect("coerced messages have ids");
        match (positions.get(&id), message.message_role()) {
            (Some(_), Some(MessageRole::Remove)) => removed.push(id),
            (Some(&position), _) => {
                removed.retain(|other| *other != id);
                list.replace(position, message);
                changed = true;
            }
            (None, Some(MessageRole::Remove)) => {
                return Err(format!(
                    "Attempting to delete a message with an ID that doesn't exist ('{id}')"
                ));
            }
            (None, _) => {
                positions.insert(id, length);
                length += 1;
                list.append(std::slice::from_ref(&message));
                appended.push(message);
            }
        }
    }
    if !removed.is_empty() {
        let keep = |message: &&V| message.message_id().is_none_or(|id| !removed.contains(&id));
        let kept = list.items().unwrap_or_default().iter().filter(keep).cloned().collect();
        *list = V::from_items(kept);
        index.positions = None;
        changed = true;
    }
    Ok(if changed { Added::Changed } else { Added::Appended(appended) })
}

/// Merges `right` into a list only if that does no more than append; the items.
pub(crate) fn add_if_append<V: StateValue>(
    slot: &mut Option<V>,
    index: &mut MessageIndex,
    right: &V,
    seed: (u128, u64),
) -> Option<Vec<V>> {
    if index.positions.is_none() && !slot.as_ref().is_some_and(is_proper) {
        return None;
    }
    prepare_left(slot, index, seed).ok()?;
    let right = coerce(right.clone(), seed, 0).ok()?;
    let positions = index.positions.as_mut()?;
    let list = slot.as_mut()?;
    let mut ids: Vec<Arc<str>> = Vec::with_capacity(right.len());
    for message in &right {
        let id = message.message_id()?;
        let plain = message.message_role() == Some(MessageRole::Message);
        if !plain || positions.contains_key(&id) || ids.contains(&id) {
            return None;
        }
        ids.push(id);
    }
    let length = list.items().map_or(0, <[V]>::len);
    positions.extend(ids.into_iter().zip(length..));
    list.append(&right);
    Some(right)
}

/// Makes the slot a list of messages with ids, and the index of it. True if the
/// list had to be changed for that.
fn prepare_left<V: StateValue>(
    slot: &mut Option<V>,
    index: &mut MessageIndex,
    seed: (u128, u64),
) -> Result<bool, String> {
    if index.positions.is_some() && slot.is_some() {
        return Ok(false);
    }
    let left = slot.take().unwrap_or_else(|| V::from_items(Vec::new()));
    let proper = is_proper(&left);
    let list = if proper { left } else { V::from_items(coerce(left, seed, 1)?) };
    let ids = list.items().unwrap_or_default().iter().map(|item| item.message_id());
    index.positions =
        Some(ids.enumerate().filter_map(|(position, id)| Some((id?, position))).collect());
    *slot = Some(list);
    Ok(!proper)
}

/// Whether this is a list of messages that all have ids.
fn is_proper<V: StateValue>(list: &V) -> bool {
    list.items().is_some_and(|items| items.iter().all(|item| item.message_id().is_some()))
}

/// A list of messages with ids, of whatever `add_messages` takes.
fn coerce<V: StateValue>(value: V, seed: (u128, u64), side: u64) -> Result<Vec<V>, String> {
    let items = match value.items() {
        // A tuple `(role, text)` is one message; it has become a list on its way here.
        Some([role, text]) if is_role(role) && text.text().is_some() => vec![value],
        Some(items) => items.to_vec(),
        None => vec![value],
    };
    let mut messages = Vec::with_capacity(items.len());
    for (ordinal, item) in items.into_iter().enumerate() {
        let message = item.into_message()?;
        messages.push(match message.message_id() {
            Some(_) => message,
            None => message.with_message_id(message_id(seed, side, ordinal)),
        });
    }
    Ok(messages)
}

fn is_role<V: StateValue>(word: &V) -> bool {
    let roles = ["user", "human", "assistant", "ai", "system", "developer"];
    word.text().is_some_and(|word| roles.contains(&&*word))
}

/// An id for a message that has none: shaped like those that LangGraph gives.
pub(crate) fn message_id(seed: (u128, u64), side: u64, ordinal: usize) -> Arc<str> {
    let hash = IdHasher::new(7).wide(seed.0).number(seed.1).number(side).number(ordinal as u64);
    let hex = Hex::of(hash.finish());
    let mut id = String::with_capacity(36);
    for part in [&hex[..8], "-", &hex[8..12], "-", &hex[12..16], "-", &hex[16..20], "-", &hex[20..]]
    {
        id.push_str(part);
    }
    id.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weaver_core::Value;

    #[track_caller]
    fn check(left: &str, right: &str, expected: &str) {
        let read = |text| Value::from_json(text).expect("the test's own JSON");
        let mut slot = Some(read(left));
        let result = add(&mut slot, &mut MessageIndex::default(), read(right), (1, 2));
        let shown = match result {
            Err(error) => error,
            Ok(_) => slot
                .iter()
                .flat_map(|list| list.as_list().unwrap_or_default())
                .map(|message| {
                    let part = |key| message.get(key).and_then(Value::as_str).unwrap_or("?");
                    format!("{}={} ", part("id"), part("content"))
                })
                .collect(),
        };
        assert_eq!(shown.trim(), expected);
    }

    const LEFT: &str =
        r#"[{"role":"user","content":"a","id":"1"},{"role":"ai","content":"b","id":"2"}]"#;

    #[test]
    fn appends_replaces_and_removes() {
        check(LEFT, r#"{"role":"ai","content":"c","id":"3"}"#, "1=a 2=b 3=c");
        check(LEFT, r#"[{"role":"ai","content":"B","id":"2"}]"#, "1=a 2=B");
        check(LEFT, r#"[{"role":"remove","id":"1"}]"#, "2=b");
        check(
            LEFT,
            r#"[{"role":"remove","id":"1"},{"role":"user","content":"A","id":"1"}]"#,
            "1=A 2=b",
        );
        check(
            LEFT,
            r#"[{"role":"remove","id":"9"}]"#,
            "Attempting to delete a message with an ID that doesn't exist ('9')",
        );
        check(
            LEFT,
            r#"[{"role":"user","content":"x","id":"0"},{"role":"remove","id":"__remove_all__"},{"role":"user","content":"n","id":"5"}]"#,
            "5=n",
        );
    }

    #[test]
    fn a_pair_of_role_and_text_is_one_message() {
        let contents = |right: &str| {
            let right = Value::from_json(right).expect("the test's own JSON");
            let mut slot = None;
            add(&mut slot, &mut MessageIndex::default(), right, (1, 1)).expect("they are messages");
            let list = slot.as_ref().and_then(Value::as_list).unwrap_or_default();
            let texts = list.iter().filter_map(|message| message.get("content")?.as_str());
            texts.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(contents(r#"["user","hi"]"#), "hi");
        assert_eq!(contents(r#"["hi","you"]"#), "hi you");
        assert_eq!(contents(r#"[["user","a"],["ai","b"]]"#), "a b");
    }

    /// `add_messages` as its definition reads, on (id, text) pairs.
    fn plainly(mut list: Vec<(u8, u32)>, update: &[(u8, u32, bool)]) -> Option<Vec<(u8, u32)>> {
        let mut removed = Vec::new();
        for (id, text, remove) in update {
            let known = list.iter_mut().find(|(other, _)| other == id);
            match (known, remove) {
                (Some(_), true) => removed.push(*id),
                (Some(message), false) => {
                    message.1 = *text;
                    removed.retain(|other| other != id);
                }
                (None, true) => return None,
                (None, false) => list.push((*id, *text)),
            }
        }
        list.retain(|(id, _)| !removed.contains(id));
        Some(list)
    }

    proptest::proptest! {
        #[test]
        fn the_index_never_shows(updates in proptest::collection::vec(
            proptest::collection::vec((0u8..6, 0u32..100, proptest::bool::weighted(0.2)), 0..4), 0..12)
        ) {
            let message = |(id, text, remove): &(u8, u32, bool)| {
                let role = if *remove { "remove" } else { "ai" };
                let id = Value::str(id.to_string());
                Value::map([("role", role.into()), ("id", id), ("content", Value::Int(i64::from(*text)))])
            };
            let (mut slot, mut index, mut plain) = (None, MessageIndex::default(), Vec::new());
            for update in &updates {
                let right = Value::list(update.iter().map(message));
                let before = slot.clone();
                let result = add(&mut slot, &mut index, right, (1, 1));
                let Some(expected) = plainly(plain.clone(), update) else {
                    proptest::prop_assert!(result.is_err());
                    // A failed step ends the run; here it starts over.
                    (slot, index) = (before, MessageIndex::default());
                    continue;
                };
                proptest::prop_assert!(result.is_ok());
                plain = expected;
                let shown: Vec<(u8, u32)> = slot.as_ref().and_then(Value::as_list).unwrap_or_default().iter().map(|message| {
                    let id = message.message_id().unwrap().parse().unwrap();
                    (id, message.get("content").and_then(Value::as_int).unwrap() as u32)
                }).collect();
                proptest::prop_assert_eq!(&shown, &plain);
            }
        }
    }

    #[test]
    fn ids_are_given_and_are_the_same_every_time() {
        let run = || {
            let mut slot = None;
            add(&mut slot, &mut MessageIndex::default(), Value::str("hi"), (7, 1)).unwrap();
            slot.unwrap().as_list().unwrap()[0].message_id().unwrap()
        };
        assert_eq!(run(), run());
    }
}
