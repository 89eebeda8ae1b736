//! Addresses of NATS servers. An address may contain a login, which no text shows.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Stands for a password or token in texts.
const HIDDEN: &str = "…";

/// A NATS server, with the login that its address contains.
///
/// Both text formats hide the password or token.
///
/// # Examples
///
/// ```
/// use parigot_host::deployment::NatsServer;
///
/// let server: NatsServer = "nats://ada:p%40ss@nats.example:4222".parse()?;
/// assert_eq!(server.address(), "nats://nats.example:4222");
/// assert_eq!(server.to_string(), "nats://ada:…@nats.example:4222");
/// # Ok::<(), parigot_host::deployment::InvalidServer>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NatsServer {
    address: String,
    login: Option<ServerLogin>,
}

/// Login in the address of a server, without percent-encoding.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ServerLogin {
    /// `nats://user:password@host`
    User { user: String, password: String },
    /// `nats://token@host`
    Token(String),
}

/// Error of a text that is not the address of a NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not the address of a NATS server")]
pub struct InvalidServer;

impl NatsServer {
    /// Returns the address without the login: `nats://…` or `tls://…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns whether the address demands TLS.
    pub fn is_encrypted(&self) -> bool {
        self.address.starts_with("tls://")
    }

    #[cfg(feature = "nats")]
    pub(crate) fn login(&self) -> Option<&ServerLogin> {
        self.login.as_ref()
    }
}

/// Parses `nats://host` or `tls://host`, with an optional login and port.
impl FromStr for NatsServer {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidServer)?;
        let (login, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(login, place)| (Some(login), place));
        if !matches!(scheme, "nats" | "tls") || !is_place(place) {
            return Err(InvalidServer);
        }
        let login = login.filter(|login| !login.is_empty()).map(ServerLogin::of);
        Ok(NatsServer {
            address: format!("{scheme}://{place}"),
            login: login.transpose()?,
        })
    }
}

impl ServerLogin {
    /// Reads the part of an address before the `@`. As in other NATS clients, a text without a
    /// colon is a token.
    fn of(text: &str) -> Result<Self, InvalidServer> {
        let decode = |part: &str| match percent_decode_str(part).decode_utf8() {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => Err(InvalidServer),
        };
        Ok(match text.split_once(':') {
            Some((user, password)) => ServerLogin::User {
                user: decode(user)?,
                password: decode(password)?,
            },
            None => ServerLogin::Token(decode(text)?),
        })
    }
}

/// Checks a host with an optional port.
fn is_place(place: &str) -> bool {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (place, "4222"),
    };
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let is_in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    is_in_brackets.map_or_else(|| is_host(host), |host| host.parse::<Ipv6Addr>().is_ok())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Formats the address with its user, and without its password or token.
impl fmt::Display for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(login) = &self.login else {
            return f.write_str(&self.address);
        };
        let (scheme, place) = self
            .address
            .split_once("://")
            .expect("each address must have a scheme");
        match login {
            ServerLogin::User { user, .. } => write!(f, "{scheme}://{user}:{HIDDEN}@{place}"),
            ServerLogin::Token(_) => write!(f, "{scheme}://{HIDDEN}@{place}"),
        }
    }
}

impl fmt::Debug for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Returns a text that may be an address, without its password or token.
pub(super) fn without_password(text: &str) -> String {
    match password(text) {
        Some((start, end)) => format!("{}{HIDDEN}{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}

/// Returns the text of a deployment file for the display in errors: asterisks replace the bytes of
/// passwords and tokens in addresses, so all positions stay valid.
///
/// Errors show the lines around a mistake, even of a file that is not TOML. So the addresses are
/// found by their form: each string with an `@`, and each text between strings.
pub(super) fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(part_bytes(rest));
        match password(part) {
            Some((start, end)) => {
                shown.push_str(&part[..start]);
                shown.extend(std::iter::repeat_n('*', end - start));
                shown.push_str(&part[end..]);
            }
            None => shown.push_str(part),
        }
        rest = after;
    }
    shown
}

/// Returns the length of the string at the start of a text, or of the text before the next string;
/// at most one line.
fn part_bytes(text: &str) -> usize {
    let line = text.find('\n').map_or(text.len(), |end| end + 1);
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''));
    let Some(quote) = quote else {
        return text[..line].find(['"', '\'']).unwrap_or(line);
    };
    let mut is_escaped = false;
    for (at, char) in text[..line].char_indices().skip(1) {
        if char == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = quote == '"' && char == '\\' && !is_escaped;
    }
    line
}

/// Returns the range of the password or token in a text that may be an address; `None` for a text
/// without a login.
fn password(text: &str) -> Option<(usize, usize)> {
    let end = text.rfind('@')?;
    let login = text.find("://").map_or(0, |scheme| scheme + "://".len());
    let login = login.min(end);
    match text[login..end].find(':') {
        Some(colon) => Some((login + colon + 1, end)),
        // Without scheme and colon, the text is no address: it could be any other text.
        None => (login > 0 && login < end).then_some((login, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn login_of(address: &str) -> Option<ServerLogin> {
        let server: NatsServer = address.parse().expect("the address must be valid");
        server.login
    }

    #[test]
    fn a_login_is_decoded() {
        let user = |user: &str, password: &str| {
            Some(ServerLogin::User {
                user: user.into(),
                password: password.into(),
            })
        };
        let token = |token: &str| Some(ServerLogin::Token(token.into()));
        assert!(login_of("nats://a:4222").is_none());
        assert!(login_of("nats://@a:4222").is_none());
        assert!(login_of("nats://ada:p%40ss%3a@a") == user("ada", "p@ss:"));
        assert!(login_of("tls://a%20b:c:d@a") == user("a b", "c:d"));
        assert!(login_of("nats://ada:@[::1]:4222") == user("ada", ""));
        assert!(login_of("nats://t%2Fk@a") == token("t/k"));
        assert!(login_of("nats://100%@a") == token("100%"));
        assert_eq!("nats://a:%ff@b".parse::<NatsServer>(), Err(InvalidServer));
    }

    #[test]
    fn no_text_shows_a_password() {
        for (address, shown) in [
            ("nats://ada:s3cret@a:1", "nats://ada:…@a:1"),
            ("tls://s3cret@a", "tls://…@a"),
            ("nats://a", "nats://a"),
        ] {
            let server: NatsServer = address.parse().expect("the address must be valid");
            assert_eq!(server.to_string(), shown);
            assert_eq!(format!("{server:?}"), format!("{shown:?}"));
            assert_eq!(without_password(address), shown);
        }
        assert_eq!(without_password("ada:s3cret@a/b"), "ada:…@a/b");
        assert_eq!(without_password("http://s3@cret@a"), "http://…@a");
        assert_eq!(without_password("me@b"), "me@b");
        assert_eq!(without_password("@://a"), "@://a");
    }

    #[test]
    fn a_file_is_shown_without_passwords() {
        let file = "nats = [\"nats://ada:s3cret@a\", 'tls://t0ken@b'] # x\nargs = ['é@b']\n\
                    nats = \"ada:é@a\nx = \"a:\\\"'b@c\"\nnats = 'nats://u:p";
        let shown = "nats = [\"nats://ada:******@a\", 'tls://*****@b'] # x\nargs = ['é@b']\n\
                     nats = \"ada:**@a\nx = \"a:****@c\"\nnats = 'nats://u:p";
        assert_eq!(without_passwords(file), shown);
        assert_eq!(shown.len(), file.len());
    }
}
