//! Node tasks of workers: given out under leases, reported once, taken over.

mod support;

use std::time::Duration;

use support::*;
use weaver_core::task::{CallResult, Emitted, Outcome, TaskCall};
use weaver_core::{EventKind, Failure, Value};
use weaver_runtime::tasks::{Called, Claimed, Refused, TaskState, Tasks};
use weaver_store::{ExecutionId, ExecutionStatus, TenantId};

fn tasks(house: &House) -> Tasks {
    Tasks::new(house.store.clone())
}

/// The next task, once there is one.
async fn next(house: &House, worker: &str) -> Claimed {
    let wait = async {
        loop {
            let claimed = tasks(house).claim(worker, &[TEXT.into()], 1, LEASE).await;
            if let Some(task) = claimed.expect("the store answers").pop() {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, wait).await.expect("a task comes")
}

fn returned(value: &str) -> Outcome {
    Outcome::Returned(value.into())
}

async fn settle(house: &House, worker: &str, task: &Claimed, out: Outcome) -> Result<(), Refused> {
    tasks(house).settle(worker, &task.lease, out, Vec::new()).await
}

async fn said(house: &House, id: ExecutionId) -> Value {
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed, "{view:?}");
    let events = house.executions().events(id, 0, 0).await.unwrap();
    let exits = events.iter().filter(|event| event.kind == EventKind::NodeExit);
    let mut worker =
        exits.filter(|event| event.node.as_deref().is_some_and(|node| node.starts_with("worker")));
    let update = worker.next_back().expect("it ran").data.get("update").cloned();
    update.and_then(|update| update.get("said").cloned()).unwrap_or_default()
}

fn lost(result: Result<(), Refused>) {
    assert!(matches!(result, Err(Refused::LeaseLost)), "{result:?}");
}

#[tokio::test]
async fn a_worker_does_a_task_and_the_execution_goes_on() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let view = house.until(id, |view| view.execution.status == ExecutionStatus::Waiting).await;
    let executions = house.executions();
    assert!(executions.questions(&view.execution).await.unwrap().is_empty(), "nobody is asked");
    assert!(executions.answer(id, None, &"yes".into()).await.is_err());
    let waiting = executions.tasks(&view.execution).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].state), (1, TaskState::Queued));
    let row = house.store.interrupts(view.execution.thread.clone(), true).await.unwrap().remove(0);
    let forged = executions.answer(id, Some(&row.id), &"yes".into()).await;
    assert!(forged.is_err(), "a person is no worker");
    let task = next(&house, "w").await;
    assert_eq!((task.deliveries, task.assignment.attempt), (1, 1));
    let waiting = executions.tasks(&view.execution).await.unwrap();
    assert_eq!((waiting[0].state, waiting[0].worker.as_deref()), (TaskState::Running, Some("w")));
    let shown = vec![Emitted::Print("hello\n".into())];
    tasks(&house).settle("w", &task.lease, returned("done"), shown).await.unwrap();
    assert_eq!(said(&house, id).await, "done".into());
    scheduler.drain().await;
}

#[tokio::test]
async fn who_is_lost_is_succeeded_and_reports_in_vain() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let first = next(&house, "first").await;
    house.clock.advance(LEASE + Duration::from_secs(1));
    let second = next(&house, "second").await;
    assert_eq!(second.deliveries, 2);
    assert!(second.lease.fence > first.lease.fence);
    assert!(!tasks(&house).renew("first", &first.lease, LEASE).await.unwrap());
    lost(settle(&house, "first", &first, returned("late")).await);
    settle(&house, "second", &second, returned("in time")).await.unwrap();
    lost(settle(&house, "first", &first, returned("later")).await);
    assert_eq!(said(&house, id).await, "in time".into());
    scheduler.drain().await;
}

#[tokio::test]
async fn a_report_counts_once_and_only_from_who_has_the_task() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let task = next(&house, "w").await;
    lost(settle(&house, "other", &task, returned("forged")).await);
    assert!(!tasks(&house).renew("other", &task.lease, LEASE).await.unwrap());
    settle(&house, "w", &task, returned("done")).await.unwrap();
    settle(&house, "w", &task, returned("done")).await.expect("the same again");
    lost(settle(&house, "w", &task, returned("else")).await);
    assert_eq!(said(&house, id).await, "done".into());
    settle(&house, "w", &task, returned("done")).await.expect("even when all is over");
    scheduler.drain().await;
}

