//! Guests in each language call guests in each language, with the same results on both sides.

use std::fmt::Write;
use std::path::Path;

use e2e::{App, Ended, Language, PAIRS, go_example, parigot_run};

/// Calls of the driver, and the lines that both sides must log.
struct Case {
    what: &'static str,
    calls: Vec<String>,
    caller_logs: Vec<String>,
    callee_logs: Vec<String>,
}

fn case(what: &'static str, calls: &[&str], caller_logs: &[&str], callee_logs: &[&str]) -> Case {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    Case {
        what,
        calls: owned(calls),
        caller_logs: owned(caller_logs),
        callee_logs: owned(callee_logs),
    }
}

/// Returns cases in which the callee answers or fails.
fn cases_of_callees() -> Vec<Case> {
    let held = "callee killed: echo was killed: held its thread beyond its budget of \
                50 ms in echo.v1.Echo/Misbehave: await `yield_now` in long computations (in Go \
                call `parigot.Yield`), or raise `budget`, for one method `budget_ms` and \
                `budget_max`";
    let active = format!("spin: INTERNAL, {held}");
    let other = format!("hang: UNAVAILABLE, {held}");
    let gone = "echo:1: UNAVAILABLE, unreachable: echo is not running";
    let left = "UNAVAILABLE, callee exited: echo exited with status 7 before it replied";
    vec![
        case(
            "unary call",
            &["echo:0", "echo:16"],
            &["echo:0: 0 bytes", "echo:16: 16 bytes"],
            &[],
        ),
        case("service error", &["refuse"], &["refuse: Refused"], &[]),
        case(
            "callee killed",
            &["hang+spin", "echo:1"],
            &[&other, &active, gone],
            &[
                "hanging",
                "was killed: held its thread beyond its budget of 50 ms in \
                 echo.v1.Echo/Misbehave: await `yield_now` in long computations (in Go call \
                 `parigot.Yield`), or raise `budget`, for one method `budget_ms` and `budget_max`",
            ],
        ),
        case(
            "callee left",
            &["leave:7", "echo:1"],
            &[&format!("leave:7: {left}"), gone],
            &["exited with status 7 method=echo.v1.Echo/Misbehave"],
        ),
    ]
}

/// Returns cases of deadlines, cancellation, sizes and concurrency.
fn cases_of_callers() -> Vec<Case> {
    let too_large = "of 16777222 bytes exceeds the limit of 16777216";
    vec![
        case(
            "caller's timeout",
            &["hang@500", "echo:1"],
            &[
                "hang@500: DEADLINE_EXCEEDED, timed out: no reply within the deadline",
                "echo:1: 1 bytes",
            ],
            &["hanging", "cancelled"],
        ),
        case("cancel", &["hang!", "echo:1"], &["echo:1: 1 bytes"], &[]),
        case(
            "1 MiB payload",
            &["echo:1048576"],
            &["echo:1048576: 1048576 bytes"],
            &[],
        ),
        case(
            "too large",
            &["swell:16777217", "echo:16777217"],
            &[
                &format!("swell:16777217: RESOURCE_EXHAUSTED, answer lost: response {too_large}"),
                &format!("echo:16777217: RESOURCE_EXHAUSTED, too large: request {too_large}"),
            ],
            &[],
        ),
        case(
            "1,000 in flight",
            &[&["echo:1"; 1_000].join("+")],
            &["echo:1: 1 bytes"; 1_000],
            &[],
        ),
        case(
            "sleeps overlap",
            &["sleep:30+echo:1"],
            &["sleep:30: 0 bytes", "echo:1: 1 bytes"],
            &["sleeping"],
        ),
        case(
            "many short tasks",
            &["toil:300+echo:1"],
            &["toil:300: 0 bytes", "echo:1: 1 bytes"],
            &[],
        ),
    ]
}

fn drive(client: Language, service: Language, calls: &[String]) -> Ended {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\nrestart = \"never\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment)
        .with("echo.wasm", service.echo())
        .with("driver.wasm", client.driver())
        .run()
}

