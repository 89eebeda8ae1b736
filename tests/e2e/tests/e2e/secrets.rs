//! Secrets in the environment of guests: read from outside at each start, named in errors, never
//! printed.

use e2e::{App, Started, go_guest};

/// Returns an app with a program that logs its variable `OVEN`, which has this value.
fn app(value: &str) -> App {
    App::new(&format!(
        "[program.teller]\nwasm = \"teller.wasm\"\nenv = {{ OVEN = {value} }}\n"
    ))
    .with("teller.wasm", go_guest("teller"))
}

#[test]
fn a_guest_receives_secrets_as_variables() {
    let app = app("{ env = \"PARIGOT_TEST_OVEN\" }");
    let ended = Started::new(app.command().env("PARIGOT_TEST_OVEN", "from outside")).wait();
    assert_eq!(ended.messages_of("teller")[1], "OVEN=from outside");

    let app = self::app("{ file = \"oven.txt\" }").with("oven.txt", b"from a file\n");
    assert_eq!(app.run().messages_of("teller")[1], "OVEN=from a file");
}

#[test]
fn a_missing_secret_refuses_the_start() {
    let ended = app("{ env = \"PARIGOT_NOT_SET\" }").run();
    assert_eq!(ended.status, Some(3));
    for part in [
        "`OVEN` of `teller` cannot be set",
        "environment variable `PARIGOT_NOT_SET` is not set",
        "help: set PARIGOT_NOT_SET in the environment of parigot",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_check_needs_no_secret() {
    let ended = app("{ file = \"none\" }").run_subcommand("check", &[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

/// The server of the address does not exist, so the start fails.
#[test]
fn no_command_shows_the_password_of_an_address() {
    let network = "[process.front]\nguests = [\"teller\"]\n\
                   [network]\nnats = \"nats://ada:s3cret@127.0.0.1:1\"\n";
    let app = app("\"hot\"").with_tables(network);
    let mut texts = Vec::new();
    for (subcommand, arguments) in [
        ("check", &[][..]),
        ("graph", &[]),
        ("graph", &["--format", "json"]),
        ("run", &["--process", "front"]),
    ] {
        texts.push(app.run_subcommand(subcommand, arguments));
    }
    assert!(
        texts[3].stderr.contains("nats://ada:…@127.0.0.1:1"),
        "{}",
        texts[3].stderr
    );
    // The line of the address is beside the mistake, and shown.
    let mistaken = app.with_tables("natz = 1\n");
    texts.push(mistaken.run_subcommand("check", &[]));
    for ended in &texts {
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!text.contains("s3cret"), "{text}");
    }
}
