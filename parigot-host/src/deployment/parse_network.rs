//! Reads which guests run in which process, and what joins the processes.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::parse::{Key, Names, Reader, Value, is_name};
use super::{CLOCK_SKEW_DEFAULT, Network, Process};
use crate::error::ConfigErrorKind;
use crate::error::suggest;

const PROCESS_KEYS: &[&str] = &["guests"];
const NETWORK_KEYS: &[&str] = &["nats", "app", "credentials", "clock_skew"];

/// The process that each guest is in, and where that is said.
type Homes<'v> = BTreeMap<&'v str, (&'v str, Range<usize>)>;

impl Reader<'_> {
    /// Reads `[process.<name>]` and `[network]`, of which there are both or neither.
    pub(super) fn processes(&mut self, root: &DeTable<'_>, guests: &Names) {
        let is_empty = |value: &Value<'_>| {
            value
                .get_ref()
                .as_table()
                .is_some_and(|table| table.is_empty())
        };
        let processes = entry(root, "process").filter(|(_, value)| !is_empty(value));
        let network = entry(root, "network");
        // If something is wrong, what is missing may be there in another spelling.
        match (processes, network) {
            (Some((key, _)), None) if self.is_right() => {
                _ = self.report(key.span(), &ConfigErrorKind::NoNetwork)
            }
            (None, Some((key, _))) if self.is_right() => {
                _ = self.report(key.span(), &ConfigErrorKind::NoProcess)
            }
            _ => {}
        }
        let network = network.map(|(key, value)| self.network(key, value));
        let spread = processes.map(|(_, value)| self.spread(value, guests));
        let Some((network, spread)) = network.zip(spread) else {
            return;
        };
        let process = |(process, guests)| Process {
            guests,
            network: Network {
                process,
                ..network.clone()
            },
        };
        self.deployment.processes = spread.into_iter().map(process).collect();
    }

    /// Each process with its guests, sorted.
    fn spread(&mut self, value: &Value<'_>, guests: &Names) -> Vec<(String, Vec<String>)> {
        let before = self.errors.len();
        let mut homes = Homes::new();
        let mut spread = Vec::new();
        for (key, place, entry) in self.named_tables("process", value) {
            let process = key.get_ref().as_ref();
            if !is_name(process) {
                self.report(
                    key.span(),
                    &ConfigErrorKind::Name {
                        name: process,
                        of: "process",
                    },
                );
            }
            let members = entry
                .map(|entry| self.members(key, &place, entry))
                .unwrap_or_default();
            for (guest, span) in &members {
                self.house(guest, span.clone(), process, guests, &mut homes);
            }
            let mut members: Vec<_> = members
                .into_iter()
                .map(|(guest, _)| guest.to_owned())
                .collect();
            members.sort();
            spread.push((process.to_owned(), members));
        }
        // Else it may well be in one that is wrong.
        if self.errors.len() == before {
            let processes: Vec<_> = spread.iter().map(|(process, _)| &**process).collect();
            for (guest, span) in guests
                .iter()
                .filter(|(guest, _)| !homes.contains_key(&***guest))
            {
                self.report(
                    span.clone(),
                    &ConfigErrorKind::Unspread {
                        guest,
                        processes: &processes,
                    },
                );
            }
        }
        spread
    }

    /// What is listed under `guests`, and where.
    fn members<'v>(
        &mut self,
        process: &Key<'_>,
        place: &str,
        entry: &'v DeTable<'_>,
    ) -> Vec<(&'v str, Range<usize>)> {
        let mut members = Vec::new();
        let mut has_guests = false;
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                "guests" => {
                    members = self.placed_strings("guests", "a guest", value);
                    has_guests = !is_empty_array(value);
                }
                _ => has_guests |= self.unknown_key(key, place, PROCESS_KEYS).is_some(),
            }
        }
        if !has_guests {
            self.report(process.span(), &ConfigErrorKind::NoGuests { place });
        }
        members
    }

    /// Writes down that a guest is in a process.
    fn house<'v>(
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
                &ConfigErrorKind::UnknownGuest {
                    name: guest,
                    similar,
                    known: &known,
                },
            );
        } else if let Some((first, other)) = homes.insert(guest, (process, span.clone())) {
            let kind = match process == first {
                true => ConfigErrorKind::ListedTwice { guest, process },
                false => ConfigErrorKind::SpreadTwice {
                    guest,
                    first,
                    second: process,
                },
            };
            self.report(span, &kind).other = Some(other.into());
        }
    }

    /// What all processes have in common of it.
    fn network(&mut self, name: &Key<'_>, value: &Value<'_>) -> Network {
        let mut network = Network {
            process: String::new(),
            app: String::new(),
            servers: Vec::new(),
            credentials: None,
            clock_skew: CLOCK_SKEW_DEFAULT,
        };
        let Some(entry) = self.table("`network`", value, "a table `[network]`") else {
            return network;
        };
        let mut has_server = false;
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
                "credentials" => network.credentials = self.credentials(value),
                "clock_skew" => network.clock_skew = self.duration("clock_skew", value),
                // If `nats` is what was meant, it is not missing besides.
                _ => {
                    has_server |= self.unknown_key(key, "`[network]`", NETWORK_KEYS) == Some("nats")
                }
            }
        }
        if !has_server {
            self.report(name.span(), &ConfigErrorKind::NoServer);
        }
        if !entry.contains_key("app") {
            let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
            network.app = self.app(&stem, name.span());
        }
        network
    }

    /// One address or several.
    fn servers(&mut self, value: &Value<'_>) -> Vec<String> {
        let servers = match value.get_ref() {
            DeValue::Array(_) => self.placed_strings("nats", "an address", value),
            _ => {
                let server = self.string("`nats`", value, "an address or an array of them");
                server
                    .map(|server| (server, value.span()))
                    .into_iter()
                    .collect()
            }
        };
        for (text, span) in &servers {
            if !is_address(text) {
                self.report(span.clone(), &ConfigErrorKind::Server { text });
            }
        }
        servers
            .into_iter()
            .map(|(server, _)| server.to_owned())
            .collect()
    }

    /// Takes a name for the deployment that stands there.
    fn app(&mut self, name: &str, span: Range<usize>) -> String {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            self.report(span, &ConfigErrorKind::AppName { name });
        }
        name.to_owned()
    }

    fn credentials(&mut self, value: &Value<'_>) -> Option<PathBuf> {
        let file = self.string("`credentials`", value, "a path")?;
        if file.is_empty() {
            let file_name = self.deployment.source.name().to_owned();
            self.report(
                value.span(),
                &ConfigErrorKind::EmptyCredentials { file: &file_name },
            );
        }
        Some(self.beside(file))
    }
}

