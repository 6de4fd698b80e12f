//! When a command is asked to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears Ctrl-C and the polite wish of a process manager, from the moment it is made:
/// what comes before anybody waits for it is kept.
pub struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Hears from now on.
    pub fn listen() -> Self {
        let hear = |kind| signal(kind).expect("this program may handle signals");
        StopSignal {
            interrupt: hear(SignalKind::interrupt()),
            terminate: hear(SignalKind::terminate()),
        }
    }

    /// Ends when somebody has asked.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
