//! A house that moves from one kind of store to another, and back.

#[path = "support/postgres.rs"]
mod server;
mod support;

use server::{Server, psql};
use support::*;
use weaver_core::{Hash, Value};
use weaver_store::*;

/// Something of everything, more than fits a batch.
fn fill(store: &Store, word: &str) {
    let version = WorkflowVersion {
        hash: Hash::of(word.as_bytes()),
        file: "graph.py".into(),
        source: format!("# {word}\0"),
        created: at(1),
    };
    store.append(Batch::standalone().with(version)).wait().unwrap();
    for n in 1..=4 {
        let id = execution_id(n);
        let (root, sub) =
            (Lane::root(format!("{word} {n}")), Lane::new(format!("{word} {n}"), "s:1"));
        store.append(Batch::of(id).with(execution(id, &root.thread))).wait().unwrap();
        for step in 1..=40_u64 {
            let parent = (step > 1).then(|| checkpoint_id(u128::from(step) - 1));
            let large = if step == 20 { BLOB_BYTES_MIN } else { 20 };
            let payload = vec![step as u8; large];
            let mut made = checkpoint(&root, checkpoint_id(step.into()), parent, id, &payload);
            if step == 30 {
                made.state = State::Full(payload.clone());
            }
            let batch = Batch::of(id)
                .with(entry(id, 2 * step - 1, &payload))
                .with(entry(id, 2 * step, b""))
                .with(effect(&root, id, step as u32, EffectStatus::Intent, b""))
                .with(effect(&root, id, step as u32, EffectStatus::Done, &payload))
                .with(checkpoint(&sub, checkpoint_id(step.into()), None, id, &payload))
                .with(made)
                .with(pending(&root, checkpoint_id(step.into()), "early", &payload));
            store.append(batch).wait().unwrap();
        }
        let asked = |name: &str, answer| Interrupt {
            lane: root.clone(),
            id: name.into(),
            checkpoint: checkpoint_id(40),
            task: "ask".into(),
            execution: id,
            value: word.into(),
            snapshot: None,
            time: at(3),
            answer,
        };
        let change = ExecutionChange {
            id,
            status: ExecutionStatus::Failed,
            ended: Some(at(9)),
            error: Some(b"why".to_vec()),
            totals: Totals { cost_micros: 7, ..Totals::default() },
        };
        let item = Item {
            key: ItemKey::new(["a", "b"], format!("{n}")),
            value: Value::from_json(r#"{"text":"nul \u0000 and é"}"#).unwrap(),
            created: at(1),
            updated: at(5),
            expires: Some(at(99)),
        };
        let batch = Batch::of(id)
            .with(asked("later", None))
            .with(asked("answered", Some((b"yes".to_vec(), at(4)))))
            .with(change)
            .with(item)
            .with(CacheEntry { key: Hash::of(&[n as u8]), payload: word.into(), expires: None });
        store.append(batch).wait().unwrap();
    }
    let key = TenantKey { version: 1, master: "m".into(), sealed: word.into(), created: at(1) };
    let sealed = Sealed { keys: vec![key], credentials: Vec::new() };
    let (accounts, tenant) = (store.accounts(), store.tenant());
    assert!(get(accounts.replace_sealed(tenant, Sealed::default(), sealed)));
    let metric = Metric {
        day: 1,
        model: word.into(),
        kind: "calls".into(),
        writer: uuid::Uuid::from_u128(1),
        value: 3,
    };
    get(accounts.put_metrics(tenant, vec![metric]));
    get(accounts.set_quota(tenant, "day".into(), Some(5)));
}

fn records(store: &Store) -> Vec<Record> {
    let mut records = store.export();
    let mut all = Vec::new();
    while let Some(record) = block_on(records.recv()) {
        all.push(record.unwrap());
    }
    all
}

#[test]
fn a_house_moves_to_postgres_and_back() {
    let server = Server::start();
    let url = server.url("postgres", "postgres");
    let (first, last) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = Place::Sqlite(first.path().into()).open().unwrap();
    let guest = TenantId::generate();
    fill(&old, "ada");
    fill(&old.for_tenant(guest), "ben");

    let middle = Place::Postgres(url.clone()).open().unwrap();
    let mut seen = Vec::new();
    let copied = block_on(copy(&old, &middle, |progress| seen.push(progress))).unwrap();
    assert_eq!(copied.tenants, 2);
    // Of each tenant three more stand beside its log.
    let total = records(&old).len() + records(&old.for_tenant(guest)).len() + 6;
    assert_eq!(copied.records, total as u64);
    assert_eq!(seen.last(), Some(&Progress::Verified { tenants: 2, records: copied.records }));
    assert_eq!(get(middle.verify()).problems, []);

    let again = block_on(copy(&old, &middle, |_| {})).unwrap_err();
    assert!(matches!(again, Error::Conflict(_)), "{again:?}");

    let new = Place::Sqlite(last.path().into()).open().unwrap();
    assert_eq!(block_on(copy(&middle, &new, |_| {})).unwrap(), copied);
    for tenant in [TenantId::LOCAL, guest] {
        let (old, new) = (old.for_tenant(tenant), new.for_tenant(tenant));
        assert_eq!(records(&old), records(&new));
        assert_eq!(get(new.verify()).problems, []);
    }
    // A store in memory keeps the lanes apart, and nothing else is otherwise.
    let memory = Store::in_memory();
    fill(&memory, "ada");
    let by_lane = |store: &Store| {
        let mut all = records(store);
        all.sort_by_key(|record| match record {
            Record::Checkpoint(checkpoint) => (1, Some(checkpoint.lane.clone())),
            Record::Version(_) | Record::Execution(_) | Record::Entry(_) => (0, None),
            _ => (2, None),
        });
        all
    };
    assert_eq!(by_lane(&memory), by_lane(&old));
}

#[test]
fn a_copy_that_is_not_the_same_is_noticed() {
    let server = Server::start();
    let url = server.url("postgres", "postgres");
    let old = Store::in_memory();
    fill(&old, "ada");
    let new = Store::open_postgres(&url, &PostgresOptions::default()).unwrap();
    let total = records(&old).len() as u64;
    // Somebody changes what was copied, before it is compared.
    let error = block_on(copy(&old, &new, |progress| {
        if matches!(progress, Progress::Written { records, .. } if records == total) {
            psql(&url, "UPDATE agentweaver.effects SET step = 9 WHERE ordinal = 40");
        }
    }));
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("effect 40"), "{error}");
}

