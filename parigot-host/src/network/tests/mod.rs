//! Hosts in one process that a [`Switchboard`] joins: what the kernel makes of other processes, whatever carries their words.

mod guests;
mod switchboard;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use miette::NamedSource;
use parigot_abi::frame::push_pair;
use parigot_abi::id::{CallId, HostId, InstanceId};
use parigot_abi::manifest::Service;
use parigot_abi::{Cause, Code as StatusCode, FrameBuilder, Header, Kind};
use parking_lot::Mutex;
use tracing::field::{self, Field};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::guests::{
    CRASH, DENY, Diary, ECHO, End, Ends, Ledger, METHODS, NEVER_ENDS, REFUSE, SLOW, SLOWLY,
    caller_factory, service, service_mould,
};
use self::switchboard::Switchboard;
use super::Peers;
use super::event_queue::{EventQueue, RemoteEvent};
use super::message::Reply;
use crate::compile::modules::CompiledGuests;
use crate::deployment::{Deployment, GuestSpec};
use crate::error::StartError;
use crate::guest::code::InstanceFactory;
use crate::guest::epoch_ticker::EpochTicker;
use crate::host::{Outcome, Running, run};
use crate::kernel::instance::Instance;
use crate::limits::{CALLS_MAX, MAILBOX_BYTES_MAX};
use crate::settings::Settings;

/// The guests of a process, with what they are made from.
type Guests = Vec<(GuestSpec, Arc<dyn InstanceFactory>)>;

/// A host that runs.
struct Process {
    host: HostId,
    running: Running,
}

fn settings() -> Settings {
    Settings {
        workers: 2,
        ..Settings::default()
    }
}

/// Starts a process with these guests, sorted by name, as one of those that the board joins.
fn try_start(
    board: &Arc<Switchboard>,
    guests: Guests,
    settings: Settings,
) -> Result<Process, StartError> {
    static HOSTS: AtomicU64 = AtomicU64::new(1);
    let host = HostId::from_random(HOSTS.fetch_add(1, Ordering::Relaxed).into());
    let peers = Peers::behind(board.line(host, Arc::clone(&settings.clock)));
    let (guests, compiled_guests): (Vec<_>, Vec<_>) = guests.into_iter().unzip();
    let deployment = Deployment {
        guests,
        startup_deadline: Duration::from_millis(300),
        shutdown_deadline: Duration::from_secs(5),
        processes: Vec::new(),
        network: None,
        source: NamedSource::new("test", Arc::from("")),
    };
    let compiled_guests = CompiledGuests {
        of_guests: compiled_guests.into_iter().map(Ok).collect(),
        epoch_ticker: EpochTicker::start(|| {}),
    };
    let running = run(&deployment, |_, _| compiled_guests, peers, settings)?;
    Ok(Process { host, running })
}

fn start(board: &Arc<Switchboard>, guests: Guests) -> Process {
    try_start(board, guests, settings()).expect("they fit together")
}

impl Process {
    fn instance(&self, name: &str) -> &Instance {
        self.running
            .kernel
            .instances
            .iter()
            .find(|instance| instance.name == name)
            .expect("it is there")
    }

    /// Ends it in order.
    fn stop(self) -> Outcome {
        self.running.stopper().stop();
        self.running.wait()
    }

    /// Waits until no call is in flight in it.
    fn wait_until_at_rest(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while self
            .running
            .pending()
            .iter()
            .any(|pending| pending.inbound > 0 || pending.outbound != Some(0))
        {
            assert!(
                Instant::now() < until,
                "calls are left behind: {:?}",
                self.running.pending()
            );
            thread::yield_now();
        }
    }
}

/// A guest called `echo` that exports the service of all methods.
fn echo(ledger: &Arc<Ledger>) -> (GuestSpec, Arc<dyn InstanceFactory>) {
    let factory = service_mould(service("x.Echo", &METHODS), Vec::new(), ledger);
    (GuestSpec::service("echo", ""), Arc::new(factory))
}

/// A process whose one program calls by the word of the test.
struct Front {
    process: Process,
    ends: Arc<Diary<Ends>>,
}

/// Starts one that requires these services.
fn try_front(board: &Arc<Switchboard>, requires: Vec<Service>) -> Result<Front, StartError> {
    let ends = Diary::new();
    let guests: Guests = vec![(
        GuestSpec::program("front", ""),
        Arc::new(caller_factory(requires, &ends)),
    )];
    Ok(Front {
        process: try_start(board, guests, settings())?,
        ends,
    })
}

