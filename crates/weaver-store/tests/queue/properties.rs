//! Random days of a queue on every kind of store: all must give the same answers,
//! and the rules must hold after every step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use weaver_core::Timestamp;
use weaver_store::*;

use crate::support::*;
use crate::{Place, postgres, submission, tenant};

/// What happens.
#[derive(Clone, Debug)]
enum Action {
    Submit {
        n: u128,
        priority: u8,
        workflow: bool,
        key: bool,
        delayed: bool,
        taken: bool,
    },
    Enqueue {
        n: u128,
    },
    Claim {
        count: usize,
        tasks: bool,
    },
    /// The holder of the n-th lease commits this.
    Finish {
        lease: usize,
        how: u8,
    },
    Release {
        lease: usize,
    },
    Wake {
        n: u128,
    },
    Cancel {
        n: u128,
    },
    Pause {
        n: u128,
        on: bool,
    },
    Limit {
        scope: u8,
        limit: Option<u32>,
    },
    Pass {
        seconds: u64,
    },
    Requeue {
        n: u128,
    },
}

const EXECUTIONS: u128 = 12;
const LEASE: Duration = Duration::from_secs(30);

fn action() -> impl Strategy<Value = Action> {
    let n = || 1..=EXECUTIONS;
    prop_oneof![
        6 => (
            (n(), 4..6_u8, any::<bool>()),
            (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3)),
        ).prop_map(|((n, priority, workflow), (key, delayed, taken))| {
            Action::Submit { n, priority, workflow, key, delayed, taken }
        }),
        1 => n().prop_map(|n| Action::Enqueue { n }),
        5 => (1..4_usize, prop::bool::weighted(0.2))
            .prop_map(|(count, tasks)| Action::Claim { count, tasks }),
        5 => (any::<usize>(), 0..5_u8).prop_map(|(lease, how)| Action::Finish { lease, how }),
        1 => any::<usize>().prop_map(|lease| Action::Release { lease }),
        2 => n().prop_map(|n| Action::Wake { n }),
        1 => n().prop_map(|n| Action::Cancel { n }),
        2 => (n(), any::<bool>()).prop_map(|(n, on)| Action::Pause { n, on }),
        2 => (0..3_u8, prop::option::weighted(0.8, 1..4_u32))
            .prop_map(|(scope, limit)| Action::Limit { scope, limit }),
        2 => (1..40_u64).prop_map(|seconds| Action::Pass { seconds }),
        1 => n().prop_map(|n| Action::Requeue { n }),
    ]
}

/// The same time in all stores, however long each takes.
fn stopped() -> Clock {
    Clock::stopped_at(at(1_700_000_000_000_000))
}

/// Half of the executions belong to another tenant.
fn tenant_of(n: u128) -> TenantId {
    if n.is_multiple_of(2) { TenantId::LOCAL } else { tenant(1) }
}

/// A store under test. Its times are relative to its start, so that two of them
/// can be compared.
struct House {
    store: Store,
    clock: Clock,
    leases: Vec<Claim>,
    start: Timestamp,
    /// The fences seen of each row, rising. Some stores raise them by more than one.
    fences: RefCell<HashMap<WorkKey, Vec<u64>>>,
}

impl House {
    fn new(store: Store, clock: Clock) -> Self {
        let start = get(store.queue().now());
        House { store, clock, leases: Vec::new(), start, fences: RefCell::default() }
    }

    fn of(&self, n: u128) -> Store {
        self.store.for_tenant(tenant_of(n))
    }

