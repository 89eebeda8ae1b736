//! `parigot boilerplateid`: generated id types in both languages.

use std::process::Command;

use e2e::{Ended, Started, parigot, root};

fn boilerplateid(arguments: &[&str]) -> Ended {
    Started::new(Command::new(parigot()).arg("boilerplateid").args(arguments)).wait()
}

#[track_caller]
fn written(arguments: &[&str]) -> String {
    let ended = boilerplateid(arguments);
    assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
    ended.stdout
}

/// `tests/golden` compiles the files, and tests them in `tests/golden/tests/golden/ids.rs`.
#[test]
fn the_output_for_rust_equals_the_golden_files() {
    for (name, prefix, file) in [
        ("Ticket", "tkt", "ticket.rs"),
        ("OrderId", "o2", "order.rs"),
    ] {
        let written = written(&["--lang", "rust", name, prefix]);
        let golden = root().join("tests/golden/ids").join(file);
        if std::env::var_os("PARIGOT_BLESS").is_some() {
            std::fs::write(&golden, &written).expect("golden files must be writable");
        }
        assert_eq!(
            std::fs::read_to_string(&golden).expect("the file must be readable"),
            written,
            "PARIGOT_BLESS=1 accepts it"
        );
    }
}

/// A program that uses two id types, and prints what it finds.
const PROGRAM: &str = r#"
package main

import (
    "errors"
    "fmt"

    "github.com/parigot/parigot/parigot-guest-go/id"
)

func main() {
    ticket, order := NewTicketID(), NewOrderID()
    parsed, err := ParseTicketID(ticket.String())
    fmt.Println(parsed.Equal(ticket), err, ticket.Equal(NewTicketID()))
    read, err := TicketIDFromWire(ticket.Wire())
    fmt.Println(read.Equal(ticket), err)
    _, err = ParseTicketID(order.String())
    fmt.Println(errors.As(err, new(id.TypeError)), err)
    _, err = TicketIDFromWire(order.Wire())
    fmt.Println(errors.As(err, new(id.TypeError)), err)
}
"#;

/// Runs a Go program beside the generated types of tickets and orders.
fn go_run(program: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder must be writable");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a temporary folder must be writable")
    };
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        Started::new(
            go.args(arguments)
                .current_dir(folder.path())
                .env("GOWORK", folder.path().join("go.work")),
        )
        .wait()
    };
    write("go.mod", "module tickets.test\n\ngo 1.26\n");
    write(
        "go.work",
        &format!(
            "go 1.26\n\nuse (\n\t.\n\t{}\n)\n",
            root().join("parigot-guest-go").display()
        ),
    );
    write(
        "ticket.go",
        &written(&["--lang", "go", "--package", "main", "Ticket", "tkt"]),
    );
    write(
        "order.go",
        &written(&["--lang", "go", "--package", "main", "Order", "o2"]),
    );
    write("main.go", program);
    let unformatted = Started::new(
        Command::new("gofmt")
            .args(["-l", "ticket.go", "order.go"])
            .current_dir(folder.path()),
    );
    assert_eq!(
        unformatted.wait().stdout,
        "",
        "gofmt must leave the generated files alone"
    );
    go(&["run", "."])
}

#[test]
fn ids_in_go_parse_as_their_own_type_only() {
    let ended = go_run(PROGRAM);
    let expected = "true <nil> false\n\
                    true <nil>\n\
                    true not a TicketID: expected it to start with `tkt_`\n\
                    true not a TicketID: expected it to start with `tkt_`\n";
    assert_eq!(
        (&*ended.stdout, ended.status),
        (expected, Some(0)),
        "{}",
        ended.stderr
    );
}

#[test]
fn ids_in_go_are_distinct_types() {
    let ended = go_run(
        "package main\n\nfunc main() {\n\tvar ticket TicketID = NewOrderID()\n\t_ = \
         ticket.Equal(NewOrderID())\n}\n",
    );
    assert_eq!(ended.status, Some(1));
    let complaints = ended.stderr.matches("cannot use NewOrderID()").count();
    assert_eq!(complaints, 2, "{}", ended.stderr);
}

#[test]
fn invalid_names_and_prefixes_are_rejected() {
    for (name, prefix, complaint) in [
        (
            "ticket",
            "tkt",
            "expected a name such as Ticket or PurchaseOrder",
        ),
        (
            "Id",
            "tkt",
            "expected a name such as Ticket or PurchaseOrder",
        ),
        (
            "Tick-et",
            "tkt",
            "expected a name such as Ticket or PurchaseOrder",
        ),
        (
            "Ticket",
            "",
            "expected one to three of a-z and 0-9, the first a letter",
        ),
        (
            "Ticket",
            "tick",
            "expected one to three of a-z and 0-9, the first a letter",
        ),
        (
            "Ticket",
            "2t",
            "expected one to three of a-z and 0-9, the first a letter",
        ),
        ("Ticket", "svc", "already used by parigot's own ServiceId"),
    ] {
        let ended = boilerplateid(&["--lang", "rust", name, prefix]);
        assert!(
            ended.stderr.contains(complaint),
            "{name} {prefix}: {}",
            ended.stderr
        );
        assert_eq!(
            (&*ended.stdout, ended.status),
            ("", Some(2)),
            "{name} {prefix}"
        );
    }
}

#[test]
fn the_go_package_can_be_chosen() {
    assert!(written(&["--lang", "go", "PurchaseOrder", "po"]).contains("\npackage ids\n"));
    assert!(
        written(&["--lang", "go", "--package", "shop", "PurchaseOrder", "po"])
            .contains("\npackage shop\n")
    );
    assert_eq!(
        boilerplateid(&["--lang", "go", "--package", "a b", "Order", "o"]).status,
        Some(2)
    );
}
