//! Turns of a Go guest: timers, goroutines and the end of a turn.

use parigot_abi::control::NEVER;
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Start, VERSION};
use wasmtime::Module;

use super::{ENGINE, Guest, MS, PROBE, go_build};
use parigot_abi::frame::Level;

fn open_probe() -> Guest {
    let mut guest = Guest::open(&PROBE, &["probe"], &[], [1; 32]);
    assert_eq!(guest.lines(), [(Level::Info, "the probe is open".into())]);
    guest
}

/// Returns an inbox of frames whose only part is a payload.
fn frames(frames: &[(Header, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (header, payload) in frames {
        FrameBuilder::new(&mut out, *header)
            .payload(payload)
            .finish()
            .unwrap();
    }
    out
}

fn call(number: u64, request: &[u8]) -> (Header, &[u8]) {
    (
        Header {
            number,
            ..Header::new(Kind::Call)
        },
        request,
    )
}

fn read(outbox: &[u8]) -> Vec<Frame<'_>> {
    Frames::new(outbox).collect::<Result<_, _>>().unwrap()
}

/// Runs the probe through its launch.
fn launch(guest: &mut Guest) {
    let mut start = Vec::new();
    let nothing = Start {
        host: VERSION,
        message_bytes_max: 1 << 20,
        seed: [0; 32],
        instance: (0, 0),
        descriptors: false,
        settings: Vec::new(),
        args: vec![],
        env: vec![],
    };
    nothing.write(&mut start).unwrap();
    let (outbox, wake_at_ns) = guest.turn(0, &start);
    let [manifest, launch] = read(&outbox)[..] else {
        panic!("a manifest and a launch, not {outbox:?}")
    };
    assert_eq!(
        (manifest.kind(), launch.kind()),
        (Some(Kind::Manifest), Some(Kind::Launch))
    );
    assert_eq!(
        Manifest::read(manifest.payload).unwrap().exports[0].name,
        "echo.v1.Echo"
    );
    assert_eq!(wake_at_ns, NEVER);

    let (outbox, wake_at_ns) = guest.turn(0, &frames(&[(Header::new(Kind::Launched), &[])]));
    let [ready] = read(&outbox)[..] else {
        panic!("a reply, not {outbox:?}")
    };
    assert_eq!(
        (ready.kind(), ready.header.number, ready.header.status),
        (Some(Kind::Reply), 0, 0)
    );
    assert_eq!(wake_at_ns, NEVER);
}

#[test]
fn a_sleeping_handler_answers_when_its_timer_is_due() {
    let mut guest = open_probe();
    launch(&mut guest);

    let (outbox, wake_at_ns) = guest.turn(5 * MS, &frames(&[call(1, b"hello")]));
    assert!(outbox.is_empty());
    assert_eq!(wake_at_ns, 15 * MS, "the handler sleeps for 10 ms");

    // Time stands still during a turn, and a turn before the timer is due changes nothing.
    for now in [5 * MS, 14 * MS, 15 * MS - 1] {
        assert_eq!(guest.turn(now, &[]), (vec![], 15 * MS));
    }

    let (outbox, wake_at_ns) = guest.turn(15 * MS, &[]);
    let [log, reply] = read(&outbox)[..] else {
        panic!("a line and a reply, not {outbox:?}")
    };
    assert_eq!(
        (log.kind(), log.header.number, log.payload),
        (Some(Kind::Log), 1, &b"an echo of 5 bytes"[..])
    );
    assert_eq!(
        (reply.kind(), reply.header.number, reply.payload),
        (Some(Kind::Reply), 1, &b"hello"[..])
    );
    assert_eq!(wake_at_ns, NEVER, "nothing is left to wait for");
}

#[test]
fn timers_moved_reports_due_timers_and_clock_reads() {
    let mut guest = open_probe();
    launch(&mut guest);
    assert_eq!(
        guest.turn(5 * MS, &frames(&[call(1, b"hello")])),
        (vec![], 15 * MS)
    );
    assert!(
        guest.timers_moved(),
        "a goroutine that sleeps has read the clock"
    );
    for (now, is_due) in [(15 * MS - 1, false), (15 * MS, true), (16 * MS, true)] {
        guest.begin_turn(now);
        assert_eq!(guest.timers_moved(), is_due);
    }
}

#[test]
fn handlers_sleep_side_by_side() {
    let mut guest = open_probe();
    launch(&mut guest);
    let request = vec![7; 100_000];
    for number in 1..=100 {
        let (outbox, wake_at_ns) = guest.turn(number * MS / 10, &frames(&[call(number, &request)]));
        assert_eq!(
            (outbox.len(), wake_at_ns),
            (0, MS / 10 + 10 * MS),
            "the first is due first"
        );
    }
    let (outbox, _) = guest.turn(20 * MS, &[]);
    let mut answered: Vec<u64> = read(&outbox)
        .iter()
        .filter(|frame| frame.kind() == Some(Kind::Reply))
        .inspect(|reply| assert_eq!(reply.payload, request))
        .map(|reply| reply.header.number)
        .collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(1..=100));
}

