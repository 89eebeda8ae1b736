//! Tests of processes and their network.

use std::time::Duration;

use super::super::*;
use super::{check_errors, parse};

/// A file of ten lines with two guests in two processes.
const APART: &str = "\
    manifest_version = 1\n[service.greeting]\nwasm = 'greeting.wasm'\n[program.hello]\nwasm = \
    'hello.wasm'\n\
    [process.front]\nguests = ['hello']\n[process.back]\nguests = ['greeting']\n\
    [network]\n";

const SERVER: &str = "nats = 'nats://127.0.0.1:4222'\n";

/// Checks the errors of a valid file after one replacement.
#[track_caller]
fn check_replaced(what: &str, by: &str, expected: &[&str]) {
    let text = format!("{APART}{SERVER}");
    assert!(text.contains(what), "{what:?} is not in the file");
    check_errors(&text.replacen(what, by, 1), expected);
}

#[test]
fn a_process_is_a_part_with_its_network() {
    let whole = parse(&format!("{APART}{SERVER}")).expect("the file must be accepted");
    assert_eq!(
        whole
            .processes
            .iter()
            .map(Process::name)
            .collect::<Vec<_>>(),
        ["back", "front"]
    );
    assert_eq!((whole.guests.len(), whole.network.as_ref()), (2, None));

    let front = whole.of_process("front").expect("the process must exist");
    let [hello] = &front.guests[..] else {
        panic!("{:?}", front.guests)
    };
    assert_eq!((&*hello.name, &front.processes[..]), ("hello", &[][..]));
    let expected = Network {
        process: "front".into(),
        processes: vec!["back".into(), "front".into()],
        app: "app".into(),
        servers: vec!["nats://127.0.0.1:4222".parse().expect("must be valid")],
        login: None,
        tls: None,
        clock_skew: Duration::from_secs(1),
        wait: None,
    };
    assert_eq!(front.network, Some(expected));
}

#[test]
fn every_key_of_the_network_is_read() {
    let more = "nats = ['tls://a.example', 'nats://me:secret@[::1]:4223']\napp = 'Pizza-2'\n\
                credentials = 'nats.creds'\nclock_skew = '250ms'\nwait = '30s'";
    let whole = parse(&format!("{APART}{more}")).expect("the file must be accepted");
    let network = whole
        .of_process("back")
        .expect("the process must exist")
        .network
        .expect("a part must have a network");
    let servers: Vec<_> = network.servers.iter().map(NatsServer::to_string).collect();
    assert_eq!(servers, ["tls://a.example", "nats://me:…@[::1]:4223"]);
    assert_eq!(network.wait, Some(Duration::from_secs(30)));
    assert_eq!(
        (&*network.app, network.clock_skew),
        ("Pizza-2", Duration::from_millis(250))
    );
    let credentials = Secret::File("apps/nats.creds".into());
    assert_eq!(network.login, Some(NatsLogin::Credentials(credentials)));
    assert_eq!(network.tls, None);
}

/// Returns the login of a `[network]` with these further lines.
fn login(lines: &str) -> Option<NatsLogin> {
    let whole = parse(&format!("{APART}{SERVER}{lines}")).expect("the file must be accepted");
    whole.processes[0].network.login.clone()
}

#[test]
fn a_login_takes_its_secrets_from_outside() {
    assert_eq!(login(""), None);
    let variable = |name: &str| Secret::Env(name.into());
    assert_eq!(
        login("credentials = { env = 'CREDS' }"),
        Some(NatsLogin::Credentials(variable("CREDS")))
    );
    assert_eq!(
        login("token = { file = '/run/token' }"),
        Some(NatsLogin::Token(Secret::File("/run/token".into())))
    );
    assert_eq!(
        login("nkey = { env = 'SEED' }"),
        Some(NatsLogin::Nkey(variable("SEED")))
    );
    assert_eq!(
        login("user = 'ada'\npassword = { env = 'PASSWORD' }"),
        Some(NatsLogin::User {
            user: "ada".into(),
            password: variable("PASSWORD"),
        })
    );
}

