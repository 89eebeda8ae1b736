//! The host for tests: what it replaces, moves, breaks and shows.

use std::path::PathBuf;
use std::time::Duration;

use e2e::{App, code_cache, example, go_example, guest, guest_file};
use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, EchoErr, Payload, echo};
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Tongue, greeting,
};
use parigot_guest::{Cause, Code, Status};
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{self, Answer, Fake, Fault, Frame, Mishap, TestHost, TestRun};

const MS: Duration = Duration::from_millis(1);

fn host() -> TestHost {
    TestHost::new().code_cache(code_cache())
}

fn helloworld() -> PathBuf {
    example().join("helloworld.toml")
}

fn echo_host() -> TestHost {
    host().guest(GuestSpec::service("echo", guest_file("echo")))
}

fn deed(kind: Kind, number: u32) -> Deed {
    Deed {
        kind: kind.into(),
        number,
    }
}

/// How a call of `Misbehave` ends.
fn misbehave(host: &mut TestRun, kind: Kind) -> String {
    match host.call::<echo::Misbehave>(deed(kind, 0)) {
        Ok(payload) => format!("{} bytes", payload.data.len()),
        Err(error) => error.status().map_or_else(
            || error.to_string(),
            |status| format!("{}, {}", status.code(), status.cause()),
        ),
    }
}

#[test]
fn a_service_is_called() {
    let mut host = echo_host().start();
    let reply = host.call::<echo::Echo>(Payload {
        data: vec![1, 2, 3],
    });
    assert_eq!(reply.expect("it answers").data, [1, 2, 3]);
    let refused = host
        .call::<echo::Misbehave>(deed(Kind::Refuse, 0))
        .expect_err("it refuses");
    assert!(
        matches!(refused, parigot_guest::CallError::Service(EchoErr::Refused)),
        "{refused}"
    );
}

// ANCHOR: fake
#[test]
fn hello_says_what_it_is_told() {
    let service = Fake::new("greeting");
    service.on::<greeting::FetchGreeting>(|request| match request.tongue() {
        Tongue::French => Ok(FetchGreetingResponse {
            greeting: "salut".into(),
        }),
        _ => Err(GreetErr::UnknownLang),
    });
    let mut host = TestHost::deployment(helloworld()).fake(&service).start();
    assert_eq!(host.wait_for_exit("hello"), 0);
    assert_eq!(host.log("hello"), ["salut, world"]);
    assert_eq!(service.requests::<greeting::FetchGreeting>().len(), 1);
}
// ANCHOR_END: fake

#[test]
fn it_is_the_same_in_go() {
    let service = Fake::new("greeting");
    service.on::<greeting::FetchGreeting>(|_| Err(GreetErr::UnknownLang));
    let deployment = go_example().join("helloworld.toml");
    let mut host = host().with_deployment(deployment).fake(&service).start();
    assert_eq!(host.wait_for_exit("hello"), 1);
    assert_eq!(
        service.requests::<greeting::FetchGreeting>()[0].tongue(),
        Tongue::French
    );
    let mut host = self::host()
        .with_deployment(go_example().join("helloworld.toml"))
        .start();
    let reply = host.call::<greeting::FetchGreeting>(FetchGreetingRequest {
        tongue: Tongue::German.into(),
    });
    assert_eq!(reply.expect("it answers").greeting, "guten tag");
}

