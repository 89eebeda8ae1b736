//! Processes that come and go, and those that do not fit.

use super::*;

#[test]
fn a_process_that_goes_without_a_word_is_lost_and_so_are_its_calls() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    front.call(1, "").unwrap();
    inbound_calls.call();
    drop(kitchen);
    let (id, told) = news.failed();
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
fn with_another_process_left_a_service_goes_on() {
    let server = Server::start();
    let (front, mut news, kitchen, _visits) = couple(&server);
    let cellar = Process::new(&server, "cellar");
    let mut cellar_visits = cellar.export(SCHEMA, Vec::new());
    news.found();
    let ping = format!("$SRV.PING.greeting_v1_Greeting.{}", kitchen.host);
    drop(kitchen);
    Stranger::on(&server).wait_until_nobody_hears(&ping);
    front.call(1, "").unwrap();
    cellar.reply(cellar_visits.call().1, "");
    assert_eq!(news.answered().0, call_id(1));
}

#[test]
fn one_that_withdraws_answers_what_it_has_taken() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    front.call(1, "").unwrap();
    let (_, from) = inbound_calls.call();
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(inbound_calls.next(), GatewayEvent::Drained));
    // Those who call learn of it a moment later; what leaves before finds nobody.
    let told = (2..)
        .find_map(|number| front.call(number, "").err())
        .unwrap();
    assert_eq!(told.text, "no process offers greeting.v1.Greeting");
    kitchen.reply(from, "the last");
    let reply = loop {
        match news.next() {
            RemoteEvent::Answered { id, reply } => break (id == call_id(1)).then_some(reply),
            RemoteEvent::Failed { id, failure } => assert_ne!(id, call_id(1), "{failure:?}"),
            RemoteEvent::Found { .. } => panic!("nobody has come"),
        }
    };
    assert_eq!(&*reply.unwrap().payload, b"the last");
}

#[test]
fn each_call_ends_while_the_process_that_takes_them_withdraws() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
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
        match inbound_calls.next() {
            GatewayEvent::Call { from, .. } => {
                taken += 1;
                kitchen.reply(from, "");
            }
            GatewayEvent::Drained => break,
            GatewayEvent::Cancel { .. } => panic!("nobody has cancelled"),
        }
    }
    let (mut failed, mut overloaded) = (0, 0);
    while answered + failed + overloaded < sent {
        match news.next() {
            RemoteEvent::Answered { reply, .. } if reply.status == 0 => answered += 1,
            RemoteEvent::Answered { reply, .. } => {
                assert_eq!(Told::of(&reply).cause, Cause::Overloaded);
                overloaded += 1;
            }
            RemoteEvent::Failed { failure, .. } => {
                let cause = Told::of(&Reply::from(&failure)).cause;
                assert!(
                    matches!(cause, Cause::Unreachable | Cause::CalleeExited),
                    "{failure:?}"
                );
                failed += 1;
            }
            RemoteEvent::Found { .. } => panic!("nobody has come"),
        }
    }
    assert_eq!(
        answered, taken,
        "what was taken was answered, and nothing else"
    );
    assert_eq!(sent + refused, calls);
}

#[test]
fn a_process_that_closes_tells_those_who_wait() {
    let server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    front.call(1, "").unwrap();
    inbound_calls.call();
    kitchen.transport.close();
    let (_, told) = news.failed();
    assert_eq!(
        (told.code, told.cause),
        (Code::Unavailable, Cause::CalleeExited)
    );
    assert_eq!(told.text, "process kitchen left before it replied");
}

/// Descriptors of `greeting.v1.Greeting` with a method of that name.
fn descriptors(method: &str) -> Vec<u8> {
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
fn a_process_with_another_schema_that_fits_is_found() {
    let server = Server::start();
    let (front, kitchen) = (
        Process::new(&server, "front"),
        Process::new(&server, "kitchen"),
    );
    let mut inbound_calls = kitchen.export(2, descriptors("FetchGreeting"));
    let mut news = front.import(1, descriptors("FetchGreeting"));
    news.found();
    front.call(1, "").unwrap();
    kitchen.reply(inbound_calls.call().1, "");
    news.answered();
}

#[test]
fn a_process_whose_schema_does_not_fit_gets_no_calls_and_callers_are_told_why() {
    let server = Server::start();
    let lines = Lines::new();
    let (front, kitchen) = (
        lines.of(|| Process::new(&server, "front")),
        Process::new(&server, "kitchen"),
    );
    let _visits = kitchen.export(2, descriptors("SayGoodbye"));
    let mut news = front.import(1, descriptors("FetchGreeting"));
    // It is told once it is known; until then nobody offers the service.
    let told = loop {
        match front.call(1, "").unwrap_err() {
            told if told.code == Code::FailedPrecondition => break told,
            told => assert_eq!(told.text, "no process offers greeting.v1.Greeting"),
        }
        std::thread::yield_now();
    };
    assert_eq!(told.cause, Cause::Unreachable);
    let text = "incompatible schema of greeting.v1.Greeting: process front was built against a different version than process kitchen offers: method FetchGreeting is missing";
    assert_eq!(told.text, text);
    // One that fits is found beside it, and gets all calls.
    let cellar = Process::new(&server, "cellar");
    let mut inbound_calls = cellar.export(3, descriptors("FetchGreeting"));
    news.found();
    for number in 2..10 {
        front.call(number, "").unwrap();
        cellar.reply(inbound_calls.call().1, "");
        assert_eq!(news.answered().0, call_id(number));
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
fn whoever_knows_a_service_by_its_name_alone_takes_each() {
    let server = Server::start();
    let (front, kitchen) = (
        Process::new(&server, "front"),
        Process::new(&server, "kitchen"),
    );
    let mut inbound_calls = kitchen.export(SCHEMA, Vec::new());
    let mut news = front.import(0, Vec::new());
    news.found();
    front.call(1, "").unwrap();
    assert_eq!(inbound_calls.call().0.id, call_id(1));
}
