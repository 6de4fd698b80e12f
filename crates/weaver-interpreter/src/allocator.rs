//! [`Allocator`]: counts memory in worker processes and nowhere else.

use std::alloc::{GlobalAlloc, Layout, System};

/// The global allocator that a binary with [`crate::worker_main`] needs:
/// `#[global_allocator] static ALLOCATOR: weaver_interpreter::Allocator = weaver_interpreter::Allocator;`
pub struct Allocator;

// SAFETY: forwards to `System` unchanged.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}
