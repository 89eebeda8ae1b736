//! Programs read stdin and write stdout, and nothing is lost.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Command, Stdio};
use std::thread::{spawn, yield_now};

use e2e::{App, Deployed, Ended, Language, Nats, Started, within_deadline};
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{FakeStdio, TestHost};

const MIB: usize = 1 << 20;

/// Returns an app with the program `stdio`.
fn app(language: Language) -> App {
    App::new("[program.stdio]\nwasm = \"stdio.wasm\"\n").with("stdio.wasm", language.guest("stdio"))
}

fn command(app: &App, arguments: &[&str]) -> Command {
    let mut command = app.command();
    command.arg("--").args(arguments);
    command
}

/// Runs the program with that input, and returns its end and its output.
fn run_with(app: &App, arguments: &[&str], input: impl AsRef<[u8]>) -> (Ended, Vec<u8>) {
    let (started, mut stdin, mut stdout) = Started::with_pipes(&mut command(app, arguments));
    let input = input.as_ref().to_vec();
    spawn(move || stdin.write_all(&input));
    let output = within_deadline(move || {
        let mut output = Vec::new();
        stdout
            .read_to_end(&mut output)
            .expect("stdout must be readable");
        output
    });
    (started.wait(), output)
}

/// Returns bytes without a short period.
fn pattern(length: usize) -> Vec<u8> {
    let number = |at: usize| (at as u32).wrapping_mul(2_654_435_761) >> 24;
    (0..length).map(|at| number(at) as u8).collect()
}

