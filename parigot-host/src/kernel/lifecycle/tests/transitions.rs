//! The table of transitions: each phase with each event.

use super::*;

/// Event of the guest 0, or of its dependency, the guest 1.
#[derive(Clone, Copy, Debug)]
enum Event {
    RequestLaunch,
    DependencyReady,
    Ready,
    BeginRestart,
    Restarted,
    Ended,
}

impl Event {
    fn happen(self, lifecycle: &Lifecycle) {
        match self {
            Event::RequestLaunch => drop(lifecycle.request_launch(0)),
            Event::DependencyReady => {
                lifecycle.restarted(1, 1);
                lifecycle.request_launch(1);
                lifecycle.ready(1);
            }
            Event::Ready => drop(lifecycle.ready(0)),
            Event::BeginRestart => drop(lifecycle.begin_restart(0)),
            Event::Restarted => drop(lifecycle.restarted(0, 1)),
            Event::Ended => drop(lifecycle.ended(0, Some(0))),
        }
    }
}

/// Returns a lifecycle whose guest 0 requires the guest 1, was ready, and is in that phase.
fn in_phase(phase: Phase) -> Lifecycle {
    let lifecycle = Lifecycle::new(
        vec![GuestKind::Service, GuestKind::Service],
        vec![Dependency {
            exporters: vec![1],
            required_by: vec![0],
        }],
    );
    let ready = [Event::DependencyReady, Event::RequestLaunch, Event::Ready];
    let restarted = [Event::BeginRestart, Event::Restarted];
    let further: &[Event] = match phase {
        Phase::Restarting => &restarted[..1],
        Phase::Starting => &restarted,
        Phase::Waiting | Phase::Launched => {
            &[Event::BeginRestart, Event::Restarted, Event::RequestLaunch]
        }
        Phase::Ready => &[],
        Phase::Ended => &[Event::Ended],
    };
    ready.iter().for_each(|event| event.happen(&lifecycle));
    if phase == Phase::Waiting {
        lifecycle.begin_restart(1);
    }
    further.iter().for_each(|event| event.happen(&lifecycle));
    lifecycle
}

#[test]
fn transitions_follow_the_table() {
    use Phase::{Ended, Launched, Ready, Restarting, Starting, Waiting};
    const EVENTS: [Event; 6] = [
        Event::RequestLaunch,
        Event::DependencyReady,
        Event::Ready,
        Event::BeginRestart,
        Event::Restarted,
        Event::Ended,
    ];
    // Phase before the event, then the phase after each of the events. An ended guest has no
    // instance that could end once more, so `BeginRestart` cannot happen to it.
    #[rustfmt::skip]
    let table = [
        (Restarting, [Restarting, Restarting, Restarting, Restarting, Starting,   Ended]),
        (Starting,   [Launched,   Starting,   Starting,   Restarting, Starting,   Ended]),
        (Waiting,    [Waiting,    Launched,   Waiting,    Restarting, Waiting,    Ended]),
        (Launched,   [Launched,   Launched,   Ready,      Restarting, Launched,   Ended]),
        (Ready,      [Ready,      Ready,      Ready,      Restarting, Ready,      Ended]),
        (Ended,      [Ended,      Ended,      Ended,      Ended,      Ended,      Ended]),
    ];
    for (before, after) in table {
        for (event, after) in EVENTS.into_iter().zip(after) {
            if matches!((before, event), (Ended, Event::BeginRestart)) {
                continue;
            }
            let lifecycle = in_phase(before);
            assert_eq!(lifecycle.state.lock().guests[0].phase, before);
            event.happen(&lifecycle);
            let phase = lifecycle.state.lock().guests[0].phase;
            assert_eq!(phase, after, "{before:?}, then {event:?}");
        }
    }
}
