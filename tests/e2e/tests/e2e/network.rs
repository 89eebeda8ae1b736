//! Guests in several processes, connected by a real NATS server. The same wasm files behave as in
//! one process.

use e2e::{App, Ended, Language, Nats, PAIRS, Started, go_guest, guest, shop};

/// Returns an app with the driver and these calls in the process `front`, and the echo service in
/// `back`.
fn driver_and_echo(nats: &Nats, calls: &[&str]) -> App {
    echo_apart(nats, "", (Language::Rust, Language::Rust), calls)
}

fn echo_apart(
    nats: &Nats,
    keys: &str,
    (client, service): (Language, Language),
    calls: &[&str],
) -> App {
    let deployment = format!(
        "{keys}\n[service.echo]\nwasm = \"echo.wasm\"\n[program.driver]\nwasm = \
         \"driver.wasm\"\nargs = {calls:?}\n"
    );
    let app = App::new(&deployment)
        .with("echo.wasm", service.echo())
        .with("driver.wasm", client.driver());
    app.apart(nats, &[("front", "driver"), ("back", "echo")])
}

/// Starts both processes of [`driver_and_echo`], first that of the service.
fn start(app: &App) -> (Started, Started) {
    let back = app.start_process("back");
    (app.start_process("front"), back)
}

/// Stops a process with SIGTERM, which is a success.
#[track_caller]
fn terminate(process: Started) -> Ended {
    process.signal("TERM");
    let ended = process.wait();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended
}

/// Runs all processes of a deployment with one command.
#[track_caller]
fn run(app: &App) -> Ended {
    succeeds(app.start())
}

#[track_caller]
fn succeeds(process: Started) -> Ended {
    let ended = process.wait();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended
}

