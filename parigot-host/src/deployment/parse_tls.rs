//! Parses the table `tls`.

use super::tls::{Identity, Tls};
use super::values::{Reader, Value};
use crate::error::ProcessesErrorKind;

impl Reader<'_> {
    /// Parses the table `tls` of `place`, which accepts the given keys.
    pub(super) fn tls(
        &mut self,
        place: &str,
        keys: &[&'static str],
        value: &Value<'_>,
    ) -> Option<Tls> {
        let entry = self.table("`tls`", value, "a table with the paths of PEM files")?;
        let place = format!("`tls` of {place}");
        let mut tls = Tls::default();
        let mut cert = None;
        let mut key_file = None;
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                name if !keys.contains(&name) => _ = self.unknown_key(key, &place, keys),
                "ca" => tls.ca = self.optional_path("ca", value, "a path"),
                "cert" => cert = self.optional_path("cert", value, "a path"),
                "key" => key_file = self.optional_path("key", value, "a path"),
                "client_ca" => tls.client_ca = self.optional_path("client_ca", value, "a path"),
                "first" => tls.first = self.boolean("first", value),
                other => unreachable!("`{other}` must be one of the keys of a place"),
            }
        }
        for (present, missing) in [("cert", "key"), ("key", "cert")] {
            if entry.contains_key(present) && !entry.contains_key(missing) {
                self.report(
                    value.span(),
                    ProcessesErrorKind::HalfIdentity { present, missing },
                );
            }
        }
        tls.identity = cert.zip(key_file).map(|(cert, key)| Identity { cert, key });
        Some(tls)
    }
}