#[test]
fn a_schema_is_looked_at_and_brought_up_to_date() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let places = [
        Place::Postgres(server.url("postgres", "postgres")),
        Place::Sqlite(dir.path().join("new")),
    ];
    for place in places {
        let before = place.schema().unwrap();
        assert_eq!(before.version, 0, "{place}");
        let after = place.migrate().unwrap();
        assert_eq!((after.version, after.needed), (before.needed, before.needed), "{place}");
        assert_eq!(place.migrate().unwrap(), after, "{place}: again changes nothing");
        assert_eq!(place.schema().unwrap(), after, "{place}");
    }
    // Many at once: one does it, the others wait.
    server.psql("postgres", "CREATE DATABASE busy");
    let place = Place::Postgres(server.url("postgres", "busy"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place.migrate().unwrap());
        }
    });
    assert_eq!(place.schema().unwrap().version, place.schema().unwrap().needed);
}

/// A queue with something of everything.
fn fill_queue(store: &Store) -> Vec<ExecutionId> {
    let tenant = store.tenant();
    let queue = store.queue();
    let submit = |n: u128, change: &dyn Fn(&mut Submission)| {
        let id = execution_id(n);
        let mut submission = Submission {
            execution: execution(id, &format!("t{n}")),
            enqueue: Enqueue::execution(id),
            records: Vec::new(),
            idempotency: Some(request(n)),
        };
        change(&mut submission);
        assert_eq!(block_on(store.submit(submission)), Ok(Accepted::New));
        id
    };
    let key = |limit| Some(ConcurrencyKey { name: "printer".into(), limit });
    get(queue.set_weight(tenant, 3));
    get(queue.set_limit(tenant, Scope::Tenant, Some(7)));
    let leased = submit(11, &|_| {});
    let claim = ClaimRequest {
        route: ROUTE_DRIVE.into(),
        owner: "me".into(),
        count: 1,
        lease: std::time::Duration::from_secs(30),
    };
    assert_eq!(get(queue.claim(claim)).len(), 1);
    let ready = submit(12, &|it| it.enqueue.key = key(1));
    let held = submit(13, &|it| it.enqueue.key = key(1));
    let delayed = submit(14, &|it| it.enqueue.run_at = Some(at(i64::MAX / 2)));
    let paused = submit(15, &|_| {});
    get(store.pause(paused));
    let rate = Rate { interval: std::time::Duration::from_secs(9), burst: 2 };
    get(queue.set_rate(tenant, Scope::Workflow("w".into()), Some(rate)));
    let name = ScheduleKey { tenant, name: "nightly".into() };
    let schedule = Schedule::new(name, "0 3 * * *", "Europe/Berlin", at(1)).unwrap();
    get(queue.put_schedule(Schedule { payload: vec![0, 255], ..schedule }));
    let budget = BudgetKey { tenant, root: leased };
    get(queue.set_budget(budget, 100));
    let id = uuid::Uuid::from_u128(7);
    let reservation = Reservation { budget, id, execution: leased, fence: 1, amount_micros: 60 };
    assert_eq!(get(queue.reserve(reservation)), Reserved::Granted);
    let workflow = Workflow {
        key: WorkflowKey { tenant, id: WorkflowId(uuid::Uuid::from_u128(3)) },
        name: "Nightly".into(),
        version: 1,
        revision: 1,
        file: "a.py".into(),
        hash: Hash::of(b"text"),
        layout: vec![0, 255],
        created: at(1),
        updated: at(1),
    };
    let text = WorkflowText { file: "a.py".into(), source: "#\0".into(), script: None };
    assert_eq!(block_on(store.add_workflow(workflow, text, None)), Ok(Accepted::New));
    vec![leased, ready, held, delayed, paused]
}

