//! Executions, their logs, batches.

use weaver_core::Hash;
use weaver_core::event::Usage;
use weaver_store::*;

use crate::support::*;
use crate::{begin, interrupt, item, write};

pub fn an_execution_stands_where_its_log_and_its_thread_end(store: &Store) {
    let (first, second) = (execution_id(1), execution_id(2));
    let standing = |id| get(store.standing(id)).unwrap();
    assert_eq!(get(store.standing(first)), None);
    write(store, execution(first, "t")).unwrap();
    assert_eq!((standing(first).head.sequence, standing(first).latest), (0, None));

    let (root, below) = (Lane::root("t"), Lane::new("t", "below"));
    write(store, checkpoint(&root, checkpoint_id(1), None, first, b"")).unwrap();
    write(store, checkpoint(&below, checkpoint_id(2), None, first, b"")).unwrap();
    write(store, checkpoint(&Lane::root("other"), checkpoint_id(3), None, first, b"")).unwrap_err();
    get(store.recover(first));
    write(store, entry(first, 1, b"a")).unwrap();
    write(store, execution(second, "t")).unwrap();
    for id in [first, second] {
        let Standing { execution, head, latest } = standing(id);
        assert_eq!(Some(execution), get(store.execution(id)));
        assert_eq!(head, get(store.head(id)));
        assert_eq!(latest, get(store.checkpoint(root.clone(), None)));
    }
}

pub fn a_log_is_known_by_its_ends(store: &Store) {
    let id = execution_id(1);
    write(store, execution(id, "t")).unwrap();
    assert_eq!(get(store.ends(id)), None);
    // Of one batch, of several, and one that is kept beside the log.
    let mut entries = vec![entry(id, 1, b"a")];
    write(store, entries[0].clone()).unwrap();
    assert_eq!(get(store.ends(id)), Some((entries[0].clone(), entries[0].clone())));
    entries.extend([entry(id, 2, b"b"), entry(id, 3, b"c"), entry(id, 4, &noise(4, 100_000))]);
    let batch = entries[1..].iter().fold(Batch::of(id), |batch, entry| batch.with(entry.clone()));
    store.append(batch).wait().unwrap();
    assert_eq!(get(store.ends(id)), Some((entries[0].clone(), entries[3].clone())));
    assert_eq!(get(store.ends(execution_id(2))), None);
}

pub fn executions_are_kept_and_listed_newest_first(store: &Store) {
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

    write(store, Record::Pin(execution_id(2), Hash::of(b"changed"))).unwrap();
    let pinned = get(store.execution(execution_id(2))).unwrap();
    assert_eq!(pinned, Execution { version: Some(Hash::of(b"changed")), ..changed });
    let unknown = Record::Pin(execution_id(9), Hash::of(b"changed"));
    assert!(matches!(write(store, unknown), Err(Error::Conflict(_))));

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

pub fn entries_come_back_in_order_and_chained(store: &Store) {
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

pub fn entries_of_one_batch_are_read_from_any_place(store: &Store) {
    let (id, _) = begin(store);
    let lines: Vec<Entry> = (1..=600)
        .map(|sequence| {
            let mut line = entry(id, sequence, &noise(sequence, 150));
            line.time = at([1_795_227_388_004_000, -5, i64::MAX, i64::MIN][sequence as usize % 4]);
            line.namespace = ["", "", "sub:1"][sequence as usize % 3].into();
            line.step = [None, Some(-1), Some(i64::MAX)][sequence as usize % 3];
            line
        })
        .collect();
    let mut batch = Batch::of(id);
    lines.iter().cloned().for_each(|line| batch.push(line));
    store.append(batch).wait().unwrap();
    for after in [0, 1, 99, 300, 301, 598, 599, 600, 601] {
        let rest = &lines[(after as usize).min(600)..];
        for limit in [1, 2, 250, 1_000] {
            let expected = &rest[..limit.min(rest.len())];
            assert_eq!(get(store.entries(id, after, limit)), expected, "{after}, {limit}");
        }
    }
}

pub fn an_entry_out_of_order_is_refused_with_all_later_batches(store: &Store) {
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

pub fn a_batch_is_all_or_nothing(store: &Store) {
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

pub fn large_payloads_come_back(store: &Store) {
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

pub fn a_thread_is_forgotten_with_all_that_belongs_to_it(store: &Store) {
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

pub fn what_an_execution_was_asked_can_change(store: &Store) {
    let (id, _) = crate::begin(store);
    for input in [b"other".to_vec(), vec![7; BLOB_BYTES_MIN], b"small again".to_vec()] {
        crate::write(store, Record::Asked(id, input.clone())).unwrap();
        assert_eq!(get(store.execution(id)).unwrap().input, input);
    }
    let missing = crate::write(store, Record::Asked(execution_id(77), b"x".to_vec()));
    assert!(matches!(missing, Err(Error::Conflict(_))), "{missing:?}");
}

pub fn versions_are_kept_once(store: &Store) {
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

pub fn idle_threads_are_forgotten_in_time(store: &Store) {
    let ended = |n: u128, thread: &str, ended: Option<i64>| {
        let id = execution_id(n);
        let lane = Lane::root(thread);
        let begun = Execution { ended: ended.map(at), ..execution(id, thread) };
        let batch = Batch::of(id)
            .with(begun)
            .with(entry(id, 1, &vec![n as u8; BLOB_BYTES_MIN]))
            .with(checkpoint(&lane, checkpoint_id(n), None, id, b"x"));
        store.append(batch).wait().unwrap();
    };
    // More than are forgotten at once.
    (1..=45).for_each(|n| ended(n, &format!("old {n:02}"), Some(10)));
    ended(100, "young", Some(1_000_000));
    ended(101, "at work", Some(10));
    ended(102, "at work", None);
    ended(103, "old and young", Some(10));
    ended(104, "old and young", Some(999_990));
    let idle = get(store.idle_threads(at(500_000), Some("old 43".into()), 9));
    assert_eq!(idle, ["old 44".into(), "old 45".into()]);

    let second = std::time::Duration::from_secs(1);
    let retention = Retention { finished_threads: Some(second), ..Retention::default() };
    let retained = block_on(store.retain(&retention, at(1_000_020))).unwrap();
    assert_eq!(retained.threads, 45);
    let mut kept: Vec<_> = get(store.threads(0)).iter().map(|info| info.thread.clone()).collect();
    kept.sort();
    assert_eq!(kept, ["at work".into(), "old and young".into(), "young".into()]);
    assert_eq!(get(store.entries(execution_id(1), 0, 0)), []);
    assert_eq!(get(store.checkpoints(Lane::root("old 01"), None, 0)), []);
    let never = Retention { finished_threads: None, idempotency_keys: None };
    assert_eq!(block_on(store.retain(&never, at(i64::MAX / 4))).unwrap().threads, 0);
    assert_eq!(get(store.threads(0)).len(), 3);

    // What begins in the same moment keeps its thread.
    let again = Batch::standalone()
        .with(execution(execution_id(200), "young"))
        .with(Record::ForgetIdleThread { thread: "young".into(), before: at(2_000_000) });
    store.append(again).wait().unwrap();
    assert!(get(store.execution(execution_id(100))).is_some());
}