#[tokio::test]
async fn a_cancel_takes_the_task_away() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let task = next(&house, "w").await;
    assert!(tasks(&house).renew("w", &task.lease, LEASE).await.unwrap());
    house.executions().cancel(id, None).await.unwrap();
    assert!(!tasks(&house).renew("w", &task.lease, LEASE).await.unwrap());
    lost(settle(&house, "w", &task, returned("late")).await);
    assert!(tasks(&house).claim("w", &[TEXT.into()], 1, LEASE).await.unwrap().is_empty());
    scheduler.drain().await;
}

#[tokio::test]
async fn a_failed_task_is_tried_again_as_its_graph_says() {
    let house = House::new();
    let scheduler = house.start("a");
    let failed = || Outcome::Failed(Failure::exception("ValueError", "no"));
    let id = house.submit("worker_retry").await;
    for attempt in [1, 2] {
        let task = next(&house, "w").await;
        assert_eq!((task.assignment.attempt, task.deliveries), (attempt, 1));
        settle(&house, "w", &task, failed()).await.unwrap();
    }
    let task = next(&house, "w").await;
    assert_eq!(task.assignment.attempt, 3);
    settle(&house, "w", &task, returned("third time")).await.unwrap();
    assert_eq!(said(&house, id).await, "third time".into());
    let once = house.submit("worker").await;
    let task = next(&house, "w").await;
    settle(&house, "w", &task, failed()).await.unwrap();
    let view = house.ended(once).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_task_that_loses_every_worker_waits_for_a_person() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    for delivery in 1..=5 {
        assert_eq!(next(&house, "w").await.deliveries, delivery);
        house.clock.advance(LEASE + Duration::from_secs(1));
    }
    let executions = house.executions();
    let given_up = async {
        loop {
            let view = executions.get(id).await.unwrap();
            let tasks = executions.tasks(&view.execution).await.unwrap();
            if tasks.iter().any(|task| task.state == TaskState::GivenUp) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, given_up).await.expect("it is given up");
    assert!(tasks(&house).claim("w", &[TEXT.into()], 1, LEASE).await.unwrap().is_empty());
    executions.retry(id, None).await.unwrap();
    let task = next(&house, "w").await;
    settle(&house, "w", &task, returned("at last")).await.unwrap();
    assert_eq!(said(&house, id).await, "at last".into());
    scheduler.drain().await;
}

#[tokio::test]
async fn a_call_is_made_by_the_execution_and_outlives_the_worker() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let first = next(&house, "first").await;
    let call = |ordinal: u32| TaskCall {
        ordinal,
        name: format!("call {ordinal}"),
        kwargs: Default::default(),
    };
    let answered = async |worker: &str, task: &Claimed, ordinal: u32| {
        let tasks = tasks(&house);
        let wait = async {
            loop {
                let called = tasks.call(worker, &task.lease, call(ordinal), Vec::new());
                match called.await.expect("it has the lease") {
                    Called::Answered(result) => return result,
                    Called::Pending => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(AT_MOST, wait).await.expect("it is answered")
    };
    let result = |text: &str| CallResult::Returned(text.into());
    for _ in 0..2 {
        assert_eq!(answered("first", &first, 0).await, result("call 0"));
    }
    assert_eq!(answered("first", &first, 1).await, result("call 1"));
    let early = tasks(&house).call("first", &first.lease, call(7), Vec::new()).await;
    assert!(matches!(early, Err(Refused::Invalid(_))), "{early:?}");
    house.clock.advance(LEASE + Duration::from_secs(1));
    let second = next(&house, "second").await;
    assert_eq!(second.lease.row, first.lease.row, "it goes on under its row");
    assert_eq!(second.assignment.made.results, [result("call 0"), result("call 1")]);
    let late = tasks(&house).call("first", &first.lease, call(2), Vec::new()).await;
    assert!(matches!(late, Err(Refused::LeaseLost)), "{late:?}");
    settle(&house, "second", &second, returned("done")).await.unwrap();
    assert_eq!(said(&house, id).await, "done".into());
    scheduler.drain().await;
}

#[tokio::test]
async fn tasks_wait_for_who_has_their_text_in_their_tenant() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("worker").await;
    let task = next(&house, "w").await;
    tasks(&house).release("w", &task.lease).await.unwrap();
    let other = Tasks::new(house.store.for_tenant(TenantId::generate()));
    assert!(other.claim("o", &[TEXT.into()], 1, LEASE).await.unwrap().is_empty());
    assert!(tasks(&house).claim("w", &["else".into()], 1, LEASE).await.unwrap().is_empty());
    let task = next(&house, "w").await;
    assert_eq!(task.deliveries, 1, "what was handed back does not count");
    lost(other.settle("w", &task.lease, returned("forged"), Vec::new()).await);
    settle(&house, "w", &task, returned("done")).await.unwrap();
    assert_eq!(said(&house, id).await, "done".into());
    scheduler.drain().await;
}
