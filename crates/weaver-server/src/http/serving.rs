//! Connections: taken, limited in time, and ended when the process drains.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// How long a peer may keep a connection waiting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the head of a request is there, or a connection that is kept is used again.
    pub head: Duration,
    /// Until a peer that is sent something takes some of it. Longer, and it is cut off:
    /// a reader of a stream comes back with the last number that it has.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { head: Duration::from_secs(30), stall: Duration::from_secs(30) }
    }
}

/// What requests are answered from. It may be put in the place of another while
/// connections are open; without any, requests wait for the first.
#[derive(Default)]
pub struct Front(watch::Sender<Option<Router>>);

impl Front {
    /// Answers from a router from now on.
    pub fn put(&self, router: Router) {
        self.0.send_replace(Some(router));
    }

    async fn now(&self) -> Router {
        if let Some(router) = &*self.0.borrow() {
            return router.clone();
        }
        let mut first = self.0.subscribe();
        let router = first.wait_for(Option::is_some).await.map(|router| router.clone());
        router.ok().flatten().expect("the sender is here, and was waited for")
    }
}

/// After an error of the listener (no file is left for a connection) it is tried again.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Answers requests until `drain` is cancelled and those under way have ended.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    limits: Limits,
    drain: CancellationToken,
) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        // Or the pieces of a stream wait 40 ms for the reader's word that it has the last one.
        let _ = stream.set_nodelay(true);
        let front = front.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let front = front.clone();
            async move { front.now().await.oneshot(request.map(Body::new)).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .serve_connection(TokioIo::new(Impatient::new(stream, limits.stall)), service)
            .with_upgrades();
        // In a box: a task that holds it and pins it would have room for two.
        let mut connection = Box::pin(connection);
        let drain = drain.clone();
        open.spawn(async move {
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = drain.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// A connection that fails when its peer takes nothing for too long.
struct Impatient<T> {
    io: T,
    limit: Duration,
    /// Runs while something waits to be taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Impatient<T> {
    fn new(io: T, limit: Duration) -> Self {
        Impatient { io, limit, stalled: None }
    }

    /// What a write has come to; an error if nothing has come of writing for too long.
    fn judge<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Impatient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Impatient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.judge(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_cut_off() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = Impatient::new(ours, Duration::from_secs(600));
        let reading = async {
            theirs.read_exact(&mut [0; 12]).await.unwrap();
            theirs
        };
        let (written, theirs) = tokio::join!(ours.write_all(&[0; 12]), reading);
        written.unwrap();
        ours.limit = Duration::from_millis(1);
        let cut = ours.write_all(&[0; 12]).await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }
}
