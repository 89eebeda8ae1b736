//! Deployments that cannot start: each error points into the file, the status is 3, and no guest
//! runs.

use std::process::Command;

use e2e::{App, Started, example, parigot, slow_to_compile};

fn greeting() -> Vec<u8> {
    std::fs::read(example().join("build/greeting.wasm"))
        .expect("`make build` must write the guests of the example")
}

fn hello() -> Vec<u8> {
    std::fs::read(example().join("build/hello.wasm"))
        .expect("`make build` must write the guests of the example")
}

/// Next step for a wasm file that is not a guest.
const BUILD_HELP: &str = "a guest is a `cdylib` crate that uses parigot-guest of this version, \
                          built for wasm32-unknown-unknown";

/// Next step for two guests that export greeting.v1.Greeting.
const SHARED_HELP: &str = "remove one of them; to distribute calls over both, \
                           write `shared = [\"greeting.v1.Greeting\"]` in both tables";

/// Checks the whole output. `expected` starts with an empty line.
#[track_caller]
fn check_refused(app: &App, expected: &str) {
    let ended = app.run();
    assert_eq!(ended.stderr.trim(), expected.trim());
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.status, Some(3));
}

/// Checks the whole output if the wasm file that [`HELLO`] names is not a guest for `reason`.
#[track_caller]
fn check_not_run(app: App, reason: &str) {
    let expected = format!(
        r#"
  × `hello`: hello.wasm cannot be run
  ╰─▶ {reason}
   ╭─[app.toml:3:8]
 2 │ [program.hello]
 3 │ wasm = "hello.wasm"
   ·        ────────────
   ╰────
  help: {BUILD_HELP}
"#
    );
    check_refused(&app, &expected);
}

const HELLO: &str = "[program.hello]\nwasm = \"hello.wasm\"\n";

#[test]
fn a_missing_wasm_file() {
    check_refused(
        &App::new(HELLO),
        r#"
  × `hello`: cannot read hello.wasm
  ╰─▶ No such file or directory (os error 2)
   ╭─[app.toml:3:8]
 2 │ [program.hello]
 3 │ wasm = "hello.wasm"
   ·        ────────────
   ╰────
  help: build the guest, or correct the path, which is relative to the deployment file
"#,
    );
}

/// Without `crate-type = ["cdylib"]`, cargo writes a Rust library beside the missing module.
#[test]
fn a_crate_without_cdylib_is_explained() {
    for (app, file) in [
        (
            App::new(HELLO).with("libhello.rlib", "!<arch>"),
            "hello.wasm",
        ),
        (
            App::new("[program.hello]\nwasm = \"libhello.rlib\"\n")
                .with("libhello.rlib", "!<arch>"),
            "libhello.rlib",
        ),
    ] {
        let ended = app.run();
        let help = "help: build the crate as a module: write `crate-type = [\"cdylib\"]` below \
                    `[lib]` in its Cargo.toml";
        assert!(ended.stderr.contains(help), "{file}: {}", ended.stderr);
        assert_eq!(ended.status, Some(3));
    }
}

#[test]
fn a_module_in_place_of_the_deployment_file() {
    let app = App::new(HELLO).with("hello.wasm", hello());
    let module = app.folder().join("hello.wasm");
    let ended = Started::new(Command::new(parigot()).arg("run").arg(module)).wait();
    let problem = "hello.wasm is a wasm module, not a deployment file";
    assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("`parigot run app.toml`"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(3));
}

