//! `parigot run` for a deployment with several processes: one log, one exit status, and no process
//! left behind.

use std::process::Command;

use e2e::{App, Ended, Nats, Started, guest};

/// Returns an app with a program in the process `front` and another in `back`.
fn two_programs(nats: &Nats, bare: &str, sleeper: &str) -> App {
    let deployment = format!(
        "shutdown_deadline = \"1h\"\n[program.bare]\nwasm = \"bare.wasm\"\nargs = {bare}\n\
         [program.sleeper]\nwasm = \"sleeper.wasm\"\nbudget = \"60s\"\nargs = {sleeper}\n"
    );
    let app = App::new(&deployment)
        .with("bare.wasm", guest("bare"))
        .with("sleeper.wasm", guest("sleeper"));
    app.apart(nats, &[("front", "bare"), ("back", "sleeper")])
}

/// Returns an app with a program in the process `front` that runs until it is stopped, and the
/// service `flaky` with these arguments in `back`.
fn with_service(nats: &Nats, args: &str) -> App {
    let deployment = format!(
        "[program.sleeper]\nwasm = \"sleeper.wasm\"\n\
         [service.flaky]\nwasm = \"flaky.wasm\"\nrestart = \"never\"\nargs = {args}\n"
    );
    let app = App::new(&deployment)
        .with("sleeper.wasm", guest("sleeper"))
        .with("flaky.wasm", guest("flaky"));
    app.apart(nats, &[("front", "sleeper"), ("back", "flaky")])
}

fn debug(app: &App) -> Command {
    let mut command = app.command();
    command.args(["--log-level", "debug"]);
    command
}

#[test]
fn each_line_names_its_process_and_ctrl_c_stops_all() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let mut started = app.start();
    started.wait_for_each(&["asleep", "no std in here"]);
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.messages_of("front/bare"), ["no std in here"]);
    assert_eq!(ended.messages_of("back/sleeper"), ["asleep", "good night"]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn a_line_of_json_names_its_process() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let mut started = Started::new(app.command().args(["--log-format", "json"]));
    let line = started.wait_for("no std in here");
    let line: serde_json::Value = serde_json::from_str(&line).expect("the line must be an object");
    assert_eq!(
        (&line["process"], &line["service"]),
        (&"front".into(), &"bare".into())
    );
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
}

#[test]
fn the_first_failed_program_sets_the_status() {
    let nats = Nats::start();
    let app = App::new(
        "[program.bare]\nwasm = \"bare.wasm\"\nargs = [\"--panic\"]\n[program.quiet]\nwasm = \
         \"bare.wasm\"\n",
    );
    let app = app
        .with("bare.wasm", guest("bare"))
        .apart(&nats, &[("front", "bare"), ("back", "quiet")]);
    let ended = app.run();
    assert_eq!(ended.messages_of("back/quiet"), ["no std in here"]);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn services_stop_after_the_last_program() {
    let nats = Nats::start();
    let app =
        App::new("[program.bare]\nwasm = \"bare.wasm\"\n[service.flaky]\nwasm = \"flaky.wasm\"\n");
    let app = app
        .with("bare.wasm", guest("bare"))
        .with("flaky.wasm", guest("flaky"));
    let app = app.apart(&nats, &[("front", "bare"), ("back", "flaky")]);
    let ended = Started::new(&mut debug(&app)).wait();
    assert_eq!(
        ended.messages_of("back/flaky").last().map(String::as_str),
        Some("exited with status 0"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_failed_process_of_services_ends_the_deployment() {
    let nats = Nats::start();
    let ended = with_service(&nats, r#"["--fails-after", "1", "--status", "7"]"#).run();
    assert!(
        ended
            .stderr
            .contains("process back ended with status 7; its services are gone"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(7));
}

#[test]
fn a_second_ctrl_c_kills_child_processes() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", r#"["--spin"]"#);
    let mut started = app.start();
    started.wait_for("about to spin");
    started.interrupt_twice();
}

#[test]
fn child_processes_end_when_their_parent_is_killed() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let mut started = Started::new(&mut debug(&app));
    let line = started.wait_for("started process back, pid");
    let child = line
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a process id must follow");
    started.wait_for("asleep");
    started.signal("KILL");
    started.wait_for_end_of(child);
}

#[test]
fn the_whole_is_checked_before_processes_start() {
    let nats = Nats::start();
    let app = App::new("")
        .with_service("shop", &[], &["stock.v1.Stock"])
        .with_service("bank", &["bank.v1.Bank"], &[]);
    let Ended { stderr, status, .. } = app
        .apart(&nats, &[("front", "shop"), ("back", "bank")])
        .run();
    assert!(
        stderr.contains("`shop` requires stock.v1.Stock, which no guest of the deployment exports"),
        "{stderr}"
    );
    assert_eq!(stderr.matches('×').count(), 1, "{stderr}");
    assert_eq!(status, Some(3));
}

#[test]
fn an_unknown_process_is_rejected() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let ended = app.start_process("fornt").wait();
    let expected = "  × app.toml has no process `fornt`\n  help: did you mean `front`? its \
                    processes: back, front\n\n";
    assert_eq!((&*ended.stderr, ended.status), (expected, Some(3)));
}

#[test]
fn check_lists_calls_between_processes() {
    let nats = Nats::start();
    let app = App::new("")
        .with_service("shop", &["x.Shop"], &["x.Stock", "x.Bank", "x.Till"])
        .with_service("stock", &["x.Stock"], &[])
        .with_service("bank", &["x.Bank"], &[])
        .with_service("till", &["x.Till"], &[]);
    let app = app.apart(&nats, &[("front", "shop till"), ("back", "stock bank")]);
    let expected = "app.toml: its 4 guests fit, launched in this order:\n   1  bank, stock, \
                    till\n   2  shop\n\
                    in 2 processes, which call each other:\n      front -> back  x.Bank, x.Stock\n";
    assert_eq!(app.run_subcommand("check", &[]).stdout, expected);
}
