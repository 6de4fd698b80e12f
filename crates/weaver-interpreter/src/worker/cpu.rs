//! The processor time limit of a call.
//!
//! The interpreter's own limit reads the wall clock, which on a busy machine
//! counts time in which other processes ran. This one is the kernel's profiling
//! timer, which counts only this process. When it fires, the interpreter is made
//! to believe that its memory is used up and raises at its next check; should it
//! not come to a check soon, the second signal ends the process.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use nix::libc;

use crate::allocator;

/// Exit code of a worker whose interpreter did not stop in time.
pub(crate) const CPU_EXIT_CODE: i32 = 66;

static FIRED: AtomicU32 = AtomicU32::new(0);

/// Installs the signal handler.
pub(super) fn install() -> nix::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let action = SigAction::new(SigHandler::Handler(fired), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler only touches atomics and `_exit`, both safe in a signal.
    unsafe { sigaction(Signal::SIGPROF, &action) }.map(drop)
}

extern "C" fn fired(_: libc::c_int) {
    if FIRED.fetch_add(1, Relaxed) == 0 {
        allocator::press();
    } else {
        // SAFETY: async-signal-safe, and ends the process.
        unsafe { libc::_exit(CPU_EXIT_CODE) }
    }
}

/// Starts the clock of a call anew; waiting for the host does not count.
pub(super) fn start(limit: Duration) {
    clear();
    set(limit.max(Duration::from_millis(1)), Duration::from_millis(500));
}

/// Whether the limit was hit since [`start`]; stops the clock and forgets it.
pub(super) fn stop_and_check() -> bool {
    set(Duration::ZERO, Duration::ZERO);
    clear()
}

fn clear() -> bool {
    let fired = FIRED.swap(0, Relaxed) > 0;
    if fired {
        allocator::release();
    }
    fired
}

fn set(first: Duration, again: Duration) {
    let time = |d: Duration| libc::timeval {
        tv_sec: d.as_secs() as libc::time_t,
        tv_usec: d.subsec_micros() as libc::suseconds_t,
    };
    let timer = libc::itimerval { it_value: time(first), it_interval: time(again) };
    // SAFETY: a valid timer and no place for the old one.
    let result = unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()) };
    debug_assert_eq!(result, 0);
}
