//! Metadata, failures, repeated calls and bindings: the same lines for callers and callees in each
//! language, in one process and in two.

use e2e::{App, Ended, Language, Nats, PAIRS};

/// Headers and trailers that the callee sends if the word begins with `metadata`.
const SENT: &str = "; headers: served-by=first served-by=second token-bin=00ff10,ab; trailers: \
                    cost=7 cost=8 digest-bin=cafe";

/// Arguments of the asker, and the ends that it logs.
fn questions() -> Vec<(&'static str, String)> {
    let fixed = [FAILURES, NESTED, DYNAMIC, REPEATED].concat();
    let with_metadata = [
        (
            "a/metadata",
            "\"colour=red colour=blue token-bin=00ff10,ab\"",
        ),
        ("a/metadata-error", "CLOSED, FAILED_PRECONDITION, answered"),
        (
            "a/metadata-status",
            "status, DATA_LOSS, answered, \"burnt\"",
        ),
        ("dynamic/metadata", "\"colour=green token-bin=ee\""),
        (
            "dynamic/metadata-error",
            "the service failed with error 2, FAILED_PRECONDITION, answered",
        ),
    ];
    let with_metadata = with_metadata.map(|(asked, end)| (asked, format!("{end}{SENT}")));
    let fixed = fixed.iter().map(|(asked, end)| (*asked, (*end).to_owned()));
    with_metadata.into_iter().chain(fixed).collect()
}

/// Failures of handlers, and a call that is too late.
const FAILURES: &[(&str, &str)] = &[
    ("a/name", "\"first\""),
    ("a/error", "CLOSED, FAILED_PRECONDITION, answered"),
    (
        "a/error-message",
        "MISSING, NOT_FOUND, answered, \"no such shelf\"",
    ),
    (
        "a/error-details",
        "MISSING, NOT_FOUND, answered, \"no such shelf\", pause 4, pause 3, time 5",
    ),
    (
        "a/status-details",
        "status, RESOURCE_EXHAUSTED, answered, \"later\", pause 4, pause 3, time 5",
    ),
    (
        "a/ordinary",
        "status, UNKNOWN, answered, \"the shelf is empty\"",
    ),
    (
        "a/zero",
        "status, INTERNAL, answered, \"returned error number 0\"",
    ),
    (
        "a/zero-details",
        "status, INTERNAL, answered, \"returned error number 0\"",
    ),
    (
        "a/zero-status",
        "status, INTERNAL, answered, \"returned error number 0\"",
    ),
    // A detail has room for 8164 bytes of entries, and an entry for a pause has 32 to 35 bytes.
    (
        "a/many-details",
        "CLOSED, FAILED_PRECONDITION, answered, \"dropped\", 236 pauses",
    ),
    (
        "a/long-message",
        "CLOSED, FAILED_PRECONDITION, answered, text of 8163 bytes",
    ),
    ("a/name@0", "status, DEADLINE_EXCEEDED, refused, expired"),
    // The late call did not run.
    ("a/count:name", "\"1\""),
];

/// Failures of nested calls, and a retry within the deadline of the inbound call.
const NESTED: &[(&str, &str)] = &[
    ("desk/name", "\"first\""),
    ("desk/metadata", "\"\""),
    ("desk/away", "AWAY, UNAVAILABLE, answered, \"at lunch\""),
    (
        "desk/error-message",
        "status, NOT_FOUND, answered, \"MISSING: no such shelf\"",
    ),
    (
        "desk/error-details",
        "status, NOT_FOUND, answered, \"MISSING: no such shelf\"",
    ),
    (
        "desk/annotated",
        "status, NOT_FOUND, answered, \"asked in vain\", pause 9",
    ),
    (
        "desk/status-details",
        "status, RESOURCE_EXHAUSTED, answered, \"later\", pause 4, pause 3, time 5",
    ),
    (
        "desk/ordinary",
        "status, UNKNOWN, answered, \"the shelf is empty\"",
    ),
    (
        "desk/zero",
        "status, INTERNAL, answered, \"returned error number 0\"",
    ),
    ("desk/retry@3000", "\"refused true, attempts 1\""),
];

/// Calls without generated code.
const DYNAMIC: &[(&str, &str)] = &[
    ("dynamic/name", "\"first\""),
    (
        "dynamic/error-details",
        "the service failed with error 1, FAILED_PRECONDITION, answered, \"no such shelf\", \
         pause 4, pause 3, time 5",
    ),
    (
        "dynamic/status-details",
        "status, RESOURCE_EXHAUSTED, answered, \"later\", pause 4, pause 3, time 5",
    ),
];