/// A guest as its own crate would have it, natively.
mod polyglot {
    use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
    use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient};
    use parigot_guest::{Context, NotReady, Ready};

    struct Polyglot {
        greeting: GreetingClient,
    }

    impl Ready for Polyglot {
        async fn ready(cx: &Context) -> Result<Self, NotReady> {
            Ok(Polyglot {
                greeting: GreetingClient::locate(cx)?,
            })
        }
    }

    impl Echo for Polyglot {
        async fn echo(&self, cx: &Context, tongues: Payload) -> Result<Payload, EchoErr> {
            let mut data = Vec::new();
            for tongue in tongues.data {
                let request = FetchGreetingRequest {
                    tongue: tongue.into(),
                };
                let reply = self
                    .greeting
                    .fetch_greeting(request)
                    .await
                    .map_err(|_| EchoErr::Refused)?;
                data.extend(reply.greeting.bytes());
            }
            parigot_guest::info!(cx, "{} bytes", data.len());
            Ok(Payload { data })
        }

        async fn misbehave(&self, cx: &Context, _: Deed) -> Result<Payload, EchoErr> {
            cx.sleep(std::time::Duration::from_secs(1)).await;
            panic!("told to panic");
        }

        async fn persist(&self, _: &Context, _: Deed) -> Result<Payload, EchoErr> {
            Ok(Payload::default())
        }
    }

    parigot_guest::service!(Polyglot, exports(EchoServer), requires(GreetingClient));
}

#[test]
fn a_guest_in_rust_runs_natively() {
    let greeting = Fake::new("greeting");
    greeting.on::<greeting::FetchGreeting>(|_| {
        Ok(FetchGreetingResponse {
            greeting: "hi".into(),
        })
    });
    let mut host = host()
        .native(GuestSpec::service("polyglot", ""), polyglot::GUEST)
        .fake(&greeting)
        .start();
    let reply = host.call::<echo::Echo>(Payload {
        data: vec![1, 2, 3],
    });
    assert_eq!(reply.expect("it answers").data, b"hihihi");
    assert_eq!(host.log("polyglot"), ["6 bytes"]);

    assert_eq!(
        misbehave(&mut host, Kind::Panic),
        "INTERNAL, callee trapped"
    );
    assert_eq!(host.now(), 1_000 * MS);
    host.advance(100 * MS);
    assert!(
        host.call::<echo::Persist>(deed(Kind::Nothing, 0)).is_ok(),
        "it is there again"
    );
    assert_eq!(host.stop(), 0);
}

#[test]
fn guests_that_share_a_file_have_their_own_module_and_no_other() {
    let program = |name| format!("[program.{name}]\nwasm = \"driver.wasm\"\nargs = [\"echo:1\"]\n");
    let deployment =
        ["ann", "bob"].map(program).concat() + "[service.echo]\nwasm = \"echo.wasm\"\n";
    // In a folder where no test has seen them.
    let app = App::new(&deployment)
        .with("driver.wasm", guest("driver"))
        .with("echo.wasm", guest("echo"));
    let mut host = host().with_deployment(app.file()).start();
    assert_eq!(
        (host.wait_for_exit("ann"), host.wait_for_exit("bob")),
        (0, 0)
    );
}

