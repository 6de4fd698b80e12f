//! What the queue promises, run on every kind of store.

#[path = "../support/postgres.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod budgets;
mod claims;
mod control;
mod limits;
mod properties;
mod roster;
mod schedules;
mod waits;

use std::time::Duration;

use support::*;
use uuid::Uuid;
use weaver_core::{Hash, Timestamp};
use weaver_store::*;

/// A store, and the clock that its timers and leases go by.
struct Place {
    store: Store,
    clock: Clock,
}

/// Runs each scenario on each kind of store.
macro_rules! conformance {
    ($($module:ident::$scenario:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $scenario() {
                let clock = weaver_store::Clock::default();
                let store = weaver_store::Store::in_memory_at(clock.clone());
                crate::$module::$scenario(&crate::Place { store, clock });
            })*
        }
        mod sqlite {
            $(#[test] fn $scenario() {
                let dir = tempfile::tempdir().unwrap();
                let options = weaver_store::OpenOptions::default();
                let clock = options.clock.clone();
                let store = weaver_store::Store::open_sqlite(dir.path(), options).unwrap();
                let place = crate::Place { store, clock };
                crate::$module::$scenario(&place);
                let verification = crate::get(place.store.verify());
                assert_eq!(verification.problems, []);
            })*
        }
        mod postgres {
            $(#[test] fn $scenario() {
                let place = crate::postgres(weaver_store::Clock::default());
                crate::$module::$scenario(&place);
                let verification = crate::get(place.store.verify());
                assert_eq!(verification.problems, []);
            })*
        }
    };
}

conformance! {
    claims::a_submit_is_kept_whole_and_once,
    claims::what_waits_for_nothing_is_taken_with_its_submit,
    claims::claims_go_by_priority_and_age,
    claims::claims_at_once_share_nothing,
    claims::tenants_take_turns,
    claims::claims_follow_a_look_at_timers,
    claims::a_tenant_gets_its_weight,
    claims::a_superseded_holder_changes_nothing,
    claims::only_who_holds_work_renews_it,
    claims::what_is_handed_back_burns_no_delivery,
    claims::work_that_is_never_finished_is_given_up,
    claims::finished_work_is_gone_with_its_tasks,
    claims::executions_are_listed_by_status_and_workflow,
    claims::an_execution_is_read_with_its_row,
    waits::a_timer_is_never_early,
    waits::an_answer_ends_a_wait,
    waits::an_answer_during_work_is_not_missed,
    waits::an_answer_counts_once,
    waits::a_task_is_completed_once,
    limits::each_scope_is_limited,
    limits::a_freed_slot_goes_to_the_first_in_line,
    limits::a_wait_gives_its_slots_back,
    limits::limits_change_at_run_time,
    limits::the_limit_of_a_key_comes_with_the_work,
    limits::executions_start_no_faster_than_their_rate,
    control::a_cancel_reaches_every_descendant,
    control::a_cancel_counts_once,
    control::a_paused_execution_is_not_claimed,
    control::a_running_execution_hears_of_its_pause,
    control::changes_are_announced,
    control::what_was_looked_at_still_holds_or_nothing_changes,
    control::a_forgotten_thread_leaves_the_queue,
    schedules::a_slot_is_fired_once,
    schedules::a_schedule_is_added_once_and_misses_nothing_while_it_is_stopped,
    budgets::no_more_is_reserved_than_the_limit,
    budgets::lost_attempts_are_unconfirmed,
    budgets::money_of_what_is_forgotten_goes_with_it,
    budgets::a_named_budget_stays,
    accounts::what_is_sealed_is_replaced_as_a_whole_or_not_at_all,
    accounts::each_writer_has_its_own_sums,
    accounts::quotas_are_set_and_taken_away,
    roster::workers_come_are_seen_and_are_forgotten,
    roster::a_worker_is_of_one_tenant,
}

/// A queue is for all tenants of a store, so each test has a schema of its own.
fn postgres(clock: Clock) -> Place {
    let schema = Uuid::now_v7().simple();
    let url = format!("{}?schema=q{schema}", server::shared_url());
    let options = PostgresOptions {
        writers: 2,
        connections: 3,
        clock: clock.clone(),
        ..PostgresOptions::default()
    };
    Place { store: Store::open_postgres(&url, &options).unwrap(), clock }
}

const LEASE: Duration = Duration::from_secs(30);

impl Place {
    fn queue(&self) -> &dyn Queue {
        self.store.queue()
    }

    /// Queues execution `n` of the local tenant.
    fn submit(&self, n: u128) -> ExecutionId {
        self.submit_with(&self.store, n, |_| {})
    }

    /// Queues execution `n` of a tenant, as changed.
    fn submit_with(
        &self,
        store: &Store,
        n: u128,
        change: impl FnOnce(&mut Submission),
    ) -> ExecutionId {
        let mut submission = submission(n);
        change(&mut submission);
        assert_eq!(block_on(store.submit(submission)), Ok(Accepted::New));
        execution_id(n)
    }

    fn claim(&self, count: usize) -> Vec<Claim> {
        self.claim_as("me", ROUTE_DRIVE, count)
    }

    fn claim_as(&self, owner: &str, route: &str, count: usize) -> Vec<Claim> {
        let request =
            ClaimRequest { route: route.into(), owner: owner.into(), count, lease: LEASE };
        get(self.queue().claim(request))
    }

    /// The numbers of the executions that are claimed next.
    fn claimed(&self, count: usize) -> Vec<u128> {
        self.claim(count).iter().map(|claim| claim.key.execution.0.as_u128()).collect()
    }

    fn state(&self, execution: ExecutionId) -> Option<WorkState> {
        self.info(execution).map(|info| info.state)
    }

    fn info(&self, execution: ExecutionId) -> Option<WorkInfo> {
        get(self.queue().work(key(execution)))
    }

    fn status(&self, execution: ExecutionId) -> ExecutionStatus {
        get(self.store.execution(execution)).unwrap().status
    }

    /// Appends a batch of one change.
    fn work(&self, work: Work) -> Result<()> {
        self.store.append(Batch::standalone().with(work)).wait()
    }

    fn now(&self) -> Timestamp {
        get(self.queue().now())
    }
}

fn key(execution: ExecutionId) -> WorkKey {
    WorkKey::execution(TenantId::LOCAL, execution)
}

fn submission(n: u128) -> Submission {
    let id = execution_id(n);
    Submission {
        execution: execution(id, &format!("t{n}")),
        enqueue: Enqueue::execution(id),
        records: vec![entry(id, 1, b"submitted").into()],
        idempotency: None,
    }
}

fn idempotency(key: &str, body: &str) -> Idempotency {
    Idempotency {
        key: IdempotencyKey { caller: "c".into(), route: "r".into(), key: key.into() },
        body: Hash::of(body.as_bytes()),
        answer: format!("answer to {body}").into_bytes(),
        time: at(1),
    }
}

fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(0xa000 + n))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
