//! The calls that have arrived and are not answered.

use alloc::vec;
use alloc::vec::Vec;

use crate::runtime::executor::TaskId;

/// No task: the end of a chain.
const NONE: u32 = u32::MAX;

/// Map from call number to task: a hash table whose chains are linked through a slab. A call is
/// stored in the slab at the index of its task, so that no memory is allocated for each call.
///
/// The low bits of the number select the chain. No hash function is needed, because the host
/// counts the numbers up.
#[derive(Default)]
pub(crate) struct InboundCalls {
    /// First task of each chain. The length is a power of two, at least that of the slab.
    chains: Vec<u32>,
    slab: Vec<Link>,
    count: usize,
}

#[derive(Clone, Copy)]
struct Link {
    number: u64,
    /// Next task of the chain.
    next: u32,
}

impl InboundCalls {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn insert(&mut self, number: u64, task: TaskId) {
        let index = task.index() as usize;
        if index >= self.slab.len() {
            self.slab.resize(
                index + 1,
                Link {
                    number: 0,
                    next: NONE,
                },
            );
            self.add_chains();
        }
        let chain = self.chain(number);
        self.slab[index] = Link {
            number,
            next: self.chains[chain],
        };
        self.chains[chain] = task.index();
        self.count += 1;
    }

    /// Removes a call and returns its task; `None` if the call has been answered.
    pub(crate) fn remove(&mut self, number: u64) -> Option<TaskId> {
        // Most handlers end in their first poll, so their calls were never inserted.
        if self.is_empty() {
            return None;
        }
        let chain = self.chain(number);
        let mut before = NONE;
        let mut task = self.chains[chain];
        while task != NONE {
            let link = self.slab[task as usize];
            if link.number == number {
                match before {
                    NONE => self.chains[chain] = link.next,
                    before => self.slab[before as usize].next = link.next,
                }
                self.count -= 1;
                return Some(TaskId::from_index(task));
            }
            before = task;
            task = link.next;
        }
        None
    }

    /// Returns true if the call is in the map.
    pub(crate) fn contains(&self, number: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut task = self.chains[self.chain(number)];
        while task != NONE {
            let link = self.slab[task as usize];
            if link.number == number {
                return true;
            }
            task = link.next;
        }
        false
    }

    fn chain(&self, number: u64) -> usize {
        number as usize & (self.chains.len() - 1)
    }

    /// Makes at least as many chains as the slab has entries, and distributes all calls again.
    fn add_chains(&mut self) {
        if self.slab.len() <= self.chains.len() {
            return;
        }
        let old = core::mem::replace(
            &mut self.chains,
            vec![NONE; self.slab.len().next_power_of_two()],
        );
        for mut task in old {
            while task != NONE {
                let Link { number, next } = self.slab[task as usize];
                let chain = self.chain(number);
                self.slab[task as usize].next = core::mem::replace(&mut self.chains[chain], task);
                task = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_share_a_chain_are_found_by_number() {
        let mut inbound = InboundCalls::default();
        // Steps of 64 share chains, and the slab grows in between.
        let calls: Vec<(u64, u32)> = (0..500).map(|task| (task as u64 * 64, task)).collect();
        calls
            .iter()
            .for_each(|(number, task)| inbound.insert(*number, TaskId::from_index(*task)));
        assert_eq!(inbound.remove(1), None);
        assert!(!inbound.contains(1) && inbound.contains(64 * 499));
        for (number, task) in calls
            .iter()
            .step_by(2)
            .chain(calls.iter().skip(1).step_by(2).rev())
        {
            assert_eq!(inbound.remove(*number), Some(TaskId::from_index(*task)));
            assert_eq!(inbound.remove(*number), None);
            assert!(!inbound.contains(*number));
        }
        assert!(inbound.is_empty());
    }
}
