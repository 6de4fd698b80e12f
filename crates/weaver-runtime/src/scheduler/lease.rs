//! [`Leases`]: what this process holds, and until when.

use std::collections::HashMap;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_store::{Claim, Held, WorkKey};

/// The leases of a process.
#[derive(Default)]
pub struct Leases(HashMap<WorkKey, Lease>);

struct Lease {
    fence: u64,
    deadline: watch::Sender<Instant>,
    hold: Hold,
}

/// What the driver of one execution knows of its lease.
#[derive(Clone)]
pub struct Hold {
    deadline: watch::Receiver<Instant>,
    /// Cancelled when somebody else has the execution, or nobody any more: its
    /// work has no effect.
    pub lost: CancellationToken,
    /// Cancelled when it is to stop before its next superstep.
    pub drain: CancellationToken,
}

impl Leases {
    /// A claim that holds until `deadline` by this process's clock.
    pub fn add(&mut self, claim: &Claim, deadline: Instant) -> Hold {
        let (sender, receiver) = watch::channel(deadline);
        let hold = Hold {
            deadline: receiver,
            lost: CancellationToken::new(),
            drain: CancellationToken::new(),
        };
        let lease = Lease { fence: claim.fence, deadline: sender, hold: hold.clone() };
        self.0.insert(claim.key.clone(), lease);
        hold
    }

    /// Its work under a fence is over. What was handed back may be held anew by now.
    pub fn remove(&mut self, key: &WorkKey, fence: u64) {
        if self.0.get(key).is_some_and(|lease| lease.fence == fence) {
            self.0.remove(key);
        }
    }

    /// Everything that is held.
    pub fn held(&self) -> Vec<(WorkKey, u64)> {
        self.0.iter().map(|(key, lease)| (key.clone(), lease.fence)).collect()
    }

    /// Takes the outcome of a renewal of everything: what is missing is lost.
    pub fn renewed(&mut self, held: &[Held], deadline: Instant) {
        let mut renewed: HashMap<&WorkKey, &Held> =
            held.iter().map(|held| (&held.key, held)).collect();
        for (key, lease) in &self.0 {
            match renewed.remove(key) {
                Some(held) => {
                    lease.deadline.send_replace(deadline);
                    if held.pause {
                        lease.hold.drain.cancel();
                    }
                }
                None => lease.hold.lost.cancel(),
            }
        }
    }

    /// All are to stop before their next superstep.
    pub fn drain(&self) {
        for lease in self.0.values() {
            lease.hold.drain.cancel();
        }
    }
}

impl Hold {
    /// Ends when the lease is lost: somebody said so, or it was not renewed for so
    /// long that another may have it soon.
    pub async fn lost(&mut self) {
        loop {
            let deadline = *self.deadline.borrow_and_update();
            tokio::select! {
                biased;
                () = self.lost.cancelled() => return,
                () = tokio::time::sleep_until(deadline) => return,
                changed = self.deadline.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
