//! What goes wrong outside of the program: who else is there, what is in the
//! way, what is damaged, what is full; and what a user of a faulty store sees.

mod support;

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use rusqlite::Connection;
use support::*;
use tempfile::TempDir;
use weaver_core::Hash;
use weaver_store::*;

fn open(dir: &Path) -> Result<Store> {
    Store::open_sqlite(dir, OpenOptions::default())
}

fn begin(store: &Store) -> (ExecutionId, Lane) {
    let id = execution_id(1);
    store.append(Batch::of(id).with(execution(id, "t"))).wait().unwrap();
    (id, Lane::root("t"))
}

/// A directory with one execution of `steps` supersteps, and a blob.
fn filled(steps: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let (id, lane) = begin(&store);
    for n in 1..=steps {
        store.append(step(id, &lane, n)).wait().unwrap();
    }
    let large = entry(id, steps + 1, &vec![b'x'; BLOB_BYTES_MIN]);
    store.append(Batch::of(id).with(large)).wait().unwrap();
    dir
}

fn step(id: ExecutionId, lane: &Lane, n: u64) -> Batch {
    let parent = (n > 1).then(|| checkpoint_id(u128::from(n) - 1));
    Batch::of(id).with(entry(id, n, &n.to_le_bytes().repeat(16))).with(checkpoint(
        lane,
        checkpoint_id(n.into()),
        parent,
        id,
        &[b'x'; 200],
    ))
}

fn file(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("agentweaver.db")
}

/// The error of opening, and proof that opening changed nothing.
fn refusal(dir: &TempDir) -> Error {
    let before = fs::read(file(dir)).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert_eq!(fs::read(file(dir)).unwrap(), before);
    assert!(error.help().is_some());
    error
}

#[test]
fn a_directory_in_use_names_the_process() {
    let dir = filled(1);
    let mut lock = fs::File::options()
        .read(true)
        .write(true)
        .open(dir.path().join("agentweaver.lock"))
        .unwrap();
    lock.lock().unwrap();
    std::io::Write::write_all(&mut lock, b"4242\n").unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Locked { pid: Some(4242), .. }), "{error:?}");
    assert!(error.to_string().contains("process 4242"));
    assert!(Store::open_sqlite_read_only(dir.path()).is_ok(), "reading is allowed");
    drop(lock);
    assert!(open(dir.path()).is_ok());
}

#[test]
fn one_process_may_open_a_directory_many_times() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(dir.path()).unwrap(), open(&dir.path().join(".")).unwrap());
    let (id, _) = begin(&first);
    drop(first);
    second.append(Batch::of(id).with(entry(id, 1, b""))).wait().unwrap();
    assert_eq!(get(open(dir.path()).unwrap().head(id)).sequence, 1);
    drop(second);
    // Closing and opening at the same time waits, and never fails.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| drop(open(dir.path()).unwrap())));
        }
    });
}

#[test]
fn what_was_appended_is_written_even_if_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let (id, lane) = begin(&store);
    (1..=500).for_each(|n| drop(store.append(step(id, &lane, n))));
    drop(store);
    assert_eq!(get(open(dir.path()).unwrap().head(id)).sequence, 500);
}

#[test]
fn history_is_read_beside_a_live_run() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open_sqlite_read_only(dir.path()), Err(Error::Missing { .. })));
    let live = open(dir.path()).unwrap();
    let (id, lane) = begin(&live);
    live.append(step(id, &lane, 1)).wait().unwrap();
    let reader = Store::open_sqlite_read_only(dir.path()).unwrap();
    assert_eq!(get(reader.checkpoints(lane.clone(), None, 0)).len(), 1);
    live.append(step(id, &lane, 2)).wait().unwrap();
    assert_eq!(get(reader.checkpoints(lane.clone(), None, 0)).len(), 2);
    let refused = reader.append(step(id, &lane, 3)).wait().unwrap_err();
    assert!(matches!(refused, Error::Unwritable { .. }), "{refused}");
    drop(live);
    assert_eq!(get(reader.head(id)).sequence, 2, "the run may end first");
    drop(reader);
    let reader = Store::open_sqlite_read_only(dir.path()).unwrap();
    assert_eq!(get(reader.head(id)).sequence, 2, "nobody else need be there");
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    for place in [in_the_way.clone(), in_the_way.join("below")] {
        let error = open(&place).unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
        assert!(error.to_string().contains("file"), "{error}");
    }
    fs::create_dir_all(dir.path().join("data/agentweaver.db")).unwrap();
    let error = open(&dir.path().join("data")).unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(&dir), "some notes of mine, longer than a header".repeat(20)).unwrap();
    let error = refusal(&dir);
    assert!(matches!(error, Error::NotADatabase { .. }), "{error:?}");

    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(file(&dir)).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let error = refusal(&dir);
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = filled(1);
    let newer = Connection::open(file(&dir)).unwrap();
    newer.execute_batch("INSERT INTO schema_migrations VALUES (99, 'future', 0)").unwrap();
    newer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(newer);
    let error = refusal(&dir);
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }), "{error:?}");
    let error = Store::open_sqlite_read_only(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NewerSchema { .. }), "{error:?}");
}

