//! `parigot run` for a deployment that is spread over processes: one log, one end, one exit status, and nobody left behind.

use std::process::Command;

use e2e::{App, Ended, Nats, Started, guest};

/// A program in the process `front` and another in `back`.
fn two_programs(nats: &Nats, bare: &str, sleeper: &str) -> App {
    let deployment = format!(
        "shutdown_deadline = \"1h\"\n[program.bare]\nwasm = \"bare.wasm\"\nargs = {bare}\n\
         [program.sleeper]\nwasm = \"sleeper.wasm\"\nbudget = \"1h\"\nargs = {sleeper}\n"
    );
    let app = App::new(&deployment)
        .with("bare.wasm", guest("bare"))
        .with("sleeper.wasm", guest("sleeper"));
    app.apart(nats, &[("front", "bare"), ("back", "sleeper")])
}

/// A program in the process `front` that does not end by itself, and in `back` a service that ends with its first call to itself.
fn with_service(nats: &Nats, args: &str) -> App {
    let deployment = format!(
        "[program.sleeper]\nwasm = \"sleeper.wasm\"\n\
         [service.phoenix]\nwasm = \"phoenix.wasm\"\nrestart = \"never\"\nargs = {args}\n"
    );
    let app = App::new(&deployment)
        .with("sleeper.wasm", guest("sleeper"))
        .with("phoenix.wasm", guest("phoenix"));
    app.apart(nats, &[("front", "sleeper"), ("back", "phoenix")])
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
    let line: serde_json::Value = serde_json::from_str(&line).expect("it is an object");
    assert_eq!(
        (&line["process"], &line["service"]),
        (&"front".into(), &"bare".into())
    );
    started.interrupt();
    assert_eq!(started.wait().status, Some(130));
}

#[test]
fn the_status_is_the_first_that_was_not_0_of_a_process_with_programs() {
    let nats = Nats::start();
    let app = App::new(
        "[program.bare]\nwasm = \"bare.wasm\"\nargs = [\"--panic\"]\n[program.quiet]\nwasm = \"bare.wasm\"\n",
    );
    let app = app
        .with("bare.wasm", guest("bare"))
        .apart(&nats, &[("front", "bare"), ("back", "quiet")]);
    let ended = app.run();
    assert_eq!(ended.messages_of("back/quiet"), ["no std in here"]);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn processes_of_services_are_told_to_leave_when_the_last_program_has_ended() {
    let nats = Nats::start();
    let app = App::new(
        "[program.bare]\nwasm = \"bare.wasm\"\n[service.phoenix]\nwasm = \"phoenix.wasm\"\n",
    );
    let app = app
        .with("bare.wasm", guest("bare"))
        .with("phoenix.wasm", guest("phoenix"));
    let app = app.apart(&nats, &[("front", "bare"), ("back", "phoenix")]);
    let ended = Started::new(&mut debug(&app)).wait();
    assert_eq!(
        ended.messages_of("back/phoenix").last().map(String::as_str),
        Some("left with status 0")
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn a_process_of_services_that_fails_ends_the_deployment() {
    let nats = Nats::start();
    let ended = with_service(&nats, r#"["--dies-after", "1", "--status", "7"]"#).run();
    assert!(
        ended
            .stderr
            .contains("process back has ended with status 7, and its services are gone"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(7));
}

#[test]
fn a_second_ctrl_c_kills_what_does_not_leave() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", r#"["--spin"]"#);
    let mut started = app.start();
    started.wait_for("about to spin");
    started.interrupt_twice();
}

#[test]
fn nobody_is_left_behind_when_the_one_who_started_them_is_killed() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let mut started = Started::new(&mut debug(&app));
    let line = started.wait_for("process back is started, with the number");
    let child = line
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number follows");
    started.wait_for("asleep");
    started.signal("KILL");
    started.wait_for_end_of(child);
}

#[test]
fn what_is_wrong_with_the_whole_is_told_before_any_process_is_started() {
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
fn a_process_that_is_not_in_the_file_is_refused() {
    let nats = Nats::start();
    let app = two_programs(&nats, "[]", "[]");
    let ended = app.start_process("fornt").wait();
    let expected = "  × app.toml has no process `fornt`\n  help: did you mean `front`? its processes: back, front\n\n";
    assert_eq!((&*ended.stderr, ended.status), (expected, Some(3)));
}

#[test]
fn what_leaves_a_process_is_told_by_check() {
    let nats = Nats::start();
    let app = App::new("")
        .with_service("shop", &["x.Shop"], &["x.Stock", "x.Bank", "x.Till"])
        .with_service("stock", &["x.Stock"], &[])
        .with_service("bank", &["x.Bank"], &[])
        .with_service("till", &["x.Till"], &[]);
    let app = app.apart(&nats, &[("front", "shop till"), ("back", "stock bank")]);
    let expected = "app.toml: its 4 guests fit, launched in this order:\n   1  bank, stock, till\n   2  shop\n\
                    in 2 processes, which call each other:\n      front -> back  x.Bank, x.Stock\n";
    assert_eq!(app.ask("check", &[]).stdout, expected);
}
