//! `TestHost`: fakes, time, faults and frames.

mod faults;
mod frames;
mod metadata;
mod streams;

use std::path::PathBuf;
use std::time::Duration;

use e2e::{App, code_cache, example, go_example, guest, guest_file};
use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, EchoErr, Payload, echo};
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Tongue, greeting,
};
use parigot_guest::{Cause, Code};
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{self, Answer, Fake, TestHost, TestRun};

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

/// Calls `Misbehave`, and returns how the call ends.
fn misbehave(run: &mut TestRun, kind: Kind) -> String {
    match run.call::<echo::Misbehave>(deed(kind, 0)) {
        Ok(payload) => format!("{} bytes", payload.data.len()),
        Err(error) => error.status().map_or_else(
            || error.to_string(),
            |status| format!("{}, {}", status.code(), status.cause()),
        ),
    }
}

#[test]
fn a_service_is_called() {
    let mut run = echo_host().start();
    let reply = run.call::<echo::Echo>(Payload {
        data: vec![1, 2, 3],
    });
    assert_eq!(reply.expect("the call must be answered").data, [1, 2, 3]);
    let refused = run
        .call::<echo::Misbehave>(deed(Kind::Refuse, 0))
        .expect_err("the service must refuse");
    assert!(
        matches!(
            refused,
            parigot_guest::CallError::Service(EchoErr::Refused, _)
        ),
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
    let mut run = TestHost::deployment(helloworld()).fake(&service).start();
    assert_eq!(run.wait_for_exit("hello"), 0);
    assert_eq!(run.log("hello"), ["salut, world"]);
    assert_eq!(service.requests::<greeting::FetchGreeting>().len(), 1);
}
// ANCHOR_END: fake

#[test]
fn a_fake_serves_a_guest_in_go() {
    let service = Fake::new("greeting");
    service.on::<greeting::FetchGreeting>(|_| Err(GreetErr::UnknownLang));
    let deployment = go_example().join("helloworld.toml");
    let mut run = host().with_deployment(deployment).fake(&service).start();
    assert_eq!(run.wait_for_exit("hello"), 1);
    assert_eq!(
        service.requests::<greeting::FetchGreeting>()[0].tongue(),
        Tongue::French
    );
    let mut run = host()
        .with_deployment(go_example().join("helloworld.toml"))
        .start();
    let reply = run.call::<greeting::FetchGreeting>(FetchGreetingRequest {
        tongue: Tongue::German.into(),
    });
    assert_eq!(
        reply.expect("the call must be answered").greeting,
        "guten tag"
    );
}

/// A guest that runs natively, written as in a crate of its own.
mod polyglot {
    use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
    use golden::helloworld::greeting::v1::{FetchGreetingRequest, GreetingClient};
    use parigot_guest::{Context, Failure, NotReady, Ready};

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
        async fn echo(&self, cx: &Context, tongues: Payload) -> Result<Payload, Failure<EchoErr>> {
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

        async fn misbehave(&self, cx: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
            cx.sleep(std::time::Duration::from_secs(1)).await;
            panic!("told to panic");
        }

        async fn persist(&self, _: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
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
    let mut run = host()
        .native(GuestSpec::service("polyglot", ""), polyglot::GUEST)
        .fake(&greeting)
        .start();
    let reply = run.call::<echo::Echo>(Payload {
        data: vec![1, 2, 3],
    });
    assert_eq!(reply.expect("the call must be answered").data, b"hihihi");
    assert_eq!(run.log("polyglot"), ["6 bytes"]);

    assert_eq!(misbehave(&mut run, Kind::Panic), "INTERNAL, callee trapped");
    assert_eq!(run.now(), 1_000 * MS);
    run.advance(100 * MS);
    assert!(
        run.call::<echo::Persist>(deed(Kind::Nothing, 0)).is_ok(),
        "the service is restarted"
    );
    assert_eq!(run.stop(), 0);
}

#[test]
fn guests_can_share_a_wasm_file() {
    let program = |name| format!("[program.{name}]\nwasm = \"driver.wasm\"\nargs = [\"echo:1\"]\n");
    let deployment =
        ["ann", "bob"].map(program).concat() + "[service.echo]\nwasm = \"echo.wasm\"\n";
    // Copies at paths that no other test uses.
    let app = App::new(&deployment)
        .with("driver.wasm", guest("driver"))
        .with("echo.wasm", guest("echo"));
    let mut run = host().with_deployment(app.file()).start();
    assert_eq!((run.wait_for_exit("ann"), run.wait_for_exit("bob")), (0, 0));
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
    let mut run = host().fake(&fake).start();
    assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
    assert_eq!(misbehave(&mut run, Kind::Refuse), "Refused");
    assert_eq!(misbehave(&mut run, Kind::Leave), "UNAVAILABLE, unreachable");
    assert_eq!(run.now(), Duration::ZERO);
    assert_eq!(misbehave(&mut run, Kind::Sleep), "1 bytes");
    assert_eq!(run.now(), 2 * MS);
    assert_eq!(
        misbehave(&mut run, Kind::Hang),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(run.now(), 3_002 * MS);
    assert_eq!(misbehave(&mut run, Kind::Panic), "INTERNAL, callee trapped");
    assert_eq!(fake.requests::<echo::Misbehave>().len(), 6);
}

#[test]
fn a_fake_has_the_deadline_of_its_guest() {
    let fake = Fake::new("echo");
    fake.answer::<echo::Misbehave>(|_| Answer::never());
    let mut run = echo_host()
        .change("echo", |echo| echo.deadline = 7 * MS)
        .fake(&fake)
        .start();
    assert_eq!(
        misbehave(&mut run, Kind::Hang),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(run.now(), 7 * MS);
}

#[test]
fn an_undefined_method_of_a_fake_is_named() {
    let fake = Fake::new("echo");
    fake.on::<echo::Echo>(Ok);
    let mut run = host().fake(&fake).start();
    let error = run
        .call::<echo::Persist>(deed(Kind::Nothing, 0))
        .expect_err("the fake does not define the method");
    let status = error.status().expect("the error must be a status");
    assert_eq!(
        (status.code(), status.cause()),
        (Code::Unimplemented, Cause::NoSuchMethod)
    );
    assert_eq!(
        status.message(),
        "the fake has no closure for echo.v1.Echo/Persist"
    );
}

#[test]
fn a_timeout_takes_no_real_time() {
    let mut run = echo_host().start();
    let call = run.begin_within::<echo::Misbehave>(3_600 * 1_000 * MS, deed(Kind::Hang, 0));
    run.advance(3_600 * 1_000 * MS - Duration::from_nanos(1));
    assert!(!call.has_ended());
    run.advance(Duration::from_nanos(1));
    let error = call
        .outcome()
        .expect("the call must have ended")
        .expect_err("the deadline has passed");
    assert_eq!(
        error
            .status()
            .expect("the host must log the failure")
            .cause(),
        Cause::TimedOut
    );
    assert_eq!(run.log("echo"), ["hanging", "cancelled"]);
}

#[test]
fn guests_sleep_until_the_clock_advances() {
    let mut run = echo_host().start();
    let call = run.begin::<echo::Misbehave>(deed(Kind::Sleep, 1_000));
    run.advance(999 * MS);
    assert!(!call.has_ended());
    run.advance(MS);
    assert!(call.outcome().expect("the call must have ended").is_ok());
}

#[test]
fn pauses_before_restarts_grow() {
    let mut run = echo_host().start();
    for longest in [100 * MS, 200 * MS, 400 * MS] {
        assert_eq!(misbehave(&mut run, Kind::Panic), "INTERNAL, callee trapped");
        run.advance(longest / 2 - MS);
        assert_eq!(
            misbehave(&mut run, Kind::Nothing),
            "UNAVAILABLE, unreachable"
        );
        run.advance(longest / 2 + MS);
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_that_loops_is_killed() {
    let mut run = echo_host()
        .change("echo", |echo| echo.budget = 5 * MS)
        .start();
    assert_eq!(misbehave(&mut run, Kind::Spin), "INTERNAL, callee killed");
    run.advance(100 * MS);
    assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
}

#[test]
fn many_short_tasks_do_not_exceed_the_budget() {
    let mut run = echo_host()
        .change("echo", |echo| echo.budget = 10 * MS)
        .start();
    let toil = run.call::<echo::Misbehave>(deed(Kind::Toil, 60));
    assert!(toil.is_ok(), "{toil:?}");
}

#[test]
fn a_call_is_cancelled() {
    let mut run = echo_host().start();
    let call = run.begin::<echo::Misbehave>(deed(Kind::Hang, 0));
    run.run_until_idle();
    run.cancel(call);
    run.run_until_idle();
    assert_eq!(run.log("echo"), ["hanging", "cancelled"]);
    assert_eq!(run.stop(), 0);
}

#[test]
fn frames_name_dynamically_located_services() {
    let dynamic = GuestSpec::program("dynamic", guest_file("dynamic")).with_args(["Echo=0a0107"]);
    let mut run = echo_host().guest(dynamic).start();
    assert_eq!(run.wait_for_exit("dynamic"), 0);
    let frames = run.frames();
    let call = frames
        .iter()
        .find(|frame| frame.kind == testing::Kind::Call)
        .expect("a call must be in the trace");
    assert_eq!(
        (&*call.from, &*call.to, &*call.service, &*call.method),
        ("dynamic", "echo", "echo.v1.Echo", "Echo")
    );
}

#[test]
fn stop_waits_for_calls_in_progress() {
    let mut run = echo_host().start();
    let call = run.begin::<echo::Misbehave>(deed(Kind::Sleep, 1_000));
    run.run_until_idle();
    assert_eq!(run.stop(), 0);
    assert!(call.outcome().expect("the call must have ended").is_ok());
    assert_eq!((run.now(), run.exit_status("echo")), (1_000 * MS, Some(0)));
}

#[test]
fn a_failed_start_lists_all_reasons() {
    let unready = GuestSpec::service("unready", guest_file("unready"));
    let error = host()
        .guest(unready)
        .try_start()
        .expect_err("the requirement has no exporter");
    let [problem] = error.problems() else {
        panic!("{error}")
    };
    assert_eq!(
        problem.to_string(),
        "`unready` requires echo.v1.Echo, which no guest of the deployment exports"
    );
    let panic = std::panic::catch_unwind(|| {
        host()
            .guest(GuestSpec::service("echo", "none.wasm"))
            .start()
    });
    let text = panic
        .expect_err("the file does not exist")
        .downcast::<String>()
        .expect("the value must be a string");
    assert_eq!(
        *text,
        "the guests cannot be started:\n  `echo`: cannot read none.wasm: No such file or directory \
         (os error 2)"
    );
}

#[test]
fn all_errors_of_a_deployment_file_are_reported() {
    let app = App::new("[service.echo]\nwsam = 1\nbudget = \"x\"\n");
    let file = app.file();
    let panic =
        std::panic::catch_unwind(|| TestHost::deployment(&file)).expect_err("the file is invalid");
    let text = panic
        .downcast::<String>()
        .expect("the value must be a string")
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
fn a_guest_that_is_never_ready_ends_the_start() {
    let mut run = echo_host()
        .guest(GuestSpec::service("unready", guest_file("unready")).with_args(["--hang"]))
        .start();
    run.advance(29_999 * MS);
    assert_eq!(run.exit_status("unready"), None);
    run.advance(MS);
    assert_eq!(run.stop(), 124);
}
