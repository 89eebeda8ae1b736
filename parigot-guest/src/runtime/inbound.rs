//! The calls that arrived and were not answered.

use alloc::vec;
use alloc::vec::Vec;

use crate::runtime::executor::TaskId;

/// No task: the end of a chain.
const NONE: u32 = u32::MAX;

/// Which task handles which call: a hash table whose chains run through a slab, in which each call has its task's place.
///
/// The low bits of a number choose its chain: numbers come from the host, which counts them and means no harm.
#[derive(Default)]
pub(crate) struct Inbound {
    /// Where each chain begins; a power of two of them, at least as many as places in the slab.
    chains: Vec<u32>,
    slab: Vec<Call>,
    count: usize,
}

#[derive(Clone, Copy)]
struct Call {
    number: u64,
    /// The next task of the chain.
    next: u32,
}

impl Inbound {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn insert(&mut self, number: u64, task: TaskId) {
        let place = task.index() as usize;
        if place >= self.slab.len() {
            self.slab.resize(
                place + 1,
                Call {
                    number: 0,
                    next: NONE,
                },
            );
            self.lengthen_chains();
        }
        let chain = self.chain(number);
        self.slab[place] = Call {
            number,
            next: self.chains[chain],
        };
        self.chains[chain] = task.index();
        self.count += 1;
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<TaskId> {
        if self.is_empty() {
            return None;
        }
        let chain = self.chain(number);
        let (mut before, mut task) = (NONE, self.chains[chain]);
        while task != NONE {
            let call = self.slab[task as usize];
            if call.number == number {
                match before {
                    NONE => self.chains[chain] = call.next,
                    before => self.slab[before as usize].next = call.next,
                }
                self.count -= 1;
                return Some(TaskId::from_index(task));
            }
            (before, task) = (task, call.next);
        }
        None
    }

    fn chain(&self, number: u64) -> usize {
        number as usize & (self.chains.len() - 1)
    }

    /// Makes as many chains as the slab has places, if they are fewer, and hangs all calls into the new ones.
    fn lengthen_chains(&mut self) {
        if self.slab.len() <= self.chains.len() {
            return;
        }
        let old = core::mem::replace(
            &mut self.chains,
            vec![NONE; self.slab.len().next_power_of_two()],
        );
        for mut task in old {
            while task != NONE {
                let Call { number, next } = self.slab[task as usize];
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
    fn each_call_is_found_by_its_number_whatever_chain_it_shares() {
        let mut inbound = Inbound::default();
        // Steps of 64 share chains, and the slab grows in between.
        let calls: Vec<(u64, u32)> = (0..500).map(|task| (task as u64 * 64, task)).collect();
        calls
            .iter()
            .for_each(|(number, task)| inbound.insert(*number, TaskId::from_index(*task)));
        assert_eq!(inbound.remove(1), None);
        for (number, task) in calls
            .iter()
            .step_by(2)
            .chain(calls.iter().skip(1).step_by(2).rev())
        {
            assert_eq!(inbound.remove(*number), Some(TaskId::from_index(*task)));
            assert_eq!(inbound.remove(*number), None);
        }
        assert!(inbound.is_empty());
    }
}
