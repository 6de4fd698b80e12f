//! [`Ticket`]: the promise that a batch becomes durable.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::sync::oneshot;

use crate::{Error, Result};

/// Resolves when the batch that it was given for is on disk, or has failed.
///
/// Await it, or [`Ticket::wait`] for it outside of async code. Dropping it
/// changes nothing: the batch is written all the same. When the ticket of one
/// batch of an execution says `Ok`, all earlier batches of that execution are
/// durable too, so a barrier needs only the last ticket.
#[must_use = "a batch is durable only when its ticket says so"]
pub struct Ticket(Inner);

enum Inner {
    Ready(Option<Result<()>>),
    Waiting(oneshot::Receiver<Result<()>>),
    Future(Pin<Box<dyn Future<Output = Result<()>> + Send>>),
}

impl Ticket {
    /// A ticket that has its answer.
    pub fn ready(result: Result<()>) -> Self {
        Ticket(Inner::Ready(Some(result)))
    }

    /// A ticket that waits for somebody's answer. When the sender is dropped the
    /// answer is [`Error::Closed`].
    pub fn waiting(receiver: oneshot::Receiver<Result<()>>) -> Self {
        Ticket(Inner::Waiting(receiver))
    }

    /// A ticket whose answer a future gives; the future must not be what does
    /// the writing, because a ticket may be dropped.
    pub fn from_future(future: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Ticket(Inner::Future(Box::pin(future)))
    }

    /// Waits on this thread. In async code await the ticket instead.
    pub fn wait(self) -> Result<()> {
        block_on(self)
    }
}

impl Future for Ticket {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Inner::Ready(result) => {
                Poll::Ready(result.take().expect("a ticket is not polled after its answer"))
            }
            Inner::Waiting(receiver) => {
                Pin::new(receiver).poll(cx).map(|answer| answer.unwrap_or(Err(Error::Closed)))
            }
            Inner::Future(future) => future.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Inner::Ready(Some(Ok(()))) => "Ticket(durable)",
            Inner::Ready(Some(Err(_))) => "Ticket(failed)",
            _ => "Ticket(on its way)",
        })
    }
}

/// Runs a future of this crate on the calling thread. None of them needs a
/// runtime of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
