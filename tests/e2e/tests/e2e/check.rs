//! `parigot check`: all errors of a deployment are reported, and no guest is launched.

use std::process::Command;

use e2e::{App, Ended, example, guest, protoc, service};
use parigot_abi::manifest::Service;
use serde_json::{Value, json};

/// Returns the object that `parigot check --format json` writes, and the exit status.
#[track_caller]
fn object(app: &App) -> (Value, Option<i32>) {
    let Ended {
        stdout,
        stderr,
        status,
    } = app.run_subcommand("check", &["--format", "json"]);
    assert_eq!(stderr, "");
    (
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}")),
        status,
    )
}

/// Returns the messages of all complaints.
#[track_caller]
fn complaints(app: &App) -> Vec<String> {
    let (object, status) = object(app);
    assert_eq!((&object["fits"], status), (&json!(false), Some(3)));
    let complaints = object["problems"]
        .as_array()
        .expect("the value must be a list");
    complaints
        .iter()
        .map(|complaint| {
            complaint["message"]
                .as_str()
                .expect("the value must be a string")
                .to_owned()
        })
        .collect()
}

fn helloworld() -> App {
    let built = |file: &str| {
        std::fs::read(example().join("build").join(file))
            .expect("`make build` must write the guests of the example")
    };
    App::new(
        "[program.hello]\nwasm = \"hello.wasm\"\n[service.greeting]\nwasm = \"greeting.wasm\"\n",
    )
    .with("hello.wasm", built("hello.wasm"))
    .with("greeting.wasm", built("greeting.wasm"))
}

#[test]
fn the_example_passes_and_its_order_is_shown() {
    let ended = helloworld().run_subcommand("check", &[]);
    assert_eq!(
        ended.stdout,
        "app.toml: its 2 guests fit, launched in this order:\n   1  greeting\n   2  hello\n"
    );
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.status, Some(0));
}

#[test]
fn json_lists_exports_and_requirements() {
    let greeting = json!({
        "name": "greeting", "role": "service", "replicas": 1,
        "exports": ["greeting.v1.Greeting"], "requires": [], "step": 1,
    });
    let hello = json!({
        "name": "hello", "role": "program", "replicas": 1, "exports": [],
        "requires": [{ "service": "greeting.v1.Greeting", "exporters": ["greeting"] }], "step": 2,
    });
    let expected = json!({ "fits": true, "guests": [greeting, hello], "problems": [] });
    assert_eq!(object(&helloworld()), (expected, Some(0)));
}

#[test]
fn guests_are_ordered_by_dependency_then_by_name() {
    let app = App::new("")
        .with_service("zebra", &["x.Zebra"], &[])
        .with_service("mule", &["x.Mule"], &["x.Zebra", "x.Ant"])
        .with_service("bee", &["x.Bee"], &["x.Mule"])
        .with_service("cow", &["x.Cow"], &["x.Ant"])
        .with_service("ant", &["x.Ant"], &[]);
    let ended = app.run_subcommand("check", &[]);
    let expected = "app.toml: its 5 guests fit, launched in this order:\n   1  ant, zebra\n   2  \
                    cow, mule\n   3  bee\n";
    assert_eq!(ended.stdout, expected);
    assert_eq!(ended.status, Some(0));
}

#[test]
fn bindings_are_shown() {
    let app = |keys: &str| {
        App::new("")
            .with_service("near", &["x.Kv"], &[])
            .with_service("far", &["x.Kv"], &[])
            .with_service("shop", &[], &["x.Kv as cache", "x.Kv as store"])
            .with_tables(keys)
    };
    let ended = app("bind = { cache = 'near', store = 'far' }").run_subcommand("check", &[]);
    let expected = "app.toml: its 3 guests fit, launched in this order:\n   1  far, near\n   2  \
                    shop\nwith these bindings:\n      shop -> near  x.Kv as cache\n      shop -> \
                    far  x.Kv as store\n";
    assert_eq!((&*ended.stdout, &*ended.stderr), (expected, ""));
    let expected =
        ["`shop` requires x.Kv as `store`, and its `bind` does not choose one of `far` and `near`"];
    assert_eq!(complaints(&app("bind = { cache = 'near' }")), expected);
}

