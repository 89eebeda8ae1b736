//! Memory of the compiler: a module decides how much it takes, and the command bounds it.

use std::fs;
use std::process::Command;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use e2e::{App, Ended, Started, slow_to_compile};

const HELLO: &str = "[program.hello]\nwasm = 'hello.wasm'\n";

/// Returns a module with this memory, and these functions.
fn module(functions: &str) -> String {
    format!("(module (memory (export \"memory\") 1) {functions})")
}

/// Compiles a module with this limit of memory.
fn compile(text: &str, memory: &str) -> Ended {
    let app = App::new(HELLO).with_wat("hello.wasm", text);
    let mut command = app.command();
    command.args(["--no-cache", "--compile-memory", memory]);
    Started::new(&mut command).wait()
}

#[track_caller]
fn check_refused(text: &str, memory: &str, limit: &str) {
    let ended = compile(text, memory);
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
    for part in [
        "`hello`: hello.wasm cannot be run",
        &format!("compiling it takes more than {limit} of memory"),
        "raise the limit with `--compile-memory`",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

/// Checks that a module is refused for what it lacks, so that the compiler had enough memory.
#[track_caller]
fn check_compiled(text: &str, memory: &str) {
    let ended = compile(text, memory);
    let part = "does not export `parigot_abi`";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}

/// Each loop has each local value as a parameter: a file of some KiB takes gigabytes.
#[test]
fn nested_loops_over_many_values_are_refused() {
    let values = (0..4_000)
        .map(|value| format!("(local.set {value} (i32.add (local.get {value}) (i32.const 1)))"));
    let locals = "i32 ".repeat(4_000);
    let text = format!(
        "(func (param i32) (local {locals}) {} {} {})",
        "loop ".repeat(4_000),
        values.collect::<String>(),
        "(br_if 0 (local.get 0)) end ".repeat(4_000)
    );
    check_refused(&module(&text), "512MiB", "512 MiB");
}

#[test]
fn a_huge_function_is_refused_below_its_memory() {
    let text = format!(
        "(func (param i32) {})",
        "(i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 7)))"
            .repeat(400_000)
    );
    check_refused(&module(&text), "128MiB", "128 MiB");
}

/// The compiler needs about 6 KiB for each function, however short.
#[test]
fn many_functions_are_refused_below_their_memory() {
    check_refused(&module(&"(func)".repeat(100_000)), "128MiB", "128 MiB");
}

#[test]
fn a_large_branch_table_is_compiled_within_the_limit() {
    let text = format!(
        "(func (param i32) {} (br_table {} (local.get 0)) {})",
        "block ".repeat(100),
        (0..65_000)
            .map(|entry| format!("{} ", entry % 100))
            .collect::<String>(),
        "end ".repeat(100)
    );
    check_compiled(&module(&text.repeat(10)), "2GiB");
}

#[test]
fn no_compiler_outlives_the_command() {
    let app = App::new(HELLO).with_wat("hello.wasm", &slow_to_compile());
    let mut command = app.command();
    command.args(["--no-cache", "--compile-time", "1h"]);
    let started = Started::new(&mut command);
    let child = wait_for(|| child_of(started.id()));
    let killed = Command::new("kill")
        .args(["-KILL", &started.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|status| status.success()));
    started.wait_for_end_of(child);
}

/// Returns a child that any thread of a process has started.
fn child_of(process: u32) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let children = fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// Waits until `event` returns a value.
#[track_caller]
fn wait_for<R>(event: impl Fn() -> Option<R>) -> R {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = event() {
            return value;
        }
        assert!(Instant::now() < until, "the event must come");
        yield_now();
    }
}
