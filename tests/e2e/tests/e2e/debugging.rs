//! Debuggers on the guests of the example: gdb and lldb stop at lines and print variables.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::{
    App, Ended, Started, debug_guest, example_for_debugger, guest, parigot, parigot_with, root,
};
use serde_json::Value;

/// Runs `parigot debug` on the example until the commands at the breakpoints are over. Returns the
/// transcript.
#[track_caller]
fn transcript(arguments: &[&str], commands: &[&str]) -> String {
    let mut command = parigot_with("debug", Path::new("helloworld.toml"));
    command.current_dir(example_for_debugger()).arg("--batch");
    command.args(arguments);
    for line in commands {
        command.args(["--command", line]);
    }
    checked(&Started::new(&mut command).wait())
}

/// Returns the output of a debugger, which must be permitted to debug.
#[track_caller]
fn checked(ended: &Ended) -> String {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        !text.contains("Operation not permitted"),
        "the system does not permit ptrace: in a container, add the capability SYS_PTRACE\n{text}"
    );
    text
}

/// Checks that a transcript has these texts, in this order.
#[track_caller]
fn has_in_order(transcript: &str, texts: &[&str]) {
    let mut rest = transcript;
    for text in texts {
        let at = rest
            .find(text)
            .unwrap_or_else(|| panic!("no {text:?} at its place in\n{transcript}"));
        rest = &rest[at + text.len()..];
    }
}

/// Returns a place in the source of the example: the line with `text`.
fn place(file: &str, text: &str) -> String {
    let source = fs::read_to_string(example_for_debugger().join(file))
        .unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
    let line = source.lines().position(|line| line.contains(text));
    let line = line.unwrap_or_else(|| panic!("{file} has no line with {text:?}"));
    format!("{file}:{}", line + 1)
}

#[test]
fn gdb_stops_at_a_line_and_shows_variables_and_callers() {
    let greet = place("greeting/src/lib.rs", "let greeting = greet(");
    let answered = place("hello/src/lib.rs", "reply.greeting);");
    let commands = [
        "bt",
        "p request",
        "p $deref(self)",
        "info threads",
        "parigot calls",
        "next",
        "p greeting",
        // Longer than the deadline of the call, 3 s.
        "shell sleep 4",
        "continue",
        "p cx",
        "p cx.scope.number",
        "continue",
    ];
    let transcript = transcript(&["--break", &greet, "--break", &answered], &commands);
    has_in_order(
        &transcript,
        &[
            "\"greeting\" hit Breakpoint 1, greeting::",
            &greet,
            "#0  greeting::{impl#0}::fetch_greeting::{async_fn#0} ()",
            "in parigot_guest::runtime::guest::Guest::turn (",
            "in greeting::_::_::parigot_turn (",
            // Unwound through the code between guest and host.
            "parigot-host/src/guest/wasm.rs:",
            "parigot_host::kernel::scheduler::Worker",
            "start_thread",
            "FetchGreetingRequest {\n  tongue: 2\n}",
            "= greeting::Greeter",
            "\"greeting\"  ",
            "greeting runs, or is about to run\nhello waits for greeting, cal_",
            "= \"bonjour\"",
            "\"hello\" hit Breakpoint 2, hello::main::{async_fn#0} ()",
            &answered,
            // Both live across the call.
            "= parigot_guest::context::Context",
            "= 18446744073709551615",
            "exited normally",
        ],
    );
    guide_shows(&transcript, &commands);
    for line in [
        "runs build/debug/greeting.wasm for the debugger",
        "time stood still for ",
        "hello ins_",
        " - bonjour, world",
    ] {
        assert!(transcript.contains(line), "no {line:?} in\n{transcript}");
    }
}

/// Checks that the guide's transcript has commands of this one, and lines of their output.
#[track_caller]
fn guide_shows(transcript: &str, commands: &[&str]) {
    let page = fs::read_to_string(root().join("docs/src/debugging.md")).expect("the guide has it");
    let (_, block) = page
        .split_once("```text\n")
        .expect("the page has a transcript");
    let (block, _) = block.split_once("```").expect("the block ends");
    let lines: Vec<_> = transcript.lines().map(without_numbers).collect();
    for line in block.lines() {
        let is_there = match line.strip_prefix("(gdb) ") {
            Some(command) => commands.contains(&command),
            None => lines.contains(&without_numbers(line)),
        };
        assert!(is_there, "the guide has {line:?}, and not\n{transcript}");
    }
}

