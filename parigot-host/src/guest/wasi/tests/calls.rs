//! Imports called without a guest: links, addresses and polls.

use parigot_abi::control::NEVER;
use wasmtime::{Linker, Store};

use super::ENGINE;
use crate::guest::wasi::imports::{IMPORTS, MODULE, link};
use crate::guest::wasi::memory::{Errno, GuestMemory, u32_at, u64_at};
use crate::guest::wasi::poll::{Event, SUBSCRIPTIONS_MAX};
use crate::guest::wasi::{IDLE_FD, PARKED_FD, Wasi};

pub(super) const CLOCK: u8 = Event::CLOCK;
const READ: u8 = Event::READ;
const WRITE: u8 = Event::WRITE;

#[test]
fn exactly_the_listed_imports_are_linked() {
    let mut linker = Linker::new(&ENGINE);
    link(&mut linker, |wasi: &mut Wasi| wasi).unwrap();
    let mut store = Store::new(&ENGINE, Wasi::new(vec![], vec![], [0; 32]));
    let mut linked: Vec<String> = linker
        .iter(&mut store)
        .map(|(_, name, _)| name.into())
        .collect();
    linked.sort_unstable();
    let mut imports = IMPORTS;
    imports.sort_unstable();
    assert_eq!(linked, imports);
    for name in linked {
        assert!(
            linker
                .get(&mut store, MODULE, &name)
                .unwrap()
                .into_func()
                .is_some()
        );
    }
}

/// Returns WASI state and a memory of 4096 bytes, for calls without a guest.
fn bare() -> (Wasi, Vec<u8>) {
    let mut wasi = Wasi::new(vec!["name".into(), "-x".into()], vec![], [0; 32]);
    wasi.begin_turn(100, 200);
    (wasi, vec![0; 4096])
}

#[test]
fn addresses_outside_the_memory_are_faults() {
    let (mut wasi, mut bytes) = bare();
    macro_rules! faults {
        ($method:ident($($parameter:expr),*)) => {
            assert_eq!(wasi.$method(GuestMemory(&mut bytes), $($parameter),*), Err(Errno::Fault));
        };
    }
    for bad in [4095, 4096, 1 << 31, u32::MAX] {
        faults!(args_get(bad, 0));
        faults!(args_get(0, bad));
        faults!(args_sizes_get(bad, 0));
        faults!(args_sizes_get(0, bad));
        faults!(clock_time_get(0, bad));
        faults!(fd_fdstat_get(1, bad));
        faults!(fd_write(1, bad, 1, 0));
        faults!(fd_write(1, 0, 0, bad));
        faults!(random_get(bad, 4));
        faults!(random_get(8, 1 << 24));
        assert_eq!(
            wasi.poll_oneoff(GuestMemory(&mut bytes), bad, 0, 1, 0),
            Ok(Err(Errno::Fault))
        );
        // A buffer that begins or ends outside the memory.
        let list = [[2, 0, 0, 0], bad.to_le_bytes()].concat();
        bytes[..8].copy_from_slice(&list);
        faults!(fd_write(1, 0, 1, 0));
        let list = [bad.to_le_bytes(), [2, 0, 0, 0]].concat();
        bytes[..8].copy_from_slice(&list);
        faults!(fd_write(1, 0, 1, 0));
        wasi.idle_is_readable = true;
        faults!(fd_read(IDLE_FD, bad, 1, 0));
        bytes[..8].fill(0);
        faults!(fd_read(IDLE_FD, 0, 1, bad));
    }
}

/// Returns the record of a subscription.
pub(super) fn subscription(kind: u8, fd_or_clock: u32, timeout_ns: u64, flags: u8) -> [u8; 48] {
    let mut record = [0; 48];
    (record[0], record[8], record[40]) = (fd_or_clock as u8, kind, flags);
    record[16..20].copy_from_slice(&fd_or_clock.to_le_bytes());
    record[24..32].copy_from_slice(&timeout_ns.to_le_bytes());
    record
}

