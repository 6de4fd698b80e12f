//! What the store reaches on PostgreSQL, beside what the server itself does in the
//! same run: single-row commits and commits of many rows, by `pgbench`. Run with
//! `cargo bench --ignore-rust-version -p weaver-store --bench postgres`.

#[path = "../tests/support/postgres.rs"]
mod server;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use server::Server;
use support::*;
use weaver_store::*;

/// How long each figure is measured.
const SECONDS: u64 = 4;

fn main() {
    let server = Server::start();
    let url = server.url("postgres", "postgres");
    server.psql(
        "postgres",
        "CREATE TABLE bench (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), payload bytea)",
    );
    let lone_commit = pgbench(&url, 1, 1);
    let commits = pgbench(&url, 32, 1);
    let batched = pgbench(&url, 4, 64) * 64.0;
    println!(
        "pgbench: {lone_commit:.0} single-row commits/s with one client, {commits:.0} with 32; \
         {batched:.0} rows/s in commits of 64 by 4 clients"
    );
    let writers = std::env::var("WEAVER_BENCH_WRITERS").ok().and_then(|count| count.parse().ok());
    let default = PostgresOptions::default();
    let options = PostgresOptions { writers: writers.unwrap_or(default.writers), ..default };
    let store = Store::open_postgres(&url, &options).unwrap();
    for (in_flight, limit, what) in [
        (1, lone_commit, "single-row commits of one client"),
        (32, commits, "single-row commits of 32 clients"),
        (256, batched, "rows in batched commits"),
    ] {
        let rate = steps(&store, in_flight);
        println!(
            "store, {in_flight} executions in flight: {rate:.0} durable supersteps/s, {:.2} of {what}",
            rate / limit
        );
    }
}

/// Transactions a second.
fn pgbench(url: &str, clients: usize, rows: usize) -> f64 {
    let script = tempfile::NamedTempFile::new().unwrap();
    let insert = format!(
        "INSERT INTO bench (payload) SELECT decode(repeat('78', 400), 'hex')
         FROM generate_series(1, {rows});"
    );
    std::fs::write(script.path(), insert.replace('\n', " ")).unwrap();
    let output = Command::new(server::bin().join("pgbench"))
        .args(["-n", "-M", "prepared", "-j", "2", "-T", &SECONDS.to_string()])
        .args(["-c", &clients.to_string(), "-f"])
        .arg(script.path())
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("tps = "));
    let rate = line.and_then(|line| line.split(' ').nth(2)?.parse().ok());
    rate.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Supersteps a second: each execution awaits its step before the next.
fn steps(store: &Store, in_flight: u128) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tenant = store.for_tenant(TenantId::generate());
    let (start, end) = (Instant::now(), Duration::from_secs(SECONDS));
    let total = runtime.block_on(async {
        let local = tokio::task::LocalSet::new();
        let mut tasks = Vec::new();
        for _ in 0..in_flight {
            let store = tenant.clone();
            tasks.push(local.spawn_local(async move {
                let id = ExecutionId::generate();
                let lane = Lane::root(id.to_string());
                let begin = Batch::of(id).with(execution(id, &lane.thread));
                store.append(begin).await.unwrap();
                let mut n = 0;
                while start.elapsed() < end {
                    n += 1;
                    store.append(step(id, &lane, n)).await.unwrap();
                }
                n
            }));
        }
        local
            .run_until(async {
                let mut total = 0;
                for task in tasks {
                    total += task.await.unwrap();
                }
                total
            })
            .await
    });
    total as f64 / start.elapsed().as_secs_f64()
}

/// A superstep: two log lines and a delta of 200 bytes.
fn step(id: ExecutionId, lane: &Lane, n: u64) -> Batch {
    let parent = (n > 1).then(|| checkpoint_id(u128::from(n) - 1));
    Batch::of(id)
        .with(entry(id, 2 * n - 1, &[b'x'; 150]))
        .with(entry(id, 2 * n, &[b'x'; 150]))
        .with(checkpoint(lane, checkpoint_id(n.into()), parent, id, &[b'x'; 200]))
}
