//! Exporters that leave the group during a restart of their service.

use super::*;

#[test]
fn a_paused_exporter_leaves_the_group_and_comes_back() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    kitchen.transport.pause(SERVICE, true);
    let subject = Subjects::of(APP).call(SERVICE, SCHEMA);
    RawClient::on(&server).wait_until_unsubscribed(&subject);
    let told = loop {
        // Before the announcement arrives, calls fail later, because nothing receives them.
        match front.call(1, "") {
            Err(told) => break told,
            Ok(()) => _ = events.failed(),
        }
    };
    let text = "greeting.v1.Greeting is being restarted in each process that offers it, or these \
                processes have no free worker";
    assert_eq!((told.cause, &*told.text), (Cause::Unreachable, text));
    kitchen.transport.pause(SERVICE, false);
    events.found();
    front.call(2, "").expect("the service must be found again");
    assert_eq!(gateway.call().0.id, call_id(2));
}

#[test]
fn a_service_is_withdrawn_during_and_after_a_pause() {
    let server = Server::start();
    for pauses in [&[true][..], &[true, false], &[true, false, true, false]] {
        let kitchen = Process::new(&server, "kitchen");
        let mut gateway = kitchen.export(SCHEMA, Vec::new());
        for is_paused in pauses {
            kitchen.transport.pause(SERVICE, *is_paused);
        }
        kitchen.transport.withdraw(SERVICE);
        assert!(matches!(gateway.next(), GatewayEvent::Drained));
    }
}
