use std::sync::Arc;

use weaver_interpreter::{CallRequest, Session, Step};

use crate::harness::*;

const COUNTER: &str = "count = 0\ndef bump():\n    global count\n    count += 1\n    return count\n\
    def wait():\n    import time\n    time.sleep(1)\n    return bump()\n";

async fn bump(session: &Session) -> String {
    Host::default().run(session.call(request("bump", &[]))).await.json()
}

#[tokio::test]
async fn calls_of_a_session_share_the_module() {
    let session = session(COUNTER);
    assert_eq!(bump(&session).await, "1");
    assert_eq!(bump(&session).await, "2");
}

#[tokio::test]
async fn sessions_share_nothing() {
    let pool = pool();
    let program = Arc::new(program(COUNTER));
    for (tenant, execution) in [("a", "1"), ("a", "2"), ("b", "1")] {
        let session = pool.session(program.clone(), binding(tenant, execution));
        assert_eq!(bump(&session).await, "1", "{tenant} {execution}");
        assert_eq!(bump(&session).await, "2", "{tenant} {execution}");
    }
}

#[tokio::test]
async fn another_tenant_gets_another_process() {
    let pool = pool();
    let program = Arc::new(program(COUNTER));
    let mut processes = Vec::new();
    for tenant in ["a", "a", "b"] {
        let session = pool.session(program.clone(), binding(tenant, "e"));
        let mut call = session.call(request("wait", &[]));
        assert!(matches!(call.next().await, Step::HostCall(_)));
        processes.push(call.process_id().unwrap());
    }
    assert_eq!(processes[0], processes[1], "one tenant's process is used again");
    assert_ne!(processes[1], processes[2]);
}

#[tokio::test]
async fn a_module_without_traces_serves_the_next_session_of_its_tenant() {
    let pool = pool();
    let source = "def wait(n):\n    import time\n    time.sleep(1)\n    return n + 1\n";
    let program = Arc::new(program(source));
    let mut processes = Vec::new();
    for (tenant, n, ends) in [("a", 1, true), ("a", 2, false), ("a", 3, true), ("b", 4, true)] {
        let session = pool.session(program.clone(), binding(tenant, &n.to_string()));
        let args = vec![weaver_core::Value::Int(n)];
        let mut call = session.call(CallRequest { args, ..request("wait", &[]) });
        let Step::HostCall(asked) = call.next().await else { panic!("it sleeps") };
        processes.push(call.process_id().unwrap());
        if ends {
            call.resume(asked.id, Ok(value("null")));
            let step = call.next().await;
            assert!(matches!(step, Step::Returned(m) if m == weaver_core::Value::Int(n + 1)));
        }
    }
    assert_eq!(processes[0], processes[1], "its module is as good as new");
    assert_eq!(processes[1], processes[2], "the module is made anew: a call was left in it");
    assert_ne!(processes[2], processes[3], "another tenant");
}

#[tokio::test]
async fn an_exception_keeps_the_module() {
    let session = session(&format!("{COUNTER}def bad():\n    bump()\n    raise ValueError('x')\n"));
    assert_eq!(bump(&session).await, "1");
    Host::default().run(session.call(request("bad", &[]))).await.raised();
    assert_eq!(bump(&session).await, "3");
}

#[tokio::test]
async fn a_call_beside_another_has_a_module_of_its_own() {
    let session = session(COUNTER);
    assert_eq!(bump(&session).await, "1");
    let mut first = session.call(request("wait", &[]));
    let Step::HostCall(asked) = first.next().await else { panic!("it sleeps") };
    assert_eq!(bump(&session).await, "1", "made from the template");
    first.resume(asked.id, Ok(value("null")));
    assert!(matches!(first.next().await, Step::Returned(n) if n == value("2")));
    assert_eq!(bump(&session).await, "3", "the session's own module went on");
}

#[tokio::test]
async fn many_calls_at_once() {
    let pool = pool_with(KEY, 4);
    let program = Arc::new(program("def f(n):\n    return sum(range(n))\n"));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let session =
            pool.session(program.clone(), binding(&format!("t{}", n % 3), &n.to_string()));
        tasks.spawn(async move {
            let call = session.call(CallRequest { args: vec![value("1000")], ..request("f", &[]) });
            Host::default().run(call).await.json()
        });
    }
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result.unwrap(), "499500");
    }
}

#[tokio::test]
async fn an_idle_session_gives_its_worker_up_and_keeps_its_module() {
    let pool = pool_with(KEY, 1);
    let program = Arc::new(program(COUNTER));
    let (a, b) = (
        pool.session(program.clone(), binding("a", "1")),
        pool.session(program.clone(), binding("b", "1")),
    );
    assert_eq!(bump(&a).await, "1");
    assert_eq!(bump(&b).await, "1");
    assert_eq!(bump(&a).await, "2");
    assert_eq!(bump(&b).await, "2");
}

