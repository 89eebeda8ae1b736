//! Logins and TLS of the connection to a NATS server, from the settings in `[network]`.
//!
//! A server gets the login of its own address. All other servers get the login of `[network]`:
//! those with an address without a login, and those that the cluster has announced. Without a login
//! in `[network]`, an announced server gets the login of the addresses if all have the same one.
//! So no server receives the login of another server.

use std::io;
use std::path::Path;

use async_nats::{Auth, ConnectOptions, ServerAddr};
use nkeys::{KeyPair, KeyPairType};

use crate::deployment::{NatsLogin, NatsServer, Network, Secret, SecretText, ServerLogin};
use crate::error::NetworkError;
use crate::regular_file;

/// Logins of all servers.
pub(super) struct Logins {
    of_addresses: Vec<(ServerAddr, Option<ServerLogin>)>,
    of_network: Option<NatsLogin>,
}

impl Logins {
    /// Creates the logins. `addresses` are the addresses of the servers, in the same order.
    pub(super) fn new(network: &Network, addresses: &[ServerAddr]) -> Self {
        let logins = network.servers.iter().map(|server| server.login().cloned());
        Logins {
            of_addresses: addresses.iter().cloned().zip(logins).collect(),
            of_network: network.login.clone(),
        }
    }

    /// Returns the login of a server, which has sent `nonce` to sign. The secrets are read here, so
    /// each connection has their current values.
    ///
    /// # Errors
    ///
    /// If a secret cannot be read or is malformed.
    pub(super) fn of(&self, server: &ServerAddr, nonce: &[u8]) -> Result<Auth, NetworkError> {
        let place = |address: &ServerAddr| (address.host().to_owned(), address.port());
        let known = self
            .of_addresses
            .iter()
            .find(|(address, _)| place(address) == place(server));
        let own = match known {
            Some((_, login)) => login.as_ref(),
            None if self.of_network.is_none() => self.common(),
            None => None,
        };
        match (own, &self.of_network) {
            (Some(login), _) => Ok(of_address(login)),
            (None, Some(login)) => of_network(login, nonce),
            (None, None) => Ok(Auth::default()),
        }
    }

    /// Returns the login that all addresses have.
    fn common(&self) -> Option<&ServerLogin> {
        let (_, first) = self.of_addresses.first()?;
        let is_same = self.of_addresses.iter().all(|(_, login)| login == first);
        first.as_ref().filter(|_| is_same)
    }
}

fn of_address(login: &ServerLogin) -> Auth {
    let mut auth = Auth::default();
    match login.clone() {
        ServerLogin::User { user, password } => {
            auth.username = Some(user);
            auth.password = Some(password);
        }
        ServerLogin::Token(token) => auth.token = Some(token),
    }
    auth
}

fn of_network(login: &NatsLogin, nonce: &[u8]) -> Result<Auth, NetworkError> {
    let mut auth = Auth::default();
    match login {
        NatsLogin::Credentials(secret) => {
            let text = read("credentials", secret)?;
            let malformed = |text: &str| NetworkError::Credentials {
                secret: secret.to_string(),
                source: io::Error::new(io::ErrorKind::InvalidData, text),
            };
            let block = |name| block(text.expose(), name);
            let jwt = block("NATS USER JWT").ok_or_else(|| malformed("no block NATS USER JWT"))?;
            let seed =
                block("USER NKEY SEED").ok_or_else(|| malformed("no block USER NKEY SEED"))?;
            let (_, signature) =
                sign(seed, nonce).ok_or_else(|| malformed("the seed is no seed of a user"))?;
            auth.jwt = Some(jwt.to_owned());
            auth.signature = Some(signature);
        }
        NatsLogin::Nkey(secret) => {
            let text = read("nkey", secret)?;
            let (key, signature) =
                sign(text.expose().trim(), nonce).ok_or_else(|| NetworkError::Nkey {
                    secret: secret.to_string(),
                })?;
            auth.nkey = Some(key);
            auth.signature = Some(signature);
        }
        NatsLogin::Token(secret) => auth.token = Some(read("token", secret)?.into_exposed()),
        NatsLogin::User { user, password } => {
            auth.username = Some(user.clone());
            auth.password = Some(read("password", password)?.into_exposed());
        }
    }
    Ok(auth)
}

/// Returns the line of a credentials file below the heading of a block.
fn block<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(&format!("BEGIN {name}-"))?;
    after.lines().nth(1).map(str::trim)
}

/// Signs a nonce with the seed of a user. Returns the public key and the signature.
fn sign(seed: &str, nonce: &[u8]) -> Option<(String, Vec<u8>)> {
    let pair = KeyPair::from_seed(seed).ok()?;
    let is_user = pair.key_pair_type() == KeyPairType::User;
    let signature = pair.sign(nonce).ok().filter(|_| is_user)?;
    Some((pair.public_key(), signature))
}

/// Adds the TLS settings of the deployment to the options. A server without TLS is then refused.
///
/// # Errors
///
/// If one of the files cannot be opened.
pub(super) fn with_tls(
    mut options: ConnectOptions,
    network: &Network,
) -> Result<ConnectOptions, NetworkError> {
    // An announced server has an address without `tls://`, and would get the login unencrypted.
    let is_encrypted = network.servers.iter().all(NatsServer::is_encrypted);
    options = options.require_tls(is_encrypted || network.tls.is_some());
    let Some(tls) = &network.tls else {
        return Ok(options);
    };
    if let Some(ca) = &tls.ca {
        check_readable("ca", ca)?;
        options = options.add_root_certificates(ca.clone());
    }
    if let Some(identity) = &tls.identity {
        check_readable("cert", &identity.cert)?;
        check_readable("key", &identity.key)?;
        options = options.add_client_certificate(identity.cert.clone(), identity.key.clone());
    }
    if tls.first {
        options = options.tls_first();
    }
    Ok(options)
}

fn read(key: &'static str, secret: &Secret) -> Result<SecretText, NetworkError> {
    secret
        .read()
        .map_err(|source| NetworkError::Secret { key, source })
}

/// Checks that a file can be read: the client's own error would not name the file, and the client
/// would wait for the writer of a named pipe.
fn check_readable(key: &'static str, path: &Path) -> Result<(), NetworkError> {
    match regular_file::open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(NetworkError::TlsFile {
            key,
            path: path.to_owned(),
            source,
        }),
    }
}
