//! Parses the processes of a deployment and their network.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::nats_server::{NatsServer, without_password};
use super::secret::Secret;
use super::spec::{CLOCK_SKEW_DEFAULT, NatsLogin, Network, Process};
use super::tls::NATS_TLS_KEYS;
use super::values::{Key, Names, Reader, Value, is_name};
use crate::error::{ConfigErrorKind, ProcessesErrorKind, suggest};

const PROCESS_KEYS: &[&str] = &["guests", "edge"];
const NETWORK_KEYS: &[&str] = &[
    "nats",
    "app",
    "credentials",
    "token",
    "user",
    "password",
    "nkey",
    "tls",
    "clock_skew",
    "wait",
];

/// Keys of `[network]` that prove the identity of this process, as they were read.
#[derive(Default)]
struct LoginKeys {
    credentials: Option<Secret>,
    token: Option<Secret>,
    user: Option<String>,
    password: Option<Secret>,
    nkey: Option<Secret>,
}

/// Entries of a process, with their positions.
#[derive(Default)]
struct Members<'v> {
    guests: Vec<(&'v str, Range<usize>)>,
    edges: Vec<(&'v str, Range<usize>)>,
}

/// Names of a process, of its guests and of its edges.
struct ProcessEntry {
    name: String,
    guests: Vec<String>,
    edges: Vec<String>,
}

/// Process of each guest, with the position of the entry.
type Homes<'v> = BTreeMap<&'v str, (&'v str, Range<usize>)>;

impl Reader<'_> {
    /// Parses `[process.<name>]` and `[network]`, which need each other.
    pub(super) fn processes(&mut self, root: &DeTable<'_>, guests: &Names) {
        let is_empty = |value: &Value<'_>| {
            value
                .get_ref()
                .as_table()
                .is_some_and(|table| table.is_empty())
        };
        let processes = entry(root, "process").filter(|(_, value)| !is_empty(value));
        let network = entry(root, "network");
        // After another error, the missing table may be there with a misspelt name.
        match (processes, network) {
            (Some((key, _)), None) if self.is_valid() => {
                _ = self.report(key.span(), ProcessesErrorKind::NoNetwork)
            }
            (None, Some((key, _))) if self.is_valid() => {
                _ = self.report(key.span(), ProcessesErrorKind::NoProcess)
            }
            _ => {}
        }
        let network = network.map(|(key, value)| self.network(key, value));
        let guests_of = processes.map(|(_, value)| self.entries_of_processes(value, guests));
        let Some((network, guests_of)) = network.zip(guests_of) else {
            return;
        };
        let mut names: Vec<_> = guests_of.iter().map(|entry| entry.name.clone()).collect();
        names.sort();
        let process = |entry: ProcessEntry| Process {
            guests: entry.guests,
            edges: entry.edges,
            network: Network {
                process: entry.name,
                processes: names.clone(),
                ..network.clone()
            },
        };
        self.deployment.processes = guests_of.into_iter().map(process).collect();
    }

    /// Returns the processes, each with its guests and edges, sorted.
    fn entries_of_processes(&mut self, value: &Value<'_>, guests: &Names) -> Vec<ProcessEntry> {
        let before = self.errors.len();
        let mut homes = Homes::new();
        let mut edges_of = Vec::new();
        let mut guests_of = Vec::new();
        for (key, place, entry) in self.named_tables("process", value) {
            let process = key.get_ref().as_ref();
            if !is_name(process) {
                self.report(
                    key.span(),
                    ConfigErrorKind::Name {
                        name: process,
                        of: "process",
                    },
                );
            }
            let members = entry
                .map(|entry| self.members(key, &place, entry))
                .unwrap_or_default();
            for (guest, span) in &members.guests {
                self.assign(guest, span.clone(), process, guests, &mut homes);
            }
            guests_of.push(ProcessEntry {
                name: process.to_owned(),
                guests: sorted(&members.guests),
                edges: sorted(&members.edges),
            });
            let edges = members.edges.into_iter();
            edges_of.extend(edges.map(|(edge, span)| (process, edge, span)));
        }
        // After an error, a missing guest may be in the faulty entry.
        if self.errors.len() == before {
            let processes: Vec<_> = guests_of.iter().map(|entry| &*entry.name).collect();
            for (guest, span) in guests
                .iter()
                .filter(|(guest, _)| !homes.contains_key(&***guest))
            {
                self.report(
                    span.clone(),
                    ProcessesErrorKind::InNoProcess {
                        guest,
                        processes: &processes,
                    },
                );
            }
            self.check_edges_of_processes(&edges_of);
        }
        guests_of
    }

    /// Returns the entries of `guests` and `edge` with their positions.
    fn members<'v>(
        &mut self,
        process: &Key<'_>,
        place: &str,
        entry: &'v DeTable<'_>,
    ) -> Members<'v> {
        let mut members = Members::default();
        let mut has_guests = false;
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                "guests" => {
                    members.guests = self.placed_strings("guests", "a guest", value);
                    has_guests = !is_empty_array(value);
                }
                "edge" => members.edges = self.placed_strings("edge", "an edge", value),
                _ => {
                    has_guests |= self.unknown_key(key, place, PROCESS_KEYS) == Some("guests");
                }
            }
        }
        if !has_guests {
            self.report(process.span(), ProcessesErrorKind::NoGuests { place });
        }
        members
    }

    /// Records that a guest runs in a process.
    fn assign<'v>(
        &mut self,
        guest: &'v str,
        span: Range<usize>,
        process: &'v str,
        guests: &Names,
        homes: &mut Homes<'v>,
    ) {
        if !guests.contains_key(guest) {
            let known: Vec<_> = guests.keys().map(|name| &**name).collect();
            let similar = suggest::nearest(guest, known.iter().copied());
            self.report(
                span,
                ProcessesErrorKind::UnknownGuest {
                    name: guest,
                    similar,
                    known: &known,
                },
            );
        } else if let Some((first, other)) = homes.insert(guest, (process, span.clone())) {
            let kind = match process == first {
                true => ProcessesErrorKind::ListedTwice { guest, process },
                false => ProcessesErrorKind::InTwoProcesses {
                    guest,
                    first,
                    second: process,
                },
            };
            self.report(span, kind).other = Some(other.into());
        }
    }

    /// Parses the settings that all processes share.
    fn network(&mut self, name: &Key<'_>, value: &Value<'_>) -> Network {
        let mut network = Network {
            process: String::new(),
            processes: Vec::new(),
            app: String::new(),
            servers: Vec::new(),
            login: None,
            tls: None,
            clock_skew: CLOCK_SKEW_DEFAULT,
            wait: None,
        };
        let Some(entry) = self.table("`network`", value, "a table `[network]`") else {
            return network;
        };
        let mut has_server = false;
        let mut login = LoginKeys::default();
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                "nats" => {
                    network.servers = self.servers(value);
                    has_server = !is_empty_array(value);
                }
                "app" => {
                    let app = self.string("`app`", value, "a string");
                    network.app = app
                        .map(|app| self.app(app, value.span()))
                        .unwrap_or_default();
                }
                "credentials" => login.credentials = self.credentials(value),
                "token" => login.token = self.secret("`token`", value),
                "user" => {
                    let user = self.string("`user`", value, "a string");
                    login.user = user.map(str::to_owned);
                }
                "password" => login.password = self.secret("`password`", value),
                "nkey" => login.nkey = self.secret("`nkey`", value),
                "tls" => network.tls = self.tls("`[network]`", NATS_TLS_KEYS, value),
                "clock_skew" => network.clock_skew = self.duration("clock_skew", value),
                "wait" => network.wait = Some(self.duration("wait", value)),
                // A misspelt `nats` is not missing as well.
                _ => {
                    has_server |= self.unknown_key(key, "`[network]`", NETWORK_KEYS) == Some("nats")
                }
            }
        }
        self.check_login(name, entry);
        network.login = login.into_login();
        if !has_server {
            self.report(name.span(), ProcessesErrorKind::NoServer);
        }
        if !entry.contains_key("app") {
            let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
            network.app = self.app(&stem, name.span());
        }
        network
    }

    /// Parses one address or several.
    fn servers(&mut self, value: &Value<'_>) -> Vec<NatsServer> {
        let texts = match value.get_ref() {
            DeValue::Array(_) => self.placed_strings("nats", "an address", value),
            _ => {
                let server = self.string("`nats`", value, "an address or an array of them");
                server
                    .map(|server| (server, value.span()))
                    .into_iter()
                    .collect()
            }
        };
        let mut servers = Vec::new();
        for (text, span) in texts {
            match text.parse() {
                Ok(server) => servers.push(server),
                Err(_) => {
                    let text = &without_password(text);
                    self.report(span, ProcessesErrorKind::Server { text });
                }
            }
        }
        servers
    }

    /// Checks the name of the app at a position.
    fn app(&mut self, name: &str, span: Range<usize>) -> String {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            self.report(span, ProcessesErrorKind::AppName { name });
        }
        name.to_owned()
    }

    /// Parses `credentials`: the path of a file, or a secret.
    fn credentials(&mut self, value: &Value<'_>) -> Option<Secret> {
        if value.get_ref().is_table() {
            return self.secret("`credentials`", value);
        }
        self.optional_path("credentials", value, "a path or a secret")
            .map(Secret::File)
    }

    /// Reports combinations of login keys that do not make one login.
    fn check_login(&mut self, name: &Key<'_>, entry: &DeTable<'_>) {
        for (present, missing) in [("user", "password"), ("password", "user")] {
            if entry.contains_key(present) && !entry.contains_key(missing) {
                self.report(
                    name.span(),
                    ProcessesErrorKind::HalfLogin { present, missing },
                );
            }
        }
        let logins: Vec<&'static str> = ["credentials", "token", "user", "nkey"]
            .into_iter()
            .filter(|key| entry.contains_key(*key))
            .collect();
        if let [first, second, ..] = logins[..] {
            self.report(name.span(), ProcessesErrorKind::TwoLogins { first, second });
        }
    }
}

impl LoginKeys {
    /// Returns the login. At most one is complete in a valid file.
    fn into_login(self) -> Option<NatsLogin> {
        let user = self.user.zip(self.password);
        self.credentials
            .map(NatsLogin::Credentials)
            .or(self.token.map(NatsLogin::Token))
            .or(self.nkey.map(NatsLogin::Nkey))
            .or(user.map(|(user, password)| NatsLogin::User { user, password }))
    }
}

fn entry<'r, 'i>(root: &'r DeTable<'i>, name: &str) -> Option<(&'r Key<'i>, &'r Value<'i>)> {
    root.iter().find(|(key, _)| key.get_ref() == name)
}

/// Returns the names among entries, sorted.
fn sorted(entries: &[(&str, Range<usize>)]) -> Vec<String> {
    let mut names: Vec<_> = entries.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    names
}

fn is_empty_array(value: &Value<'_>) -> bool {
    value
        .get_ref()
        .as_array()
        .is_some_and(|array| array.is_empty())
}
