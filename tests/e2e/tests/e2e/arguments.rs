//! Arguments after `--`: the program receives them, in one process and in several, and a wrong
//! number of programs is refused with the fix.

use e2e::{App, Ended, Nats, Started, example, guest};

/// Runs an app with these further arguments of the command.
fn run_with(app: &App, arguments: &[&str]) -> Ended {
    Started::new(app.command().args(arguments)).wait()
}

/// Returns an app with the programs `bare` and `quiet`; `bare` fails with the argument `--panic`.
fn two_programs() -> App {
    App::new("[program.bare]\nwasm = \"bare.wasm\"\n[program.quiet]\nwasm = \"bare.wasm\"\n")
        .with("bare.wasm", guest("bare"))
}

#[test]
fn arguments_after_the_dashes_reach_the_program() {
    let build = example().join("build");
    let build = build.display();
    let app = App::new(&format!(
        "[service.greeting]\nwasm = '{build}/greeting.wasm'\n\
         [program.hello]\nwasm = '{build}/hello.wasm'\nargs = [\"--tongue\"]\n"
    ));
    let ended = run_with(&app, &["--", "german"]);
    assert_eq!(ended.messages_of("hello"), ["guten tag, world"]);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn one_of_several_programs_receives_the_arguments() {
    let ended = run_with(&two_programs(), &["--program", "quiet", "--", "--panic"]);
    assert_eq!(ended.messages_of("bare"), ["no std in here"]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
}

#[test]
fn arguments_reach_a_program_in_another_process() {
    let nats = Nats::start();
    let app = two_programs().apart(&nats, &[("front", "bare"), ("back", "quiet")]);
    let ended = run_with(&app, &["--program", "quiet", "--", "--panic"]);
    assert_eq!(ended.messages_of("front/bare"), ["no std in here"]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
}

/// Checks the error and the next step of arguments without a receiver.
#[track_caller]
fn check_refused(app: &App, arguments: &[&str], message: &str, help: &str) {
    let ended = run_with(app, arguments);
    let expected = format!("  × {message}\n  help: {help}");
    assert_eq!(ended.stderr.trim_end(), expected);
    assert_eq!(ended.status, Some(3));
}

#[test]
fn arguments_without_one_receiver_are_refused() {
    check_refused(
        &two_programs(),
        &["--", "list"],
        "app.toml has several programs: bare, quiet",
        "select one of them, for example: --program bare --",
    );
    check_refused(
        &two_programs(),
        &["--program", "bear", "--", "list"],
        "app.toml has no program `bear`",
        "its programs: bare, quiet",
    );
    check_refused(
        &App::new("[service.greeting]\nwasm = \"greeting.wasm\"\n"),
        &["--", "list"],
        "app.toml has no program to receive the arguments after `--`",
        "set `args` in the table of a service, or add a table `[program.<name>]`",
    );
}

#[test]
fn a_program_of_another_process_is_refused() {
    let nats = Nats::start();
    let app = two_programs().apart(&nats, &[("front", "bare"), ("back", "quiet")]);
    check_refused(
        &app,
        &["--process", "front", "--program", "quiet", "--", "list"],
        "process `front` of app.toml has no program `quiet`",
        "its programs: bare",
    );
}
