//! Cancel, pause, and the news of them.

use weaver_core::Hash;
use weaver_store::*;

use crate::support::*;
use crate::{LEASE, Place, key};

fn cancel(execution: ExecutionId) -> Cancel {
    Cancel { execution, kind: "run_cancelled".into(), payload: b"why".to_vec(), time: at(77) }
}

pub fn a_cancel_reaches_every_descendant(place: &Place) {
    let child_of = |n: u128, parent: ExecutionId| {
        place.submit_with(&place.store, n, |submission| {
            submission.execution.parent = Some(parent);
        })
    };
    let root = place.submit(1);
    let child = child_of(2, root);
    let grandchild = child_of(3, child);
    let bystander = place.submit(4);
    get(place.queue().set_limit(TenantId::LOCAL, Scope::Tenant, Some(4)));
    let last = place.submit(5);
    assert_eq!(place.state(last), Some(WorkState::Held));
    place.work(Work::Enqueue(Enqueue::task(grandchild, "x", "python"))).unwrap();
    let claims = place.claim(9);
    // One of them has ended by itself.
    let ended = ExecutionChange {
        id: child,
        status: ExecutionStatus::Completed,
        ended: Some(at(50)),
        error: None,
        totals: Totals::default(),
    };
    place.store.append(Batch::of(child).with(ended).with(Work::Done(child))).wait().unwrap();

    assert_eq!(block_on(place.store.cancel(cancel(root))), Ok(Cancelled::Cancelled));
    for id in [root, grandchild] {
        let found = get(place.store.execution(id)).unwrap();
        assert_eq!((found.status, found.ended), (ExecutionStatus::Cancelled, Some(at(77))));
        let entries = get(place.store.entries(id, 1, 0));
        assert_eq!((&*entries[0].kind, &*entries[0].payload), ("run_cancelled", &b"why"[..]));
        assert_eq!(place.state(id), None);
    }
    assert_eq!(place.status(child), ExecutionStatus::Completed);
    assert_eq!(place.state(bystander), Some(WorkState::Leased));
    assert!(place.claim_as("w", "python", 1).is_empty());
    // Nothing that they still do is saved, and their slots are free.
    for claim in claims.iter().filter(|claim| [root, grandchild].contains(&claim.key.execution)) {
        let id = claim.key.execution;
        let late = Batch::of(id).fenced(claim.fence).with(entry(id, 3, b"late"));
        assert!(matches!(place.store.append(late).wait(), Err(Error::Fenced { .. })));
        assert_eq!(get(place.store.head(id)).sequence, 2);
    }
    assert_eq!(place.claimed(9), [5]);
}

pub fn a_cancel_counts_once(place: &Place) {
    let id = place.submit(1);
    let say = |id| block_on(place.store.cancel(cancel(id)));
    assert_eq!(say(id), Ok(Cancelled::Cancelled));
    assert_eq!(say(id), Ok(Cancelled::Cancelled));
    assert_eq!(get(place.store.head(id)).sequence, 2);
    let other = place.submit(2);
    let ended = ExecutionChange {
        id: other,
        status: ExecutionStatus::Failed,
        ended: Some(at(50)),
        error: None,
        totals: Totals::default(),
    };
    place.store.append(Batch::of(other).with(ended).with(Work::Done(other))).wait().unwrap();
    assert_eq!(say(other), Ok(Cancelled::Ended(ExecutionStatus::Failed)));
    assert!(matches!(say(execution_id(3)), Err(Error::Conflict(_))));
}

pub fn a_paused_execution_is_not_claimed(place: &Place) {
    get(place.queue().set_limit(TenantId::LOCAL, Scope::Tenant, Some(1)));
    let (first, second) = (place.submit(1), place.submit(2));
    for _ in 0..2 {
        block_on(place.store.pause(first)).unwrap();
    }
    assert_eq!(place.status(first), ExecutionStatus::Paused);
    // Its slot is the next one's.
    assert_eq!(place.claimed(9), [2]);
    for _ in 0..2 {
        block_on(place.store.unpause(first)).unwrap();
    }
    assert_eq!(place.status(first), ExecutionStatus::Queued);
    assert_eq!(place.state(first), Some(WorkState::Held));
    place.work(Work::Done(second)).unwrap();
    assert_eq!(place.claimed(9), [1]);
    assert!(matches!(block_on(place.store.pause(second)), Err(Error::Conflict(_))));
}

pub fn a_running_execution_hears_of_its_pause(place: &Place) {
    let id = place.submit(1);
    let claim = place.claim(1).remove(0);
    block_on(place.store.pause(id)).unwrap();
    let held = vec![(key(id), claim.fence)];
    let renewed = get(place.queue().renew("me".into(), held, LEASE));
    assert!(renewed[0].pause);
    let wait = Work::Park { execution: id, park: Park::Ready };
    place.store.append(Batch::of(id).fenced(claim.fence).with(wait)).wait().unwrap();
    assert_eq!(place.state(id), Some(WorkState::Paused));
    assert_eq!(place.claimed(1), []);
    block_on(place.store.unpause(id)).unwrap();
    // One that waits pauses when its wait is over.
    let claim = place.claim(1).remove(0);
    let wait = Work::Park { execution: id, park: Park::Wake };
    place.store.append(Batch::of(id).fenced(claim.fence).with(wait)).wait().unwrap();
    block_on(place.store.pause(id)).unwrap();
    place.work(Work::Wake(id)).unwrap();
    assert_eq!(place.state(id), Some(WorkState::Paused));
    block_on(place.store.unpause(id)).unwrap();
    assert_eq!(place.claimed(1), [1]);
}

pub fn changes_are_announced(place: &Place) {
    let mut wakeups = place.queue().wakeups();
    let id = place.submit(1);
    block_on(wakeups.changed());
    place.claim(1);
    block_on(place.store.cancel(cancel(id))).unwrap();
    block_on(wakeups.changed());
}

pub fn a_forgotten_thread_leaves_the_queue(place: &Place) {
    get(place.queue().set_limit(TenantId::LOCAL, Scope::Tenant, Some(1)));
    let (first, second) = (place.submit(1), place.submit(2));
    place.store.append(Batch::standalone().with(Record::ForgetThread("t1".into()))).wait().unwrap();
    assert_eq!(place.state(first), None);
    assert_eq!(place.state(second), Some(WorkState::Ready));
}

pub fn what_was_looked_at_still_holds_or_nothing_changes(place: &Place) {
    let id = place.submit(1);
    let pin = |version: &[u8], fence| {
        let batch = Batch::standalone().with(Work::Idle { execution: id, fence });
        place.store.append(batch.with(Record::Pin(id, Hash::of(version)))).wait()
    };
    let version = || get(place.store.execution(id)).unwrap().version;
    pin(b"one", 0).unwrap();
    let [claim] = &place.claim(1)[..] else { panic!("it is claimed") };
    for fence in [0, claim.fence] {
        assert!(matches!(pin(b"two", fence), Err(Error::Conflict(_))), "it is worked on");
    }
    assert_eq!(version(), Some(Hash::of(b"one")));
    place.work(Work::Park { execution: id, park: Park::Wake }).unwrap();
    assert!(matches!(pin(b"two", 0), Err(Error::Conflict(_))), "it was worked on since");
    pin(b"two", claim.fence).unwrap();
    place.work(Work::Done(id)).unwrap();
    pin(b"three", claim.fence).unwrap();
    assert_eq!(version(), Some(Hash::of(b"three")));
}
