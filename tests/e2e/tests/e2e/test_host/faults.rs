//! Faults that a test injects.

use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::echo;
use parigot_guest::{Code, Status};
use parigot_host::testing::{Effect, Fault};

use super::{MS, deed, echo_host, misbehave};

#[test]
fn lost_calls_and_replies_end_at_the_deadline() {
    for fault in [Fault::lose_call(), Fault::lose_reply()] {
        let mut run = echo_host()
            .fault(fault.of::<echo::Misbehave>().nth(2))
            .start();
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
        assert_eq!(
            misbehave(&mut run, Kind::Nothing),
            "DEADLINE_EXCEEDED, timed out"
        );
        assert_eq!(run.now(), 3_000 * MS);
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
        assert_eq!(
            run.frames()
                .iter()
                .filter(|frame| frame.effect == Some(Effect::Lost))
                .count(),
            1
        );
    }
}

#[test]
fn calls_and_replies_can_be_delayed() {
    for fault in [Fault::delay_call(50 * MS), Fault::delay_reply(50 * MS)] {
        let mut run = echo_host().start();
        run.inject(fault);
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
        assert_eq!(run.now(), 50 * MS);
        run.heal();
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
        assert_eq!(run.now(), 50 * MS);
    }
}

#[test]
fn a_delay_beyond_the_deadline_is_a_timeout() {
    for fault in [
        Fault::delay_call(5_000 * MS),
        Fault::delay_reply(5_000 * MS),
    ] {
        let mut run = echo_host().fault(fault).start();
        assert_eq!(
            misbehave(&mut run, Kind::Nothing),
            "DEADLINE_EXCEEDED, timed out"
        );
        run.advance(10_000 * MS);
        run.heal();
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_crashes_at_a_call_or_reply() {
    for fault in [Fault::crash_at_call(), Fault::crash_at_reply()] {
        let mut run = echo_host().fault(fault.to("echo").nth(1)).start();
        assert_eq!(
            misbehave(&mut run, Kind::Nothing),
            "INTERNAL, callee trapped"
        );
        run.advance(100 * MS);
        assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
    }
}

#[test]
fn a_service_crashes_on_request() {
    let mut run = echo_host().start();
    let call = run.begin::<echo::Misbehave>(deed(Kind::Hang, 0));
    run.run_until_idle();
    run.crash("echo");
    run.run_until_idle();
    let error = call
        .outcome()
        .expect("the call must have ended")
        .expect_err("the service has crashed");
    assert_eq!(error.status().map(Status::code), Some(Code::Unavailable));
    assert_eq!(run.exit_status("echo"), Some(1));
}