/// Returns a line of gdb without what differs in each run: the number of a thread, the id of a
/// call, and the width of white space.
fn without_numbers(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        if word.starts_with("cal_") {
            "cal_"
        } else {
            word
        }
    });
    let words: Vec<_> = words.collect();
    match words[..] {
        ["Thread", _, ..] => words[2..].join(" "),
        _ => words.join(" "),
    }
}

#[test]
fn lldb_stops_at_a_line_and_shows_variables_and_callers() {
    let greet = place("greeting/src/lib.rs", "let greeting = greet(");
    let commands = ["bt", "frame variable", "p request.tongue", "continue"];
    let transcript = transcript(&["--lldb", "--break", &greet], &commands);
    has_in_order(
        &transcript,
        &[
            "name = 'greeting', stop reason = breakpoint 1.1",
            "let greeting = greet(request.tongue())?;",
            "parigot_guest::runtime::receive::",
            "parigot_turn(",
            " at scheduler.rs:",
            "(stubs::generated::greeting::v1::FetchGreetingRequest) request = (tongue = 2)",
            "(int) 2",
            "exited with status = 0",
        ],
    );
    let greeted = transcript.contains(" - bonjour, world");
    assert!(greeted, "{transcript}");
}

#[test]
fn a_breakpoint_is_not_kept_in_the_code_cache() {
    let greet = place("greeting/src/lib.rs", "let greeting = greet(");
    let caches = tempfile::tempdir().expect("a temporary folder is available");
    let mut debug = parigot_with("debug", Path::new("helloworld.toml"));
    debug.args(["--batch", "--lldb", "--break", &greet, "--command", "kill"]);
    let mut run = parigot_with("run", Path::new("helloworld.toml"));
    run.arg("--debug");
    for command in [&mut debug, &mut run] {
        command.current_dir(example_for_debugger());
        command.env("XDG_CACHE_HOME", caches.path());
    }
    let stopped = checked(&Started::new(&mut debug).wait());
    assert!(stopped.contains("stop reason = breakpoint"), "{stopped}");
    // An instruction of a debugger in the code would end this process by SIGTRAP.
    let ended = Started::new(&mut run).wait();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

/// Returns a deployment of a program that calls a service three times, one call after the other.
fn calls() -> App {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.stopwatch]\nwasm = \"stopwatch.wasm\"\nargs = [\"3\", \"1\"]\n",
    );
    fs::create_dir(app.folder().join("debug")).expect("a temporary folder is writable");
    app.with("debug/echo.wasm", debug_guest("echo"))
        .with("debug/stopwatch.wasm", debug_guest("stopwatch"))
}

#[test]
fn gdb_shows_a_variable_that_lives_across_a_call() {
    let app = calls();
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../guests/stopwatch/src/lib.rs"
    );
    let source = fs::read_to_string(source).expect("the guest has a source");
    let line = source
        .lines()
        .position(|line| line.contains("answer.expect("))
        .expect("the guest waits for an answer");
    let place = format!("stopwatch/src/lib.rs:{}", line + 1);
    let mut command = parigot_with("debug", Path::new("app.toml"));
    command.current_dir(app.folder()).arg("--batch");
    command.args(["--break", &place]);
    command.args(["--command", "p calls", "--command", "p latencies"]);
    let transcript = checked(&Started::new(&mut command).wait());
    has_in_order(
        &transcript,
        &[
            "stopwatch::call_repeatedly::{async_fn#0} ()",
            &place,
            "= 3",
            "alloc::rc::Rc<core::cell::RefCell<alloc::vec::Vec<core::time::Duration",
        ],
    );
}

#[test]
fn a_breakpoint_is_a_file_and_a_line() {
    let ended = App::new("").run_subcommand("debug", &["--break", "greet"]);
    assert_eq!(
        ended.stderr,
        "expected FILE:LINE for --break, for example greeting/src/lib.rs:17, found \"greet\"\n"
    );
    assert_eq!(ended.status, Some(3));
}

