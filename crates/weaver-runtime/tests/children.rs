//! Executions that an execution starts: it waits for them, and they end with it.

mod support;

use std::time::Duration;

use support::*;
use weaver_core::Failure;
use weaver_runtime::executions::{Submission, View};
use weaver_store::{ExecutionId, ExecutionQuery, ExecutionStatus};

async fn children_of(house: &House, parent: ExecutionId) -> Vec<View> {
    let all = house.executions().list(ExecutionQuery::default()).await.expect("the store answers");
    all.into_iter().filter(|view| view.execution.parent == Some(parent)).collect()
}

/// The only child of an execution, once there is one.
async fn child_of(house: &House, parent: ExecutionId) -> ExecutionId {
    let wait = async {
        loop {
            if let [child] = &children_of(house, parent).await[..] {
                return child.execution.id;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, wait).await.expect("it starts one")
}

fn failure(view: &View) -> Failure {
    let error = view.execution.error.as_ref().expect("it failed");
    serde_json::from_slice(error).expect("a failure has a JSON form")
}

#[tokio::test]
async fn an_execution_waits_for_the_one_that_it_starts() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("start_hold").await;
    let child = child_of(&house, id).await;
    let view = house.until(id, |view| view.execution.status == ExecutionStatus::Waiting).await;
    let executions = house.executions();
    assert_eq!(executions.waits_for(&view.execution).await.unwrap(), [child]);
    assert!(executions.questions(&view.execution).await.unwrap().is_empty(), "nobody is asked");
    assert!(executions.answer(id, None, &"yes".into()).await.is_err());
    house.world.0.gate.send_replace(true);
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    assert_eq!(children_of(&house, id).await.len(), 1);
    scheduler.drain().await;
}

#[tokio::test]
async fn a_child_is_started_once_whoever_dies_and_whenever_it_ends() {
    let house = House::new();
    let first = house.start("first");
    let id = house.submit("start_hold").await;
    let child = child_of(&house, id).await;
    house.world.0.held.notified().await;
    first.kill();
    // The child goes on alone and ends while nobody has its parent.
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    house.clock.advance(LEASE + Duration::from_secs(1));
    house.ended(child).await;
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    assert_eq!(children_of(&house, id).await.len(), 1);
    second.drain().await;
}

#[tokio::test]
async fn a_child_that_ends_badly_fails_its_parent_and_can_be_mended() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("start_fail").await;
    let view = house.ended(id).await;
    assert_eq!(failure(&view).message, "it never works");
    let held = house.submit("start_hold").await;
    let child = child_of(&house, held).await;
    house.until(held, |view| view.execution.status == ExecutionStatus::Waiting).await;
    house.executions().cancel(child, None).await.unwrap();
    assert_eq!(failure(&house.ended(held).await).message, "it was cancelled");
    scheduler.drain().await;
}

#[tokio::test]
async fn a_cancel_reaches_children() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("start_hold").await;
    let child = child_of(&house, id).await;
    house.until(id, |view| view.execution.status == ExecutionStatus::Waiting).await;
    house.executions().cancel(id, None).await.unwrap();
    for id in [id, child] {
        let view = house.executions().get(id).await.unwrap();
        assert_eq!(view.execution.status, ExecutionStatus::Cancelled);
    }
    let heard = tokio::time::timeout(AT_MOST, house.world.0.dropped.notified());
    heard.await.expect("the child's work is dropped");
    scheduler.drain().await;
}

#[tokio::test]
async fn children_spend_from_the_budget_of_their_root() {
    let house = House::new();
    let scheduler = house.start("a");
    let submission = Submission { budget_micros: Some(120), ..submission("start_spend") };
    let id = house.executions().submit(submission).await.unwrap().id;
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    let budget = house.executions().budget(&view.execution).await.unwrap().unwrap();
    assert_eq!((budget.settled_micros, budget.reserved_micros), (100, 0));
    let child = children_of(&house, id).await.remove(0);
    assert_eq!(house.executions().budget(&child.execution).await.unwrap(), Some(budget));
    scheduler.drain().await;
}

#[tokio::test]
async fn executions_that_start_themselves_end_at_some_depth() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = house.submit("start_start_self").await;
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Failed);
    assert!(failure(&view).message.contains("16 levels"), "{}", failure(&view));
    scheduler.drain().await;
}
