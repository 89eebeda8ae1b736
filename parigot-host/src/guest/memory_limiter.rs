//! Limits on the host memory that an instance may use.
//!
//! | resource | limit | at creation | later |
//! |---|---|---|---|
//! | memory | `memory` of the guest | the instance is not created | the growth fails in the guest |
//! | table | [`TABLE_ENTRIES_MAX`] | the instance is not created | the growth fails in the guest |
//! | number of memories and tables | 1 each | the instance is not created | |
//!
//! A failed growth is no fault: the guest's allocator receives the failure. Most guests then panic,
//! so the limiter remembers a failed growth of the memory, and the fault names it.

use wasmtime::ResourceLimiter;

use crate::error::TooLarge;
use crate::limits::{Size, TABLE_ENTRIES_MAX};

/// Limits of one instance, and the growth that they refused.
#[derive(Debug)]
pub(crate) struct Limits {
    memory_bytes_max: usize,
    /// Set after the host refused a growth of the guest's memory beyond the limit.
    is_out_of_memory: bool,
}

impl Limits {
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Limits {
            memory_bytes_max,
            is_out_of_memory: false,
        }
    }

    /// Returns the memory limit if the guest tried to exceed it.
    pub(crate) fn exceeded(&self) -> Option<Size> {
        self.is_out_of_memory.then_some(Size(self.memory_bytes_max))
    }
}

/// The engine asks before it allocates. A `current` size of 0 means that it creates the instance.
impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= self.memory_bytes_max {
            return Ok(true);
        }
        if current == 0 {
            return Err(TooLarge::Memory {
                bytes: desired,
                bytes_max: self.memory_bytes_max,
            }
            .into());
        }
        self.is_out_of_memory = true;
        Ok(false)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if current == 0 && desired > TABLE_ENTRIES_MAX {
            return Err(TooLarge::Table { entries: desired }.into());
        }
        Ok(desired <= TABLE_ENTRIES_MAX)
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}
