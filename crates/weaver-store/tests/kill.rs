//! Real processes that append and are killed: with SIGKILL at random moments,
//! and by themselves at each crash point. Whatever a process was told to be
//! durable must be there when the directory is opened again, nothing of a batch
//! may be there without the rest, and every chain must hold.
//!
//! The process to be killed is this binary, started with the place of a store.

#[path = "support/postgres.rs"]
mod server;
mod support;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use support::*;
use weaver_store::*;

/// Tells the started process where to work.
const PLACE: &str = "WEAVER_STORE_KILL_PLACE";
/// How many batches each writer of the started process appends.
const BATCHES: &str = "WEAVER_STORE_KILL_BATCHES";

const WRITERS: u128 = 2;
const RANDOM_KILLS: u64 = 100;
/// A process on PostgreSQL takes longer to start.
const RANDOM_KILLS_POSTGRES: u64 = 20;
/// A new store after so many kills: checking reads everything each time.
const KILLS_PER_STORE: u64 = 10;

fn main() {
    if let Ok(place) = std::env::var(PLACE) {
        return work(&place);
    }
    // A test runner asks for the list of tests first, and apart for the ignored ones.
    let asked = |argument: &str| std::env::args().any(|given| given == argument);
    if asked("--list") {
        if !asked("--ignored") {
            println!("kill: test");
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let in_directories = |n: u64| format!("sqlite:{}/{n}", dir.path().display());
    // More in a soak: `AGENTWEAVER_KILLS=4000`.
    let wanted = std::env::var("AGENTWEAVER_KILLS").ok().and_then(|kills| kills.parse().ok());
    let (kills, kills_postgres) =
        (wanted.unwrap_or(RANDOM_KILLS), wanted.unwrap_or(RANDOM_KILLS_POSTGRES));
    kill_at_random(kills, in_directories);
    kill_at_crash_points(|n| in_directories(1000 + n));
    let url = server::shared_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    let in_schemas = |n: u64| format!("{url}{separator}schema=kill_{n}");
    kill_at_random(kills_postgres, in_schemas);
    kill_at_crash_points(|n| in_schemas(1000 + n));
    println!("count: {kills} kills of writers on SQLite");
    println!("count: {kills_postgres} kills of writers on PostgreSQL");
}

fn kill_at_random(kills: u64, place: impl Fn(u64) -> String) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills {
        let place = place(kill / KILLS_PER_STORE);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let acknowledgements = (random >> 33) % 40;
        let mut process = start(&place, 1_000_000, None);
        let acknowledged = listen(&mut process, acknowledgements);
        assert!(!process.wait().unwrap().success());
        check(&place, acknowledged, &format!("random kill {kill}"));
    }
}

fn kill_at_crash_points(place: impl Fn(u64) -> String) {
    let points = ["before_insert", "between_writes", "after_blob", "during_commit", "after_commit"];
    for (point, n) in points.into_iter().zip(0..) {
        let place = place(n);
        for nth in [1, 2, 5, 9] {
            let mut process = start(&place, 1_000_000, Some(&format!("{point}:{nth}")));
            let acknowledged = listen(&mut process, u64::MAX);
            assert!(!process.wait().unwrap().success(), "{point} was never passed {nth} times");
            check(&place, acknowledged, &format!("{point}:{nth}"));
        }
    }
    for (point, n) in ["in_migration", "in_drain"].into_iter().zip(100..) {
        let place = place(n);
        let mut process = start(&place, 20, Some(point));
        let acknowledged = listen(&mut process, u64::MAX);
        assert!(!process.wait().unwrap().success(), "{point} was never passed");
        assert_eq!(acknowledged != [0, 0], point == "in_drain");
        check(&place, acknowledged, point);
    }
}

fn start(place: &str, batches: u64, crash_point: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(PLACE, place).env(BATCHES, batches.to_string()).stdout(Stdio::piped());
    match crash_point {
        Some(point) => command.env(crash::VARIABLE, point).stderr(Stdio::null()),
        None => command.env_remove(crash::VARIABLE),
    };
    command.spawn().unwrap()
}

/// Reads what each writer was told to be durable; kills after so many lines.
fn listen(process: &mut Child, lines_before_kill: u64) -> [u64; WRITERS as usize] {
    let mut acknowledged = [0; WRITERS as usize];
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    if lines_before_kill == 0 {
        process.kill().unwrap();
    }
    let mut read = 0;
    while let Some(Ok(line)) = lines.next() {
        // The last line may be torn.
        let mut words = line.split(' ');
        if let (Some(writer), Some(batch), Some("ok")) = (words.next(), words.next(), words.next())
        {
            acknowledged[writer.parse::<usize>().unwrap()] = batch.parse().unwrap();
        }
        read += 1;
        if read == lines_before_kill {
            process.kill().unwrap();
        }
    }
    acknowledged
}

fn open(place: &str) -> Store {
    place.parse::<Place>().unwrap().open().unwrap()
}

/// What a killed process left.
fn check(place: &str, acknowledged: [u64; WRITERS as usize], case: &str) {
    let store = open(place);
    assert_eq!(get(store.verify()).problems, [], "{case}");
    for writer in 0..WRITERS {
        let (execution, lane) = at_work(writer);
        let sequence = get(store.head(execution)).sequence;
        let batches = sequence / 2;
        assert!(batches >= acknowledged[writer as usize], "{case}: an acknowledged batch is lost");
        assert_eq!(sequence % 2, 0, "{case}: half of a batch");
        let entries = get(store.entries(execution, 0, 0));
        assert_eq!(entries.len() as u64, sequence, "{case}");
        for (entry, expected) in entries.iter().zip(1..) {
            assert_eq!((entry.sequence, &entry.payload), (expected, &payload(expected)), "{case}");
        }
        let checkpoints = get(store.checkpoints(lane.clone(), None, 0));
        assert_eq!(checkpoints.len() as u64, batches, "{case}");
        let Some(last) = checkpoints.first() else { continue };
        assert_eq!(last.id, checkpoint_id(batches.into()), "{case}");
        assert_eq!(get(store.effects(lane.clone(), "t".into())).len() as u64, batches, "{case}");
        for info in &checkpoints {
            let writes = get(store.pending_writes(lane.clone(), info.id));
            assert_eq!(writes.len(), usize::from(info.id == last.id), "{case}");
        }
    }
}

/// Appends from where an earlier process was killed, and says what is durable.
fn work(place: &str) {
    let store = open(place);
    let batches: u64 = std::env::var(BATCHES).unwrap().parse().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            scope.spawn(move || write_all(&store, writer, batches));
        }
    });
}