#[test]
fn arguments_of_a_program_without_dashes_have_a_tip() {
    let mut command = Command::new(parigot());
    let ended = Started::new(command.args(["run", "app.toml", "list"])).wait();
    let tip = "tip: to pass 'list' to the program, use '-- list'";
    assert!(ended.stderr.contains(tip), "{}", ended.stderr);
    assert_eq!(ended.status, Some(2));
    let mut command = Command::new(parigot());
    let ended = Started::new(command.args(["check", "app.toml", "list"])).wait();
    assert!(!ended.stderr.contains("tip"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_not_wasm() {
    let ended = App::new(HELLO).with("hello.wasm", "hello, world").run();
    let reason =
        "hello.wasm cannot be run\n  ╰─▶ not a WebAssembly module: it does not begin with `\\0asm`";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    assert!(ended.stderr.contains("[app.toml:3:8]"), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}

#[test]
fn each_guest_that_cannot_be_run_is_shown() {
    let app = App::new(
        "[program.a]\nwasm = \"gone.wasm\"\n[service.b]\nwasm = \"empty.wasm\"\n\
         [program.c]\nwasm = \"hello.wasm\"\n[service.d]\nwasm = \"gone.wasm\"\n",
    );
    check_refused(
        &app.with_wat("empty.wasm", "(module)")
            .with("hello.wasm", hello()),
        &format!(
            r#"
  × `a`: cannot read gone.wasm
  ╰─▶ No such file or directory (os error 2)
   ╭─[app.toml:3:8]
 2 │ [program.a]
 3 │ wasm = "gone.wasm"
   ·        ───────────
 4 │ [service.b]
   ╰────
  help: build the guest, or correct the path, which is relative to the deployment file

  × `b`: empty.wasm cannot be run
  ╰─▶ does not export a memory named `memory`
   ╭─[app.toml:5:8]
 4 │ [service.b]
 5 │ wasm = "empty.wasm"
   ·        ────────────
 6 │ [program.c]
   ╰────
  help: {BUILD_HELP}

  × `d`: cannot read gone.wasm
  ╰─▶ No such file or directory (os error 2)
   ╭─[app.toml:9:8]
 8 │ [service.d]
 9 │ wasm = "gone.wasm"
   ·        ───────────
   ╰────
  help: build the guest, or correct the path, which is relative to the deployment file
"#,
        ),
    );
}

#[test]
fn each_guest_that_fails_in_its_init_turn_is_shown() {
    let trap = r#"
        (module
            (memory (export "memory") 1)
            (func (export "parigot_abi") (result i32) (i32.const 0x20000))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))
    "#;
    let deployment = "[program.a]\nwasm = \"a.wasm\"\n[program.b]\nwasm = \"b.wasm\"\n";
    let ended = App::new(deployment)
        .with_wat("a.wasm", trap)
        .with_wat("b.wasm", trap)
        .run();
    for said in [
        "× `a` failed in its init turn",
        "[app.toml:3:8]",
        "× `b` failed in its init turn",
        "[app.toml:5:8]",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_guest_with_an_import() {
    let app = App::new(HELLO).with_wat("hello.wasm", r#"(module (import "env" "now" (func)))"#);
    check_not_run(app, "imports `env.now`, and guests have no imports");
}

#[test]
fn a_guest_of_another_version_of_the_abi() {
    let module = r#"
        (module
            (memory (export "memory") 1)
            (func (export "parigot_abi") (result i32) (i32.const 0x70003))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))
    "#;
    let app = App::new(HELLO).with_wat("hello.wasm", module);
    check_not_run(
        app,
        "uses version 7.3 of the ABI, and this host uses 2.0: \
         the guest is newer than this host, so update parigot",
    );
}

#[test]
fn a_module_that_is_not_a_guest() {
    check_not_run(
        App::new(HELLO).with_wat("hello.wasm", "(module)"),
        "does not export a memory named `memory`",
    );
}

#[test]
fn a_guest_that_takes_too_long_to_compile() {
    let app = App::new(HELLO).with_wat("hello.wasm", &slow_to_compile());
    let ended = Started::new(
        app.command()
            .args(["--no-cache", "--compile-time", "100ms"]),
    )
    .wait();
    let slow = "a busy machine or code with hundreds of nested blocks is slow";
    let expected = format!(
        r#"
  × `hello`: compiling hello.wasm takes longer than 0.1 s
   ╭─[app.toml:3:8]
 2 │ [program.hello]
 3 │ wasm = "hello.wasm"
   ·        ────────────
   ╰────
  help: raise the limit with `--compile-time 10m`: {slow}
"#
    );
    assert_eq!(ended.stderr.trim(), expected.trim());
    assert_eq!(ended.status, Some(3));
}

#[test]
fn a_guest_that_is_too_large_to_compile() {
    let app = App::new(HELLO).with("hello.wasm", "\0asm");
    let file = std::fs::File::options()
        .write(true)
        .open(app.folder().join("hello.wasm"))
        .expect("the file must be readable");
    file.set_len((128 << 20) + 1)
        .expect("the file system must support sparse files");
    check_not_run(app, "larger than 128 MiB, the limit for modules");
}

#[test]
fn a_guest_with_too_much_initial_memory() {
    let module = r#"
        (module
            (memory (export "memory") 2048)
            (func (export "parigot_abi") (result i32) (i32.const 0x20000))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))
    "#;
    check_refused(
        &App::new(HELLO).with_wat("hello.wasm", module),
        r#"
  × `hello` starts with 128 MiB of memory, and its `memory` is 64 MiB
   ╭─[app.toml:3:8]
 2 │ [program.hello]
 3 │ wasm = "hello.wasm"
   ·        ────────────
   ╰────
  help: raise `memory` in its table
"#,
    );
}

#[test]
fn a_guest_with_a_table_that_is_too_large() {
    let module = r#"
        (module
            (memory (export "memory") 1)
            (table 10000000 funcref)
            (func (export "parigot_abi") (result i32) (i32.const 0x20000))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))
    "#;
    let ended = App::new(HELLO).with_wat("hello.wasm", module).run();
    let reason = "its table starts with 10000000 entries, expected at most 1048576";
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}

#[test]
fn an_unknown_key_and_a_wrong_type() {
    check_refused(
        &App::new("[program.hello]\nwasm = \"hello.wasm\"\nmem = \"1GiB\"\nargs = 7\n"),
        r#"
  × unknown key `mem` in `[program.hello]`
   ╭─[app.toml:4:1]
 3 │ wasm = "hello.wasm"
 4 │ mem = "1GiB"
   · ───
 5 │ args = 7
   ╰────
  help: known here: wasm, args, env, memory, budget, log, bind, providers

  × `args` is an integer, expected an array of strings
   ╭─[app.toml:5:8]
 4 │ mem = "1GiB"
 5 │ args = 7
   ·        ─
   ╰────
  help: make it an array of strings
"#,
    );
}

#[test]
fn a_service_that_two_guests_export() {
    let app = App::new(
        "[service.one]\nwasm = \"greeting.wasm\"\n[service.two]\nwasm = \"greeting.wasm\"\n",
    );
    check_refused(
        &app.with("greeting.wasm", greeting()),
        &format!(
            r#"
  × both `one` and `two` export greeting.v1.Greeting
   ╭─[app.toml:5:8]
 4 │ [service.two]
 5 │ wasm = "greeting.wasm"
   ·        ───────────────
   ╰────
  help: {SHARED_HELP}
"#
        ),
    );
}

#[test]
fn a_requirement_without_exporter() {
    check_refused(
        &App::new(HELLO).with("hello.wasm", hello()),
        r#"
  × `hello` requires greeting.v1.Greeting, which no guest of the deployment exports
   ╭─[app.toml:3:8]
 2 │ [program.hello]
 3 │ wasm = "hello.wasm"
   ·        ────────────
   ╰────
  help: add a guest that exports it
"#,
    );
}

#[test]
fn a_missing_deployment_file() {
    let app = App::new(HELLO);
    std::fs::remove_file(app.file()).expect("the file must exist");
    check_refused(
        &app,
        r#"
  × cannot read the deployment file app.toml
  ╰─▶ No such file or directory (os error 2)
"#,
    );
}
