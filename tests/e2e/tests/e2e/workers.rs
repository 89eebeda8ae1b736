//! Workers: guests with a `main` function that are restarted like services, and whose end does not
//! end the deployment.

use e2e::{App, guest};

/// Returns an app with the worker `bare`, with these further keys, and a program that runs until
/// it is stopped.
fn app(keys: &str) -> App {
    App::new(&format!(
        "[worker.bare]\nwasm = \"bare.wasm\"\n{keys}\n[program.sleeper]\nwasm = \"sleeper.wasm\"\n"
    ))
    .with("bare.wasm", guest("bare"))
    .with("sleeper.wasm", guest("sleeper"))
}

#[test]
fn a_failed_worker_is_restarted_up_to_its_limit() {
    let app = app("args = [\"--panic\"]\nmax_restarts = 2");
    let mut started = app.start();
    started.wait_for("failed permanently: after 2 restarts");
    started.interrupt();
    let ended = started.wait();
    let messages = ended.messages_of("bare");
    let runs = messages.iter().filter(|line| *line == "no std in here");
    assert_eq!(runs.count(), 3, "{}", ended.stderr);
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
}

#[test]
fn the_end_of_a_worker_does_not_end_the_deployment() {
    let app = app("");
    let mut started = app.start();
    started.wait_for_each(&["no std in here", "asleep"]);
    started.interrupt();
    let ended = started.wait();
    assert_eq!(ended.messages_of("bare"), ["no std in here"]);
    assert_eq!(ended.messages_of("sleeper"), ["asleep", "good night"]);
    assert_eq!(ended.status, Some(130));
}

#[test]
fn a_worker_does_not_keep_the_deployment_running() {
    let app = App::new(
        "[program.bare]\nwasm = \"bare.wasm\"\n[worker.sleeper]\nwasm = \"sleeper.wasm\"\n",
    );
    let app = app
        .with("bare.wasm", guest("bare"))
        .with("sleeper.wasm", guest("sleeper"));
    let ended = app.run();
    assert_eq!(ended.messages_of("bare"), ["no std in here"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

/// Checks that `run` and `check` refuse the app with this text and next step.
#[track_caller]
fn check_refused(app: &App, message: &str, help: &str) {
    for ended in [app.run(), app.run_subcommand("check", &[])] {
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(ended.stderr.contains(help), "{}", ended.stderr);
        assert_eq!(ended.status, Some(3));
    }
}

#[test]
fn a_guest_in_the_table_of_another_role_is_refused() {
    check_refused(
        &App::new("[service.bare]\nwasm = \"bare.wasm\"\n").with("bare.wasm", guest("bare")),
        "`bare` exports no service, and is in `[service.bare]`",
        "a guest with a `main` function belongs in `[program.bare]`",
    );
    for role in ["program", "worker"] {
        let app = App::new(&format!("[{role}.echo]\nwasm = \"echo.wasm\"\n"));
        check_refused(
            &app.with("echo.wasm", guest("echo")),
            "`echo` exports echo.v1.Echo, and only guests in `[service.<name>]` may export",
            "move its table to `[service.echo]`",
        );
    }
}

#[test]
fn graph_names_the_role_of_a_worker() {
    let ended = app("").run_subcommand("graph", &[]);
    assert!(ended.stdout.contains("worker bare"), "{}", ended.stdout);
    assert_eq!(ended.status, Some(0));
}
