use parigot_abi::frame::push_pair;
use parigot_abi::id::CallId;
use parigot_abi::{
    Cause, Code as StatusCode, Detail, Frame, FrameBuilder, Frames, Header, Kind, Manifest,
    Prologue,
};

use super::calls::push;
use super::*;
use crate::deployment::Deployment;
use crate::error::{Failure, GuestFault};
use crate::guest::code::GuestInstance;
use crate::log::guest_log::GuestLine;

/// Code that is never entered.
struct NoCode;

impl GuestInstance for NoCode {
    fn turn(&mut self, _: Prologue, _: &[u8], _: u32) -> Result<Turn, GuestFault> {
        unreachable!("these tests run no turn")
    }

    fn set_manifest(&mut self, _: &Manifest) {}

    fn outbox(&self) -> &[u8] {
        &[]
    }

    fn take_output(&mut self, _: bool, _: &mut dyn FnMut(&GuestLine<'_>)) {}
}

/// Returns an idle instance that takes calls.
fn idle() -> Instance {
    let deployment = "manifest_version = 1\n[service.echo]\nwasm = \"echo.wasm\"\n";
    let deployment =
        Deployment::parse(deployment, "app.toml".as_ref()).expect("the file must be valid");
    let spec = &deployment.guests[0];
    let log_rate = LogRate::new(spec.log_bytes);
    let id = InstanceId::from_random(1);
    let mut launched_frame = Vec::new();
    push(FrameBuilder::new(
        &mut launched_frame,
        Header::new(Kind::Launched),
    ));
    let identity = Identity {
        id,
        index: 0,
        launched_frame: launched_frame.into(),
        started_ns: 0,
        log_rate,
    };
    let instance = Instance::new(identity, spec, false);
    assert_eq!(
        instance
            .slot
            .put_back(InstanceState::new(Box::new(NoCode), Vec::new()), false),
        Wake::AlreadyAwake
    );
    instance
}

/// Returns the kinds of the frames in the mailbox.
fn frames(instance: &Instance) -> Vec<Kind> {
    kinds(&instance.mailbox.lock().batch)
}

fn kinds(batch: &Batch) -> Vec<Kind> {
    Frames::new(&batch.frames)
        .map(|frame| {
            let frame = frame.expect("a frame must be complete");
            frame.kind().expect("a kind must be known")
        })
        .collect()
}

fn first_frame(bytes: &[u8]) -> Frame<'_> {
    let frame = Frames::new(bytes).next();
    let frame = frame.expect("a frame must exist");
    frame.expect("the frame must be complete")
}

fn call(instance: &Instance) -> Result<(), Failure> {
    call_with(instance, None).map(drop)
}

fn call_with(instance: &Instance, batch: Option<&mut Box<Batch>>) -> Result<Delivery, Failure> {
    numbered_call(instance, batch).map(|(_, delivery)| delivery)
}

fn numbered_call(
    instance: &Instance,
    batch: Option<&mut Box<Batch>>,
) -> Result<(u64, Delivery), Failure> {
    call_with_metadata(instance, &[], batch)
}

fn call_with_metadata(
    instance: &Instance,
    metadata: &[u8],
    batch: Option<&mut Box<Batch>>,
) -> Result<(u64, Delivery), Failure> {
    let mut bytes = Vec::new();
    push(FrameBuilder::new(&mut bytes, Header::new(Kind::Call)).metadata_bytes(metadata));
    let frame = first_frame(&bytes);
    let call = Inbound {
        caller: None,
        number: 1,
        id: CallId::from_random(1),
    };
    instance.send_call(call, Header::new(Kind::Call), &frame, 0, batch)
}

/// Begins the turn for which the instance was queued.
fn begin(instance: &Instance) -> (Box<InstanceState>, Box<Batch>) {
    let mut batch = Box::default();
    let start = instance
        .begin_turn(0, &mut batch)
        .expect("the state must be in the slot");
    (start.state, batch)
}

/// Ends a turn in which the guest asked for no other turn.
fn end(instance: &Instance, state: Box<InstanceState>) -> Wake {
    instance
        .end_turn(
            state,
            Some(Turn {
                has_more_work: false,
                wake_at_ns: NEVER,
            }),
        )
        .wake
}

fn waiting_call(id: u128) -> Outbound {
    Outbound {
        callee: 0,
        inbound: 1,
        origin: Origin::default(),
        id: CallId::from_random(id),
        deadline_ns: 10,
        is_overdue: false,
        is_stream: false,
    }
}

/// Sends the reply to the call of that number.
fn reply(instance: &Instance, number: u64, id: u128, batch: Option<&mut Box<Batch>>) -> Delivery {
    let mut bytes = Vec::new();
    push(FrameBuilder::new(&mut bytes, Header::new(Kind::Reply)));
    let frame = first_frame(&bytes);
    let call = Inbound {
        caller: Some(0),
        number,
        id: CallId::from_random(id),
    };
    instance.send_reply(&call, &frame, None, instance, batch)
}

#[test]
fn a_handoff_needs_an_idle_instance() {
    let instance = idle();
    let mut batch = Box::default();
    let Ok(Delivery::HandedOff(state)) = call_with(&instance, Some(&mut batch)) else {
        panic!("an idle instance must be handed off")
    };
    assert_eq!(kinds(&batch), [Kind::Call]);
    let mut other = Box::default();
    assert!(matches!(
        call_with(&instance, Some(&mut other)),
        Ok(Delivery::Enqueued(Wake::AlreadyAwake))
    ));
    assert_eq!(
        (kinds(&other), frames(&instance), instance.calls()),
        (vec![], vec![Kind::Call], 2)
    );
    assert_eq!(end(&instance, state), Wake::Queue);
}

#[test]
fn both_paths_record_the_trace_of_a_call() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let mut metadata = Vec::new();
    push_pair(&mut metadata, "traceparent", &parent);
    let check = |state: &mut InstanceState, number: u64| {
        let logged = state.calls.logged(number).expect("the call must be known");
        let found = logged.trace.map(|trace| trace.to_string());
        assert_eq!(found.as_deref(), Some(trace));
        state.calls.close(number);
        assert!(state.calls.extras.is_empty());
    };
    let instance = idle();
    let called = call_with_metadata(&instance, &metadata, Some(&mut Box::default()));
    let Ok((number, Delivery::HandedOff(mut state))) = called else {
        panic!("an idle instance must be handed off")
    };
    check(&mut state, number);
    let instance = idle();
    let called = call_with_metadata(&instance, &metadata, None);
    let (number, _) = called.unwrap_or_else(|_| panic!("an idle instance must take calls"));
    let (mut state, _) = begin(&instance);
    check(&mut state, number);
}

