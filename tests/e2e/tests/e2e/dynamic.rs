//! Services that are located by name at run time, without a generated client.

use e2e::{App, Ended, Nats, go_guest, guest};

/// Runs the program `dynamic` with these arguments beside the service `echo`.
fn run(dynamic: &[u8], echo: &[u8], args: &[&str]) -> Ended {
    let app = App::new(&format!(
        "[service.echo]\nwasm = \"echo.wasm\"\nrestart = \"never\"\n[program.dynamic]\nwasm = \
         \"dynamic.wasm\"\nargs = {args:?}\n"
    ));
    app.with("dynamic.wasm", dynamic)
        .with("echo.wasm", echo)
        .run()
}

/// The next step that each language names in the error for a service that is not required.
const REFUSALS: [(&str, &str); 2] = [
    (
        "Rust",
        "write `requires(\"echo.v1.Other\")`, or its client there, in `service!` or `#[program]`",
    ),
    (
        "Go",
        "hand parigot.RequireDynamic(\"echo.v1.Other\") to Launch, or to the guest's Run",
    ),
];

#[test]
fn each_language_calls_each_by_name() {
    // {data: 07}, {kind: Refuse}, bytes that are not a message, and an unknown method.
    let args = [
        "echo.v1.Other/",
        "Echo=0a0107",
        "Misbehave=0804",
        "Echo=ff",
        "Steal=",
    ];
    let echoes = [guest("echo"), go_guest("echo")];
    for (dynamic, (_, refusal)) in [guest("dynamic"), go_guest("dynamic")].iter().zip(REFUSALS) {
        for echo in &echoes {
            let ended = run(dynamic, echo, &args);
            let messages = ended.messages_of("dynamic");
            let [methods, other, echoed, refused, undecodable, unknown] = &messages[..] else {
                panic!("{}", ended.stderr)
            };
            assert!(
                methods.starts_with("echo.v1.Echo has Echo Misbehave"),
                "{methods}"
            );
            let expected = format!(
                "echo.v1.Other is not among the services that this guest requires: {refusal}"
            );
            assert_eq!(other, &expected);
            assert_eq!(echoed, "Echo: 0a0107");
            assert_eq!(
                refused,
                "Misbehave: answered: the service failed with error 4"
            );
            let told = "Echo: refused: INVALID_ARGUMENT: undecodable: the request";
            assert!(
                undecodable.starts_with(told)
                    && undecodable.contains("(echo.v1.Echo/Echo, instance ins_"),
                "{undecodable}"
            );
            let told = "Steal: refused: UNIMPLEMENTED: no such method: echo.v1.Echo has no method \
                        Steal (echo.v1.Echo/Steal)";
            assert_eq!(unknown, told);
            assert_eq!(ended.status, Some(0));
        }
    }
}

#[test]
fn a_request_that_is_nested_too_deep_is_refused() {
    // Groups of an unknown field: a decoder must count them as well.
    let nested = |levels| format!("Echo={}{}", "13".repeat(levels), "14".repeat(levels));
    let args = [&*nested(100), &*nested(101)];
    let ended = run(&guest("dynamic"), &guest("echo"), &args);
    let messages = ended.messages_of("dynamic");
    let [_, echoed, refused] = &messages[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(echoed, "Echo: ");
    let told = "Echo: refused: INVALID_ARGUMENT: undecodable: the request";
    assert!(
        refused.starts_with(told) && refused.contains("recursion limit reached"),
        "{refused}"
    );
}

#[test]
fn a_service_required_by_name_is_checked_and_drawn() {
    let alone = "[program.dynamic]\nwasm = \"dynamic.wasm\"\n";
    let refused = App::new(alone).with("dynamic.wasm", guest("dynamic")).run();
    assert!(
        refused
            .stderr
            .contains("`dynamic` requires echo.v1.Echo, which no guest of the deployment exports")
    );
    assert_eq!(refused.status, Some(3));
    let app = App::new(&format!("{alone}[service.echo]\nwasm = \"echo.wasm\"\n"));
    let app = app
        .with("dynamic.wasm", guest("dynamic"))
        .with("echo.wasm", guest("echo"));
    let drawn = app.run_subcommand("graph", &[]).stdout;
    assert!(
        drawn.contains("program dynamic  -> echo  echo.v1.Echo\n"),
        "{drawn}"
    );
    assert_eq!(app.run_subcommand("check", &[]).status, Some(0));
}

/// Returns an app with the program `dynamic` in the process `front` and the echo service in `back`.
fn apart(nats: &Nats, head: &str) -> App {
    let app = App::new(&format!(
        "{head}[service.echo]\nwasm = \"echo.wasm\"\n[program.dynamic]\nwasm = \
         \"dynamic.wasm\"\nargs = [\"Echo=0a0107\"]\n"
    ));
    let app = app
        .with("dynamic.wasm", guest("dynamic"))
        .with("echo.wasm", guest("echo"));
    app.apart(nats, &[("front", "dynamic"), ("back", "echo")])
}

#[test]
fn a_service_in_another_process_is_called_by_name() {
    let nats = Nats::start();
    let app = apart(&nats, "");
    let mut front = app.start_process("front");
    front.wait_for(
        "not ready after 1s: waiting for echo.v1.Echo, which no process of the same `app` \
         offers with a compatible schema yet",
    );
    let back = app.start_process("back");
    let ended = front.wait();
    assert_eq!(
        ended.messages_of("front/dynamic"),
        [
            "not ready after 1s: waiting for echo.v1.Echo, which no process of the same `app` \
             offers with a compatible schema yet",
            "echo.v1.Echo has Echo Misbehave Persist",
            "Echo: 0a0107",
        ]
    );
    assert_eq!(ended.status, Some(0));
    back.interrupt();
    assert_eq!(back.wait().status, Some(130));
}

#[test]
fn waiting_for_methods_ends_on_stop_and_deadline() {
    let nats = Nats::start();
    let patient = apart(&nats, "");
    let mut front = patient.start_process("front");
    front.wait_for("waiting for echo.v1.Echo");
    front.interrupt();
    assert_eq!(
        front.wait().status,
        Some(130),
        "before its `startup_deadline`, 30 s"
    );

    let hasty = apart(&nats, "startup_deadline = \"50ms\"\n");
    let refused = hasty.start_process("front").wait();
    let told = "`dynamic` requires echo.v1.Echo by name, and no process has exported it \
                within 50ms";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert_eq!(refused.status, Some(3));
}
