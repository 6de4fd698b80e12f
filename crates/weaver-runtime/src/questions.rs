//! What an execution waits for: open questions, their deadlines, the answers that
//! came.

use std::collections::HashMap;
use std::time::Duration;

use weaver_core::{Timestamp, Value};
use weaver_engine::{Graph, Interrupt, InterruptId, Snapshot};
use weaver_store::{self as store, Store};

use crate::error::Error;
use crate::{children, codec, thread};

/// The answer that a passed deadline gives in a person's place.
pub fn timeout_answer() -> Value {
    Value::tagged::<&str>("timeout", [])
}

/// The time limit of a question, if it has one: its `deadline_seconds`, from the
/// moment it was asked.
pub fn deadline_of(question: &Value, asked: Timestamp) -> Option<Timestamp> {
    let seconds = question.get("deadline_seconds")?.as_f64()?;
    Some(asked.after(Duration::try_from_secs_f64(seconds).ok()?))
}

/// The first moment at which one of these questions is answered by time.
pub(crate) fn first_deadline<'a>(
    rows: impl Iterator<Item = &'a store::Interrupt>,
    questions: &[Interrupt<Value>],
) -> Option<Timestamp> {
    let asked: HashMap<&str, Timestamp> = rows.map(|row| (&*row.id, row.time)).collect();
    let deadline = |question: &Interrupt<Value>| {
        deadline_of(&question.value, *asked.get(&*question.id.to_string())?)
    };
    questions.iter().filter_map(deadline).min()
}

/// The answers that a thread's open questions have by now, from people and from
/// time.
pub(crate) async fn answers(
    store: &Store,
    graph: &Graph<Value>,
    thread: &str,
    now: Timestamp,
) -> Result<Vec<(InterruptId, Value)>, Error> {
    let Some((saved, _)) = thread::load(store, thread, "", None).await? else {
        return Ok(Vec::new());
    };
    let snapshot = Snapshot::latest(graph, &saved);
    let rows = store.interrupts(thread.into(), false).await?;
    let mut answers = Vec::new();
    for question in snapshot.interrupts() {
        let id = question.id.to_string();
        let Some(row) = rows.iter().rev().find(|row| *row.id == *id) else { continue };
        match &row.answer {
            Some((answer, _)) => answers.push((question.id, codec::decode(answer)?)),
            None if deadline_of(&question.value, row.time).is_some_and(|at| at <= now) => {
                answers.push((question.id, timeout_answer()));
            }
            None => {
                let Some(child) = children::child_of(&question.value) else { continue };
                answers.extend(children::answer(store, child).await?.map(|it| (question.id, it)));
            }
        }
    }
    Ok(answers)
}