/// Polls, and returns the mark and the errno of each event.
pub(super) fn poll(wasi: &mut Wasi, subscriptions: &[[u8; 48]]) -> Result<Vec<(u64, u16)>, Errno> {
    let mut bytes = [&subscriptions.concat()[..], &[0xff; 1024]].concat();
    let events = subscriptions.len() * 48;
    let count = subscriptions.len() as u32;
    wasi.poll_oneoff(
        GuestMemory(&mut bytes),
        0,
        events as u32,
        count,
        events as u32 + 1000,
    )
    .unwrap()?;
    let written = u32_at(&bytes, events + 1000) as usize;
    let event = |k: usize| &bytes[events + 32 * k..];
    Ok((0..written)
        .map(|k| (u64_at(event(k), 0), u32_at(event(k), 8) as u16))
        .collect())
}

/// Reads one byte from [`IDLE_FD`].
pub(super) fn read_idle(wasi: &mut Wasi, bytes: &mut [u8]) -> Result<(), Errno> {
    wasi.fd_read(GuestMemory(bytes), IDLE_FD, 0, 1, 8)
}

pub(super) fn idle() -> [u8; 48] {
    subscription(READ, IDLE_FD, 0, 0)
}

fn parked() -> [u8; 48] {
    subscription(READ, PARKED_FD, 0, 0)
}

#[test]
fn a_poll_with_a_timeout_of_zero_gets_no_event() {
    let (mut wasi, mut bytes) = bare();
    assert_eq!(
        poll(&mut wasi, &[subscription(CLOCK, 1, 0, 0), idle(), parked()]),
        Ok(vec![])
    );
    assert_eq!(read_idle(&mut wasi, &mut bytes), Err(Errno::Again));
    assert_eq!(wasi.end_turn(), NEVER);
}

#[test]
fn an_idle_poll_reports_the_first_timer() {
    let (mut wasi, mut bytes) = bare();
    let clocks = [
        subscription(CLOCK, 1, 9, 0),
        subscription(CLOCK, 0, 5, 0),
        parked(),
        idle(),
    ];
    assert_eq!(poll(&mut wasi, &clocks), Ok(vec![(3, 0)]));
    assert_eq!(wasi.end_turn(), 105);
    assert_eq!(
        read_idle(&mut wasi, &mut bytes),
        Ok(()),
        "one read succeeds"
    );
    assert_eq!(
        read_idle(&mut wasi, &mut bytes),
        Err(Errno::Again),
        "and no other"
    );
}

#[test]
fn an_idle_poll_without_a_due_timer_reports_never() {
    let (mut wasi, _) = bare();
    assert_eq!(poll(&mut wasi, &[idle()]), Ok(vec![(3, 0)]));
    assert_eq!(wasi.end_turn(), NEVER);
    assert_eq!(
        poll(&mut wasi, &[subscription(CLOCK, 1, u64::MAX, 0), idle()]),
        Ok(vec![(3, 0)])
    );
    assert_eq!(wasi.end_turn(), NEVER);
}

#[test]
fn invalid_subscriptions_are_answered_at_once() {
    let (mut wasi, mut bytes) = bare();
    let badf = Errno::Badf as u16;
    let others = [
        subscription(READ, 0, 0, 0),
        idle(),
        subscription(WRITE, 1, 0, 0),
        subscription(WRITE, IDLE_FD, 0, 0),
    ];
    assert_eq!(
        poll(&mut wasi, &others),
        Ok(vec![(0, badf), (1, badf), (3, badf)])
    );
    assert_eq!(
        poll(&mut wasi, &[subscription(CLOCK, 1, 5, 1)]),
        Err(Errno::Notsup)
    );
    assert_eq!(
        poll(&mut wasi, &[subscription(7, 1, 5, 0)]),
        Err(Errno::Inval)
    );
    assert_eq!(poll(&mut wasi, &[]), Err(Errno::Inval));
    assert_eq!(
        wasi.poll_oneoff(GuestMemory(&mut bytes), 0, 0, SUBSCRIPTIONS_MAX + 1, 0),
        Ok(Err(Errno::Inval))
    );
}

#[test]
fn a_new_turn_keeps_the_timer_and_blocks_the_read() {
    let (mut wasi, mut bytes) = bare();
    poll(
        &mut wasi,
        &[
            subscription(CLOCK, 1, 50, 0),
            subscription(READ, IDLE_FD, 0, 0),
        ],
    )
    .unwrap();
    wasi.begin_turn(120, 220);
    assert_eq!(
        wasi.fd_read(GuestMemory(&mut bytes), IDLE_FD, 0, 1, 8),
        Err(Errno::Again)
    );
    assert_eq!(wasi.end_turn(), 150);
}
