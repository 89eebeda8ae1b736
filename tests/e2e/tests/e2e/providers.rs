//! Providers: stores that survive restarts, and host services of a user's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use e2e::{App, Capture, Ended, Language, Nats, Started, code_cache, declaring};
use golden::echo::echo::v1::{EchoErr, Payload, echo};
use parigot_abi::manifest::Requirement;
use parigot_guest::kv::v1::{GetRequest, SetRequest, kv};
use parigot_guest::{Method, Service};
use parigot_host::deployment::{Access, Deployment, Grant, GuestSpec, ProviderError, ProviderSpec};
use parigot_host::provider::{Answer, Calls, Provider, Serve};
use parigot_host::testing::{FakeKv, TestHost};
use parigot_host::{Settings, start};

const SESSIONS: &str = "[provider.sessions]\nkind = \"kv\"\npath = \"sessions.db\"\n";

/// Returns an app with a store and the program `keeper`, which has these grants.
fn app(language: Language, provider: &str, grants: &str) -> App {
    let keeper = format!("[program.keeper]\nwasm = \"keeper.wasm\"\nproviders = {grants}\n");
    let log = "log = \"64MiB\"\n";
    App::new(&format!("{provider}{keeper}{log}")).with("keeper.wasm", language.guest("keeper"))
}

fn started(app: &App, arguments: &[&str]) -> Started {
    Started::new(app.command().arg("--").args(arguments))
}

fn run(app: &App, arguments: &[&str]) -> Ended {
    started(app, arguments).wait()
}

#[test]
fn state_survives_a_restart() {
    for language in Language::EACH {
        let app = app(language, SESSIONS, "[\"sessions\"]");
        for count in 1..=3 {
            let ended = run(&app, &["count"]);
            let expected = format!("count: {count}");
            assert_eq!(ended.messages_of("keeper"), [expected], "{}", ended.stderr);
            assert_eq!(ended.status, Some(0));
        }
    }
}

#[test]
fn guests_of_both_languages_use_a_store_alike() {
    for language in Language::EACH {
        let app = app(language, SESSIONS, "[\"sessions\"]");
        let steps = [
            ("get:a", "absent"),
            ("set:a:1", "revision 1"),
            ("get:a", "1"),
            ("add:a:2", "REVISION_MISMATCH [1]"),
            ("replace:a:2:1", "revision 2"),
            ("replace:a:3:1", "REVISION_MISMATCH [2]"),
            ("batch:a:1", "REVISION_MISMATCH [2]"),
            ("batch:a:2", "revisions [0, 3, 4]"),
            ("set:b:x", "revision 5"),
            ("scan:a", "a a/a a/b"),
            ("scan:", "a a/a a/b b"),
            ("delete:b", "existed true"),
            ("delete:b", "existed false"),
            ("count", "1"),
        ];
        let ended = run(&app, &steps.map(|(argument, _)| argument));
        let expected = steps.map(|(argument, end)| format!("{argument}: {end}"));
        assert_eq!(ended.messages_of("keeper"), expected, "{}", ended.stderr);
        assert_eq!(ended.status, Some(0));
    }
}

