//! Processes that start, leave or have incompatible schemas.

use super::*;

#[test]
fn calls_of_a_silent_process_end() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    gateway.call();
    drop(kitchen);
    let (id, told) = events.failed();
    assert_eq!(
        (id, told.code, told.cause),
        (call_id(1), Code::Unavailable, Cause::CalleeExited)
    );
    assert_eq!(
        told.text,
        "the process that offered greeting.v1.Greeting has sent no heartbeat for 3 s"
    );
    assert_eq!(front.call(2, "").unwrap_err().cause, Cause::Unreachable);
}

#[test]
fn a_service_continues_with_another_process() {
    let server = Server::start();
    let (front, mut events, kitchen, _gateway) = connected_pair(&server);
    let cellar = Process::new(&server, "cellar");
    let mut cellar_gateway = cellar.export(SCHEMA, Vec::new());
    events.found();
    let ping = format!("$SRV.PING.greeting_v1_Greeting.{}", kitchen.host);
    drop(kitchen);
    RawClient::on(&server).wait_until_unsubscribed(&ping);
    front.call(1, "").unwrap();
    cellar.reply(cellar_gateway.call().1, "");
    assert_eq!(events.answered().0, call_id(1));
}

#[test]
fn a_withdrawn_service_answers_accepted_calls() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    let (_, from) = gateway.call();
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(gateway.next(), GatewayEvent::Drained));
    // Callers are notified later. Calls sent before that find no subscriber.
    let told = (2..)
        .find_map(|number| front.call(number, "").err())
        .unwrap();
    assert_eq!(told.text, "no process offers greeting.v1.Greeting");
    kitchen.reply(from, "the last");
    let reply = loop {
        match events.next() {
            RemoteEvent::Answered { id, reply } => break (id == call_id(1)).then_some(reply),
            RemoteEvent::Failed { id, failure } => assert_ne!(id, call_id(1), "{failure:?}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(&*reply.unwrap().payload, b"the last");
}

#[test]
fn each_call_ends_during_a_withdrawal() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    let (calls, mut refused) = (20_000, 0);
    let (mut sent, mut answered) = (0, 0);
    for number in 1..=calls {
        match front.call(number, "") {
            Ok(()) => sent += 1,
            Err(told) => {
                assert_eq!(told.cause, Cause::Unreachable);
                refused += 1;
            }
        }
        if number == calls / 4 {
            kitchen.transport.withdraw(SERVICE);
        }
    }
    let mut taken = 0;
    loop {
        match gateway.next() {
            GatewayEvent::Call { from, .. } => {
                taken += 1;
                kitchen.reply(from, "");
            }
            GatewayEvent::Drained => break,
            other => panic!("{other:?}"),
        }
    }
    let (mut failed, mut overloaded) = (0, 0);
    while answered + failed + overloaded < sent {
        match events.next() {
            RemoteEvent::Answered { reply, .. } if reply.status == 0 => answered += 1,
            RemoteEvent::Answered { reply, .. } => {
                assert_eq!(FailedCall::of(&reply).cause, Cause::Overloaded);
                overloaded += 1;
            }
            RemoteEvent::Failed { failure, .. } => {
                let cause = FailedCall::of(&Reply::from(&failure)).cause;
                assert!(
                    matches!(cause, Cause::Unreachable | Cause::CalleeExited),
                    "{failure:?}"
                );
                failed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        answered, taken,
        "exactly the accepted calls must be answered"
    );
    assert_eq!(sent + refused, calls);
}

#[test]
fn a_closing_process_notifies_its_callers() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    gateway.call();
    kitchen.transport.close();
    let (_, told) = events.failed();
    assert_eq!(
        (told.code, told.cause),
        (Code::Unavailable, Cause::CalleeExited)
    );
    assert_eq!(told.text, "process kitchen left before it replied");
}

/// Returns descriptors of `greeting.v1.Greeting` with one unary method.
fn descriptors(method: &str) -> Vec<u8> {
    descriptors_of(method, false)
}

/// Returns the same descriptors with a method that may be a server stream.
fn descriptors_of(method: &str, is_stream: bool) -> Vec<u8> {
    use prost::Message as _;
    use prost_types::{
        DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
        ServiceDescriptorProto,
    };
    let message = "M".to_owned();
    let method = MethodDescriptorProto {
        name: Some(method.to_owned()),
        input_type: Some(".greeting.v1.M".to_owned()),
        output_type: Some(".greeting.v1.M".to_owned()),
        server_streaming: Some(is_stream),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Greeting".to_owned()),
        method: vec![method],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        package: Some("greeting.v1".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some(message),
            ..Default::default()
        }],
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[test]
fn a_compatible_schema_is_found() {
    let server = Server::start();
    let (front, kitchen) = (
        Process::new(&server, "front"),
        Process::new(&server, "kitchen"),
    );
    let mut gateway = kitchen.export(2, descriptors("FetchGreeting"));
    let mut events = front.import(1, descriptors("FetchGreeting"));
    events.found();
    front.call(1, "").unwrap();
    kitchen.reply(gateway.call().1, "");
    events.answered();
}

#[test]
fn an_incompatible_schema_fails_with_the_reason() {
    let server = Server::start();
    let lines = Lines::new();
    let (front, kitchen) = (
        lines.of(|| Process::new(&server, "front")),
        Process::new(&server, "kitchen"),
    );
    let _gateway = kitchen.export(2, descriptors_of("FetchGreeting", true));
    let mut events = front.import(1, descriptors("FetchGreeting"));
    // Until the schemas are compared, no process offers the service.
    let told = loop {
        match front.call(1, "").unwrap_err() {
            told if told.code == Code::FailedPrecondition => break told,
            told => assert_eq!(told.text, "no process offers greeting.v1.Greeting"),
        }
        std::thread::yield_now();
    };
    assert_eq!(told.cause, Cause::Unreachable);
    let text = "incompatible schema of greeting.v1.Greeting: process front was built against a \
                different version than process kitchen offers: method FetchGreeting is unary for \
                `front` and a server stream for `kitchen`";
    assert_eq!(told.text, text);
    // A compatible process is found as well, and gets all calls.
    let cellar = Process::new(&server, "cellar");
    let mut gateway = cellar.export(3, descriptors("FetchGreeting"));
    events.found();
    for number in 2..10 {
        front.call(number, "").unwrap();
        cellar.reply(gateway.call().1, "");
        assert_eq!(events.answered().0, call_id(number));
    }
    assert_eq!(
        lines.all(),
        [
            format!("ERROR {text}"),
            format!("INFO process cellar offers {SERVICE}")
        ]
    );
}

#[test]
fn a_process_that_lacks_a_method_is_found_with_a_warning() {
    let server = Server::start();
    let lines = Lines::new();
    let front = lines.of(|| Process::new(&server, "front"));
    let kitchen = Process::new(&server, "kitchen");
    let mut gateway = kitchen.export(2, descriptors("SayGoodbye"));
    let mut events = front.import(1, descriptors("FetchGreeting"));
    events.found();
    // The gateway of the process answers calls of the missing method.
    front.call(1, "").unwrap();
    kitchen.reply(gateway.call().1, "");
    events.answered();
    let warning = "WARN process kitchen lacks methods of greeting.v1.Greeting that process front \
                   was built with, and calls of these methods fail: method FetchGreeting is \
                   missing (likely new name: SayGoodbye)";
    assert_eq!(
        lines.all(),
        [
            warning.to_owned(),
            format!("INFO process kitchen offers {SERVICE}")
        ]
    );
}

#[test]
fn a_service_known_by_name_accepts_any_schema() {
    let server = Server::start();
    let (front, kitchen) = (
        Process::new(&server, "front"),
        Process::new(&server, "kitchen"),
    );
    let mut gateway = kitchen.export(SCHEMA, Vec::new());
    let mut events = front.import(0, Vec::new());
    events.found();
    front.call(1, "").unwrap();
    assert_eq!(gateway.call().0.id, call_id(1));
}