#[test]
fn a_stopped_guest_finishes_its_calls() {
    let mut guest = open_probe();
    launch(&mut guest);
    let (outbox, wake_at_ns) = guest.turn(
        0,
        &frames(&[call(1, b"last"), (Header::new(Kind::Stop), &[])]),
    );
    assert_eq!((outbox.len(), wake_at_ns), (0, 10 * MS));
    let (outbox, _) = guest.turn(wake_at_ns, &[]);
    let kinds: Vec<_> = read(&outbox).iter().filter_map(Frame::kind).collect();
    assert_eq!(kinds, [Kind::Log, Kind::Reply, Kind::Exit]);
}

/// Covers Go's scavenger. It returns memory in the background a second after a collection, and then
/// a few times more, each time by a timer.
#[test]
fn the_runtime_comes_to_rest_after_much_work() {
    let mut guest = open_probe();
    launch(&mut guest);
    let request = vec![1; 1 << 20];
    let mut now = 0;
    for number in 1..=200 {
        guest.turn(now, &frames(&[call(number, &request)]));
        now += 10 * MS;
        guest.turn(now, &[]);
    }
    let mut turns = 0;
    while now != NEVER {
        let (outbox, wake_at_ns) = guest.turn(now, &[]);
        assert!(outbox.is_empty() && wake_at_ns > now);
        now = wake_at_ns;
        turns += 1;
    }
    assert!(turns < 30, "{turns} turns");
}

#[test]
fn equal_seeds_and_inboxes_give_equal_memories() {
    let run = || {
        let mut guest = open_probe();
        launch(&mut guest);
        let mut outboxes = Vec::new();
        for number in 1..50 {
            let requests: Vec<_> = (0..3).map(|k| call(number * 3 + k, &[7; 50_000])).collect();
            outboxes.push(guest.turn(number * 7 * MS, &frames(&requests)));
        }
        let memory = guest
            .instance
            .get_memory(&mut guest.store, "memory")
            .unwrap();
        (outboxes, memory.data(&guest.store).to_vec())
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0, second.0);
    assert!(first.1 == second.1, "a replay would differ");
}

#[test]
fn a_guest_asks_for_no_turn_before_its_first_timer() {
    const HOUR: u64 = 3_600_000 * MS;
    let module = Module::new(&ENGINE, go_build("guests-go", "./waiter")).unwrap();
    let mut guest = Guest::open(&module, &["waiter", "sleep"], &[], [1; 32]);
    let start = Start {
        host: VERSION,
        message_bytes_max: 1 << 20,
        seed: [1; 32],
        instance: (0, 0),
        descriptors: false,
        settings: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
    };
    let mut frame = Vec::new();
    start.write(&mut frame).unwrap();
    let (_, wake) = guest.turn(0, &frame);
    assert_eq!(
        wake,
        2 * HOUR,
        "the context of its main function has that deadline"
    );
    // At the launch the guest makes seven calls that get no answer, and waits in each way that
    // the SDK offers.
    let launched = frames(&[(Header::new(Kind::Launched), &[0; 4])]);
    let (outbox, wake) = guest.turn(0, &launched);
    assert_eq!(
        read(&outbox)
            .iter()
            .filter(|frame| frame.kind() == Some(Kind::Call))
            .count(),
        7
    );
    assert_eq!((wake, guest.control().more), (HOUR, false));
    let (outbox, wake) = guest.turn(HOUR - 1, &[]);
    assert_eq!((read(&outbox).len(), wake), (0, HOUR));
    let (outbox, _) = guest.turn(HOUR, &[]);
    assert_eq!(
        read(&outbox)
            .iter()
            .filter(|frame| frame.kind() == Some(Kind::Log))
            .count(),
        6
    );
}