#[test]
fn calls_end_alike_in_every_pair_of_languages() {
    let mut table = String::from("client and service:");
    PAIRS.iter().for_each(|(client, service)| {
        write!(table, " {client:?}-{service:?}").expect("writing to a string never fails")
    });
    let mut failures = Vec::new();
    for case in cases_of_callees().into_iter().chain(cases_of_callers()) {
        write!(table, "\n{:<18}", case.what).expect("writing to a string never fails");
        for (client, service) in PAIRS {
            let ended = drive(client, service, &case.calls);
            // The CPU time of a killed guest differs from run to run.
            let said = |message: &str| {
                message
                    .split(" cpu_us=")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            let callee_logs: Vec<_> = ended
                .messages_of("echo")
                .iter()
                .map(|message| said(message))
                .collect();
            let same = ended.messages_of("driver") == case.caller_logs
                && callee_logs == case.callee_logs
                && ended.status == Some(0);
            table.push_str(if same { "  same   " } else { "  DIFFERS" });
            if !same {
                failures.push(format!(
                    "{}, {client:?} calls {service:?}:\n{}",
                    case.what, ended.stderr
                ));
            }
        }
    }
    println!("{table}");
    assert!(failures.is_empty(), "{table}\n{}", failures.join("\n"));
}

/// A failure in full: `FATE: CODE: cause: message (service/method, instance, call)`. The ids are
/// the same as in the log.
#[test]
fn a_failure_names_method_instance_call_and_fate() {
    let left = "UNAVAILABLE: callee exited: echo exited with status 7 before it replied";
    let told = [
        "hang@500?: unknown: DEADLINE_EXCEEDED: timed out: no reply within the deadline \
         (echo.v1.Echo/Misbehave, "
            .to_owned(),
        format!("leave:7?: unknown: {left} (echo.v1.Echo/Misbehave, "),
        "echo:1?: refused: UNAVAILABLE: unreachable: echo is not running (echo.v1.Echo/Echo, "
            .into(),
    ];
    for (client, service) in PAIRS {
        let ended = drive(
            client,
            service,
            &["hang@500?".into(), "leave:7?".into(), "echo:1?".into()],
        );
        let log = ended.log();
        let hanging = log
            .iter()
            .find(|line| line.message == "hanging")
            .expect("the service must log the call");
        let failures: Vec<_> = log.iter().filter(|line| line.guest == "driver").collect();
        assert_eq!(failures.len(), told.len(), "{}", ended.stderr);
        for (failure, told) in failures.iter().zip(&told) {
            let ids = failure.message.strip_prefix(told.as_str());
            let ids =
                ids.unwrap_or_else(|| panic!("{client:?} calls {service:?}: {}", ended.stderr));
            let instance = format!("instance {}, call cal_", hanging.instance);
            assert!(
                ids.starts_with(&instance),
                "{client:?} calls {service:?}: {ids}, expected {instance}"
            );
        }
        assert!(
            failures[0].message.ends_with(&format!("{})", hanging.call)),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn the_example_is_the_same_in_every_pair_of_languages() {
    for (client, service) in PAIRS {
        let wasm = |of: Language, name: &str| {
            std::fs::read(of.example().join("build").join(name))
                .expect("`make build` must write the guests of the example")
        };
        let app = App::new("")
            .with("greeting.wasm", wasm(service, "greeting.wasm"))
            .with("hello.wasm", wasm(client, "hello.wasm"));
        let file = std::fs::read_to_string(client.example().join("helloworld.toml"))
            .expect("the example must have a deployment file");
        let app = app.with("app.toml", file.replace("build/", ""));
        let ended = app.run();
        assert_eq!(
            ended.messages_of("hello"),
            ["bonjour, world"],
            "{client:?} calls {service:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(0));
    }
}

#[test]
fn both_examples_have_the_same_deployment() {
    let read = |of: Language| {
        std::fs::read_to_string(of.example().join("helloworld.toml"))
            .expect("the example must have a deployment file")
    };
    assert_eq!(read(Language::Rust), read(Language::Go));
}

#[test]
fn a_panic_in_go_reaches_its_caller_and_the_log() {
    let ended = drive(Language::Rust, Language::Go, &["hang+panic+echo:1".into()]);
    assert_eq!(
        ended.messages_of("driver"),
        [
            "hang: UNAVAILABLE, callee trapped: echo panicked: told to panic",
            "panic: INTERNAL, callee trapped: echo panicked: told to panic",
            "echo:1: UNAVAILABLE, unreachable: not begun: echo panicked: told to panic",
        ]
    );
    let log = ended.log();
    let of_echo: Vec<_> = log.iter().filter(|line| line.guest == "echo").collect();
    let last = of_echo.last().expect("the host must log the end");
    let (message, stack) = last
        .message
        .split_once('\n')
        .expect("the stack must follow the message");
    assert_eq!(
        message,
        "panicked: told to panic method=echo.v1.Echo/Misbehave"
    );
    assert!(stack.contains("guests-go/echo/main.go:"), "{stack}");
    assert!(last.call.starts_with("cal_"), "{last:?}");
}

#[test]
fn a_fatal_error_of_go_reaches_its_caller() {
    let ended = drive(Language::Go, Language::Go, &["trap".into()]);
    let told = "trap: INTERNAL, callee trapped: echo failed: sync: unlock of unlocked mutex";
    assert_eq!(ended.messages_of("driver"), [told]);
}

#[test]
fn an_error_ends_a_program_in_go_with_its_status() {
    let example = go_example();
    let file = std::fs::read_to_string(example.join("helloworld.toml"))
        .expect("the example must have a deployment file");
    let elsewhere = App::new("").with(
        "klingon.toml",
        file.replace("build/", &format!("{}/build/", example.display()))
            .replace("french", "klingon"),
    );
    let ended =
        e2e::Started::new(parigot_run(Path::new("klingon.toml")).current_dir(elsewhere.folder()))
            .wait();
    assert_eq!(
        ended.messages_of("hello"),
        ["no greeting: UnknownLang", "exited with status 1"]
    );
    assert_eq!(ended.status, Some(1));
}
