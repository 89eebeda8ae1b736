//! Tests of the deployment file: values, defaults, and every error with its position.

mod edge;
mod network;
mod provider;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::quantity::{DURATION_UNITS_MS, SIZE_UNITS, parse_quantity};
use super::*;

const HELLO: &str = "manifest_version = 1\n[program.hello]\nwasm = \"hello.wasm\"\n";

pub(super) fn parse(text: &str) -> Result<Deployment, DeploymentError> {
    Deployment::parse(text, Path::new("apps/app.toml"))
}

/// Checks all errors of a file, a line each: `line:column: message; help`.
#[track_caller]
pub(super) fn check_errors(text: &str, expected: &[&str]) {
    let Err(DeploymentError::Refused { errors, .. }) = parse(text) else {
        panic!("{text:?} was accepted")
    };
    let found: Vec<_> = errors
        .iter()
        .map(|m| format!("{}:{}: {}; {}", m.line, m.column, m.message, m.help))
        .collect();
    assert_eq!(found, expected);
}

/// Checks the only error of a file, in its fourth and last line.
#[track_caller]
fn check_error(line: &str, expected: &str) {
    check_errors(&format!("{HELLO}{line}"), &[expected]);
}

#[test]
fn a_file_is_read_with_its_defaults() {
    let deployment = parse(HELLO).expect("the file must be accepted");
    let [hello] = &deployment.guests[..] else {
        panic!("{:?}", deployment.guests)
    };
    assert_eq!(hello.name, "hello");
    assert_eq!(hello.role, Role::Program);
    assert_eq!(hello.wasm, Path::new("apps/hello.wasm"));
    assert_eq!(hello.args, [""; 0]);
    assert_eq!(hello.env, BTreeMap::new());
    assert_eq!(hello.memory_bytes, 64 << 20);
    assert_eq!(hello.budget, Duration::from_millis(50));
    assert_eq!(hello.log_bytes, 1 << 20);
    assert_eq!(hello.deadline, Duration::from_secs(3));
    assert_eq!(hello.restart.after, RestartAfter::Never);
    assert_eq!(&HELLO[hello.span.clone()], "\"hello.wasm\"");
    assert_eq!(deployment.startup_deadline, Duration::from_secs(30));
    assert_eq!(deployment.shutdown_deadline, Duration::from_secs(5));
    assert_eq!(deployment.source.name(), "apps/app.toml");
    assert_eq!(&**deployment.source.inner(), HELLO);
}

/// A program and two services, one of them with every key.
const EVERY_KEY: &str = r#"
        manifest_version = 1
        startup_deadline = "2m"
        shutdown_deadline = "1500ms"
        memory_max = "2GiB"
        [program.a]
        wasm = "/opt/a.wasm"
        [service.c]
        wasm = "c.wasm"
        [service.b]
        wasm = "../b.wasm"
        args = ["--tongue", "french"]
        env = { GREETING = "loud", EMPTY = "" }
        memory = "16MiB"
        budget = "1s"
        budget_max = "2s"
        log = "4KiB"
        deadline = "50ms"
        restart = "always"
        max_restarts = 3
        max_seconds = 5
        replicas = 3
        shared = ["greeting.v1.Greeting"]
    "#;

#[test]
fn every_key_of_a_service_is_read() {
    let Deployment {
        guests,
        startup_deadline,
        shutdown_deadline,
        memory_bytes_max,
        ..
    } = parse(EVERY_KEY).expect("the file must be accepted");
    assert_eq!(
        (startup_deadline, shutdown_deadline),
        (Duration::from_secs(120), Duration::from_millis(1_500))
    );
    assert_eq!(memory_bytes_max, Some(2 << 30));
    let [a, b, c] = &guests[..] else {
        panic!("{guests:?}")
    };
    assert_eq!((&*a.name, &*b.name, &*c.name), ("a", "b", "c"));
    assert_eq!(a.wasm, Path::new("/opt/a.wasm"));
    assert_eq!(b.role, Role::Service);
    assert_eq!(b.wasm, Path::new("apps/../b.wasm"));
    assert_eq!(b.args, ["--tongue", "french"]);
    assert_eq!(
        b.env,
        BTreeMap::from([
            ("EMPTY".into(), "".into()),
            ("GREETING".into(), "loud".into())
        ])
    );
    assert_eq!(b.memory_bytes, 16 << 20);
    assert_eq!(b.budget, Duration::from_secs(1));
    assert_eq!(b.budget_max(), Duration::from_secs(2));
    assert_eq!(c.budget_max(), c.budget, "the default");
    assert_eq!(b.log_bytes, 4 << 10);
    assert_eq!(b.deadline, Duration::from_millis(50));
    let restart = |after, max_restarts, seconds| RestartPolicy {
        after,
        max_restarts,
        within: Duration::from_secs(seconds),
    };
    assert_eq!(b.restart, restart(RestartAfter::Always, 3, 5));
    assert_eq!(
        c.restart,
        restart(RestartAfter::Failure, 10, 60),
        "the default"
    );
    assert_eq!(
        (b.replicas, &b.shared[..]),
        (3, &["greeting.v1.Greeting".to_owned()][..])
    );
    assert_eq!((c.replicas, &c.shared[..]), (1, &[][..]), "the default");
}