#[test]
fn damage_is_reported() {
    // The file's header, the first page behind it, and a page in the middle.
    let (header, first) = (0..16, 100..400);
    for range in [header, first] {
        let dir = filled(50);
        let mut bytes = fs::read(file(&dir)).unwrap();
        bytes[range].fill(0xa5);
        fs::write(file(&dir), bytes).unwrap();
        let error = refusal(&dir);
        assert!(matches!(error, Error::NotADatabase { .. } | Error::Corrupt { .. }), "{error:?}");
    }
    let dir = filled(200);
    let mut bytes = fs::read(file(&dir)).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(file(&dir), bytes).unwrap();
    // It depends on what the page holds who comes upon it first.
    match open(dir.path()).and_then(|store| block_on(store.verify())) {
        Ok(found) => assert!(!found.problems.is_empty()),
        Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error:?}"),
    }
}

#[test]
fn a_store_that_finds_damage_while_writing_writes_no_more() {
    let dir = filled(1);
    let index = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_executions_1'";
    let page: usize = Connection::open(file(&dir))
        .unwrap()
        .query_row(index, [], |row| row.get::<_, i64>(0))
        .unwrap()
        .try_into()
        .unwrap();
    let mut bytes = fs::read(file(&dir)).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
    fs::write(file(&dir), bytes).unwrap();
    let store = open(dir.path()).unwrap();
    let (first, second) = (execution_id(7), execution_id(8));
    let error = store.append(Batch::of(first).with(execution(first, "t"))).wait().unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }) && error.is_fatal(), "{error:?}");
    let error = store.append(Batch::of(second).with(execution(second, "t"))).wait().unwrap_err();
    assert!(matches!(error, Error::Aborted { .. }) && error.is_fatal(), "{error:?}");
    assert!(block_on(store.recover(first)).is_err());
}

#[test]
fn a_cut_log_file_loses_only_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let (id, lane) = begin(&store);
    (1..=10).for_each(|n| store.append(step(id, &lane, n)).wait().unwrap());
    let wal = fs::read(dir.path().join("agentweaver.db-wal")).unwrap();
    let mut reached = Vec::new();
    for cut in (0..=20).map(|part| wal.len() * part / 20) {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(file(&dir), file(&copy)).unwrap();
        fs::write(copy.path().join("agentweaver.db-wal"), &wal[..cut]).unwrap();
        // `history` after a crash: nobody has repaired anything yet.
        let seen = Store::open_sqlite_read_only(copy.path()).map(|reader| get(reader.head(id)));
        let copied = open(copy.path()).unwrap();
        assert_eq!(get(copied.verify()).problems, []);
        let sequence = get(copied.head(id)).sequence;
        match seen {
            Ok(head) => assert_eq!(head.sequence, sequence),
            Err(error) => assert!(matches!(error, Error::Missing { .. }), "{error:?}"),
        }
        assert_eq!(get(copied.checkpoints(lane.clone(), None, 0)).len() as u64, sequence);
        reached.push(sequence);
    }
    assert!(reached.is_sorted());
    assert_eq!((reached[0], reached[20]), (0, 10));
}

