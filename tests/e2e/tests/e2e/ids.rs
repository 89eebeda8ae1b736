//! `parigot boilerplateid`: new types of ids, in both languages.

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

/// `tests/golden/ids` compiles, and is tried in `tests/golden/tests/ids.rs`.
#[test]
fn the_golden_files_in_rust_are_what_is_written() {
    for (name, prefix, file) in [
        ("Ticket", "tkt", "ticket.rs"),
        ("OrderId", "o2", "order.rs"),
    ] {
        let written = written(&["--lang", "rust", name, prefix]);
        let golden = root().join("tests/golden/ids").join(file);
        if std::env::var_os("PARIGOT_BLESS").is_some() {
            std::fs::write(&golden, &written).expect("golden files can be written");
        }
        assert_eq!(
            std::fs::read_to_string(&golden).expect("it is there"),
            written,
            "PARIGOT_BLESS=1 accepts it"
        );
    }
}

/// Says of two ids what a program can find out.
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

/// `go run` on what is written for tickets and orders, and a program that uses it.
fn go_run(program: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("the folder is ours")
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
        "gofmt would write something else"
    );
    go(&["run", "."])
}

#[test]
fn ids_in_go_round_trip_and_one_is_not_read_as_another() {
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
fn ids_of_different_types_do_not_compile_together_in_go() {
    let ended = go_run(
        "package main\n\nfunc main() {\n\tvar ticket TicketID = NewOrderID()\n\t_ = ticket.Equal(NewOrderID())\n}\n",
    );
    assert_eq!(ended.status, Some(1));
    let complaints = ended.stderr.matches("cannot use NewOrderID()").count();
    assert_eq!(complaints, 2, "{}", ended.stderr);
}

#[test]
fn names_and_prefixes_that_cannot_be_are_refused() {
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
        ("Ticket", "svc", "it is that of parigot's own ServiceId"),
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
fn the_package_of_a_file_in_go_is_named() {
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
