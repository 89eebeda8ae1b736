//! The global allocator of a wasm guest: dlmalloc, with shelves for small blocks in front of it.
//!
//! A call allocates and frees a handful of small blocks, of the same few sizes each time. A block that is freed goes to
//! the shelf of its size, and the next block of that size comes from there: a load and a store each, where dlmalloc
//! takes its time to keep memory in one piece (a twentieth of a whole call). What is on a shelf stays there, so the shelves hold at most what
//! small blocks of each size once took at the same time.
//!
//! Running out of memory leaves a text, as a panic does.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

#[cfg(not(feature = "std"))]
use dlmalloc::GlobalDlmalloc as Inner;
#[cfg(feature = "std")]
use std::alloc::System as Inner;

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

/// Sizes of blocks on shelves are multiples of this, so that a free block has room for a link.
const STEP: usize = 16;
/// Blocks of up to 512 bytes have a shelf.
const SHELVES: usize = 32;
/// What dlmalloc aligns to; blocks that need more have no shelf.
const ALIGN: usize = 8;

struct Allocator {
    /// The first free block of each size, which begins with the address of the next.
    shelves: [Cell<*mut u8>; SHELVES],
}

// SAFETY: a wasm guest has one thread.
#[cfg(target_family = "wasm")]
unsafe impl Sync for Allocator {}

/// The shelf of blocks of that layout, if they have one.
#[inline]
fn shelf(layout: Layout) -> Option<usize> {
    let shelf = layout.size().wrapping_sub(1) / STEP;
    (shelf < SHELVES && layout.align() <= ALIGN).then_some(shelf)
}

impl Allocator {
    const fn new() -> Self {
        Allocator {
            shelves: [const { Cell::new(ptr::null_mut()) }; SHELVES],
        }
    }

