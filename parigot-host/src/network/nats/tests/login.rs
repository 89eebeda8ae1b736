//! Logins: accepted by a server that demands them, and errors that name the setting.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::deployment::{NatsLogin, Secret};

fn file_with(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("secret");
    fs::write(&path, text).expect("a file can be written");
    (folder, path)
}

#[test]
fn a_token_is_read_from_a_file() {
    let server = Server::with_flags(&["--auth", "s3cret"]);
    let (_folder, path) = file_with("s3cret\n");
    check_connects(&server, |network| {
        network.login = Some(NatsLogin::Token(Secret::File(path)));
    });
    let (_folder, path) = file_with("wr0ng");
    let error = error_of(&server, |network| {
        network.login = Some(NatsLogin::Token(Secret::File(path)));
    });
    assert!(error.ends_with(" rejected the credentials"), "{error}");
}

#[test]
fn a_password_is_read_from_a_file() {
    let server = Server::with_flags(&["--user", "ada", "--pass", "s3cret"]);
    let (_folder, path) = file_with("s3cret");
    check_connects(&server, |network| {
        network.login = Some(NatsLogin::User {
            user: "ada".into(),
            password: Secret::File(path),
        });
    });
}

#[test]
fn a_missing_secret_is_named() {
    let server = Server::start();
    let login = |login| error_of(&server, |network| network.login = Some(login));
    assert_eq!(
        login(NatsLogin::Credentials(Secret::File(
            "/nowhere/nats.creds".into()
        ))),
        "cannot read `credentials` of `[network]`: cannot read /nowhere/nats.creds"
    );
    assert_eq!(
        login(NatsLogin::Token(Secret::Env("PARIGOT_NO_TOKEN".into()))),
        "cannot read `token` of `[network]`: environment variable `PARIGOT_NO_TOKEN` is not set"
    );
}

#[test]
fn malformed_credentials_are_named_and_not_shown() {
    let server = Server::start();
    let (_folder, path) = file_with("s3cret");
    let error = error_of(&server, |network| {
        network.login = Some(NatsLogin::Credentials(Secret::File(path.clone())));
    });
    let named = format!(
        "`credentials` of `[network]` are malformed: {}",
        path.display()
    );
    assert!(error.starts_with(&named), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}
