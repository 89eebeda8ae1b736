//! Edges as `parigot check` and `parigot run` report them.

use std::net::TcpListener;

use e2e::{App, guest};
use serde_json::Value;

/// Returns an app whose edge lists this service.
fn app(service: &str, listen: &str) -> App {
    App::new(&format!(
        "[service.answers]\nwasm = \"answers.wasm\"\nbudget_max = \"400ms\"\n\
         [edge.public]\nlisten = \"{listen}\"\nservices = [\"{service}\"]\n"
    ))
    .with("answers.wasm", guest("answers"))
}

#[test]
fn check_shows_the_services_of_an_edge() {
    let app = app("answers.v1.Answers", "127.0.0.1:8080");
    let ended = app.run_subcommand("check", &[]);
    let expected = "with these edges:\n      public at 127.0.0.1:8080  answers.v1.Answers\n";
    assert!(ended.stdout.ends_with(expected), "{}", ended.stdout);
    assert_eq!(ended.status, Some(0));
    let ended = app.run_subcommand("check", &["--format", "json"]);
    let report: Value = serde_json::from_str(&ended.stdout).expect("the report is JSON");
    assert_eq!(report["edges"][0]["listen"], "127.0.0.1:8080");
    assert_eq!(report["edges"][0]["services"][0], "answers.v1.Answers");
}

#[test]
fn an_unknown_service_is_reported_with_a_suggestion() {
    let app = app("answers.v1.Anwers", "127.0.0.1:0");
    for ended in [app.run_subcommand("check", &[]), app.run()] {
        let text = "the edge `public` lists answers.v1.Anwers, which no guest of the deployment";
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
        let help = "help: did you mean answers.v1.Answers?";
        assert!(ended.stderr.contains(help), "{}", ended.stderr);
        assert!(ended.stderr.contains("app.toml:7:13"), "{}", ended.stderr);
        assert_eq!(ended.status, Some(3));
    }
}

#[test]
fn an_address_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port must be free");
    let address = taken.local_addr().expect("the socket must have an address");
    let ended = app("answers.v1.Answers", &address.to_string()).run();
    let text = format!("the edge `public` cannot listen on {address}");
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("another program listens there"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(3));
}
