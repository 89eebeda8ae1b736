//! Start time and memory of guests in Go.

use std::path::Path;
use std::time::Instant;

use e2e::{App, Started, go_example, go_guest, parigot_run};

use crate::alone;

#[test]
fn a_second_start_takes_a_fraction_of_the_first() {
    let _alone = alone();
    let start = |args: &[&str]| {
        let began = Instant::now();
        let mut command = parigot_run(Path::new("helloworld.toml"));
        let ended = Started::new(command.args(args).current_dir(go_example())).wait();
        assert_eq!(ended.messages_of("hello"), ["bonjour, world"]);
        began.elapsed()
    };
    // A reference of the same run: how fast the machine is makes no difference to the ratio.
    let compiled = start(&["--no-cache"]);
    start(&[]);
    let best = (0..5)
        .map(|_| start(&[]))
        .min()
        .expect("five starts are measured");
    println!("compiled {compiled:?}, best of five from the cache {best:?}");
    assert!(best * 4 < compiled, "{best:?} of {compiled:?}");
}

/// Returns the memory that caller and callee use after this many calls, in KiB.
fn memory_after(calls: u32, app: &App) -> [u64; 2] {
    let file = format!(
        "manifest_version = 1\n[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.soak]\nwasm = \"soak.wasm\"\nargs = [\"{calls}\", \"16\", \"64\"]\n"
    );
    std::fs::write(app.file(), file).expect("a temporary folder must be writable");
    let ended = Started::new(app.command().args(["--log-level", "debug"])).wait();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ["soak", "echo"].map(|guest| {
        let messages = ended.messages_of(guest);
        let taken = messages
            .iter()
            .find_map(|message| message.strip_prefix("took ")?.strip_suffix(" KiB"));
        taken
            .expect("a guest logs its memory when it exits")
            .parse()
            .expect("the text must be a number")
    })
}

#[test]
fn a_million_calls_take_no_more_memory_than_10_000() {
    let _alone = alone();
    let app = App::new("")
        .with("echo.wasm", go_guest("echo"))
        .with("soak.wasm", go_guest("soak"));
    let few = memory_after(10_000, &app);
    let many = memory_after(1_000_000, &app);
    println!("KiB of caller and callee: {few:?} after 10,000 calls, {many:?} after 1,000,000");
    for (few, many) in few.into_iter().zip(many) {
        assert!(
            many * 2 <= few * 3,
            "{many} KiB are more than 1.5 x {few} KiB"
        );
    }
}
