//! Getting in, being claimed, and getting out.

use std::sync::Mutex;
use std::thread;

use weaver_store::*;

use crate::support::*;
use crate::{LEASE, Place, idempotency, key, seconds, submission, tenant};

pub fn a_submit_is_kept_whole_and_once(place: &Place) {
    let with_key =
        |n, body| Submission { idempotency: Some(idempotency("k", body)), ..submission(n) };
    let submit = |submission| block_on(place.store.submit(submission));
    assert_eq!(submit(with_key(1, "body")), Ok(Accepted::New));
    let id = execution_id(1);
    assert_eq!(place.status(id), ExecutionStatus::Queued);
    assert_eq!(get(place.store.head(id)).sequence, 1);
    assert_eq!(place.state(id), Some(WorkState::Ready));

    let repeat = Ok(Accepted::Repeat(b"answer to body".to_vec()));
    assert_eq!(submit(with_key(2, "body")), repeat);
    assert_eq!(submit(with_key(3, "other")), Err(Error::KeyReused { key: "k".into() }));
    assert!(matches!(submit(submission(1)), Err(Error::Conflict(_))));
    for n in [2, 3] {
        assert_eq!(get(place.store.execution(execution_id(n))), None);
        assert_eq!(place.state(execution_id(n)), None);
    }
    // Another tenant's keys are its own.
    let other = place.store.for_tenant(tenant(1));
    assert_eq!(block_on(other.submit(with_key(4, "other"))), Ok(Accepted::New));
}

/// Who has a free slot claims what is submitted in one go, unless it has to wait.
pub fn what_waits_for_nothing_is_taken_with_its_submit(place: &Place) {
    let queue = place.queue();
    let take = |n, change: &dyn Fn(&mut Submission)| {
        let taker = Taker::new("taker".into(), LEASE);
        place.submit_with(&place.store, n, |submission| {
            submission.enqueue.taker = Some(taker.clone());
            change(submission);
        });
        taker.claim()
    };
    get(queue.set_limit(TenantId::LOCAL, Scope::Workflow("w".into()), Some(1)));
    let of_workflow = |submission: &mut Submission| submission.enqueue.workflow = Some("w".into());
    let claim = take(1, &of_workflow).expect("nothing is in its way");
    let id = execution_id(1);
    assert_eq!((claim.key.clone(), claim.deliveries), (key(id), 1));
    let info = place.info(id).unwrap();
    assert_eq!((info.state, info.fence), (WorkState::Leased, claim.fence));
    assert_eq!(info.lease, Some(("taker".into(), claim.until)));
    assert_eq!(get(place.store.lease(id)).unwrap().fence, claim.fence);

    // The slot is taken, and before its time nothing is.
    assert_eq!(take(2, &of_workflow), None);
    assert_eq!(place.state(execution_id(2)), Some(WorkState::Held));
    let later = place.now().after(seconds(60));
    assert_eq!(take(3, &|submission| submission.enqueue.run_at = Some(later)), None);
    assert_eq!(place.state(execution_id(3)), Some(WorkState::Delayed));
    assert_eq!(place.claimed(9), []);

    // It is a claim like any other: it is renewed, it proves what is written, and its end
    // lets the next begin, for whom it is no longer the submitter's turn.
    assert_eq!(get(queue.renew("taker".into(), vec![(key(id), claim.fence)], LEASE)).len(), 1);
    let done = |fence| Batch::of(id).fenced(fence).with(Work::Done(id));
    let stale = block_on(place.store.append(done(claim.fence - 1)));
    assert!(matches!(stale, Err(Error::Fenced { .. })), "{stale:?}");
    get(place.store.recover(id));
    assert_eq!(block_on(place.store.append(done(claim.fence))), Ok(()));
    assert_eq!(place.claimed(9), [2]);
}

pub fn claims_go_by_priority_and_age(place: &Place) {
    for (n, level) in [(1, 5), (2, 5), (3, 0), (4, 9), (5, 0)] {
        place.submit_with(&place.store, n, |submission| {
            submission.enqueue.priority = Priority::new(level).unwrap();
        });
    }
    assert_eq!(place.claimed(2), [3, 5]);
    assert_eq!(place.claimed(2), [1, 2]);
    assert_eq!(place.claimed(2), [4]);
    assert_eq!(place.claimed(2), []);
    assert!(place.claim_as("me", "elsewhere", 2).is_empty());
}

pub fn tenants_take_turns(place: &Place) {
    let (hot, cold) = (place.store.for_tenant(tenant(1)), place.store.for_tenant(tenant(2)));
    for n in 0..20 {
        place.submit_with(&hot, 100 + n, |_| {});
    }
    assert_eq!(place.claimed(10), (100..110).collect::<Vec<_>>());
    // The cold tenant comes late, with its first three.
    for n in 0..3 {
        place.submit_with(&cold, 200 + n, |_| {});
    }
    assert_eq!(place.claimed(7), [110, 200, 111, 201, 112, 202, 113]);
    // What it did not use before earns it nothing.
    place.submit_with(&cold, 203, |_| {});
    place.submit_with(&cold, 204, |_| {});
    assert_eq!(place.claimed(4), [114, 203, 115, 204]);
}

