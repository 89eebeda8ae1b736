//! The global allocator of a wasm guest: running out of memory leaves a text, as a panic does.

use core::alloc::{GlobalAlloc, Layout};

#[cfg(not(feature = "std"))]
use dlmalloc::GlobalDlmalloc as Inner;
#[cfg(feature = "std")]
use std::alloc::System as Inner;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

struct Allocator;

// SAFETY: all of it is forwarded, and the text is written without allocating.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same.
        tell_if_null(unsafe { Inner.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        tell_if_null(unsafe { Inner.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        tell_if_null(unsafe { Inner.realloc(block, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { Inner.dealloc(block, layout) }
    }
}

#[inline]
fn tell_if_null(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() {
        tell(bytes);
    }
    block
}

#[cold]
fn tell(bytes: usize) {
    crate::turn::leave_panic_text(format_args!("out of memory: {bytes} bytes were asked for"));
}
