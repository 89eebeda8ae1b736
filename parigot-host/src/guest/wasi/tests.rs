//! Tests of Go guests from `tests/abi/go`, driven through wasmtime alone. Each test sets the time,
//! and no test sleeps.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use parigot_abi::control::{CONTROL_BYTES, ControlView, OUTBOX_COMMITTED_OFFSET};
use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind, Manifest, Prologue, Start, VERSION};
use wasmtime::{Engine, Instance, Module, Store, Trap, WasmParams, WasmResults};

use super::*;

const MS: u64 = 1_000_000;
const WALL_NS: u64 = 1_763_780_400_123_456_789;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
static PROBE: LazyLock<Module> =
    LazyLock::new(|| Module::new(&ENGINE, go_build("abi/go", ".")).unwrap());
static DENIED: LazyLock<Module> =
    LazyLock::new(|| Module::new(&ENGINE, go_build("abi/go", "./denied")).unwrap());

/// Builds a package of a module below `tests` as a guest.
fn go_build(module: &str, package: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests")
        .join(module);
    let name = package.trim_matches(['.', '/']);
    let wasm =
        std::env::temp_dir().join(format!("parigot-wasi-{}-{name}.wasm", std::process::id()));
    let output = Command::new("go")
        .args(["build", "-buildmode=c-shared", "-o"])
        .arg(&wasm)
        .arg(package)
        .current_dir(&folder)
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm")])
        .output()
        .unwrap_or_else(|error| panic!("the tests need `go`: {error}"));
    assert!(
        output.status.success(),
        "go build {package}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = std::fs::read(&wasm).unwrap();
    std::fs::remove_file(wasm).unwrap();
    bytes
}

/// Running guest.
struct Guest {
    store: Store<Wasi>,
    instance: Instance,
    control: u32,
}

impl Guest {
    fn open(module: &Module, args: &[&str], env: &[(&str, &str)], seed: [u8; 32]) -> Self {
        for import in module.imports() {
            assert!(
                import.module() == MODULE && IMPORTS.contains(&import.name()),
                "{}",
                import.name()
            );
        }
        let mut linker = Linker::new(&ENGINE);
        link(&mut linker, |wasi| wasi).unwrap();
        let args = args.iter().map(|text| text.to_string()).collect();
        let env = env
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let mut store = Store::new(&ENGINE, Wasi::new(args, env, seed));
        store.data_mut().begin_turn(0, WALL_NS);
        let instance = linker.instantiate(&mut store, module).unwrap();
        let mut guest = Guest {
            store,
            instance,
            control: 0,
        };
        guest.call::<(), ()>("_initialize", ()).unwrap();
        assert_eq!(
            guest.call::<(), u32>("parigot_abi", ()).unwrap(),
            VERSION.packed()
        );
        guest.control = guest.call("parigot_open", ()).unwrap();
        guest
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        export: &str,
        parameters: P,
    ) -> wasmtime::Result<R> {
        self.instance
            .get_typed_func(&mut self.store, export)
            .unwrap()
            .call(&mut self.store, parameters)
    }

    fn memory(&mut self, address: u64, bytes: u64) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        &mut memory.data_mut(&mut self.store)[address as usize..][..bytes as usize]
    }

    fn control(&mut self) -> ControlView {
        let bytes = self.memory(self.control.into(), CONTROL_BYTES as u64);
        ControlView::read(bytes.first_chunk().unwrap())
    }

    /// Runs one turn; returns the frames of the answer and the time of the next turn.
    fn turn(&mut self, monotonic_ns: u64, frames: &[u8]) -> (Vec<u8>, u64) {
        let prologue = Prologue {
            monotonic_ns,
            wall_ns: WALL_NS + monotonic_ns,
        };
        let inbox = [&prologue.to_bytes(), frames].concat();
        let bytes = inbox.len() as u64;
        if self.control().inbox_capacity < bytes {
            self.call::<(u32, u32), ()>("parigot_inbox", (self.control, bytes as u32))
                .unwrap();
        }
        let address = self.control().inbox_address;
        self.memory(address, bytes).copy_from_slice(&inbox);
        self.memory(self.control as u64 + OUTBOX_COMMITTED_OFFSET as u64, 8)
            .fill(0);
        self.begin_turn(monotonic_ns);
        let status: u32 = self
            .call("parigot_turn", (self.control, bytes as u32, u32::MAX))
            .unwrap();
        assert_eq!(status, 0);
        let control = self.control();
        let outbox = self
            .memory(control.outbox_address, control.outbox_committed)
            .to_vec();
        (
            outbox,
            self.store.data_mut().end_turn().min(control.wake_at_ns),
        )
    }

    fn begin_turn(&mut self, monotonic_ns: u64) {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        let (memory, wasi) = memory.data_and_store_mut(&mut self.store);
        wasi.begin_turn(monotonic_ns, WALL_NS + monotonic_ns);
        wasi.show_timers(memory, self.control);
    }

    fn timers_moved(&mut self) -> bool {
        self.memory(self.control as u64 + TIMERS_MOVED_OFFSET as u64, 4) != [0; 4]
    }

    /// Runs one action of `tests/abi/go/denied`.
    fn act(&mut self, what: u32, amount: u32) -> wasmtime::Result<u32> {
        self.store.data_mut().begin_turn(0, WALL_NS);
        self.call("parigot_turn", (self.control, what, amount))
    }

    fn lines(&mut self) -> Vec<(Stream, String)> {
        let mut lines = Vec::new();
        self.store
            .data_mut()
            .take_lines(|stream, line| lines.push((stream, line.into())));
        lines
    }
}

