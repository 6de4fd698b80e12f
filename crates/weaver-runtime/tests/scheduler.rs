//! Schedulers on one store: what is submitted ends once, whoever dies on the way.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::*;
use tokio::sync::Notify;
use weaver_core::{Event, Hash};
use weaver_runtime::executions::{Once, Refused, Submission, View};
use weaver_runtime::scheduler::{Note, Seats, Watched, Watcher};
use weaver_store::{
    ClaimRequest, ExecutionId, ExecutionStatus, IdempotencyKey, ROUTE_DRIVE, Store, WorkKey,
    WorkState, block_on,
};

#[tokio::test]
async fn what_is_submitted_ends_once_beside_other_schedulers() {
    let house = House::new();
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(house.submit("work").await);
    }
    let schedulers = [house.start("a"), house.start("b")];
    for id in ids {
        assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    }
    let mut fired = house.world.fired();
    assert_eq!(fired.len(), 120);
    fired.sort();
    fired.dedup();
    assert_eq!(fired.len(), 120, "each call has its own key");
    for scheduler in schedulers {
        scheduler.drain().await;
    }
}

#[tokio::test]
async fn a_long_output_stands_in_the_log_once() {
    let house = House::new();
    let scheduler = house.start("a");
    let view = house.ended(house.submit("tell").await).await;
    let output = house.executions().output(&view.execution).await.unwrap();
    assert_eq!(output.get("said").and_then(|said| said.as_str()).map(str::len), Some(13_000));
    let events = house.executions().events(view.execution.id, 0, 0).await.unwrap();
    let bytes: usize = events.iter().map(|event| event.data.approximate_size()).sum();
    assert!(bytes < 5_000, "the events hold {bytes} bytes beside the state");
    scheduler.drain().await;
}

/// Sees one execution after the other, and looks each event up in the log as it comes.
struct Reader {
    store: Store,
    seen: Mutex<Vec<(ExecutionId, Event, bool)>>,
}

impl Watcher for Reader {
    fn is_there(&self, _: &Watched) -> bool {
        true
    }

    fn see(&self, watched: &Watched, event: &Event) {
        let execution = watched.execution;
        let entries = self.store.entries(execution, event.sequence.saturating_sub(1), 1);
        let is_kept = !block_on(entries).unwrap().is_empty();
        self.seen.lock().unwrap().push((execution, event.clone(), is_kept));
    }
}

#[tokio::test]
async fn who_watches_sees_what_the_log_has_once_it_has_it() {
    let house = House::new();
    let reader = Arc::new(Reader { store: house.store.clone(), seen: Mutex::default() });
    let watcher = reader.clone();
    let scheduler =
        house.start_with(house.store.clone(), "a", |options| options.watcher = Some(watcher));
    let id = house.submit("work").await;
    house.ended(id).await;
    scheduler.drain().await;
    let log = house.executions().events(id, 0, 0).await.unwrap();
    let seen = reader.seen.lock().unwrap();
    let durable: Vec<_> = seen.iter().filter(|(_, event, _)| !event.kind.is_live_only()).collect();
    assert!(durable.iter().all(|(of, _, is_kept)| *of == id && *is_kept), "{durable:?}");
    let told: Vec<_> = durable.iter().map(|(_, event, _)| event.sequence).collect();
    assert_eq!(told, log.iter().map(|event| event.sequence).collect::<Vec<_>>());
    assert!(durable.len() < seen.len(), "what happens meanwhile is told too");
}

/// What a scheduler does that no event tells.
#[derive(Default)]
struct Notes(Mutex<Vec<Note>>);

impl Watcher for Notes {
    fn is_there(&self, _: &Watched) -> bool {
        false
    }

    fn see(&self, _: &Watched, _: &Event) {}

    fn note(&self, note: Note) {
        self.0.lock().unwrap().push(note);
    }
}

