//! Go guests with many live objects at the default budget: the garbage collector must neither end
//! the guest nor hold up others for long.

use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, WithControlPair, code_cache, go_guest, guest, soak};
use parigot_host::Settings;
use parigot_host::deployment::Deployment;

use crate::alone;
use crate::budget::CpuClock;

/// Returns a service in Go with that many MiB of live objects, and a program with these arguments.
/// Each object is 64 bytes, so the collector has as much work as with any heap of that size.
fn beside_heap(mib: usize, program: &str, args: &[String]) -> App {
    let file = format!(
        "startup_deadline = \"1h\"\n\
         [service.heap]\nwasm = \"heap.wasm\"\nmemory = \"1GiB\"\nargs = [\"{mib}\"]\n\
         [program.{program}]\nwasm = \"{program}.wasm\"\nargs = {args:?}\n"
    );
    App::new(&file)
        .with("heap.wasm", go_guest("heap"))
        .with(&format!("{program}.wasm"), guest(program))
}

fn with_calls(mib: usize, calls: usize) -> App {
    beside_heap(mib, "stopwatch", &[calls.to_string(), "16".into()])
}

#[test]
fn a_go_service_with_256_mib_answers_every_call() {
    let _alone = alone();
    let app = with_calls(256, soak(20_000, 1_000_000));
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let settings = Settings {
        code_cache: Some(code_cache()),
        ..Settings::default()
    };
    let (running, log) = Capture::during(|| {
        parigot_host::start(&deployment, settings).expect("the deployment must start")
    });
    let mut lines = log.until(" p99 ");
    assert_eq!(running.wait().status, 0);
    println!("{}", lines.pop().expect("the program has logged").message);
    lines.extend(log.rest());
    let failure = lines.iter().find(|line| line.message.contains("killed"));
    assert_eq!(failure, None);
}

/// Returns the longest time for which another guest on the only worker could not run.
fn longest_pause(mib: usize) -> Duration {
    let beside = WithControlPair::new(with_calls(mib, soak(2_000, 50_000))).without_pauses();
    let beside = beside.with_settings(|settings| Settings {
        workers: 1,
        clock: Arc::new(CpuClock),
        ..settings
    });
    let ran = beside.run(" p99 ");
    let killed = ran.messages_of("heap").find(|line| line.contains("killed"));
    assert_eq!((killed, ran.pair.failed), (None, 0));
    ran.pair.longest
}

#[test]
fn marking_is_spread_over_turns() {
    let _alone = alone();
    let sizes: &[usize] = if soak(0, 1) == 0 {
        &[64]
    } else {
        &[8, 16, 32, 64, 128, 256, 512]
    };
    let pauses: Vec<_> = sizes.iter().map(|mib| longest_pause(*mib)).collect();
    for (mib, pause) in sizes.iter().zip(&pauses) {
        println!("{mib} MiB of live objects: the longest turn took {pause:?}");
    }
    // Marking 512 MiB in one turn takes more than 600 ms, even on a machine without other work.
    let longest = pauses.iter().max().expect("there is a size");
    assert!(*longest < Duration::from_millis(400), "{pauses:?}");
}

#[test]
fn a_loop_beside_a_large_heap_is_killed() {
    let _alone = alone();
    for call in ["spin", "swell:1"] {
        let app = beside_heap(32, "driver", &[call.into()]);
        let ended = app.run();
        let told = ended.messages_of("driver").concat();
        let expected = "callee killed: heap was killed: held its thread beyond its budget of 50 ms";
        assert!(told.contains(expected), "{call}: {told}");
    }
}
