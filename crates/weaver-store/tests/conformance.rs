//! What every kind of store promises, run on each of them.

mod support;

use support::*;
use weaver_core::event::Usage;
use weaver_core::{Hash, Value};
use weaver_store::*;

/// Runs each scenario on each kind of store.
macro_rules! conformance {
    ($($scenario:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $scenario() {
                super::$scenario(&weaver_store::Store::in_memory());
            })*
        }
        mod sqlite {
            $(#[test] fn $scenario() {
                let dir = tempfile::tempdir().unwrap();
                let store = weaver_store::Store::open_sqlite(dir.path(), Default::default());
                let store = store.unwrap();
                super::$scenario(&store);
                let verification = super::get(store.verify());
                assert_eq!(verification.problems, []);
            })*
        }
    };
}

conformance! {
    executions_are_kept_and_listed_newest_first,
    entries_come_back_in_order_and_chained,
    an_entry_out_of_order_is_refused_with_all_later_batches,
    a_batch_is_all_or_nothing,
    checkpoints_form_a_tree,
    a_full_state_ends_the_chain,
    a_checkpoint_is_never_written_twice,
    pending_writes_last_until_their_superstep_ends,
    effects_are_recorded_once,
    interrupts_wait_for_one_answer,
    large_payloads_come_back,
    items_are_found_by_path_filter_and_time,
    the_cache_forgets_in_time,
    a_thread_is_forgotten_with_all_that_belongs_to_it,
    namespaces_are_listed_in_order_of_their_first_checkpoint,
    versions_are_kept_once,
    unfinished_calls_are_found,
}

const E1: u128 = 1;

/// A store with one execution of thread `t`.
fn begin(store: &Store) -> (ExecutionId, Lane) {
    let id = execution_id(E1);
    store.append(Batch::of(id).with(execution(id, "t"))).wait().unwrap();
    (id, Lane::root("t"))
}

fn write(store: &Store, record: impl Into<Record>) -> Result<()> {
    store.append(Batch::standalone().with(record)).wait()
}

fn executions_are_kept_and_listed_newest_first(store: &Store) {
    for n in 1..=4 {
        let mut begun = execution(execution_id(n), if n == 4 { "other" } else { "t" });
        begun.parent = (n > 1).then(|| execution_id(1));
        begun.version = Some(Hash::of(b"source"));
        write(store, begun.clone()).unwrap();
        assert_eq!(get(store.execution(begun.id)), Some(begun));
    }
    let change = ExecutionChange {
        id: execution_id(2),
        status: ExecutionStatus::Failed,
        ended: Some(at(9)),
        error: Some(b"why".to_vec()),
        totals: Totals {
            usage: Usage { input: 5, cached_read: 1, cached_write: 2, output: 3, reasoning: 4 },
            cost_micros: 77,
        },
    };
    write(store, change.clone()).unwrap();
    let changed = get(store.execution(execution_id(2))).unwrap();
    assert_eq!(
        (changed.status, changed.ended, changed.totals),
        (change.status, change.ended, change.totals)
    );
    assert_eq!(changed.error, change.error);

    let list = |query| -> Vec<u128> {
        get(store.executions(query)).iter().map(|found| found.id.0.as_u128()).collect()
    };
    let of_thread = ExecutionQuery { thread: Some("t".into()), ..Default::default() };
    assert_eq!(list(ExecutionQuery::default()), [4, 3, 2, 1]);
    assert_eq!(list(of_thread.clone()), [3, 2, 1]);
    assert_eq!(list(ExecutionQuery { limit: 1, ..of_thread.clone() }), [3]);
    assert_eq!(list(ExecutionQuery { before: Some(execution_id(3)), ..of_thread.clone() }), [2, 1]);
    let running = ExecutionQuery { status: Some(ExecutionStatus::Running), ..of_thread };
    assert_eq!(list(running), [3, 1]);

    let threads = get(store.threads(10));
    let names: Vec<_> = threads.iter().map(|info| (&*info.thread, info.executions)).collect();
    assert_eq!(names, [("other", 1), ("t", 3)]);
    assert!(matches!(write(store, execution(execution_id(1), "t")), Err(Error::Conflict(_))));
    let missing = ExecutionChange { id: execution_id(99), ..change };
    assert!(matches!(write(store, missing), Err(Error::Conflict(_))));
}