#[test]
fn a_half_login_and_two_logins_are_refused() {
    let check = |lines: &str, expected: &[&str]| {
        check_replaced(SERVER, &format!("{SERVER}{lines}"), expected);
    };
    check(
        "password = { env = 'P' }",
        &["10:2: `[network]` has a `password` and no `user`; add `user = \"<name>\"`"],
    );
    check(
        "user = 'ada'",
        &["10:2: `[network]` has a `user` and no `password`; \
           add `password = { env = \"<variable>\" }` or `password = { file = \"<path>\" }`"],
    );
    check(
        "token = { env = 'T' }\ncredentials = 'nats.creds'",
        &["10:2: `[network]` has both `credentials` and `token`; \
           a process logs in once: keep `credentials`, `token`, `nkey`, or `user` with `password`"],
    );
    check(
        "token = 'secret'",
        &[
            "12:9: `token` is a string, expected { env = \"<variable>\" } or \
             { file = \"<path>\" }; make it { env = \"<variable>\" } or { file = \"<path>\" }",
        ],
    );
}

#[test]
fn tls_names_its_files() {
    let lines = "tls = { ca = 'ca.pem', cert = '/etc/cert.pem', key = 'key.pem', first = true }";
    let whole = parse(&format!("{APART}{SERVER}{lines}")).expect("the file must be accepted");
    let tls = Tls {
        ca: Some("apps/ca.pem".into()),
        identity: Some(Identity {
            cert: "/etc/cert.pem".into(),
            key: "apps/key.pem".into(),
        }),
        client_ca: None,
        first: true,
    };
    assert_eq!(whole.processes[0].network.tls, Some(tls));
}

#[test]
fn invalid_tls_settings_are_refused() {
    let check = |line: &str, expected: &[&str]| {
        check_replaced(SERVER, &format!("{SERVER}{line}"), expected);
    };
    check(
        "tls = true",
        &[
            "12:7: `tls` is a boolean, expected a table with the paths of PEM files; \
           make it a table with the paths of PEM files",
        ],
    );
    check(
        "tls = { cert = 'cert.pem' }",
        &["12:7: `tls` has a `cert` and no `key`; \
           add `key = \"key.pem\"`: a certificate needs its private key"],
    );
    check(
        "tls = { ca = '', first = 1, client_ca = 'ca.pem' }",
        &[
            "12:14: `ca` is empty; name a file, relative to apps/app.toml, or remove the key",
            "12:26: `first` is an integer, expected true or false; make it true or false",
            "12:29: unknown key `client_ca` in `tls` of `[network]`; \
             known here: ca, cert, key, first",
        ],
    );
}

#[test]
fn an_unknown_process_is_refused_with_the_known_ones() {
    let whole = parse(&format!("{APART}{SERVER}")).expect("the file must be accepted");
    let message = |name| {
        let error = whole
            .of_process(name)
            .expect_err("the process must be unknown");
        format!("{error}; {}", error.help)
    };
    assert_eq!(
        message("fornt"),
        "apps/app.toml has no process `fornt`; did you mean `front`? its processes: back, front"
    );
    assert_eq!(
        message("kitchen"),
        "apps/app.toml has no process `kitchen`; its processes: back, front"
    );
    let front = whole.of_process("front").expect("the process must exist");
    let error = front
        .of_process("front")
        .expect_err("a part has no processes");
    assert_eq!(
        error.help,
        "all guests of the file run in one process: omit the name"
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
            "7:11: `hello` is in the processes `back` and `front`; a guest runs in one \
             process: remove it from the others",
        ],
    );
    check_replaced(
        "['hello']",
        "['hello', 'hello']",
        &["7:20: `hello` is in the process `front` twice; remove one of the two"],
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
            "6:10: \"Front\" cannot be the name of a process; a process's name is made of `a` \
             to `z`, `0` to `9`, `_` and `-`",
        ],
    );
    const NO_GUESTS: &str = "6:10: `[process.front]` has no guests; \
                             write `guests = [\"<guest>\"]`, or remove the process";
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
            "7:10: `guests` is a string, expected an array of strings; make it an array of \
             strings",
        ],
    );
    check_replaced(
        "[process.front]\nguests = ['hello']",
        "[process]\nfront = ['hello']",
        &[
            "7:9: `process.front` is an array, expected a table `[process.front]`; make it a \
             table `[process.front]`",
        ],
    );
}

