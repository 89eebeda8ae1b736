//! Mistakes of a first day with guests, mostly in Go: the log, the ends and the waits of a program,
//! and modules that are no guests.

use std::path::Path;
use std::process::Command;

use e2e::{App, Ended, Line, Started, go_guest, guest, root};
use serde_json::{Map, Value, json};

/// Returns an app with the Go program `mishap`, which makes that mistake.
fn program(mishap: &str) -> App {
    App::new(&format!(
        "[program.mishap]\nwasm = \"mishap.wasm\"\nenv = {{ MISHAP = \"{mishap}\" }}\n"
    ))
    .with("mishap.wasm", go_guest("mishap"))
}

/// Runs the driver with these calls against the Go service `echo`, which makes that mistake.
fn drive(mishap: &str, calls: &[&str]) -> Ended {
    let app = App::new(&format!(
        "[service.echo]\nwasm = \"mishap.wasm\"\nrestart = \"never\"\n\
         env = {{ MISHAP = \"{mishap}\", SERVE = \"1\" }}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    ));
    app.with("mishap.wasm", go_guest("mishap"))
        .with("driver.wasm", guest("driver"))
        .run()
}

fn run_as_json(app: &App) -> Vec<Map<String, Value>> {
    let ended = Started::new(app.command().args(["--log-format", "json"])).wait();
    let lines = ended.stderr.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        .collect()
}

/// Returns the object of a line with this beginning of the message.
#[track_caller]
fn object<'a>(objects: &'a [Map<String, Value>], message: &str) -> &'a Map<String, Value> {
    let has = |object: &&Map<String, Value>| {
        let text = object["message"].as_str();
        text.is_some_and(|text| text.starts_with(message))
    };
    let found: Vec<_> = objects.iter().filter(has).collect();
    assert_eq!(found.len(), 1, "{message:?}: {objects:?}");
    found[0]
}

/// Lines of the program before its launch, with their levels.
const EARLY: [(&str, &str); 4] = [
    ("WARN", "slog in init loaves=3"),
    ("INFO", "log in init"),
    ("ERROR", "slog in main"),
    ("INFO", "log in main"),
];

/// Returns level and message of each line about a guest.
fn lines(ended: &Ended, guest: &str) -> Vec<(String, String)> {
    let log = ended.log().into_iter();
    log.filter(|line| line.guest == guest)
        .map(|Line { level, message, .. }| (level, message))
        .collect()
}