    /// Does it; gives what came of it, in words.
    fn act(&mut self, action: &Action) -> String {
        let queue = self.store.queue();
        match action {
            Action::Submit { n, priority, workflow, key, delayed, taken } => {
                let mut submission = submission(*n);
                submission.enqueue.priority = Priority::new(*priority).unwrap();
                submission.enqueue.workflow = workflow.then(|| "w".into());
                submission.enqueue.key = key.then(|| ConcurrencyKey { name: "k".into(), limit: 2 });
                submission.enqueue.deliveries_max = 2;
                if *delayed {
                    let time = get(queue.now()).after(Duration::from_secs(20));
                    submission.enqueue.run_at = Some(time);
                }
                let taker = taken.then(|| Taker::new("me".into(), LEASE));
                submission.enqueue.taker.clone_from(&taker);
                let answer = word(block_on(self.of(*n).submit(submission)));
                let claim = taker.filter(|_| answer == "New").and_then(|taker| taker.claim());
                self.leases.extend(claim.iter().cloned());
                let taken =
                    claim.map(|claim| (self.fence(&claim.key, claim.fence), claim.deliveries));
                format!("{answer} {taken:?}")
            }
            Action::Enqueue { n } => {
                self.append(*n, Work::Enqueue(Enqueue::task(execution_id(*n), "x", "tasks")))
            }
            Action::Claim { count, tasks } => {
                let route = if *tasks { "tasks" } else { ROUTE_DRIVE };
                let claims = get(queue.claim(ClaimRequest {
                    route: route.into(),
                    owner: "me".into(),
                    count: *count,
                    lease: LEASE,
                }));
                self.leases.extend(claims.iter().cloned());
                let words = claims
                    .iter()
                    .map(|c| (c.key.clone(), self.fence(&c.key, c.fence), c.deliveries));
                format!("{:?}", words.collect::<Vec<_>>())
            }
            Action::Finish { lease, how } => self.finish(*lease, *how),
            Action::Release { lease } => match self.lease(*lease) {
                Some(claim) => {
                    word(block_on(queue.release("me".into(), vec![(claim.key, claim.fence)])))
                }
                None => String::new(),
            },
            Action::Wake { n } => self.append(*n, Work::Wake(execution_id(*n))),
            Action::Cancel { n } => {
                let execution = execution_id(*n);
                let (kind, payload, time) = ("cancelled".into(), b"{}".to_vec(), at(9));
                word(block_on(self.of(*n).cancel(Cancel { execution, kind, payload, time })))
            }
            Action::Pause { n, on: true } => word(block_on(self.of(*n).pause(execution_id(*n)))),
            Action::Pause { n, on: false } => word(block_on(self.of(*n).unpause(execution_id(*n)))),
            Action::Limit { scope, limit } => {
                let scope = [Scope::Tenant, Scope::Workflow("w".into()), Scope::Key("k".into())]
                    [usize::from(*scope)]
                .clone();
                word(block_on(queue.set_limit(TenantId::LOCAL, scope, *limit)))
            }
            Action::Pass { seconds } => {
                self.clock.advance(Duration::from_secs(*seconds));
                let promoted = get(queue.promote_due(99)).count;
                format!("{promoted} due, {:?}", get(queue.reap_expired(99)))
            }
            Action::Requeue { n } => {
                self.append(*n, Work::Requeue { execution: execution_id(*n), task: "".into() })
            }
        }
    }

    fn lease(&self, n: usize) -> Option<Claim> {
        self.leases.get(n.checked_rem(self.leases.len())?).cloned()
    }

    fn append(&self, n: u128, work: Work) -> String {
        word(self.of(n).append(Batch::standalone().with(work)).wait())
    }

    /// What a holder, present or past, does with its work.
    fn finish(&self, lease: usize, how: u8) -> String {
        let Some(Claim { key, fence, .. }) = self.lease(lease) else { return String::new() };
        let store = self.store.for_tenant(key.tenant);
        let id = key.execution;
        if !key.is_execution() {
            return word(block_on(store.complete_task(id, key.task, fence, Vec::new())));
        }
        let in_a_while = get(store.queue().now()).after(Duration::from_secs(20));
        let work = match how {
            0 | 1 => Work::Done(id),
            2 => Work::Park { execution: id, park: Park::Until(in_a_while) },
            3 => Work::Park { execution: id, park: Park::Wake },
            _ => Work::Park { execution: id, park: Park::Ready },
        };
        let next = get(store.head(id)).sequence + 1;
        let batch = Batch::of(id).fenced(fence).with(entry(id, next, b"step")).with(work);
        let outcome = store.append(batch).wait();
        get(store.recover(id));
        word(outcome)
    }

    /// Everything that can be seen, without what depends on the host's clock.
    fn everything(&self) -> String {
        let mut words = Vec::new();
        for n in 1..=EXECUTIONS {
            let store = self.of(n);
            let id = execution_id(n);
            let status = get(store.execution(id)).map(|found| found.status);
            words.push(format!("{n}: {status:?} {}", get(store.head(id)).sequence));
            for task in ["", "x"] {
                let key = WorkKey::task(tenant_of(n), id, task);
                let info = get(store.queue().work(key.clone()));
                if info.is_none() {
                    self.fences.borrow_mut().remove(&key);
                }
                words.push(format!("{:?}", info.map(|info| self.plainly(&key, info))));
            }
        }
        for tenant in [TenantId::LOCAL, tenant(1)] {
            words.push(format!("{:?}", get(self.store.queue().limits(tenant))));
            words.push(format!("{}", get(self.store.queue().dead_letters(tenant, 0)).len()));
        }
        words.join("\n")
    }