#[test]
fn processes_and_a_network_need_each_other() {
    check_replaced(
        &format!("[network]\n{SERVER}"),
        "",
        &["6:2: the file has processes and no `[network]`; \
           add `[network]` with the address of a NATS server: `nats = \"nats://127.0.0.1:4222\"`"],
    );
    check_replaced(
        "[process.front]\nguests = ['hello']\n[process.back]\nguests = ['greeting']\n",
        "",
        &["6:2: the file has a `[network]` and no process; \
           add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or remove `[network]`"],
    );
    let expected = "7:2: the file has a `[network]` and no process; \
                    add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or remove \
                    `[network]`";
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
fn no_error_and_no_debug_text_shows_the_password_of_an_address() {
    let address = "nats = ['nats://ada:s3cret@a', \"nats://t0ken@b\"]";
    let valid = parse(&format!("{APART}{address}")).expect("the file must be accepted");
    let mut texts = vec![format!("{valid:?}")];
    // An invalid address, a mistake beside an address, and a file that is not TOML.
    for lines in [
        "nats = 'natz://ada:s3cret@a'".to_owned(),
        "nats = ['nats://ada:s3cret@a b', 'nats://t0ken@']".to_owned(),
        "nats = 'ada:s3cret@a'".to_owned(),
        format!("{address}\nnatz = 1"),
        format!("{address} ="),
        "nats = nats://ada:s3cret@a".to_owned(),
    ] {
        let error = parse(&format!("{APART}{lines}")).expect_err("the file must be refused");
        texts.push(format!("{error}\n{error:?}"));
        let DeploymentError::Refused { errors, .. } = error else {
            panic!("the errors must have positions")
        };
        texts.extend(errors.iter().map(|error| {
            let file = error.source_code.inner();
            format!("{error}\n{error:?}\n{file}")
        }));
    }
    for text in texts {
        assert!(
            !text.contains("s3cret") && !text.contains("t0ken"),
            "{text}"
        );
    }
}

#[test]
fn invalid_addresses_are_refused() {
    const NO_SERVER: &str = "10:2: `[network]` has no `nats`; add the address of a server: \
                             `nats = \"nats://127.0.0.1:4222\"`";
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
            "11:8: `nats` is an integer, expected an address or an array of them; make it an \
             address or an array of them",
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
            "11:8: {bad:?} is not the address of a NATS server; write `nats://<host>:<port>`, \
             or `tls://` for an encrypted connection"
        );
        check_replaced("nats://127.0.0.1:4222", bad, &[&expected]);
    }
    check_replaced(
        SERVER,
        &format!("{SERVER}credentials = ''\nclock_skew = '1'\napp = 'a.b'"),
        &[
            "12:15: `credentials` is empty; name a file, relative to apps/app.toml, or remove \
             the key",
            "13:14: `clock_skew` is \"1\", which is not a duration; \
             write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
            "14:7: \"a.b\" cannot be the name of an app; \
             write `app = \"<name>\"`, made of `a` to `z`, `A` to `Z`, `0` to `9`, `_` and `-`",
        ],
    );
}

#[test]
fn a_file_name_that_is_no_app_name_is_refused() {
    let error = Deployment::parse(&format!("{APART}{SERVER}"), "my app.toml".as_ref())
        .expect_err("a space must be refused");
    let expected = "my app.toml:10:2: \"my app\" cannot be the name of an app";
    assert_eq!(error.to_string(), expected);
}