#[test]
fn go_logs_in_init_and_before_its_launch() {
    let ended = program("").run();
    let lines = lines(&ended, "mishap");
    for ((level, text), found) in EARLY.iter().zip(&lines) {
        assert_eq!((found.0.as_str(), found.1.as_str()), (*level, *text));
    }
    let launched =
        "launched loaves=3 name=\"rye bread\" took=1.5s oven.hot=true level=high".to_owned();
    assert_eq!(lines[4..], [("INFO".to_owned(), launched)]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn attributes_of_slog_are_members_of_the_line() {
    let objects = run_as_json(&program(""));
    assert_eq!(object(&objects, "slog in init")["loaves"], 3);
    let launched = object(&objects, "launched");
    let expected = json!({
        "loaves": 3, "name": "rye bread", "took": "1.5s", "oven.hot": true, "attr.level": "high",
        "level": "INFO", "message": "launched",
    });
    for (name, value) in expected.as_object().expect("it is an object") {
        assert_eq!(&launched[name], value, "{name}");
    }
}

#[test]
fn the_text_of_log_fatal_is_kept() {
    for (mishap, text, status) in [
        ("fatal in init", "no oven in init", 1),
        ("fatal in main", "no oven in main", 1),
        ("stderr in main", "no oven on stderr", 3),
        ("fatal at once", "no oven at once", 1),
        ("fatal", "no oven", 1),
    ] {
        let ended = program(mishap).run();
        let line = format!(" - {text}");
        assert!(
            ended.stderr.lines().any(|found| found.ends_with(&line)),
            "{mishap}: the line is in the log: {}",
            ended.stderr
        );
        let end = format!("exited with status {status}: last log line: {text}");
        assert!(
            ended.stderr.lines().any(|line| line.ends_with(&end)),
            "{mishap}: the error has the line: {}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(status), "{mishap}: {}", ended.stderr);
    }
}

#[test]
fn callers_see_the_text_of_log_fatal() {
    let ended = drive("fatal", &["panic"]);
    let expected = "panic: UNAVAILABLE, callee exited: echo exited with status 1 before it \
                    replied: last log line: no flour";
    assert_eq!(ended.messages_of("driver"), [expected]);
}

#[test]
fn goexit_in_a_handler_answers_its_call() {
    let ended = drive("goexit", &["panic@60000", "panic@60000"]);
    let expected = "panic@60000: INTERNAL, answered: the handler ended its goroutine: it called \
                    runtime.Goexit, or Fatal or FailNow of package testing";
    assert_eq!(ended.messages_of("driver"), [expected, expected]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_panic_in_go_is_one_record_with_its_stack() {
    let objects = run_as_json(&program("panic"));
    let panic = object(&objects, "panicked: ");
    assert_eq!(panic["level"], "ERROR");
    let stack = panic["stack"].as_str().expect("the panic has a stack");
    assert!(
        stack.starts_with("goroutine ") && stack.contains("guests-go/mishap/main.go:"),
        "{stack}"
    );
    assert_eq!(objects.last(), Some(panic));
    assert_eq!(
        objects.len(),
        EARLY.len() + 2,
        "no other lines: {objects:?}"
    );

    let text = program("panic").run().stderr;
    assert!(text.contains("\n    goroutine "), "{text}");
}

#[test]
fn a_panic_in_go_has_the_id_of_its_call() {
    let app = App::new(
        "[service.echo]\nwasm = \"mishap.wasm\"\nrestart = \"never\"\n\
         env = { MISHAP = \"panic\", SERVE = \"1\" }\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"hang+echo:1\"]\n",
    );
    // The call of Echo begins last, and the handler of the other call panics.
    let objects = run_as_json(
        &app.with("mishap.wasm", go_guest("mishap"))
            .with("driver.wasm", guest("driver")),
    );
    let handler = object(&objects, "handler");
    let panic = object(&objects, "panicked: told to panic");
    assert!(handler["call"].is_string() && handler["loaves"] == 3);
    assert_eq!(panic["call"], handler["call"]);
    assert_eq!(panic["method"], "echo.v1.Echo/Misbehave");
    assert!(panic["stack"].is_string());
}

#[test]
fn exhausted_memory_in_go_is_named_as_such() {
    let app = App::new(
        "[program.mishap]\nwasm = \"mishap.wasm\"\nmemory = \"32MiB\"\n\
         env = { MISHAP = \"swell\" }\n",
    );
    let ended = app.with("mishap.wasm", go_guest("mishap")).run();
    let (level, last) = lines(&ended, "mishap").pop().expect("the guest has lines");
    let expected = "failed: out of memory (an allocation beyond its `memory`, 32 MiB, had failed)";
    assert!(level == "ERROR" && last.starts_with(expected), "{last}");
}

#[test]
fn a_blocked_program_is_named() {
    let sleeper = |argument: &str| {
        App::new(&format!(
            "[service.echo]\nwasm = \"echo.wasm\"\n\
             [program.sleeper]\nwasm = \"sleeper.wasm\"\nargs = [{argument:?}]\n"
        ))
        .with("echo.wasm", guest("echo"))
        .with("sleeper.wasm", guest("sleeper"))
    };
    let stuck = "main waits, but no call and no timer is pending: only a stop of the deployment \
                 can end the wait";
    for app in [sleeper("--wait"), sleeper("--wait-first"), program("block")] {
        let mut started = app.start();
        started.wait_for("main waits");
        started.interrupt();
        let ended = started.wait();
        let log = ended.log();
        let of_wait: Vec<_> = log.iter().filter(|line| line.message == stuck).collect();
        let [Line { level, guest, .. }] = of_wait[..] else {
            panic!("{}", ended.stderr)
        };
        assert!(level == "WARN" && guest != "echo", "{}", ended.stderr);
        assert_eq!(ended.status, Some(130));
    }
}

#[test]
fn a_program_that_sleeps_is_not_named() {
    let app = App::new(
        "[program.sleeper]\nwasm = \"sleeper.wasm\"\n\
         [program.blocked]\nwasm = \"sleeper.wasm\"\nargs = [\"--wait\"]\n",
    );
    let app = app.with("sleeper.wasm", guest("sleeper"));
    let mut started = app.start();
    started.wait_for_each(&["asleep", "main waits"]);
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
}

#[test]
fn a_listener_in_go_is_named() {
    let app = App::new("[program.listener]\nwasm = \"listener.wasm\"\n")
        .with("listener.wasm", go_guest("listener"));
    let warning = "contains a network listener (package net), which accepts no connections: a \
                   guest has no network; export a service instead";
    let ended = app.run();
    let lines = lines(&ended, "listener");
    let refused = "refused to accept a connection: a guest has no network; export a service \
                   instead";
    let count = |level: &str, text: &str| {
        let is_it = |line: &&(String, String)| line.0 == level && line.1 == text;
        lines.iter().filter(is_it).count()
    };
    assert_eq!(count("WARN", warning), 1, "{}", ended.stderr);
    assert_eq!(count("ERROR", refused), 1, "{}", ended.stderr);
    assert_eq!(
        count("INFO", "accept: Bad file number"),
        2,
        "{}",
        ended.stderr
    );

    let checked = check(&app, "text");
    assert!(
        checked.ends_with(&format!("warning: `listener` {warning}\n")),
        "{checked}"
    );
    let object: Value = serde_json::from_str(&check(&app, "json")).expect("it must be JSON");
    assert_eq!(
        object["warnings"],
        json!([{ "guest": "listener", "message": warning }])
    );
}

/// Returns the output of `parigot check`.
fn check(app: &App, format: &str) -> String {
    let output = Command::new(e2e::parigot())
        .arg("check")
        .arg(app.file())
        .args(["--format", format])
        .output()
        .expect("the command must start");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).expect("the output must be UTF-8")
}

/// Builds a package of Go in another way than a guest.
fn go_build(folder: &Path, os: &str, arguments: &[&str]) -> Vec<u8> {
    let output = tempfile::tempdir().expect("a temporary folder must be writable");
    let file = output.path().join("a.wasm");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&file)
        .args(arguments)
        .env("GOOS", os)
        .env("GOARCH", "wasm")
        .current_dir(folder)
        .status()
        .expect("the tests need `go`");
    assert!(built.success());
    std::fs::read(file).expect("`go build` has written the file")
}

#[test]
fn a_wrong_build_of_go_is_explained_in_words_of_go() {
    let guests = root().join("tests/guests-go");
    let plain = App::new("")
        .with("go.mod", "module plain\ngo 1.26\n")
        .with("main.go", "package main\nfunc main() {}\n");
    let library = ["-buildmode=c-shared"];
    let command = "build the guest with `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared`";
    let program = "a program of Go, expected a library: it was built without `-buildmode=c-shared`";
    let no_sdk = "a library of Go without the SDK: it does not import parigot-guest-go";
    let import = "import github.com/parigot/parigot/parigot-guest-go in package main, and call \
                  `parigot.Launch` or the generated `Run…` from main";
    let js = "built with GOOS=js, expected GOOS=wasip1";
    for (module, mistake, help) in [
        (go_build(&guests, "wasip1", &["./teller"]), program, command),
        (go_build(plain.folder(), "wasip1", &[]), program, command),
        (go_build(plain.folder(), "js", &[]), js, command),
        (go_build(plain.folder(), "wasip1", &library), no_sdk, import),
    ] {
        let app = App::new("[program.a]\nwasm = \"a.wasm\"\n").with("a.wasm", module);
        let object: Value = serde_json::from_str(&check(&app, "json")).expect("it must be JSON");
        let problem = &object["problems"][0];
        assert_eq!(
            problem["message"],
            format!(
                "`a`: {} cannot be run: {mistake}",
                app.folder().join("a.wasm").display()
            )
        );
        assert_eq!(problem["help"], help);
        let ran = app.run();
        let words = |text: &str| text.split_whitespace().collect::<String>();
        let report = words(&ran.stderr.replace('│', ""));
        assert!(report.contains(&words(mistake)), "{}", ran.stderr);
        assert!(report.contains(&words(help)), "{}", ran.stderr);
        assert_eq!(ran.status, Some(3), "{}", ran.stderr);
    }
}
