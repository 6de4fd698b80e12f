//! [`Wakers`]: who waits for work hears of it, in this process and in others.
//!
//! The server is told after the commit, from one connection per process and merged:
//! a `NOTIFY` inside the transactions that write would make them commit one after
//! the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client};

use super::connection::connect_listening;
use super::dsn::Dsn;
use crate::Wakeups;

/// Both directions of the news that there is work.
pub(super) struct Wakers {
    /// What those who wait in this process see.
    news: watch::Sender<u64>,
    /// Changes of this process that others have to hear of.
    own: watch::Sender<u64>,
}

/// After a connection was lost. Polling goes on meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// Within this time several changes are one notification.
const MERGE: Duration = Duration::from_millis(2);

impl Wakers {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Wakers { news: watch::Sender::new(0), own: watch::Sender::new(0) })
    }

    /// There is work: this process hears of it at once, others soon.
    pub(super) fn wake(&self) {
        self.news.send_modify(|count| *count += 1);
        self.own.send_modify(|count| *count += 1);
    }

    pub(super) fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.news.subscribe())
    }

    /// Tells and hears other processes, until it is stopped.
    pub(super) fn start(self: &Arc<Self>, dsn: Dsn, runtime: &Handle) -> JoinHandle<()> {
        let (wakers, mut own) = (self.clone(), self.own.subscribe());
        runtime.spawn(async move {
            loop {
                wakers.serve(&dsn, &mut own).await;
                // Something may have happened while nobody listened.
                wakers.news.send_modify(|count| *count += 1);
                tokio::time::sleep(PAUSE).await;
            }
        })
    }

    /// Ends with the connection.
    async fn serve(self: &Arc<Self>, dsn: &Dsn, own: &mut watch::Receiver<u64>) {
        let channel = format!("agentweaver_{}", dsn.schema);
        let wakers = self.clone();
        // What this process tells comes back to it, and is no news any more.
        let session = Arc::new(AtomicI32::new(0));
        let own_session = session.clone();
        let heard: Listener = Box::new(move |message| {
            if let AsyncMessage::Notification(told) = message
                && told.process_id() != own_session.load(Ordering::Relaxed)
            {
                wakers.news.send_modify(|count| *count += 1);
            }
        });
        let Ok(client) = connect_listening(dsn, heard).await else { return };
        if client.batch_execute(&format!("LISTEN \"{channel}\"")).await.is_err() {
            return;
        }
        let Ok(id) = client.query_one("SELECT pg_backend_pid()", &[]).await else { return };
        session.store(id.get(0), Ordering::Relaxed);
        self.news.send_modify(|count| *count += 1);
        while tell(&client, &channel, own).await.is_ok() {}
    }
}

/// Called with everything that a connection says unasked.
pub(super) type Listener = Box<dyn FnMut(AsyncMessage) + Send>;

async fn tell(
    client: &Client,
    channel: &str,
    own: &mut watch::Receiver<u64>,
) -> Result<(), tokio_postgres::Error> {
    // The sender lives as long as this task.
    let _ = own.changed().await;
    tokio::time::sleep(MERGE).await;
    own.mark_unchanged();
    client.batch_execute(&format!("NOTIFY \"{channel}\"")).await
}

/// Drives a connection and hands what it says unasked to a listener.
pub(super) async fn listen<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    mut heard: Listener,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) =
        poll_fn(|cx| Pin::new(&mut connection).get_mut().poll_message(cx)).await
    {
        heard(message);
    }
}
