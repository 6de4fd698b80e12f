//! What the store costs: supersteps a second, latency of a durable step, bytes on
//! disk, reading a state. Run with
//! `cargo bench --ignore-rust-version -p weaver-store [-- DIR]`; the directory
//! decides which disk is measured.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use support::*;
use weaver_store::*;

fn main() {
    let base = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let base = base.map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(base).unwrap();
    let floor = sync_floor(dir.path());
    opening(&dir.path().join("opening"));
    pipelined(&dir.path().join("pipelined"), floor);
    lone(&dir.path().join("lone"), floor);
    reading(&dir.path().join("reading"));
    chat(&dir.path().join("chat"));
}

/// One row a step into a bare file.
fn sync_floor(dir: &Path) -> Duration {
    let mut file = File::create(dir.join("floor")).unwrap();
    let mut times: Vec<Duration> = (0..300)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[1; 4096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    let median = median(&mut times);
    println!("bare write of 4 KiB + fdatasync: {median:.1?} (p50)");
    median
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn open(dir: &Path) -> Store {
    Store::open_sqlite(dir, OpenOptions::default()).unwrap()
}

fn begin(store: &Store, n: u128) -> (ExecutionId, Lane) {
    let (id, lane) = (execution_id(n), Lane::root("thread"));
    store.append(Batch::of(id).with(execution(id, "thread"))).wait().unwrap();
    (id, lane)
}

fn opening(dir: &Path) {
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let mut store = None;
    let new = timed(&mut || store = Some(open(dir)));
    begin(store.as_ref().unwrap(), 1);
    let close = timed(&mut || store = None);
    let again = timed(&mut || store = Some(open(dir)));
    println!("a new directory {new:.1?}, closing {close:.1?}, opening again {again:.1?}");
}

/// A superstep: two log lines and a delta of 200 bytes.
fn step(id: ExecutionId, lane: &Lane, n: u64) -> Batch {
    let parent = (n > 1).then(|| checkpoint_id(u128::from(n) - 1));
    Batch::of(id)
        .with(entry(id, 2 * n - 1, &[b'x'; 150]))
        .with(entry(id, 2 * n, &[b'x'; 150]))
        .with(checkpoint(lane, checkpoint_id(n.into()), parent, id, &[b'x'; 200]))
}

fn pipelined(dir: &Path, floor: Duration) {
    const PART: u64 = 50_000;
    const PARTS: u64 = 6;
    let store = open(dir);
    let (id, lane) = begin(&store, 1);
    let mut rates = Vec::new();
    for part in 0..PARTS {
        let start = Instant::now();
        let mut last = None;
        for n in part * PART + 1..=(part + 1) * PART {
            get(store.room());
            last = Some(store.append(step(id, &lane, n)));
        }
        last.unwrap().wait().unwrap();
        rates.push(PART as f64 / start.elapsed().as_secs_f64());
    }
    println!(
        "async, one writer: {:.0} supersteps/s (one sync a step would allow {:.0}); \
         first {PART} steps {:.0}/s, last {PART} of {} {:.0}/s",
        rates.iter().sum::<f64>() / rates.len() as f64,
        1.0 / floor.as_secs_f64(),
        rates[0],
        PART * PARTS,
        rates[PARTS as usize - 1],
    );
}

fn lone(dir: &Path, floor: Duration) {
    let store = open(dir);
    let (id, lane) = begin(&store, 1);
    let mut times: Vec<Duration> = (1..=500)
        .map(|n| {
            let start = Instant::now();
            store.append(step(id, &lane, n)).wait().unwrap();
            start.elapsed()
        })
        .collect();
    let median = median(&mut times);
    println!(
        "sync: {median:.1?} a durable superstep (p50), p99 {:.1?}; {:.2} bare syncs",
        times[times.len() * 99 / 100],
        median.as_secs_f64() / floor.as_secs_f64()
    );
}

fn reading(dir: &Path) {
    let store = open(dir);
    let (id, lane) = begin(&store, 1);
    let mut meter = SnapshotMeter::default();
    for n in 1..=10_000 {
        let mut batch = step(id, &lane, n);
        if meter.wants_full(200, || 20_000)
            && let Some(Record::Checkpoint(checkpoint)) = batch.records.last_mut()
        {
            checkpoint.state = State::Full(vec![b'y'; 20_000]);
        }
        drop(store.append(batch));
    }
    store.append(Batch::standalone()).wait().unwrap();
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let start = Instant::now();
            get(store.chain(lane.clone(), None)).unwrap();
            start.elapsed()
        })
        .collect();
    let chain = get(store.chain(lane.clone(), None)).unwrap();
    println!(
        "state at the last of 10,000 checkpoints: {:.1?} (p50), {} deltas on a full state",
        median(&mut times),
        chain.deltas.len()
    );
}

/// Prose, so that compression is measured on what people write.
const PROSE: &str = include_str!("../../../docs/decisions/0001-sqlite-through-rusqlite.md");

/// Some prose, starting elsewhere for each message.
fn prose(from: usize, bytes: usize) -> Vec<u8> {
    PROSE.bytes().cycle().skip(from * 379).take(bytes).collect()
}

/// 200 turns with messages of 900 bytes. A message is once in the state and, as
/// runs log them, several times in the log: the input, the model's answer, the
/// node's update, the changed state.
fn chat(dir: &Path) {
    let store = open(dir);
    let lane = Lane::root("chat");
    let (mut last, mut next, mut payload_bytes) = (None, 0, 0);
    for turn in 1..=200 {
        let id = execution_id(turn);
        let (question, answer) = (prose(turn as usize, 200), prose(turn as usize * 7, 700));
        let mut batch = Batch::of(id).with(execution(id, "chat"));
        let lines: [&[u8]; 9] = [
            &question,
            b"{\"checkpoint\":\"0192f3a4\",\"source\":\"input\",\"next\":[\"chat\"]}",
            b"{\"triggers\":[\"branch:to:chat\"],\"attempt\":1}",
            b"{\"model\":\"scripted/demo\"}",
            &answer,
            &answer,
            &answer,
            b"{\"checkpoint\":\"0192f3a4\",\"source\":\"loop\",\"next\":[]}",
            b"{\"status\":\"completed\",\"duration_ms\":12}",
        ];
        for (line, sequence) in lines.iter().zip(1..) {
            payload_bytes += line.len();
            batch.push(entry(id, sequence, line));
        }
        for message in [&question[..], b"", &answer] {
            next += 1;
            let control = format!(
                "{{\"versions\":{{\"messages\":{next},\"branch:to:chat\":{next}}},\"seen\":{{\"chat\":{{\"branch:to:chat\":{next}}}}},\"updated\":[\"messages\"]}}"
            );
            let delta = [message, control.as_bytes()].concat();
            payload_bytes += delta.len();
            let mut made = checkpoint(&lane, checkpoint_id(next), last, id, &delta);
            made.meta = b"{\"next\":[\"chat\"]}".to_vec();
            last = Some(made.id);
            batch.push(made);
        }
        store.append(batch).wait().unwrap();
    }
    drop(store);
    let bytes: u64 =
        std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!(
        "a chat of 200 turns and 180 kB (600 checkpoints, 1,800 log lines, payloads of {} kB): \
         {} kB on disk",
        payload_bytes / 1000,
        bytes / 1000
    );
}
