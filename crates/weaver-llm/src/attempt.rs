//! The tries of one call: over models, over keys, in time.

use std::future::Future;
use std::task::{Poll, ready};
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
    // One wait for all events: each new one would be put on a list that all calls share.
    let off = Box::pin(async move { called_off(&call, &model).await });
    let mut state = Some((stream, off));
    ChatStream::new(stream::poll_fn(move |cx| {
        let Some((stream, off)) = &mut state else { return Poll::Ready(None) };
        let item = match stream.poll_next_unpin(cx) {
            Poll::Ready(item) => item,
            // The stream is dropped then, which closes the connection.
            Poll::Pending => Some(Err(ready!(off.as_mut().poll(cx)))),
        };
        if !matches!(item, Some(Ok(_))) {
            state = None;
        }
        Poll::Ready(item)
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
    let mut state = Some((stream, admission, meter));
    ChatStream::new(stream::poll_fn(move |cx| {
        let Some((stream, admission, meter)) = &mut state else { return Poll::Ready(None) };
        let item = match (ready!(stream.poll_next_unpin(cx)), meter) {
            (Some(Ok(event)), Some(meter)) => Some(meter.count(&event).map(|()| event)),
            (item, _) => item,
        };
        match &item {
            Some(Ok(ChatEvent::Finish { .. })) => admission.report(Ok(())),
            Some(Err(error)) => admission.report(Err(error)),
            _ => {}
        }
        // After an error the stream is dropped, which closes the connection.
        if !matches!(item, Some(Ok(_))) {
            state = None;
        }
        Poll::Ready(item)
    }))
}

/// The work, unless the caller cancels or its deadline passes first.
async fn within<T, E: From<Error>>(
    call: &Call,
    model: &ModelRef,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::select! {
        biased;
        outcome = work => outcome,
        error = called_off(call, model) => Err(error.into()),
    }
}

/// Returns when the caller cancels or its deadline passes.
async fn called_off(call: &Call, model: &ModelRef) -> Error {
    let deadline = async {
        match call.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Error::Cancelled,
        () = deadline => Error::Timeout {
            provider: model.title.clone(),
            phase: Phase::Total,
            limit: Duration::ZERO,
        },
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
