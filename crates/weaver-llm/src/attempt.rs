//! The tries of one call: over models, over keys, in time.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt, stream};

use crate::admission::Admission;
use crate::budget::Meter;
use crate::error::{Error, Phase};
use crate::gateway::Call;
use crate::model::ModelRef;
use crate::options::Retry;
use crate::retry::Tries;
use crate::stream::{ChatEvent, ChatStream};

/// A try that failed.
pub(crate) struct Failed {
    pub error: Error,
    /// It failed for its key, and there is another.
    pub another_key: bool,
}

impl Failed {
    /// The failure of a try that was admitted, which learns from it.
    pub fn of(error: Error, admission: &Admission) -> Self {
        admission.report(Err(&error));
        Failed { another_key: admission.another_key_may_help(&error), error }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, another_key: false }
    }
}

/// Asks the models in order until one answers, each as often as is safe and useful.
/// When none does, the error is that of the first: it is the one that was meant.
pub(crate) async fn first_answer<'a, T, F>(
    models: &'a [ModelRef],
    retry: Retry,
    call: &Call,
    ask: impl Fn(ModelRef, u32) -> F,
) -> Result<(T, &'a ModelRef), Error>
where
    F: Future<Output = Result<T, Failed>>,
{
    let mut first_error = None;
    for model in models {
        let mut tries = Tries::new(retry, call);
        let error = loop {
            match within(call, model, ask(model.clone(), tries.made())).await {
                Ok(answer) => return Ok((answer, model)),
                Err(failed) => {
                    if let Err(error) = tries.wait_after(failed, model).await {
                        break error;
                    }
                }
            }
        };
        let goes_on = error.another_model_may_help();
        if models.len() > 1 {
            tracing::warn!(model = %model, code = error.code(), "a model of a chain did not answer");
        }
        let first = first_error.get_or_insert(error);
        if !goes_on {
            return Err(first.clone());
        }
    }
    Err(first_error.expect("there is at least the model that was asked for"))
}

/// Reads a stream until it has shown something, so that an error that comes
/// instead can still be retried; gives the same stream from its beginning.
pub(crate) async fn first_piece(mut stream: ChatStream) -> Result<ChatStream, Error> {
    let mut read = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event?;
        let is_head = matches!(event, ChatEvent::Start(_) | ChatEvent::Usage(_));
        read.push(Ok(event));
        if !is_head {
            break;
        }
    }
    Ok(ChatStream::new(stream::iter(read).chain(stream)))
}

/// The stream, ended by the caller's cancel or deadline.
pub(crate) fn guarded(stream: ChatStream, call: Call, model: ModelRef) -> ChatStream {
    // In a box: it is moved for each event.
    let state = Some(Box::new((stream, call, model)));
    ChatStream::new(stream::unfold(state, |state| async move {
        let mut state = state?;
        let (stream, call, model) = &mut *state;
        let next = async { Ok::<_, Error>(stream.next().await) };
        match within(call, model, next).await {
            Ok(Some(item)) => {
                let goes_on = item.is_ok();
                Some((item, goes_on.then_some(state)))
            }
            Ok(None) => None,
            // The stream is dropped here, which closes the connection.
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// The stream, which keeps its turn until it ends and then tells how it went, and is
/// cut when it costs too much.
pub(crate) fn watched(
    stream: ChatStream,
    admission: Admission,
    meter: Option<Meter>,
) -> ChatStream {
    admission.answers();
    let state = Some(Box::new((stream, admission, meter)));
    ChatStream::new(stream::unfold(state, |state| async move {
        let mut state = state?;
        let (stream, admission, meter) = &mut *state;
        let item = match (stream.next().await?, meter) {
            (Ok(event), Some(meter)) => meter.count(&event).map(|()| event),
            (item, _) => item,
        };
        match &item {
            Ok(ChatEvent::Finish { .. }) => admission.report(Ok(())),
            Ok(_) => {}
            Err(error) => admission.report(Err(error)),
        }
        // After an error the stream is dropped, which closes the connection.
        let goes_on = item.is_ok();
        Some((item, goes_on.then_some(state)))
    }))
}

/// The work, unless the caller cancels or its deadline passes first.
async fn within<T, E: From<Error>>(
    call: &Call,
    model: &ModelRef,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let deadline = async {
        match call.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(Error::Cancelled.into()),
        outcome = work => outcome,
        () = deadline => Err(Error::Timeout {
            provider: model.title.clone(),
            phase: Phase::Total,
            limit: Duration::ZERO,
        }.into()),
    }
}

pub(crate) async fn timeout<T>(
    limit: Duration,
    phase: Phase,
    model: &ModelRef,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::Timeout { provider: model.title.clone(), phase, limit };
    tokio::time::timeout(limit, work).await.map_err(late)?
}
