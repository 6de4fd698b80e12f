//! Schedules fire once per slot.

use weaver_store::*;

use crate::support::*;
use crate::{Place, seconds, submission};

pub fn a_slot_is_fired_once(place: &Place) {
    let key = ScheduleKey { tenant: TenantId::LOCAL, name: "nightly".into() };
    let schedule = Schedule::new(key.clone(), "*/5 * * * *", "Europe/Berlin", place.now()).unwrap();
    get(place.queue().put_schedule(schedule.clone()));
    assert_eq!(get(place.queue().due_schedules(9)), []);
    place.clock.advance(seconds(300));
    let due = get(place.queue().due_schedules(9));
    assert_eq!(due, std::slice::from_ref(&schedule));

    let plan = schedule.plan(place.now()).unwrap();
    assert_eq!(plan.fire.last(), schedule.next.as_ref());
    // Two processes see the slot; one run comes of it.
    let fire = |n| {
        let Submission { execution, enqueue, .. } = submission(n);
        let batch = Batch::standalone()
            .with(Work::Fired {
                schedule: key.clone(),
                slot: schedule.next.unwrap(),
                next: plan.next,
            })
            .with(execution)
            .with(Work::Enqueue(enqueue));
        place.store.append(batch).wait()
    };
    fire(1).unwrap();
    assert!(matches!(fire(2), Err(Error::Conflict(_))));
    assert_eq!(place.claimed(9), [1]);
    assert_eq!(get(place.queue().due_schedules(9)), []);
    let stored = get(place.queue().schedules(TenantId::LOCAL));
    assert_eq!(stored, [Schedule { next: plan.next, ..schedule.clone() }]);

    place.clock.advance(seconds(300));
    get(place.queue().put_schedule(Schedule { enabled: false, ..stored[0].clone() }));
    assert_eq!(get(place.queue().due_schedules(9)), []);
    assert!(get(place.queue().remove_schedule(key.clone())));
    assert!(!get(place.queue().remove_schedule(key)));
    let broken = Schedule { cron: "not a line".into(), ..schedule };
    assert!(matches!(block_on(place.queue().put_schedule(broken)), Err(Error::Invalid(_))));
}

pub fn a_schedule_is_added_once_and_misses_nothing_while_it_is_stopped(place: &Place) {
    let key = ScheduleKey { tenant: TenantId::LOCAL, name: "hourly".into() };
    let schedule = Schedule::new(key.clone(), "0 * * * *", "UTC", place.now()).unwrap();
    assert!(get(place.queue().add_schedule(schedule.clone())));
    let other = Schedule { zone: "Asia/Tokyo".into(), ..schedule.clone() };
    assert!(!get(place.queue().add_schedule(other)), "the name is taken");
    assert_eq!(get(place.queue().schedule(key.clone())), Some(schedule.clone()));

    let stopped = get(place.queue().enable_schedule(key.clone(), false)).unwrap();
    assert_eq!(stopped, Schedule { enabled: false, ..schedule.clone() });
    place.clock.advance(seconds(10 * 3600));
    let again = get(place.queue().enable_schedule(key.clone(), true)).unwrap();
    assert!(again.enabled && again.next.unwrap() > place.now());
    assert_eq!(get(place.queue().due_schedules(9)), []);
    // It fires already: nothing is put off.
    place.clock.advance(seconds(3600));
    let same = get(place.queue().enable_schedule(key.clone(), true)).unwrap();
    assert_eq!(same.next, again.next);
    assert_eq!(get(place.queue().due_schedules(9)), [again]);
    get(place.queue().remove_schedule(key.clone()));
    assert_eq!(get(place.queue().enable_schedule(key.clone(), true)), None);
    assert_eq!(get(place.queue().schedule(key)), None);
}