/// Starts one that requires the service of all methods.
fn front(board: &Arc<Switchboard>) -> Front {
    let front = try_front(board, vec![service("x.Echo", &METHODS)]).expect("it fits");
    front.ends.wait_for(|ends| ends.methods.clone());
    front
}

impl Front {
    fn tell(&self, header: Header, metadata: &[u8], payload: &[u8]) {
        let instance = self.process.instance("front");
        let wake = instance.enqueue_frames(|frames| {
            let frame = FrameBuilder::new(frames, header)
                .metadata_bytes(metadata)
                .payload(payload);
            frame.finish().expect("a frame must be shorter than 4 GiB");
        });
        self.process.running.kernel.wake(instance, wake);
    }

    /// Begins call `number` of a method.
    fn begin(&self, number: u64, method: u32, payload: &[u8]) {
        self.tell(
            Header {
                number,
                method,
                ..Header::new(Kind::Call)
            },
            &[],
            payload,
        );
    }

    fn begin_within(&self, number: u64, method: u32, limit: Duration) {
        let now_ns = self.process.running.kernel.clock.monotonic_ns();
        let own_ns = self.process.instance("front").own_time_ns(now_ns);
        let deadline_ns = own_ns + limit.as_nanos() as u64;
        self.tell(
            Header {
                number,
                method,
                deadline_ns,
                ..Header::new(Kind::Call)
            },
            &[],
            &[],
        );
    }

    fn end(&self, number: u64) -> End {
        self.ends.wait_for(|ends| ends.ends.get(&number).cloned())
    }

    fn call(&self, number: u64, method: u32) -> End {
        self.begin(number, method, b"hello");
        self.end(number)
    }

    fn exit(&self, status: u32) {
        self.tell(
            Header {
                status,
                ..Header::new(Kind::Exit)
            },
            &[],
            &[],
        );
    }
}

/// Two processes: one whose program calls the other's service.
struct Pair {
    board: Arc<Switchboard>,
    front: Front,
    back: Process,
    ledger: Arc<Ledger>,
}

fn pair() -> Pair {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let back = start(&board, vec![echo(&ledger)]);
    let front = front(&board);
    Pair {
        board,
        front,
        back,
        ledger,
    }
}

impl Pair {
    /// Ends both, after all calls have.
    fn finish(self) {
        self.front.process.wait_until_at_rest();
        self.back.wait_until_at_rest();
        self.front.process.stop();
        assert_eq!(self.back.stop().status, 0);
    }
}

#[test]
fn a_call_is_answered_by_another_process() {
    let pair = pair();
    let end = pair.front.call(1, ECHO);
    assert_eq!(
        (end.status, end.is_service_error, &*end.payload),
        (0, false, &b"hello"[..])
    );
    assert_eq!(end.id.key(), pair.ledger.call(0).id.key());
    pair.finish();
}

#[test]
fn a_service_s_own_error_and_its_status_come_back_as_they_are() {
    let pair = pair();
    let error = pair.front.call(1, REFUSE);
    assert_eq!((error.status, error.is_service_error), (7, true));
    let status = pair.front.call(2, DENY);
    assert_eq!(
        status.failure(),
        (StatusCode::PermissionDenied, Cause::Answered, "not you")
    );
    assert_eq!(
        status.instance,
        pair.back.instance("echo").id().to_wire(),
        "of the callee itself"
    );
    pair.finish();
}

#[test]
fn metadata_and_deadline_come_along() {
    let pair = pair();
    let mut metadata = Vec::new();
    push_pair(&mut metadata, "traceparent", "00-1-2-01");
    pair.front.tell(
        Header {
            number: 1,
            ..Header::new(Kind::Call)
        },
        &metadata,
        &[],
    );
    pair.front.end(1);
    let call = pair.ledger.call(0);
    assert_eq!(
        call.metadata,
        [("traceparent".to_owned(), "00-1-2-01".to_owned())]
    );
    assert!(
        call.left > Duration::from_millis(2_500) && call.left <= Duration::from_secs(3),
        "{:?}",
        call.left
    );
    pair.front.begin_within(2, ECHO, Duration::from_secs(60));
    pair.front.end(2);
    let left = pair.ledger.call(1).left;
    assert!(
        left > Duration::from_secs(59) && left <= Duration::from_secs(60),
        "{left:?}"
    );
    pair.finish();
}