/// Many claim at once, and each row is one's.
pub fn claims_at_once_share_nothing(place: &Place) {
    const ROWS: usize = 120;
    for n in 1..=ROWS as u128 {
        place.submit(n);
    }
    let claimed = Mutex::new(Vec::new());
    let claim = &|owner: &str| {
        loop {
            let claims = place.claim_as(owner, ROUTE_DRIVE, 3);
            let mut claimed = claimed.lock().unwrap();
            claimed.extend(claims.into_iter().map(|claim| claim.key.execution.0.as_u128()));
            if claimed.len() >= ROWS {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for owner in ["a", "b", "c", "d"] {
            scope.spawn(move || claim(owner));
        }
    });
    let mut claimed = claimed.into_inner().unwrap();
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=ROWS as u128).collect::<Vec<_>>());
}

/// A connection that has looked at timers serves claims as well, whoever's they are.
pub fn claims_follow_a_look_at_timers(place: &Place) {
    place.submit_with(&place.store.for_tenant(tenant(1)), 1, |_| {});
    get(place.queue().promote_due(9));
    get(place.queue().reap_expired(9));
    assert_eq!(place.claimed(9), [1]);
}

pub fn a_tenant_gets_its_weight(place: &Place) {
    let (heavy, light) = (place.store.for_tenant(tenant(1)), place.store.for_tenant(tenant(2)));
    get(place.queue().set_weight(tenant(1), 3));
    for n in 0..40 {
        place.submit_with(&light, 200 + n, |_| {});
        place.submit_with(&heavy, 100 + n, |_| {});
    }
    let claimed = place.claimed(20);
    assert_eq!(claimed.iter().filter(|n| **n < 200).count(), 15);
    let refused = block_on(place.queue().set_weight(tenant(1), 0));
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

pub fn a_superseded_holder_changes_nothing(place: &Place) {
    let id = place.submit(1);
    let first = place.claim_as("first", ROUTE_DRIVE, 1).remove(0);
    place.clock.advance(LEASE);
    assert_eq!(get(place.queue().reap_expired(9)), Reaped { requeued: 1, dead: 0 });
    let second = place.claim_as("second", ROUTE_DRIVE, 1).remove(0);
    assert!(second.fence > first.fence);
    assert_eq!((first.deliveries, second.deliveries), (1, 2));

    let batch = |claim: &Claim| {
        Batch::of(id).fenced(claim.fence).with(entry(id, 2, b"step")).with(Work::Done(id))
    };
    let late = place.store.append(batch(&first)).wait();
    assert!(matches!(late, Err(Error::Fenced { .. })));
    assert_eq!(get(place.store.head(id)).sequence, 1);
    assert_eq!(place.state(id), Some(WorkState::Leased));
    get(place.store.recover(id));
    place.store.append(batch(&second)).wait().unwrap();
    assert_eq!(place.state(id), None);
}

pub fn only_who_holds_work_renews_it(place: &Place) {
    let (kept, cancelled) = (place.submit(1), place.submit(2));
    let claims = place.claim(2);
    let held: Vec<_> = claims.iter().map(|claim| (claim.key.clone(), claim.fence)).collect();
    let cancel =
        Cancel { execution: cancelled, kind: "end".into(), payload: b"{}".to_vec(), time: at(9) };
    block_on(place.store.cancel(cancel)).unwrap();

    place.clock.advance(LEASE / 2);
    let renew = |owner: &str| get(place.queue().renew(owner.into(), held.clone(), LEASE));
    let renewed = renew("me");
    assert_eq!(renewed.len(), 1);
    assert_eq!((&renewed[0].key, renewed[0].pause), (&key(kept), false));
    assert!(renewed[0].until > claims[0].until);
    assert_eq!(renew("another"), []);
    // The renewed lease lasts from its renewal.
    place.clock.advance(LEASE / 2);
    assert_eq!(get(place.queue().reap_expired(9)), Reaped::default());
}

pub fn what_is_handed_back_burns_no_delivery(place: &Place) {
    place.submit(1);
    for _ in 0..3 {
        let claim = place.claim(1).remove(0);
        assert_eq!(claim.deliveries, 1);
        let held = vec![(claim.key.clone(), claim.fence)];
        assert_eq!(get(place.queue().release("another".into(), held.clone())), 0);
        assert_eq!(get(place.queue().release("me".into(), held.clone())), 1);
        assert_eq!(get(place.queue().release("me".into(), held)), 0);
    }
}

pub fn work_that_is_never_finished_is_given_up(place: &Place) {
    let id = place.submit_with(&place.store, 1, |submission| submission.enqueue.deliveries_max = 2);
    let lose = || {
        assert_eq!(place.claim(1).len(), 1);
        place.clock.advance(LEASE);
        get(place.queue().reap_expired(9))
    };
    assert_eq!(lose(), Reaped { requeued: 1, dead: 0 });
    assert_eq!(lose(), Reaped { requeued: 0, dead: 1 });
    assert_eq!(place.claimed(1), []);
    assert_eq!(place.status(id), ExecutionStatus::Waiting);
    let letters = get(place.queue().dead_letters(TenantId::LOCAL, 0));
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0].key, letters[0].deliveries), (&key(id), 2));
    assert_eq!(get(place.queue().dead_letters(tenant(1), 0)), []);

    let requeue = || place.work(Work::Requeue { execution: id, task: "".into() });
    requeue().unwrap();
    assert!(matches!(requeue(), Err(Error::Conflict(_))));
    assert_eq!(get(place.queue().dead_letters(TenantId::LOCAL, 0)), []);
    assert_eq!(place.status(id), ExecutionStatus::Queued);
    assert_eq!(place.claim(1)[0].deliveries, 1);
}