#[test]
fn a_cycle_is_reported_with_its_path() {
    let knot = || {
        App::new("")
            .with_service("a", &["x.A"], &["x.B"])
            .with_service("b", &["x.B"], &["x.A"])
    };
    for subcommand in ["check", "run"] {
        let app = knot().with_service("c", &["x.C"], &["x.B"]);
        let ended = app.run_subcommand(subcommand, &[]);
        let expected = r#"
  × these guests wait for each other: a -> b -> a
   ╭─[app.toml:3:8]
 2 │ [service.a]
 3 │ wasm = "a.wasm"
   ·        ────────
 4 │ [service.b]
   ╰────
  help: break the cycle: remove one of these requirements
"#;
        assert_eq!(ended.stderr.trim(), expected.trim(), "{subcommand}");
        assert_eq!(ended.status, Some(3), "{subcommand}");
    }
}

#[test]
fn a_missing_export_is_reported_with_the_nearest() {
    let app = App::new("")
        .with_service("shop", &[], &["stock.v1.Stok", "bank.v1.Bank"])
        .with_service("stock", &["stock.v1.Stock"], &[]);
    let ended = app.run_subcommand("check", &[]);
    let expected = r#"
  × `shop` requires stock.v1.Stok, which no guest of the deployment exports
   ╭─[app.toml:3:8]
 2 │ [program.shop]
 3 │ wasm = "shop.wasm"
   ·        ───────────
 4 │ [service.stock]
   ╰────
  help: did you mean stock.v1.Stock, which `stock` exports?

  × `shop` requires bank.v1.Bank, which no guest of the deployment exports
   ╭─[app.toml:3:8]
 2 │ [program.shop]
 3 │ wasm = "shop.wasm"
   ·        ───────────
 4 │ [service.stock]
   ╰────
  help: add a guest that exports it
"#;
    assert_eq!(ended.stderr.trim(), expected.trim());
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.status, Some(3));
}

#[test]
fn all_errors_are_reported_at_once() {
    let app = App::new("")
        .with_service("a", &["x.A"], &["x.B"])
        .with_service("b", &["x.B"], &["x.A"])
        .with_service("c", &["x.C", "x.B"], &[])
        .with_service("d", &["x.D"], &["x.E"])
        .with_service("e", &["x.E"], &["x.D", "x.C"]);
    let expected = [
        "these guests wait for each other: a -> b -> a",
        "both `b` and `c` export x.B",
        "these guests wait for each other: d -> e -> d",
    ];
    assert_eq!(complaints(&app), expected);
}

#[test]
fn an_invalid_guest_does_not_hide_other_errors() {
    let app =
        App::new("[service.import]\nwasm = \"import.wasm\"\n[service.old]\nwasm = \"old.wasm\"\n")
            .with_wat("import.wasm", r#"(module (import "env" "now" (func)))"#)
            .with_wat(
                "old.wasm",
                r#"(module
                (memory (export "memory") 1)
                (func (export "parigot_abi") (result i32) (i32.const 0x70003))
                (func (export "parigot_open") (result i32) unreachable)
                (func (export "parigot_inbox") (param i32 i32) unreachable)
                (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))"#,
            )
            .with_service("self", &["x.Self"], &["x.Self"])
            // No complaint about x.Stock: one of the invalid guests may export it.
            .with_service("shop", &[], &["x.Stock"]);
    let expected = [
        "`import`: import.wasm cannot be run: imports `env.now`, and guests have no imports",
        "`old`: old.wasm cannot be run: uses version 7.3 of the ABI, and this host uses 2.0: \
         the guest is newer than this host, so update parigot",
        "these guests wait for each other: self -> self",
    ];
    assert_eq!(complaints(&app), expected);
}

#[test]
fn errors_in_the_file_have_their_location() {
    let (object, status) = object(&App::new("[program.hello]\nwsam = \"hello.wasm\"\n"));
    let complaint = json!({
        "message": "unknown key `wsam` in `[program.hello]`", "at": "app.toml:3:1",
        "help": "did you mean `wasm`?",
    });
    assert_eq!(
        object,
        json!({ "fits": false, "guests": [], "problems": [complaint] })
    );
    assert_eq!(status, Some(3));
}

#[test]
fn a_guest_that_fails_in_its_init_turn_is_rejected() {
    let app = App::new("").with_service("shop", &["no name"], &[]);
    let expected = "`shop` failed in its init turn: broke the protocol: declared an \
                    invalid name of a service, method or binding: \"no name\"";
    assert_eq!(complaints(&app), [expected]);
}

