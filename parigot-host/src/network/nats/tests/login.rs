//! Logins: accepted by a server that demands them, and errors that name the setting.

use std::fs;
use std::path::PathBuf;

use async_nats::ServerAddr;
use nkeys::KeyPair;
use tempfile::TempDir;

use super::*;
use crate::deployment::{NatsLogin, NatsServer, Secret};
use crate::network::nats::login::Logins;

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

#[test]
fn the_seed_of_an_nkey_proves_the_identity() {
    let pair = KeyPair::new_user();
    let user = format!(
        "authorization {{ users: [ {{ nkey: {} }} ] }}",
        pair.public_key()
    );
    let server = Server::with_config(&user);
    let seed = |pair: &KeyPair| file_with(&(pair.seed().expect("must have a seed") + "\n"));
    let nkey = |path: PathBuf| Some(NatsLogin::Nkey(Secret::File(path)));
    let (_folder, path) = seed(&pair);
    check_connects(&server, |network| network.login = nkey(path));
    let (_folder, path) = seed(&KeyPair::new_user());
    let error = error_of(&server, |network| network.login = nkey(path));
    assert!(error.ends_with(" rejected the credentials"), "{error}");
    // The seed of another kind of key is a mistake in the deployment.
    for (_folder, path) in [seed(&KeyPair::new_account()), file_with("s3cret")] {
        let error = error_of(&server, |network| network.login = nkey(path.clone()));
        let named = format!("`nkey` of `[network]` is malformed: {}", path.display());
        assert_eq!(error, named);
    }
}

#[test]
fn each_server_gets_the_login_of_its_own_address() {
    let servers: [_; 3] = std::array::from_fn(|_| RejectingServer::start());
    let server = Server::start();
    let error = refusal(&server, |network| {
        network.servers = vec![
            servers[0].with_login("ada:p%40ss@"),
            servers[1].with_login("t0ken@"),
            servers[2].with_login(""),
        ];
    });
    assert!(matches!(error, NetworkError::Denied { .. }), "{error:?}");
    let logins = servers.each_ref().map(RejectingServer::login);
    let expected = [
        [
            r#""user":"ada""#,
            r#""pass":"p@ss""#,
            r#""auth_token":null"#,
        ],
        [
            r#""user":null"#,
            r#""pass":null"#,
            r#""auth_token":"t0ken""#,
        ],
        [r#""user":null"#, r#""pass":null"#, r#""auth_token":null"#],
    ];
    for (login, expected) in logins.iter().zip(expected) {
        for part in expected {
            assert!(login.contains(part), "{login}");
        }
    }
}

#[test]
fn an_announced_server_gets_no_login_of_another_server() {
    let server = Server::start();
    let user_of = |servers: &[&str], login: Option<NatsLogin>, at: &str| {
        let mut network = identity(&server, "front").network;
        let parse = |server: &&str| server.parse::<NatsServer>().expect("must be valid");
        network.servers = servers.iter().map(parse).collect();
        network.login = login;
        let addresses = network.servers.iter();
        let addresses: Vec<ServerAddr> = addresses
            .map(|server| server.address().parse().expect("must be valid"))
            .collect();
        let at = at.parse().expect("must be valid");
        let auth = Logins::new(&network, &addresses).of(&at, &[]);
        auth.expect("there is no secret to read").username
    };
    let ada = Some("ada".to_owned());
    let two = ["nats://ada:1@a", "nats://bob:1@b"];
    assert_eq!(user_of(&two, None, "a:4222"), ada);
    assert_eq!(user_of(&two, None, "c:4222"), None);
    assert_eq!(
        user_of(&["nats://ada:1@a", "nats://b"], None, "c:4222"),
        None
    );
    let same = ["nats://ada:1@a", "nats://ada:1@b"];
    assert_eq!(user_of(&same, None, "c:4222"), ada);
    assert_eq!(
        user_of(&["nats://ada:1@a", "nats://ada:2@b"], None, "c:4222"),
        None
    );
    let (_folder, path) = file_with("s3cret");
    let eve = Some(NatsLogin::User {
        user: "eve".into(),
        password: Secret::File(path),
    });
    assert_eq!(
        user_of(&same, eve.clone(), "c:4222"),
        Some("eve".to_owned())
    );
    assert_eq!(user_of(&same, eve, "b:4222"), ada);
}

#[test]
fn credentials_sign_the_nonce_of_the_server() {
    let server = Server::start();
    let pair = KeyPair::new_user();
    let (_folder, path) = file_with(&format!(
        "-----BEGIN NATS USER JWT-----\neyJ0.e30.x-_\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        pair.seed().expect("must have a seed")
    ));
    let mut network = identity(&server, "front").network;
    network.login = Some(NatsLogin::Credentials(Secret::File(path)));
    let address = "a:4222".parse().expect("must be valid");
    let auth = Logins::new(&network, &[]).of(&address, b"nonce");
    let auth = auth.expect("the credentials are valid");
    assert_eq!(auth.jwt.as_deref(), Some("eyJ0.e30.x-_"));
    let signature = auth.signature.expect("must be signed");
    pair.verify(b"nonce", &signature)
        .expect("the key must have signed");
}

#[test]
fn secrets_are_read_again_at_each_connection() {
    let mut server = Server::with_flags(&["--auth", "old"]);
    let (_folder, path) = file_with("old");
    let mut identity = identity(&server, "front");
    identity.network.login = Some(NatsLogin::Token(Secret::File(path.clone())));
    let lines = Lines::new();
    let _front = lines.of(|| Process::of(identity));
    server.kill();
    fs::write(&path, "new").expect("the file can be written");
    server.restart_with(&["--auth", "new"]);
    lines.wait_for("INFO the connection to NATS is up again, after ");
}