pub fn finished_work_is_gone_with_its_tasks(place: &Place) {
    let id = place.submit(1);
    place.work(Work::Enqueue(Enqueue::task(id, "a", "python"))).unwrap();
    let twice = place.work(Work::Enqueue(Enqueue::task(id, "a", "python")));
    assert!(matches!(twice, Err(Error::Conflict(_))));
    let task = WorkKey::task(TenantId::LOCAL, id, "a");
    assert!(get(place.queue().work(task.clone())).is_some());
    place.work(Work::Done(id)).unwrap();
    assert_eq!(get(place.queue().work(task)), None);
    assert_eq!(place.state(id), None);
    assert!(place.claim_as("me", "python", 1).is_empty());
}

pub fn executions_are_listed_by_status_and_workflow(place: &Place) {
    for n in 1..=6 {
        place.submit_with(&place.store, n, |submission| {
            submission.execution.workflow = Some(if n % 2 == 0 { "even" } else { "odd" }.into());
        });
    }
    let cancel =
        Cancel { execution: execution_id(4), kind: "end".into(), payload: Vec::new(), time: at(9) };
    block_on(place.store.cancel(cancel)).unwrap();
    let list = |query: ExecutionQuery| -> Vec<u128> {
        get(place.store.executions(query)).iter().map(|found| found.id.0.as_u128()).collect()
    };
    let even = || ExecutionQuery { workflow: Some("even".into()), ..Default::default() };
    let queued = Some(ExecutionStatus::Queued);
    assert_eq!(list(even()), [6, 4, 2]);
    assert_eq!(list(ExecutionQuery { limit: 2, ..even() }), [6, 4], "whatever their statuses");
    let before = Some(execution_id(6));
    assert_eq!(list(ExecutionQuery { before, limit: 1, ..even() }), [4]);
    assert_eq!(list(ExecutionQuery { status: queued, ..even() }), [6, 2]);
    assert_eq!(list(ExecutionQuery { status: queued, limit: 2, ..Default::default() }), [6, 5]);
    let before = Some(execution_id(5));
    assert_eq!(list(ExecutionQuery { status: queued, before, ..Default::default() }), [3, 2, 1]);
}

pub fn an_execution_is_read_with_its_row(place: &Place) {
    // At once, so that a store may queue them together.
    let batches = (1..=3).map(|n| {
        let Submission { execution, enqueue, .. } = submission(n);
        let batch = Batch::standalone().with(execution).with(Work::Enqueue(enqueue));
        place.store.append(batch)
    });
    for ticket in batches.collect::<Vec<_>>() {
        ticket.wait().unwrap();
    }
    let [first, second, third] = [1, 2, 3].map(execution_id);
    assert_eq!(place.claimed(1), [1]);
    place.store.append(Batch::standalone().with(Work::Done(first))).wait().unwrap();
    let (execution, work) = get(place.store.queued(second)).unwrap();
    assert_eq!((execution.id, work), (second, place.info(second)));
    assert_eq!(get(place.store.queued(first)).unwrap().1, None, "its row is gone");
    assert_eq!(get(place.store.queued(execution_id(9))), None);
    let mut works = get(place.store.works(vec![first, third, second, execution_id(9)]));
    works.sort_by_key(|work| work.key.execution);
    assert_eq!(works, [place.info(second).unwrap(), place.info(third).unwrap()]);
    // Another tenant's are not there.
    let other = place.store.for_tenant(tenant(1));
    assert_eq!((get(other.queued(second)), get(other.works(vec![second]))), (None, Vec::new()));
}
