//! TLS: accepted by a server that demands it, and errors that name the setting.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::deployment::{Identity, Tls};

/// Certificates of a test: an authority, a server and a client.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Creates certificates for 127.0.0.1.
    fn new() -> Self {
        Self::with("127.0.0.1", |_| {})
    }

    /// Creates certificates for a name, with changes to those of server and client.
    fn with(name: &str, change: impl Fn(&mut CertificateParams)) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("a file can be written");
        };
        let mut params = CertificateParams::new(Vec::new()).expect("no name is invalid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a key can sign");
        write("ca.pem", authority.pem());
        for file in ["server", "client"] {
            let key = KeyPair::generate().expect("a key can be made");
            let mut params =
                CertificateParams::new(vec![name.into()]).expect("the name must be valid");
            change(&mut params);
            let certificate = params.signed_by(&key, &authority).expect("a key can sign");
            write(&format!("{file}.pem"), certificate.pem());
            write(&format!("{file}-key.pem"), key.serialize_pem());
        }
        Certificates { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server with TLS and these settings of its block `tls`.
    fn server(&self, settings: &str) -> Server {
        let file = |name: &str| self.path(name).display().to_string();
        Server::with_config(&format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, {settings} }}",
            file("server.pem"),
            file("server-key.pem"),
            file("ca.pem")
        ))
    }

    /// Returns the settings of a client without a certificate.
    fn ca(&self) -> Tls {
        Tls {
            ca: Some(self.path("ca.pem")),
            ..Tls::default()
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            cert: self.path("client.pem"),
            key: self.path("client-key.pem"),
        }
    }
}

#[test]
fn a_server_with_tls_accepts_the_certificate() {
    let certificates = Certificates::new();
    for first in [false, true] {
        let server = certificates.server(&format!("verify: true, handshake_first: {first}"));
        check_connects(&server, |network| {
            network.tls = Some(Tls {
                identity: Some(certificates.identity()),
                first,
                ..certificates.ca()
            });
        });
    }
}

/// Checks the beginning of the next step after an error of TLS.
#[track_caller]
fn check_help(server: &Server, tls: Option<Tls>, help: &str) {
    let error = refusal(server, |network| network.tls = tls);
    let text = error.to_string();
    assert!(text.starts_with("cannot connect to NATS server "), "{text}");
    let found = help_of(&error);
    assert!(found.starts_with(help), "{text}: {found}");
}

#[test]
fn an_unknown_authority_needs_ca() {
    let certificates = Certificates::new();
    let server = certificates.server("");
    let help = "set `ca` in `tls` of `[network]` to a PEM file with the authority";
    check_help(&server, None, help);
    let help = "`ca` in `tls` of `[network]` lacks the authority";
    let other = Certificates::new();
    check_help(&server, Some(other.ca()), help);
}

#[test]
fn a_certificate_for_another_name_needs_its_name() {
    let certificates = Certificates::with("nats.example", |_| {});
    let help = "write a name in `nats` of `[network]` for which the server's certificate is valid";
    check_help(&certificates.server(""), Some(certificates.ca()), help);
}

#[test]
fn an_expired_certificate_must_be_renewed() {
    let certificates = Certificates::with("127.0.0.1", |params| {
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let help = "renew the server's certificate, `cert_file` in the `tls` block";
    check_help(&certificates.server(""), Some(certificates.ca()), help);
}

#[test]
fn a_server_that_verifies_needs_a_client_certificate() {
    let certificates = Certificates::new();
    let server = certificates.server("verify: true");
    let error = refusal(&server, |network| network.tls = Some(certificates.ca()));
    let help = help_of(&error);
    assert!(
        help.contains("set `cert` and `key` in `tls` of `[network]`"),
        "{error}: {help}"
    );
    let other = Certificates::new();
    let stranger = Tls {
        identity: Some(other.identity()),
        ..certificates.ca()
    };
    let help = "set `cert` and `key` in `tls` of `[network]` to a valid client certificate";
    check_help(&server, Some(stranger), help);
}

#[test]
fn a_server_without_tls_is_refused() {
    let server = Server::start();
    let certificates = Certificates::new();
    let tls = certificates.ca();
    check_help(
        &server,
        Some(tls.clone()),
        "the server has no TLS: remove `tls`",
    );
    let first = Tls { first: true, ..tls };
    check_help(&server, Some(first), "remove `first` from `tls`");
}

#[test]
fn the_order_of_the_handshake_must_agree() {
    let certificates = Certificates::new();
    let first = Tls {
        first: true,
        ..certificates.ca()
    };
    check_help(
        &certificates.server(""),
        Some(first),
        "remove `first` from `tls`",
    );
    // The server waits for the handshake, and this process for the server.
    check_help(
        &certificates.server("handshake_first: true"),
        Some(certificates.ca()),
        "if the server has `handshake_first: true`, set `first = true`",
    );
}

#[test]
fn a_missing_tls_file_is_named() {
    let server = Server::start();
    let error = refusal(&server, |network| {
        network.tls = Some(Tls {
            ca: Some("/nowhere/ca.pem".into()),
            ..Tls::default()
        });
    });
    assert!(matches!(error, NetworkError::TlsFile { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "cannot read `ca` in `tls` of `[network]`: /nowhere/ca.pem"
    );
}