fn request(n: u128) -> Idempotency {
    Idempotency {
        key: IdempotencyKey { caller: "c".into(), route: "r".into(), key: format!("{n}").into() },
        body: Hash::of(b"body"),
        answer: vec![0, 1],
        time: at(1),
    }
}

#[test]
fn what_waits_in_the_queue_moves_too_and_goes_on() {
    let server = Server::start();
    let (first, last) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = Place::Sqlite(first.path().into()).open().unwrap();
    let ids = fill_queue(&old);
    let middle = Place::Postgres(server.url("postgres", "postgres")).open().unwrap();
    let copied = block_on(copy(&old, &middle, |_| {})).unwrap();
    let new = Place::Sqlite(last.path().into()).open().unwrap();
    assert_eq!(block_on(copy(&middle, &new, |_| {})).unwrap(), copied);
    for store in [&middle, &new] {
        let (tenant, queue) = (store.tenant(), store.queue());
        let states = ids.iter().map(|id| get(queue.work(WorkKey::execution(tenant, *id))).unwrap());
        let states: Vec<WorkState> = states.map(|work| work.state).collect();
        use WorkState::{Delayed, Held, Paused, Ready};
        assert_eq!(states, [Ready, Ready, Held, Delayed, Paused]);
        assert_eq!(get(queue.limits(tenant)).len(), 2);
        assert_eq!(get(queue.schedules(tenant)), get(old.queue().schedules(tenant)));
        let key = WorkflowKey { tenant, id: WorkflowId(uuid::Uuid::from_u128(3)) };
        let workflow = get(store.library().workflow(key));
        assert!(workflow.is_some());
        assert_eq!(workflow, get(old.library().workflow(key)));
        let budget = get(queue.budget(BudgetKey { tenant, root: ids[0] })).unwrap();
        assert_eq!((budget.limit_micros, budget.reserved_micros), (100, 60));
        assert_eq!(get(store.idempotency(request(12).key)), Some(request(12)));
        // What was there comes before what is new, and who frees a slot hands it on.
        let late = execution_id(99);
        let submission = Submission {
            execution: execution(late, "late"),
            enqueue: Enqueue::execution(late),
            records: Vec::new(),
            idempotency: None,
        };
        assert_eq!(block_on(store.submit(submission)), Ok(Accepted::New));
        let claim = || {
            let claim = ClaimRequest {
                route: ROUTE_DRIVE.into(),
                owner: "new".into(),
                count: 9,
                lease: std::time::Duration::from_secs(30),
            };
            get(queue.claim(claim)).into_iter().map(|claim| claim.key.execution).collect::<Vec<_>>()
        };
        assert_eq!(claim(), [ids[0], ids[1], late]);
        store.append(Batch::standalone().with(Work::Done(ids[1]))).wait().unwrap();
        assert_eq!(claim(), [ids[2]]);
    }
}
