//! Limits of a turn, malformed inboxes and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use parigot_abi::frame::flags;
use parigot_abi::{Header, Kind, Prologue, TURN_MALFORMED_INBOX, TURN_OK};
use parigot_guest::{Context, Error, Exit, Failure, info};

use crate::greeting::*;
use crate::harness::{Guest, call, call_by, cancel, frame, launched, start};

/// Three tasks that log, each twice.
async fn three_tasks(cx: Context) -> Result<Exit, Error> {
    for name in ["one", "two", "three"] {
        let inside = cx.clone();
        cx.spawn(async move {
            info!(inside, "{name}");
            inside.yield_now().await;
            info!(inside, "{name} again");
        });
    }
    core::future::pending().await
}

#[test]
fn tasks_run_in_turn_until_none_is_ready() {
    let (guest, trace) = Guest::started(three_tasks);
    let expected = [
        "one",
        "two",
        "three",
        "one again",
        "two again",
        "three again",
    ]
    .map(|name| format!("Info: {name}"));
    assert_eq!(trace, expected);
    assert_eq!((guest.view().polls, guest.view().more), (7, false));
}

#[test]
fn max_polls_ends_the_turn_with_more_to_do() {
    let mut guest = Guest::program(three_tasks);
    guest.max_polls = 3;
    assert_eq!(guest.start(), ["Info: one", "Info: two"]);
    assert_eq!((guest.view().polls, guest.view().more), (3, true));
    guest.max_polls = 0;
    assert!(guest.turn([]).is_empty());
    assert_eq!((guest.view().polls, guest.view().more), (0, true));
    guest.max_polls = u32::MAX;
    assert_eq!(
        guest.turn([]),
        [
            "Info: three",
            "Info: one again",
            "Info: two again",
            "Info: three again"
        ]
    );
    assert_eq!((guest.view().polls, guest.view().more), (4, false));
}

#[test]
fn the_yield_cell_ends_the_turn_after_this_poll() {
    let mut guest = Guest::program(three_tasks);
    // SAFETY: the cell is an atomic in the control block, which the host may write.
    let cell = unsafe { &*std::ptr::with_exposed_provenance::<AtomicU32>(guest.yield_cell()) };
    cell.store(1, Ordering::Relaxed);
    assert!(guest.start().is_empty());
    assert_eq!((guest.view().polls, guest.view().more), (1, true));
    assert_eq!(guest.turn([]), ["Info: one"]);
    cell.store(0, Ordering::Relaxed);
    assert_eq!(guest.turn([]).len(), 5);
}

#[test]
fn a_reply_waits_for_a_turn_that_polls() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let reply = GreetingClient::locate(&cx)?
            .fetch_greeting(FetchGreetingRequest { tongue: 1 })
            .await?;
        info!(cx, "{}", reply.greeting);
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    guest.max_polls = 0;
    assert!(guest.turn([guest.reply('a', "kept")]).is_empty());
    guest.max_polls = 1;
    assert_eq!(guest.turn([]), ["Info: kept", "exit 0"]);
}

#[test]
fn a_failure_waits_for_a_turn_that_polls() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let reply = GreetingClient::locate(&cx)?
            .fetch_greeting(FetchGreetingRequest { tongue: 1 })
            .await;
        info!(cx, "{}", reply.expect_err("the call must fail"));
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    guest.max_polls = 0;
    // Behind another frame, so that the copied frame does not begin at the start of the inbox.
    assert!(
        guest
            .turn([
                frame(Header::new(Kind::Log), |frame| frame),
                guest.reply_error('a', 1)
            ])
            .is_empty()
    );
    guest.max_polls = 1;
    assert_eq!(guest.turn([]), ["Info: UNKNOWN_LANG", "exit 0"]);
}

/// Makes a valid inbox invalid, and compares the panic text that the guest leaves.
fn check_malformed(spoil: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut guest = Guest::serving::<Greeter, _>();
    let mut inbox = Prologue {
        monotonic_ns: 2_000,
        wall_ns: 0,
    }
    .to_bytes()
    .to_vec();
    inbox.extend(call(1, 0));
    spoil(&mut inbox);
    assert_eq!(guest.turn_raw(&inbox), TURN_MALFORMED_INBOX);
    assert_eq!(guest.panic_text(), format!("malformed inbox: {expected}"));
}

#[test]
fn a_malformed_inbox_is_reported() {
    check_malformed(
        |inbox| inbox.truncate(9),
        "at byte 8: expected a prologue of 16 bytes",
    );
    check_malformed(
        |inbox| inbox.truncate(50),
        "at byte 16: expected a header of 64 bytes",
    );
    check_malformed(
        |inbox| inbox[18] = 0x80,
        "at byte 18: expected only flags of this version",
    );
    check_malformed(
        |inbox| inbox[20] = 0xff,
        "at byte 20: expected a length within the remaining bytes",
    );
    check_malformed(
        |inbox| inbox[52] += 8,
        "at byte 20: expected the sum of the frame's parts, padded to 8",
    );
    check_malformed(
        |inbox| inbox.extend(start(0)),
        "at byte 112: expected one start, not two",
    );
    check_malformed(
        |inbox| inbox.extend(launched(&[])),
        "at byte 112: expected a handle for each required service",
    );
    check_malformed(
        |inbox| inbox.extend(launched(&[70])),
        "at byte 112: expected one answer to the launch, not two",
    );
}

