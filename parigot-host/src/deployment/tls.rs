//! TLS settings, with the same keys wherever a deployment file has them.
//!
//! ```toml
//! tls = { ca = "ca.pem", cert = "cert.pem", key = "key.pem", first = true }
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `ca` | certificates of the authorities that may have signed the server's certificate |
//! | `cert`, `key` | own certificate chain and private key; only both together |
//! | `client_ca` | listeners: authorities of the certificates that clients must present |
//! | `first` | connections to NATS: the TLS handshake comes before the server's first line |
//!
//! Each place accepts the keys that apply there. All files are PEM, relative to the deployment
//! file.

use std::path::PathBuf;

/// TLS settings of a connection or a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// File with the certificates of accepted authorities; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// Files of the own certificate chain and its private key.
    pub identity: Option<Identity>,
    /// File with the certificates of the authorities that sign clients' certificates; `None` if
    /// clients need no certificate. Listeners only.
    pub client_ca: Option<PathBuf>,
    /// True if the TLS handshake comes before the server's first line. Connections to NATS only.
    pub first: bool,
}

/// Files of a certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// File of the certificate chain, the own certificate first.
    pub cert: PathBuf,
    /// File of the private key.
    pub key: PathBuf,
}

/// Keys of a connection that this process opens to a NATS server.
pub(super) const NATS_TLS_KEYS: &[&str] = &["ca", "cert", "key", "first"];