#[test]
fn tampering_is_found() {
    let changes = [
        "UPDATE entries SET packed = x'00' WHERE first_sequence = 3",
        "UPDATE entries SET packed = x'0003000000' WHERE first_sequence = 3",
        "UPDATE entries SET packed = (SELECT packed FROM entries WHERE first_sequence = 4)
            WHERE first_sequence = 3",
        "UPDATE entries SET packed = (SELECT packed FROM entries WHERE first_sequence = 2)
            WHERE first_sequence = 3",
        "DELETE FROM entries WHERE first_sequence = 3",
        "DELETE FROM entry_blobs",
        "UPDATE checkpoints SET state = x'00' WHERE number = 3",
        "UPDATE checkpoints SET step = 7 WHERE number = 3",
        "UPDATE checkpoints SET parent = 1 WHERE number = 3",
        "DELETE FROM checkpoints WHERE number = 3",
        "UPDATE blobs SET content = x'00'",
        "DELETE FROM blobs",
    ];
    for change in changes {
        let dir = filled(5);
        let vandal = Connection::open(file(&dir)).unwrap();
        vandal.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        vandal.execute_batch(change).unwrap();
        let found = get(open(dir.path()).unwrap().verify());
        assert!(!found.problems.is_empty(), "{change}");
    }
    assert_eq!(get(open(filled(5).path()).unwrap().verify()).problems, []);
}

#[test]
fn a_full_disk_loses_nothing_and_can_be_freed() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { file_bytes_max: Some(400_000), ..Default::default() };
    let store = Store::open_sqlite(dir.path(), options).unwrap();
    let (id, lane) = begin(&store);
    let ballast = execution_id(2);
    store
        .append(Batch::of(ballast).with(execution(ballast, "ballast")).with(entry(
            ballast,
            1,
            &noise(1, 60_000),
        )))
        .wait()
        .unwrap();
    // Twenty at a time: those share transactions, and fail together.
    let mut saved = 0;
    let results: Vec<_> = loop {
        let tickets: Vec<_> =
            (saved + 1..=saved + 20).map(|n| store.append(step(id, &lane, n))).collect();
        let results: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
        saved += results.iter().filter(|result| result.is_ok()).count() as u64;
        if results.iter().any(Result::is_err) {
            break results.into_iter().skip_while(Result::is_ok).collect();
        }
    };
    assert!(matches!(results[0], Err(Error::Full { .. })), "{:?}", results[0]);
    for later in &results {
        let error = later.as_ref().unwrap_err();
        assert!(matches!(error, Error::Full { .. } | Error::Aborted { .. }), "{error:?}");
    }
    assert_eq!(get(store.head(id)).sequence, saved);

    // Space that comes free can be used without opening anything again.
    store.append(Batch::standalone().with(Record::ForgetThread("ballast".into()))).wait().unwrap();
    get(store.recover(id));
    store.append(step(id, &lane, saved + 1)).wait().unwrap();
    assert_eq!(get(store.verify()).problems, []);
}

#[test]
fn rows_of_entries_stay_small() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let (id, _) = begin(&store);
    let mut batch = Batch::of(id);
    (1..=1_000).for_each(|n| batch.push(entry(id, n, &noise(n, 100))));
    store.append(batch).wait().unwrap();
    let longest: i64 = Connection::open(file(&dir))
        .unwrap()
        .query_row("SELECT max(length(packed)) FROM entries", [], |row| row.get(0))
        .unwrap();
    assert!((16_384..40_000).contains(&longest), "{longest}");
}

#[test]
fn a_blob_is_kept_once_and_as_long_as_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let large = vec![b'x'; BLOB_BYTES_MIN];
    for n in 1..=2 {
        let id = execution_id(n);
        let batch = Batch::of(id)
            .with(execution(id, &format!("thread {n}")))
            .with(entry(id, 1, &large))
            .with(entry(id, 2, &large));
        store.append(batch).wait().unwrap();
    }
    assert_eq!(get(store.verify()).blobs, 1);
    let forget = |thread: &str| {
        let batch = Batch::standalone().with(Record::ForgetThread(thread.into()));
        store.append(batch).wait().unwrap();
        let freed = get(store.collect_garbage(at(1)));
        (freed.blobs, freed.blob_bytes > 0)
    };
    assert_eq!(forget("thread 1"), (0, false));
    assert_eq!(forget("thread 2"), (1, true));
}

