//! Timers, people, and tasks done elsewhere.

use std::time::Duration;

use weaver_store::*;

use crate::support::*;
use crate::{Place, idempotency, seconds};

/// Claims the only execution and lets it wait.
fn park(place: &Place, id: ExecutionId, park: Park) {
    let claim = place.claim(1).remove(0);
    assert_eq!(claim.key.execution, id);
    let batch = Batch::of(id).fenced(claim.fence).with(Work::Park { execution: id, park });
    place.store.append(batch).wait().unwrap();
}

pub fn a_timer_is_never_early(place: &Place) {
    let id = place.submit(1);
    let due = place.now().after(seconds(3 * 86_400));
    park(place, id, Park::Until(due));
    assert_eq!(place.status(id), ExecutionStatus::Waiting);
    place.clock.advance(seconds(3 * 86_400 - 60));
    assert_eq!(get(place.queue().promote_due(9)), Promoted { count: 0, next: Some(due) });
    assert_eq!(place.claimed(1), []);
    place.clock.advance(seconds(60));
    assert_eq!(get(place.queue().promote_due(9)), Promoted { count: 1, next: None });
    assert_eq!(place.status(id), ExecutionStatus::Queued);
    let claim = place.claim(1).remove(0);
    // It got on in between.
    assert_eq!(claim.deliveries, 1);

    // A delayed submit waits the same way.
    let run_at = Some(place.now().after(seconds(10)));
    place.submit_with(&place.store, 2, |submission| submission.enqueue.run_at = run_at);
    assert_eq!(place.claimed(1), []);
    place.clock.advance(seconds(10));
    get(place.queue().promote_due(9));
    assert_eq!(place.claimed(1), [2]);
}

/// To the microsecond; only a clock that stands still can say so.
#[test]
fn a_timer_is_not_a_moment_early() {
    let clock = Clock::stopped_at(at(1_700_000_000_000_000));
    let place = Place { store: Store::in_memory_at(clock.clone()), clock };
    let id = place.submit(1);
    let due = place.now().after(seconds(10));
    park(&place, id, Park::Until(due));
    place.clock.advance(seconds(10) - Duration::from_micros(1));
    assert_eq!(get(place.queue().promote_due(9)), Promoted { count: 0, next: Some(due) });
    place.clock.advance(Duration::from_micros(1));
    assert_eq!(get(place.queue().promote_due(9)), Promoted { count: 1, next: None });
}

fn ask(place: &Place, id: ExecutionId) -> Lane {
    let lane = Lane::root("t1");
    let asked = Interrupt {
        lane: lane.clone(),
        id: "i".into(),
        checkpoint: checkpoint_id(1),
        task: "ask".into(),
        execution: id,
        value: b"sure?".to_vec(),
        snapshot: None,
        time: at(2),
        answer: None,
    };
    place.store.append(Batch::of(id).with(asked)).wait().unwrap();
    lane
}

fn decision(lane: &Lane, answer: &str) -> Decision {
    Decision {
        lane: lane.clone(),
        interrupt: "i".into(),
        answer: answer.as_bytes().to_vec(),
        time: at(5),
        idempotency: None,
    }
}

pub fn an_answer_ends_a_wait(place: &Place) {
    let id = place.submit(1);
    let lane = ask(place, id);
    // One waits for a person alone, and one for a deadline too.
    for deadline in [None, Some(place.now().after(seconds(86_400)))] {
        park(place, id, deadline.map_or(Park::Wake, Park::Until));
        assert_eq!(place.claimed(1), []);
        assert_eq!(place.info(id).unwrap().run_at, deadline);
        if deadline.is_none() {
            assert_eq!(block_on(place.store.answer(decision(&lane, "yes"))), Ok(Accepted::New));
        } else {
            place.work(Work::Wake(id)).unwrap();
        }
        assert_eq!(place.state(id), Some(WorkState::Ready));
    }
    assert_eq!(place.claimed(2), [1]);
    // The deadline is gone with the wait.
    place.clock.advance(seconds(2 * 86_400));
    assert_eq!(get(place.queue().promote_due(9)), Promoted::default());
}

pub fn an_answer_during_work_is_not_missed(place: &Place) {
    let id = place.submit(1);
    let lane = ask(place, id);
    let claim = place.claim(1).remove(0);
    block_on(place.store.answer(decision(&lane, "yes"))).unwrap();
    let wait = Work::Park { execution: id, park: Park::Wake };
    place.store.append(Batch::of(id).fenced(claim.fence).with(wait)).wait().unwrap();
    // The next wait is a new one.
    park(place, id, Park::Wake);
    assert_eq!(place.claimed(1), []);
}

pub fn an_answer_counts_once(place: &Place) {
    let id = place.submit(1);
    let lane = ask(place, id);
    let answer = |decision| block_on(place.store.answer(decision));
    let with_key = |text: &str| Decision {
        idempotency: Some(idempotency("k", text)),
        ..decision(&lane, text)
    };
    assert_eq!(answer(with_key("yes")), Ok(Accepted::New));
    assert_eq!(answer(with_key("yes")), Ok(Accepted::Repeat(b"answer to yes".to_vec())));
    assert_eq!(answer(with_key("no")), Err(Error::KeyReused { key: "k".into() }));
    assert_eq!(answer(decision(&lane, "yes")), Ok(Accepted::Repeat(Vec::new())));
    assert!(matches!(answer(decision(&lane, "no")), Err(Error::Conflict(_))));
    let nothing = Decision { interrupt: "j".into(), ..decision(&lane, "yes") };
    assert!(matches!(answer(nothing), Err(Error::Conflict(_))));
    let stored = get(place.store.interrupts("t1".into(), false));
    assert_eq!(stored[0].answer, Some((b"yes".to_vec(), at(5))));
}

pub fn a_task_is_completed_once(place: &Place) {
    let id = place.submit(1);
    let lane = Lane::root("t1");
    let claim = place.claim(1).remove(0);
    let batch = Batch::of(id)
        .fenced(claim.fence)
        .with(Work::Enqueue(Enqueue::task(id, "x", "python")))
        .with(Work::Park { execution: id, park: Park::Wake });
    place.store.append(batch).wait().unwrap();
    let lost = place.claim_as("lost", "python", 1).remove(0);
    place.clock.advance(Duration::from_secs(30));
    get(place.queue().reap_expired(9));
    let task = place.claim_as("worker", "python", 1).remove(0);

    let complete = |fence, text: &str| {
        let outcome = pending(&lane, checkpoint_id(1), "x", text.as_bytes());
        block_on(place.store.complete_task(id, "x".into(), fence, vec![outcome.into()]))
    };
    assert!(matches!(complete(lost.fence, "late"), Err(Error::Fenced { .. })));
    assert_eq!(place.state(id), Some(WorkState::Delayed));
    complete(task.fence, "done").unwrap();
    assert!(matches!(complete(task.fence, "again"), Err(Error::Fenced { .. })));
    assert_eq!(place.state(id), Some(WorkState::Ready));
    let writes = get(place.store.pending_writes(lane.clone(), checkpoint_id(1)));
    assert_eq!(writes, [pending(&lane, checkpoint_id(1), "x", b"done")]);
}
