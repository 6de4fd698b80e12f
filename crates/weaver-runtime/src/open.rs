//! How a run opens: where it starts from, which execution it belongs to, what the
//! log says first.

use weaver_core::{Event, EventKind, Hash, Value};
use weaver_engine::{Input, Origin, Resume, RunOptions, Saved, Targets};
use weaver_store::{
    Execution, ExecutionChange, ExecutionId, ExecutionQuery, ExecutionStatus, Lane, Record,
    SnapshotMeter, Standing, Store,
};

use crate::commit::Committer;
use crate::error::Error;
use crate::journal::{self, Journal, now};
use crate::order::Order;
use crate::request::{Durability, RunRequest};
use crate::{codec, shown, thread};

/// The number of a thread, part of the ids of messages that come without one.
pub(crate) fn thread_number(thread: &str) -> u128 {
    let Hash(bytes) = Hash::of(thread.as_bytes());
    u128::from_le_bytes(*bytes.first_chunk().expect("a hash has 32 bytes"))
}

pub(crate) async fn load_origin(
    store: Option<&Store>,
    request: &RunRequest,
    committer: &mut Committer,
) -> Result<Origin<Value>, Error> {
    let Some(store) = store.filter(|_| !request.anew) else { return Ok(Origin::default()) };
    let standing = request.claimed.as_ref().map(|claimed| &claimed.standing);
    if standing.is_some_and(|standing| standing.latest.is_none()) {
        return Ok(Origin::default());
    }
    let loaded = match recent(store, request).await? {
        Some(recent) => Some(recent),
        None => thread::load(store, &request.thread, &request.namespace, request.at).await?,
    };
    let Some((saved, meter)) = loaded else {
        return match request.at {
            None => Ok(Origin::default()),
            Some(id) => Err(Error::NotFound(format!(
                "the thread `{}` has no checkpoint {id}",
                request.thread
            ))),
        };
    };
    committer.loaded(&saved, meter);
    match request.at {
        None => Ok(Origin::latest(Some(saved))),
        Some(id) => {
            let lane = Lane::new(request.thread.clone(), request.namespace.clone());
            let superseded = thread::is_superseded(store, lane, id).await?;
            Ok(Origin::chosen(saved, superseded))
        }
    }
}

/// The latest state of the thread, where an earlier run of this process left it there.
async fn recent(
    store: &Store,
    request: &RunRequest,
) -> Result<Option<(Saved<Value>, SnapshotMeter)>, Error> {
    let Some(recent) = &request.recent else { return Ok(None) };
    if request.at.is_some() || !request.namespace.is_empty() {
        return Ok(None);
    }
    let standing = request.claimed.as_ref().map(|claimed| &claimed.standing);
    let latest = standing.and_then(|standing| standing.latest.as_ref()).map(|info| info.id);
    let taken = recent.take(store, &request.tenant, &request.thread, latest).await?;
    let Some((state, meter)) = taken else { return Ok(None) };
    let lane = Lane::root(request.thread.clone());
    let pending = store.pending_writes(lane, codec::row_id(state.id)).await?;
    Ok(Some((codec::with_pending(state, &pending)?, meter)))
}

/// The answers that a run brings which goes on with a thread; none for one that
/// begins anew.
pub(crate) fn answers_of(input: &Input<Value>) -> Option<Option<&Resume<Value>>> {
    match input {
        Input::Command(command) => Some(command.resume.as_ref()),
        Input::Continue => Some(None),
        _ => None,
    }
}

/// Reads the open questions, and notes the answers that this run brings.
pub(crate) async fn note_answers(
    store: &Store,
    committer: &mut Committer,
    resume: Option<&Resume<Value>>,
) -> Result<(), Error> {
    let rows = store.interrupts(committer.thread.clone(), false).await?;
    committer.known_questions = rows.into_iter().map(|row| (row.id.to_string(), row)).collect();
    match resume {
        Some(Resume::ById(answers)) => {
            for (id, answer) in answers {
                committer.answer(&id.to_string(), answer);
            }
        }
        Some(Resume::Bare(answer)) => {
            let open: Vec<String> = committer
                .known_questions
                .values()
                .filter(|question| question.answer.is_none())
                .map(|question| question.id.to_string())
                .collect();
            if let [only] = open.as_slice() {
                committer.answer(only, answer);
            }
        }
        None => {}
    }
    Ok(())
}