#[test]
fn a_worker_is_restarted_like_a_service() {
    let text =
        format!("{HELLO}[worker.mail]\nwasm = 'mail.wasm'\nrestart = 'always'\nmax_restarts = 2");
    let deployment = parse(&text).expect("the file must be accepted");
    let mail = &deployment.guests[1];
    assert_eq!((&*mail.name, mail.role), ("mail", Role::Worker));
    assert_eq!(mail.restart.after, RestartAfter::Always);
    assert_eq!(mail.restart.max_restarts, 2);
    assert_eq!(
        GuestSpec::worker("a", "a.wasm").restart.after,
        RestartAfter::Failure
    );
}

#[test]
fn keys_of_calls_are_refused_in_a_worker() {
    let worker = "[worker.mail]\nwasm = 'mail.wasm'\n";
    check_error(
        &format!("{worker}deadline = '3s'"),
        "6:1: unknown key `deadline` in `[worker.mail]`; this key bounds the time of calls, and \
         only services are called",
    );
    check_error(
        &format!("{worker}replicas = 2"),
        "6:1: unknown key `replicas` in `[worker.mail]`; calls are distributed over instances, \
         and only services are called",
    );
}

#[test]
fn sizes_and_durations_are_whole_numbers_with_a_unit() {
    let size = |text| parse_quantity(text, SIZE_UNITS);
    assert_eq!(size("64KiB"), Some(64 << 10));
    assert_eq!(size("2GiB"), Some(2 << 30));
    for bad in [
        "",
        "64",
        "MiB",
        "64MB",
        "64mib",
        "64 MiB",
        "1.5GiB",
        "-1KiB",
        "0x1KiB",
        "99999999999999999GiB",
    ] {
        assert_eq!(size(bad), None, "{bad}");
    }
    let duration_ms = |text| parse_quantity(text, DURATION_UNITS_MS);
    assert_eq!(duration_ms("50ms"), Some(50));
    assert_eq!(duration_ms("3s"), Some(3_000));
    assert_eq!(duration_ms("2m"), Some(120_000));
    assert_eq!(duration_ms("24h"), Some(86_400_000));
}

#[test]
fn errors_are_reported_in_the_order_of_the_file() {
    check_errors(
        "service.x.args = 7\nmanifest_version = 1\n[program.X]\nwsam = 1\nmemory = \"1\"",
        &[
            "1:9: `[service.x]` has no `wasm`; add `wasm = \"<file>.wasm\"`, relative to \
             apps/app.toml",
            "1:18: `args` is an integer, expected an array of strings; make it an array of strings",
            "3:10: \"X\" cannot be the name of a guest; a guest's name is made of `a` to `z`, `0` \
             to `9`, `_` and `-`",
            "4:1: unknown key `wsam` in `[program.X]`; did you mean `wasm`?",
            "5:10: `memory` is \"1\", which is not a size; write a whole number and KiB, MiB or \
            GiB, from \"64KiB\" to \
             \"4GiB\", such as \"64MiB\"",
        ],
    );
}

#[test]
fn a_version_is_required_and_must_be_1() {
    check_errors(
        "[program.hello]\nwasm = \"\"",
        &[
            "1:1: the file has no `manifest_version`; begin the file with `manifest_version = 1`",
            "2:8: `wasm` is empty; name a wasm file, relative to apps/app.toml",
        ],
    );
    check_errors(
        "manifest_version = 2\n[process.front]",
        &[
            "1:20: `manifest_version` is 2, which is not supported; this parigot reads version 1: \
             `manifest_version = 1`",
        ],
    );
    check_errors(
        "manifest_version = '1'\n[program]\na.wasm = 'a.wasm'",
        &["1:20: `manifest_version` is a string, expected the integer 1; make it the integer 1"],
    );
}

