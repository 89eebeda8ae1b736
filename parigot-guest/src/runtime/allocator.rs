//! The global allocator of a wasm guest: dlmalloc with free lists for small blocks in front of it.
//!
//! A call allocates and frees a few small blocks, of the same few sizes each time. There is one
//! free list for each size class. A freed block goes to the list of its class, and the next block
//! of that class is taken from there: a load and a store each. dlmalloc takes longer, because it
//! merges free blocks: a twentieth of the cost of a whole call. Blocks never leave their list, so
//! the lists hold at most the peak number of blocks of each class.
//!
//! Exhausted memory leaves a panic text, like a panic.

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

/// Step between the sizes of classes, in bytes. A free block has space for a link.
const STEP: usize = 16;
/// Number of size classes. Blocks of more than 512 bytes have no size class.
const CLASSES: usize = 32;
/// Alignment of dlmalloc's blocks, in bytes. Blocks with a larger alignment have no size class.
const ALIGN: usize = 8;

struct Allocator {
    /// First free block of each size class. A free block begins with the address of the next one.
    free_lists: [Cell<*mut u8>; CLASSES],
}

// SAFETY: a wasm guest has one thread.
#[cfg(target_family = "wasm")]
unsafe impl Sync for Allocator {}

/// Returns the size class of a layout, if it has one.
#[inline]
fn size_class(layout: Layout) -> Option<usize> {
    // Size 0 wraps to a class that does not exist.
    let class = layout.size().wrapping_sub(1) / STEP;
    (class < CLASSES && layout.align() <= ALIGN).then_some(class)
}

impl Allocator {
    const fn new() -> Self {
        Allocator {
            free_lists: [const { Cell::new(ptr::null_mut()) }; CLASSES],
        }
    }

    #[inline]
    fn take(&self, class: usize) -> *mut u8 {
        let block = self.free_lists[class].get();
        if block.is_null() {
            return allocate_new(class);
        }
        // SAFETY: a block in a list is free, aligned for a pointer, and begins with the address of
        // the next one.
        self.free_lists[class].set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    /// # Safety
    ///
    /// `block` came from `take(class)` and is not used any more.
    #[inline]
    unsafe fn put_back(&self, class: usize, block: *mut u8) {
        // SAFETY: the block is free, at least `STEP` bytes long, and aligned for a pointer.
        unsafe { block.cast::<*mut u8>().write(self.free_lists[class].get()) };
        self.free_lists[class].set(block);
    }
}

/// Allocates a block of the size class from dlmalloc.
#[cold]
fn allocate_new(class: usize) -> *mut u8 {
    let layout = Layout::from_size_align((class + 1) * STEP, ALIGN)
        .expect("a block of a size class must be small");
    // SAFETY: the size is not 0.
    report_if_null(unsafe { Inner.alloc(layout) }, layout.size())
}

// SAFETY: blocks of a layout without a size class are dlmalloc's. Blocks with one are at least as
// large and as aligned as requested, and are in use once until they are put back.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match size_class(layout) {
            Some(class) => self.take(class),
            // SAFETY: dlmalloc has the same contract as this function, and the caller keeps the
            // contract.
            None => report_if_null(unsafe { Inner.alloc(layout) }, layout.size()),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = size_class(layout) else {
            // SAFETY: as above.
            return report_if_null(unsafe { Inner.alloc_zeroed(layout) }, layout.size());
        };
        let block = self.take(class);
        if !block.is_null() {
            // SAFETY: the block is as long as the layout requires, and not used elsewhere.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size does not overflow when it is rounded up to the
        // alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        match (size_class(layout), size_class(new_layout)) {
            (Some(old), Some(new)) if old == new => block,
            // SAFETY: the block is dlmalloc's, and so will the new one be.
            (None, None) => report_if_null(unsafe { Inner.realloc(block, layout, bytes) }, bytes),
            // SAFETY: the blocks are distinct, and each is as long as its layout; the old one is
            // not used any more.
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
        match size_class(layout) {
            // SAFETY: a block of this layout came from the list of that class.
            Some(class) => unsafe { self.put_back(class, block) },
            // SAFETY: as above.
            None => unsafe { Inner.dealloc(block, layout) },
        }
    }
}

#[inline]
fn report_if_null(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() {
        report_out_of_memory(bytes);
    }
    block
}

#[cold]
fn report_out_of_memory(bytes: usize) {
    crate::runtime::current::leave_panic_text(format_args!(
        "out of memory: failed to allocate {bytes} bytes"
    ));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A block filled with one byte value.
    struct Block {
        address: *mut u8,
        layout: Layout,
        fill: u8,
    }

    impl Block {
        fn new(allocator: &Allocator, size: usize, align: usize, fill: u8) -> Self {
            let layout = Layout::from_size_align(size, align).expect("the layout must be valid");
            // SAFETY: the size is not 0, and the block has at least `size` bytes.
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
            // SAFETY: the block has at least that length and was filled.
            let found = unsafe { core::slice::from_raw_parts(self.address, bytes) };
            assert!(
                found.iter().all(|byte| *byte == self.fill),
                "{:?} was overwritten",
                self.layout
            );
        }
    }

    #[test]
    fn blocks_of_all_sizes_keep_their_content() {
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
                    let layout = Layout::from_size_align(size, layout.align())
                        .expect("the layout must be valid");
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
    fn a_freed_block_is_the_next_of_its_size_class() {
        let allocator = Allocator::new();
        let first = Block::new(&allocator, 20, 8, 1);
        // SAFETY: the block is this allocator's, of that layout.
        unsafe { allocator.dealloc(first.address, first.layout) };
        assert_eq!(Block::new(&allocator, 32, 4, 2).address, first.address);
        assert_ne!(Block::new(&allocator, 32, 4, 3).address, first.address);
        let layout = Layout::from_size_align(24, 8).expect("the layout must be valid");
        // SAFETY: the size is not 0; the block has that many bytes.
        let zeroed = unsafe { core::slice::from_raw_parts(allocator.alloc_zeroed(layout), 24) };
        assert_eq!(zeroed, [0; 24]);
    }

    #[test]
    fn a_block_that_is_resized_keeps_its_beginning() {
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
