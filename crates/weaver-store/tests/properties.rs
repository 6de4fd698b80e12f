//! Random batches on each kind of store and in memory, with the store opened again
//! at random places: both must give the same answers to everything, refusals
//! included.

#[path = "support/postgres.rs"]
mod server;
mod support;

use proptest::prelude::*;
use support::*;
use weaver_core::{Hash, Value};
use weaver_store::*;

/// What happens to both stores.
#[derive(Clone, Debug)]
enum Action {
    /// Append these, without waiting.
    Append(Batch),
    /// Wait for everything.
    Settle,
    /// Take batches of the execution again.
    Recover(ExecutionId),
    /// Close the file and open it again.
    Reopen,
    /// Free what is over.
    Collect,
}

const EXECUTIONS: u128 = 3;
const CHECKPOINTS: u128 = 6;

fn execution_of(n: u128) -> ExecutionId {
    execution_id(n % EXECUTIONS + 1)
}

/// Each execution works on its own thread, the last two share one.
fn thread_of(id: ExecutionId) -> &'static str {
    if id == execution_id(1) { "a" } else { "b" }
}

fn lane_of(id: ExecutionId, sub: bool) -> Lane {
    Lane::new(thread_of(id), if sub { "sub:1" } else { "" })
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u64>(), 200..4_000_usize).prop_map(|(seed, bytes)| noise(seed, bytes)),
        1 => any::<u8>().prop_map(|byte| vec![byte; BLOB_BYTES_MIN]),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let place = (0..EXECUTIONS, any::<bool>()).prop_map(|(n, sub)| {
        let id = execution_of(n);
        (id, lane_of(id, sub))
    });
    let number = 1..=CHECKPOINTS;
    let parent = prop::option::of(1..=CHECKPOINTS);
    (place, number, parent, payload(), 0..16_u8, any::<bool>()).prop_map(
        |((id, lane), number, parent, bytes, kind, flag)| {
            let checkpoint_id_ = checkpoint_id(number);
            match kind {
                0 => execution(id, thread_of(id)).into(),
                1..=3 => entry(id, number as u64, &bytes).into(),
                4..=6 => {
                    let mut made =
                        checkpoint(&lane, checkpoint_id_, parent.map(checkpoint_id), id, &bytes);
                    made.settles_parent = flag;
                    if number == CHECKPOINTS {
                        made.state = State::Full(bytes);
                    }
                    made.into()
                }
                7 | 8 => {
                    pending(&lane, checkpoint_id_, if flag { "x" } else { "y" }, &bytes).into()
                }
                9 => Record::DropPendingWrites(lane, checkpoint_id_),
                10 => {
                    let status = if flag { EffectStatus::Done } else { EffectStatus::Intent };
                    effect(&lane, id, number as u32, status, &bytes).into()
                }
                11 => Interrupt {
                    lane,
                    id: if flag { "i" } else { "j" }.into(),
                    checkpoint: checkpoint_id_,
                    task: "t".into(),
                    execution: id,
                    value: bytes.clone(),
                    snapshot: flag.then_some(bytes),
                    time: at(1),
                    answer: None,
                }
                .into(),
                12 => Record::Answer {
                    lane,
                    interrupt: if flag { "i" } else { "j" }.into(),
                    answer: bytes,
                    time: at(2),
                },
                13 => Item {
                    key: ItemKey::new(["n"], number.to_string()),
                    value: Value::map([("n", Value::Int(number as i64))]),
                    created: at(number as i64),
                    updated: at(bytes.len() as i64),
                    expires: flag.then(|| at(NOW + number as i64 - 3)),
                }
                .into(),
                14 => CacheEntry { key: Hash::of(&[number as u8]), payload: bytes, expires: None }
                    .into(),
                _ if number == 1 => Record::ForgetThread(lane.thread),
                _ => ExecutionChange {
                    id,
                    status: ExecutionStatus::Waiting,
                    ended: flag.then(|| at(4)),
                    error: flag.then_some(bytes),
                    totals: Totals::default(),
                }
                .into(),
            }
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let batch = (prop::option::of(0..EXECUTIONS), prop::collection::vec(record(), 0..4)).prop_map(
        |(owner, records)| {
            Action::Append(Batch { execution: owner.map(execution_of), fence: None, records })
        },
    );
    // What usually comes next, because random records alone rarely fit.
    let next = (0..EXECUTIONS).prop_map(|n| Action::Append(Batch::of(execution_of(n))));
    prop_oneof![
        10 => batch,
        8 => next,
        3 => Just(Action::Settle),
        3 => (0..EXECUTIONS).prop_map(|n| Action::Recover(execution_of(n))),
        1 => Just(Action::Reopen),
        1 => Just(Action::Collect),
    ]
}

const NOW: i64 = 10;

/// Everything that can be asked.
fn everything(store: &Store) -> String {
    let mut answers = Vec::new();
    let mut add = |answer: &dyn std::fmt::Debug| answers.push(format!("{answer:?}"));
    add(&get(store.executions(ExecutionQuery::default())));
    add(&get(store.threads(0)));
    for n in 0..EXECUTIONS {
        let id = execution_of(n);
        add(&(get(store.execution(id)), get(store.head(id)), get(store.entries(id, 0, 0))));
        let thread = thread_of(id);
        add(&(get(store.namespaces(thread.into())), get(store.open_effects(thread.into()))));
        add(&get(store.interrupts(thread.into(), false)));
        for lane in [lane_of(id, false), lane_of(id, true)] {
            add(&get(store.checkpoints(lane.clone(), None, 0)));
            add(&get(store.effects(lane.clone(), "t".into())));
            for n in 1..=CHECKPOINTS {
                add(&get(store.chain(lane.clone(), Some(checkpoint_id(n)))));
                add(&get(store.pending_writes(lane.clone(), checkpoint_id(n))));
            }
        }
    }
    add(&get(store.search_items(ItemSearch { limit: 99, ..Default::default() }, at(NOW))));
    for n in 0..=CHECKPOINTS {
        add(&get(store.cached(Hash::of(&[n as u8]), at(NOW))));
    }
    answers.join("\n")
}

/// Adds to an empty batch of an execution the entry that fits next.
fn completed(mut batch: Batch, model: &Store) -> Batch {
    if let (Some(id), true) = (batch.execution, batch.is_empty()) {
        if get(model.execution(id)).is_none() {
            batch.push(execution(id, thread_of(id)));
        }
        batch.push(entry(id, get(model.head(id)).sequence + 1, b"next"));
    }
    batch
}

/// How long batches may be on their way together.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// All of them: the store writes in the order of `append`.
    Total,
    /// Those of one execution.
    OfExecution,
}

