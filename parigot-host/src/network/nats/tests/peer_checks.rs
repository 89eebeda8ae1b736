//! Warnings about processes that do not fit, and their number.

use super::super::log::PEER_LINES_MAX;
use super::*;

/// Starts a process with a log, which requires the service.
fn front(server: &Server, lines: &Lines) -> (Process, Inbox<RemoteEvent>) {
    let front = lines.of(|| Process::new(server, "front"));
    let events = front.import(SCHEMA, Vec::new());
    (front, events)
}

#[test]
fn another_deployment_with_the_same_app_is_named_on_both_sides() {
    let server = Server::start();
    let (lines, other_lines) = (Lines::new(), Lines::new());
    let (_front, mut events) = front(&server, &lines);
    let mut other = identity(&server, "other");
    other.network.processes = vec!["other".to_owned()];
    let other = other_lines.of(|| Process::of(other));
    let _gateway = other.export(SCHEMA, Vec::new());
    events.found();
    let warning = |process: &str| {
        format!(
            "WARN process {process} belongs to a deployment with other processes and has the \
             same app `shop`: give each deployment its own `app`"
        )
    };
    lines.wait_for(&warning("other"));
    let (_second, _events) = front(&server, &Lines::new());
    other_lines.wait_for(&warning("front"));
    let all = lines.all();
    let count = all
        .iter()
        .filter(|line| line.contains("app `shop`"))
        .count();
    assert_eq!(count, 1, "{all:?}");
}

#[test]
fn clocks_ahead_and_behind_are_named() {
    for is_ahead in [true, false] {
        let server = Server::start();
        let lines = Lines::new();
        let (_front, mut events) = front(&server, &lines);
        let now = Duration::from_nanos(SystemClock::new().wall_ns());
        let wall = if is_ahead {
            now + 60 * SECOND
        } else {
            now - 60 * SECOND
        };
        let back = Process::of(ProcessIdentity {
            clock: Arc::new(ManualClock::new(wall)),
            ..identity(&server, "back")
        });
        let _gateway = back.export(SCHEMA, Vec::new());
        events.found();
        lines.wait_for("WARN the clock of process back is ");
        let direction = if is_ahead {
            " ms ahead, "
        } else {
            " ms behind, "
        };
        let all = lines.all();
        assert!(all.iter().any(|line| line.contains(direction)), "{all:?}");
    }
}

#[test]
fn a_caller_whose_clock_is_ahead_is_named() {
    let server = Server::start();
    let lines = Lines::new();
    let kitchen = lines.of(|| Process::new(&server, "kitchen"));
    let mut gateway = kitchen.export(SCHEMA, Vec::new());
    let mut caller = FakePeer::on(&RawClient::on(&server), "front");
    caller.wait_for_service();
    caller.wall += 60 * SECOND;
    caller.request(1, "", WAIT_MAX);
    assert_eq!(gateway.call().0.id, call_id(1));
    lines.wait_for("WARN the clock of process front is ");
}

#[test]
fn forged_announcements_cause_few_lines() {
    let server = Server::start();
    let lines = Lines::new();
    let (_front, mut events) = front(&server, &lines);
    let client = RawClient::on(&server);
    FakePeer::on(&client, "real").publish(
        &Subjects::of(APP).ready(SERVICE),
        PeerMessage::Announcement(Announcement::new(
            SERVICE.to_owned(),
            SCHEMA,
            Vec::new(),
            Stage::Ready,
        )),
    );
    for number in 0..1_000_u128 {
        let liar = PeerId {
            host: HostId::from_random(number << 8 | 1),
            process: format!("liar-{number}"),
        };
        for stage in [Stage::Ready, Stage::Gone] {
            let forged = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), stage);
            let subject = Subjects::of(APP).ready(SERVICE);
            client.publish(&subject, liar.write(PeerMessage::Announcement(forged)));
        }
    }
    events.found();
    lines.wait_for("WARN left out ");
    let all = lines.all();
    let about_liars = all.iter().filter(|line| line.contains("liar")).count();
    // The announcements may lie in two windows.
    assert!(about_liars <= 2 * PEER_LINES_MAX as usize, "{about_liars}");
}
