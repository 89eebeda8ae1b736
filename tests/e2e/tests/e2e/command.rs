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
        ("check", "3  it cannot, for the reasons that are told"),
        ("graph", "3  it cannot be drawn"),
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