#[test]
fn a_guest_of_a_process_uses_the_store_of_its_process() {
    let nats = Nats::start();
    let app = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    let bare = "[program.bare]\nwasm = \"bare.wasm\"\n";
    let app = app.with_tables(bare).with("bare.wasm", e2e::guest("bare"));
    let app = app.apart(&nats, &[("front", "keeper"), ("back", "bare")]);
    for count in 1..=2 {
        let mut command = app.command();
        let ended = Started::new(command.args(["--program", "keeper", "--", "count"])).wait();
        let expected = format!("count: {count}");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn a_store_outlives_the_language_of_its_guests() {
    let rust = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    run(&rust, &["set:a:from Rust"]);
    let go = rust.with("keeper.wasm", Language::Go.guest("keeper"));
    let ended = run(&go, &["get:a"]);
    assert_eq!(ended.messages_of("keeper"), ["get:a: from Rust"]);
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9() {
    let app = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    // The last number that the store has acknowledged to each worker.
    let mut acked: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..=5 {
        let mut load = started(&app, &["load"]);
        load.wait_for(&format!("acked 7 {}", acked.get("7").unwrap_or(&0) + 100));
        load.signal("KILL");
        let ended = load.wait();
        let mut found = 0;
        for message in ended.messages_of("keeper") {
            let words: Vec<_> = message.split(' ').collect();
            let number = words[2].parse().expect("the message ends with a number");
            match words[0] {
                "found" => {
                    let least = acked.get(words[1]).copied().unwrap_or_default();
                    assert!(number >= least, "round {round}: {message}, acked {least}");
                    found += 1;
                }
                _ => _ = acked.insert(words[1].to_owned(), number),
            }
        }
        assert_eq!(found, 8, "round {round}");
    }
}

#[test]
fn a_full_store_is_a_typed_error() {
    let small = format!("{SESSIONS}max_size = \"1MiB\"\n");
    let app = app(Language::Rust, &small, "[\"sessions\"]");
    let ended = run(
        &app,
        &["fill:a", "get:a/none", "delete:a/0", "set:b:1", "get:b"],
    );
    let messages = ended.messages_of("keeper");
    assert_eq!(messages[0], "fill:a: STORE_FULL []", "{}", ended.stderr);
    assert_eq!(
        messages[1..3],
        ["get:a/none: absent", "delete:a/0: existed true"]
    );
    assert_eq!(messages[4], "get:b: 1");
}

#[test]
fn watches_are_refused_with_a_text() {
    let app = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    let ended = run(&app, &["watch"]);
    let expected = "parigot.kv.v1.Kv/Watch streams, and providers do not stream yet";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[test]
fn read_access_refuses_writes() {
    let access = "[{ name = \"sessions\", access = \"read\" }]";
    let app = app(Language::Rust, SESSIONS, access);
    let ended = run(&app, &["set:a:1", "get:a"]);
    let expected = "PERMISSION_DENIED: parigot.kv.v1.Kv/Set writes, and `keeper` has read access \
                    to `sessions`; see `providers` in its table";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("get:a: absent"), "{}", ended.stderr);
}

#[test]
fn entries_of_the_fake_expire_on_the_clock_of_the_test() {
    let sessions = FakeKv::new("sessions");
    let mut run = TestHost::new().fake(sessions.fake()).start();
    let set = run.call::<kv::Set>(SetRequest {
        key: "a".into(),
        value: b"1".to_vec(),
        if_revision: Some(0),
        ttl_s: 60,
    });
    assert_eq!(set.map(|set| set.revision).ok(), Some(1));
    let mut is_there = || {
        let get = run.call::<kv::Get>(GetRequest { key: "a".into() });
        let is_there = get.expect("the key is valid").entry.is_some();
        run.advance(Duration::from_secs(59));
        is_there
    };
    assert_eq!([is_there(), is_there(), is_there()], [true, true, false]);
}

#[test]
fn a_second_deployment_on_one_file_is_refused() {
    let app = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    let mut first = started(&app, &["load"]);
    first.wait_for("acked 0 1");
    let second = run(&app, &["get:a"]);
    let owner = format!("is used by process {} on ", first.id());
    assert!(second.stderr.contains(&owner), "{}", second.stderr);
    let help = "help: stop that process, or give each deployment a store of its own";
    assert!(second.stderr.contains(help), "{}", second.stderr);
    assert!(second.stderr.contains("app.toml:4:8"), "{}", second.stderr);
    assert_eq!(second.status, Some(3));
    first.interrupt();
    first.wait();
}

/// Checks the errors of `run` and of `check`, and the next step.
#[track_caller]
fn check_refused(app: &App, problem: &str, help: &str) {
    for ended in [app.run(), app.run_subcommand("check", &[])] {
        let (problem, help) = (format!("× {problem}"), format!("help: {help}"));
        // Long lines are wrapped.
        let text = ended
            .stderr
            .replace("\n  │ ", " ")
            .replace("\n        ", " ");
        assert!(text.contains(&problem), "{problem}: {}", ended.stderr);
        assert!(text.contains(&help), "{help}: {}", ended.stderr);
        assert_eq!(ended.status, Some(3));
    }
}

const KV: &str = "parigot.kv.v1.Kv";

#[test]
fn a_requirement_without_a_grant_is_refused() {
    let problem = "`a` requires parigot.kv.v1.Kv, and is granted no provider of the kind `kv`";
    let app = App::new("").with_service("a", &[], &[KV]);
    let help = "add a table `[provider.<name>]` with `kind = \"kv\"`, and write `providers = \
                [\"<name>\"]` in its table";
    check_refused(&app, problem, help);
    let app = App::new(SESSIONS)
        .with_service("a", &[], &[KV])
        .with_tables("[program.b]\nwasm = \"b.wasm\"\nproviders = [\"sessions\"]\n");
    let app = app.with("b.wasm", e2e::guest("keeper"));
    check_refused(
        &app,
        problem,
        "write `providers = [\"sessions\"]` in its table",
    );
}

#[test]
fn an_unknown_kind_is_refused() {
    let app = App::new("[provider.sessions]\nkind = \"kw\"\n")
        .with_service("a", &[], &[KV])
        .with_tables("providers = [\"sessions\"]\n");
    let problem = "the provider `sessions` cannot be opened";
    check_refused(&app, problem, "did you mean `kind = \"kv\"`?");
}

#[test]
fn bindings_choose_among_granted_stores() {
    let stores = format!("{SESSIONS}[provider.cache]\nkind = \"kv\"\npath = \"cache.db\"\n");
    let guest = |bindings: &[&str], providers: &str| {
        let requirement = |binding: &&str| Requirement {
            service: kv::SERVICE.describe(),
            binding: (*binding).to_owned(),
        };
        let requires: Vec<_> = bindings.iter().map(requirement).collect();
        let table = "[program.a]\nwasm = \"a.wasm\"\n";
        App::new(&format!("{stores}{table}providers = {providers}\n"))
            .with("a.wasm", declaring(&[], &requires, &[]))
    };
    let named = guest(&["", "cache"], "{ cache = \"cache\", main = \"sessions\" }");
    let problem = "`a` binds `main` to a provider, and requires no service by this name";
    let help = "write `providers` as an array: a binding name stands in the guest's code";
    check_refused(&named, problem, help);
    let ambiguous = guest(&[""], "[\"cache\", \"sessions\"]");
    let problem = "`a` requires parigot.kv.v1.Kv, and each of `cache` and `sessions` could serve";
    check_refused(
        &ambiguous,
        problem,
        "bind each of them: `providers = { <binding> = \"cache\"",
    );
    let bound = guest(
        &["cache", "main"],
        "{ cache = \"cache\", main = \"sessions\" }",
    );
    let ended = bound.run_subcommand("check", &[]);
    let expected = "with these bindings:\n      a -> (cache)  parigot.kv.v1.Kv as cache\n      \
                    a -> (sessions)  parigot.kv.v1.Kv as main\nwith these providers:\n      \
                    cache (kv) for a as cache\n      sessions (kv) for a as main\n";
    assert!(
        ended.stdout.ends_with(expected),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
}

#[test]
fn graph_draws_providers() {
    let app = app(Language::Rust, SESSIONS, "[\"sessions\"]");
    let text = app.run_subcommand("graph", &[]);
    assert!(
        text.stdout.contains("-> (sessions)  parigot.kv.v1.Kv"),
        "{}",
        text.stdout
    );
    let mermaid = app.run_subcommand("graph", &["--format", "mermaid"]);
    let expected = "--> provider_sessions[(\"(sessions)\")]";
    assert!(mermaid.stdout.contains(expected), "{}", mermaid.stdout);
    let json = app.run_subcommand("check", &["--format", "json"]);
    let expected = "\"providers\":[{\"grants\":[{\"access\":\"full\",\"guest\":\"keeper\"}],\
                    \"kind\":\"kv\",\"name\":\"sessions\"}]";
    assert!(json.stdout.contains(expected), "{}", json.stdout);
}

// ANCHOR: provider
/// A host service of a user's own: `echo.v1.Echo` in Rust, in the process of the host.
struct HostEcho;

impl Provider for HostEcho {
    fn kind(&self) -> &'static str {
        "echo"
    }

    fn service(&self) -> &'static Service {
        &echo::SERVICE
    }

    fn open(&self, spec: &ProviderSpec) -> Result<Serve, ProviderError> {
        spec.has_only(&[])?;
        Ok(Box::new(|calls: Calls| {
            for call in calls {
                match call.method() {
                    echo::Echo::INDEX => call.serve::<echo::Echo>(Ok),
                    echo::Misbehave::INDEX => {
                        call.serve::<echo::Misbehave>(|deed| match deed.number {
                            0 => Err(EchoErr::Refused.into()),
                            bytes => Ok(Payload {
                                data: vec![0; bytes as usize],
                            }),
                        })
                    }
                    _ => call.answer(Answer::unimplemented("only two methods are served")),
                }
            }
        }))
    }
}

// ANCHOR_END: provider

#[test]
fn guests_call_a_host_service_of_a_users_own() {
    for language in Language::EACH {
        let app = App::new(
            "[provider.voice]\nkind = \"echo\"\n[program.driver]\nwasm = \"driver.wasm\"\n\
             args = [\"swell:7\", \"refuse\"]\nproviders = [\"voice\"]\n",
        );
        let app = app.with("driver.wasm", language.driver());
        let deployment = Deployment::read(&app.file()).expect("the deployment must be valid");
        // ANCHOR: start
        let settings = Settings {
            providers: vec![Arc::new(HostEcho)],
            code_cache: Some(code_cache()),
            ..Settings::default()
        };
        let start = || start(&deployment, settings).expect("the deployment must start");
        // ANCHOR_END: start
        let (running, log) = Capture::during(start);
        assert_eq!(running.wait().status, 0);
        let lines = log.rest().into_iter();
        let messages: Vec<_> = lines
            .filter(|line| line.service == "driver")
            .map(|line| line.message)
            .collect();
        assert_eq!(
            messages,
            ["swell:7: 7 bytes", "refuse: Refused"],
            "{language:?}"
        );
    }
}

/// A provider whose thread panics at the first call.
struct Broken;

impl Provider for Broken {
    fn kind(&self) -> &'static str {
        "echo"
    }

    fn service(&self) -> &'static Service {
        &echo::SERVICE
    }

    fn open(&self, _: &ProviderSpec) -> Result<Serve, ProviderError> {
        Ok(Box::new(|mut calls: Calls| {
            panic!("on fire: {:?}", calls.next())
        }))
    }
}

