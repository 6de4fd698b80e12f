//! What a call costs: `cargo bench -p weaver-interpreter`. Prints medians.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weaver_core::{Program, Value};
use weaver_interpreter::{Binding, CallRequest, Pool, PoolOptions, Session, Step};

const SOURCE: &str = "def node(state):\n    return {'n': state['n'] + 1}\n\n\n\
    def last(state):\n    return {'n': len(state['messages'])}\n\n\n\
    def echo(state):\n    return state\n\n\n\
    def asks():\n    return llm('m', 'hi').text\n";

#[tokio::main]
async fn main() {
    let mut options =
        PoolOptions::new(env!("CARGO_BIN_EXE_weaver-pyworker").into(), vec![], [1; 32]);
    options.spare = 0;
    let import = weaver_core::HostImport {
        module: "agentweaver".into(),
        name: Some("llm".into()),
        local: "llm".into(),
    };
    let program = Arc::new(Program {
        file: "bench.py".into(),
        source: SOURCE.into(),
        imports: vec![import],
        ..Program::default()
    });
    let small = Value::from_json(r#"{"n":1}"#).expect("JSON");
    let messages = messages(200);

    let pool = Pool::new(options);
    let session = |n: usize| {
        pool.session(program.clone(), Binding { tenant: format!("t{n}"), execution: "e".into() })
    };
    let first = session(0);
    let time = timed(&first, "node", &small).await;
    println!("first call of a pool: start, sandbox, module from nothing   {time:>10.1?}");
    let mut times = Vec::new();
    for n in 1..20 {
        times.push(timed(&session(n), "node", &small).await);
    }
    print_median("first call of a session: start, sandbox, template", times);

    for (what, function, state, count) in [
        ("trivial call, warm", "node", &small, 20_000),
        ("call with 200 messages, warm", "last", &messages, 500),
        ("200 messages in and out, warm", "echo", &messages, 500),
    ] {
        let mut times = Vec::new();
        for _ in 0..count {
            times.push(timed(&first, function, state).await);
        }
        print_median(what, times);
    }
    snapshots(&first).await;
}

async fn timed(session: &Session, function: &str, state: &Value) -> Duration {
    let request = CallRequest {
        function: function.into(),
        args: vec![state.clone()],
        ..CallRequest::default()
    };
    let start = Instant::now();
    let step = session.call(request).next().await;
    let time = start.elapsed();
    assert!(matches!(step, Step::Returned(_)), "{step:?}");
    time
}

async fn snapshots(session: &Session) {
    let request = CallRequest { function: "asks".into(), ..CallRequest::default() };
    let mut call = session.call(request);
    assert!(matches!(call.next().await, Step::HostCall(_)));
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..50 {
        let start = Instant::now();
        size = call.snapshot().await.expect("it waits").bytes.len();
        times.push(start.elapsed());
    }
    print_median("snapshot", times);
    println!("snapshot size {size} bytes");
    let snapshot = call.snapshot().await.expect("it waits");
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let mut again = session.restore(&snapshot, Default::default()).expect("it fits");
        assert!(matches!(again.next().await, Step::HostCall(_)));
        times.push(start.elapsed());
    }
    print_median("restore in a used worker", times);
}

fn print_median(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{what:<60}{median:>10.1?}   p99 {p99:>10.1?}");
}

fn messages(n: usize) -> Value {
    let message = |i: usize| {
        Value::tagged(
            "message",
            [
                ("type", if i.is_multiple_of(2) { "human" } else { "ai" }.into()),
                (
                    "content",
                    Value::str(
                        "a message of about eighty characters, as chats have them in their state"
                            .to_owned(),
                    ),
                ),
                ("id", Value::str(format!("id-{i}"))),
            ],
        )
    };
    Value::map([("messages", Value::list((0..n).map(message)))])
}