fn run(actions: Vec<Action>, order: Order, open: impl Fn() -> Store) -> Result<(), TestCaseError> {
    let (mut store, model) = (open(), Store::in_memory());
    let (mut tickets, mut on_the_way) = (Vec::new(), None);
    for action in actions {
        match action {
            Action::Append(batch) => {
                let batch = completed(batch, &model);
                let owner = batch.execution;
                if order == Order::OfExecution && (owner.is_none() || owner != on_the_way) {
                    settle(&mut tickets)?;
                }
                on_the_way = owner;
                tickets.push((store.append(batch.clone()), model.append(batch)));
                continue;
            }
            Action::Recover(id) => {
                get(store.recover(id));
                get(model.recover(id));
                continue;
            }
            Action::Collect => {
                if order == Order::OfExecution {
                    settle(&mut tickets)?;
                }
                let (ours, models) =
                    (get(store.collect_garbage(at(NOW))), get(model.collect_garbage(at(NOW))));
                prop_assert_eq!(
                    (ours.items, ours.cache_entries),
                    (models.items, models.cache_entries)
                );
            }
            Action::Settle => {}
            Action::Reopen => {
                drop(store);
                store = open();
                // A new process knows of no failure.
                (0..EXECUTIONS).for_each(|n| get(model.recover(execution_of(n))));
            }
        }
        settle(&mut tickets)?;
        prop_assert_eq!(everything(&store), everything(&model));
    }
    settle(&mut tickets)?;
    prop_assert_eq!(everything(&store), everything(&model));
    prop_assert_eq!(get(store.verify()).problems, []);
    Ok(())
}

/// Both stores must agree on what is durable.
fn settle(tickets: &mut Vec<(Ticket, Ticket)>) -> Result<(), TestCaseError> {
    for (store, model) in tickets.drain(..) {
        prop_assert_eq!(outcome(store), outcome(model));
    }
    Ok(())
}

/// Success, or the code of the failure.
fn outcome(ticket: Ticket) -> Option<&'static str> {
    ticket.wait().err().map(|error| error.code())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn sqlite_agrees_with_the_model(actions in prop::collection::vec(action(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open_sqlite(dir.path(), OpenOptions::default()).unwrap();
        run(actions, Order::Total, open)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn postgres_agrees_with_the_model(actions in prop::collection::vec(action(), 1..60)) {
        let tenant = TenantId::generate();
        let options = PostgresOptions { writers: 2, ..Default::default() };
        let open = || {
            Store::open_postgres(&server::shared_url(), &options).unwrap().for_tenant(tenant)
        };
        run(actions, Order::OfExecution, open)?;
    }
}
