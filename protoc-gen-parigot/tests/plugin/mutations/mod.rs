//! Malformed requests: the plugin answers each request, and always with the same bytes.
//!
//! A seed gives the same mutant on every machine. `make soak` tries more mutants:
//! `PARIGOT_SOAK_REQUESTS` of them, starting with seed `PARIGOT_SOAK_SEED`.

mod mutate;

use std::panic::catch_unwind;
use std::path::{Component, Path};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use prost::Message;
use prost_types::compiler::CodeGeneratorRequest;
use protoc_gen_parigot::{Error, OutputFile, Request, generate};

use self::mutate::{Random, mutate};
use crate::protoc::{encoded, request};

/// Number of mutants, unless the environment sets another.
const MUTANTS: u64 = 2_000;

/// Maximum time per request on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Maximum memory of the process at any time.
const MEMORY_KIB_MAX: u64 = 512 * 1024;

/// Files with one element of each kind.
const FILES: [(&str, &str); 2] = [
    (
        "a.proto",
        "syntax = \"proto3\"; package a.b; import \"b.proto\"; import \
         \"google/protobuf/empty.proto\";
         // A service. `code`
         service Greeting { rpc Get(M) returns (google.protobuf.Empty); rpc Set(legacy.L) returns \
         (M.N); }
         message M { message N { E e = 1; } enum E { A = 0; } map<string, N> map = 1; map<int32, \
         E> map_e = 2;
           oneof o { N n = 3; string s = 4; } optional E opt = 5; repeated M more = 6; M one = 7; \
           bytes raw = 8; }
         enum GreetErr { NONE = 0; BAD = 1; }",
    ),
    (
        "b.proto",
        "syntax = \"proto2\"; package legacy; service legacy {}
         message L { required L again = 1; optional bytes b = 2 [default = \"\\001x\"]; optional \
         group G = 3 { }
           optional E e = 4 [default = Y]; extensions 9 to max; }
         enum E { option allow_alias = true; X = 1; Y = 1; Z = 0; }",
    ),
];

/// Returns the mutant of a seed, or `None` if its bytes are not a request.
fn mutant(sound: &Request, seed: u64) -> Option<Request> {
    let mut random = Random(seed);
    let mut mutant = sound.clone();
    for _ in 0..=random.below(3) {
        mutate(&mut mutant, &mut random);
    }
    if random.below(8) > 0 {
        return Some(mutant);
    }
    let mut bytes = encode(mutant);
    for _ in 0..=random.below(4) {
        let byte = u8::try_from(random.below(256)).expect("a number below 256 must fit");
        if let Some(place) = random.pick(&mut bytes) {
            *place = byte;
        }
    }
    Request::decode(&bytes).ok()
}

fn encode(
    Request {
        file_to_generate,
        proto_file,
        parameter,
        ..
    }: Request,
) -> Vec<u8> {
    CodeGeneratorRequest {
        file_to_generate,
        proto_file,
        parameter: Some(parameter),
        ..Default::default()
    }
    .encode_to_vec()
}

/// Returns true if files were generated, or an error that describes forbidden behaviour.
fn answer(request: &Request, check: fn(&OutputFile) -> Result<(), String>) -> Result<bool, String> {
    match catch_unwind(|| generate(request)).map_err(|_| "a panic".to_owned())? {
        Ok(files) => files.iter().try_for_each(check).map(|()| true),
        // Validation must find each error in a descriptor: neither prost-build nor the parser of
        // the output may find one.
        Err(errors) if errors.iter().all(is_found) => Ok(false),
        Err(errors) => Err(format!("{errors:?}")),
    }
}

fn is_found(error: &Error) -> bool {
    error.location().is_some() || matches!(error, Error::NothingToGenerate)
}

/// Checks that an output file is inside the output folder.
fn check_inside(OutputFile { name, .. }: &OutputFile) -> Result<(), String> {
    let inside = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if inside {
        Ok(())
    } else {
        Err(format!("the file {name:?} is not in the output folder"))
    }
}

/// Checks that an output file is directly in the output folder, and is Rust.
fn check_rust(file @ OutputFile { name, content }: &OutputFile) -> Result<(), String> {
    check_inside(file)?;
    if Path::new(name).components().count() != 1 {
        return Err(format!(
            "the file {name:?} is not where the module tree looks"
        ));
    }
    syn::parse_file(content)
        .map(|_| ())
        .map_err(|error| format!("{name}: {error}"))
}

fn number_from(variable: &str) -> Option<u64> {
    Some(
        env::var(variable)
            .ok()?
            .parse()
            .unwrap_or_else(|error| panic!("{variable}: {error}")),
    )
}

/// Returns the peak memory of this process, if the system reports it.
fn memory_kib_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn every_request_is_answered() {
    try_mutants("", check_rust);
}

#[test]
fn every_request_for_go_is_answered() {
    try_mutants("lang=go,Ma.proto=x.y/a,Mb.proto=x.y/b", check_inside);
}

fn try_mutants(parameter: &str, check: fn(&OutputFile) -> Result<(), String>) {
    let sound = request(&FILES, parameter);
    generate(&sound).expect("the input must be valid");
    let first = number_from("PARIGOT_SOAK_SEED").unwrap_or(0);
    let seeds = first..first + number_from("PARIGOT_SOAK_REQUESTS").unwrap_or(MUTANTS);
    println!("mutants of the seeds {seeds:?}");
    let (sender, answers) = mpsc::channel();
    let worker = seeds.clone();
    thread::spawn(move || {
        for seed in worker {
            let answer = mutant(&sound, seed).map_or(Ok(false), |mutant| answer(&mutant, check));
            if sender.send(answer).is_err() {
                return;
            }
        }
    });
    let mut generated = 0;
    for seed in seeds.clone() {
        let answer = answers
            .recv_timeout(ANSWER_MAX)
            .map_err(|error| error.to_string())
            .flatten();
        generated +=
            u64::from(answer.unwrap_or_else(|fault| panic!("the mutant of seed {seed}: {fault}")));
    }
    let count = seeds.end - seeds.start;
    let peak = memory_kib_peak();
    println!("{count} answered, {generated} of them with files, in at most {peak:?} KiB");
    assert!(
        generated * 20 > count,
        "only {generated} mutants of {count} were sound: the others test validation only"
    );
    assert!(
        peak.is_none_or(|peak| peak < MEMORY_KIB_MAX),
        "{peak:?} KiB of memory, expected less than {MEMORY_KIB_MAX}"
    );
}

/// Files with options that only encoded bytes contain, because prost's descriptors have no fields
/// for them.
const OPTIONS: [(&str, &str); 2] = [
    (
        "options.proto",
        "edition = \"2023\"; package o; import \"old.proto\"; import \"parigot/v1/options.proto\";
         service S { option (parigot.v1.service).error = \"E\";
           rpc Get(M) returns (old.L) { option (parigot.v1.method) = { budget_ms: 9, deadline_ms: \
           300 }; }
           rpc Watch(M) returns (stream M) { option idempotency_level = IDEMPOTENT; } }
         message M { repeated int32 r = 1 [features.repeated_field_encoding = EXPANDED]; string s \
         = 2; oneof o { E e = 3; }
           int32 bare = 4 [features.field_presence = IMPLICIT]; } enum E { NONE = 0; }",
    ),
    (
        "old.proto",
        "edition = \"2023\"; package old; option features.enum_type = CLOSED; enum E { ONE = 1; }
         message L { L again = 1; string must = 2 [features.field_presence = LEGACY_REQUIRED]; E \
         e = 3 [default = ONE]; }",
    ),
];

#[test]
fn truncated_requests_are_answered() {
    for files in [FILES, OPTIONS] {
        let bytes = encoded(&files, "");
        for end in (0..bytes.len()).step_by(7) {
            if let Ok(request) = Request::decode(&bytes[..end]) {
                let _ = generate(&request);
            }
        }
    }
}

#[test]
fn broken_bytes_are_answered() {
    let sound = encoded(&OPTIONS, "streaming=skip");
    generate(&Request::decode(&sound).expect("the input must be valid"))
        .expect("the input must be valid");
    let mut generated = 0;
    for seed in 0..MUTANTS / 4 {
        let mut random = Random(seed);
        let mut bytes = sound.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = bytes[at].wrapping_add(1 << random.below(8));
        }
        let result = catch_unwind(|| {
            Request::decode(&bytes)
                .ok()
                .and_then(|request| generate(&request).ok())
        });
        generated += usize::from(
            result
                .unwrap_or_else(|_| panic!("the bytes of seed {seed}"))
                .is_some(),
        );
    }
    assert!(generated > 25, "only {generated} mutants were sound");
}

#[test]
fn equal_requests_give_equal_bytes() {
    check_equal(request(&FILES, ""));
    check_equal(request(&FILES, "lang=go,Ma.proto=x.y/a,Mb.proto=x.y/b"));
}

fn check_equal(mut request: Request) {
    let files = generate(&request).expect("the input must be valid");
    for _ in 0..8 {
        assert_eq!(generate(&request).expect("the input must be valid"), files);
    }
    request.proto_file.reverse();
    request.file_to_generate.reverse();
    assert_eq!(
        generate(&request).expect("the input must be valid"),
        files,
        "the order of files does not count"
    );
}
