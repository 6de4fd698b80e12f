//! What must be true of an execution in the end, whatever happened on the way.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use weaver_core::{EventKind, Value};
use weaver_runtime::Executions;
use weaver_store::{Clock, ExecutionStatus, Lane, SharedMemory, Store};

use crate::client::{Accepted, Client, Tended};
use crate::process::Process;
use crate::schedule::Counts;
use crate::world::{DEADLINE, Shape, World};

/// Stands for the answer in [`CALM`].
const ANSWER: &str = "ANSWER";

/// The lines of the state in the end, where nothing goes wrong.
static CALM: LazyLock<Vec<String>> = LazyLock::new(|| {
    let (memory, world) = (SharedMemory::new(Clock::default()), World::default());
    let client = Client::new(memory.open(), memory.open());
    let mut process = Process::start("calm", memory.open(), &world, 8);
    let mut accepted = client.submit(0, Shape::Mixed, None, None);
    loop {
        process.work(20);
        process.pass(Duration::from_millis(100));
        client.answer(&mut accepted, ANSWER);
        if matches!(client.tend(&mut accepted), Tended::Over) {
            return lines(&client, &accepted);
        }
    }
});

fn lines(client: &Client, accepted: &Accepted) -> Vec<String> {
    let executions = Executions::new(client.store.clone());
    let output = client.get(executions.output(&client.view(accepted.id).execution));
    let output = output.expect("it can be read");
    let Some(Value::List(lines)) = output.get("log") else { panic!("no lines in {output}") };
    lines.iter().map(|line| line.as_str().expect("lines are texts").to_string()).collect()
}

pub fn check(client: &Client, accepted: &Accepted, counts: &mut Counts) {
    let view = client.view(accepted.id);
    match (view.execution.status, accepted.cancelled_at) {
        (ExecutionStatus::Completed, None) => completed(client, accepted, counts),
        (ExecutionStatus::Cancelled, Some(head)) => {
            counts.cancelled += 1;
            let found = client.get(client.store.head(accepted.id)).expect("it can be read");
            assert_eq!(found.sequence, head, "nothing is written after a cancel");
        }
        (ExecutionStatus::Waiting, None) if accepted.shape == Shape::AtMostOnce => {
            counts.attention += 1;
        }
        (status, cancelled) => panic!("it ended as {status:?}, cancelled: {cancelled:?}"),
    }
    log(client, accepted, view.execution.status);
    checkpoints(&client.store, client, accepted);
    let lease = client.get(client.store.lease(accepted.id)).expect("it can be read");
    counts.takeovers += lease.map_or(0, |lease| lease.fence.saturating_sub(2));
}

fn completed(client: &Client, accepted: &Accepted, counts: &mut Counts) {
    let lines = lines(client, accepted);
    let answer = match &accepted.answer {
        Some(answer) => Value::str(&**answer).to_string(),
        None => {
            assert_eq!(accepted.shape, Shape::Deadline, "only a deadline answers by itself");
            counts.expired += 1;
            expired(client, accepted);
            Value::tagged::<&str>("timeout", []).to_string()
        }
    };
    let calm = Value::str(ANSWER).to_string();
    let expected: Vec<String> = CALM.iter().map(|line| line.replace(&calm, &answer)).collect();
    assert_eq!(lines, expected, "the state is what it is without trouble");
}

/// A deadline is never early, by the clock of the database.
fn expired(client: &Client, accepted: &Accepted) {
    let thread = client.view(accepted.id).execution.thread;
    let rows = client.get(client.store.interrupts(thread, false)).expect("it can be read");
    let (_, answered) = rows[0].answer.as_ref().expect("it was answered by time");
    // It was seen some time after it was asked.
    let asked = accepted.asked.unwrap_or(rows[0].time).min(rows[0].time);
    assert!(
        answered.0 >= asked.after(DEADLINE).0,
        "{answered:?} is before {asked:?} + {DEADLINE:?}"
    );
}

/// Sequences are gapless, and the end is said once, last.
fn log(client: &Client, accepted: &Accepted, status: ExecutionStatus) {
    let entries = client.get(client.store.entries(accepted.id, 0, 0)).expect("it can be read");
    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=entries.len() as u64).collect::<Vec<_>>(), "gapless");
    let events: Vec<_> = entries.iter().filter_map(weaver_runtime::from_entry).collect();
    let ends = events.iter().enumerate().filter(|(_, event)| {
        let word = event.data.get("status").and_then(Value::as_str);
        event.kind == EventKind::Done && matches!(word, Some("completed" | "failed" | "cancelled"))
    });
    let ends: Vec<usize> = ends.map(|(at, _)| at).collect();
    match status.is_end() {
        true => assert_eq!(ends, [events.len() - 1], "one end, and nothing after it"),
        false => assert_eq!(ends, [0; 0], "no end"),
    }
}

/// Steps are dense and each checkpoint follows the one before.
fn checkpoints(store: &Store, client: &Client, accepted: &Accepted) {
    let thread = client.view(accepted.id).execution.thread;
    let mut chain =
        client.get(store.checkpoints(Lane::root(thread), None, 0)).expect("it can be read");
    chain.reverse();
    let ids: HashSet<_> = chain.iter().map(|checkpoint| checkpoint.id).collect();
    assert_eq!(ids.len(), chain.len(), "each checkpoint once");
    for pair in chain.windows(2) {
        assert_eq!(pair[1].parent, Some(pair[0].id), "checkpoints are a chain");
        assert_eq!(pair[1].step, pair[0].step + 1, "steps are dense");
    }
}
