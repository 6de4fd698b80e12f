//! How much at once, and how fast.

use weaver_store::*;

use crate::support::*;
use crate::{Place, seconds};

/// Queues an execution of a workflow with a concurrency key of limit 1.
fn submit(place: &Place, n: u128, workflow: &str, key: Option<&str>) -> ExecutionId {
    place.submit_with(&place.store, n, |submission| {
        submission.enqueue.workflow = Some(workflow.into());
        submission.enqueue.key = key.map(|name| ConcurrencyKey { name: name.into(), limit: 1 });
    })
}

fn set(place: &Place, scope: Scope, limit: Option<u32>) {
    get(place.queue().set_limit(TenantId::LOCAL, scope, limit));
}

fn used(place: &Place) -> Vec<(Scope, u32, u32)> {
    let limits = get(place.queue().limits(TenantId::LOCAL));
    limits.into_iter().map(|limit| (limit.scope, limit.limit, limit.used)).collect()
}

fn done(place: &Place, n: u128) {
    place.work(Work::Done(execution_id(n))).unwrap();
}

pub fn each_scope_is_limited(place: &Place) {
    set(place, Scope::Workflow("w".into()), Some(2));
    set(place, Scope::Tenant, Some(3));
    submit(place, 1, "w", Some("k"));
    submit(place, 2, "w", Some("k"));
    submit(place, 3, "w", None);
    submit(place, 4, "w", None);
    submit(place, 5, "v", None);
    submit(place, 6, "v", None);
    let held = |n| place.info(execution_id(n)).unwrap().held_on;
    assert_eq!(held(2), Some(Scope::Key("k".into())));
    assert_eq!(held(4), Some(Scope::Workflow("w".into())));
    assert_eq!(held(6), Some(Scope::Tenant));
    assert_eq!(place.claimed(9), [1, 3, 5]);

    // One end frees a slot of each scope; in each line the oldest comes first.
    done(place, 1);
    assert_eq!(held(2), None);
    assert_eq!(place.claimed(9), [2]);
    done(place, 3);
    assert_eq!(place.claimed(9), [4]);
    done(place, 5);
    assert_eq!(place.claimed(9), [6]);
    for n in [2, 4, 6] {
        done(place, n);
    }
    let workflow = Scope::Workflow("w".into());
    assert_eq!(used(place), [(workflow, 2, 0), (Scope::Tenant, 3, 0)]);
}

pub fn a_freed_slot_goes_to_the_first_in_line(place: &Place) {
    set(place, Scope::Tenant, Some(1));
    submit(place, 1, "w", None);
    submit(place, 2, "w", None);
    place.submit_with(&place.store, 3, |submission| {
        submission.enqueue.priority = Priority::FIRST;
    });
    submit(place, 4, "w", None);
    for n in [1, 3, 2, 4] {
        assert_eq!(place.claimed(9), [n]);
        done(place, n);
    }
}

pub fn a_wait_gives_its_slots_back(place: &Place) {
    submit(place, 1, "w", Some("k"));
    submit(place, 2, "w", Some("k"));
    let claim = place.claim(9).remove(0);
    let id = execution_id(1);
    let until = place.now().after(seconds(60));
    let wait = Work::Park { execution: id, park: Park::Until(until) };
    place.store.append(Batch::of(id).fenced(claim.fence).with(wait)).wait().unwrap();
    assert_eq!(place.claimed(9), [2]);
    // Back from its wait it has to wait for its turn.
    place.clock.advance(seconds(60));
    get(place.queue().promote_due(9));
    assert_eq!(place.state(id), Some(WorkState::Held));
    done(place, 2);
    assert_eq!(place.claimed(9), [1]);
}

pub fn limits_change_at_run_time(place: &Place) {
    for n in 1..=6 {
        submit(place, n, "w", None);
    }
    assert_eq!(place.claimed(2), [1, 2]);
    // What is ready counts as under way: nothing is taken back.
    set(place, Scope::Workflow("w".into()), Some(4));
    assert_eq!(used(place), [(Scope::Workflow("w".into()), 4, 6)]);
    submit(place, 7, "w", None);
    assert_eq!(place.state(execution_id(7)), Some(WorkState::Held));
    set(place, Scope::Workflow("w".into()), Some(7));
    assert_eq!(place.state(execution_id(7)), Some(WorkState::Ready));
    submit(place, 8, "w", None);
    submit(place, 9, "w", None);
    assert_eq!(place.state(execution_id(9)), Some(WorkState::Held));
    set(place, Scope::Workflow("w".into()), None);
    assert_eq!(used(place), []);
    assert_eq!(place.claimed(9), [3, 4, 5, 6, 7, 8, 9]);
    // Set again it counts everything that is under way.
    set(place, Scope::Workflow("w".into()), Some(1));
    assert_eq!(used(place), [(Scope::Workflow("w".into()), 1, 9)]);
    let refused = place.queue().set_limit(TenantId::LOCAL, Scope::Tenant, Some(0));
    assert!(matches!(block_on(refused), Err(Error::Invalid(_))));
}

pub fn the_limit_of_a_key_comes_with_the_work(place: &Place) {
    let with_limit = |n, limit| {
        place.submit_with(&place.store, n, |submission| {
            submission.enqueue.key = Some(ConcurrencyKey { name: "k".into(), limit });
        })
    };
    with_limit(1, 1);
    with_limit(2, 1);
    assert_eq!(place.state(execution_id(2)), Some(WorkState::Held));
    with_limit(3, 3);
    assert_eq!(place.claimed(9), [1, 2, 3]);
    for n in [1, 2, 3] {
        done(place, n);
    }
    // Nothing is remembered of a key that nobody uses.
    assert_eq!(used(place), []);
}

pub fn executions_start_no_faster_than_their_rate(place: &Place) {
    let rate = Some(Rate { interval: seconds(10), burst: 2 });
    get(place.queue().set_rate(TenantId::LOCAL, Scope::Workflow("w".into()), rate));
    let start = place.now();
    for n in 1..=5 {
        submit(place, n, "w", None);
    }
    submit(place, 6, "v", None);
    assert_eq!(place.claimed(9), [1, 2, 6]);
    for n in 3..=5 {
        let run_at = place.info(execution_id(n as u128)).unwrap().run_at.unwrap();
        assert!(run_at >= start.after(seconds(10 * (n - 2))));
    }
    place.clock.advance(seconds(11));
    get(place.queue().promote_due(9));
    assert_eq!(place.claimed(9), [3]);
    let key = Scope::Key("k".into());
    let refused = block_on(place.queue().set_rate(TenantId::LOCAL, key, rate));
    assert!(matches!(refused, Err(Error::Invalid(_))));
}