#[test]
fn a_busy_neighbour_delays_and_harms_nothing() {
    let dir = filled(1);
    let store = open(dir.path()).unwrap();
    let neighbour = Connection::open(file(&dir)).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ticket = store.append(Batch::of(execution_id(1)).with(entry(execution_id(1), 3, b"")));
    neighbour.execute_batch("COMMIT").unwrap();
    assert_eq!(ticket.wait(), Ok(()));
}

#[test]
fn a_fast_producer_waits_for_room() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { queue_bytes_max: 10_000, ..Default::default() };
    let store = Store::open_sqlite(dir.path(), options).unwrap();
    let (id, lane) = begin(&store);
    let neighbour = Connection::open(file(&dir)).unwrap();
    // While the file is held by somebody, the queue can only fill.
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    (1..=100).for_each(|n| drop(store.append(step(id, &lane, n))));
    let (sender, receiver) = mpsc::channel();
    let waiting = store.clone();
    let waiter = std::thread::spawn(move || {
        get(waiting.room());
        sender.send(()).unwrap();
    });
    neighbour.execute_batch("COMMIT").unwrap();
    receiver.recv().unwrap();
    waiter.join().unwrap();
    store.append(Batch::standalone()).wait().unwrap();
    assert_eq!(get(store.head(id)).sequence, 100);
}

#[test]
fn a_faulty_store_keeps_the_contract() {
    for seed in 0..200 {
        let inner = Store::in_memory();
        let (id, lane) = begin(&inner);
        let faults = Faults {
            seed,
            refuse_per_mille: 50,
            unknown_per_mille: 50,
            delay_per_mille: 200,
            read_per_mille: 100,
        };
        let store = faults.wrap(inner.clone());
        let mut acknowledged = 0;
        while acknowledged < 30 {
            match store.append(step(id, &lane, acknowledged + 1)).wait() {
                Ok(()) => acknowledged += 1,
                Err(Error::UnknownCommit { .. } | Error::Unreachable { .. }) => {
                    let next = store.append(step(id, &lane, acknowledged + 2)).wait();
                    assert!(matches!(next, Err(Error::Aborted { .. })));
                    get(store.recover(id));
                    // What is there decides how to go on.
                    let head = (0..100).find_map(|_| block_on(store.head(id)).ok()).unwrap();
                    assert!([0, 1].contains(&(head.sequence - acknowledged)));
                    acknowledged = head.sequence;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(get(inner.head(id)).sequence, 30);
    }
}

#[tokio::test]
async fn dropped_futures_harm_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let id = execution_id(1);
    store.append(Batch::of(id).with(execution(id, "t"))).await.unwrap();
    let lane = Lane::root("t");
    for n in 1..=50 {
        let mut ticket = store.append(step(id, &lane, n));
        let mut head = store.head(id);
        // Polled once, then forgotten.
        let _ = futures_poll(&mut ticket).await;
        let _ = futures_poll(&mut head).await;
    }
    store.append(Batch::standalone()).await.unwrap();
    assert_eq!(store.head(id).await.unwrap().sequence, 50);
    assert_eq!(store.verify().await.unwrap().problems, []);
    assert_eq!(store.cached(Hash::of(b""), at(1)).await.unwrap(), None);
}

/// Whether a future is ready at its first poll.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_ready())
    })
    .await
}

#[test]
fn a_file_of_before_tenants_belongs_to_the_local_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(file(&dir)).unwrap();
    old.pragma_update(None, "application_id", 0x4167_5776).unwrap();
    old.execute_batch(
        "CREATE TABLE schema_migrations
            (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;
         INSERT INTO schema_migrations VALUES (1, 'log', 0)",
    )
    .unwrap();
    old.execute_batch(include_str!("../migrations/sqlite/0001_log.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO items VALUES (1, 'a' || char(31), 'k', '{\"n\":1}', 1, 1, NULL)",
    )
    .unwrap();
    drop(old);
    // Looking at it is enough to bring it up to date.
    let store = Store::open_sqlite_read_only(dir.path()).unwrap();
    assert_eq!(get(store.search_items(ItemSearch::default(), at(1))).len(), 1);
    let guest = store.for_tenant(TenantId::generate());
    assert_eq!(get(guest.search_items(ItemSearch::default(), at(1))), []);
}
