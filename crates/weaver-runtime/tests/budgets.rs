//! Money of a run tree is set aside before it is spent.

mod support;

use std::time::Duration;

use support::*;
use weaver_core::{Failure, Hash};
use weaver_runtime::Executions;
use weaver_runtime::executions::{Once, Refused, Submission, View};
use weaver_store::{Budget, ExecutionId, ExecutionStatus, Faults, IdempotencyKey};

async fn submit(house: &House, node: &str, budget_micros: u64) -> ExecutionId {
    let submission = Submission { budget_micros: Some(budget_micros), ..submission(node) };
    house.executions().submit(submission).await.expect("it is accepted").id
}

async fn budget(house: &House, view: &View) -> Budget {
    house.executions().budget(&view.execution).await.unwrap().expect("it has a budget")
}

fn failure(view: &View) -> Failure {
    let error = view.execution.error.as_ref().expect("it failed");
    serde_json::from_slice(error).expect("a failure has a JSON form")
}

#[tokio::test]
async fn a_call_that_may_go_over_the_budget_is_not_made() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = submit(&house, "spend", 100).await;
    let view = house.ended(id).await;
    let failure = failure(&view);
    assert_eq!(failure.code, "budget_exceeded");
    assert!(failure.message.contains("a call may cost up to $0.00006, and $0.00005"), "{failure}");
    let stands = budget(&house, &view).await;
    assert_eq!((stands.settled_micros, stands.reserved_micros), (50, 0));

    house.executions().retry(id, Some(200)).await.unwrap();
    let view = house.ended(id).await;
    assert_eq!(view.execution.status, ExecutionStatus::Completed);
    let stands = budget(&house, &view).await;
    assert_eq!((stands.limit_micros, stands.settled_micros), (200, 150));
    let without = house.submit("fail").await;
    house.ended(without).await;
    let refused = house.executions().retry(without, Some(200)).await;
    assert!(matches!(refused, Err(Refused::Conflict(_))), "{refused:?}");
    scheduler.drain().await;
}

#[tokio::test]
async fn a_retry_is_made_whole_or_not_at_all_and_once() {
    let house = House::new();
    let scheduler = house.start("a");
    let id = submit(&house, "spend", 100).await;
    house.ended(id).await;
    scheduler.drain().await;
    let key = IdempotencyKey { caller: "c".into(), route: "r".into(), key: "again".into() };
    let once = |body: &[u8]| Some(Once { key: key.clone(), body: Hash::of(body) });
    let mut refusals = 0;
    for seed in 0.. {
        let faults = Faults { seed, refuse_per_mille: 700, ..Faults::default() };
        let executions = Executions::new(faults.wrap(house.store.clone()));
        let tried = executions.under(once(b"200")).retry(id, Some(200)).await;
        let view = house.executions().get(id).await.unwrap();
        let limit = budget(&house, &view).await.limit_micros;
        let stands = (view.execution.status, limit);
        match tried {
            Ok(_) => {
                assert_eq!(stands, (ExecutionStatus::Queued, 200));
                break;
            }
            Err(_) => assert_eq!(stands, (ExecutionStatus::Failed, 100)),
        }
        refusals += 1;
    }
    assert!(refusals > 0, "the store never failed");
    let repeat = house.executions().under(once(b"200")).retry(id, Some(200)).await;
    assert!(repeat.is_ok(), "{repeat:?}");
    let other = house.executions().under(once(b"300")).retry(id, Some(300)).await;
    assert!(matches!(other, Err(Refused::KeyReused)), "{other:?}");
}

#[tokio::test]
async fn what_a_lost_attempt_had_set_aside_counts_as_spent() {
    let house = House::new();
    let first = house.start("first");
    let id = submit(&house, "spend_hold", 100).await;
    house.world.0.held.notified().await;
    let held = house.executions().get(id).await.unwrap();
    assert_eq!(budget(&house, &held).await.reserved_micros, 60);
    first.kill();
    house.world.0.gate.send_replace(true);
    let second = house.start("second");
    house.clock.advance(LEASE + Duration::from_secs(1));
    let view = house.ended(id).await;
    assert_eq!(failure(&view).code, "budget_exceeded");
    let stands = budget(&house, &view).await;
    let expected = Budget {
        limit_micros: 100,
        settled_micros: 60,
        reserved_micros: 0,
        unconfirmed_micros: 60,
    };
    assert_eq!(stands, expected);
    second.drain().await;
}
