//! What is particular to PostgreSQL: who may see what, what the server refuses, and
//! what happens when it goes away in the middle.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/postgres.rs"]
mod server;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use proxy::Proxy;
use server::{Server, psql, shared_url};
use support::*;
use weaver_store::*;

fn open(url: &str) -> Result<Store> {
    Store::open_postgres(url, &PostgresOptions::default())
}

fn begin(store: &Store) -> (ExecutionId, Lane) {
    let id = ExecutionId::generate();
    let lane = Lane::root(id.to_string());
    store.append(Batch::of(id).with(execution(id, &lane.thread))).wait().unwrap();
    (id, lane)
}

fn step(id: ExecutionId, lane: &Lane, n: u64) -> Batch {
    let parent = (n > 1).then(|| checkpoint_id(u128::from(n) - 1));
    let made = checkpoint(lane, checkpoint_id(n.into()), parent, id, &n.to_le_bytes());
    Batch::of(id).with(entry(id, n, &n.to_le_bytes())).with(made)
}

/// The same server with a schema of its own.
fn own_schema(name: &str) -> String {
    let url = shared_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}schema={name}")
}

#[test]
fn every_table_of_tenants_is_closed_to_others() {
    let url = own_schema("catalogue");
    drop(open(&url).unwrap());
    let tables = "FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE t.relnamespace = 'catalogue'::regnamespace AND t.relkind IN ('r', 'p')
            AND a.attname = 'tenant_id'";
    let count: u32 = psql(&shared_url(), &format!("SELECT count(*) {tables}")).parse().unwrap();
    assert!(count >= 12 + 12, "tables and the months' partitions: {count}");
    let open_ones = format!(
        "SELECT t.relname {tables} AND NOT (t.relrowsecurity AND t.relforcerowsecurity
            AND a.attnotnull AND (SELECT count(*) = 1 FROM pg_policy p WHERE p.polrelid = t.oid
                AND p.polcmd = '*' AND p.polpermissive AND p.polwithcheck IS NULL
                AND pg_get_expr(p.polqual, t.oid) =
                    '(tenant_id = (NULLIF(current_setting(''app.tenant_id''::text, true),'
                    || ' ''''::text))::uuid)'))"
    );
    assert_eq!(psql(&shared_url(), &open_ones), "");
    let keys_without = "SELECT i.indexrelid::regclass FROM pg_index i
        JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'tenant_id'
        WHERE t.relnamespace = 'catalogue'::regnamespace AND i.indkey[0] <> a.attnum
        ORDER BY i.indexrelid::regclass::text";
    let of_all_tenants = "catalogue.schedules_due\ncatalogue.work_delayed\n\
        catalogue.work_leased\ncatalogue.work_ready";
    assert_eq!(
        psql(&shared_url(), keys_without),
        of_all_tenants,
        "every key starts with the tenant, but those of claims and timers"
    );
    let more_rights = "SELECT polrelid::regclass || ' ' || polname || ' ' || polcmd::text
        || ' ' || pg_get_expr(polqual, polrelid) FROM pg_policy
        WHERE polname <> 'own_tenant'
            AND polrelid IN (SELECT oid FROM pg_class
                WHERE relnamespace = 'catalogue'::regnamespace) ORDER BY 1";
    let when_it_says_so = "(current_setting('app.queue'::text, true) = 'all'::text)";
    let expected = [
        format!("catalogue.schedules all_queues r {when_it_says_so}"),
        format!("catalogue.work_queue all_queues r {when_it_says_so}"),
        format!("catalogue.work_queue lock_queues w {when_it_says_so}"),
    ];
    assert_eq!(psql(&shared_url(), more_rights), expected.join("\n"));
    let foreign_without = "SELECT c.conname FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attname = 'tenant_id'
        WHERE c.connamespace = 'catalogue'::regnamespace AND c.contype = 'f'
            AND NOT a.attnum = ANY(c.conkey)";
    assert_eq!(psql(&shared_url(), foreign_without), "");
    let others = "SELECT relname FROM pg_class
        WHERE relnamespace = 'catalogue'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
            AND oid NOT IN (SELECT attrelid FROM pg_attribute WHERE attname = 'tenant_id')
        ORDER BY 1";
    assert_eq!(psql(&shared_url(), others), "queue_clocks\nschema_migrations\ntenants");
}

#[test]
fn a_session_sees_the_rows_of_its_tenant_and_no_others() {
    let url = own_schema("attacks");
    let store = open(&url).unwrap();
    begin(&store);
    let tables = "executions entries checkpoints pending_writes effects interrupts items blobs
        entry_blobs workflow_versions node_cache work_queue queue_ranks queue_weights concurrency
        rates dead_letters schedules budgets reservations idempotency_keys workflows
        workflow_revisions";
    let as_app = |sql: &str| {
        psql(&shared_url(), &format!("SET search_path TO attacks; SET ROLE agentweaver_app; {sql}"))
    };
    for table in tables.split_whitespace() {
        for tenant in ["", "01234567-89ab-7def-8000-000000000000"] {
            let look = format!("SET app.tenant_id TO '{tenant}'; SELECT count(*) FROM {table}");
            assert_eq!(as_app(&look), "0", "{table} as `{tenant}`");
            let delete = format!(
                "SET app.tenant_id TO '{tenant}';
                 WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone"
            );
            assert_eq!(as_app(&delete), "0", "{table} as `{tenant}`");
        }
        assert_eq!(as_app(&format!("SELECT count(*) FROM {table}")), "0", "{table} as nobody");
    }
    let own = format!("SET app.tenant_id TO '{}'; SELECT count(*) FROM executions", store.tenant());
    assert_eq!(as_app(&own), "1");
    let foreign = "SET app.tenant_id TO '01234567-89ab-7def-8000-000000000000';
        UPDATE executions SET tenant_id = tenant_id; INSERT INTO entries VALUES
        ('6c6f6361-6c00-8000-8000-000000000001', gen_random_uuid(), 1, 1, '', '')";
    let refused = std::panic::catch_unwind(|| as_app(foreign));
    assert!(refused.is_err(), "a row of another tenant was written");
}

/// A user that owns its database and may make no roles.
#[test]
fn one_user_without_rights_is_enough() {
    let server = Server::start();
    server.psql("postgres", "CREATE ROLE house LOGIN");
    server.psql("postgres", "CREATE DATABASE house OWNER house");
    let url = server.url("house", "house");
    let store = open(&url).unwrap();
    let (id, lane) = begin(&store);
    store.append(step(id, &lane, 1)).wait().unwrap();
    assert_eq!(get(store.head(id)).sequence, 1);
    let count = |sql: &str| psql(&url, &format!("SET search_path TO agentweaver; {sql}"));
    assert_eq!(count("SELECT count(*) FROM executions"), "0", "its owner is held to it too");

    server.psql("postgres", "CREATE ROLE loose LOGIN BYPASSRLS");
    server.psql("house", "GRANT USAGE ON SCHEMA agentweaver TO loose");
    server.psql("house", "GRANT SELECT ON ALL TABLES IN SCHEMA agentweaver TO loose");
    let error = open(&server.url("loose", "house")).map(|store| get_error(&store));
    let refused = match error {
        Err(error) | Ok(Some(error)) => error,
        Ok(None) => panic!("a user without row-level security was let in"),
    };
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
}

/// The error of a read.
fn get_error(store: &Store) -> Option<Error> {
    block_on(store.threads(1)).err()
}

#[test]
fn what_the_server_refuses_has_a_name() {
    let server = Server::start();
    let superuser = server.url("postgres", "postgres");
    let store = open(&superuser).unwrap();
    let (id, lane) = begin(&store);
    let refused = [
        (server.url("postgres", "nowhere"), "store_refused"),
        (server.url("nobody", "postgres"), "store_refused"),
        (
            format!("{superuser}?schema=new&options=-c%20default_transaction_read_only%3Don"),
            "store_read_only",
        ),
        ("postgres://postgres@127.0.0.1:1/postgres".into(), "store_unreachable"),
    ];
    for (url, code) in refused {
        let error = open(&url).map(drop).unwrap_err();
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.help().is_some());
    }
    let options = PostgresOptions { migrate: false, ..Default::default() };
    let none = Store::open_postgres(&format!("{superuser}?schema=none"), &options);
    assert!(matches!(none, Err(Error::OlderSchema { found: 0, .. })), "{none:?}");
    server.psql("postgres", "INSERT INTO agentweaver.schema_migrations VALUES (99, 'future')");
    let error = open(&superuser).map(drop).unwrap_err();
    assert!(matches!(error, Error::NewerSchema { found: 99, .. }), "{error:?}");
    // The session is told, as if the server had become a copy.
    server.psql("postgres", "ALTER DATABASE postgres SET default_transaction_read_only TO on");
    server.psql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'agentweaver'",
    );
    let error = store.append(step(id, &lane, 1)).wait().unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }) && error.is_retryable(), "{error:?}");
}

/// Appends until told to stop, re-reading after each failure; counts what was
/// acknowledged.
fn write_until(store: &Store, id: ExecutionId, lane: &Lane, stop: &AtomicU64) -> (u64, u64) {
    let (mut acknowledged, mut failures) = (0, 0);
    while stop.load(Ordering::Relaxed) == 0 {
        match store.append(step(id, lane, acknowledged + 1)).wait() {
            Ok(()) => acknowledged += 1,
            Err(error) => {
                failures += 1;
                assert!(
                    !error.is_fatal() || matches!(error, Error::UnknownCommit { .. }),
                    "{error}"
                );
                while block_on(store.recover(id)).is_err() {}
                let head = loop {
                    if let Ok(head) = block_on(store.head(id)) {
                        break head.sequence;
                    }
                };
                assert!(head == acknowledged || head == acknowledged + 1, "{error}");
                acknowledged = head;
            }
        }
    }
    (acknowledged, failures)
}

/// Several executions at work while `trouble` happens again and again.
fn survives(store: &Store, rounds: u64, trouble: impl Fn(u64)) -> u64 {
    let stop = AtomicU64::new(0);
    let places: Vec<_> = (0..6).map(|_| begin(store)).collect();
    let failures = std::thread::scope(|scope| {
        let writers: Vec<_> = places
            .iter()
            .map(|(id, lane)| scope.spawn(|| write_until(store, *id, lane, &stop)))
            .collect();
        for round in 0..rounds {
            let before = get_patiently(store, places[0].0);
            trouble(round);
            // The next trouble comes when there is progress again.
            while get_patiently(store, places[0].0) <= before {}
        }
        stop.store(1, Ordering::Relaxed);
        let mut failures = 0;
        for (writer, (id, lane)) in writers.into_iter().zip(&places) {
            let (acknowledged, failed) = writer.join().unwrap();
            failures += failed;
            assert_eq!(get(store.head(*id)).sequence, acknowledged);
            let checkpoints = get(store.checkpoints(lane.clone(), None, 0));
            assert_eq!(checkpoints.len() as u64, acknowledged);
        }
        failures
    });
    assert_eq!(get(store.verify()).problems, []);
    failures
}

fn get_patiently(store: &Store, id: ExecutionId) -> u64 {
    loop {
        if let Ok(head) = block_on(store.head(id)) {
            return head.sequence;
        }
    }
}

#[test]
fn killed_backends_lose_nothing() {
    let server = Server::start();
    let store = open(&server.url("postgres", "postgres")).unwrap();
    survives(&store, 25, |_| {
        server.psql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'agentweaver' AND random() < 0.7",
        );
    });
}

#[test]
fn a_server_that_crashes_and_comes_back_loses_nothing() {
    let server = Server::start();
    let store = open(&server.url("postgres", "postgres")).unwrap();
    let failures = survives(&store, 4, |_| {
        server.stop();
        server.start_again();
    });
    assert!(failures > 0, "nobody was writing");
}

#[test]
fn without_a_server_nothing_is_acknowledged() {
    let server = Server::start();
    let options =
        PostgresOptions { patience: std::time::Duration::from_millis(50), ..Default::default() };
    let store = Store::open_postgres(&server.url("postgres", "postgres"), &options).unwrap();
    let (id, lane) = begin(&store);
    server.stop();
    let error = store.append(step(id, &lane, 1)).wait().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.is_retryable() && !error.is_fatal());
    assert!(matches!(block_on(store.head(id)), Err(Error::Unreachable { .. })));
    assert!(block_on(store.recover(id)).is_err(), "nobody can know yet");
    server.start_again();
    while block_on(store.recover(id)).is_err() {}
    assert_eq!(get(store.head(id)).sequence, 0);
    store.append(step(id, &lane, 1)).wait().unwrap();
}

#[test]
fn a_commit_whose_answer_is_lost_is_neither_failed_nor_made_again() {
    let server = Server::start();
    let proxy = Proxy::before(server.dir());
    let store = open(&proxy.url()).unwrap();
    let (id, lane) = begin(&store);
    proxy.lose_next_answer();
    let error = store.append(step(id, &lane, 1)).wait().unwrap_err();
    assert!(matches!(error, Error::UnknownCommit { .. }), "{error:?}");
    get(store.recover(id));
    assert_eq!(get(store.head(id)).sequence, 1, "it was made, and once");
    store.append(step(id, &lane, 2)).wait().unwrap();
}

fn submit(store: &Store) -> (ExecutionId, Lane) {
    let (id, lane) = (ExecutionId::generate(), Lane::root("t"));
    let submission = Submission {
        execution: execution(id, "t"),
        enqueue: Enqueue::execution(id),
        records: Vec::new(),
        idempotency: None,
    };
    get(store.submit(submission));
    (id, lane)
}

fn claim(store: &Store, owner: &str) -> Option<Claim> {
    let lease = std::time::Duration::from_secs(30);
    let request = ClaimRequest { route: ROUTE_DRIVE.into(), owner: owner.into(), count: 1, lease };
    get(store.queue().claim(request)).pop()
}

/// A claim is not flushed, so a crash may take it back: then it holds nothing.
#[test]
fn who_claimed_before_a_crash_does_not_hold_what_is_claimed_after_it() {
    let server = Server::start();
    server.psql("postgres", "ALTER SYSTEM SET wal_writer_delay TO '10s'");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let store = open(&server.url("postgres", "postgres")).unwrap();
    let (id, lane) = submit(&store);
    let lost = claim(&store, "first").unwrap();
    server.stop();
    server.start_again();
    let held = claim(&store, "second").expect("the crash has taken the claim back");
    let late = store.append(step(id, &lane, 1).fenced(lost.fence)).wait();
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    get(store.recover(id));
    store.append(step(id, &lane, 1).fenced(held.fence)).wait().unwrap();
}

/// What a process remembers of an execution says nothing about who holds it now.
#[test]
fn a_holder_that_another_process_superseded_changes_nothing() {
    let url = own_schema("superseded");
    let (first, second) = (open(&url).unwrap(), open(&url).unwrap());
    let (id, lane) = submit(&first);
    let held = claim(&first, "first").unwrap();
    for n in 1..=2 {
        first.append(step(id, &lane, n).fenced(held.fence)).wait().unwrap();
    }
    get(second.queue().release("first".into(), vec![(held.key.clone(), held.fence)]));
    let now = claim(&second, "second").unwrap();
    let late = first.append(step(id, &lane, 3).fenced(held.fence)).wait();
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    second.append(step(id, &lane, 3).fenced(now.fence)).wait().unwrap();
}

#[test]
fn a_held_lock_fails_its_own_batch_only() {
    let options = PostgresOptions {
        lock_timeout: std::time::Duration::from_millis(20),
        ..Default::default()
    };
    let store = Store::open_postgres(&shared_url(), &options).unwrap();
    let store = store.for_tenant(TenantId::generate());
    let places: Vec<_> = (0..8).map(|_| begin(&store)).collect();
    let held = places[3].0;
    let sql = format!(
        "BEGIN; SELECT FROM agentweaver.executions WHERE id = '{held}' FOR UPDATE;
         SELECT pg_sleep(2); COMMIT"
    );
    let holder = std::thread::spawn(move || psql(&shared_url(), &sql));
    let is_held = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE wait_event = 'PgSleep' AND query LIKE '%{held}%'"
    );
    while psql(&shared_url(), &is_held) == "0" {}
    let tickets: Vec<_> =
        places.iter().map(|(id, lane)| store.append(step(*id, lane, 1))).collect();
    for (ticket, (id, _)) in tickets.into_iter().zip(&places) {
        match ticket.wait() {
            Ok(()) => assert_ne!(*id, held),
            Err(error) => {
                assert!(matches!(error, Error::Busy { .. }), "{error:?}");
                assert_eq!(*id, held);
            }
        }
    }
    holder.join().unwrap();
}

#[test]
fn partitions_of_coming_months_are_made_again_when_they_are_missing() {
    let url = own_schema("ahead");
    let store = open(&url).unwrap();
    let partitions = "SELECT count(*) FROM pg_inherits
        WHERE inhparent = 'ahead.entries'::regclass";
    let count = || -> u32 { psql(&shared_url(), partitions).parse().unwrap() };
    let all = count();
    let last =
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'ahead.entries'::regclass
        AND inhrelid::regclass::text <> 'ahead.entries_other'
        ORDER BY inhrelid::regclass::text DESC LIMIT 1";
    let last = psql(&shared_url(), last);
    psql(&shared_url(), &format!("DROP TABLE {last}"));
    assert_eq!(count(), all - 1);
    get(store.prepare_ahead());
    assert_eq!(count(), all);
    get(store.prepare_ahead());
    assert_eq!(count(), all);
}

#[test]
fn a_list_of_a_workflow_in_a_status_that_none_has_reads_no_execution() {
    let url = own_schema("lists");
    let store = open(&url).unwrap();
    let ids: Vec<_> = (0..300).map(|_| ExecutionId::generate()).collect();
    let begun = ids
        .iter()
        .map(|id| Execution { workflow: Some("w".into()), ..execution(*id, &id.to_string()) });
    let records = begun.map(Record::from).collect();
    store.append(Batch { records, ..Batch::standalone() }).wait().unwrap();
    psql(&shared_url(), "ANALYZE lists.executions");
    // What a session has counted is known for certain once it has ended.
    drop(store);
    let scans = "SELECT idx_scan FROM pg_stat_all_indexes
        WHERE schemaname = 'lists' AND indexrelname = 'executions_by_workflow'";
    let reads = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_all_tables
        WHERE schemaname = 'lists' AND relname = 'executions'";
    let number = |sql: &str| psql(&shared_url(), sql).parse::<i64>().unwrap();
    let listed = |status, limit| {
        let (scanned, read) = (number(scans), number(reads));
        let store = open(&url).unwrap();
        let workflow = Some("w".into());
        let query = ExecutionQuery { workflow, status, limit, ..ExecutionQuery::default() };
        let found = get(store.executions(query)).len();
        drop(store);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while number(scans) == scanned {
            assert!(std::time::Instant::now() < deadline, "the index was not used");
        }
        (found, number(reads) - read)
    };
    assert_eq!(listed(Some(ExecutionStatus::Failed), 50), (0, 0));
    assert_eq!(listed(None, 20), (20, 20), "no more than are shown");
}
