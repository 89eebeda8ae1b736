//! The example, run as a user would.

use std::path::Path;

use e2e::{App, Ended, Started, example, parigot_run, root};

/// Runs the example's guests with other arguments for the program.
fn run_with_args(args: &str) -> Ended {
    let build = example().join("build");
    let build = build.display();
    let deployment = format!(
        "[service.greeting]\nwasm = '{build}/greeting.wasm'\n[program.hello]\nwasm = \
         '{build}/hello.wasm'\nargs = {args}\n"
    );
    App::new(&deployment).run()
}

#[test]
fn the_program_logs_the_greeting() {
    let ended =
        Started::new(parigot_run(Path::new("helloworld.toml")).current_dir(example())).wait();
    let log = ended.log();
    let [line] = &log[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(
        (&*line.level, &*line.guest, &*line.message),
        ("INFO", "hello", "bonjour, world")
    );
    assert!(line.instance.starts_with("ins_"), "{line:?}");
    assert_eq!(line.call, "-");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.status, Some(0));
}

#[test]
fn paths_do_not_depend_on_the_working_directory() {
    let elsewhere = App::new("");
    let file = example().join("helloworld.toml");
    let ended = Started::new(parigot_run(&file).current_dir(elsewhere.folder())).wait();
    assert_eq!(ended.messages_of("hello"), ["bonjour, world"]);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn arguments_of_the_file_reach_the_program() {
    assert_eq!(
        run_with_args(r#"["--tongue", "german"]"#).messages_of("hello"),
        ["guten tag, world"]
    );
}

#[test]
fn an_error_of_the_service_ends_the_program() {
    let ended = run_with_args(r#"["--tongue", "klingon"]"#);
    assert_eq!(ended.status, Some(1));
    let told = ended
        .log()
        .into_iter()
        .any(|line| line.level == "ERROR" && line.message.contains("UnknownLang"));
    assert!(told, "{}", ended.stderr);
}

#[test]
fn level_debug_logs_the_lifecycle_of_guests() {
    let mut command = parigot_run(Path::new("helloworld.toml"));
    let ended = Started::new(
        command
            .args(["--log-level", "debug"])
            .current_dir(example()),
    )
    .wait();
    let of_instances = ended.log().into_iter().filter(|line| line.instance != "-");
    let told: Vec<_> = of_instances
        .map(|line| format!("{} {}", line.guest, line.message))
        .collect();
    assert_eq!(
        told,
        [
            "greeting launched",
            "hello launched",
            "hello bonjour, world",
            "hello exited with status 0",
            "greeting exited with status 0",
        ]
    );
}

#[test]
fn the_example_and_its_golden_case_share_a_proto() {
    let read = |folder: &str| {
        let file = root().join(folder).join("greeting/v1/greeting.proto");
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    assert_eq!(
        read("examples/helloworld/proto"),
        read("tests/golden/helloworld")
    );
}