/// Returns a deployment of which the debugger needs other files.
fn without_debug_builds(echo: Vec<u8>) -> App {
    App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.stopwatch]\nwasm = \"stopwatch.wasm\"\nargs = [\"1\", \"1\"]\n",
    )
    .with("echo.wasm", echo)
    .with("stopwatch.wasm", guest("stopwatch"))
}

#[test]
fn the_host_says_which_debug_information_is_missing() {
    let app = without_debug_builds(debug_guest("echo"));
    let ended = Started::new(app.command().arg("--debug")).wait();
    for text in [
        "WARN  echo - - debug/echo.wasm is missing: the debugger shows the lines of echo.wasm",
        "WARN  stopwatch - - stopwatch.wasm has no debug information: ",
    ] {
        assert!(
            ended.stderr.contains(text),
            "no {text:?} in\n{}",
            ended.stderr
        );
    }
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn damaged_debug_information_does_not_stop_a_start() {
    let mut echo = debug_guest("echo");
    damage(&mut echo);
    let app = without_debug_builds(echo);
    let ended = Started::new(app.command().arg("--debug")).wait();
    let text = "the debugger shows no lines of echo.wasm: the engine cannot compile its debug \
                information: ";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

/// Overwrites the begin of the abbreviations in the debug information of a module.
fn damage(module: &mut [u8]) {
    let name = b"\x0d.debug_abbrev";
    let at = module
        .windows(name.len())
        .position(|window| window == name)
        .expect("the module has debug information");
    module[at + name.len()..][..64].fill(0xff);
}

/// Runs the debugger as an editor does: with the program, its arguments and the commands of a
/// configuration in the example's `launch.json`, then with `commands`.
fn launch(kind: &str, commands: &[&str]) -> Command {
    let folder = example_for_debugger();
    let text = fs::read_to_string(folder.join(".vscode/launch.json")).expect("the example has it");
    // Cargo's target folder may be another one.
    let text = text
        .replace(
            "${workspaceFolder}/../../target/debug/parigot",
            path(parigot()),
        )
        .replace("${workspaceFolder}", path(folder));
    let launch: Value = serde_json::from_str(&text).expect("launch.json must be JSON");
    let configurations = launch["configurations"].as_array().expect("it is a list");
    let configuration = configurations
        .iter()
        .find(|configuration| configuration["type"] == kind)
        .unwrap_or_else(|| panic!("no configuration for {kind}"));
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts
            .map(|text| {
                text["text"]
                    .as_str()
                    .or(text.as_str())
                    .expect("a text")
                    .to_owned()
            })
            .collect()
    };
    let gdb = kind == "cppdbg";
    let setup = texts(&configuration[if gdb { "setupCommands" } else { "initCommands" }]);
    assert!(!setup.is_empty(), "{configuration}");
    let mut command = Command::new(if gdb { "gdb" } else { "lldb-19" });
    command.args(if gdb {
        ["-quiet", "-batch"]
    } else {
        ["--batch", "--no-lldbinit"]
    });
    for line in setup
        .iter()
        .map(String::as_str)
        .chain(commands.iter().copied())
    {
        command.args([if gdb { "-ex" } else { "-o" }, line]);
    }
    command.arg(if gdb { "--args" } else { "--" });
    command.arg(configuration["program"].as_str().expect("a text"));
    command.args(texts(&configuration["args"]));
    command.current_dir(configuration["cwd"].as_str().expect("a text"));
    command
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path must be UTF-8")
}

#[test]
fn the_configurations_of_vs_code_start_both_debuggers() {
    let greet = place("greeting/src/lib.rs", "let greeting = greet(");
    let (_, line) = greet.rsplit_once(':').expect("a place has a line");
    let in_gdb = [&*format!("break {greet}"), "run", "p request"];
    let in_lldb = [
        &*format!("breakpoint set --file greeting/src/lib.rs --line {line}"),
        "run",
        "p request.tongue",
    ];
    let gdb = checked(&Started::new(&mut launch("cppdbg", &in_gdb)).wait());
    has_in_order(&gdb, &["hit Breakpoint 1, greeting::", "tongue: 2"]);
    let lldb = checked(&Started::new(&mut launch("lldb-dap", &in_lldb)).wait());
    has_in_order(&lldb, &["stop reason = breakpoint 1.1", "(int) 2"]);
}
