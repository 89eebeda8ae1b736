//! Tests of the tables `[edge.<name>]`.

use std::time::Duration;

use super::super::*;
use super::{check_errors, parse};

/// A file of six lines with a service and an edge.
const EDGE: &str = "manifest_version = 1\n[service.greeting]\nwasm = 'greeting.wasm'\n\
                    [edge.public]\nlisten = '127.0.0.1:8080'\nservices = ['x.Greeting']\n";

/// Checks the errors of a valid file after one replacement.
#[track_caller]
fn check_replaced(what: &str, by: &str, expected: &[&str]) {
    assert!(EDGE.contains(what), "{what:?} is not in the file");
    check_errors(&EDGE.replacen(what, by, 1), expected);
}

/// Checks the only error of a line at the end of the edge's table.
#[track_caller]
fn check_line(line: &str, expected: &str) {
    check_errors(&format!("{EDGE}{line}"), &[expected]);
}

#[test]
fn an_edge_is_read_with_its_defaults() {
    let deployment = parse(EDGE).expect("the file must be accepted");
    let [edge] = &deployment.edges[..] else {
        panic!("{:?}", deployment.edges)
    };
    assert_eq!(edge.name, "public");
    assert_eq!(edge.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(edge.services[0].name, "x.Greeting");
    assert_eq!(&EDGE[edge.services[0].span.clone()], "'x.Greeting'");
    assert_eq!(edge.headers, ForwardedHeaders::Named(Vec::new()));
    assert_eq!(edge.cors, [""; 0]);
    assert!(!edge.reflection);
    assert_eq!(edge.deadline, Duration::from_secs(30));
    assert_eq!(edge.message_bytes_max, 4 << 20);
    assert_eq!(edge.calls_max, 1_000);
    assert_eq!(edge.errors, ErrorTexts::Brief);
}

#[test]
fn every_key_of_an_edge_is_read() {
    let text = format!(
        "{EDGE}headers = ['Authorization', 'x-request-id']\ncors = ['https://App.example.com']\n\
         reflection = true\ndeadline = '2m'\nmax_message = '1KiB'\nmax_calls = 7\n\
         errors = 'full'\n[edge.all]\nlisten = '[::1]:0'\nservices = ['x.Greeting']\n\
         headers = ['*']\ncors = ['*']"
    );
    let deployment = parse(&text).expect("the file must be accepted");
    let [all, public] = &deployment.edges[..] else {
        panic!("{:?}", deployment.edges)
    };
    assert_eq!(all.headers, ForwardedHeaders::All);
    assert_eq!(
        (all.listen.port(), &all.cors[..]),
        (0, &["*".to_owned()][..])
    );
    let names = ["authorization".to_owned(), "x-request-id".to_owned()];
    assert_eq!(public.headers, ForwardedHeaders::Named(names.into()));
    assert_eq!(public.cors, ["https://app.example.com"]);
    assert!(public.reflection);
    assert_eq!(public.deadline, Duration::from_secs(120));
    assert_eq!((public.message_bytes_max, public.calls_max), (1 << 10, 7));
    assert_eq!(public.errors, ErrorTexts::Full);
}

#[test]
fn an_edge_needs_an_address_and_services() {
    check_replaced(
        "listen = '127.0.0.1:8080'\nservices = ['x.Greeting']\n",
        "",
        &[
            "4:7: `[edge.public]` has no `listen`; add `listen = \"127.0.0.1:8080\"`, the address \
             for clients",
            "4:7: `[edge.public]` has no services; add `services = [\"<package>.<Service>\"]`: \
             clients can call only listed services",
        ],
    );
    check_replaced(
        "listen",
        "lisen",
        &["5:1: unknown key `lisen` in `[edge.public]`; did you \
        mean `listen`?"],
    );
}

#[test]
fn two_edges_cannot_have_one_address() {
    let other = "[edge.other]\nlisten = '127.0.0.1:8080'\nservices = ['x.Greeting']\n";
    check_errors(
        &format!("{EDGE}{other}"),
        &[
            "5:10: the edges `other` and `public` both listen on 127.0.0.1:8080; give one of them \
           another port",
        ],
    );
    let any = format!("{EDGE}{other}").replace("8080", "0");
    parse(&any).expect("port 0 stands for any port");
}

#[test]
fn wrong_values_of_an_edge_are_reported() {
    check_replaced(
        "'127.0.0.1:8080'",
        "':8080'",
        &[
            "5:10: \":8080\" is not an address to listen on; write an IP address and a port: \
           \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for all addresses of the machine",
        ],
    );
    check_replaced(
        "['x.Greeting']",
        "['x.Greeting', 'x.Greeting']",
        &["6:27: x.Greeting is listed twice; remove one of the two"],
    );
    check_replaced(
        "edge.public",
        "edge.Public",
        &[
            "4:7: \"Public\" cannot be the name of an edge; an edge's name is made of `a` to `z`, \
           `0` to `9`, `_` and `-`",
        ],
    );
    check_line(
        "headers = ['Parigot-User']",
        "7:12: the header \"Parigot-User\" is reserved for the host; remove it: guests rely on \
         the values that the host sets",
    );
    check_line(
        "headers = ['a b']",
        "7:12: \"a b\" is not the name of a header; write names such as \"x-request-id\", or \
         \"*\" for all headers",
    );
    check_line(
        "cors = ['https://a.example/app']",
        "7:9: \"https://a.example/app\" is not the origin of a web page; write scheme and host \
         without a path: \"https://app.example.com\", or \"*\" for all origins",
    );
    check_line(
        "errors = 'none'",
        "7:10: `errors` is \"none\", which is not known; write \"brief\" or \"full\"",
    );
    check_line(
        "max_message = '1GiB'",
        "7:15: `max_message` is \"1GiB\", which is too much; write a whole number and KiB or MiB, \
         from \"1KiB\" to \"16MiB\", such as \"4MiB\"",
    );
}

const APART: &str = "[process.front]\nguests = ['greeting']\nedge = ['public']\n\
                     [network]\nnats = 'nats://127.0.0.1:4222'\n";

#[test]
fn a_process_has_its_own_edges() {
    let back = "[service.other]\nwasm = 'a.wasm'\n[process.back]\nguests = ['other']\n";
    let whole = parse(&format!("{EDGE}{APART}{back}")).expect("the file must be accepted");
    let edges = |process: &str| {
        let part = whole.of_process(process).expect("the process must exist");
        part.edges
            .into_iter()
            .map(|edge| edge.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(edges("front"), ["public"]);
    assert_eq!(edges("back"), [""; 0]);
}

#[test]
fn each_edge_belongs_to_one_process() {
    let file = format!("{EDGE}{APART}");
    check_errors(
        &file.replace("edge = ['public']\n", ""),
        &[
            "4:7: the edge `public` is in no process; add `edge = [\"public\"]` to the process \
             that listens",
        ],
    );
    check_errors(
        &file.replace("['public']", "['public', 'pubic']"),
        &["9:19: there is no edge `pubic`; did you mean `public`?"],
    );
    check_errors(
        &file.replace("['public']", "['public', 'public']"),
        &[
            "9:19: the edge `public` is in the processes `front` and `front`; one process listens: \
           remove it from the other",
        ],
    );
}