    #[inline]
    fn take(&self, shelf: usize) -> *mut u8 {
        let block = self.shelves[shelf].get();
        if block.is_null() {
            return refill(shelf);
        }
        // SAFETY: a block on a shelf is free, aligned for a pointer, and begins with the next one's address.
        self.shelves[shelf].set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    /// # Safety
    ///
    /// `block` came from `take(shelf)` and is not used any more.
    #[inline]
    unsafe fn put_back(&self, shelf: usize, block: *mut u8) {
        // SAFETY: the block is free, at least `STEP` bytes long, and aligned for a pointer.
        unsafe { block.cast::<*mut u8>().write(self.shelves[shelf].get()) };
        self.shelves[shelf].set(block);
    }
}

#[cold]
fn refill(shelf: usize) -> *mut u8 {
    let layout =
        Layout::from_size_align((shelf + 1) * STEP, ALIGN).expect("a block of a shelf is small");
    // SAFETY: the size is not 0.
    tell_if_null(unsafe { Inner.alloc(layout) }, layout.size())
}

// SAFETY: blocks of a layout without a shelf are dlmalloc's; those with one are at least as large and as aligned as asked
// for, and are handed out once until they are put back.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match shelf(layout) {
            Some(shelf) => self.take(shelf),
            // SAFETY: the caller keeps the contract, which is the same.
            None => tell_if_null(unsafe { Inner.alloc(layout) }, layout.size()),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(shelf) = shelf(layout) else {
            // SAFETY: as above.
            return tell_if_null(unsafe { Inner.alloc_zeroed(layout) }, layout.size());
        };
        let block = self.take(shelf);
        if !block.is_null() {
            // SAFETY: the block is as long as the layout says, and nobody else's.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size does not overflow when it is rounded up to the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        match (shelf(layout), shelf(new_layout)) {
            (Some(old), Some(new)) if old == new => block,
            // SAFETY: the block is dlmalloc's, and so will the new one be.
            (None, None) => tell_if_null(unsafe { Inner.realloc(block, layout, bytes) }, bytes),
            // SAFETY: two blocks of their own, each as long as its layout says; the old one is not used any more.
            _ => unsafe {
                let moved = self.alloc(new_layout);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(block, layout.size().min(bytes));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match shelf(layout) {
            // SAFETY: a block of this layout came from that shelf.
            Some(shelf) => unsafe { self.put_back(shelf, block) },
            // SAFETY: as above.
            None => unsafe { Inner.dealloc(block, layout) },
        }
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
    crate::runtime::current::leave_panic_text(format_args!(
        "out of memory: {bytes} bytes were asked for"
    ));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A block that is filled with a byte of its own.
    struct Block {
        address: *mut u8,
        layout: Layout,
        fill: u8,
    }

    impl Block {
        fn new(allocator: &Allocator, size: usize, align: usize, fill: u8) -> Self {
            let layout =
                Layout::from_size_align(size, align).expect("the test asks for what there is");
            // SAFETY: the size is not 0, and the block is as long as that.
            let address = unsafe { allocator.alloc(layout) };
            assert!(!address.is_null() && address.addr() % align == 0);
            // SAFETY: as above.
            unsafe { address.write_bytes(fill, size) };
            Block {
                address,
                layout,
                fill,
            }
        }

        fn check(&self, bytes: usize) {
            // SAFETY: the block is at least so long and was filled.
            let found = unsafe { core::slice::from_raw_parts(self.address, bytes) };
            assert!(
                found.iter().all(|byte| *byte == self.fill),
                "{:?} was overwritten",
                self.layout
            );
        }
    }

    #[test]
    fn blocks_of_all_sizes_keep_what_is_written_to_them() {
        let allocator = Allocator::new();
        let mut random = 1_u32;
        let mut below = |bound: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % bound
        };
        let mut blocks: Vec<Block> = Vec::new();
        for round in 0..20_000_usize {
            let size = 1 + below(700);
            match below(3) {
                0 => blocks.push(Block::new(&allocator, size, 1 << below(6), round as u8)),
                1 if !blocks.is_empty() => {
                    let at = below(blocks.len());
                    let Block {
                        address,
                        layout,
                        fill,
                    } = blocks.swap_remove(at);
                    // SAFETY: the block is this allocator's, of that layout, and the size is not 0.
                    let address = unsafe { allocator.realloc(address, layout, size) };
                    let layout =
                        Layout::from_size_align(size, layout.align()).expect("it is small");
                    // SAFETY: the block is that long.
                    unsafe { address.write_bytes(fill, size) };
                    blocks.push(Block {
                        address,
                        layout,
                        fill,
                    });
                }
                _ if !blocks.is_empty() => {
                    let block = blocks.swap_remove(below(blocks.len()));
                    block.check(block.layout.size());
                    // SAFETY: the block is this allocator's, of that layout.
                    unsafe { allocator.dealloc(block.address, block.layout) };
                }
                _ => {}
            }
        }
        blocks
            .iter()
            .for_each(|block| block.check(block.layout.size()));
        // SAFETY: the blocks are this allocator's, of their layouts.
        blocks
            .iter()
            .for_each(|block| unsafe { allocator.dealloc(block.address, block.layout) });
    }

    #[test]
    fn a_block_that_is_freed_is_the_next_of_its_size() {
        let allocator = Allocator::new();
        let first = Block::new(&allocator, 20, 8, 1);
        // SAFETY: the block is this allocator's, of that layout.
        unsafe { allocator.dealloc(first.address, first.layout) };
        assert_eq!(Block::new(&allocator, 32, 4, 2).address, first.address);
        assert_ne!(Block::new(&allocator, 32, 4, 3).address, first.address);
        let layout = Layout::from_size_align(24, 8).expect("it is small");
        // SAFETY: the size is not 0; the block has that many bytes.
        let zeroed = unsafe { core::slice::from_raw_parts(allocator.alloc_zeroed(layout), 24) };
        assert_eq!(zeroed, [0; 24]);
    }

    #[test]
    fn a_block_that_grows_or_shrinks_keeps_its_beginning() {
        let allocator = Allocator::new();
        for (from, to) in [
            (16, 17),
            (500, 513),
            (513, 500),
            (2_000, 4_000),
            (40, 33),
            (64, 1),
        ] {
            let Block {
                address,
                layout,
                fill,
            } = Block::new(&allocator, from, 8, 7);
            // SAFETY: the block is this allocator's, of that layout, and the size is not 0.
            let address = unsafe { allocator.realloc(address, layout, to) };
            Block {
                address,
                layout,
                fill,
            }
            .check(from.min(to));
        }
    }
}