#[test]
fn a_file_without_guests_is_refused() {
    let expected = "1:1: the file has no guest; \
                    add a table `[service.<name>]` or `[program.<name>]` with `wasm = \
                    \"<file>.wasm\"`";
    check_errors("manifest_version = 1", &[expected]);
    check_errors("manifest_version = 1\n[service]", &[expected]);
}

#[test]
fn unknown_keys_are_refused_by_name() {
    check_error(
        "[services.a]",
        "4:2: unknown key `services` in the file; did you mean `service`?",
    );
    check_error(
        "[volume]",
        "4:2: unknown key `volume` in the file; \
         known here: manifest_version, startup_deadline, shutdown_deadline, memory_max, \
         service, program, worker, edge, provider, process, network",
    );
    check_error(
        "mem = '1GiB'",
        "4:1: unknown key `mem` in `[program.hello]`; known here: wasm, args, env, memory, \
         budget, log, bind, providers",
    );
    check_error(
        "budget_max = '3s'",
        "4:1: unknown key `budget_max` in `[program.hello]`; this key bounds the budgets of \
         methods, and only services have methods",
    );
    check_error(
        "deadline = '3s'",
        "4:1: unknown key `deadline` in `[program.hello]`; this key bounds the time of \
         calls, and only services are called",
    );
}

#[test]
fn a_name_belongs_to_one_guest() {
    check_error(
        "[service.hello]\nwasm = 'a.wasm'",
        "4:10: two guests are named `hello`; \
         guest names must be unique: rename one of them",
    );
    check_error(
        "[program.'a b']\nwasm = 'a.wasm'",
        "4:10: \"a b\" cannot be the name of a guest; a guest's name is made of `a` to `z`, `0` \
         to `9`, `_` and `-`",
    );
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    check_error(
        "args = ['a', 1]",
        "4:14: an argument is an integer, expected a string; make it a string",
    );
    check_error(
        "env = ['A=b']",
        "4:7: `env` is an array, expected a table of strings and secrets; \
         make it a table of strings and secrets",
    );
    check_error(
        "env = { A = 1.5 }",
        "4:13: `A` is a float, expected a string, { env = … } or { file = … }; \
         make it a string, { env = … } or { file = … }",
    );
    check_error(
        "[program]\na = 'a.wasm'",
        "5:5: `program.a` is a string, expected a table `[program.a]`; make it a table \
         `[program.a]`",
    );
    check_error(
        "[[service]]",
        "4:1: `service` is an array, expected tables `[service.<name>]`; make it tables \
         `[service.<name>]`",
    );
    check_error(
        "memory = 64",
        "4:10: `memory` is an integer, expected a size with its unit, in quotes; \
         write a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
    );
}

#[test]
fn a_variable_may_be_a_secret() {
    let text = "env = { A = { env = 'TOKEN' }, B = { file = 'token' }, C = 'text' }";
    let deployment = parse(&format!("{HELLO}{text}")).expect("the file must be accepted");
    let expected = BTreeMap::from([
        ("A".into(), EnvValue::Secret(Secret::Env("TOKEN".into()))),
        (
            "B".into(),
            EnvValue::Secret(Secret::File("apps/token".into())),
        ),
        ("C".into(), EnvValue::Text("text".into())),
    ]);
    assert_eq!(deployment.guests[0].env, expected);
}

#[test]
fn invalid_secrets_are_refused() {
    let form = "`A` names neither a variable nor a file, or both; \
                write { env = \"<variable>\" } or { file = \"<path>\" }";
    check_error("env = { A = {} }", &format!("4:13: {form}"));
    check_error(
        "env = { A = { env = 'B', file = 'c' } }",
        &format!("4:13: {form}"),
    );
    check_error(
        "env = { A = { file = '' } }",
        "4:22: `file` of `A` is empty; name the file that contains the secret",
    );
    check_error(
        "env = { A = { env = 'B=C' } }",
        "4:21: \"B=C\" cannot be the name of an environment variable; \
         variable names must be non-empty and must not contain `=` or NUL",
    );
    check_error(
        "env = { A = { evn = 'B' } }",
        "4:15: unknown key `evn` in `A`; did you mean `env`?",
    );
}

