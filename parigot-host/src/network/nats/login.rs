//! Login and TLS of the connection to a NATS server, from the settings in `[network]`.

use std::path::Path;

use async_nats::ConnectOptions;

use crate::deployment::{NatsLogin, Secret, SecretText, Tls};
use crate::error::NetworkError;
use crate::regular_file;

/// Adds the login of the deployment to the options. The secrets are read here.
///
/// # Errors
///
/// If a secret cannot be read, or if the credentials are malformed.
pub(super) fn with_login(
    options: ConnectOptions,
    login: Option<&NatsLogin>,
) -> Result<ConnectOptions, NetworkError> {
    Ok(match login {
        None => options,
        Some(NatsLogin::Credentials(secret)) => {
            let text = read("credentials", secret)?;
            options
                .credentials(text.expose())
                .map_err(|source| NetworkError::Credentials {
                    secret: secret.to_string(),
                    source,
                })?
        }
        Some(NatsLogin::Token(secret)) => options.token(read("token", secret)?.into_exposed()),
        Some(NatsLogin::User { user, password }) => {
            let password = read("password", password)?.into_exposed();
            options.user_and_password(user.clone(), password)
        }
    })
}

/// Adds the TLS settings of the deployment to the options. A server without TLS is then refused.
///
/// # Errors
///
/// If one of the files cannot be opened.
pub(super) fn with_tls(
    mut options: ConnectOptions,
    tls: Option<&Tls>,
) -> Result<ConnectOptions, NetworkError> {
    let Some(tls) = tls else {
        return Ok(options);
    };
    options = options.require_tls(true);
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
