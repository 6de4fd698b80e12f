//! [`Clock`]: a shift of the database's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use weaver_core::Timestamp;

/// What is added to the database's time. Nothing, except in tests: they share a
/// clone with the store and let days pass, or have a time of their own.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    shift_micros: Arc<AtomicI64>,
    /// In place of the database's time.
    stopped: Option<Timestamp>,
}

impl Clock {
    /// A clock that stands still but for [`Clock::advance`], whatever the database
    /// says.
    pub fn stopped_at(time: Timestamp) -> Self {
        Clock { stopped: Some(time), ..Clock::default() }
    }

    /// Lets time pass.
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.shift_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// The time, if it does not come from the database.
    pub(crate) fn stopped(&self) -> Option<Timestamp> {
        self.stopped.map(|time| self.shifted(time))
    }

    /// What a time of the database is taken for.
    pub(crate) fn shifted(&self, time: Timestamp) -> Timestamp {
        Timestamp(time.0.saturating_add(self.shift_micros.load(Ordering::SeqCst)))
    }

    /// The time of this host: that of a database that lives in this process.
    pub(crate) fn host_now(&self) -> Timestamp {
        self.stopped().unwrap_or_else(|| {
            let since_epoch = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default();
            self.shifted(Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)))
        })
    }
}
