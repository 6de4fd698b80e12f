use std::sync::Arc;

use weaver_interpreter::{Limits, RestoreError, Snapshot, Step};

use crate::harness::*;

const STORY: &str = "import asyncio, time\n\
    def f(state):\n    total = state['n']\n    for i in range(3):\n        time.sleep(i)\n        total += i\n    return {'total': total}\n\
    async def both():\n    a, b = await asyncio.gather(nap(1), nap(2))\n    return [a, b]\n\
    async def nap(n):\n    await asyncio.sleep(n)\n    return n\n";

#[tokio::test]
async fn a_function_is_carried_from_process_to_process() {
    let program = Arc::new(program(STORY));
    let first = pool().session(program.clone(), binding("t", "e"));
    let mut call = first.call(request("f", &[r#"{"n":10}"#]));
    let mut hops = 0;
    let total = loop {
        match call.next().await {
            Step::HostCall(asked) => {
                let snapshot = call.snapshot().await.unwrap();
                let json = serde_json::to_string(&snapshot).unwrap();
                drop(call);
                let snapshot: Snapshot = serde_json::from_str(&json).unwrap();
                let elsewhere = pool().session(program.clone(), binding("t", "e"));
                call = elsewhere.restore(&snapshot, Limits::default()).unwrap();
                call.resume(asked.id, Ok(value("null")));
                hops += 1;
            }
            Step::Returned(value) => break value,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((total.to_json().as_str(), hops), (r#"{"total":13}"#, 3));
}

#[tokio::test]
async fn several_pending_calls_survive() {
    let program = Arc::new(program(STORY));
    let mut call = pool().session(program.clone(), binding("t", "e")).call(request("both", &[]));
    let Step::HostCalls(asked) = call.next().await else { panic!("two wait") };
    assert_eq!(asked.len(), 2);
    let snapshot = call.snapshot().await.unwrap();
    let elsewhere = pool().session(program, binding("t", "e"));
    let mut call = elsewhere.restore(&snapshot, Limits::default()).unwrap();
    let Step::HostCalls(again) = call.next().await else { panic!("still both") };
    assert_eq!(again, asked);
    call.resume(asked[0].id, Ok(value("null")));
    let Step::HostCalls(left) = call.next().await else { panic!("one is left") };
    assert_eq!(left, asked[1..]);
    call.resume(asked[1].id, Ok(value("null")));
    assert!(matches!(call.next().await, Step::Returned(both) if both == value("[1,2]")));
}

async fn snapshot() -> (Snapshot, Arc<weaver_core::Program>) {
    let program = Arc::new(program(STORY));
    let mut call =
        pool().session(program.clone(), binding("t", "e")).call(request("f", &[r#"{"n":1}"#]));
    assert!(matches!(call.next().await, Step::HostCall(_)));
    (call.snapshot().await.unwrap(), program)
}

#[tokio::test]
async fn a_snapshot_fits_only_where_it_belongs() {
    let (snapshot, program) = snapshot().await;
    let refused =
        |pool: weaver_interpreter::Pool, program, tenant, execution, snapshot: &Snapshot| {
            pool.session(program, binding(tenant, execution))
                .restore(snapshot, Limits::default())
                .err()
        };
    assert_eq!(refused(pool(), program.clone(), "t", "e", &snapshot), None);
    let forged = Some(RestoreError::Forged);
    assert_eq!(refused(pool(), program.clone(), "u", "e", &snapshot), forged);
    assert_eq!(refused(pool(), program.clone(), "t", "f", &snapshot), forged);
    assert_eq!(refused(pool_with([8; 32], 2), program.clone(), "t", "e", &snapshot), forged);
    let mut changed = snapshot.clone();
    changed.bytes[100] ^= 1;
    assert_eq!(refused(pool(), program.clone(), "t", "e", &changed), forged);
    let mut other_version = snapshot.clone();
    other_version.version = "1.3.9".into();
    assert_eq!(
        refused(pool(), program, "t", "e", &other_version),
        forged,
        "the version is sealed too"
    );
    let other_code = Arc::new(crate::harness::program("def f():\n    pass\n"));
    assert!(matches!(
        refused(pool(), other_code, "t", "e", &snapshot),
        Some(RestoreError::Code { .. })
    ));
}

#[tokio::test]
async fn only_a_waiting_call_has_a_snapshot() {
    let session = session(STORY);
    let mut call = session.call(request("f", &[r#"{"n":1}"#]));
    assert_eq!(call.snapshot().await.unwrap_err().code, "not_suspended");
}

#[tokio::test]
async fn a_snapshot_is_small() {
    let (snapshot, _) = snapshot().await;
    assert!(snapshot.base.is_some());
    assert!(snapshot.bytes.len() < 64 << 10, "{} bytes", snapshot.bytes.len());
}
