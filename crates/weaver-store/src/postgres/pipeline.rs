//! Several statements on their way at once. The driver sends a statement when its
//! future is first polled, and answers come in the order of sending; so polling in
//! order sends all of them before the first answer is there.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::{crash, crash_point};

/// Statements whose answers come in this order.
pub(super) struct Pipeline<'a, T>(Vec<Slot<'a, T>>);

impl<T> Default for Pipeline<'_, T> {
    fn default() -> Self {
        Pipeline::new()
    }
}

enum Slot<'a, T> {
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
    Done(T),
}

impl<'a, T> Pipeline<'a, T> {
    pub(super) fn new() -> Self {
        Pipeline(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a statement behind the others; it is not sent yet.
    pub(super) fn push(&mut self, statement: impl Future<Output = T> + Send + 'a) {
        self.0.push(Slot::Waiting(Box::pin(statement)));
    }

    /// Sends all and gives all answers, in order.
    pub(super) async fn run(mut self) -> Vec<T> {
        poll_fn(|cx| self.poll(cx)).await;
        let answer = |slot| match slot {
            Slot::Done(answer) => answer,
            Slot::Waiting(_) => unreachable!("polled until all were done"),
        };
        self.0.into_iter().map(answer).collect()
    }

    /// The same; but when a crash point is armed, one after the other.
    pub(super) async fn run_apart_if_armed(self) -> Vec<T> {
        if !crash::is_armed() {
            return self.run().await;
        }
        let mut answers = Vec::with_capacity(self.0.len());
        for slot in self.0 {
            answers.push(match slot {
                Slot::Waiting(future) => future.await,
                Slot::Done(answer) => answer,
            });
            crash_point!("between_writes");
        }
        answers
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut all_done = true;
        for slot in &mut self.0 {
            if let Slot::Waiting(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(answer) => *slot = Slot::Done(answer),
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The same for two of different kinds.
pub(super) async fn both<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut first_answer, mut second_answer) = (None, None);
    poll_fn(|cx| {
        if first_answer.is_none()
            && let Poll::Ready(answer) = first.as_mut().poll(cx)
        {
            first_answer = Some(answer);
        }
        if second_answer.is_none()
            && let Poll::Ready(answer) = second.as_mut().poll(cx)
        {
            second_answer = Some(answer);
        }
        match (first_answer.take(), second_answer.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (first, second) => {
                (first_answer, second_answer) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}