fn entry<'r, 'i>(root: &'r DeTable<'i>, name: &str) -> Option<(&'r Key<'i>, &'r Value<'i>)> {
    root.iter().find(|(key, _)| key.get_ref() == name)
}

fn is_empty_array(value: &Value<'_>) -> bool {
    value
        .get_ref()
        .as_array()
        .is_some_and(|array| array.is_empty())
}

/// Whether it is `nats://host`, or `tls://host`, perhaps with a user before the host and a port behind it.
fn is_address(text: &str) -> bool {
    let Some(rest) = text
        .strip_prefix("nats://")
        .or_else(|| text.strip_prefix("tls://"))
    else {
        return false;
    };
    let (_, place) = rest.rsplit_once('@').unwrap_or(("", rest));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Deployment;
    use super::super::tests::{check_errors, parse};
    use super::*;

    /// Two guests, each in a process of its own; ten lines.
    const APART: &str = "\
        manifest_version = 1\n[service.greeting]\nwasm = 'greeting.wasm'\n[program.hello]\nwasm = 'hello.wasm'\n\
        [process.front]\nguests = ['hello']\n[process.back]\nguests = ['greeting']\n\
        [network]\n";

    const SERVER: &str = "nats = 'nats://127.0.0.1:4222'\n";

    /// Checks all that is wrong with a file that is right but for one replacement.
    #[track_caller]
    fn check_replaced(what: &str, by: &str, expected: &[&str]) {
        let text = format!("{APART}{SERVER}");
        assert!(text.contains(what), "{what:?} is not in the file");
        check_errors(&text.replacen(what, by, 1), expected);
    }

    #[test]
    fn a_process_is_a_part_of_the_whole_with_what_joins_them() {
        let whole = parse(&format!("{APART}{SERVER}")).expect("the file is right");
        assert_eq!(
            whole
                .processes
                .iter()
                .map(Process::name)
                .collect::<Vec<_>>(),
            ["back", "front"]
        );
        assert_eq!((whole.guests.len(), whole.network.as_ref()), (2, None));

        let front = whole.of_process("front").expect("there is one");
        let [hello] = &front.guests[..] else {
            panic!("{:?}", front.guests)
        };
        assert_eq!((&*hello.name, &front.processes[..]), ("hello", &[][..]));
        let expected = Network {
            process: "front".into(),
            app: "app".into(),
            servers: vec!["nats://127.0.0.1:4222".into()],
            credentials: None,
            clock_skew: Duration::from_secs(1),
        };
        assert_eq!(front.network, Some(expected));
    }

    #[test]
    fn every_key_of_the_network_is_read() {
        let more = "nats = ['tls://a.example', 'nats://me:secret@[::1]:4223']\napp = 'Pizza-2'\n\
                    credentials = 'nats.creds'\nclock_skew = '250ms'";
        let whole = parse(&format!("{APART}{more}")).expect("the file is right");
        let network = whole
            .of_process("back")
            .expect("there is one")
            .network
            .expect("it is a part");
        assert_eq!(
            network.servers,
            ["tls://a.example", "nats://me:secret@[::1]:4223"]
        );
        assert_eq!(
            (&*network.app, network.clock_skew),
            ("Pizza-2", Duration::from_millis(250))
        );
        assert_eq!(network.credentials, Some("apps/nats.creds".into()));
    }

    #[test]
    fn a_process_that_is_not_known_is_refused_with_those_that_are() {
        let whole = parse(&format!("{APART}{SERVER}")).expect("the file is right");
        let told = |name| {
            let error = whole.of_process(name).expect_err("there is none");
            format!("{error}; {}", error.help)
        };
        assert_eq!(
            told("fornt"),
            "apps/app.toml has no process `fornt`; did you mean `front`? its processes: back, front"
        );
        assert_eq!(
            told("kitchen"),
            "apps/app.toml has no process `kitchen`; its processes: back, front"
        );
        let front = whole.of_process("front").expect("there is one");
        let error = front.of_process("front").expect_err("it is a part");
        assert_eq!(
            error.help,
            "all its guests run in one: leave the name of a process out"
        );
    }

    #[test]
    fn a_guest_is_in_one_process() {
        check_replaced(
            "'hello'",
            "'hallo'",
            &["7:11: there is no guest `hallo`; did you mean `hello`?"],
        );
        check_replaced(
            "'hello'",
            "'cook'",
            &["7:11: there is no guest `cook`; the file's guests: greeting, hello"],
        );
        check_replaced(
            "['greeting']",
            "['greeting', 'hello']",
            &[
                "7:11: `hello` is in the processes `back` and `front`; a guest runs in one process: take it out of all others",
            ],
        );
        check_replaced(
            "['hello']",
            "['hello', 'hello']",
            &["7:20: `hello` is in the process `front` twice; take it out once"],
        );
        check_replaced(
            "[process.back]\nguests = ['greeting']\n",
            "",
            &["2:10: `greeting` is in no process; add it to the `guests` of a process: front"],
        );
    }

    #[test]
    fn a_process_has_a_name_and_guests() {
        check_replaced(
            "process.front",
            "process.Front",
            &[
                "6:10: \"Front\" cannot be the name of a process; a process's name is made of `a` to `z`, `0` to `9`, `_` and `-`",
            ],
        );
        const NO_GUESTS: &str = "6:10: `[process.front]` has no guests; \
                                 write `guests = [\"<guest>\"]`, or leave the process out";
        check_replaced("guests = ['hello']\n", "", &[NO_GUESTS]);
        check_replaced("['hello']", "[]", &[NO_GUESTS]);
        check_replaced(
            "guests = ['hello']",
            "guest = ['hello']",
            &["7:1: unknown key `guest` in `[process.front]`; did you mean `guests`?"],
        );
        check_replaced(
            "['hello']",
            "'hello'",
            &[
                "7:10: `guests` is a string, expected an array of strings; make it an array of strings",
            ],
        );
        check_replaced(
            "[process.front]\nguests = ['hello']",
            "[process]\nfront = ['hello']",
            &[
                "7:9: `process.front` is an array, expected a table `[process.front]`; make it a table `[process.front]`",
            ],
        );
    }

    #[test]
    fn processes_and_a_network_need_each_other() {
        check_replaced(
            &format!("[network]\n{SERVER}"),
            "",
            &["6:2: the file has processes and no `[network]`; \
               add it with the address of a NATS server: `nats = \"nats://127.0.0.1:4222\"`"],
        );
        check_replaced(
            "[process.front]\nguests = ['hello']\n[process.back]\nguests = ['greeting']\n",
            "",
            &["6:2: the file has a `[network]` and no process; \
               add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or leave `[network]` out"],
        );
        let expected = "7:2: the file has a `[network]` and no process; \
                        add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or leave `[network]` out";
        check_replaced(
            "[process.front]\nguests = ['hello']\n[process.back]\nguests = ['greeting']\n",
            "[process]\n",
            &[expected],
        );
        check_replaced(
            "[network]",
            "[netwrok]",
            &["10:2: unknown key `netwrok` in the file; did you mean `network`?"],
        );
    }

    #[test]
    fn what_no_server_can_be_asked_with_is_refused() {
        const NO_SERVER: &str = "10:2: `[network]` has no `nats`; add the address of a server: `nats = \"nats://127.0.0.1:4222\"`";
        check_replaced(SERVER, "", &[NO_SERVER]);
        check_replaced("'nats://127.0.0.1:4222'", "[]", &[NO_SERVER]);
        check_replaced(
            "nats =",
            "natz =",
            &["11:1: unknown key `natz` in `[network]`; did you mean `nats`?"],
        );
        check_replaced(
            "'nats://127.0.0.1:4222'",
            "4222",
            &[
                "11:8: `nats` is an integer, expected an address or an array of them; make it an address or an array of them",
            ],
        );
        for bad in [
            "",
            "localhost",
            "http://a",
            "nats://",
            "nats://a b",
            "nats://a:",
            "nats://a:0",
            "nats://a/b",
            "nats://[::g]",
            "tls://@",
        ] {
            let expected = format!(
                "11:8: {bad:?} is no address of a NATS server; write `nats://<host>:<port>`, or `tls://` for a connection that is encrypted"
            );
            check_replaced("nats://127.0.0.1:4222", bad, &[&expected]);
        }
        check_replaced(
            SERVER,
            &format!("{SERVER}credentials = ''\nclock_skew = '1'\napp = 'a.b'"),
            &[
                "12:15: `credentials` is empty; name a file, relative to apps/app.toml, or leave the key out",
                "13:14: `clock_skew` is \"1\", which is not a duration; \
                 write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
                "14:7: \"a.b\" cannot be the name of an app; \
                 write `app = \"<name>\"`, made of `a` to `z`, `A` to `Z`, `0` to `9`, `_` and `-`",
            ],
        );
    }

    #[test]
    fn a_file_whose_name_cannot_name_the_app_is_asked_for_one() {
        let error = Deployment::parse(&format!("{APART}{SERVER}"), "my app.toml".as_ref())
            .expect_err("it has a space");
        let expected = "my app.toml:10:2: \"my app\" cannot be the name of an app";
        assert_eq!(error.to_string(), expected);
    }
}
