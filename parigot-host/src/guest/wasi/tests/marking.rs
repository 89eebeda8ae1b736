//! Clock and polls while the garbage collector marks, with ticks at chosen places.

use parigot_abi::control::{CONTROL_BYTES, MARKING_ADDRESS_OFFSET, TIMERS_MOVED_OFFSET};

use super::MS;
use super::calls::{CLOCK, idle, poll, read_idle, subscription};
use crate::guest::wasi::memory::{GuestMemory, u64_at};
use crate::guest::wasi::{MONOTONIC_OFFSET_NS, Wasi};

/// Start of each turn.
const START: u64 = 100 * MS;
/// Address of the flag of Go's runtime, behind the control block at 0.
const FLAG: usize = CONTROL_BYTES;

/// WASI state and memory of a guest whose collector marks.
struct Marked {
    wasi: Wasi,
    memory: Vec<u8>,
}

impl Marked {
    fn new() -> Self {
        let mut memory = vec![0; 4096];
        memory[MARKING_ADDRESS_OFFSET..][..8].copy_from_slice(&(FLAG as u64).to_le_bytes());
        memory[FLAG] = 1;
        let mut marked = Marked {
            wasi: Wasi::new(vec![], vec![], [0; 32]),
            memory,
        };
        marked.wasi.spread_marking(true);
        marked.begin_turn();
        marked
    }

    fn begin_turn(&mut self) {
        self.wasi.begin_turn(START, 0);
        self.wasi.show_timers(&mut self.memory, 0);
    }

    /// Reads the monotonic clock.
    fn now(&mut self) -> u64 {
        let at = FLAG as u32 + 8;
        let memory = GuestMemory(&mut self.memory);
        self.wasi.clock_time_get(memory, 1, at).unwrap();
        u64_at(&self.memory, FLAG + 8) - MONOTONIC_OFFSET_NS
    }

    /// Polls without waiting, and returns the number of events.
    fn poll(&mut self) -> usize {
        let now = subscription(CLOCK, 1, 0, 0);
        poll(&mut self.wasi, &[now, idle()]).unwrap().len()
    }

    fn tick(&mut self) -> bool {
        self.wasi.tick(&mut self.memory, 0)
    }
}

#[test]
fn a_poll_after_a_tick_ends_the_turn() {
    let mut guest = Marked::new();
    assert_eq!(guest.poll(), 0);
    assert!(guest.tick());
    assert!(!guest.wasi.is_cut());
    assert_eq!(guest.poll(), 1);
    assert_eq!(read_idle(&mut guest.wasi, &mut [0; 32]), Ok(()));
    assert!(guest.wasi.is_cut(), "the guest needs another turn");

    // The first timer is unknown, so the guest must not end this turn without a poll.
    guest.begin_turn();
    assert_eq!(guest.memory[TIMERS_MOVED_OFFSET], 1);
    assert!(!guest.wasi.is_cut());
    assert_eq!(guest.poll(), 0, "ticks of the last turn do not count");
    guest.begin_turn();
    assert_eq!(guest.memory[TIMERS_MOVED_OFFSET], 0);
}

#[test]
fn the_clock_moves_on_from_the_second_tick() {
    let mut guest = Marked::new();
    assert_eq!(guest.now(), START);
    let times = [(); 3].map(|()| {
        assert!(guest.tick());
        guest.now() - START
    });
    assert_eq!(times, [0, 2 * MS, 4 * MS]);
    let timer = [subscription(CLOCK, 1, 5 * MS, 0), idle()];
    assert_eq!(poll(&mut guest.wasi, &timer).unwrap().len(), 1);
    assert_eq!(guest.wasi.end_turn(), START + 9 * MS);
}

#[test]
fn ticks_count_only_while_the_collector_works() {
    let mut guest = Marked::new();
    assert!(!guest.tick(), "the guest has not read or polled yet");
    guest.now();
    let counted = (0..20).take_while(|_| guest.tick()).count();
    assert_eq!(counted, 6, "the guest's own code loops");
    guest.now();
    assert!(guest.tick());

    guest.memory[FLAG] = 0;
    let before = guest.now();
    assert!(!guest.tick());
    assert_eq!(guest.now(), before);
    guest.begin_turn();
    guest.now();
    assert!(!guest.tick());
    assert_eq!((guest.now(), guest.poll()), (START, 0));
}

#[test]
fn the_init_turn_and_tests_mark_in_one_turn() {
    let mut guest = Marked::new();
    guest.wasi = Wasi::new(vec![], vec![], [0; 32]);
    guest.begin_turn();
    guest.now();
    for _ in 0..3 {
        assert!(guest.tick(), "the time counts apart all the same");
    }
    assert_eq!((guest.now(), guest.poll()), (START, 0));
}

#[test]
fn an_invalid_address_of_the_flag_is_ignored() {
    for address in [0, 4093, 4096, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        let mut guest = Marked::new();
        guest.memory[MARKING_ADDRESS_OFFSET..][..8].copy_from_slice(&address.to_le_bytes());
        guest.now();
        assert!(!guest.tick());
    }
}
