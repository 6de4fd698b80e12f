//! Checkpoints and what waits for the end of their superstep.

use weaver_store::*;

use crate::support::*;
use crate::{begin, write};

pub fn checkpoints_form_a_tree(store: &Store) {
    let (id, lane) = begin(store);
    // 1 ── 2 ── 3
    //       └── 4 ── 5
    for (n, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(2)), (5, Some(4))] {
        let mut made = checkpoint(
            &lane,
            checkpoint_id(n),
            parent.map(checkpoint_id),
            id,
            format!("delta {n}").as_bytes(),
        );
        made.step = n as i64 - 2;
        made.meta = format!("meta {n}").into_bytes();
        write(store, made).unwrap();
    }
    let deltas = |n: Option<u128>| -> Vec<String> {
        let chain = get(store.chain(lane.clone(), n.map(checkpoint_id))).unwrap();
        assert_eq!(chain.full, None);
        chain.deltas.into_iter().map(|delta| String::from_utf8(delta).unwrap()).collect()
    };
    assert_eq!(deltas(Some(3)), ["delta 1", "delta 2", "delta 3"]);
    assert_eq!(deltas(None), ["delta 1", "delta 2", "delta 4", "delta 5"]);
    let ids = |before: Option<u128>, limit| -> Vec<u128> {
        get(store.checkpoints(lane.clone(), before.map(checkpoint_id), limit))
            .iter()
            .map(|info| info.id.0.as_u128())
            .collect()
    };
    assert_eq!(ids(None, 0), [5, 4, 3, 2, 1]);
    assert_eq!(ids(Some(4), 2), [3, 2]);
    assert_eq!(ids(Some(99), 2), []);
    let last = get(store.checkpoint(lane.clone(), None)).unwrap();
    assert_eq!((last.id, last.parent, last.step), (checkpoint_id(5), Some(checkpoint_id(4)), 3));
    assert_eq!((last.execution, &*last.meta), (id, &b"meta 5"[..]));
    assert_eq!(get(store.checkpoint(lane.clone(), Some(checkpoint_id(5)))), Some(last));
    assert_eq!(get(store.checkpoint(lane.clone(), Some(checkpoint_id(6)))), None);
    assert_eq!(get(store.checkpoint(Lane::root("nobody"), None)), None);
    assert_eq!(get(store.chain(Lane::root("nobody"), None)), None);
    assert_eq!(get(store.checkpoints(Lane::root("nobody"), None, 0)), []);

    let orphan = checkpoint(&lane, checkpoint_id(9), Some(checkpoint_id(8)), id, b"");
    assert!(matches!(write(store, orphan), Err(Error::Conflict(_))));
    let stray = checkpoint(&Lane::root("other"), checkpoint_id(9), None, id, b"");
    assert!(matches!(write(store, stray), Err(Error::Conflict(_))));
}

pub fn a_full_state_ends_the_chain(store: &Store) {
    let (id, lane) = begin(store);
    for n in 1..=5 {
        let parent = (n > 1).then(|| checkpoint_id(n - 1));
        let mut made = checkpoint(&lane, checkpoint_id(n), parent, id, b"delta");
        if n == 3 {
            made.state = State::Full(b"all".to_vec());
        }
        write(store, made).unwrap();
    }
    let chain = get(store.chain(lane.clone(), None)).unwrap();
    assert_eq!(chain.full.as_deref(), Some(&b"all"[..]));
    assert_eq!(chain.deltas, [b"delta", b"delta"]);
    let mut meter = SnapshotMeter::default();
    assert!(!meter.wants_full(5, || 0) && !meter.wants_full(5, || 0));
    assert_eq!(chain.meter(), meter);
    let earlier = get(store.chain(lane, Some(checkpoint_id(2)))).unwrap();
    assert_eq!((earlier.full, earlier.deltas.len()), (None, 2));
}

pub fn a_checkpoint_is_never_written_twice(store: &Store) {
    let (id, lane) = begin(store);
    let first = checkpoint(&lane, checkpoint_id(1), None, id, b"first");
    write(store, first.clone()).unwrap();
    let second = Checkpoint { state: State::Delta(b"second".to_vec()), ..first.clone() };
    let error = write(store, second).unwrap_err();
    assert!(error.to_string().contains(&checkpoint_id(1).to_string()), "{error}");
    assert_eq!(get(store.chain(lane, None)).unwrap().deltas, [b"first"]);
    let elsewhere = Checkpoint { lane: Lane::new("t", "sub"), ..first };
    assert_eq!(write(store, elsewhere), Ok(()), "an id counts in its lane only");
}

pub fn pending_writes_last_until_their_superstep_ends(store: &Store) {
    let (id, lane) = begin(store);
    let (first, second) = (checkpoint_id(1), checkpoint_id(2));
    let writes = |checkpoint| -> Vec<(String, Vec<u8>)> {
        get(store.pending_writes(lane.clone(), checkpoint))
            .into_iter()
            .map(|write| (write.task.to_string(), write.payload))
            .collect()
    };
    write(store, checkpoint(&lane, first, None, id, b"")).unwrap();
    write(store, pending(&lane, first, "b", b"1")).unwrap();
    write(store, pending(&lane, first, "a", b"2")).unwrap();
    write(store, pending(&lane, first, "b", b"3")).unwrap();
    assert_eq!(writes(first), [("a".into(), b"2".to_vec()), ("b".into(), b"3".to_vec())]);

    // A fork leaves the parent's work alone, the end of its superstep does not.
    let fork = Checkpoint {
        settles_parent: false,
        source: Source::Fork,
        ..checkpoint(&lane, checkpoint_id(7), Some(first), id, b"")
    };
    write(store, fork).unwrap();
    assert_eq!(writes(first).len(), 2);
    let batch = Batch::of(id)
        .with(pending(&lane, first, "c", b"4"))
        .with(checkpoint(&lane, second, Some(first), id, b""))
        .with(pending(&lane, second, "d", b"5"));
    store.append(batch).wait().unwrap();
    assert_eq!(writes(first), []);
    assert_eq!(writes(second), [("d".into(), b"5".to_vec())]);

    write(store, Record::DropPendingWrites(lane.clone(), second)).unwrap();
    assert_eq!(writes(second), []);
}

pub fn namespaces_are_listed_in_order_of_their_first_checkpoint(store: &Store) {
    let (id, lane) = begin(store);
    let mut line = entry(id, 1, b"");
    line.namespace = "only:log".into();
    store.append(Batch::of(id).with(line)).wait().unwrap();
    for (n, namespace) in [(1, "z:1"), (2, ""), (3, "a:1"), (4, "z:1")] {
        let lane = Lane::new(lane.thread.clone(), namespace);
        write(store, checkpoint(&lane, checkpoint_id(n), None, id, b"")).unwrap();
    }
    let namespaces = get(store.namespaces("t".into()));
    assert_eq!(namespaces.iter().map(|n| &**n).collect::<Vec<_>>(), ["z:1", "", "a:1"]);
}