/// Repeated calls.
const REPEATED: &[(&str, &str)] = &[
    ("retry/name", "\"first\"; attempts 1"),
    (
        "again/error",
        "CLOSED, FAILED_PRECONDITION, answered; attempts 1",
    ),
    (
        "again/status-details",
        "status, RESOURCE_EXHAUSTED, answered, \"later\", pause 4, pause 3, time 5; attempts 1",
    ),
    // Refused: repeated up to the limits of attempts and of time, unless without hope.
    (
        "retry/name@0",
        "status, DEADLINE_EXCEEDED, refused, expired; attempts 3",
    ),
    (
        "within/name@0",
        "status, DEADLINE_EXCEEDED, refused, expired; several attempts",
    ),
    (
        "again/huge",
        "status, RESOURCE_EXHAUSTED, refused, too large; attempts 1",
    ),
    // Unknown: repeated only if the method is idempotent.
    (
        "retry/hang@300",
        "status, DEADLINE_EXCEEDED, unknown, timed out; attempts 1",
    ),
    ("a/count:hang", "\"1\""),
    ("again/hang-again@2000", "\"call 2\"; attempts 2"),
    // A service that restarts refuses calls, until it is ready.
    ("a/leave", "status, UNAVAILABLE, unknown, callee exited"),
    ("until/name", "\"first\""),
];

/// Returns the keys of a guest's table: its file, and the role that a module in Go takes.
pub(crate) fn role(language: Language, role: &str) -> String {
    let file = match language {
        Language::Rust => role,
        Language::Go => "go",
    };
    let budget = match role {
        "answers" => "budget_max = \"400ms\"\n",
        _ => "",
    };
    format!("wasm = \"{file}.wasm\"\nenv = {{ ROLE = \"{role}\" }}\n{budget}")
}

/// Adds the files of [`role`].
pub(crate) fn with_roles(app: App) -> App {
    app.with("answers.wasm", Language::Rust.guest("answers"))
        .with("desk.wasm", Language::Rust.guest("desk"))
        .with("asker.wasm", Language::Rust.guest("asker"))
        .with("go.wasm", Language::Go.guest("answers"))
}

/// Returns the asker with these arguments, and the services that it calls.
fn app((caller, callee): (Language, Language), questions: &[(&str, String)]) -> App {
    let arguments: Vec<_> = questions.iter().map(|(asked, _)| *asked).collect();
    with_roles(App::new(&format!(
        "[service.answers]\n{}args = [\"first\"]\n\
         [service.desk]\n{}[program.asker]\n{}args = {arguments:?}\n",
        role(callee, "answers"),
        role(callee, "desk"),
        role(caller, "asker"),
    )))
}

/// Returns the lines of the asker that are not warnings.
fn ends(ended: &Ended, guest: &str) -> Vec<String> {
    let mut log = ended.log();
    log.retain(|line| line.guest == guest && line.level == "INFO");
    log.into_iter().map(|line| line.message).collect()
}

/// Checks what the asker logs.
#[track_caller]
fn check(ended: &Ended, asker: &str, questions: &[(&str, String)], what: &str) {
    let expected: Vec<_> = questions
        .iter()
        .map(|(asked, end)| format!("{asked}: {end}"))
        .collect();
    let found = ends(ended, asker);
    let differences: Vec<_> = found
        .iter()
        .zip(&expected)
        .filter(|(found, expected)| found != expected)
        .map(|(found, expected)| format!("found    {found}\nexpected {expected}"))
        .collect();
    assert!(
        differences.is_empty() && found.len() == expected.len() && ended.status == Some(0),
        "{what}:\n{}\n{}",
        differences.join("\n"),
        ended.stderr
    );
}

#[test]
fn answers_are_the_same_in_every_pair_of_languages() {
    let questions = questions();
    for pair in PAIRS {
        let ended = app(pair, &questions).run();
        check(&ended, "asker", &questions, &format!("{pair:?}"));
        for (guest, keys) in [
            ("asker", ["Parigot-User", "token"]),
            ("answers", ["parigot-user", "digest"]),
        ] {
            assert_eq!(warnings(&ended, guest), dropped(keys), "{pair:?} {guest}");
        }
    }
}

/// Returns the first warnings of a guest.
fn warnings(ended: &Ended, guest: &str) -> Vec<String> {
    let mut log = ended.log();
    log.retain(|line| line.guest == guest && line.level == "WARN");
    let first = log.into_iter().take(2);
    first.map(|line| line.message).collect()
}

/// Returns the warnings about a key that only the host sets, and about the key of a binary value.
fn dropped([reserved, binary]: [&str; 2]) -> [String; 2] {
    [
        format!(
            "metadata key {reserved:?} dropped: only the host sets keys that begin with parigot-"
        ),
        format!("metadata key {binary:?} dropped: the key of a binary value must end with -bin"),
    ]
}

#[test]
fn answers_are_the_same_from_another_process() {
    let nats = Nats::start();
    let questions = questions();
    for pair in PAIRS {
        let app =
            app(pair, &questions).apart(&nats, &[("front", "asker"), ("back", "answers desk")]);
        check(&app.run(), "front/asker", &questions, &format!("{pair:?}"));
    }
}

/// Also between the nested call and its callee.
#[test]
fn answers_are_the_same_from_three_processes() {
    let nats = Nats::start();
    let questions = questions();
    for pair in [
        (Language::Rust, Language::Go),
        (Language::Go, Language::Rust),
    ] {
        let processes = [("front", "asker"), ("middle", "desk"), ("back", "answers")];
        let ended = app(pair, &questions).apart(&nats, &processes).run();
        check(&ended, "front/asker", &questions, &format!("{pair:?}"));
    }
}