/// Returns the time at the begin of a line of the log.
fn time(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn the_example_runs_in_two_processes() {
    let nats = Nats::start();
    for (client, service) in PAIRS {
        let wasm = |of: Language, name: &str| {
            std::fs::read(of.example().join("build").join(name))
                .expect("`make build` must write the guests of the example")
        };
        let file = std::fs::read_to_string(client.example().join("helloworld.toml"))
            .expect("the example must have a deployment file");
        let app = App::new("")
            .with("greeting.wasm", wasm(service, "greeting.wasm"))
            .with("hello.wasm", wasm(client, "hello.wasm"))
            .with("app.toml", file.replace("build/", ""));
        let ended = run(&app.apart(&nats, &[("front", "hello"), ("back", "greeting")]));
        assert_eq!(
            ended.messages_of("front/hello"),
            ["bonjour, world"],
            "{client:?} calls {service:?}"
        );
    }
}

#[test]
fn the_shop_is_the_same_in_three_processes() {
    let example = shop();
    let file = std::fs::read_to_string(example.join("shop.toml"))
        .expect("the example must have a deployment file");
    let file = file.replace("build/", &format!("{}/build/", example.display()));
    let nats = Nats::start();
    let order = |app: &App| {
        let mut command = app.command();
        Started::new(command.args(["--", "order", "coffee", "2"])).wait()
    };
    let here = order(&App::new("").with("app.toml", &file));
    let apart = App::new("").with("app.toml", &file);
    let processes = [
        ("office", "admin"),
        ("front", "orders"),
        ("warehouse", "catalog restocker stock"),
    ];
    let ended = order(&apart.apart(&nats, &processes));
    assert!(
        ended.stdout.contains("2 coffee for 19.00"),
        "{}",
        ended.stderr
    );
    // Each run has another order.
    let without_id = |message: &str| -> String {
        let words = message
            .split(' ')
            .map(|word| if word.starts_with("ord_") { "id" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    for (process, guests) in processes {
        for guest in guests.split(' ') {
            let said = |ended: &Ended, name: &str| -> Vec<String> {
                ended
                    .messages_of(name)
                    .iter()
                    .map(|message| without_id(message))
                    .collect()
            };
            assert_eq!(
                said(&ended, &format!("{process}/{guest}")),
                said(&here, guest),
                "{}",
                ended.stderr
            );
        }
    }
}

#[test]
fn calls_end_alike_in_one_process_and_in_two() {
    let too_large = "of 16777222 bytes exceeds the limit of 16777216";
    let swell = format!("swell:16777217: RESOURCE_EXHAUSTED, answer lost: response {too_large}");
    let echo = format!("echo:16777217: RESOURCE_EXHAUSTED, too large: request {too_large}");
    let cases: &[(&str, &[&str])] = &[
        ("echo:0", &["echo:0: 0 bytes"]),
        ("refuse", &["refuse: Refused"]),
        (
            "hang@1000",
            &["hang@1000: DEADLINE_EXCEEDED, timed out: no reply within the deadline"],
        ),
        ("hang!", &[]),
        ("sleep:30+echo:1", &["sleep:30: 0 bytes", "echo:1: 1 bytes"]),
        // More than the 1 MiB that the server allows in a message.
        ("echo:3145728", &["echo:3145728: 3145728 bytes"]),
        ("swell:3145728", &["swell:3145728: 3145728 bytes"]),
        ("swell:16777217", &[&swell]),
        ("echo:16777217", &[&echo]),
        (&["echo:1"; 1_000].join("+"), &["echo:1: 1 bytes"; 1_000]),
    ];
    let calls: Vec<_> = cases.iter().map(|(call, _)| *call).collect();
    let expected: Vec<_> = cases.iter().flat_map(|(_, said)| *said).copied().collect();
    let nats = Nats::start();
    for pair in PAIRS {
        let ended = run(&echo_apart(&nats, "", pair, &calls));
        let said = ended.messages_of("front/driver");
        assert_eq!(said, expected, "{pair:?}:\n{}", ended.stderr);
    }
}

#[test]
fn a_remote_callee_that_fails_is_named_and_restarted() {
    let nats = Nats::start();
    for (service, language) in [(Language::Rust, "Rust"), (Language::Go, "Go")] {
        let calls = ["hang+panic", "again", "leave:7", "again"];
        let ended = run(&echo_apart(&nats, "", (Language::Rust, service), &calls));
        let said = ended.messages_of("front/driver");
        let [hang, panic, again, leave, at_last] = &said[..] else {
            panic!("{}", ended.stderr)
        };
        assert!(
            hang.starts_with("hang: UNAVAILABLE, callee trapped: echo panicked"),
            "{language}: {hang}"
        );
        assert!(
            panic.starts_with("panic: INTERNAL, callee trapped: echo panicked"),
            "{language}: {panic}"
        );
        assert_eq!(
            leave,
            "leave:7: UNAVAILABLE, callee exited: echo exited with status 7 before it replied"
        );
        assert_eq!([again, at_last], ["again: 1 bytes"; 2]);
    }
}

/// The id of a call is the same in both processes, and the caller's error names the callee's
/// instance.
#[test]
fn a_failure_names_the_remote_call_and_instance() {
    let nats = Nats::start();
    let ended = run(&driver_and_echo(&nats, &["leave:7?", "hang@400?"]));
    let log = ended.log();
    let left = log
        .iter()
        .find(|line| line.message.starts_with("exited with status 7"))
        .expect("the host must log the failure");
    let hanging = log
        .iter()
        .find(|line| line.message == "hanging")
        .map(|line| &line.call);
    let [first, second] = &ended.messages_of("front/driver")[..] else {
        panic!("{}", ended.stderr)
    };
    let expected = format!(
        "leave:7?: unknown: UNAVAILABLE: callee exited: echo exited with status 7 before it \
         replied (echo.v1.Echo/Misbehave, instance {}, call {})",
        left.instance, left.call
    );
    assert_eq!(first, &expected);
    // The service may be down when the second call is made, because it is being restarted.
    assert!(
        hanging.is_none_or(|call| second.ends_with(&format!("call {call})"))),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_remote_service_is_called_by_name() {
    let nats = Nats::start();
    for dynamic in [guest("dynamic"), go_guest("dynamic")] {
        let app = App::new(
            "[service.echo]\nwasm = \"echo.wasm\"\n\
             [program.dynamic]\nwasm = \"dynamic.wasm\"\nargs = [\"Echo=0a0107\", \"Steal=\"]\n",
        );
        let app = app
            .with("dynamic.wasm", dynamic)
            .with("echo.wasm", guest("echo"));
        let ended = run(&app.apart(&nats, &[("front", "dynamic"), ("back", "echo")]));
        let said = ended.messages_of("front/dynamic");
        let [methods, echoed, unknown] = &said[..] else {
            panic!("{}", ended.stderr)
        };
        assert!(
            methods.starts_with("echo.v1.Echo has Echo Misbehave"),
            "{methods}"
        );
        assert_eq!(echoed, "Echo: 0a0107");
        let expected = "Steal: refused: UNIMPLEMENTED: no such method: echo.v1.Echo has no method \
                        Steal (echo.v1.Echo/Steal)";
        assert_eq!(unknown, expected);
    }
}

#[test]
fn the_first_process_waits_for_the_others() {
    let nats = Nats::start();
    let app = driver_and_echo(&nats, &["echo:1"]);
    let mut front = app.start_process("front");
    front.wait_for("driver ins_");
    let back = app.start_process("back");
    let ended = succeeds(front);
    let waits = "not ready after 1s: waiting for echo.v1.Echo, which no process of the same `app` \
                 offers with a compatible schema yet";
    assert_eq!(
        ended.messages_of("front/driver"),
        [waits, "echo:1: 1 bytes"],
        "{}",
        ended.stderr
    );
    terminate(back);
}

#[test]
fn a_start_without_peers_ends_at_its_deadline() {
    let nats = Nats::start();
    let pair = (Language::Rust, Language::Rust);
    let app = echo_apart(&nats, "startup_deadline = \"1s\"", pair, &[]);
    let ended = app.start_process("front").wait();
    let log: Vec<_> = ended.log().into_iter().map(|line| line.message).collect();
    let expected = [
        "not ready after 1s: waiting for echo.v1.Echo, which no process of the same `app` offers \
         with a compatible schema yet",
        "the start has taken longer than 1s, its `startup_deadline`",
    ];
    assert!(
        log.ends_with(&expected.map(str::to_owned)),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(124));
}

#[test]
fn without_a_server_the_start_fails_with_help() {
    let mut nats = Nats::start();
    nats.stop();
    let app = driver_and_echo(&nats, &[]);
    let ended = app.start_process("front").wait();
    for text in [
        "process `front` cannot join the others",
        &format!("cannot connect to NATS server {}: ", nats.url()),
        "help: start a server with `nats-server`, or correct `nats` in `[network]`",
    ] {
        assert!(ended.stderr.contains(text), "{text}:\n{}", ended.stderr);
    }
    assert_eq!(ended.status, Some(3));
}

/// The start ends long before its `startup_deadline` of 30 s, with another status.
#[test]
fn a_missing_permission_ends_the_start() {
    let nats = Nats::with_config(
        "authorization { users: [{ user: front, password: p, permissions: {
            publish: { deny: \"*.*.query.>\" } } }] }",
    );
    let denied = |app: &str| {
        format!(
            "the NATS server denies a permission: to publish to parigot.{app}.query.echo.v1.Echo: \
             add \"parigot.{app}.query.echo.v1.Echo\" to `publish` in the permissions of this user"
        )
    };
    let login = "user = \"front\"\npassword = { file = \"password\" }\n";
    let logged_in = |app: App| {
        let file = std::fs::read_to_string(app.file()).expect("the app must have a file");
        app.with(
            "app.toml",
            file.replace("[network]\n", &format!("[network]\n{login}")),
        )
        .with("password", "p")
    };
    let ended = logged_in(driver_and_echo(&nats, &[]))
        .start_process("front")
        .wait();
    let fault = format!("cannot find the processes that offer it: {}", denied("app"));
    assert!(ended.stderr.contains(&fault), "{}", ended.stderr);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);

    let dynamic = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n[program.dynamic]\nwasm = \"dynamic.wasm\"\n",
    );
    let dynamic = dynamic
        .with("echo.wasm", guest("echo"))
        .with("dynamic.wasm", guest("dynamic"))
        .apart(&nats, &[("front", "dynamic"), ("back", "echo")]);
    let ended = logged_in(dynamic).start_process("front").wait();
    let problem = "`dynamic` requires echo.v1.Echo by name, and no process can be found: ";
    assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
}

#[test]
fn handles_survive_a_killed_and_restarted_process() {
    let nats = Nats::start();
    let app = driver_and_echo(&nats, &["hang@60000?", "echo:1?", "again", "echo:2"]);
    let (mut front, mut back) = start(&app);
    back.wait_for("hanging");
    back.signal("KILL");
    let lost = "the process that offered echo.v1.Echo has sent no heartbeat for 3 s \
                (echo.v1.Echo/Misbehave, call cal_";
    front.wait_for(&format!(
        "hang@60000?: unknown: UNAVAILABLE: callee exited: {lost}"
    ));
    front.wait_for(
        "echo:1?: refused: UNAVAILABLE: unreachable: no process offers echo.v1.Echo \
                    (echo.v1.Echo/Echo",
    );
    let back = app.start_process("back");
    front.wait_for("again: 1 bytes");
    front.wait_for("echo:2: 2 bytes");
    succeeds(front);
    terminate(back);
}

#[test]
fn calls_to_a_killed_process_are_refused_early() {
    let nats = Nats::start();
    let app = driver_and_echo(&nats, &["echo:1", "refused", "again"]);
    let (mut front, back) = start(&app);
    front.wait_for("echo:1: 1 bytes");
    back.signal("KILL");
    front.wait_for("refused: UNAVAILABLE, unreachable: no process offers echo.v1.Echo");
    front.wait_for("process back no longer offers echo.v1.Echo");
    let back = app.start_process("back");
    front.wait_for("again: 1 bytes");
    succeeds(front);
    terminate(back);
}

#[test]
fn a_terminated_process_finishes_its_calls() {
    let nats = Nats::start();
    let app = driver_and_echo(&nats, &["sleep:2000", "refused"]);
    let (mut front, mut back) = start(&app);
    back.wait_for("sleeping");
    back.signal("TERM");
    let stopping = back.wait_for("stopping the guests");
    let answered = front.wait_for("sleep:2000: 0 bytes");
    assert!(time(&stopping) < time(&answered), "{stopping}\n{answered}");
    front.wait_for("refused: UNAVAILABLE, unreachable: no process offers echo.v1.Echo");
    succeeds(front);
    assert_eq!(back.wait().status, Some(0));
}

#[test]
fn calls_of_a_stopped_process_are_cancelled() {
    let nats = Nats::start();
    let app = driver_and_echo(&nats, &["hang@60000"]);
    let (front, mut back) = start(&app);
    back.wait_for("hanging");
    front.signal("TERM");
    assert_eq!(front.wait().status, Some(143), "a program was cut off");
    back.wait_for("cancelled");
    terminate(back);
}

#[test]
fn exit_hooks_can_call_remote_services() {
    let nats = Nats::start();
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n[program.parting]\nwasm = \"parting.wasm\"\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("parting.wasm", guest("parting"));
    let app = app.apart(&nats, &[("front", "parting"), ("back", "echo")]);
    let mut started = app.start();
    started.wait_for("asleep");
    started.interrupt();
    let ended = started.wait();
    let said = ended.messages_of("front/parting");
    assert_eq!(
        said.last().map(String::as_str),
        Some("goodbye Ok(7)"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(130));
}

#[test]
fn calls_resume_after_the_server_is_back() {
    let mut nats = Nats::start();
    let app = driver_and_echo(&nats, &["echo:1", "refused", "again", "echo:2"]);
    let (mut front, mut back) = start(&app);
    front.wait_for("echo:1: 1 bytes");
    nats.stop();
    front.wait_for_each(&[
        "the connection to NATS is down: calls to other processes are refused",
        "refused: UNAVAILABLE, unreachable: the connection to NATS has been down for ",
    ]);
    nats.restart();
    front.wait_for_each(&[
        "the connection to NATS is up again, after ",
        "again: 1 bytes",
        "echo:2: 2 bytes",
    ]);
    back.wait_for("the connection to NATS is up again, after ");
    succeeds(front);
    terminate(back);
}

#[test]
fn a_process_started_twice_shares_its_calls() {
    let nats = Nats::start();
    let watching = driver_and_echo(&nats, &["pause:3600000"]);
    let mut watcher = watching.start_process("front");
    let app = driver_and_echo(&nats, &["sleep:1"; 40]);
    let backs = [app.start_process("back"), app.start_process("back")];
    (0..2).for_each(|_| drop(watcher.wait_for("process back offers echo.v1.Echo")));
    succeeds(app.start_process("front"));
    let [one, other] = backs.map(|back| terminate(back).messages_of("back/echo").len());
    assert_eq!(one + other, 40);
    assert!(one > 0 && other > 0, "{one} and {other}");
}
