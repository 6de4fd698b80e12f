//! Long-term memory and the node cache.

use weaver_core::{Hash, Value};
use weaver_store::*;

use crate::support::*;
use crate::{item, write};

pub fn items_are_found_by_path_filter_and_time(store: &Store) {
    write(store, item(&["users", "ada"], "a", r#"{"n":1}"#, 1)).unwrap();
    write(store, item(&["users", "bob"], "b", r#"{"n":2}"#, 2)).unwrap();
    write(store, item(&["users", "ada", "notes"], "c", r#"{"n":3}"#, 3)).unwrap();
    write(store, item(&["usersx"], "d", r#"{"n":4}"#, 4)).unwrap();
    let fleeting = Item { expires: Some(at(100)), ..item(&["users"], "e", r#"{"n":5}"#, 5) };
    write(store, fleeting.clone()).unwrap();
    // A second put keeps the first time and moves the item to the front.
    write(store, item(&["users", "ada"], "a", r#"{"n":9}"#, 6)).unwrap();

    let find = |prefix: &[&str], filter: &str, offset, limit, now| -> Vec<String> {
        let search = ItemSearch {
            prefix: prefix.iter().map(|part| part.to_string()).collect(),
            filter: Filter::parse(&Value::from_json(filter).unwrap()).unwrap(),
            offset,
            limit,
        };
        get(store.search_items(search, at(now))).into_iter().map(|item| item.key.key).collect()
    };
    assert_eq!(find(&["users"], "{}", 0, 0, 50), ["a", "e", "c", "b"]);
    assert_eq!(find(&["users"], "{}", 1, 2, 50), ["e", "c"]);
    assert_eq!(find(&["users"], "{}", 0, 0, 100), ["a", "c", "b"], "e is over");
    assert_eq!(find(&["users", "ada"], "{}", 0, 0, 50), ["a", "c"]);
    assert_eq!(find(&[], r#"{"n":{"$gt":2,"$lt":9}}"#, 0, 0, 50), ["e", "d", "c"]);

    let key = ItemKey::new(["users", "ada"], "a");
    let found = get(store.item(key.clone(), at(7))).unwrap();
    assert_eq!((found.created, found.updated), (at(1), at(6)));
    assert_eq!(get(store.item(fleeting.key.clone(), at(100))), None);

    let namespaces = |search| -> Vec<String> {
        get(store.item_namespaces(search, at(50))).iter().map(|parts| parts.join("/")).collect()
    };
    let all = NamespaceSearch::default();
    assert_eq!(
        namespaces(all.clone()),
        ["users", "users/ada", "users/ada/notes", "users/bob", "usersx"]
    );
    let under = NamespaceSearch { prefix: vec!["users".into(), "*".into()], ..all.clone() };
    assert_eq!(namespaces(under), ["users/ada", "users/ada/notes", "users/bob"]);
    let cut = NamespaceSearch { depth_max: Some(1), ..all.clone() };
    assert_eq!(namespaces(cut), ["users", "usersx"]);
    let notes = NamespaceSearch { suffix: vec!["notes".into()], ..all };
    assert_eq!(namespaces(notes), ["users/ada/notes"]);

    write(store, Record::ForgetItem(key.clone())).unwrap();
    assert_eq!(get(store.item(key, at(7))), None);
    assert!(matches!(write(store, item(&[""], "x", "{}", 1)), Err(Error::Invalid(_))));
    assert_eq!(get(store.collect_garbage(at(100))).items, 1);
    assert_eq!(get(store.collect_garbage(at(100))).items, 0);
}

pub fn the_cache_forgets_in_time(store: &Store) {
    let key = Hash::of(b"key");
    let put = |payload: &[u8], expires: Option<i64>| {
        write(store, CacheEntry { key, payload: payload.to_vec(), expires: expires.map(at) })
            .unwrap();
    };
    put(b"one", None);
    assert_eq!(get(store.cached(key, at(1_000))), Some(b"one".to_vec()));
    put(b"two", Some(10));
    assert_eq!(get(store.cached(key, at(9))), Some(b"two".to_vec()));
    assert_eq!(get(store.cached(key, at(10))), None);
    assert_eq!(get(store.collect_garbage(at(10))).cache_entries, 1);
    put(b"three", None);
    write(store, Record::ClearCache).unwrap();
    assert_eq!(get(store.cached(key, at(1))), None);
}
