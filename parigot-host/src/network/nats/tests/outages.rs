//! Servers that are unreachable, refuse a process or restart.

use super::*;

#[test]
fn a_process_without_a_server_does_not_start() {
    let mut server = Server::start();
    let mut identity = identity(&server, "front");
    identity.network.servers = vec![server.with_login("user:secret@")];
    let at = server.url().replace("//", "//user:…@");
    server.kill();
    let error = Nats::connect(identity).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot connect to NATS server {at}: ")),
        "{text}"
    );
    assert!(
        text.contains("refused") && !text.contains("secret"),
        "{text}"
    );
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert_eq!(
        help,
        "start a server with `nats-server`, or correct `nats` in `[network]`"
    );
}

#[test]
fn a_start_waits_for_a_server_if_the_deployment_says_so() {
    let mut server = Server::start();
    let mut identity = identity(&server, "front");
    identity.network.wait = Some(WAIT_MAX);
    server.kill();
    let lines = Lines::new();
    std::thread::scope(|scope| {
        scope.spawn(|| lines.of(|| Process::of(identity)).transport.close());
        lines.wait_for("INFO waiting up to 120s for a NATS server: cannot connect to NATS server ");
        server.restart();
    });
    let all = lines.all();
    assert_eq!(
        all.iter().filter(|line| line.contains("waiting")).count(),
        1,
        "{all:?}"
    );
}

#[test]
fn a_start_that_has_waited_long_enough_fails() {
    let mut server = Server::start();
    server.kill();
    let error = refusal(&server, |network| {
        network.wait = Some(Duration::from_millis(1));
    });
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_message_that_ends_the_client_leads_to_a_new_client() {
    let server = Server::start();
    let relay = Relay::to(&server);
    let lines = Lines::new();
    let through_relay = |name: &str| {
        let mut identity = identity(&server, name);
        identity.network.servers = vec![relay.nats()];
        lines.of(|| Process::of(identity))
    };
    let (front, mut events, kitchen, mut gateway) =
        connect(through_relay("front"), through_relay("kitchen"));
    // The client panics at an error without a text.
    relay.inject(b"-ERR\r\n");
    lines.wait_for(
        "WARN the connection to NATS ended at a malformed message of the server: connecting again",
    );
    lines.wait_for("INFO the connection to NATS is up again, after ");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while let GatewayEvent::Call { request, from } = gateway.next() {
                kitchen.reply(from, request.payload);
            }
        });
        let reply = (1..)
            .find_map(|number| call_again(&front, &mut events, number))
            .expect("a call must be answered");
        assert_eq!(&*reply.payload, b"again");
        kitchen.transport.withdraw(SERVICE);
    });
}

#[test]
fn one_reachable_server_of_several_is_enough() {
    let server = Server::start();
    // These servers accept connections, but send nothing.
    let mute: [_; 2] = std::array::from_fn(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let mut identity = identity(&server, "front");
    let addresses = mute
        .iter()
        .map(|listener| format!("nats://{}", listener.local_addr().unwrap()))
        .map(|address| address.parse().expect("the address must be valid"));
    identity.network.servers.extend(addresses);
    Nats::connect(identity).unwrap();
}

#[test]
fn a_start_fails_if_the_server_rejects_the_login() {
    let server = Server::with_flags(&["--user", "ada", "--pass", "secret"]);
    let mut identity = identity(&server, "front");
    let error = Nats::connect(self::identity(&server, "front"))
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.to_string().ends_with(" rejected the credentials"),
        "{error}"
    );
    identity.network.servers = vec![server.with_login("ada:secret@")];
    Nats::connect(identity).unwrap();
}

#[test]
fn calls_fail_during_an_outage_and_work_after_it() {
    let mut server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    let (_, from) = gateway.call();
    server.kill();
    // Calls before the client notices the loss fail later.
    let told = (2..)
        .find_map(|number| match front.call(number, "") {
            Ok(()) => {
                std::thread::yield_now();
                None
            }
            Err(told) => Some(told),
        })
        .unwrap();
    assert_eq!(
        (told.code, told.cause),
        (Code::Unavailable, Cause::Unreachable)
    );
    assert!(
        told.text
            .starts_with("the connection to NATS has been down for ")
            && told.text.ends_with(" ms"),
        "{told:?}"
    );
    server.restart();
    // Both processes reconnect, and a call from before the outage is still answered.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while let GatewayEvent::Call { request, from } = gateway.next() {
                kitchen.reply(from, request.payload);
            }
        });
        let reply = (1_000_000..)
            .find_map(|number| call_again(&front, &mut events, number))
            .unwrap();
        assert_eq!(&*reply.payload, b"again");
        kitchen.reply(from, "for the first");
        kitchen.transport.withdraw(SERVICE);
    });
    let reply = loop {
        match events.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(1) => break reply,
            RemoteEvent::Failed { id, failure } => assert_ne!(id, call_id(1), "{failure:?}"),
            _ => {}
        }
    };
    assert_eq!(&*reply.payload, b"for the first");
}

/// Makes a call. Returns `None` if the call fails.
fn call_again(front: &Process, events: &mut Inbox<RemoteEvent>, number: u128) -> Option<Reply> {
    if let Err(told) = front.call(number, "again") {
        assert_eq!(told.cause, Cause::Unreachable);
        std::thread::yield_now();
        return None;
    }
    loop {
        match events.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(number) => return Some(reply),
            RemoteEvent::Failed { id, .. } if id == call_id(number) => return None,
            // Ends of earlier calls.
            _ => {}
        }
    }
}

#[test]
fn a_service_drains_while_the_server_is_down() {
    let mut server = Server::start();
    let (_front, _events, kitchen, mut gateway) = connected_pair(&server);
    server.kill();
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(gateway.next(), GatewayEvent::Drained));
    // Closing does not wait for the server either: the thread of the transport ends.
    kitchen.transport.close();
    let until = std::time::Instant::now() + WAIT_MAX;
    while let Some(thread) = &*kitchen.transport.thread.lock()
        && !thread.is_finished()
    {
        assert!(std::time::Instant::now() < until, "the thread must end");
        std::thread::yield_now();
    }
}

#[test]
fn a_lost_and_a_restored_connection_are_logged() {
    let mut server = Server::start();
    let lines = Lines::new();
    let front = lines.of(|| Process::new(&server, "front"));
    server.kill();
    lines.wait_for("WARN the connection to NATS is down: calls to other processes are refused");
    server.restart();
    lines.wait_for("INFO the connection to NATS is up again, after ");
    front.transport.close();
    // Of the client's own reports, only the reason of the first failed attempt is logged.
    let rest = lines
        .all()
        .into_iter()
        .filter(|line| !line.contains("the connection to NATS is"));
    assert!(
        rest.clone().count() <= 1 && rest.clone().all(|line| line.starts_with("WARN NATS: ")),
        "{:?}",
        lines.all()
    );
}
