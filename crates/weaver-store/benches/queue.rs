//! What a claim costs when much waits and more is done. Run with
//! `cargo bench --ignore-rust-version -p weaver-store --bench queue [-- WAITING DONE]`;
//! a million and ten million are what the goal speaks of (p99 5 ms).

#[path = "../tests/support/postgres.rs"]
mod server;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::*;
use uuid::Uuid;
use weaver_store::*;

/// How many rows one batch fills in.
const FILL: u128 = 1000;
/// Most of what waits is one tenant's.
const HOT_PERCENT: u128 = 90;
const TENANTS: u128 = 50;
const CLAIMS: usize = 1000;

fn main() {
    let numbers = std::env::args().filter_map(|arg| arg.parse::<u128>().ok());
    let numbers: Vec<u128> = numbers.collect();
    let waiting = numbers.first().copied().unwrap_or(100_000);
    let done = numbers.get(1).copied().unwrap_or(100_000);
    println!("{waiting} executions wait, {done} are done");

    let dir = tempfile::tempdir().unwrap();
    let sqlite = Store::open_sqlite(dir.path(), OpenOptions::default()).unwrap();
    measure("SQLite", &sqlite, waiting, done);
    drop(sqlite);
    let url = server::shared_url();
    let postgres = Store::open_postgres(&url, &PostgresOptions::default()).unwrap();
    measure("PostgreSQL", &postgres, waiting, done);
}

fn measure(name: &str, store: &Store, waiting: u128, done: u128) {
    let start = Instant::now();
    fill(store, done, false);
    let filled = start.elapsed();
    fill(store, waiting, true);
    println!("{name}: filled in {filled:.1?} (done), {:.1?} (waiting)", start.elapsed() - filled);
    for count in [1, 32] {
        let mut times = Vec::with_capacity(CLAIMS);
        for _ in 0..CLAIMS {
            times.push(claim_and_finish(store, count));
        }
        times.sort();
        println!(
            "{name}: a claim of {count}: p50 {:.2?}, p99 {:.2?}, most {:.2?}",
            times[CLAIMS / 2],
            times[CLAIMS * 99 / 100],
            times[CLAIMS - 1]
        );
    }
    submit_one_by_one(name, store);
}

/// Claims, ends what was claimed; gives how long the claim took.
fn claim_and_finish(store: &Store, count: usize) -> Duration {
    let request = ClaimRequest {
        route: ROUTE_DRIVE.into(),
        owner: "bench".into(),
        count,
        lease: Duration::from_secs(30),
    };
    let start = Instant::now();
    let claims = get(store.queue().claim(request));
    let took = start.elapsed();
    let ends: Vec<Ticket> = claims
        .iter()
        .map(|claim| {
            let id = claim.key.execution;
            let batch = Batch::of(id).fenced(claim.fence).with(Work::Done(id));
            store.for_tenant(claim.key.tenant).append(batch)
        })
        .collect();
    ends.into_iter().for_each(|end| end.wait().unwrap());
    took
}

fn fill(store: &Store, count: u128, waits: bool) {
    let tenants: Vec<Store> =
        (0..TENANTS).map(|n| store.for_tenant(TenantId(Uuid::from_u128(n + 1)))).collect();
    let mut last = Vec::new();
    for batch_number in 0..count / FILL {
        let cold = batch_number % 100 >= HOT_PERCENT;
        let tenant = if cold { (batch_number % (TENANTS - 1)) as usize + 1 } else { 0 };
        let mut batch = Batch::standalone();
        for _ in 0..FILL {
            let id = ExecutionId::generate();
            let mut made = execution(id, "thread");
            made.status = ExecutionStatus::Completed;
            if waits {
                made.status = ExecutionStatus::Queued;
            }
            batch.push(made);
            if waits {
                batch.push(Work::Enqueue(Enqueue::execution(id)));
            }
        }
        last.push(tenants[tenant].append(batch));
        if last.len() == 16 {
            last.drain(..).for_each(|ticket| ticket.wait().unwrap());
        }
    }
    last.into_iter().for_each(|ticket| ticket.wait().unwrap());
}

/// What accepting one execution costs who waits for it.
fn submit_one_by_one(name: &str, store: &Store) {
    let mut times: Vec<Duration> = (0..CLAIMS)
        .map(|_| {
            let id = ExecutionId::generate();
            let submission = Submission {
                execution: execution(id, "thread"),
                enqueue: Enqueue::execution(id),
                records: vec![entry(id, 1, b"submitted").into()],
                idempotency: None,
            };
            let start = Instant::now();
            block_on(store.submit(submission)).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "{name}: a submit: p50 {:.2?}, p99 {:.2?}",
        times[CLAIMS / 2],
        times[CLAIMS * 99 / 100]
    );
}
