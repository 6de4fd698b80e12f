//! Money is set aside before it is spent.

use uuid::Uuid;
use weaver_store::*;

use crate::support::*;
use crate::{Place, idempotency};

fn budget() -> BudgetKey {
    BudgetKey { tenant: TenantId::LOCAL, root: execution_id(1) }
}

fn reservation(n: u128, fence: u64, amount_micros: u64) -> Reservation {
    let (id, execution) = (Uuid::from_u128(n), execution_id(2));
    Reservation { budget: budget(), id, execution, fence, amount_micros }
}

pub fn no_more_is_reserved_than_the_limit(place: &Place) {
    let queue = place.queue();
    let reserve = |n, amount| get(queue.reserve(reservation(n, 1, amount)));
    assert_eq!(reserve(9, 1_000_000), Reserved::Granted, "there is no budget yet");
    get(queue.set_budget(budget(), 100));
    assert_eq!(reserve(1, 60), Reserved::Granted);
    assert_eq!(reserve(1, 60), Reserved::Granted, "it is the same one");
    assert_eq!(reserve(2, 41), Reserved::Exceeded { left_micros: 40 });
    assert_eq!(reserve(3, 40), Reserved::Granted);
    get(queue.settle(reservation(1, 1, 60), 10));
    get(queue.settle(reservation(1, 1, 60), 10));
    let found = get(queue.budget(budget())).unwrap();
    assert_eq!((found.settled_micros, found.reserved_micros, found.left_micros()), (10, 40, 50));
    assert_eq!(reserve(4, 51), Reserved::Exceeded { left_micros: 50 });
    // Raising the limit is all that it takes to go on.
    get(queue.set_budget(budget(), 101));
    assert_eq!(reserve(4, 51), Reserved::Granted);
}

pub fn lost_attempts_are_unconfirmed(place: &Place) {
    let queue = place.queue();
    get(queue.set_budget(budget(), 100));
    for (n, fence) in [(1, 1), (2, 1), (3, 2)] {
        assert_eq!(get(queue.reserve(reservation(n, fence, 20))), Reserved::Granted);
    }
    get(queue.settle(reservation(1, 1, 20), 5));
    assert_eq!(get(queue.abandon_reservations(budget(), execution_id(2), 2)), 1);
    assert_eq!(get(queue.abandon_reservations(budget(), execution_id(2), 2)), 0);
    let expected = Budget {
        limit_micros: 100,
        settled_micros: 25,
        reserved_micros: 20,
        unconfirmed_micros: 20,
    };
    assert_eq!(get(queue.budget(budget())), Some(expected));
}

pub fn money_of_what_is_forgotten_goes_with_it(place: &Place) {
    let (queue, tenant) = (place.queue(), TenantId::LOCAL);
    let id = place.submit_with(&place.store, 1, |submission| {
        submission.idempotency = Some(idempotency("k", "body"));
    });
    assert_eq!(budget().root, id);
    let gone = BudgetKey { tenant, root: execution_id(77) };
    get(queue.set_budget(budget(), 100));
    get(queue.set_budget(gone, 100));
    for (n, key) in [(1, budget()), (2, budget()), (3, gone)] {
        let reservation = Reservation { budget: key, ..reservation(n, 1, 10) };
        assert_eq!(get(queue.reserve(reservation)), Reserved::Granted);
    }
    get(queue.settle(reservation(1, 1, 10), 5));
    let forgotten = get(queue.forget_over(tenant, Some(at(2))));
    assert_eq!(forgotten, Forgotten { keys: 1, money: 3 });
    assert_eq!(get(queue.forget_over(tenant, Some(at(2)))), Forgotten::default());
    let kept = get(queue.budget(budget())).unwrap();
    assert_eq!((kept.settled_micros, kept.reserved_micros), (5, 10));
    assert_eq!(get(queue.budget(gone)), None);
    // Its time over, the same key is a new request.
    let batch = Batch::standalone().with(idempotency("k", "another body"));
    place.store.append(batch).wait().unwrap();
}

pub fn a_named_budget_stays(place: &Place) {
    let (queue, tenant) = (place.queue(), TenantId::LOCAL);
    let key = BudgetKey::named(tenant, "2033-05");
    assert_eq!(key, BudgetKey::named(tenant, "2033-05"));
    assert_ne!(key, BudgetKey::named(tenant, "2033-06"));
    get(queue.set_budget(key, 100));
    let open = Reservation { budget: key, ..reservation(1, 1, 60) };
    assert_eq!(get(queue.reserve(open)), Reserved::Granted);
    get(queue.forget_over(tenant, None));
    let expected = Budget { limit_micros: 100, reserved_micros: 60, ..Budget::default() };
    assert_eq!(get(queue.budget(key)), Some(expected));
    get(queue.settle(open, 7));
    assert_eq!(get(queue.budget(key)).unwrap().settled_micros, 7);
}
