//! Limits on the host memory that an instance may use.
//!
//! | resource | limit | at creation | later |
//! |---|---|---|---|
//! | memory | `memory` of the guest | the instance is not created | the growth fails in the guest |
//! | memory of all | `memory_max` of the deployment | the same | the same |
//! | table | [`TABLE_ENTRIES_MAX`] | the instance is not created | the growth fails in the guest |
//! | number of memories and tables | 1 each | the instance is not created | |
//!
//! A failed growth is no fault: the guest's allocator receives the failure. Most guests then panic,
//! so the limiter remembers a failed growth of the memory, and the fault names the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

use crate::error::{MemoryLimit, TooLarge};
use crate::limits::{Size, TABLE_ENTRIES_MAX};

/// Memory that all guests of a process may have together.
#[derive(Clone, Debug)]
pub(crate) struct MemoryPool {
    bytes_max: u64,
    /// Bytes that are not taken. `Relaxed`: the number alone is shared, and guards no other data.
    bytes_left: Arc<AtomicU64>,
}

impl MemoryPool {
    /// Creates a pool; without a limit if `bytes_max` is `None`.
    pub(crate) fn new(bytes_max: Option<u64>) -> Self {
        let bytes_max = bytes_max.unwrap_or(u64::MAX);
        MemoryPool {
            bytes_max,
            bytes_left: Arc::new(AtomicU64::new(bytes_max)),
        }
    }

    /// Takes bytes, if as many are left.
    fn take(&self, bytes: u64) -> bool {
        let rest = |left: u64| left.checked_sub(bytes);
        self.bytes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest)
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.bytes_left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Limits of one instance, and the growth that they refused.
#[derive(Debug)]
pub(crate) struct Limits {
    memory_bytes_max: usize,
    pool: MemoryPool,
    /// Bytes that the instance has taken from the pool.
    taken: u64,
    /// Bytes taken for the last growth, which may still fail.
    last_growth: u64,
    /// Limit that prevented the last growth of the memory.
    exceeded: Option<MemoryLimit>,
}

impl Limits {
    pub(crate) fn new(memory_bytes_max: usize, pool: MemoryPool) -> Self {
        Limits {
            memory_bytes_max,
            pool,
            taken: 0,
            last_growth: 0,
            exceeded: None,
        }
    }

    /// Returns the memory limit that the guest tried to exceed.
    pub(crate) fn exceeded(&self) -> Option<MemoryLimit> {
        self.exceeded
    }
}

/// Returns the memory to the pool, with the instance.
impl Drop for Limits {
    fn drop(&mut self) {
        self.pool.give_back(self.taken);
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
        let is_created = current == 0;
        if desired > self.memory_bytes_max {
            if is_created {
                return Err(TooLarge::Memory {
                    bytes: desired,
                    bytes_max: self.memory_bytes_max,
                }
                .into());
            }
            self.exceeded = Some(MemoryLimit::Guest(Size(self.memory_bytes_max)));
            return Ok(false);
        }
        let growth = (desired - current) as u64;
        if !self.pool.take(growth) {
            let limit = Size(self.pool.bytes_max as usize);
            if is_created {
                return Err(TooLarge::Pool {
                    bytes: desired,
                    limit,
                }
                .into());
            }
            self.exceeded = Some(MemoryLimit::Deployment(limit));
            return Ok(false);
        }
        self.taken += growth;
        self.last_growth = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.last_growth);
        self.taken -= growth;
        self.pool.give_back(growth);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grow(limits: &mut Limits, current: usize, desired: usize) -> bool {
        limits
            .memory_growing(current, desired, None)
            .expect("the instance must exist")
    }

    #[test]
    fn guests_share_the_memory_of_the_deployment() {
        let pool = MemoryPool::new(Some(100));
        let [mut a, mut b] = [80, 80].map(|bytes| Limits::new(bytes, pool.clone()));
        assert!(grow(&mut a, 10, 60) && grow(&mut b, 10, 60));
        assert!(!grow(&mut a, 60, 61));
        assert_eq!(
            a.exceeded(),
            Some(MemoryLimit::Deployment(Size(100))),
            "nothing is left"
        );
        assert!(!grow(&mut a, 60, 81));
        assert_eq!(a.exceeded(), Some(MemoryLimit::Guest(Size(80))));
        assert!(
            Limits::new(80, pool.clone())
                .memory_growing(0, 1, None)
                .is_err()
        );
        drop(b);
        assert!(grow(&mut a, 60, 80), "an instance returns its memory");
    }

    #[test]
    fn a_growth_that_fails_is_returned() {
        let pool = MemoryPool::new(Some(100));
        let mut limits = Limits::new(101, pool);
        assert!(grow(&mut limits, 1, 101));
        limits
            .memory_grow_failed(wasmtime::Error::msg("no memory"))
            .expect("the guest goes on");
        assert!(grow(&mut limits, 1, 101));
    }

    #[test]
    fn a_deployment_without_a_limit_has_any_memory() {
        let mut limits = Limits::new(usize::MAX, MemoryPool::new(None));
        assert!(grow(&mut limits, 1, 1 << 40));
    }
}