#[tokio::test]
async fn claims_steps_and_leases_are_told() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    first.kill();
    house.clock.advance(LEASE + Duration::from_secs(1));
    let notes = Arc::new(Notes::default());
    let watcher = notes.clone();
    let second =
        house.start_with(house.store.clone(), "second", |options| options.watcher = Some(watcher));
    house.world.0.held.notified().await;
    house.executions().cancel(id, None).await.unwrap();
    house.world.0.dropped.notified().await;
    house.ended(house.submit("work").await).await;
    second.drain().await;
    let notes = notes.0.lock().unwrap();
    let count = |is_one: fn(&Note) -> bool| notes.iter().filter(|note| is_one(note)).count();
    assert_eq!(count(|note| *note == Note::Expired { requeued: 1, dead: 0 }), 1, "{notes:?}");
    assert_eq!(count(|note| matches!(note, Note::Claimed { .. })), 2, "{notes:?}");
    assert_eq!(count(|note| *note == Note::LeaseLost), 1, "{notes:?}");
    assert!(count(|note| matches!(note, Note::Stepped { .. })) > 0, "{notes:?}");
}

#[tokio::test]
async fn who_dies_is_succeeded_and_nothing_is_done_twice() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    first.kill();
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    house.clock.advance(LEASE + Duration::from_secs(1));
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    assert_eq!(house.world.fired().len(), 3, "recorded calls are served, not made");
    second.drain().await;
}

/// Says when a lease is lost.
#[derive(Default)]
struct Lost(Notify);

impl Watcher for Lost {
    fn is_there(&self, _: &Watched) -> bool {
        false
    }

    fn see(&self, _: &Watched, _: &Event) {}

    fn note(&self, note: Note) {
        if note == Note::LeaseLost {
            self.0.notify_one();
        }
    }
}

#[tokio::test]
async fn who_was_superseded_writes_nothing_and_may_come_back() {
    let house = House::new();
    let lost = Arc::new(Lost::default());
    let watcher = lost.clone();
    let first =
        house.start_with(house.store.clone(), "first", |options| options.watcher = Some(watcher));
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    let head = house.store.head(id).await.unwrap();
    let (queue, key) = (house.store.queue(), WorkKey::execution(house.store.tenant(), id));
    let work = queue.work(key.clone()).await.unwrap().expect("it is worked on");
    // The held node ends in the very moment in which somebody else takes over, who has
    // written nothing yet: only the fence tells the two apart.
    house.world.0.gate.send_replace(true);
    queue.release("first".into(), vec![(key.clone(), work.fence)]).await.unwrap();
    let (route, owner) = (ROUTE_DRIVE.into(), "second".into());
    let request = ClaimRequest { route, owner, count: 1, lease: LEASE };
    let fence = queue.claim(request).await.unwrap()[0].fence;
    let told = tokio::time::timeout(AT_MOST, lost.0.notified());
    told.await.expect("it hears that it has lost the execution");
    assert_eq!(house.store.head(id).await.unwrap(), head, "the log is as it was");
    // The last that it wrote was refused; it drives the execution again all the same.
    assert_eq!(queue.release("second".into(), vec![(key, fence)]).await.unwrap(), 1);
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    first.drain().await;
}

#[tokio::test]
async fn a_question_waits_and_its_answer_counts_once() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("ask").await;
    let waiting = |view: &View| view.execution.status == ExecutionStatus::Waiting;
    let view = house.until(id, waiting).await;
    let executions = house.executions();
    let questions = executions.questions(&view.execution).await.unwrap();
    assert_eq!(questions.len(), 1);
    let name = questions[0].id.to_string();
    match executions.go_on(id, None).await {
        Err(Refused::Conflict(message)) => assert!(message.contains("waits for an answer")),
        other => panic!("there is no pause to end: {other:?}"),
    }
    executions.answer(id, None, &"yes".into()).await.unwrap();
    house.ended(id).await;
    // The same again is harmless, even when all is over; another is refused.
    executions.answer(id, Some(&name), &"yes".into()).await.unwrap();
    let second = executions.answer(id, Some(&name), &"no".into()).await;
    assert!(matches!(second, Err(Refused::Conflict(_))), "{second:?}");
    let nothing = executions.answer(id, None, &"yes".into()).await;
    assert!(matches!(nothing, Err(Refused::Conflict(_))), "{nothing:?}");
    assert_eq!(house.world.fired().len(), 3);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_deadline_of_days_passes_by_the_databases_clock() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("ask_until").await;
    let view = house.until(id, |view| view.execution.status == ExecutionStatus::Waiting).await;
    assert!(view.work.expect("it is in the queue").run_at.is_some());
    house.clock.advance(Duration::from_secs(3 * 86_400 + 1));
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    scheduler.drain().await;
}