#[test]
fn lines_of_stdin_become_lines_of_stdout() {
    for language in Language::EACH {
        let (ended, output) = run_with(&app(language), &["lengths"], "one\nthree\r\n\nlast");
        assert_eq!(String::from_utf8_lossy(&output), "3\n5\n0\n4\n");
        assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    for language in Language::EACH {
        let app = app(language);
        let (started, _stdin, stdout) =
            Started::with_pipes(&mut command(&app, &["list", "100000000"]));
        let first = within_deadline(move || BufReader::new(stdout).lines().next());
        assert_eq!(first.and_then(Result::ok).as_deref(), Some("1"));
        let ended = started.wait();
        assert_eq!(
            (&*ended.stderr, ended.status),
            ("", Some(0)),
            "{language:?}"
        );
    }
}

#[test]
fn a_slow_reader_of_stdout_gets_all_bytes() {
    let input = pattern(8 * MIB);
    for (deployed, language) in [
        (Deployed::Together, Language::Rust),
        (Deployed::Together, Language::Go),
        (Deployed::Apart, Language::Rust),
    ] {
        let app = app(language).with_tables("[program.bare]\nwasm = \"bare.wasm\"\n");
        let app = app.with("bare.wasm", e2e::guest("bare"));
        let (app, _nats) = deployed.spread(app, &[("front", "stdio"), ("back", "bare")]);
        let mut command = app.command();
        let (started, mut stdin, mut stdout) =
            Started::with_pipes(command.args(["--program", "stdio", "--", "cat"]));
        let to_write = input.clone();
        spawn(move || stdin.write_all(&to_write));
        let output = within_deadline(move || {
            let mut output = Vec::new();
            let mut part = [0; 4_000];
            while let Ok(bytes @ 1..) = stdout.read(&mut part) {
                output.extend_from_slice(&part[..bytes]);
                yield_now();
            }
            output
        });
        let ended = started.wait();
        assert!(output == input, "{} bytes of output", output.len());
        let copied = format!("copied {} bytes", 8 * MIB);
        assert!(ended.stderr.contains(&copied), "{}", ended.stderr);
        assert_eq!(ended.status, Some(0));
    }
}

#[test]
fn stdin_is_not_read_before_a_program_asks() {
    let app = app(Language::Rust).with("input", "not read");
    let mut input = File::open(app.folder().join("input")).expect("the file must exist");
    let stdin = input.try_clone().expect("the file must be open");
    let mut command = command(&app, &["list", "3"]);
    let ended = Started::with(&mut command, stdin.into(), Stdio::null()).wait();
    assert_eq!(ended.status, Some(0));
    // Both descriptors share the position in the file.
    assert_eq!(input.stream_position().expect("a file has a position"), 0);
}

#[test]
fn input_for_a_cancelled_read_is_kept() {
    let app = app(Language::Rust);
    let (mut started, mut stdin, mut stdout) =
        Started::with_pipes(&mut command(&app, &["impatient"]));
    started.wait_for("gave up");
    stdin.write_all(b"late").expect("stdin must be open");
    drop(stdin);
    let output = within_deadline(move || std::io::read_to_string(&mut stdout));
    assert_eq!(output.expect("stdout must be readable"), "late");
    assert_eq!(started.wait().status, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_write_has_the_text_of_the_system() {
    for language in Language::EACH {
        let app = app(language);
        let full = File::options().write(true).open("/dev/full");
        let full = full.expect("the device must exist");
        let mut command = command(&app, &["list", "3"]);
        let ended = Started::with(&mut command, Stdio::null(), full.into()).wait();
        let expected = "INTERNAL: cannot write stdout: No space left on device (os error 28)";
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert_eq!(ended.status, Some(1));
    }
}

#[test]
fn ctrl_c_ends_a_program_that_waits_for_input() {
    let app = app(Language::Rust);
    let (mut started, _stdin, _stdout) = Started::with_pipes(&mut command(&app, &["hang"]));
    started.wait_for("asleep");
    started.interrupt();
    let ended = started.wait();
    assert!(!ended.stderr.contains("killed"), "{}", ended.stderr);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn a_blocked_write_ends_at_the_shutdown_deadline() {
    let app = App::new(
        "shutdown_deadline = \"100ms\"\n[program.stdio]\nwasm = \"stdio.wasm\"\n\
         [program.sleeper]\nwasm = \"sleeper.wasm\"\n",
    );
    let app = app
        .with("stdio.wasm", Language::Rust.guest("stdio"))
        .with("sleeper.wasm", e2e::guest("sleeper"));
    let mut command = app.command();
    command.args(["--program", "stdio", "--", "flood", "1000000"]);
    let (mut started, _stdin, mut stdout) = Started::with_pipes(&mut command);
    started.wait_for("asleep");
    // The first byte has arrived, so the write has begun, and the pipe cannot hold the rest.
    stdout
        .read_exact(&mut [0])
        .expect("stdout must have a byte");
    started.interrupt();
    let ended = started.wait();
    let expected = "did not exit within the `shutdown_deadline` of 100ms; 1 call is unanswered";
    assert_eq!(ended.messages_of("host/stdio"), [expected]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn log_lines_of_a_child_process_are_not_in_its_output() {
    let nats = Nats::start();
    let app = app(Language::Rust).with_tables("[program.sleeper]\nwasm = \"bare.wasm\"\n");
    let app = app
        .with("bare.wasm", e2e::guest("bare"))
        .apart(&nats, &[("front", "stdio"), ("back", "sleeper")]);
    let mut command = app.command();
    command.args(["--log-level", "debug", "--program", "stdio", "--", "first"]);
    let (started, mut stdin, mut stdout) = Started::with_pipes(&mut command);
    // The pipe stays open: the program ends after its line, and the processes after the program.
    stdin
        .write_all(b"first\nsecond\n")
        .expect("stdin must be open");
    let output = within_deadline(move || std::io::read_to_string(&mut stdout));
    assert_eq!(output.expect("stdout must be readable"), "first\n");
    assert_eq!(started.wait().status, Some(0));
}

/// A terminal stops a process that reads in the background, and child processes are in the
/// background, except those that read.
#[test]
#[cfg(target_os = "linux")]
fn a_program_of_a_child_process_reads_a_terminal() {
    let nats = Nats::start();
    let app = app(Language::Rust).with_tables("[program.bare]\nwasm = \"bare.wasm\"\n");
    let app = app
        .with("bare.wasm", e2e::guest("bare"))
        .apart(&nats, &[("front", "stdio"), ("back", "bare")]);
    let run = format!(
        "XDG_CACHE_HOME='{}' '{}' run app.toml --program stdio -- lengths",
        e2e::caches().display(),
        e2e::parigot().display()
    );
    // `script` of util-linux runs the command on a terminal of its own.
    let mut command = Command::new("script");
    command
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &run,
            "/dev/null",
        ])
        .current_dir(app.folder());
    let (started, mut stdin, mut stdout) = Started::with_pipes(&mut command);
    stdin.write_all(b"hello\n").expect("stdin must be open");
    let output = within_deadline(move || {
        let mut output = String::new();
        let mut lines = BufReader::new(&mut stdout).lines().map_while(Result::ok);
        output.extend(lines.by_ref().take_while(|line| line.trim_end() != "5"));
        // The end of its input makes `script` type Ctrl-D.
        drop(stdin);
        output.extend(lines);
        output
    });
    assert_eq!(started.wait().status, Some(0), "{output}");
}

#[test]
fn check_and_graph_show_the_host_as_exporter() {
    let app = app(Language::Rust);
    let stdout = |subcommand, arguments: &[&str]| app.run_subcommand(subcommand, arguments).stdout;
    assert_eq!(
        stdout("check", &[]),
        "app.toml: its guest fits, launched in this order:\n   1  stdio\n"
    );
    let json = stdout("check", &["--format", "json"]);
    let requires =
        r#""requires":[{"exporters":[],"host":true,"service":"parigot.stdio.v1.Stdio"}]"#;
    assert!(json.contains(requires), "{json}");
    assert_eq!(
        stdout("graph", &[]),
        "step   guest          requires\n\
         1      program stdio  -> (host)  parigot.stdio.v1.Stdio\n"
    );
    let mermaid = stdout("graph", &["--format", "mermaid"]);
    let edge = r#"guest0 -- "parigot.stdio.v1.Stdio" --> host(["(host)"])"#;
    assert!(mermaid.contains(edge), "{mermaid}");
    let dot = stdout("graph", &["--format", "dot"]);
    let edge = r#""stdio" -> "(host)" [label = "parigot.stdio.v1.Stdio"]"#;
    assert!(dot.contains(edge), "{dot}");
}

/// Checks that `check` and `run` refuse an app, with this error and next step.
#[track_caller]
fn check_refused(app: &App, message: &str, help: &str) {
    for ended in [app.run_subcommand("check", &[]), app.run()] {
        let text = ended
            .stderr
            .replace("\n  │ ", " ")
            .replace("\n        ", " ");
        assert!(text.contains(message), "{text}");
        assert!(text.contains(help), "{text}");
        assert_eq!(ended.status, Some(3));
    }
}

#[test]
fn a_service_that_requires_stdio_is_refused() {
    check_refused(
        &App::new("").with_service("kitchen", &["x.Kitchen"], &["parigot.stdio.v1.Stdio"]),
        "`kitchen` requires parigot.stdio.v1.Stdio, which only programs and workers may use",
        "move the reads and writes to a guest in `[program.<name>]` that calls `kitchen`",
    );
}

#[test]
fn a_guest_that_exports_stdio_is_refused() {
    check_refused(
        &App::new("").with_service("fake", &["parigot.stdio.v1.Stdio"], &[]),
        "`fake` exports parigot.stdio.v1.Stdio, which only the host exports",
        "remove it from the exports",
    );
}

/// Returns a test host that runs the program with these arguments on a fake.
fn faked(app: &App, arguments: &[&str], stdio: &FakeStdio) -> TestHost {
    let program = GuestSpec::program("stdio", app.folder().join("stdio.wasm"));
    let program = GuestSpec {
        args: arguments.iter().map(|text| (*text).to_owned()).collect(),
        ..program
    };
    TestHost::new()
        .code_cache(e2e::code_cache())
        .guest(program)
        .stdio(stdio)
}

#[test]
fn a_fake_gives_input_and_takes_output() {
    for language in Language::EACH {
        let app = app(language);
        let stdio = FakeStdio::new("one\nthree\n");
        let mut run = faked(&app, &["lengths"], &stdio).start();
        assert_eq!(run.wait_for_exit("stdio"), 0);
        assert_eq!(String::from_utf8_lossy(&stdio.output()), "3\n5\n");
    }
}

#[test]
fn a_long_output_is_one_write_after_the_other() {
    let stdio = FakeStdio::new(pattern(3 * MIB));
    let app = app(Language::Rust);
    let mut run = faked(&app, &["cat"], &stdio).start();
    assert_eq!(run.wait_for_exit("stdio"), 0);
    assert!(stdio.output() == pattern(3 * MIB));
}

#[test]
fn a_fake_closes_its_output() {
    for language in Language::EACH {
        let app = app(language);
        let stdio = FakeStdio::new("");
        stdio.close_output();
        let mut run = faked(&app, &["list", "3"], &stdio).start();
        assert_eq!(run.wait_for_exit("stdio"), 0);
        assert_eq!(run.log("stdio"), Vec::<String>::new());
    }
}

#[test]
fn a_program_without_the_fake_is_refused() {
    let app = app(Language::Rust);
    let host = TestHost::new()
        .code_cache(e2e::code_cache())
        .guest(GuestSpec::program("stdio", app.folder().join("stdio.wasm")));
    let error = host.try_start().expect_err("the service must be missing");
    assert_eq!(
        error.to_string(),
        "`stdio` requires parigot.stdio.v1.Stdio, which no guest of the deployment exports"
    );
}
