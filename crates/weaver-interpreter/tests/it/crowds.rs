//! Many calls, few workers.

use std::sync::Arc;

use tokio::task::JoinSet;
use weaver_interpreter::{Call, Pool, Session, Step};

use crate::harness::*;

const SOURCE: &str = "import time\n\
    def square(n):\n    return n * n\n\
    def parent(n):\n    time.sleep(n)\n    here = n\n    time.sleep(n)\n    return here + 1\n";

fn crowd(max_workers: usize) -> (Pool, Session) {
    let pool = pool_with(KEY, max_workers);
    let session = pool.session(Arc::new(program(SOURCE)), binding("t", "e"));
    (pool, session)
}

async fn square(session: Session, n: usize) -> String {
    Host::default().run(session.call(request("square", &[&n.to_string()]))).await.json()
}

#[tokio::test]
async fn a_thousand_calls_at_once_share_a_few_workers() {
    let (_pool, session) = crowd(3);
    let mut tasks = JoinSet::new();
    for n in 0..1_000 {
        let session = session.clone();
        tasks.spawn(async move { (n, square(session, n).await) });
    }
    while let Some(result) = tasks.join_next().await {
        let (n, squared) = result.unwrap();
        assert_eq!(squared, (n * n).to_string());
    }
}

/// Runs a call whose host calls each need another call in the same pool.
async fn host_runs_python(session: Session, mut call: Call) -> String {
    loop {
        match call.next().await {
            Step::HostCall(asked) => {
                assert_eq!(square(session.clone(), 12).await, "144");
                call.resume(asked.id, Ok(value("null")));
            }
            Step::Returned(value) => return value.to_json(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn calls_that_wait_for_calls_do_not_starve_them() {
    let (_pool, session) = crowd(4);
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let call = session.call(request("parent", &[&n.to_string()]));
        let session = session.clone();
        tasks.spawn(async move { (n, host_runs_python(session, call).await) });
    }
    while let Some(result) = tasks.join_next().await {
        let (n, returned) = result.unwrap();
        assert_eq!(returned, (n + 1).to_string());
    }
}

#[tokio::test]
async fn a_call_that_lost_its_worker_can_be_saved_and_goes_on() {
    let (pool, session) = crowd(1);
    let mut parent = session.call(request("parent", &["5"]));
    let Step::HostCall(asked) = parent.next().await else { panic!("it sleeps") };
    let other = pool.session(Arc::new(program(SOURCE)), binding("another tenant", "e"));
    assert_eq!(square(other.clone(), 3).await, "9");
    assert_eq!(parent.process_id(), None, "its only worker was given away");
    let snapshot = parent.snapshot().await.unwrap();
    parent.resume(asked.id, Ok(value("null")));
    let Step::HostCall(asked) = parent.next().await else { panic!("it sleeps again") };
    parent.resume(asked.id, Ok(value("null")));
    assert!(matches!(parent.next().await, Step::Returned(n) if n == value("6")));
    let mut copy = session.restore(&snapshot, Default::default()).unwrap();
    assert!(matches!(copy.next().await, Step::HostCall(_)));
}

#[tokio::test]
async fn who_stops_waiting_holds_nobody_up() {
    let (_pool, session) = crowd(1);
    let mut first = session.call(request("parent", &["1"]));
    assert!(matches!(first.next().await, Step::HostCall(_)));
    let mut gone = session.call(request("square", &["1"]));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    assert!(std::future::Future::poll(std::pin::pin!(gone.next()), &mut context).is_pending());
    drop(gone);
    assert_eq!(square(session, 2).await, "4");
}

/// Answers the call that the host was asked, and goes on to the next stop.
async fn answered(call: &mut Call, asked: &mut Step) {
    let Step::HostCall(host_call) = &*asked else { panic!("{asked:?}") };
    call.resume(host_call.id, Ok(value("null")));
    *asked = call.next().await;
}

#[tokio::test]
async fn a_copy_that_is_saved_in_the_middle_serves_no_other_call_of_its_session() {
    let (_pool, session) = crowd(2);
    let start = |n: usize| session.call(request("parent", &[&n.to_string()]));
    // Two at once: the module and a copy of it, which both stay for later calls.
    let (mut first, mut second) = (start(1), start(2));
    let (mut at_first, mut at_second) = (first.next().await, second.next().await);
    for _ in 0..2 {
        answered(&mut first, &mut at_first).await;
        answered(&mut second, &mut at_second).await;
    }
    assert!(matches!(at_second, Step::Returned(n) if n == value("3")));
    // Both are taken again, and the copy has waited longest when somebody needs a worker.
    let (mut third, mut fourth) = (start(3), start(4));
    let (mut at_third, mut at_fourth) = (third.next().await, fourth.next().await);
    answered(&mut third, &mut at_third).await;
    assert_eq!(square(session.clone(), 5).await, "25");
    answered(&mut third, &mut at_third).await;
    answered(&mut fourth, &mut at_fourth).await;
    answered(&mut fourth, &mut at_fourth).await;
    assert!(matches!(at_third, Step::Returned(n) if n == value("4")));
    assert!(matches!(at_fourth, Step::Returned(n) if n == value("5")));
}