#[test]
fn a_fake_answers_in_each_way() {
    let fake = Fake::new("echo");
    let payload = |bytes: usize| Payload {
        data: vec![7; bytes],
    };
    fake.answer::<echo::Misbehave>(move |deed| match deed.kind() {
        Kind::Nothing => Answer::ok(payload(deed.number as usize)),
        Kind::Refuse => Answer::error(EchoErr::Refused),
        Kind::Leave => Answer::status(Code::Unavailable, Cause::Unreachable, "closed on mondays"),
        Kind::Hang => Answer::never(),
        Kind::Sleep => Answer::ok(payload(1)).after(2 * MS),
        _ => Answer::crash("it had enough"),
    });
    let mut host = host().fake(&fake).start();
    assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
    assert_eq!(misbehave(&mut host, Kind::Refuse), "Refused");
    assert_eq!(
        misbehave(&mut host, Kind::Leave),
        "UNAVAILABLE, unreachable"
    );
    assert_eq!(host.now(), Duration::ZERO);
    assert_eq!(misbehave(&mut host, Kind::Sleep), "1 bytes");
    assert_eq!(host.now(), 2 * MS);
    assert_eq!(
        misbehave(&mut host, Kind::Hang),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(host.now(), 3_002 * MS);
    assert_eq!(
        misbehave(&mut host, Kind::Panic),
        "INTERNAL, callee trapped"
    );
    assert_eq!(fake.requests::<echo::Misbehave>().len(), 6);
}

#[test]
fn a_fake_has_the_deadline_of_the_guest_that_it_replaces() {
    let fake = Fake::new("echo");
    fake.answer::<echo::Misbehave>(|_| Answer::never());
    let mut host = echo_host()
        .change("echo", |echo| echo.deadline = 7 * MS)
        .fake(&fake)
        .start();
    assert_eq!(
        misbehave(&mut host, Kind::Hang),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(host.now(), 7 * MS);
}

#[test]
fn what_a_fake_was_not_told_fails_by_name() {
    let fake = Fake::new("echo");
    fake.on::<echo::Echo>(Ok);
    let mut host = host().fake(&fake).start();
    let error = host
        .call::<echo::Persist>(deed(Kind::Nothing, 0))
        .expect_err("it was not told");
    let status = error.status().expect("it is no error of the service");
    assert_eq!(
        (status.code(), status.cause()),
        (Code::Unimplemented, Cause::NoSuchMethod)
    );
    assert_eq!(
        status.message(),
        "the fake was not told what echo.v1.Echo/Persist does"
    );
}

#[test]
fn a_timeout_takes_no_real_time() {
    let mut host = echo_host().start();
    let call = host.begin_within::<echo::Misbehave>(3_600 * 1_000 * MS, deed(Kind::Hang, 0));
    host.advance(3_600 * 1_000 * MS - Duration::from_nanos(1));
    assert!(!call.has_ended());
    host.advance(Duration::from_nanos(1));
    let error = call
        .outcome()
        .expect("it has ended")
        .expect_err("its deadline has passed");
    assert_eq!(
        error.status().expect("the host says so").cause(),
        Cause::TimedOut
    );
    assert_eq!(host.log("echo"), ["hanging", "cancelled"]);
}

#[test]
fn guests_sleep_until_the_test_lets_time_pass() {
    let mut host = echo_host().start();
    let call = host.begin::<echo::Misbehave>(deed(Kind::Sleep, 1_000));
    host.advance(999 * MS);
    assert!(!call.has_ended());
    host.advance(MS);
    assert!(call.outcome().expect("it is awake").is_ok());
}

#[test]
fn pauses_before_restarts_grow() {
    let mut host = echo_host().start();
    for longest in [100 * MS, 200 * MS, 400 * MS] {
        assert_eq!(
            misbehave(&mut host, Kind::Panic),
            "INTERNAL, callee trapped"
        );
        host.advance(longest / 2 - MS);
        assert_eq!(
            misbehave(&mut host, Kind::Nothing),
            "UNAVAILABLE, unreachable"
        );
        host.advance(longest / 2 + MS);
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_that_loops_is_killed_within_milliseconds() {
    let mut host = echo_host()
        .change("echo", |echo| echo.budget = 5 * MS)
        .start();
    assert_eq!(misbehave(&mut host, Kind::Spin), "INTERNAL, callee killed");
    host.advance(100 * MS);
    assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
}

#[test]
fn many_short_tasks_are_no_long_one() {
    let mut host = echo_host()
        .change("echo", |echo| echo.budget = 10 * MS)
        .start();
    let toil = host.call::<echo::Misbehave>(deed(Kind::Toil, 60));
    assert!(toil.is_ok(), "{toil:?}");
}

#[test]
fn calls_and_replies_are_lost_and_end_at_their_deadline() {
    for fault in [Fault::lose_call(), Fault::lose_reply()] {
        let mut host = echo_host()
            .fault(fault.of::<echo::Misbehave>().nth(2))
            .start();
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
        assert_eq!(
            misbehave(&mut host, Kind::Nothing),
            "DEADLINE_EXCEEDED, timed out"
        );
        assert_eq!(host.now(), 3_000 * MS);
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
        assert_eq!(
            host.frames()
                .iter()
                .filter(|frame| frame.mishap == Some(Mishap::Lost))
                .count(),
            1
        );
    }
}

#[test]
fn calls_and_replies_are_late() {
    for fault in [Fault::delay_call(50 * MS), Fault::delay_reply(50 * MS)] {
        let mut host = echo_host().start();
        host.inject(fault);
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
        assert_eq!(host.now(), 50 * MS);
        host.heal();
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
        assert_eq!(host.now(), 50 * MS);
    }
}

#[test]
fn what_is_late_beyond_its_deadline_does_not_come() {
    for fault in [
        Fault::delay_call(5_000 * MS),
        Fault::delay_reply(5_000 * MS),
    ] {
        let mut host = echo_host().fault(fault).start();
        assert_eq!(
            misbehave(&mut host, Kind::Nothing),
            "DEADLINE_EXCEEDED, timed out"
        );
        host.advance(10_000 * MS);
        host.heal();
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_crashes_where_the_test_says() {
    for fault in [Fault::crash_at_call(), Fault::crash_at_reply()] {
        let mut host = echo_host().fault(fault.to("echo").nth(1)).start();
        assert_eq!(
            misbehave(&mut host, Kind::Nothing),
            "INTERNAL, callee trapped"
        );
        host.advance(100 * MS);
        assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_crashes_when_the_test_says() {
    let mut host = echo_host().start();
    let call = host.begin::<echo::Misbehave>(deed(Kind::Hang, 0));
    host.run_until_idle();
    host.crash("echo");
    host.run_until_idle();
    let error = call
        .outcome()
        .expect("its service is gone")
        .expect_err("it was not answered");
    assert_eq!(error.status().map(Status::code), Some(Code::Unavailable));
    assert_eq!(host.exit_status("echo"), Some(1));
}

#[test]
fn a_call_is_cancelled() {
    let mut host = echo_host().start();
    let call = host.begin::<echo::Misbehave>(deed(Kind::Hang, 0));
    host.run_until_idle();
    host.cancel(call);
    host.run_until_idle();
    assert_eq!(host.log("echo"), ["hanging", "cancelled"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn frames_have_the_names_of_what_is_called_by_name() {
    let dynamic = GuestSpec::program("dynamic", guest_file("dynamic")).with_args(["Echo=0a0107"]);
    let mut host = echo_host().guest(dynamic).start();
    assert_eq!(host.wait_for_exit("dynamic"), 0);
    let frames = host.frames();
    let call = frames
        .iter()
        .find(|frame| frame.kind == testing::Kind::Call)
        .expect("it has called");
    assert_eq!(
        (&*call.from, &*call.to, &*call.service, &*call.method),
        ("dynamic", "echo", "echo.v1.Echo", "Echo")
    );
}

#[test]
fn guests_are_stopped_when_they_have_finished_their_calls() {
    let mut host = echo_host().start();
    let call = host.begin::<echo::Misbehave>(deed(Kind::Sleep, 1_000));
    host.run_until_idle();
    assert_eq!(host.stop(), 0);
    assert!(call.outcome().expect("it was finished").is_ok());
    assert_eq!(
        (host.now(), host.exit_status("echo")),
        (1_000 * MS, Some(0))
    );
}

#[test]
fn a_deployment_that_does_not_fit_is_refused_with_all_reasons() {
    let lost = GuestSpec::service("lost", guest_file("lost"));
    let error = host()
        .guest(lost)
        .try_start()
        .expect_err("it requires what nobody exports");
    let [refusal] = error.refusals() else {
        panic!("{error}")
    };
    assert_eq!(
        refusal.to_string(),
        "`lost` requires echo.v1.Echo, which no guest of the deployment exports"
    );
    let panic = std::panic::catch_unwind(|| {
        host()
            .guest(GuestSpec::service("echo", "none.wasm"))
            .start()
    });
    let text = panic
        .expect_err("there is no such file")
        .downcast::<String>()
        .expect("it is a text");
    assert_eq!(
        *text,
        "the guests cannot be started:\n  `echo`: cannot read none.wasm: No such file or directory (os error 2)"
    );
}

#[test]
fn all_mistakes_of_a_deployment_file_are_told() {
    let app = App::new("[service.echo]\nwsam = 1\nbudget = \"x\"\n");
    let file = app.file();
    let panic =
        std::panic::catch_unwind(|| TestHost::deployment(&file)).expect_err("the file is wrong");
    let text = panic
        .downcast::<String>()
        .expect("it is a text")
        .replace(&*file.to_string_lossy(), "app.toml");
    let [wsam, budget] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert_eq!(
        wsam,
        "app.toml:3:1: unknown key `wsam` in `[service.echo]`; did you mean `wasm`?"
    );
    assert!(
        budget.starts_with("app.toml:4:10: `budget` is \"x\", which is not a duration; write "),
        "{budget}"
    );
}

#[test]
fn one_that_is_not_ready_in_time_is_told_of() {
    let mut host = echo_host()
        .guest(GuestSpec::service("lost", guest_file("lost")).with_args(["--dream"]))
        .start();
    host.advance(29_999 * MS);
    assert_eq!(host.exit_status("lost"), None);
    host.advance(MS);
    assert_eq!(host.stop(), 124);
}

/// The lines that are printed of frames, without what differs from build to build.
fn lines(frames: &[Frame]) -> Vec<String> {
    let word = |word: &str| {
        if word.starts_with("cal_") {
            "cal_…".into()
        } else {
            word.to_owned()
        }
    };
    let line = |frame: &Frame| {
        frame
            .to_string()
            .split(' ')
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    frames.iter().map(line).collect()
}

#[test]
fn frames_are_printed_so_that_one_can_follow_them() {
    let mut host = echo_host().fault(Fault::lose_reply().nth(2)).start();
    assert_eq!(misbehave(&mut host, Kind::Nothing), "0 bytes");
    assert_eq!(
        misbehave(&mut host, Kind::Refuse),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(misbehave(&mut host, Kind::Trap), "INTERNAL, callee trapped");
    let shown = r"
     0.000 ms  host -> echo           Start
     0.000 ms  echo -> host           Manifest
     0.000 ms  echo -> host           Launch
     0.000 ms  host -> test           Start
     0.000 ms  test -> host           Manifest
     0.000 ms  test -> host           Launch
     0.000 ms  host -> echo           Launched
     0.000 ms  echo -> host           Reply launch OK, 0 bytes
     0.000 ms  host -> test           Launched
     0.000 ms  test -> host           Reply launch OK, 0 bytes
     0.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 0 bytes
     0.000 ms  echo -> test           Reply echo.v1.Echo/Misbehave cal_… OK, 0 bytes
     0.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 2 bytes
     0.000 ms  echo -> test           Reply echo.v1.Echo/Misbehave cal_… error 4 (lost)
  3000.000 ms  host -> test           Reply echo.v1.Echo/Misbehave cal_… DEADLINE_EXCEEDED: timed out: it was not answered in time
  3000.000 ms  host -> echo           Cancel echo.v1.Echo/Misbehave cal_…
  3000.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 2 bytes
  3000.000 ms  echo -> host           Exit status 1: trapped: wasm trap: wasm `unreachable` instruction executed
  3000.000 ms  host -> test           Reply echo.v1.Echo/Misbehave cal_… INTERNAL: callee trapped: echo trapped: wasm trap: wasm `unreachable` instruction executed";
    assert_eq!(
        lines(&host.frames()),
        shown.lines().skip(1).collect::<Vec<_>>()
    );
}