fn open_probe() -> Guest {
    let mut guest = Guest::open(&PROBE, &["probe"], &[], [1; 32]);
    assert_eq!(guest.lines(), [(Stream::Out, "the probe is open".into())]);
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
fn a_sleeping_handler_answers_when_its_clock_says_so() {
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
fn a_guest_is_told_when_a_timer_is_due_or_may_have_been_set() {
    let mut guest = open_probe();
    launch(&mut guest);
    assert_eq!(
        guest.turn(5 * MS, &frames(&[call(1, b"hello")])),
        (vec![], 15 * MS)
    );
    assert!(guest.timers_moved(), "whoever sleeps reads the clock");
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
fn a_guest_that_is_told_to_stop_finishes_its_calls() {
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

/// Covers Go's scavenger, which returns memory in the background, a second after a collection and
/// then a few times more.
#[test]
fn a_guest_that_did_much_comes_to_rest() {
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
fn equal_seeds_and_equal_inboxes_give_equal_memories() {
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
fn a_guest_sees_what_it_was_given_and_nothing_else() {
    let mut guest = Guest::open(
        &DENIED,
        &["denied", "--loud"],
        &[("KEY", "a=b"), ("EMPTY", "")],
        [3; 32],
    );
    assert_eq!(guest.act(0, 0).unwrap(), 0);
    let lines: Vec<String> = guest.lines().into_iter().map(|(_, line)| line).collect();
    let mut random = [0; 4];
    let errors = [
        ("open", Errno::Acces),
        ("open relative", Errno::Acces),
        ("create", Errno::Acces),
        ("read a directory", Errno::Acces),
        ("stat", Errno::Acces),
        ("remove", Errno::Acces),
        ("make a directory", Errno::Acces),
        ("rename", Errno::Acces),
        ("link", Errno::Acces),
        ("symlink", Errno::Acces),
        ("read a link", Errno::Acces),
        ("set times", Errno::Acces),
        ("truncate", Errno::Acces),
        ("read from standard input", Errno::Badf),
        ("seek in standard output", Errno::Badf),
        ("read from standard output", Errno::Spipe),
        ("write into standard output", Errno::Spipe),
        ("stat standard output", Errno::Badf),
        ("sync standard output", Errno::Badf),
    ]
    .map(|(what, errno)| format!("{what}: {} {}", errno as u16, errno == Errno::Acces));
    assert_eq!(lines[0], "args: [denied --loud]");
    assert_eq!(lines[1], "env: [KEY=a=b EMPTY=]");
    assert_eq!(lines[2], "time: 2025-11-22T03:00:00.123456789Z");
    assert_eq!(lines[3], "passed: 0s");
    let hex = lines[4]
        .strip_prefix("random: ")
        .and_then(|rest| rest.strip_suffix(" <nil>"))
        .unwrap();
    random.copy_from_slice(&u32::from_str_radix(hex, 16).unwrap().to_be_bytes());
    assert_ne!(random, [0; 4]);
    assert_eq!(lines[5..5 + errors.len()], errors);
    assert_eq!(lines[5 + errors.len()..], ["listen: true", "dial: true"]);
}

#[test]
fn other_seeds_give_other_bytes() {
    let random = |seed| {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], seed);
        guest.act(0, 0).unwrap();
        guest.lines()[4].1.clone()
    };
    assert_ne!(random([1; 32]), random([2; 32]));
}

#[test]
fn a_guest_that_blocks_inside_of_a_turn_is_stopped() {
    // A wait without a timer, then an hour's sleep: neither lets the turn end.
    for what in [1, 2] {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
        let error = guest.act(what, 0).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Blocked), "{error:?}");
    }
}

#[test]
fn exit_statuses_come_out() {
    for (given, status) in [(0, 0), (3, 3), (255, 255), (256, 255), (u32::MAX, 255)] {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
        let error = guest.act(3, given).unwrap_err();
        assert_eq!(
            error.downcast_ref(),
            Some(&ProcExit { status }),
            "{error:?}"
        );
    }
}

/// Covers a panic in a library: Go's runtime does not exit but traps.
#[test]
fn a_panic_comes_out_line_by_line() {
    let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
    let error = guest.act(4, 0).unwrap_err();
    assert_eq!(
        error.downcast_ref(),
        Some(&Trap::UnreachableCodeReached),
        "{error:?}"
    );
    let lines = guest.lines();
    assert!(lines.iter().all(|(stream, _)| *stream == Stream::Err));
    assert_eq!(lines[0].1, "panic: the guest gives up");
    assert!(
        lines
            .iter()
            .any(|(_, line)| line.contains("denied/main.go:")),
        "{lines:?}"
    );
}

#[test]
fn much_output_is_cut_and_then_dropped() {
    let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
    guest.act(5, 2 << 20).unwrap();
    let lines = guest.lines();
    assert!(
        lines[..10]
            .iter()
            .all(|line| *line == (Stream::Out, "0123456789".into()))
    );
    let [.., (Stream::Err, dropped)] = &lines[..] else {
        panic!("the last line says what is missing")
    };
    assert!(dropped.starts_with("wrote too much at once: "), "{dropped}");
    // The dropped output made room.
    guest.act(0, 0).unwrap();
    assert!(guest.lines().len() > 10);
}

#[test]
fn all_imports_are_linked_and_no_others() {
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
fn addresses_outside_of_memory_are_faults() {
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
fn subscription(kind: u8, fd_or_clock: u32, timeout_ns: u64, flags: u8) -> [u8; 48] {
    let mut record = [0; 48];
    (record[0], record[8], record[40]) = (fd_or_clock as u8, kind, flags);
    record[16..20].copy_from_slice(&fd_or_clock.to_le_bytes());
    record[24..32].copy_from_slice(&timeout_ns.to_le_bytes());
    record
}

/// Polls, and returns the mark and the errno of each event.
fn poll(wasi: &mut Wasi, subscriptions: &[[u8; 48]]) -> Result<Vec<(u64, u16)>, Errno> {
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

#[test]
fn polls() {
    const CLOCK: u8 = Event::CLOCK;
    const READ: u8 = Event::READ;
    const WRITE: u8 = Event::WRITE;
    let (mut wasi, mut bytes) = bare();
    let again =
        |wasi: &mut Wasi, bytes: &mut [u8]| wasi.fd_read(GuestMemory(bytes), IDLE_FD, 0, 1, 8);
    let idle = subscription(READ, IDLE_FD, 0, 0);
    let parked = subscription(READ, PARKED_FD, 0, 0);

    // A poll with a timeout of zero gets no event.
    assert_eq!(
        poll(&mut wasi, &[subscription(CLOCK, 1, 0, 0), idle, parked]),
        Ok(vec![])
    );
    assert_eq!(again(&mut wasi, &mut bytes), Err(Errno::Again));
    assert_eq!(wasi.end_turn(), NEVER);

    // Idle, and the first of two timers is due in 5 ns.
    let clocks = [
        subscription(CLOCK, 1, 9, 0),
        subscription(CLOCK, 0, 5, 0),
        parked,
        idle,
    ];
    assert_eq!(poll(&mut wasi, &clocks), Ok(vec![(3, 0)]));
    assert_eq!(wasi.end_turn(), 105);
    assert_eq!(again(&mut wasi, &mut bytes), Ok(()), "one read succeeds");
    assert_eq!(
        again(&mut wasi, &mut bytes),
        Err(Errno::Again),
        "and no other"
    );

    // Idle without a timer, and with one that is never due.
    assert_eq!(poll(&mut wasi, &[idle]), Ok(vec![(3, 0)]));
    assert_eq!(wasi.end_turn(), NEVER);
    assert_eq!(
        poll(&mut wasi, &[subscription(CLOCK, 1, u64::MAX, 0), idle]),
        Ok(vec![(3, 0)])
    );
    assert_eq!(wasi.end_turn(), NEVER);

    // Invalid subscriptions are answered at once.
    let badf = Errno::Badf as u16;
    let others = [
        subscription(READ, 0, 0, 0),
        idle,
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
        wasi.poll_oneoff(GuestMemory(&mut bytes), 0, 0, LIST_ITEMS_MAX + 1, 0),
        Ok(Err(Errno::Inval))
    );
}

#[test]
fn a_new_turn_takes_the_descriptor_back_and_keeps_the_timer() {
    let (mut wasi, mut bytes) = bare();
    poll(
        &mut wasi,
        &[
            subscription(Event::CLOCK, 1, 50, 0),
            subscription(Event::READ, IDLE_FD, 0, 0),
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

fn lines_of(writes: &[(Stream, &[u8])]) -> Vec<(Stream, String)> {
    let mut output = Output::default();
    writes
        .iter()
        .for_each(|(stream, bytes)| output.write(*stream, bytes));
    let mut lines = Vec::new();
    output.take_lines(|stream, line| lines.push((stream, line.into())));
    lines
}

#[test]
fn lines_come_whole_and_in_order() {
    use Stream::{Err, Out};
    let line = |stream, text: &str| (stream, text.to_string());
    assert_eq!(lines_of(&[(Out, b"no end")]), []);
    assert_eq!(
        lines_of(&[(Out, b"o"), (Err, b"e\r\n"), (Out, b"ne\n\ntwo")]),
        [line(Err, "e"), line(Out, "one"), line(Out, "")]
    );
    assert_eq!(lines_of(&[(Out, b"\xff\n")]), [line(Out, "\u{fffd}")]);

    let mut output = Output::default();
    output.write(Out, b"the last words");
    output.end_lines();
    let mut rest = Vec::new();
    output.take_lines(|stream, text| rest.push(line(stream, text)));
    assert_eq!(rest, [line(Out, "the last words")]);
}

#[test]
fn long_lines_are_cut_between_characters() {
    let exact = "x".repeat(STDIO_LINE_BYTES_MAX) + "\n";
    assert_eq!(lines_of(&[(Stream::Out, exact.as_bytes())]).len(), 1);

    let text = "€".repeat(STDIO_LINE_BYTES_MAX); // three bytes each, and 8 KiB is no multiple of three
    let lines = lines_of(&[(Stream::Out, text.as_bytes()), (Stream::Out, b"\n")]);
    assert!(
        lines.len() > 3
            && lines
                .iter()
                .all(|(_, line)| line.len() <= STDIO_LINE_BYTES_MAX)
    );
    assert_eq!(
        lines.into_iter().map(|(_, line)| line).collect::<String>(),
        text
    );
}

#[test]
fn a_guest_whose_first_timer_is_due_in_an_hour_wants_no_turn_before_that() {
    const HOUR: u64 = 3_600_000 * MS;
    let module = Module::new(&ENGINE, go_build("guests-go", "./waiter")).unwrap();
    let mut guest = Guest::open(&module, &["waiter", "sleep"], &[], [1; 32]);
    let start = Start {
        host: VERSION,
        message_bytes_max: 1 << 20,
        seed: [1; 32],
        instance: (0, 0),
        descriptors: false,
        args: Vec::new(),
        env: Vec::new(),
    };
    let mut frame = Vec::new();
    start.write(&mut frame).unwrap();
    let (_, wake) = guest.turn(0, &frame);
    assert_eq!(wake, 2 * HOUR, "its main has a context of that deadline");
    // At the launch the guest waits in every way, after seven calls without an answer.
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

#[test]
fn only_what_gos_linker_has_written_is_taken_for_go() {
    assert!(is_go(&go_build("abi/go", ".")));
    assert!(!is_go(b"\0asm\x01\0\0\0"));
    let section = |name: &str, content: &[u8]| {
        let body = [&[name.len() as u8], name.as_bytes(), content].concat();
        [b"\0asm\x01\0\0\0", &[0, body.len() as u8][..], &body].concat()
    };
    assert!(is_go(&section("go:buildid", b"")));
    assert!(is_go(&section(
        "producers",
        b"\x02\x08language\x01\x02Go\x061.26.8"
    )));
    assert!(!is_go(&section(
        "producers",
        b"\x01\x08language\x01\x04Rust\x00"
    )));
    let cut = section("go:buildid", b"");
    (0..cut.len()).for_each(|end| {
        assert!(
            !is_go(&cut[..end]),
            "a module that ends in the section's head"
        )
    });
}