    /// How often the row's fence was seen to rise before it had this value.
    fn fence(&self, key: &WorkKey, fence: u64) -> usize {
        let mut fences = self.fences.borrow_mut();
        let seen = fences.entry(key.clone()).or_default();
        if seen.last().is_none_or(|last| *last < fence) {
            seen.push(fence);
        }
        seen.iter().position(|one| *one == fence).expect("fences never fall")
    }

    /// Without what differs between hosts and stores.
    fn plainly(&self, key: &WorkKey, info: WorkInfo) -> String {
        let seconds = |time: Timestamp| (time.0 - self.start.0 + 500_000).div_euclid(1_000_000);
        let WorkInfo { state, priority, held_on, deliveries, fence, paused, .. } = info;
        let run_at = info.run_at.map(seconds);
        let fence = self.fence(key, fence);
        format!("{state:?} {priority:?} {held_on:?} {deliveries} {fence} {paused} {run_at:?}")
    }

    /// No limit is exceeded by what starts, its count is right, and nothing waits
    /// for a slot that is free.
    fn check_limits(&self, before: &HashMap<(TenantId, Scope), (u32, u32)>) {
        for tenant in [TenantId::LOCAL, tenant(1)] {
            for limit in get(self.store.queue().limits(tenant)) {
                let waiting = self.waiting_for(tenant, &limit.scope);
                let was = before.get(&(tenant, limit.scope.clone()));
                // A limit that was lowered just now may be exceeded by what ran before.
                let most = was.map_or(u32::MAX, |(_, used)| limit.limit.max(*used));
                assert!(limit.used <= most, "{limit:?} was {was:?}");
                assert!(waiting == 0 || limit.used >= limit.limit, "{waiting} wait for {limit:?}");
            }
        }
    }

    fn waiting_for(&self, tenant: TenantId, scope: &Scope) -> usize {
        let of_tenant = (1..=EXECUTIONS).filter(|n| tenant_of(*n) == tenant);
        let held_on = of_tenant.filter_map(|n| {
            let key = WorkKey::execution(tenant, execution_id(n));
            get(self.store.queue().work(key))?.held_on
        });
        held_on.filter(|held_on| held_on == scope).count()
    }

    fn limits(&self) -> HashMap<(TenantId, Scope), (u32, u32)> {
        let tenants = [TenantId::LOCAL, tenant(1)];
        let limits = tenants.into_iter().flat_map(|tenant| get(self.store.queue().limits(tenant)));
        limits.map(|found| ((found.tenant, found.scope), (found.limit, found.used))).collect()
    }
}

/// Success as it is, or the code of the failure.
fn word<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.code().into(),
    }
}

/// Does the same in memory and in another store.
fn compare(mut other: House, actions: Vec<Action>) -> Result<(), TestCaseError> {
    let clock = stopped();
    let mut memory = House::new(Store::in_memory_at(clock.clone()), clock);
    for action in actions {
        prop_assert_eq!(other.act(&action), memory.act(&action), "{:?}", action);
        prop_assert_eq!(other.everything(), memory.everything(), "after {:?}", action);
    }
    prop_assert_eq!(get(other.store.verify()).problems, []);
    Ok(())
}

/// The rules alone, which needs no disk and so can be tried more often.
fn keep_the_rules(actions: Vec<Action>) {
    let clock = stopped();
    let mut memory = House::new(Store::in_memory_at(clock.clone()), clock);
    for action in actions {
        let before = memory.limits();
        memory.act(&action);
        memory.check_limits(&before);
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 1000,
        failure_persistence: None,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(config(20))]

    #[test]
    fn sqlite_agrees_with_memory(actions in prop::collection::vec(action(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let clock = stopped();
        let options = OpenOptions { clock: clock.clone(), ..OpenOptions::default() };
        compare(House::new(Store::open_sqlite(dir.path(), options).unwrap(), clock), actions)?;
    }
}

proptest! {
    #![proptest_config(config(6))]

    #[test]
    fn postgres_agrees_with_memory(actions in prop::collection::vec(action(), 1..50)) {
        let Place { store, clock } = postgres(stopped());
        compare(House::new(store, clock), actions)?;
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_rules_of_limits_hold(actions in prop::collection::vec(action(), 1..120)) {
        keep_the_rules(actions);
    }
}
