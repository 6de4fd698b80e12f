//! [`Process`]: a scheduler in a runtime of its own, which runs only when it is let.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use weaver_runtime::scheduler::{Options, Seats};
use weaver_runtime::{Executions, Scheduler};
use weaver_store::Store;

use crate::world::{Hands, World};

pub const LEASE: Duration = Duration::from_secs(30);

/// Dropping it is `kill -9`: nothing of it runs any more.
pub struct Process {
    runtime: Runtime,
    /// What is submitted in this process may be driven by it at once.
    seats: Seats,
    drain: CancellationToken,
    hands: Hands,
    /// Gets no time (SIGSTOP); what passed meanwhile it learns when it goes on.
    stopped: Option<Duration>,
}

impl Process {
    pub fn start(name: &str, store: Store, world: &World, slots: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without IO");
        let hands = world.hands();
        let mut options = Options::new(name);
        options.lease = LEASE;
        options.slots = slots;
        options.grace = Duration::from_secs(2);
        let seats = options.seats.clone();
        let drain = CancellationToken::new();
        let scheduler = Scheduler::new(store, Arc::new(hands.clone()), options);
        runtime.spawn(scheduler.run(drain.clone()));
        Process { runtime, seats, drain, hands, stopped: None }
    }

    /// Lets it work for a moment; gives whether it could.
    pub fn work(&self, polls: usize) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        self.runtime.block_on(async {
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
        });
        true
    }

    /// Runs a call in it, as one that a client makes of a server; gives nothing if it gets no
    /// time.
    pub fn asked<T>(
        &self,
        executions: &Executions,
        call: impl AsyncFnOnce(Executions) -> T,
    ) -> Option<T> {
        if self.stopped.is_some() {
            return None;
        }
        let executions = executions.clone().beside(self.seats.clone());
        Some(self.runtime.block_on(call(executions)))
    }

    /// Its clock goes on.
    pub fn pass(&mut self, span: Duration) {
        match &mut self.stopped {
            Some(missed) => *missed += span,
            None => self.runtime.block_on(tokio::time::advance(span)),
        }
    }

    pub fn stop(&mut self) {
        self.stopped.get_or_insert_default();
        self.hands.zombie.store(true, Ordering::Relaxed);
    }

    pub fn go_on(&mut self) {
        if let Some(missed) = self.stopped.take() {
            self.pass(missed);
        }
    }

    pub fn drain(&self) {
        self.drain.cancel();
    }
}