fn write_all(store: &Store, writer: u128, batches: u64) {
    let (execution, _) = at_work(writer);
    if get(store.execution(execution)).is_none() {
        let begin = Batch::of(execution).with(support::execution(execution, &thread(writer)));
        store.append(begin).wait().unwrap();
    }
    let first = get(store.head(execution)).sequence / 2 + 1;
    let mut on_the_way = VecDeque::new();
    for n in first..first + batches {
        get(store.room());
        on_the_way.push_back((n, store.append(batch(writer, n))));
        if on_the_way.len() == 8 {
            acknowledge(writer, on_the_way.pop_front().unwrap());
        }
    }
    on_the_way.into_iter().for_each(|sent| acknowledge(writer, sent));
}

fn acknowledge(writer: u128, (n, ticket): (u64, Ticket)) {
    ticket.wait().unwrap();
    let mut out = std::io::stdout().lock();
    // The reader may be gone; then so are we, soon.
    let _ = writeln!(out, "{writer} {n} ok").and_then(|()| out.flush());
}

/// The nth superstep: the end of the last one, its log, a call, and a task that
/// has ended early.
fn batch(writer: u128, n: u64) -> Batch {
    let (execution, lane) = at_work(writer);
    let id = checkpoint_id(n.into());
    let parent = (n > 1).then(|| checkpoint_id(u128::from(n) - 1));
    Batch::of(execution)
        .with(entry(execution, 2 * n - 1, &payload(2 * n - 1)))
        .with(effect(&lane, execution, n as u32, EffectStatus::Done, b"result"))
        .with(entry(execution, 2 * n, &payload(2 * n)))
        .with(checkpoint(&lane, id, parent, execution, &payload(n)))
        .with(pending(&lane, id, "early", b"write"))
}

fn thread(writer: u128) -> String {
    format!("thread {writer}")
}

fn at_work(writer: u128) -> (ExecutionId, Lane) {
    (execution_id(writer + 1), Lane::root(thread(writer)))
}

/// Recognizable, and a blob now and then.
fn payload(sequence: u64) -> Vec<u8> {
    let repeat = if sequence.is_multiple_of(16) { BLOB_BYTES_MIN / 8 } else { 4 };
    sequence.to_le_bytes().repeat(repeat)
}