#[test]
fn a_queued_instance_is_not_handed_off() {
    let instance = idle();
    assert!(matches!(
        call_with(&instance, None),
        Ok(Delivery::Enqueued(Wake::Queue))
    ));
    let mut batch = Box::default();
    assert!(matches!(
        call_with(&instance, Some(&mut batch)),
        Ok(Delivery::Enqueued(Wake::AlreadyAwake))
    ));
    assert_eq!(
        (kinds(&batch), frames(&instance)),
        (vec![], vec![Kind::Call; 2])
    );
    let (state, batch) = begin(&instance);
    assert_eq!(
        (kinds(&batch), state.calls.inbound.len()),
        (vec![Kind::Call; 2], 2)
    );
    assert_eq!(end(&instance, state), Wake::AlreadyAwake);
}

#[test]
fn both_paths_give_calls_different_numbers() {
    let instance = idle();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let mut batch = Box::default();
        let (number, handoff) =
            numbered_call(&instance, Some(&mut batch)).expect("the instance must take calls");
        numbers.push(number);
        numbers.push(
            numbered_call(&instance, None)
                .expect("the instance must take calls")
                .0,
        );
        let Delivery::HandedOff(state) = handoff else {
            panic!("an idle instance must be handed off")
        };
        assert_eq!(end(&instance, state), Wake::Queue);
        let (state, _) = begin(&instance);
        assert_eq!(end(&instance, state), Wake::AlreadyAwake);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((numbers.len(), instance.calls()), (6, 6));
}

#[test]
fn an_answered_call_is_not_cancelled() {
    let instance = idle();
    let numbers = [(); 2].map(|()| {
        numbered_call(&instance, None)
            .expect("the instance must take calls")
            .0
    });
    let (mut state, _) = begin(&instance);
    assert!(
        state.calls.inbound.remove(numbers[0]).is_some(),
        "the call must be known until its reply"
    );
    for number in numbers {
        assert_eq!(
            instance.enqueue_cancel(number, CallId::from_random(1)),
            Wake::AlreadyAwake
        );
    }
    assert_eq!(end(&instance, state), Wake::Queue);
    let (mut state, batch) = begin(&instance);
    assert_eq!(kinds(&batch), [Kind::Cancel]);
    assert!(
        state
            .calls
            .inbound
            .get_mut(numbers[1])
            .is_some_and(|call| call.caller.is_none())
    );
}

#[test]
fn an_expired_call_gets_no_second_end() {
    for is_handoff in [false, true] {
        let instance = idle();
        let (mut state, _) = begin(&instance);
        state.calls.outbound.insert(7, waiting_call(7));
        state.calls.outbound.insert(
            8,
            Outbound {
                deadline_ns: 20,
                ..waiting_call(8)
            },
        );
        assert_eq!(
            state
                .calls
                .expire(10)
                .into_iter()
                .map(|(number, _)| number)
                .collect::<Vec<_>>(),
            [7]
        );
        assert_eq!(end(&instance, state), Wake::AlreadyAwake);

        let mut batch = Box::default();
        let (state, batch) = match reply(&instance, 7, 7, is_handoff.then_some(&mut batch)) {
            Delivery::HandedOff(state) => (state, batch),
            Delivery::Enqueued(wake) => {
                assert_eq!(wake, Wake::Queue);
                let _ = reply(&instance, 8, 8, None);
                begin(&instance)
            }
        };
        assert_eq!(kinds(&batch).len(), usize::from(!is_handoff));
        assert_eq!(state.calls.outbound.len(), usize::from(is_handoff));
    }
}