#[test]
fn a_call_without_a_deadline_has_that_of_the_service_in_its_own_process() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let (slow, factory) = echo(&ledger);
    let back = start(
        &board,
        vec![(
            GuestSpec {
                deadline: Duration::from_secs(30),
                ..slow
            },
            factory,
        )],
    );
    let front = front(&board);
    assert_eq!(front.call(1, ECHO).status, 0);
    let left = ledger.call(0).left;
    assert!(
        left > Duration::from_secs(29) && left <= Duration::from_secs(30),
        "{left:?}"
    );
    Pair {
        board,
        front,
        back,
        ledger,
    }
    .finish();
}

#[test]
fn a_deadline_ends_a_call_on_both_sides() {
    let pair = pair();
    pair.front
        .begin_within(1, NEVER_ENDS, Duration::from_millis(50));
    let end = pair.front.end(1);
    assert_eq!(end.failure().1, Cause::TimedOut);
    // The side that sees it first tells; on this one it is not known which instance has the call.
    let known = [InstanceId::EMPTY, pair.back.instance("echo").id()].map(InstanceId::to_wire);
    assert!(known.contains(&end.instance), "{end:?}");
    pair.ledger
        .wait_for(|given| (given.cancelled == 1).then_some(()));
    pair.finish();
}

#[test]
fn a_call_that_is_cancelled_is_cancelled_there() {
    let pair = pair();
    pair.front.begin(1, NEVER_ENDS, &[]);
    pair.ledger.call(0);
    pair.front.tell(
        Header {
            number: 1,
            ..Header::new(Kind::Cancel)
        },
        &[],
        &[],
    );
    pair.ledger
        .wait_for(|given| (given.cancelled == 1).then_some(()));
    assert_eq!(pair.front.call(2, ECHO).status, 0);
    pair.finish();
}

#[test]
fn an_answer_that_comes_after_the_deadline_goes_nowhere() {
    let pair = pair();
    pair.board.lose_cancellations();
    pair.front.begin_within(1, SLOWLY, SLOW / 5);
    assert_eq!(pair.front.end(1).failure().1, Cause::TimedOut);
    // Is answered after the other, whose answer comes over the same way.
    assert_eq!(pair.front.call(2, SLOWLY).status, 0);
    pair.finish();
}

#[test]
fn no_more_answers_wait_than_in_a_mailbox() {
    let reply = |bytes: usize| Reply {
        status: 0,
        flags: 0,
        metadata: Bytes::new(),
        detail: Bytes::new(),
        payload: vec![0; bytes].into(),
    };
    let news = EventQueue::<RemoteEvent>::new();
    (0..3).for_each(|_| {
        news.push_reply(
            "x.Echo",
            CallId::from_random(1),
            reply(MAILBOX_BYTES_MAX / 2),
        )
    });
    let came = news
        .take()
        .into_iter()
        .map(|news| matches!(news, RemoteEvent::Answered { .. }))
        .collect::<Vec<_>>();
    assert_eq!(
        came,
        [true, true, false],
        "one is told that its answer was lost"
    );
}

#[test]
fn a_callee_that_breaks_is_told_at_once_and_is_there_again_under_the_same_handle() {
    let pair = pair();
    let echo = pair.back.instance("echo").id();
    let end = pair.front.call(1, CRASH);
    assert_eq!(
        end.failure(),
        (StatusCode::Internal, Cause::CalleeTrapped, "echo it broke")
    );
    assert_eq!(end.instance, echo.to_wire());
    let refused = pair.front.call(2, ECHO);
    let (code, cause, message) = refused.failure();
    assert_eq!((code, cause), (StatusCode::Unavailable, Cause::Unreachable));
    assert!(
        message.starts_with("echo is being restarted and has been down for "),
        "{message}"
    );
    let answered = (3..)
        .map(|number| pair.front.call(number, ECHO))
        .find(|end| end.status == 0);
    assert!(answered.is_some());
    pair.finish();
}

#[test]
fn a_method_that_the_callee_lacks_fails_that_call_alone() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let back = start(&board, vec![echo(&ledger)]);
    let newer = service("x.Echo", &["New", "Echo"]);
    let front = try_front(&board, vec![newer]).expect("it fits");
    front.ends.wait_for(|ends| ends.methods.clone());
    assert_eq!(
        front.call(1, 0).failure(),
        (
            StatusCode::Unimplemented,
            Cause::NoSuchMethod,
            "x.Echo has no such method"
        )
    );
    assert_eq!(
        front.call(2, 1).status,
        0,
        "methods are known by their names"
    );
    Pair {
        board,
        front,
        back,
        ledger,
    }
    .finish();
}

