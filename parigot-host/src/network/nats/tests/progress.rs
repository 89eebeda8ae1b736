//! Processes whose workers do not run the gateways.

use super::*;

#[test]
fn a_process_without_progress_withdraws_its_offer() {
    let server = Server::start();
    let lines = Lines::new();
    let front = Process::new(&server, "front");
    let kitchen = lines.of(|| Process::new(&server, "kitchen"));
    let mut events = front.import(SCHEMA, Vec::new());
    let mut gateway = Inbox::held();
    kitchen.export_to(&gateway, SCHEMA, Vec::new());
    events.found();
    // The gateway takes nothing until the offer is withdrawn.
    front.call(1, "").unwrap();
    let (id, told) = events.failed();
    assert_eq!((id, told.cause), (call_id(1), Cause::Unreachable));
    assert_eq!(told.text, "process kitchen had no free worker for 3 s");
    let subject = Subjects::of(APP).call(SERVICE, SCHEMA);
    RawClient::on(&server).wait_until_unsubscribed(&subject);

    let cellar = Process::new(&server, "cellar");
    let mut cellar_gateway = cellar.export(SCHEMA, Vec::new());
    events.found();
    for number in 2..10 {
        front.call(number, "").unwrap();
        assert_eq!(cellar_gateway.call().0.id, call_id(number));
    }

    assert!(gateway.queue.take().is_empty(), "the call was refused");
    events.found();
    cellar.transport.withdraw(SERVICE);
    assert!(matches!(cellar_gateway.next(), GatewayEvent::Drained));
    front.call(10, "").unwrap();
    assert_eq!(gateway.call().0.id, call_id(10));
    let text = "no worker was free for 3s: calls of other processes to greeting.v1.Greeting are \
                refused until one is";
    assert_eq!(
        lines.all(),
        [
            format!("WARN {text}"),
            format!("INFO a worker is free again: offering {SERVICE}")
        ]
    );
}