#[test]
fn a_provider_that_panics_fails_its_calls() {
    let app = App::new(
        "[provider.voice]\nkind = \"echo\"\n[program.driver]\nwasm = \"driver.wasm\"\n\
         args = [\"swell:7?\", \"refuse?\"]\nproviders = [\"voice\"]\n",
    );
    let app = app.with("driver.wasm", Language::Rust.driver());
    let deployment = Deployment::read(&app.file()).expect("the deployment must be valid");
    let settings = Settings {
        providers: vec![Arc::new(Broken)],
        code_cache: Some(code_cache()),
        ..Settings::default()
    };
    let start = || start(&deployment, settings).expect("the deployment must start");
    let (running, log) = Capture::during(start);
    assert_eq!(running.wait().status, 0);
    let lines = log.rest().into_iter().map(|line| line.message);
    let text = lines.collect::<Vec<_>>().join("\n");
    for expected in [
        "swell:7?: unknown: UNAVAILABLE: answer lost: the provider did not answer the call",
        "refuse?: refused: UNAVAILABLE: unreachable: the provider `voice` has ended; see the log",
        "the provider has ended before its guests: further calls are refused",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn grants_bind_to_the_fakes_of_a_test() {
    let requirement = |binding: &str| Requirement {
        service: kv::SERVICE.describe(),
        binding: binding.to_owned(),
    };
    let module = declaring(&[], &[requirement("cache"), requirement("main")], &[]);
    let app = App::new("").with("a.wasm", module);
    let grant = |binding: &str, provider: &str| Grant {
        provider: provider.to_owned(),
        binding: binding.to_owned(),
        access: Access::Full,
        span: 0..0,
    };
    let start = |providers: Vec<Grant>| {
        let guest = GuestSpec {
            providers,
            ..GuestSpec::program("a", app.folder().join("a.wasm"))
        };
        let host = TestHost::new()
            .guest(guest)
            .fake(FakeKv::new("near").fake());
        host.fake(FakeKv::new("far").fake()).try_start().map(drop)
    };
    assert!(start(vec![grant("cache", "near"), grant("main", "far")]).is_ok());
    let error = start(vec![grant("cache", "near")]).expect_err("one name is not bound");
    assert!(error.to_string().contains("as `main`"), "{error}");
}