/// Hosts differ: what a deadline counts from is the database's time, as what it is
/// compared with.
#[tokio::test]
async fn a_host_whose_clock_is_wrong_passes_no_deadline_early() {
    let house = House::new();
    house.clock.advance(Duration::from_secs(10 * 86_400));
    let scheduler = house.start("a");
    let id = house.submit("ask_until").await;
    let waits = |view: &View| view.execution.status == ExecutionStatus::Waiting;
    let view = house.until(id, waits).await;
    let until = view.work.and_then(|work| work.run_at).expect("it waits for a time");
    let asked = house.executions().questions(&view.execution).await.unwrap()[0].asked;
    let now = house.store.queue().now().await.unwrap();
    assert!(asked.0 <= now.0 && until.0 > now.after(Duration::from_secs(3 * 86_400 - 60)).0);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_cancel_stops_what_runs_and_nothing_more_is_written() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    let executions = house.executions();
    let view = executions.cancel(id, Some("enough")).await.unwrap();
    assert_eq!(view.execution.status, ExecutionStatus::Cancelled);
    let head = house.store.head(id).await.unwrap();
    let heard = tokio::time::timeout(AT_MOST, house.world.0.dropped.notified());
    heard.await.expect("the node's work is dropped");
    scheduler.drain().await;
    assert_eq!(house.store.head(id).await.unwrap(), head, "the log ends with the cancel");
    let again = executions.cancel(id, None).await.unwrap();
    assert_eq!(again.execution.status, ExecutionStatus::Cancelled);
}

#[tokio::test]
async fn a_paused_execution_goes_on_when_it_may() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("spin").await;
    house.until(id, |view| view.execution.status == ExecutionStatus::Running).await;
    let executions = house.executions();
    executions.pause(id).await.unwrap();
    house.until(id, |view| view.execution.status == ExecutionStatus::Paused).await;
    let fired = house.world.fired().len();
    house.world.0.gate.send_replace(true);
    executions.go_on(id, None).await.unwrap();
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    let rest = house.world.fired().len() - fired;
    assert!((1..=2).contains(&rest), "it goes on where it was held: {rest} calls");
    scheduler.drain().await;
}

#[tokio::test]
async fn what_kills_its_driver_each_time_is_given_up_and_can_be_tried_again() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("panic").await;
    for delivery in 1..=5 {
        house
            .until(id, |view| view.work.as_ref().is_some_and(|work| work.deliveries == delivery))
            .await;
        house.clock.advance(LEASE + Duration::from_secs(1));
    }
    let is_dead =
        |view: &View| view.work.as_ref().is_some_and(|work| work.state == WorkState::Dead);
    house.until(id, is_dead).await;
    let key = IdempotencyKey { caller: "c".into(), route: "r".into(), key: "again".into() };
    let once = Some(Once { key, body: Hash::of(b"") });
    for _ in 0..2 {
        house.executions().under(once.clone()).retry(id, None).await.unwrap();
    }
    house.until(id, |view| !is_dead(view)).await;
    scheduler.drain().await;
}

#[tokio::test]
async fn a_failed_execution_goes_on_from_its_last_checkpoint() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("fail").await;
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    assert_eq!(house.world.fired().len(), 1);
    house.executions().retry(id, None).await.unwrap();
    house.ended(id).await;
    assert_eq!(house.world.fired().len(), 1, "the first node is not run again");
    let broken = house.submit("broken").await;
    let view = house.ended(broken).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    let refused = house.executions().retry(ExecutionId::generate(), None).await;
    assert!(matches!(refused, Err(Refused::NotFound(_))), "{refused:?}");
    scheduler.drain().await;
}

