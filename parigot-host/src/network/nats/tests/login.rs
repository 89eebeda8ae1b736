//! Logins and TLS: accepted by a server that demands them, and errors that name the setting.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::deployment::{Identity, NatsLogin, Secret, Tls};
use crate::error::NetworkError;

/// Tries to connect with these settings, and returns the error and its cause in one line.
#[track_caller]
fn error_of(server: &Server, change: impl FnOnce(&mut Network)) -> String {
    let mut identity = identity(server, "front");
    change(&mut identity.network);
    let error = Nats::connect(identity)
        .map(|_| ())
        .expect_err("the connection must be refused");
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

#[track_caller]
fn check_connects(server: &Server, change: impl FnOnce(&mut Network)) {
    let mut identity = identity(server, "front");
    change(&mut identity.network);
    Nats::connect(identity).expect("the connection must be accepted");
}

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

/// Certificates of a test: an authority, a server for 127.0.0.1 and a client.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        };
        let mut params = CertificateParams::new(Vec::new()).expect("no name is invalid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a key can sign");
        write("ca.pem", authority.pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().expect("a key can be made");
            let params = CertificateParams::new(vec!["127.0.0.1".into()])
                .expect("an address must be a valid name");
            let certificate = params.signed_by(&key, &authority).expect("a key can sign");
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}-key.pem"), key.serialize_pem());
        }
        Certificates { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server that demands TLS and a client's certificate.
    fn server(&self, first: bool) -> Server {
        let file = |name: &str| self.path(name).display().to_string();
        let config = format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true, \
             handshake_first: {first} }}",
            file("server.pem"),
            file("server-key.pem"),
            file("ca.pem")
        );
        fs::write(self.path("nats.conf"), config).expect("a file can be written");
        Server::with_flags(&["--config", &file("nats.conf")])
    }

    fn tls(&self, first: bool) -> Tls {
        Tls {
            ca: Some(self.path("ca.pem")),
            identity: Some(Identity {
                cert: self.path("client.pem"),
                key: self.path("client-key.pem"),
            }),
            first,
            ..Tls::default()
        }
    }
}

#[test]
fn a_server_with_tls_accepts_the_certificate() {
    let certificates = Certificates::new();
    for first in [false, true] {
        let server = certificates.server(first);
        check_connects(&server, |network| {
            network.tls = Some(certificates.tls(first))
        });
    }
}

#[test]
fn tls_is_not_given_up_silently() {
    let certificates = Certificates::new();
    let plain = Server::start();
    let tls = certificates.tls(false);
    let error = error_of(&plain, |network| network.tls = Some(tls));
    assert!(
        error.starts_with("cannot connect to NATS server "),
        "{error}"
    );

    let server = certificates.server(false);
    let without_certificate = Tls {
        identity: None,
        ..certificates.tls(false)
    };
    let error = error_of(&server, |network| network.tls = Some(without_certificate));
    assert!(
        error.starts_with("cannot connect to NATS server "),
        "{error}"
    );
}

#[test]
fn a_missing_tls_file_is_named() {
    let server = Server::start();
    let mut identity = identity(&server, "front");
    identity.network.tls = Some(Tls {
        ca: Some("/nowhere/ca.pem".into()),
        ..Tls::default()
    });
    let error = Nats::connect(identity)
        .map(|_| ())
        .expect_err("the file must be missed");
    assert!(matches!(error, NetworkError::TlsFile { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot read `ca` in `tls` of `[network]`: /nowhere/ca.pem"
    );
}
