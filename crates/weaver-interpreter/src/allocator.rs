//! [`Allocator`]: counts memory in worker processes and nowhere else.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use monty_types::{BASELINE_MEMORY, LIVE_MEMORY, OOM_EXIT_CODE};

/// The global allocator that a binary with [`crate::worker_main`] needs:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: weaver_interpreter::Allocator = weaver_interpreter::Allocator;
/// # fn main() {}
/// ```
///
/// In a worker it counts the live bytes, which is how the interpreter knows its
/// memory, and ends the process at a hard limit. Everywhere else it costs one
/// load of a flag that nobody writes.
pub struct Allocator;

static COUNTING: AtomicBool = AtomicBool::new(false);
static HARD_LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Where counting starts: high enough that freeing what was allocated before it
/// cannot count below zero.
const ORIGIN: usize = 1 << 40;
/// Added to the count to make the interpreter stop; see [`press`].
const PRESSURE: usize = 1 << 60;
/// Between the limit that the interpreter checks itself and the hard one: room
/// for what it allocates between two checks, and to raise the exception.
const HEADROOM: usize = 4 << 20;

/// Starts counting. False when this is not the program's global allocator.
pub(crate) fn start_counting() -> bool {
    LIVE_MEMORY.store(ORIGIN, Relaxed);
    COUNTING.store(true, Relaxed);
    let probe = std::hint::black_box(Vec::<u8>::with_capacity(64));
    let counted = LIVE_MEMORY.load(Relaxed) > ORIGIN;
    drop(probe);
    rebase();
    counted
}

/// What is live now belongs to the worker itself; calls are charged above it.
pub(crate) fn rebase() {
    BASELINE_MEMORY.store(LIVE_MEMORY.load(Relaxed), Relaxed);
}

/// The process ends when it is `limit` bytes (and some headroom) above the base.
pub(crate) fn set_hard_limit(limit: usize) {
    let base = BASELINE_MEMORY.load(Relaxed);
    HARD_LIMIT.store(base.saturating_add(limit).saturating_add(HEADROOM), Relaxed);
}

/// Makes the interpreter believe that its memory is used up, which raises an
/// exception that Python code cannot catch at its next check. Safe in a signal
/// handler: this is how the processor time limit stops it.
pub(crate) fn press() {
    HARD_LIMIT.store(usize::MAX, Relaxed);
    LIVE_MEMORY.fetch_add(PRESSURE, Relaxed);
}

/// Takes [`press`] back.
pub(crate) fn release() {
    LIVE_MEMORY.fetch_sub(PRESSURE, Relaxed);
}

fn charge(size: usize) {
    if COUNTING.load(Relaxed) {
        let live = LIVE_MEMORY.fetch_add(size, Relaxed).wrapping_add(size);
        if live > HARD_LIMIT.load(Relaxed) {
            // SAFETY: ends the process at once; nothing is unwound or flushed.
            unsafe { nix::libc::_exit(OOM_EXIT_CODE) }
        }
    }
}

fn refund(size: usize) {
    if COUNTING.load(Relaxed) {
        LIVE_MEMORY.fetch_sub(size, Relaxed);
    }
}

// SAFETY: every method passes its arguments to `System` unchanged and returns
// what `System` returned; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        refund(layout.size());
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        charge(layout.size());
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size > layout.size() {
            charge(new_size - layout.size());
        } else {
            refund(layout.size() - new_size);
        }
        // SAFETY: the caller's contract is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