#[test]
fn values_out_of_range_are_refused() {
    check_error(
        "memory = '16KiB'",
        "4:10: `memory` is \"16KiB\", which is too little; \
         write a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
    );
    check_error(
        "[service.a]\nwasm = 'a.wasm'\ndeadline = '25h'",
        "6:12: `deadline` is \"25h\", which is too much; \
         write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
    );
    check_errors(
        &format!("startup_deadline = '0s'\n{HELLO}"),
        &["1:20: `startup_deadline` is \"0s\", which is too little; \
         write a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\""],
    );
}

#[test]
fn invalid_restart_policies_are_refused() {
    const SERVICE: &str = "[service.a]\nwasm = 'a.wasm'\n";
    check_error(
        &format!("{SERVICE}restart = 'sometimes'"),
        "6:11: `restart` is \"sometimes\", which is not known; write \"never\", \"on-failure\" or \
         \"always\"",
    );
    check_error(
        &format!("{SERVICE}max_restarts = 0"),
        "6:16: `max_restarts` is 0, expected an integer from 1 to 1000; make it an integer from 1 \
         to 1000",
    );
    check_error(
        &format!("{SERVICE}max_seconds = '5s'"),
        "6:15: `max_seconds` is a string, expected an integer from 1 to 86400; make it an integer \
         from 1 to 86400",
    );
    check_error(
        "restart = 'always'",
        "4:1: unknown key `restart` in `[program.hello]`; only services and workers are \
         restarted: a guest with a `main` function that must be restarted is a `[worker.<name>]`",
    );
}

#[test]
fn arguments_with_nul_and_bad_variables_are_refused() {
    check_error(
        r#"args = ["a\u0000b"]"#,
        "4:9: an argument contains a NUL; remove the `\\u0000`",
    );
    check_error(
        "env = { 'A=B' = '' }",
        "4:9: \"A=B\" cannot be the name of an environment variable; \
         variable names must be non-empty and must not contain `=` or NUL",
    );
}

#[test]
fn syntax_errors_have_their_position() {
    check_error(
        "args = [",
        "4:8: unclosed array, expected `]`; the file is TOML: see https://toml.io",
    );
    check_error(
        "wasm = ''",
        "4:1: duplicate key; the file is TOML: see https://toml.io",
    );
    check_errors(
        "",
        &["1:1: the file has no `manifest_version`; begin the file with `manifest_version = 1`"],
    );
}

#[test]
fn a_table_defined_twice_is_one_error() {
    check_errors(
        "manifest_version = 1\n[service.a]\nwasm = 'a'\nargs = []\n\
         [service.a]\nwasm = 'b'\nargs = []\n[service.b]\nwasm = 'b'\nwasm = 'b'\n",
        &[
            "5:10: [service.a] is defined in line 2 too; the file is TOML: see https://toml.io",
            "10:1: duplicate key; the file is TOML: see https://toml.io",
        ],
    );
}

#[test]
fn columns_count_characters() {
    check_error(
        "args = ['é', 1]",
        "4:14: an argument is an integer, expected a string; make it a string",
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = Deployment::read(Path::new("no/such.toml")).expect_err("the file must be missing");
    assert_eq!(
        error.to_string(),
        "cannot read the deployment file no/such.toml"
    );
}

#[test]
fn an_error_shows_the_first_and_the_number() {
    let error = parse("manifest_version = 1\nx = 1\ny = 2").expect_err("both keys must be unknown");
    let expected = "apps/app.toml:2:1: unknown key `x` in the file (the first of 2 errors)";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_binding_to_no_guest_is_an_error() {
    let text = "manifest_version = 1\n[service.kv]\nwasm = 'kv.wasm'\n[program.app]\n\
                wasm = 'app.wasm'\nbind = { cache = 'kb', log = 'kv' }";
    check_errors(text, &["6:18: there is no guest `kb`; did you mean `kv`?"]);
}

#[test]
fn a_wasm_module_is_no_deployment_file() {
    let file = tempfile::NamedTempFile::new().expect("a temporary folder must be available");
    std::fs::write(file.path(), b"\0asm\x01\0\0\0").expect("the file must be writable");
    let error = Deployment::read(file.path()).expect_err("a module is not a deployment file");
    let expected = "is a wasm module, not a deployment file";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn bindings_are_names_of_guests() {
    let deployment = Deployment::parse(
        "manifest_version = 1\n[service.kv-a]\nwasm = 'b'\n[program.hello]\nwasm = 'a'\n\
         bind = { cache = 'kv-a' }",
        "app.toml".as_ref(),
    );
    let guests = deployment.expect("the file must be valid").guests;
    let bind = [("cache".to_owned(), "kv-a".to_owned())];
    assert_eq!(guests[0].bind, bind.into());
}