#[test]
fn calls_are_refused_at_once_while_the_connection_is_down() {
    let pair = pair();
    pair.board.set_down(true);
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "the connection to NATS has been down for 120 ms",
    );
    assert_eq!(pair.front.call(1, ECHO).failure(), expected);
    pair.board.set_down(false);
    assert_eq!(pair.front.call(2, ECHO).status, 0);
    pair.finish();
}

#[test]
fn calls_of_a_process_that_is_lost_end_at_once_and_later_ones_are_refused() {
    let pair = pair();
    pair.front
        .begin_within(1, NEVER_ENDS, Duration::from_secs(60));
    pair.ledger.call(0);
    pair.board.lose(pair.back.host);
    let expected = (
        StatusCode::Unavailable,
        Cause::CalleeExited,
        "the process that offered x.Echo has sent no heartbeat for 3 s",
    );
    assert_eq!(pair.front.end(1).failure(), expected);
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "no process offers x.Echo",
    );
    assert_eq!(pair.front.call(2, ECHO).failure(), expected);
    pair.front.process.wait_until_at_rest();
    pair.front.process.stop();
    pair.back.stop();
}

#[test]
fn a_process_that_is_told_to_leave_finishes_the_calls_that_it_has_and_takes_no_more() {
    let pair = pair();
    pair.front.begin(1, SLOWLY, &[]);
    pair.ledger.call(0);
    let began = Instant::now();
    assert_eq!(pair.back.stop().status, 0);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it does not wait for those who require it"
    );
    let end = pair.front.end(1);
    assert_eq!((end.status, &*end.payload), (0, &b"at last"[..]));
    let expected = (
        StatusCode::Unavailable,
        Cause::Unreachable,
        "no process offers x.Echo",
    );
    assert_eq!(pair.front.call(2, ECHO).failure(), expected);
    pair.front.process.wait_until_at_rest();
    pair.front.process.stop();
}

#[test]
fn a_process_with_a_program_ends_with_its_status_and_the_others_go_on() {
    let Pair {
        board,
        front: first,
        back,
        ledger,
    } = pair();
    first.begin(1, NEVER_ENDS, &[]);
    ledger.call(0);
    first.exit(7);
    assert_eq!(first.process.running.wait(), Outcome { status: 7 });
    ledger.wait_for(|given| (given.cancelled == 1).then_some(()));
    let second = front(&board);
    assert_eq!(second.call(1, ECHO).status, 0);
    Pair {
        board,
        front: second,
        back,
        ledger,
    }
    .finish();
}

#[test]
fn stand_ins_are_not_among_what_a_process_exports_but_among_what_has_calls() {
    let pair = pair();
    let exports: Vec<_> = pair
        .back
        .running
        .exports()
        .iter()
        .map(|export| &*export.service)
        .collect();
    assert_eq!(exports, ["x.Echo"]);
    assert!(pair.front.process.running.exports().is_empty());
    let names = |process: &Process| {
        process
            .running
            .pending()
            .into_iter()
            .map(|pending| pending.guest)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&pair.back), ["echo", "network/x.Echo"]);
    assert_eq!(names(&pair.front.process), ["front", "x.Echo"]);
    pair.finish();
}

#[test]
fn whoever_calls_from_elsewhere_is_told_to_leave_first_and_what_is_elsewhere_last() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let back = start(&board, vec![echo(&ledger)]);
    let requires = vec![service("x.Echo", &METHODS)];
    let factory = service_mould(service("x.Between", &["Get"]), requires, &Diary::new());
    let between = start(
        &board,
        vec![(GuestSpec::service("between", ""), Arc::new(factory))],
    );
    let front = try_front(&board, vec![service("x.Between", &["Get"])]).expect("it fits");
    front.ends.wait_for(|ends| ends.methods.clone());
    let instances = &between.running.kernel.instances;
    let order: Vec<_> = between
        .running
        .kernel
        .lifecycle
        .stop_order()
        .into_iter()
        .map(|place| &*instances[place].name)
        .collect();
    assert_eq!(order, ["network/x.Between", "between", "x.Echo"]);
    front.process.stop();
    between.stop();
    back.stop();
}

#[test]
fn a_service_that_has_failed_for_good_is_offered_no_more() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let (mut frail, factory) = echo(&ledger);
    frail.restart.max_restarts = 1;
    let other = service_mould(service("x.Other", &METHODS), Vec::new(), &Diary::new());
    let back = start(
        &board,
        vec![
            (frail, factory),
            (GuestSpec::service("other", ""), Arc::new(other)),
        ],
    );
    let front = front(&board);
    let refused = (1..)
        .map(|number| front.call(number, CRASH))
        .find(|end| end.message == "no process offers x.Echo");
    assert_eq!(refused.map(|end| end.cause), Some(Cause::Unreachable));
    front.process.stop();
    assert_eq!(back.stop().status, 1, "that of the service that has failed");
}