#[test]
fn nothing_is_launched() {
    // A launched guest would log lines.
    let app = App::new("[program.bare]\nwasm = \"bare.wasm\"\nargs = [\"--panic\"]\n")
        .with("bare.wasm", guest("bare"));
    let ended = app.run_subcommand("check", &[]);
    assert_eq!(
        ended.stdout,
        "app.toml: its guest fits, launched in this order:\n   1  bare\n"
    );
    assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
}

/// A service, and the descriptors of its file.
struct Described {
    service: Service,
    descriptors: Vec<u8>,
}

/// Returns `stock.v1.Stock` with the descriptors of a `.proto` file.
fn stock(schema: u64, text: &str) -> Described {
    described(
        "stock.v1.Stock",
        schema,
        &format!("package stock.v1; {text}"),
    )
}

/// Returns a service with the descriptors of a `.proto` file.
fn described(name: &str, schema: u64, text: &str) -> Described {
    let folder = tempfile::tempdir().expect("a temporary folder must be writable");
    let input = folder.path().join("service.proto");
    let output = folder.path().join("service.set");
    std::fs::write(&input, format!("syntax = \"proto3\"; {text}"))
        .expect("a temporary folder must be writable");
    let mut protoc = Command::new(protoc());
    protoc.arg(format!("--proto_path={}", folder.path().display()));
    protoc
        .arg(format!("--descriptor_set_out={}", output.display()))
        .arg(&input);
    let ran = protoc
        .output()
        .unwrap_or_else(|error| panic!("{protoc:?}: {error}"));
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let descriptors = std::fs::read(output).expect("protoc must write the descriptors");
    let service = Service {
        schema,
        ..service(name)
    };
    Described {
        service,
        descriptors,
    }
}

const OLD: &str = "
    service Stock { rpc Put(Item) returns (Nothing); rpc Take(Item) returns (Nothing); }
    message Item { string name = 1; int32 count = 2; bool fragile = 3; }
    message Nothing {}
";

#[test]
fn removed_and_retyped_fields_are_named() {
    let new = "
        service Stock { rpc Put(Item) returns (Nothing); rpc Move(Item) returns (Nothing); }
        message Item { string name = 1; double count = 2; string colour = 4; }
        message Nothing {}
    ";
    let [old, new] = [stock(1, OLD), stock(2, new)];
    let app = App::new("")
        .with_described("shop", &[], &[old.service], &old.descriptors)
        .with_described("stock", &[new.service], &[], &new.descriptors);
    let ended = app.run_subcommand("check", &[]);
    let problem = "incompatible schema for stock.v1.Stock: \
                   `shop` was built against a different version than `stock` exports";
    let expected = format!(
        r#"
  × {problem}
  ╰─▶ stock.v1.Item.count (2) is sent by `shop` as int32 and read by `stock` as double
      stock.v1.Item.fragile (3) is missing
      method Take is missing (likely new name: Move)
   ╭─[app.toml:3:8]
 2 │ [program.shop]
 3 │ wasm = "shop.wasm"
   ·        ───────────
 4 │ [service.stock]
   ╰────
  help: build both from one version of the .proto file
"#
    );
    assert_eq!(ended.stderr.trim(), expected.trim());
    assert_eq!(ended.status, Some(3));
}

/// Returns a shop that was built with `OLD`, and a stock in which `Take` is called `Move`.
fn with_renamed_method() -> App {
    let [old, new] = [stock(1, OLD), stock(2, &OLD.replace("Take", "Move"))];
    App::new("")
        .with_described("shop", &[], &[old.service], &old.descriptors)
        .with_described("stock", &[new.service], &[], &new.descriptors)
}

const RENAMED: &str = "was built with stock.v1.Stock/Take, which `stock` lacks: calls of this \
                       method fail with UNIMPLEMENTED; its likely new name is Move";

#[test]
fn a_missing_method_is_a_warning() {
    let app = with_renamed_method();
    let ended = app.run_subcommand("check", &[]);
    assert_eq!(ended.stderr, format!("warning: `shop` {RENAMED}\n"));
    let expected = "app.toml: its 2 guests fit, launched in this order:\n   1  stock\n   2  shop\n";
    assert_eq!((&*ended.stdout, ended.status), (expected, Some(0)));
    let (object, status) = object(&app);
    assert_eq!((&object["fits"], status), (&json!(true), Some(0)));
    let warning = json!({ "guest": "shop", "message": RENAMED });
    assert_eq!(object["warnings"], json!([warning]));
}

