//! Named places where a test can make the process die.
//!
//! `AGENTWEAVER_CRASH_POINT=name:nth` kills the process at the nth pass (from 1)
//! of `crash_point!("name")`, with no chance to clean up, as `kill -9` does.
//!
//! Those of this crate: `before_insert`, `between_writes`, `after_blob`,
//! `during_commit` (all is written, nothing committed), `after_commit` (nobody has
//! been told), `in_drain`, `in_migration`.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The variable that arms a crash point.
pub const VARIABLE: &str = "AGENTWEAVER_CRASH_POINT";

/// Where this process stands: not looked yet, nothing armed, or armed.
static ARMED: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static PASSES: AtomicU64 = AtomicU64::new(0);

/// Dies here if the environment says so. When nothing is armed the cost is one
/// relaxed load.
///
/// ```
/// weaver_store::crash_point!("after_claim");
/// ```
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        if $crate::crash::is_armed() {
            $crate::crash::pass($name);
        }
    };
}

/// Whether any crash point may be armed.
#[inline]
pub fn is_armed() -> bool {
    ARMED.load(Ordering::Relaxed) != OFF
}

/// Counts a pass of a crash point, and dies if it is the one.
#[cold]
pub fn pass(name: &str) {
    let Ok(wanted) = std::env::var(VARIABLE) else {
        ARMED.store(OFF, Ordering::Relaxed);
        return;
    };
    ARMED.store(ON, Ordering::Relaxed);
    let (wanted, nth) = match wanted.rsplit_once(':') {
        Some((wanted, nth)) => (wanted, nth.parse().unwrap_or(1)),
        None => (&*wanted, 1),
    };
    if wanted == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == nth {
        std::process::abort();
    }
}
