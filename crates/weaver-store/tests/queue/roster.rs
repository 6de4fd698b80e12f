//! Workers: who is there, and since when.

use uuid::Uuid;
use weaver_core::{Hash, Timestamp};
use weaver_store::*;

use crate::Place;
use crate::support::*;

fn worker(tenant: TenantId, name: &str, seen: i64) -> Worker {
    Worker {
        tenant,
        id: Uuid::now_v7(),
        name: name.into(),
        secret: Hash::of(name.as_bytes()),
        about: vec![0, 255],
        draining: false,
        running: 0,
        registered: at(seen),
        seen: at(seen),
    }
}

pub fn workers_come_are_seen_and_are_forgotten(place: &Place) {
    let (roster, tenant) = (place.store.roster(), TenantId::generate());
    let (old, first) = (worker(tenant, "old", 1), worker(tenant, "first", 5));
    let second = worker(tenant, "second", 6);
    for new in [&old, &first, &second] {
        get(roster.add_worker(new.clone(), Timestamp(0)));
    }
    assert_eq!(get(roster.workers(tenant, 0)), [second.clone(), first.clone(), old.clone()]);
    assert_eq!(get(roster.workers(tenant, 1)), std::slice::from_ref(&second));
    assert_eq!(get(roster.worker(tenant, first.id)), Some(first.clone()));
    let seen = Worker { seen: at(9), running: 3, ..first.clone() };
    assert_eq!(get(roster.see_worker(tenant, first.id, at(9), 3)), Some(seen.clone()));
    let draining = Worker { draining: true, ..seen };
    assert_eq!(get(roster.drain_worker(tenant, first.id)), Some(draining.clone()));
    assert_eq!(
        get(roster.see_worker(tenant, first.id, at(2), 3)),
        Some(draining),
        "an old sign of life takes nothing back"
    );
    get(roster.add_worker(worker(tenant, "third", 9), at(6)));
    let names: Vec<_> = get(roster.workers(tenant, 0)).into_iter().map(|own| own.name).collect();
    assert_eq!(names, ["third".into(), "second".into(), "first".into()], "{old:?} is forgotten");
    assert!(get(roster.remove_worker(tenant, second.id)));
    assert!(!get(roster.remove_worker(tenant, second.id)));
    assert_eq!(get(roster.see_worker(tenant, second.id, at(9), 0)), None);
}

pub fn a_worker_is_of_one_tenant(place: &Place) {
    let (roster, tenant) = (place.store.roster(), TenantId::generate());
    let own = worker(tenant, "own", 1);
    get(roster.add_worker(own.clone(), Timestamp(0)));
    let other = TenantId::generate();
    assert_eq!(get(roster.worker(other, own.id)), None);
    assert_eq!(get(roster.workers(other, 0)), []);
    assert_eq!(get(roster.drain_worker(other, own.id)), None);
    assert!(!get(roster.remove_worker(other, own.id)));
    assert_eq!(get(roster.worker(tenant, own.id)), Some(own));
    let named = worker(tenant, "a\0b", 1);
    let refused = block_on(roster.add_worker(named, Timestamp(0))).unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
}
