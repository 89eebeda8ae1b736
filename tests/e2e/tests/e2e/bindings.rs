//! Requirements of one service that are bound to different exporters.

use e2e::{App, Language, Nats, PAIRS};

use crate::answers::{role, with_roles};

/// Two exporters of answers.v1.Answers, and the guests that require them.
fn app((caller, callee): (Language, Language), bind: &str) -> App {
    let answers = role(callee, "answers");
    let questions = ["a/name", "b/name", "dynamic/name", "desk/name"];
    with_roles(App::new(&format!(
        "[service.one]\n{answers}args = [\"first\"]\n\
         [service.two]\n{answers}args = [\"second\"]\n\
         [service.desk]\n{}bind = {{ shelf = \"two\" }}\n\
         [program.asker]\n{}args = {questions:?}\n{bind}\n",
        role(callee, "desk"),
        role(caller, "asker"),
    )))
}

const RUST: (Language, Language) = (Language::Rust, Language::Rust);

#[test]
fn each_name_is_bound_to_an_exporter() {
    for pair in PAIRS {
        let ended = app(pair, "bind = { a = \"one\", b = \"two\" }").run();
        assert_eq!(
            ended.messages_of("asker"),
            [
                "a/name: \"first\"",
                "b/name: \"second\"",
                "dynamic/name: \"first\"",
                "desk/name: \"second\"",
            ],
            "{pair:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(0));
    }
}

/// Checks the error of `run` and of `check`, and its next step.
#[track_caller]
fn check_refused(app: &App, problems: &[&str], help: &str) {
    for ended in [app.run(), app.run_subcommand("check", &[])] {
        let found: Vec<_> = ended
            .stderr
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("× "))
            .collect();
        assert_eq!(found, problems, "{}", ended.stderr);
        let help = format!("help: {help}");
        assert!(ended.stderr.contains(&help), "{help}: {}", ended.stderr);
        assert_eq!(ended.status, Some(3));
    }
}

#[test]
fn a_name_that_no_requirement_has_is_refused() {
    check_refused(
        &app(RUST, "bind = { a = \"one\", b = \"two\", bb = \"one\" }"),
        &["`asker` binds `bb`, and requires no service by this name"],
        "did you mean `b`?",
    );
}

#[test]
fn a_name_that_fits_two_exporters_is_refused() {
    check_refused(
        &app(RUST, "bind = { a = \"one\" }"),
        &[
            "`asker` requires answers.v1.Answers as `b`, and its `bind` does not choose one of \
             `one` and `two`",
        ],
        "write `bind = { b = \"one\" }` in its table",
    );
}

#[test]
fn a_name_bound_to_another_guest_is_refused() {
    check_refused(
        &app(RUST, "bind = { a = \"one\", b = \"desk\" }"),
        &[
            "`asker` binds `b` to `desk`, which does not export answers.v1.Answers in the \
             same process",
        ],
        "did you mean `b = \"one\"`?",
    );
}

/// Names are bound within a process, and both commands say so.
#[test]
fn a_name_bound_to_a_guest_of_another_process_is_refused() {
    let nats = Nats::start();
    let app = app(RUST, "bind = { a = \"one\", b = \"two\" }")
        .apart(&nats, &[("front", "asker one desk"), ("back", "two")]);
    let elsewhere = "to `two`, which does not export answers.v1.Answers in the same process";
    let problems = [
        format!("`asker` binds `b` {elsewhere}"),
        format!("`desk` binds `shelf` {elsewhere}"),
    ];
    let ended = app.run_subcommand("check", &[]);
    let move_or_bind = "help: `two` runs in another process: bind `b = \"one\"`, or move `two` to \
                        the process of `asker`";
    for problem in problems.iter().map(String::as_str).chain([move_or_bind]) {
        assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    }
    assert_eq!(ended.status, Some(3));
    let ended = app.run_subcommand("run", &["--process", "front"]);
    assert!(ended.stderr.contains(elsewhere), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}

#[test]
fn a_name_needs_no_binding_to_another_process() {
    let nats = Nats::start();
    let app = app(RUST, "bind = { a = \"one\", b = \"one\" }")
        .apart(&nats, &[("front", "asker desk"), ("back", "one two")]);
    let ended = app.run_subcommand("check", &[]);
    let help = "help: `one` runs in another process: remove `a` from `bind`, and calls go to the \
                exporters in other processes";
    assert!(ended.stderr.contains(help), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}

/// Other processes do not see the exporters, because they could not tell them apart.
#[test]
fn names_are_bound_in_a_process_of_a_network() {
    let nats = Nats::start();
    let app = app(RUST, "bind = { a = \"one\", b = \"two\" }")
        .apart(&nats, &[("all", "asker one two desk")]);
    let ended = app.run();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.messages_of("all/asker"),
        [
            "a/name: \"first\"",
            "b/name: \"second\"",
            "dynamic/name: \"first\"",
            "desk/name: \"second\"",
        ]
    );
}