#[tokio::test]
async fn a_drain_hands_back_what_does_not_end() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    first.drain().await;
    let view = house.executions().get(id).await.unwrap();
    let work = view.work.expect("it is still to be done");
    assert_eq!((work.state, work.deliveries), (WorkState::Ready, 0));
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    second.drain().await;
}

#[tokio::test]
async fn the_same_submission_twice_is_one_execution() {
    let house = House::new();
    let once = |body: &str| {
        let key =
            IdempotencyKey { caller: "me".into(), route: "submit".into(), key: "order-7".into() };
        Some(Once { key, body: Hash::of(body.as_bytes()) })
    };
    let executions = house.executions();
    let submit = |body: &'static str| {
        let submission = Submission { once: once(body), ..submission("work") };
        let executions = executions.clone();
        async move { executions.submit(submission).await }
    };
    let (one, two) = tokio::join!(submit("a"), submit("a"));
    assert_eq!(one.unwrap().id, two.unwrap().id);
    assert!(matches!(submit("b").await, Err(Refused::KeyReused)));
}

/// Who submits in the process of a scheduler that has nothing to do claims for it.
#[tokio::test]
async fn a_free_scheduler_gets_what_is_submitted_beside_it() {
    let house = House::new();
    let seats = Seats::default();
    let scheduler = house.start_with(house.store.clone(), "a", |options| {
        options.slots = 1;
        options.seats = seats.clone();
    });
    let beside = house.executions().beside(seats.clone());
    let submit = async |node: &str| beside.submit(submission(node)).await.expect("accepted").id;
    let state = async |id| beside.get(id).await.expect("it is there").work.map(|work| work.state);
    // It has looked at the queue once this is over.
    house.ended(house.submit("work").await).await;
    let first = submit("hold").await;
    assert_eq!(state(first).await, Some(WorkState::Leased));
    house.world.0.held.notified().await;
    // With no slot free it is queued like any other.
    let second = submit("work").await;
    assert_eq!(state(second).await, Some(WorkState::Ready));
    house.world.0.gate.send_replace(true);
    for id in [first, second] {
        assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    }
    scheduler.drain().await;
    // Nobody drives here any more.
    let third = submit("work").await;
    assert_eq!(state(third).await, Some(WorkState::Ready));
    let other = house.start("b");
    assert_eq!(house.ended(third).await.execution.status, ExecutionStatus::Completed);
    other.drain().await;
}

/// Who submits may go away before the answer: what was claimed is driven all the same.
#[tokio::test]
async fn what_a_caller_no_longer_waits_for_is_driven() {
    let house = House::new();
    let seats = Seats::default();
    let scheduler =
        house.start_with(house.store.clone(), "a", |options| options.seats = seats.clone());
    house.ended(house.submit("work").await).await;
    let submission = submission("work");
    let (id, beside) = (submission.id, house.executions().beside(seats));
    {
        let mut submitting = std::pin::pin!(beside.submit(submission));
        // Asked once, and dropped.
        let _ = futures::poll!(&mut submitting);
    }
    let there = async {
        while house.executions().get(id).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(AT_MOST, there).await.expect("it was submitted");
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    scheduler.drain().await;
}

/// A process that had no turn for longer than its lease: the execution is not to blame.
#[tokio::test(start_paused = true)]
async fn what_was_lost_to_nobody_is_handed_back_and_costs_no_delivery() {
    let house = House::new();
    let lost = Arc::new(Lost::default());
    let watcher = lost.clone();
    let scheduler =
        house.start_with(house.store.clone(), "a", |options| options.watcher = Some(watcher));
    let id = house.submit("hold").await;
    house.world.0.held.notified().await;
    tokio::time::advance(LEASE + Duration::from_secs(1)).await;
    lost.0.notified().await;
    // It is taken up again, from where the log is.
    house.world.0.held.notified().await;
    let key = WorkKey::execution(house.store.tenant(), id);
    let work = house.store.queue().work(key).await.unwrap().expect("it is worked on");
    assert_eq!(work.deliveries, 1);
    house.world.0.gate.send_replace(true);
    assert_eq!(house.ended(id).await.execution.status, ExecutionStatus::Completed);
    assert_eq!(house.world.fired().len(), 3, "recorded calls are served, not made");
    scheduler.drain().await;
}