#[test]
fn a_strict_check_refuses_warnings() {
    let ended = with_renamed_method().run_subcommand("check", &["--strict"]);
    assert_eq!(ended.stderr, format!("warning: `shop` {RENAMED}\n"));
    assert_eq!((&*ended.stdout, ended.status), ("", Some(3)));
    let ended = with_renamed_method().run_subcommand("check", &["--strict", "--format", "json"]);
    assert!(ended.stdout.contains(r#""fits":false"#), "{}", ended.stdout);
    assert_eq!(ended.status, Some(3));
    let ended = helloworld().run_subcommand("check", &["--strict"]);
    assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
}

#[test]
fn warnings_are_shown_beside_problems() {
    let app = with_renamed_method().with_service("cook", &[], &["x.None"]);
    let ended = app.run_subcommand("check", &[]);
    let problem = "`cook` requires x.None, which no guest of the deployment exports";
    assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    let warning = format!("warning: `shop` {RENAMED}\n");
    assert!(ended.stderr.ends_with(&warning), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}

/// Each process calls its own exporter, so nothing needs to choose between the two.
#[test]
fn a_name_means_the_exporter_of_the_own_process() {
    let processes = "[network]\nnats = \"nats://127.0.0.1\"\n\
                     [process.front]\nguests = [\"near\", \"shop\"]\n\
                     [process.back]\nguests = [\"far\"]\n";
    let app = App::new("")
        .with_service("near", &["x.Kv"], &[])
        .with_service("far", &["x.Kv"], &[])
        .with_service("shop", &[], &["x.Kv as cache"])
        .with_tables(processes);
    let ended = app.run_subcommand("check", &[]);
    let expected = "app.toml: its 3 guests fit, launched in this order:\n   1  far, near\n   2  \
                    shop\nwith these bindings:\n      shop -> near  x.Kv as cache\nin 2 \
                    processes, none of which calls another\n";
    assert_eq!((&*ended.stdout, &*ended.stderr), (expected, ""));
}

#[test]
fn a_guest_in_rust_reports_its_schema() {
    let newer = "
        package echo.v1;
        service Echo { rpc Echo(Payload) returns (Payload); rpc Persist(Deed) returns (Payload); }
        message Payload { int32 data = 1; }
        message Deed { uint64 number = 2; }
    ";
    let app =
        App::new("[program.driver]\nwasm = \"driver.wasm\"\n").with("driver.wasm", guest("driver"));
    let Described {
        service,
        descriptors,
    } = described("echo.v1.Echo", 7, newer);
    let app = app.with_described("echo", &[service], &[], &descriptors);
    let expected = "incompatible schema for echo.v1.Echo: \
                    `driver` was built against a different version than `echo` exports: \
                    echo.v1.Payload.data (1) is sent by `driver` as bytes and read by `echo` as \
                    int32; \
                    echo.v1.Payload.data (1) is sent by `echo` as int32 and read by `driver` as \
                    bytes; \
                    method Misbehave is missing; echo.v1.Deed.kind (1) is missing";
    assert_eq!(complaints(&app), [expected]);
}

#[test]
fn an_exporter_may_have_a_newer_schema() {
    let new = "
        service Stock { rpc Take(Thing) returns (Nothing); rpc Put(Thing) returns (Nothing); rpc \
        Count(Nothing) returns (Thing); }
        message Thing { string title = 1; int64 count = 2; bool fragile = 3; repeated string tags \
        = 4; }
        message Nothing { uint64 time = 1; }
    ";
    let [old, new] = [stock(1, OLD), stock(2, new)];
    let app = App::new("")
        .with_described("shop", &[], &[old.service], &old.descriptors)
        .with_described("stock", &[new.service], &[], &new.descriptors);
    let ended = app.run_subcommand("check", &[]);
    assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
}

#[test]
fn a_schema_without_descriptors_cannot_be_compared() {
    let untold = Service {
        schema: 7,
        ..service("stock.v1.Stock")
    };
    let old = stock(1, OLD);
    let app = App::new("")
        .with_described("shop", &[], &[old.service], &old.descriptors)
        .with_declaring("stock", &[untold], &[]);
    let expected = "incompatible schema for stock.v1.Stock: \
                    `shop` was built against a different version than `stock` exports: \
                    their schema hashes differ, and `stock` does not say what is in its schema";
    assert_eq!(complaints(&app), [expected]);
}
