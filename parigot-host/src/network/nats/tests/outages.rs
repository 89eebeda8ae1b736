//! A server that is not there.

use super::*;
use crate::error::NetworkError;

#[test]
fn a_process_that_finds_no_server_does_not_start() {
    let mut server = Server::start();
    let mut identity = identity(&server, "front");
    let at = server.url();
    identity.network.servers = vec![at.replace("//", "//user:secret@")];
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
fn of_several_servers_one_that_answers_will_do() {
    let server = Server::start();
    // They take connections, and say nothing.
    let mute: [_; 2] = std::array::from_fn(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let mut identity = identity(&server, "front");
    let addresses = mute
        .iter()
        .map(|listener| format!("nats://{}", listener.local_addr().unwrap()));
    identity.network.servers.extend(addresses);
    Nats::connect(identity).unwrap();
}

#[test]
fn a_server_that_does_not_let_a_process_in_refuses_its_start() {
    let server = Server::with_flags(&["--user", "ada", "--pass", "secret"]);
    let mut identity = identity(&server, "front");
    let error = Nats::connect(self::identity(&server, "front"))
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.to_string().ends_with(" rejected the credentials"),
        "{error}"
    );
    identity.network.servers = vec![server.url().replace("//", "//ada:secret@")];
    Nats::connect(identity).unwrap();
}

#[test]
fn credentials_that_are_not_there_are_named() {
    let server = Server::start();
    let mut identity = identity(&server, "front");
    identity.network.credentials = Some("/nowhere/nats.creds".into());
    let error = Nats::connect(identity).map(|_| ()).unwrap_err();
    assert!(matches!(error, NetworkError::Credentials { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot read the NATS credentials from /nowhere/nats.creds"
    );
}

#[test]
fn while_the_server_is_away_calls_are_refused_and_afterwards_they_go_on() {
    let mut server = Server::start();
    let (front, mut news, kitchen, mut inbound_calls) = couple(&server);
    front.call(1, "").unwrap();
    let (_, from) = inbound_calls.call();
    server.kill();
    // The client notices; a call that is made before is refused when it does.
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
    // The connection is used again, once both have it, and a call that was under way is still answered.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while let GatewayEvent::Call { request, from } = inbound_calls.next() {
                kitchen.reply(from, request.payload);
            }
        });
        let reply = (1_000_000..)
            .find_map(|number| call_again(&front, &mut news, number))
            .unwrap();
        assert_eq!(&*reply.payload, b"again");
        kitchen.reply(from, "for the first");
        kitchen.transport.withdraw(SERVICE);
    });
    let reply = loop {
        match news.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(1) => break reply,
            RemoteEvent::Failed { id, failure } => assert_ne!(id, call_id(1), "{failure:?}"),
            RemoteEvent::Answered { .. } | RemoteEvent::Found { .. } => {}
        }
    };
    assert_eq!(&*reply.payload, b"for the first");
}

/// Makes a call; `None` if it is refused.
fn call_again(front: &Process, news: &mut Inbox<RemoteEvent>, number: u128) -> Option<Reply> {
    if let Err(told) = front.call(number, "again") {
        assert_eq!(told.cause, Cause::Unreachable);
        std::thread::yield_now();
        return None;
    }
    loop {
        match news.next() {
            RemoteEvent::Answered { id, reply } if id == call_id(number) => return Some(reply),
            RemoteEvent::Failed { id, .. } if id == call_id(number) => return None,
            // Of calls that were made before.
            RemoteEvent::Answered { .. }
            | RemoteEvent::Failed { .. }
            | RemoteEvent::Found { .. } => {}
        }
    }
}

#[test]
fn a_service_can_be_drained_while_the_server_is_away() {
    let mut server = Server::start();
    let (_front, _news, kitchen, mut inbound_calls) = couple(&server);
    server.kill();
    kitchen.transport.withdraw(SERVICE);
    assert!(matches!(inbound_calls.next(), GatewayEvent::Drained));
    // Closing does not wait for the server either: the thread of the transport ends.
    kitchen.transport.close();
    let until = std::time::Instant::now() + PATIENCE;
    while let Some(thread) = &*kitchen.transport.thread.lock()
        && !thread.is_finished()
    {
        assert!(std::time::Instant::now() < until, "the thread must end");
        std::thread::yield_now();
    }
}

#[test]
fn the_log_says_when_the_connection_was_lost_and_when_it_is_there_again() {
    let mut server = Server::start();
    let lines = Lines::new();
    let front = lines.of(|| Process::new(&server, "front"));
    server.kill();
    lines.wait_for("WARN the connection to NATS is down: calls to other processes are refused");
    server.restart();
    lines.wait_for("INFO the connection to NATS is up again, after ");
    front.transport.close();
    // What the client has to say of each attempt is left to it, but for why the first has failed.
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