fn entries_come_back_in_order_and_chained(store: &Store) {
    let (id, _) = begin(store);
    assert_eq!(get(store.head(id)).sequence, 0);
    let mut expected = Vec::new();
    let mut heads = vec![get(store.head(id)).hash];
    for sequence in 1..=20 {
        let mut line = entry(id, sequence, format!("payload {sequence}").as_bytes());
        line.namespace = if sequence % 3 == 0 { "sub:1".into() } else { "".into() };
        line.step = (sequence % 4 != 0).then_some(-1);
        expected.push(line.clone());
        store.append(Batch::of(id).with(line)).wait().unwrap();
        heads.push(get(store.head(id)).hash);
    }
    heads.dedup();
    assert_eq!(heads.len(), 21, "each entry moves the head");
    assert_eq!(get(store.entries(id, 0, 0)), expected);
    assert_eq!(get(store.entries(id, 17, 2)), expected[17..19]);
    assert_eq!(get(store.entries(id, 20, 0)), []);
    assert_eq!(get(store.entries(execution_id(9), 0, 0)), []);
}

fn an_entry_out_of_order_is_refused_with_all_later_batches(store: &Store) {
    let (id, _) = begin(store);
    let other = execution_id(2);
    write(store, execution(other, "t")).unwrap();
    let tickets: Vec<_> = [1, 2, 4, 3, 4]
        .map(|sequence| store.append(Batch::of(id).with(entry(id, sequence, b""))))
        .into_iter()
        .collect();
    let neighbour = store.append(Batch::of(other).with(entry(other, 1, b"")));
    let results: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert_eq!(results[..2], [Ok(()), Ok(())]);
    assert!(matches!(&results[2], Err(Error::Conflict(_))));
    for result in &results[3..] {
        assert!(matches!(result, Err(Error::Aborted { .. })), "{result:?}");
    }
    assert_eq!(neighbour.wait(), Ok(()), "another execution is not harmed");
    assert_eq!(get(store.head(id)).sequence, 2);

    get(store.recover(id));
    store.append(Batch::of(id).with(entry(id, 3, b""))).wait().unwrap();
    assert_eq!(get(store.head(id)).sequence, 3);
}

