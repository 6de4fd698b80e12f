//! Schedules submit once for each slot, whatever fails and whoever dies.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::*;
use weaver_core::Timestamp;
use weaver_runtime::Schedules;
use weaver_runtime::executions::{Refused, Submission, View};
use weaver_runtime::schedules::Draft;
use weaver_store::{Clock, ExecutionQuery, ExecutionStatus, Faults, Missed};

/// 2026-01-31T09:30:30Z
const START: Timestamp = Timestamp(1_769_851_830_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn draft(name: &str, cron: &str) -> Draft {
    Draft {
        name: name.into(),
        cron: cron.into(),
        zone: "UTC".into(),
        missed: Missed::All,
        submission: submission("work"),
    }
}

fn schedules(house: &House) -> Schedules {
    Schedules::new(house.store.clone())
}

/// The slots that executions were submitted for, in the order of their submits.
async fn slots(house: &House) -> Vec<String> {
    let query = ExecutionQuery { limit: 1000, ..ExecutionQuery::default() };
    let views = house.executions().list(query).await.expect("the store answers");
    let slot = |view: &View| view.order.labels.get("slot").cloned();
    views.iter().rev().filter_map(slot).collect()
}

/// Waits until there are so many executions.
async fn submitted(house: &House, count: usize) -> Vec<String> {
    let wait = async {
        loop {
            let slots = slots(house).await;
            if slots.len() >= count {
                return slots;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, wait).await.expect("the slots are fired")
}

#[tokio::test]
async fn a_slot_submits_what_the_schedule_says() {
    let house = House::at(Clock::stopped_at(START));
    let mut draft = draft("digest", "0 11 * * *");
    draft.zone = "Europe/Berlin".into();
    draft.submission = Submission { thread: Some("news".into()), ..submission("work") };
    let kept = schedules(&house).create(draft).await.unwrap();
    assert_eq!(kept.schedule.next.unwrap().to_rfc3339(), "2026-01-31T10:00:00.000Z");
    let scheduler = house.start("a");
    house.clock.advance(30 * MINUTE);
    assert_eq!(submitted(&house, 1).await, ["2026-01-31T10:00:00.000Z"]);
    let views = house.executions().list(ExecutionQuery::default()).await.unwrap();
    let view = house.ended(views[0].execution.id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    assert_eq!(&*view.execution.thread, "news");
    assert_eq!(view.order.labels["schedule"], "digest");
    let next = schedules(&house).get("digest").await.unwrap().schedule.next;
    assert_eq!(next.unwrap().to_rfc3339(), "2026-02-01T10:00:00.000Z");
    scheduler.drain().await;
}

#[tokio::test]
async fn each_slot_submits_once_whatever_fails() {
    const SLOTS: usize = 30;
    let house = House::at(Clock::stopped_at(START));
    schedules(&house).create(draft("each-minute", "* * * * *")).await.unwrap();
    let start = |seed: u64| {
        let faults = Faults {
            seed,
            refuse_per_mille: 200,
            unknown_per_mille: 200,
            delay_per_mille: 200,
            read_per_mille: 100,
        };
        house.start_on(faults.wrap(house.store.clone()), &format!("s{seed}"), 0)
    };
    let mut running = vec![start(1), start(2)];
    for slot in 1..=SLOTS {
        // Now and then nobody is there for a while, or somebody dies in the midst of it.
        match slot % 5 {
            3 => running.drain(..).for_each(Started::kill),
            4 => {}
            _ => running.push(start(slot as u64 + 2)),
        }
        house.clock.advance(MINUTE);
        if !running.is_empty() {
            submitted(&house, slot).await;
        }
    }
    running.push(start(99));
    let slots = submitted(&house, SLOTS).await;
    let once: BTreeSet<&String> = slots.iter().collect();
    assert_eq!((slots.len(), once.len()), (SLOTS, SLOTS));
    assert_eq!(once.first().map(|slot| slot.as_str()), Some("2026-01-31T09:31:00.000Z"));
    assert_eq!(once.last().map(|slot| slot.as_str()), Some("2026-01-31T10:00:00.000Z"));
    running.into_iter().for_each(Started::kill);
}

#[tokio::test]
async fn a_stopped_schedule_misses_nothing_and_a_removed_one_is_gone() {
    let house = House::at(Clock::stopped_at(START));
    schedules(&house).create(draft("hourly", "0 * * * *")).await.unwrap();
    schedules(&house).create(draft("minutely", "* * * * *")).await.unwrap();
    schedules(&house).enable("hourly", false).await.unwrap();
    house.clock.advance(300 * MINUTE);
    schedules(&house).enable("hourly", true).await.unwrap();
    let scheduler = house.start("a");
    // Of five hours without a server the latest hundred minutes are caught up.
    let slots = submitted(&house, 100).await;
    assert_eq!(slots.len(), 100);
    assert_eq!(slots[0], "2026-01-31T12:51:00.000Z");
    schedules(&house).remove("minutely").await.unwrap();
    let again = schedules(&house).remove("minutely").await;
    assert!(matches!(again, Err(Refused::NotFound(_))), "{again:?}");
    house.clock.advance(30 * MINUTE);
    let slots = submitted(&house, 101).await;
    assert_eq!(slots[100], "2026-01-31T15:00:00.000Z", "the hourly one, from its next slot on");
    scheduler.drain().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_its_place() {
    let house = House::new();
    let schedules = schedules(&house);
    let refused = async |draft: Draft| match schedules.create(draft).await {
        Err(Refused::Field { pointer, message }) => (pointer, message),
        other => panic!("it is refused: {other:?}"),
    };
    for (cron, why) in [("0 0 30 2 *", "never comes"), ("61 * * * *", "no cron line")] {
        let (pointer, message) = refused(draft("s", cron)).await;
        assert_eq!(pointer, "/cron");
        assert!(message.contains(why), "{message}");
    }
    let berlin = Draft { zone: "Berlin".into(), ..draft("s", "* * * * *") };
    assert_eq!(refused(berlin).await.0, "/zone");
    for name in ["", "a b", "a/b", "..", "ä"] {
        assert_eq!(refused(draft(name, "* * * * *")).await.0, "/name", "{name}");
    }
    let mut large = draft("s", "* * * * *");
    large.submission.order.script = Some("x".repeat(300 << 10));
    assert_eq!(refused(large).await.0, "/execution");
    schedules.create(draft("s", "0 9 * * *")).await.unwrap();
    schedules.create(draft("s", "0 9 * * *")).await.expect("the same again is harmless");
    let other = schedules.create(draft("s", "0 8 * * *")).await;
    assert!(matches!(other, Err(Refused::Conflict(_))), "{other:?}");
    let replaced = schedules.replace(draft("s", "0 8 * * *")).await.unwrap();
    assert_eq!(&*replaced.schedule.cron, "0 8 * * *");
    assert_eq!(schedules.list().await.unwrap(), [replaced]);
}