#[tokio::test]
async fn a_killed_worker_is_noticed_and_replaced() {
    let session = session(&format!("{COUNTER}def spin():\n    while True:\n        pass\n"));
    assert_eq!(bump(&session).await, "1");
    let mut call = session.call(request("wait", &[]));
    let Step::HostCall(asked) = call.next().await else { panic!("it sleeps") };
    kill(call.process_id().unwrap());
    call.resume(asked.id, Ok(value("null")));
    let Step::Crashed(failure) = call.next().await else { panic!("its process is dead") };
    assert_eq!(failure.code, "interpreter_crashed");
    assert!(failure.retryable && failure.message.contains("SIGKILL"), "{}", failure.message);
    assert_eq!(bump(&session).await, "1", "the module is made anew");
}

#[tokio::test]
async fn a_call_may_be_dropped_at_any_step() {
    let session = session(COUNTER);
    drop(session.call(request("wait", &[])));
    let mut call = session.call(request("wait", &[]));
    assert!(matches!(call.next().await, Step::HostCall(_)));
    drop(call);
    assert_eq!(bump(&session).await, "1");
    let mut call = session.call(request("wait", &[]));
    // Polled once and dropped: cut off in the middle.
    let waker = std::task::Waker::noop();
    let _ = std::future::Future::poll(
        std::pin::pin!(call.next()),
        &mut std::task::Context::from_waker(waker),
    );
    drop(call);
    assert_eq!(bump(&session).await, "1");
}

fn kill(process: u32) {
    let status = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(status.unwrap().success());
}

const ECHO: &str = "def echo(state):\n    return state\n\
    def fail(state):\n    raise ValueError(str(len(state['items'])))\n";

/// Calls with states that share parts with each other, as those of a run do.
#[tokio::test]
async fn a_state_arrives_as_it_is_whatever_the_worker_has_kept() {
    use weaver_core::Value;
    let pool = pool();
    let program = Arc::new(program(ECHO));
    let text = |n: i64| Value::str(format!("text {n}"));
    let message = |n: i64| {
        Value::tagged("message", [("type", "human".into()), ("content", text(n)), ("id", text(n))])
    };
    let map = |n: i64| Value::map((0..n).map(|i| (format!("k{i}"), text(i))));
    let with = |map: &Value, key: &str, value: Value| {
        let mut map = map.as_map().unwrap().clone();
        map.insert(key.into(), value);
        Value::Map(Arc::new(map))
    };
    let state = |items: &[Value], map: &Value| {
        Value::map([("n", 1.into()), ("items", Value::list(items.to_vec())), ("map", map.clone())])
    };
    let mut items: Vec<Value> = (0..6).map(message).collect();
    let mut states = vec![state(&items, &map(8))];
    items.push(message(7));
    states.push(state(&items, &map(8)));
    let mut changed = with(&map(8), "k3", text(30));
    states.push(state(&items, &changed));
    changed = with(&changed, "new", message(9));
    states.push(state(&items, &changed));
    items[2] = message(20);
    states.push(state(&items, &map(5)));
    items.truncate(5);
    states.push(state(&items, &map(2)));
    states.push(state(&[items.clone(), vec![Value::list(items.clone())]].concat(), &message(1)));
    for execution in ["1", "2"] {
        let session = pool.session(program.clone(), binding("a", execution));
        for round in 0..3 {
            for state in &states {
                let ask = |function: &str| {
                    session
                        .call(CallRequest { args: vec![state.clone()], ..request(function, &[]) })
                };
                let back = Host::default().run(ask("echo")).await.value();
                let fields = ["type", "content", "id"];
                assert_eq!(plain(&back, &fields), plain(state, &fields));
                if round == 1 {
                    let failure = Host::default().run(ask("fail")).await.raised();
                    let len = state.get("items").unwrap().as_list().unwrap().len();
                    assert_eq!(failure.message, len.to_string());
                }
            }
        }
    }
}

/// A value without the fields that messages have besides those.
fn plain(value: &weaver_core::Value, fields: &[&str]) -> String {
    use weaver_core::Value;
    match value {
        Value::List(items) => items.iter().map(|item| plain(item, fields) + ",").collect(),
        Value::Map(map) if value.tag() == Some("message") => {
            fields.iter().map(|field| format!("{field}={};", map[*field].to_json())).collect()
        }
        Value::Map(map) => {
            map.iter().map(|(key, value)| format!("{key}:({})", plain(value, fields))).collect()
        }
        other => other.to_json(),
    }
}

#[tokio::test]
async fn what_a_function_does_to_its_arguments_stays_in_its_call() {
    let session = session(
        "def node(state):\n    state['xs'].append(1)\n    state['m']['x'] = 1\n    return state\n",
    );
    let state = value(r#"{"xs":[1,2,3,4,5],"m":{"a":1,"b":2,"c":3,"d":4}}"#);
    for _ in 0..2 {
        let args = vec![state.clone()];
        let call = session.call(CallRequest { args, ..request("node", &[]) });
        assert_eq!(
            Host::default().run(call).await.json(),
            r#"{"xs":[1,2,3,4,5,1],"m":{"a":1,"b":2,"c":3,"d":4,"x":1}}"#
        );
    }
}
