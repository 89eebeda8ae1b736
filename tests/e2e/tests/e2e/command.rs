//! The command line.

use std::process::Command;

use e2e::{Ended, Started, parigot};

fn run(args: &[&str]) -> Ended {
    Started::new(Command::new(parigot()).args(args)).wait()
}

#[test]
fn the_version_is_printed() {
    let ended = run(&["--version"]);
    assert_eq!(
        ended.stdout,
        format!("parigot {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn help_lists_the_exit_statuses() {
    for (command, told) in [
        ("run", "130  it was stopped by Ctrl-C"),
        ("run", "124  its guests were not ready"),
        (
            "check",
            "3  the deployment cannot start, for the reported reasons",
        ),
        ("graph", "3  the deployment cannot be drawn"),
    ] {
        let ended = run(&[command, "--help"]);
        assert!(ended.stdout.contains(told), "{}", ended.stdout);
        assert_eq!(ended.status, Some(0));
    }
}

#[test]
fn a_wrong_command_line_exits_with_status_2() {
    for args in [
        &[][..],
        &["run"],
        &["runn", "a.toml"],
        &["run", "a.toml", "b.toml"],
        &["run", "--log-level", "loud", "a"],
        &["run", "--log-level", "info,links=loud", "a"],
        &["run", "--log-format", "xml", "a"],
        &["check"],
        &["check", "--format", "dot", "a"],
        &["graph"],
        &["graph", "--format", "json", "a"],
    ] {
        let ended = run(args);
        assert_eq!(ended.status, Some(2), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    assert!(
        run(&["runn"]).stderr.contains("'run'"),
        "a similar command is named"
    );
}

#[test]
fn a_full_stdout_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux must have /dev/full");
    let ended = Command::new(parigot())
        .args(["boilerplateid", "--lang", "rust", "Ticket", "tic"])
        .stdout(full)
        .output()
        .expect("the command must run");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(
        stderr,
        "parigot: cannot write to stdout: No space left on device (os error 28)\n"
    );
    assert_eq!(ended.status.code(), Some(1));
}
