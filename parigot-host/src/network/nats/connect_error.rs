//! Errors of a connection attempt, with the key of `[network]` that ends each of them.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_nats::rustls::{self, AlertDescription, CertificateError};
use async_nats::{ConnectError, ConnectErrorKind};

use crate::deployment::{NatsServer, Network, Tls};
use crate::error::NetworkError;

/// Returns the error of a process whose attempt to connect with a server ended with `error`.
pub(super) fn explain(
    error: &ConnectError,
    network: &Network,
    servers: &[NatsServer],
) -> NetworkError {
    if error.kind() == ConnectErrorKind::AuthorizationViolation {
        return NetworkError::denied(servers);
    }
    let next_step = match (error.kind(), tls_error(error), &network.tls) {
        (_, Some(tls_error), tls) => of_tls(tls_error, tls.as_ref()),
        (ConnectErrorKind::Tls, ..) => Some(CORRECT_FILES.to_owned()),
        (ConnectErrorKind::TimedOut, ..) => after_silence(network),
        _ if is_closed(error, SILENT_SERVER) => after_silence(network),
        // The alert of the server is lost if the connection breaks before this process reads it.
        (_, _, Some(Tls { identity: None, .. })) if is_closed(error, CLOSED_LATER) => {
            Some(MAYBE_CERTIFICATE.to_owned())
        }
        _ => None,
    };
    NetworkError::unreachable(servers, error.to_string(), next_step)
}

/// Returns the error of a process after a message at which the client panicked.
pub(super) fn malformed(servers: &[NatsServer]) -> NetworkError {
    let why = "the server sent a malformed message".to_owned();
    let next_step = "check that the address in `nats` of `[network]` is that of a NATS server";
    NetworkError::unreachable(servers, why, Some(next_step.to_owned()))
}

/// Returns the error of a process without a response of a server within `limit`.
pub(super) fn no_response(
    network: &Network,
    servers: &[NatsServer],
    limit: Duration,
) -> NetworkError {
    let why = format!("no response within {} s", limit.as_secs());
    NetworkError::unreachable(servers, why, after_silence(network))
}

/// Returns the next step if the server is silent. A server that begins with the handshake waits for
/// this process.
fn after_silence(network: &Network) -> Option<String> {
    let is_first = network.tls.as_ref().is_some_and(|tls| tls.first);
    (!is_first).then(|| MAYBE_FIRST.to_owned())
}

const CORRECT_FILES: &str = "correct the PEM files `ca`, `cert` and `key` in `tls` of \
     `[network]`; without `ca`, the system must have certificates of authorities";

const MAYBE_FIRST: &str = "if the server has `handshake_first: true`, set `first = true` in `tls` \
     of `[network]`; otherwise check the address in `nats`";

const MAYBE_CERTIFICATE: &str = "if the server has `verify: true`, set `cert` and `key` in `tls` \
     of `[network]`; otherwise see the log of the server";

/// Returns the error of TLS among the causes of an error.
fn tls_error(error: &ConnectError) -> Option<&rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

fn io_error(error: &ConnectError) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

/// Text of the client after the end of a connection on which the server has sent nothing.
const SILENT_SERVER: &str = "expected INFO, got nothing";

/// Text of the client after the end of a connection on which the server has sent its first line.
const CLOSED_LATER: &str = "broken pipe";

/// Returns whether the server has closed the connection. The client reports an orderly end by one
/// of its texts, without an error of the system.
fn is_closed(error: &ConnectError, text: &str) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match io_error(error) {
        Some(error) if text == CLOSED_LATER => matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        ),
        Some(_) => false,
        None => error
            .source()
            .is_some_and(|source| source.to_string() == text),
    }
}

/// Returns the next step after an error of TLS.
fn of_tls(error: &rustls::Error, tls: Option<&Tls>) -> Option<String> {
    let has = |part: fn(&Tls) -> bool| tls.is_some_and(part);
    Some(match error {
        rustls::Error::InvalidCertificate(error) => {
            of_certificate(error, has(|tls| tls.ca.is_some()))?
        }
        rustls::Error::AlertReceived(alert) => of_alert(*alert, has(|tls| tls.identity.is_some()))?,
        // The server has answered in plain text.
        rustls::Error::InvalidMessage(_) if has(|tls| tls.first) => {
            "remove `first` from `tls` of `[network]`, or set `handshake_first: true` in the `tls` \
             block of the server's configuration"
                .to_owned()
        }
        rustls::Error::InvalidMessage(_) => {
            "the server has no TLS: remove `tls` from `[network]` and write `nats://` in `nats`, \
             or add a `tls` block to the server's configuration"
                .to_owned()
        }
        _ => return None,
    })
}

/// Returns the next step after this process has rejected the certificate of the server.
fn of_certificate(error: &CertificateError, has_ca: bool) -> Option<String> {
    Some(match error {
        // An authority of the same name with another key makes the signature bad.
        CertificateError::UnknownIssuer | CertificateError::BadSignature if has_ca => {
            "`ca` in `tls` of `[network]` lacks the authority that signed the server's \
             certificate: add its certificate to the file"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "set `ca` in `tls` of `[network]` to a PEM file with the authority that signed the \
             server's certificate"
                .to_owned()
        }
        CertificateError::NotValidForName => {
            "write a name in `nats` of `[network]` for which the server's certificate is valid"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "write a name in `nats` of `[network]` for which the server's certificate is valid: {}",
            presented.join(", ")
        ),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "renew the server's certificate, `cert_file` in the `tls` block of its configuration, \
             or correct the clock of this machine; no key of `[network]` accepts the certificate"
                .to_owned()
        }
        _ => return None,
    })
}

/// Returns the next step after the server has rejected the certificate of this process.
fn of_alert(alert: AlertDescription, has_identity: bool) -> Option<String> {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, HandshakeFailure, UnknownCA, UnsupportedCertificate,
    };
    let is_of_certificate = matches!(
        alert,
        AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | HandshakeFailure
            | UnknownCA
            | UnsupportedCertificate
    );
    is_of_certificate.then(|| {
        if has_identity {
            "set `cert` and `key` in `tls` of `[network]` to a valid client certificate, signed \
             by an authority in `ca_file` of the server's `tls` block"
                .to_owned()
        } else {
            "the server demands a client certificate: set `cert` and `key` in `tls` of `[network]`"
                .to_owned()
        }
    })
}