fn a_batch_is_all_or_nothing(store: &Store) {
    let (id, lane) = begin(store);
    let first = checkpoint_id(1);
    write(store, checkpoint(&lane, first, None, id, b"x")).unwrap();
    write(store, pending(&lane, first, "kept", b"1")).unwrap();
    write(store, effect(&lane, id, 0, EffectStatus::Intent, b"")).unwrap();
    let asked = interrupt(&lane, id, first);
    write(store, asked.clone()).unwrap();
    let memory = item(&["a"], "k", r#"{"n":1}"#, 1);
    write(store, memory.clone()).unwrap();
    let batch = Batch::standalone()
        .with(execution(execution_id(5), "five"))
        .with(entry(id, 1, b"lost"))
        .with(pending(&lane, first, "kept", b"2"))
        .with(pending(&lane, first, "lost", b"3"))
        .with(checkpoint(&lane, checkpoint_id(2), Some(first), id, b"lost"))
        .with(checkpoint(&Lane::new("t", "new"), checkpoint_id(2), None, id, b"lost"))
        .with(effect(&lane, id, 0, EffectStatus::Done, b"lost"))
        .with(effect(&lane, id, 1, EffectStatus::Done, b"lost"))
        .with(Record::Answer {
            lane: lane.clone(),
            interrupt: asked.id.clone(),
            answer: b"lost".to_vec(),
            time: at(3),
        })
        .with(item(&["a"], "k", r#"{"n":2}"#, 2))
        .with(item(&["a"], "lost", "{}", 2))
        .with(CacheEntry { key: Hash::of(b"c"), payload: b"lost".to_vec(), expires: None })
        .with(Record::ForgetThread("t".into()))
        .with(entry(id, 7, b"refused"));
    assert!(matches!(store.append(batch).wait(), Err(Error::Conflict(_))));
    assert_eq!(get(store.execution(execution_id(5))), None);
    assert_eq!(get(store.head(id)).sequence, 0);
    assert_eq!(
        get(store.pending_writes(lane.clone(), first)),
        [pending(&lane, first, "kept", b"1")]
    );
    assert_eq!(get(store.checkpoints(lane.clone(), None, 0)).len(), 1);
    assert_eq!(get(store.namespaces("t".into())).len(), 1);
    let effects = get(store.effects(lane.clone(), "t".into()));
    assert_eq!(effects, [effect(&lane, id, 0, EffectStatus::Intent, b"")]);
    assert_eq!(get(store.interrupts("t".into(), true)), [asked]);
    assert_eq!(get(store.item(memory.key.clone(), at(1))), Some(memory));
    assert_eq!(get(store.search_items(ItemSearch::default(), at(1))).len(), 1);
    assert_eq!(get(store.cached(Hash::of(b"c"), at(1))), None);
}

fn checkpoints_form_a_tree(store: &Store) {
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

fn a_full_state_ends_the_chain(store: &Store) {
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

fn a_checkpoint_is_never_written_twice(store: &Store) {
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

fn pending_writes_last_until_their_superstep_ends(store: &Store) {
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

fn effects_are_recorded_once(store: &Store) {
    let (id, lane) = begin(store);
    for (ordinal, status) in [
        (1, EffectStatus::Done),
        (0, EffectStatus::Intent),
        (0, EffectStatus::Failed),
        (0, EffectStatus::Intent),
        (0, EffectStatus::Done),
    ] {
        write(store, effect(&lane, id, ordinal, status, status.as_str().as_bytes())).unwrap();
    }
    let second = effect(&lane, id, 0, EffectStatus::Done, b"second");
    assert!(matches!(write(store, second), Err(Error::Conflict(_))));
    let again = effect(&lane, id, 0, EffectStatus::Intent, b"");
    assert!(matches!(write(store, again), Err(Error::Conflict(_))));
    assert_eq!(
        get(store.effects(lane.clone(), "t".into())),
        [0, 1].map(|ordinal| effect(&lane, id, ordinal, EffectStatus::Done, b"done"))
    );
    assert_eq!(get(store.effects(lane, "other".into())), []);
}

fn unfinished_calls_are_found(store: &Store) {
    let (id, lane) = begin(store);
    let sub = Lane::new("t", "sub");
    for (lane, ordinal, status) in [
        (&lane, 2, EffectStatus::Intent),
        (&lane, 0, EffectStatus::Done),
        (&lane, 1, EffectStatus::Failed),
        (&sub, 0, EffectStatus::Intent),
    ] {
        write(store, effect(lane, id, ordinal, status, b"")).unwrap();
    }
    let open = get(store.open_effects("t".into()));
    let places: Vec<_> =
        open.iter().map(|effect| (&*effect.lane.namespace, effect.ordinal)).collect();
    assert_eq!(places, [("", 2), ("sub", 0)]);
    assert_eq!(get(store.open_effects("other".into())), []);
}

fn interrupt(lane: &Lane, execution: ExecutionId, checkpoint: CheckpointId) -> Interrupt {
    Interrupt {
        lane: lane.clone(),
        id: "i1".into(),
        checkpoint,
        task: "ask".into(),
        execution,
        value: b"\"sure?\"".to_vec(),
        snapshot: Some(vec![7; 8_000]),
        time: at(2),
        answer: None,
    }
}

fn interrupts_wait_for_one_answer(store: &Store) {
    let (id, lane) = begin(store);
    let asked = interrupt(&lane, id, checkpoint_id(1));
    let mut other = Interrupt { id: "i2".into(), snapshot: None, ..asked.clone() };
    write(store, asked.clone()).unwrap();
    write(store, other.clone()).unwrap();
    assert_eq!(get(store.interrupts("t".into(), true)), [asked.clone(), other.clone()]);

    let answer = |text: &str, time| Record::Answer {
        lane: lane.clone(),
        interrupt: "i2".into(),
        answer: text.as_bytes().to_vec(),
        time: at(time),
    };
    write(store, answer("yes", 3)).unwrap();
    assert!(matches!(write(store, answer("no", 4)), Err(Error::Conflict(_))));
    other.answer = Some((b"yes".to_vec(), at(3)));
    assert_eq!(get(store.interrupts("t".into(), true)).len(), 1);
    assert_eq!(get(store.interrupts("t".into(), false)), [asked.clone(), other.clone()]);

    // The same place may ask again; then it is the youngest.
    let again = Interrupt { value: b"\"really?\"".to_vec(), ..asked };
    write(store, again.clone()).unwrap();
    assert_eq!(get(store.interrupts("t".into(), false)), [other, again]);
}

fn large_payloads_come_back(store: &Store) {
    let (id, lane) = begin(store);
    let sizes = [BLOB_BYTES_MIN - 1, BLOB_BYTES_MIN, 3 * BLOB_BYTES_MIN];
    for (i, size) in sizes.into_iter().enumerate() {
        let (sequence, bytes) = (i as u64 + 1, vec![b'x'; size]);
        let checkpoint_id = checkpoint_id(sequence.into());
        let batch = Batch::of(id)
            .with(entry(id, sequence, &bytes))
            .with(checkpoint(&lane, checkpoint_id, None, id, &bytes))
            .with(pending(&lane, checkpoint_id, "t", &bytes))
            .with(effect(&lane, id, i as u32, EffectStatus::Done, &bytes));
        store.append(batch).wait().unwrap();
        assert_eq!(get(store.entries(id, i as u64, 1))[0].payload, bytes);
        assert_eq!(get(store.chain(lane.clone(), None)).unwrap().deltas, [&bytes[..]]);
        assert_eq!(get(store.pending_writes(lane.clone(), checkpoint_id))[0].payload, bytes);
        assert_eq!(get(store.effects(lane.clone(), "t".into()))[i].result, bytes);
    }
}

fn item(namespace: &[&str], key: &str, value: &str, time: i64) -> Item {
    Item {
        key: ItemKey::new(namespace.iter().copied(), key),
        value: Value::from_json(value).unwrap(),
        created: at(time),
        updated: at(time),
        expires: None,
    }
}

fn items_are_found_by_path_filter_and_time(store: &Store) {
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

fn the_cache_forgets_in_time(store: &Store) {
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

fn a_thread_is_forgotten_with_all_that_belongs_to_it(store: &Store) {
    let fill = |n: u128, thread: &str| {
        let (id, lane) = (execution_id(n), Lane::root(thread));
        let batch = Batch::of(id)
            .with(execution(id, thread))
            .with(entry(id, 1, b"line"))
            .with(checkpoint(&lane, checkpoint_id(n), None, id, &vec![n as u8; BLOB_BYTES_MIN]))
            .with(pending(&lane, checkpoint_id(n), "t", b"write"))
            .with(effect(&lane, id, 0, EffectStatus::Intent, b""))
            .with(interrupt(&lane, id, checkpoint_id(n)));
        store.append(batch).wait().unwrap();
    };
    let counts = |n: u128, thread: &str| {
        let lane = Lane::root(thread);
        [
            get(store.execution(execution_id(n))).is_some() as usize,
            get(store.entries(execution_id(n), 0, 0)).len(),
            get(store.checkpoints(lane.clone(), None, 0)).len(),
            get(store.pending_writes(lane, checkpoint_id(n))).len(),
            get(store.open_effects(thread.into())).len(),
            get(store.interrupts(thread.into(), false)).len(),
            get(store.namespaces(thread.into())).len(),
        ]
    };
    fill(1, "gone");
    fill(2, "kept");
    write(store, Record::ForgetThread("gone".into())).unwrap();
    assert_eq!((counts(1, "gone"), counts(2, "kept")), ([0; 7], [1; 7]));
    assert_eq!(get(store.threads(0)).len(), 1);
    fill(1, "gone");
    assert_eq!(counts(1, "gone"), [1; 7], "the name is free again");
}

fn namespaces_are_listed_in_order_of_their_first_checkpoint(store: &Store) {
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

fn versions_are_kept_once(store: &Store) {
    let version = WorkflowVersion {
        hash: Hash::of(b"source"),
        file: "graph.py".into(),
        source: "source".into(),
        created: at(1),
    };
    write(store, version.clone()).unwrap();
    write(store, WorkflowVersion { created: at(2), ..version.clone() }).unwrap();
    assert_eq!(get(store.version(version.hash)), Some(version));
    assert_eq!(get(store.version(Hash::of(b"other"))), None);
}