/// The execution that this run goes on with, and where its log ends: the thread's last
/// one, if nothing new is asked and it has not ended for good.
pub(crate) async fn unfinished(
    store: &Store,
    request: &RunRequest,
) -> Result<Option<(Execution, u64)>, Error> {
    if let Some(claimed) = &request.claimed {
        let Standing { execution, head, .. } = &claimed.standing;
        return Ok(Some((execution.clone(), head.sequence)));
    }
    let goes_on = matches!(request.input, Input::Continue | Input::Command(_));
    if !goes_on || request.at.is_some() {
        return Ok(None);
    }
    let thread = Some(request.thread.clone());
    let query = ExecutionQuery { thread, limit: 1, ..ExecutionQuery::default() };
    let last = store.executions(query).await?.into_iter().next();
    let Some(last) = last.filter(|last| last.status != ExecutionStatus::Completed) else {
        return Ok(None);
    };
    let head = store.head(last.id).await?;
    Ok(Some((last, head.sequence)))
}

pub(crate) fn begin(
    journal: &Journal,
    execution: ExecutionId,
    request: &RunRequest,
    unfinished: Option<&Execution>,
) {
    let goes_on = unfinished.is_some();
    if let Some(version) = &request.version {
        journal.record(Record::Version(version.clone()));
    }
    let moved = request.version.as_ref().map(|version| version.hash);
    if let (Some(last), Some(version)) = (unfinished, moved)
        && last.version != moved
    {
        journal.record(Record::Pin(last.id, version));
    }
    let input = input_value(&request.input);
    if let Some(claimed) = &request.claimed {
        journal.take(claimed.clone());
    }
    journal.record(match goes_on {
        true => Record::ExecutionChange(ExecutionChange {
            id: execution,
            status: ExecutionStatus::Running,
            ended: None,
            error: None,
            totals: journal.totals(),
        }),
        false => new_execution(execution, request, &input),
    });
    let mut data = vec![
        ("thread", Value::Str(request.thread.clone())),
        ("execution", execution.to_string().into()),
        ("input", input),
        ("goes_on", goes_on.into()),
        ("file", request.version.as_ref().map(|version| version.file.clone()).into()),
    ];
    data.extend(terms(request).into_iter().filter(|(_, value)| !value.is_null()));
    journal.emit(Event::new(EventKind::Start).with_data(Value::map(data)));
    if request.durability == Durability::Sync {
        drop(journal.flush());
    }
}

/// Under which terms a run goes, as far as they are not the usual ones: whoever goes
/// through it again needs them.
fn terms(request: &RunRequest) -> [(&'static str, Value); 6] {
    let options = &request.options;
    let usual = RunOptions::default();
    let limit = Some(options.recursion_limit).filter(|limit| *limit != usual.recursion_limit);
    let nodes = |targets: &Option<Targets>| match targets {
        None => Value::Null,
        Some(Targets::All) => Value::list(["*".into()]),
        Some(Targets::Names(names)) => Value::list(names.iter().cloned().map(Value::Str)),
    };
    [
        ("surroundings", surroundings(request).to_hex().into()),
        ("version", request.version.as_ref().map(|version| version.hash.to_hex()).into()),
        ("below", below(request)),
        ("recursion_limit", limit.map(i64::from).into()),
        ("interrupt_before", nodes(&options.interrupt_before)),
        ("interrupt_after", nodes(&options.interrupt_after)),
    ]
}

/// [`RunRequest::below`] as pairs of namespace and checkpoint.
fn below(request: &RunRequest) -> Value {
    match request.below.as_slice() {
        [] => Value::Null,
        below => Value::list(below.iter().map(|(namespace, id)| {
            Value::list([Value::Str(namespace.clone()), id.to_string().into()])
        })),
    }
}

/// A hash of all that nodes may see besides the state.
pub(crate) fn surroundings(request: &RunRequest) -> Hash {
    let (context, config) = (request.context.to_json(), request.config.to_json());
    let host = request.surroundings.map_or([0; 32], |hash| hash.0);
    Hash::of_parts([context.as_bytes(), config.as_bytes(), &host])
}

fn new_execution(execution: ExecutionId, request: &RunRequest, input: &Value) -> Record {
    Record::Execution(Execution {
        id: execution,
        parent: None,
        thread: request.thread.clone(),
        version: request.version.as_ref().map(|version| version.hash),
        workflow: request.version.as_ref().map(|version| version.file.as_str().into()),
        status: ExecutionStatus::Running,
        input: Order { input: journal::brief(input), ..Order::default() }.encode(),
        started: now(),
        ended: None,
        error: None,
        totals: Default::default(),
    })
}

fn input_value(input: &Input<Value>) -> Value {
    match input {
        Input::Value(value) => value.clone(),
        Input::Continue => Value::Null,
        Input::Command(command) => {
            let resume = match &command.resume {
                None => Value::Null,
                Some(Resume::Bare(value)) => value.clone(),
                Some(Resume::ById(answers)) => {
                    Value::map(answers.iter().map(|(id, value)| (id.to_string(), value.clone())))
                }
            };
            Value::tagged(
                "command",
                [("resume", resume), ("update", shown::fields(&command.update))],
            )
        }
        Input::Update(_) => Value::str("update"),
    }
}