#[test]
fn an_inbox_without_a_start_is_malformed() {
    let mut guest = Guest::service::<Greeter, _>();
    assert_eq!(guest.turn_status([launched(&[70])]), TURN_MALFORMED_INBOX);
    assert_eq!(
        guest.panic_text(),
        "malformed inbox: at byte 16: expected a start before all else"
    );
}

#[test]
fn frames_of_unknown_kind_are_skipped() {
    let mut guest = Guest::serving::<Greeter, _>();
    let newer = frame(
        Header {
            kind: 999,
            flags: flags::KNOWN,
            ..Header::new(Kind::Item)
        },
        |frame| frame.payload(b"?"),
    );
    assert_eq!(guest.turn([newer, call(1, 0)]), ["reply 1: OK"]);
}

#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        _: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        assert_ne!(
            request.tongue,
            13,
            "an unlucky tongue: {}",
            "ü".repeat(2_000)
        );
        Ok(FetchGreetingResponse::default())
    }
}

#[cfg(feature = "std")]
#[test]
fn a_panic_leaves_its_text_frames_and_call() {
    let mut guest = Guest::serving::<Greeter, _>();
    let status = catch_unwind(AssertUnwindSafe(|| {
        guest.turn_status([call(1, 0), call(2, 13)])
    }));
    assert!(status.is_err());

    let text = guest.panic_text();
    assert!(
        text.starts_with("panicked at parigot-guest/tests/behaviour/turn.rs:"),
        "{text}"
    );
    assert!(text.contains("an unlucky tongue: ü"), "{text}");
    assert_eq!(
        text.len(),
        guest.view().panic_capacity as usize - text.len() % 2
    );
    assert_eq!(
        (guest.view().progress_call, guest.view().outbox_committed),
        (2, 64)
    );
}

#[cfg(feature = "std")]
#[test]
fn a_panic_elsewhere_leaves_no_text() {
    let guest = Guest::serving::<Greeter, _>();
    assert!(catch_unwind(|| panic!("not the guest's")).is_err());
    assert_eq!(guest.panic_text(), "");
}

#[test]
fn the_control_block_shows_the_call_of_the_task() {
    #[derive(Default)]
    struct Shows;

    impl Greeting for Shows {
        async fn fetch_greeting(
            &self,
            _: &Context,
            _: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            panic!("look")
        }
    }
    let mut guest = Guest::serving::<Shows, _>();
    assert_eq!(guest.view().progress_call, u64::MAX);
    assert!(catch_unwind(AssertUnwindSafe(|| guest.turn([call(5, 0)]))).is_err());
    let view = guest.view();
    assert_eq!(
        (
            view.progress_call,
            view.progress_service,
            view.progress_method
        ),
        (5, 0, 0)
    );
}

#[test]
fn a_grown_inbox_is_announced() {
    let mut guest = Guest::serving::<Greeter, _>();
    let before = guest.view().inbox_capacity;
    let many: Vec<_> = (1..=1_000).map(|number| call(number, 0)).collect();
    assert_eq!(guest.turn(many).len(), 1_000);
    assert!(guest.view().inbox_capacity > before);
    assert_eq!(guest.turn_status([]), TURN_OK);
}

#[test]
fn the_control_block_shows_which_calls_have_begun() {
    let mut guest = Guest::serving::<Greeter, _>();
    guest.max_polls = 2;
    let handed_over = 1 << 63;
    assert_eq!(guest.view().begun, [0, 0]);
    guest.turn([call(handed_over | 1, 0), call(1, 0), call(2, 0)]);
    assert_eq!(guest.view().begun, [1, handed_over | 1]);
    assert!(!guest.view().has_begun(2), "call 2 is queued");
    guest.turn([cancel(2), call(3, 0)]);
    assert_eq!(guest.view().begun, [3, handed_over | 1]);
    // A call whose deadline has passed does not begin.
    guest.turn([call_by(4, 0, guest.now_ns)]);
    assert_eq!(guest.view().begun, [3, handed_over | 1]);
}

#[test]
fn frames_of_streams_without_their_call_are_ignored() {
    let mut guest = Guest::serving::<Greeter, _>();
    for flags in [0, flags::TO_CALLEE] {
        let header = |kind| Header {
            number: 1,
            flags,
            ..Header::new(kind)
        };
        let item = frame(header(Kind::Item), |frame| frame.payload(b"?"));
        let credit = frame(header(Kind::Credit), |frame| frame.payload(&[1; 16]));
        assert!(guest.turn([item, credit]).is_empty());
    }
}

#[test]
fn malformed_frames_of_streams_are_refused() {
    let cases = [
        (Kind::Credit, 0, "a credit of 16 bytes"),
        (Kind::End, 0, "an end that travels to the callee"),
        (Kind::End, flags::TO_CALLEE, "an end without a payload"),
    ];
    for (kind, flags, expected) in cases {
        let mut guest = Guest::serving::<Greeter, _>();
        let header = Header {
            flags,
            ..Header::new(kind)
        };
        let status = guest.turn_status([frame(header, |frame| frame.payload(b"?"))]);
        assert_eq!(status, TURN_MALFORMED_INBOX);
        assert_eq!(
            guest.panic_text(),
            format!("malformed inbox: at byte 16: expected {expected}")
        );
    }
}