#[test]
fn both_processes_know_a_call_by_the_same_id_in_their_logs() {
    let lines = Arc::<Lines>::default();
    let pair = tracing::dispatcher::with_default(&Arc::clone(&lines).into(), pair);
    let id = pair.front.call(1, ECHO).id.to_string();
    assert_eq!(
        *lines.calls.lock(),
        [id],
        "what the service has logged in the call"
    );
    pair.finish();
}

/// Collects of which calls there are lines in a log.
#[derive(Default)]
struct Lines {
    calls: Mutex<Vec<String>>,
}

impl field::Visit for &Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "call" {
            self.calls.lock().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_program_is_launched_once_a_process_offers_what_it_requires() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let front = try_front(&board, vec![service("x.Echo", &METHODS)]).expect("it waits");
    assert!(front.ends.wait_for(|ends| Some(ends.methods.is_none())));
    let back = start(&board, vec![echo(&ledger)]);
    front.ends.wait_for(|ends| ends.methods.clone());
    assert_eq!(front.call(1, ECHO).status, 0);
    Pair {
        board,
        front,
        back,
        ledger,
    }
    .finish();
}

#[test]
fn a_start_fails_if_no_process_offers_what_is_required() {
    let board = Arc::<Switchboard>::default();
    let front = try_front(&board, vec![service("x.Echo", &METHODS)]).expect("it waits");
    assert_eq!(front.process.running.wait().status, 124);
}

#[test]
fn one_who_knows_a_service_by_name_alone_is_told_the_methods_of_the_process_that_offers_it() {
    let (board, ledger) = (Arc::<Switchboard>::default(), Diary::new());
    let back = start(&board, vec![echo(&ledger)]);
    let by_name = Service {
        schema: 0,
        ..service("x.Echo", &[])
    };
    let front = try_front(&board, vec![by_name.clone()]).expect("it is offered");
    assert_eq!(front.ends.wait_for(|ends| ends.methods.clone()), METHODS);
    assert_eq!(front.call(1, DENY).failure().2, "not you");
    Pair {
        board,
        front,
        back,
        ledger,
    }
    .finish();

    let refused = try_front(&Arc::default(), vec![by_name])
        .err()
        .expect("nobody offers it");
    let expected = "`front` requires x.Echo by name, and no process has exported it within 300ms: its methods \
                    must be known before the start";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn ten_thousand_calls_are_in_flight_and_all_of_them_end() {
    let pair = pair();
    let all = 1..=10_000;
    all.clone().for_each(|number| {
        pair.front
            .begin_within(number, NEVER_ENDS, Duration::from_secs(60))
    });
    pair.ledger.call(9_999);
    all.clone().for_each(|number| {
        pair.front.tell(
            Header {
                number,
                ..Header::new(Kind::Cancel)
            },
            &[],
            &[],
        )
    });
    pair.ledger
        .wait_for(|given| (given.cancelled == 10_000).then_some(()));
    let others = 10_001..=20_000;
    others.clone().for_each(|number| {
        pair.front
            .begin_within(number, ECHO, Duration::from_secs(60))
    });
    others.for_each(|number| assert_eq!(pair.front.end(number).status, 0));
    pair.finish();
}

#[test]
fn more_calls_than_a_gateway_may_have_are_refused_as_too_many() {
    let Pair {
        board,
        front: one,
        back,
        ledger,
    } = pair();
    let other = front(&board);
    for front in [&one, &other] {
        for number in 0..CALLS_MAX as u64 / 2 + 1 {
            front.begin_within(number, NEVER_ENDS, Duration::from_secs(60));
        }
    }
    ledger.call(CALLS_MAX - 1);
    let refused = |front: &Front| {
        front
            .ends
            .wait_for(|ends| Some(ends.ends.values().next().cloned()))
    };
    let until = Instant::now() + Duration::from_secs(20);
    let first = loop {
        if let Some(end) = refused(&one).or_else(|| refused(&other)) {
            break end;
        }
        assert!(Instant::now() < until, "nobody is refused");
        thread::yield_now();
    };
    let expected = format!("network/x.Echo has reached the limit of {CALLS_MAX} outstanding calls");
    assert_eq!(
        first.failure(),
        (StatusCode::ResourceExhausted, Cause::Overloaded, &*expected)
    );
    one.process.stop();
    other.process.stop();
    back.wait_until_at_rest();
    back.stop();
}
