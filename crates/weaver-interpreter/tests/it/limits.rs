use std::time::Duration;

use weaver_core::FailureKind;
use weaver_interpreter::Limits;

use crate::harness::*;

/// Every limit ends its call and nothing else: the session works on.
async fn hits(source: &str, limits: Limits, code: &str) {
    let source = format!("def ok():\n    return 1\n\n\n{source}");
    let session = session(&source);
    let call = session.call(with_limits(request("f", &[]), limits));
    let failure = Host::default().run(call).await.limit();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Limit, code), "{failure:?}");
    assert_eq!(Host::default().run(session.call(request("ok", &[]))).await.json(), "1");
}

fn quick() -> Limits {
    Limits { cpu: Duration::from_millis(150), ..Limits::default() }
}

#[tokio::test]
async fn an_endless_loop_hits_the_processor_limit() {
    let loops = "def f():\n    while True:\n        try:\n            pass\n        except BaseException:\n            pass\n";
    hits(loops, quick(), "python_cpu_limit").await;
}

#[tokio::test]
async fn time_in_the_host_does_not_count() {
    let source = "import time\ndef f():\n    for i in range(20):\n        time.sleep(1)\n    return 'done'\n";
    let mut host = Host::default().on("sleep", |_| {
        std::thread::sleep(Duration::from_millis(10));
        Ok(value("null"))
    });
    let limits = Limits { cpu: Duration::from_millis(100), ..Limits::default() };
    let call = session(source).call(with_limits(request("f", &[]), limits));
    assert_eq!(host.run(call).await.json(), "\"done\"");
}

#[tokio::test]
async fn memory_bombs_hit_the_memory_limit() {
    let limits = Limits { memory: 32 << 20, ..Limits::default() };
    for bomb in [
        "x = []\n    while True:\n        x.append('y' * 100000 + str(len(x)))",
        "'x' * 10**10",
        "[0] * 10**9",
        "2 ** 10**9",
        "list(range(10**9))",
        "s = 'x'\n    while True:\n        s = s + s",
    ] {
        hits(&format!("def f():\n    {bomb}\n"), limits, "python_memory_limit").await;
    }
}

#[tokio::test]
async fn deep_recursion_is_a_limit() {
    hits("def f():\n    return f()\n", Limits::default(), "python_recursion").await;
}

#[tokio::test]
async fn too_much_output_is_a_limit() {
    let limits = Limits { output: 10_000, ..Limits::default() };
    hits("def f():\n    return 'x' * 20000\n", limits, "python_output_limit").await;
    hits("def f():\n    while True:\n        print('x' * 100)\n", limits, "python_output_limit")
        .await;
    let laughs = "def f():\n    a = ['ha'] * 10\n    for i in range(30):\n        a = [a] * 10\n    return a\n";
    hits(laughs, limits, "python_output_limit").await;
}

#[tokio::test]
async fn too_many_host_calls_are_a_limit() {
    let source = "import time\ndef f():\n    while True:\n        time.sleep(0)\n";
    let limits = Limits { host_calls: 50, ..Limits::default() };
    let call = session(source).call(with_limits(request("f", &[]), limits));
    let ran = Host::default().on("sleep", |_| Ok(value("null"))).run(call).await;
    assert_eq!(ran.calls.len(), 50);
    assert_eq!(ran.limit().code, "python_call_limit");
}

#[tokio::test]
async fn leaving_the_interpreter_is_an_exception() {
    let failure = run("import sys\ndef f():\n    sys.exit(3)\n", "f", &[]).await;
    let failure = failure.raised();
    assert!(failure.exception.is_some(), "{failure:?}");
}

#[tokio::test]
async fn nesting_beyond_measure_is_refused_both_ways() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(weaver_core::Value::from_json(&deep).is_err(), "JSON itself refuses this");
    let deep = (0..5_000).fold(value("1"), |inner, _| weaver_core::Value::list([inner]));
    let mut wanted = request("f", &[]);
    wanted.args = vec![deep.clone()];
    let failure =
        Host::default().run(session("def f(x):\n    return 1\n").call(wanted)).await.limit();
    assert_eq!(failure.code, "python_input_depth");
    // Freeing a tree this deep is the test's own business.
    std::mem::forget(deep);
    let source = "def f():\n    a = 1\n    for i in range(5000):\n        a = [a]\n    return a\n";
    let failure = run(source, "f", &[]).await.raised();
    assert!(failure.message.contains("nested"), "{}", failure.message);
}