#[test]
fn a_reply_to_an_older_generation_is_dropped() {
    let instance = idle();
    let (mut state, _) = begin(&instance);
    state.calls.outbound.insert(1, waiting_call(2));
    assert_eq!(end(&instance, state), Wake::AlreadyAwake);
    let mut batch = Box::default();
    let Delivery::HandedOff(state) = reply(&instance, 1, 1, Some(&mut batch)) else {
        panic!("an idle instance must be handed off")
    };
    assert_eq!((kinds(&batch), state.calls.outbound.len()), (vec![], 1));
}

#[test]
fn a_launch_reaches_only_its_generation() {
    let instance = idle();
    assert_eq!(instance.enqueue_launched(0), Wake::Queue);
    drop(begin(&instance));
    instance.close(Unavailable::Restarting { since_ns: 0 });
    assert_eq!(instance.reopen(InstanceId::from_random(2), 0), 1);
    assert_eq!(instance.enqueue_launched(0), Wake::AlreadyAwake);
    assert_eq!(frames(&instance), []);
    assert_eq!(
        instance.enqueue_launched(1),
        Wake::AlreadyAwake,
        "the instance is in its init turn"
    );
    assert_eq!(frames(&instance), [Kind::Launched]);
}

#[test]
fn a_stopping_instance_takes_no_more_calls() {
    let instance = idle();
    call(&instance).expect("the instance must take calls");
    assert_eq!(instance.enqueue_stop(7), Wake::AlreadyAwake);
    let mut reply = Vec::new();
    call(&instance)
        .expect_err("a stopping instance must refuse calls")
        .push(1, CallId::from_random(1), &mut reply);
    let frame = first_frame(&reply);
    let Detail { cause, message, .. } = Detail::read(frame.detail);
    assert_eq!(
        (frame.header.status, cause),
        (StatusCode::Unavailable.number(), Cause::Unreachable)
    );
    assert_eq!(message, "echo is stopping");
    assert_eq!(frames(&instance), [Kind::Call, Kind::Stop]);
    // The guest may report that it is ready after the stop was sent.
    instance.accept_calls();
    assert!(call(&instance).is_err());
}

#[test]
fn an_expired_call_in_the_mailbox_is_not_delivered() {
    let instance = idle();
    let (first, _) = numbered_call(&instance, None).expect("the instance must take calls");
    let (second, _) = numbered_call(&instance, None).expect("the instance must take calls");
    let id = CallId::from_random(1);
    let (is_undelivered, wake) = instance.expire(first, id);
    assert!(is_undelivered && wake == Wake::AlreadyAwake);
    assert!(
        !instance.expire(second, CallId::from_random(2)).0,
        "a call with another id must stay"
    );
    let (mut state, batch) = begin(&instance);
    assert_eq!(kinds(&batch), [Kind::Call]);
    assert!(!state.calls.inbound.contains(first));
    assert!(state.calls.inbound.get_mut(second).is_some());
    assert!(state.calls.overdue.is_empty());
    // Once delivered, the call is cancelled instead, and the next turn decides its fate.
    assert!(!instance.expire(second, id).0);
    assert_eq!(end(&instance, state), Wake::Queue);
    let (state, batch) = begin(&instance);
    assert_eq!(kinds(&batch), [Kind::Cancel]);
    let overdue: Vec<_> = state.calls.overdue.iter().map(|(at, _)| *at).collect();
    assert_eq!(overdue, [second]);
}

#[test]
fn a_call_with_a_reply_is_not_overdue() {
    let instance = idle();
    let (number, _) = numbered_call(&instance, None).expect("the instance must take calls");
    let (mut state, _) = begin(&instance);
    assert!(!instance.expire(number, CallId::from_random(1)).0);
    state.calls.inbound.remove(number);
    assert_eq!(end(&instance, state), Wake::Queue);
    let (state, batch) = begin(&instance);
    assert_eq!((kinds(&batch), state.calls.overdue.len()), (vec![], 0));
}

#[test]
fn headers_reach_only_a_waiting_caller() {
    let instance = idle();
    let (mut state, _) = begin(&instance);
    state.calls.outbound.insert(1, waiting_call(7));
    assert_eq!(end(&instance, state), Wake::AlreadyAwake);
    let mut bytes = Vec::new();
    push(FrameBuilder::new(&mut bytes, Header::new(Kind::Open)).metadata("colour", "red"));
    let open = first_frame(&bytes);
    for id in [7, 8] {
        let call = Inbound {
            caller: None,
            number: 1,
            id: CallId::from_random(id),
        };
        assert!(instance.enqueue_open(&call, &open).is_ok());
    }
    let _ = reply(&instance, 1, 7, None);
    let (state, batch) = begin(&instance);
    assert_eq!(kinds(&batch), [Kind::Open, Kind::Reply]);
    let headers = first_frame(&batch.frames).metadata_pairs().next();
    assert_eq!(headers, Some(Ok(("colour", "red"))));
    assert_eq!(state.calls.outbound.len(), 0);
}
