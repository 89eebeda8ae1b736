//! Requests that no `protoc` sends: whatever comes, the plugin answers, and answers the same each time.
//!
//! A seed makes one mutant, the same everywhere. `make soak` tries more of them: `PARIGOT_SOAK_REQUESTS`, from
//! `PARIGOT_SOAK_SEED` on.

use std::panic::catch_unwind;
use std::path::{Component, Path};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use prost::Message;
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MethodDescriptorProto,
};
use protoc_gen_parigot::{OutputFile, Request, generate};

use crate::protoc::{encoded, request};

/// How many requests are made of the one that is sound, unless the environment says otherwise.
const MUTANTS: u64 = 2_000;

/// How long the plugin may take for one of them, on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// How much memory all of that may take at any time.
const MEMORY_KIB_MAX: u64 = 512 * 1024;

/// One of everything.
const FILES: [(&str, &str); 2] = [
    (
        "a.proto",
        "syntax = \"proto3\"; package a.b; import \"b.proto\"; import \"google/protobuf/empty.proto\";
         // A service. `code`
         service Greeting { rpc Get(M) returns (google.protobuf.Empty); rpc Set(legacy.L) returns (M.N); }
         message M { message N { E e = 1; } enum E { A = 0; } map<string, N> map = 1; map<int32, E> map_e = 2;
           oneof o { N n = 3; string s = 4; } optional E opt = 5; repeated M more = 6; M one = 7; bytes raw = 8; }
         enum GreetErr { NONE = 0; BAD = 1; }",
    ),
    (
        "b.proto",
        "syntax = \"proto2\"; package legacy; service legacy {}
         message L { required L again = 1; optional bytes b = 2 [default = \"\\001x\"]; optional group G = 3 { }
           optional E e = 4 [default = Y]; extensions 9 to max; }
         enum E { option allow_alias = true; X = 1; Y = 1; Z = 0; }",
    ),
];

/// SplitMix64: a seed gives the same mutants everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("it is below a usize")
    }

    fn pick<'a, T>(&mut self, choices: &'a mut [T]) -> Option<&'a mut T> {
        if choices.is_empty() {
            None
        } else {
            Some(&mut choices[self.below(choices.len())])
        }
    }

    fn text(&mut self) -> Option<String> {
        const TEXTS: [&str; 26] = [
            "",
            ".",
            "a.b",
            ".a.b.M",
            ".a.b.M.N",
            ".a.b.M.E",
            ".a.b.M.MapEntry",
            ".legacy.L",
            "type",
            "Self",
            "_",
            "M",
            "Greeting",
            "\\",
            "\\400",
            "a\nb",
            "editions",
            "é",
            "Option",
            "S",
            "1Entry",
            "crate",
            "../../etc",
            "google.protobuf",
            "*/ #![x] ```\n<p> \u{202e}\u{2028}\r",
            "@@protoc_insertion_point(module)",
        ];
        let text = TEXTS.get(self.below(TEXTS.len() + 1))?;
        Some((*text).to_owned())
    }

    fn number(&mut self) -> Option<i32> {
        const NUMBERS: [i32; 8] = [0, 1, -1, 2, 11, 14, i32::MAX, i32::MIN];
        NUMBERS.get(self.below(NUMBERS.len() + 1)).copied()
    }
}

fn mutate(request: &mut Request, random: &mut Random) {
    match random.below(12) {
        8 => rename(request, random),
        9 => import_all(request),
        10 => {
            if let Some(file) = random.pick(&mut request.proto_file) {
                grow(file, random);
            }
        }
        0 => request.file_to_generate.extend(random.text()),
        1 => request.file_to_generate.truncate(1),
        2 => request.proto_file.swap(0, 1),
        3 => {
            let again = random.pick(&mut request.proto_file).cloned();
            request.proto_file.extend(again);
        }
        _ => {
            if let Some(file) = random.pick(&mut request.proto_file) {
                mutate_file(file, random);
            }
        }
    }
}

/// Calls a message differently, wherever it is named: the request stays sound if the name is one.
fn rename(request: &mut Request, random: &mut Random) {
    let Some(name) = random.text() else { return };
    let Some(file) = random.pick(&mut request.proto_file) else {
        return;
    };
    let package = file.package().to_owned();
    let Some(message) = random.pick(&mut file.message_type) else {
        return;
    };
    let old = format!(".{package}.{}", message.name());
    let new = format!(".{package}.{name}");
    message.name = Some(name);
    let renamed = |known: &mut Option<String>| {
        let rest = known
            .as_ref()
            .and_then(|known| known.strip_prefix(&old))
            .map(str::to_owned);
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('.')) {
            *known = Some(new.clone() + &rest);
        }
    };
    for file in &mut request.proto_file {
        file.message_type
            .iter_mut()
            .for_each(|message| rename_fields(message, &renamed));
        for method in file
            .service
            .iter_mut()
            .flat_map(|service| &mut service.method)
        {
            renamed(&mut method.input_type);
            renamed(&mut method.output_type);
        }
    }
}

fn rename_fields(message: &mut DescriptorProto, renamed: &impl Fn(&mut Option<String>)) {
    message
        .field
        .iter_mut()
        .for_each(|field| renamed(&mut field.type_name));
    message
        .nested_type
        .iter_mut()
        .for_each(|nested| rename_fields(nested, renamed));
}

/// Each file imports each, and itself.
fn import_all(request: &mut Request) {
    let names: Vec<String> = request
        .proto_file
        .iter()
        .map(|file| file.name().to_owned())
        .collect();
    for file in &mut request.proto_file {
        file.dependency.clone_from(&names);
        file.public_dependency = vec![0, 1, i32::MAX];
    }
}

/// Makes many of one, or nests one deep.
fn grow(file: &mut FileDescriptorProto, random: &mut Random) {
    const MANY: usize = 200;
    let repeat = |name: &str| {
        (0..MANY)
            .map(|number| format!("{name}{number}"))
            .collect::<Vec<_>>()
    };
    match random.below(5) {
        0 => {
            let Some(message) = random.pick(&mut file.message_type).cloned() else {
                return;
            };
            let message = |name| DescriptorProto {
                name: Some(name),
                ..message.clone()
            };
            file.message_type
                .extend(repeat("Many").into_iter().map(message));
        }
        1 => {
            let Some(message) = random.pick(&mut file.message_type) else {
                return;
            };
            let Some(field) = random.pick(&mut message.field).cloned() else {
                return;
            };
            let field = |name| FieldDescriptorProto {
                name: Some(name),
                ..field.clone()
            };
            message.field.extend(repeat("many").into_iter().map(field));
        }
        2 => {
            let Some(item) = random.pick(&mut file.enum_type) else {
                return;
            };
            let Some(value) = random.pick(&mut item.value).cloned() else {
                return;
            };
            let value = |(number, name)| EnumValueDescriptorProto {
                name: Some(name),
                number: Some(number),
                ..value.clone()
            };
            item.value.extend((100..).zip(repeat("MANY")).map(value));
        }
        3 => {
            let Some(service) = random.pick(&mut file.service) else {
                return;
            };
            let Some(method) = random.pick(&mut service.method).cloned() else {
                return;
            };
            let method = |name| MethodDescriptorProto {
                name: Some(name),
                ..method.clone()
            };
            service
                .method
                .extend(repeat("Many").into_iter().map(method));
        }
        _ => {
            let Some(message) = random.pick(&mut file.message_type) else {
                return;
            };
            for _ in 0..random.below(80) {
                let nested = message.clone();
                *message = DescriptorProto {
                    name: nested.name.clone(),
                    nested_type: vec![nested],
                    ..Default::default()
                };
            }
        }
    }
}

fn mutate_file(file: &mut FileDescriptorProto, random: &mut Random) {
    match random.below(12) {
        0 => file.name = random.text(),
        1 => file.package = random.text(),
        2 => file.syntax = random.text(),
        3 => file.source_code_info = None,
        4 => mutate_locations(file, random),
        5 => mutate_service(file, random),
        6 => {
            if let Some(item) = random.pick(&mut file.enum_type) {
                mutate_enum(item, random);
            }
        }
        7 => {
            let again = random.pick(&mut file.message_type).cloned();
            file.message_type.extend(again);
        }
        _ => {
            if let Some(message) = random.pick(&mut file.message_type) {
                mutate_message(message, random);
            }
        }
    }
}

fn mutate_locations(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(info) = &mut file.source_code_info else {
        return;
    };
    if let Some(Location {
        path,
        span,
        leading_comments,
        ..
    }) = random.pick(&mut info.location)
    {
        match random.below(3) {
            0 => path.extend(random.number()),
            1 => *span = random.number().into_iter().chain(random.number()).collect(),
            _ => *leading_comments = random.text(),
        }
    }
}

fn mutate_service(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(service) = random.pick(&mut file.service) else {
        return;
    };
    if random.below(4) == 0 {
        service.name = random.text();
    }
    if let Some(method) = random.pick(&mut service.method) {
        match random.below(3) {
            0 => method.name = random.text(),
            1 => method.input_type = random.text(),
            _ => method.output_type = random.text(),
        }
    }
}

fn mutate_enum(item: &mut EnumDescriptorProto, random: &mut Random) {
    match random.below(4) {
        0 => item.name = random.text(),
        1 => item.value.clear(),
        _ => {
            if let Some(value) = random.pick(&mut item.value) {
                (value.name, value.number) = (random.text(), random.number());
            }
        }
    }
}

fn mutate_message(message: &mut DescriptorProto, random: &mut Random) {
    match random.below(9) {
        0 => message.name = random.text(),
        1 => message.oneof_decl.clear(),
        2 => message.nested_type.clear(),
        3 => {
            message.options = Some(prost_types::MessageOptions {
                map_entry: Some(true),
                ..Default::default()
            })
        }
        4 => {
            if let Some(item) = random.pick(&mut message.enum_type) {
                mutate_enum(item, random);
            }
        }
        5 => {
            if let Some(nested) = random.pick(&mut message.nested_type) {
                mutate_message(nested, random);
            }
        }
        _ => {
            if let Some(field) = random.pick(&mut message.field) {
                mutate_field(field, random);
            }
        }
    }
}

fn mutate_field(field: &mut FieldDescriptorProto, random: &mut Random) {
    match random.below(8) {
        0 => field.name = random.text(),
        1 => field.number = random.number(),
        2 => field.label = random.number(),
        3 => field.r#type = random.number(),
        4 => field.type_name = random.text(),
        5 => field.default_value = random.text(),
        6 => field.oneof_index = random.number(),
        _ => field.proto3_optional = Some(true),
    }
}

/// The mutant of a seed, or nothing if it is no longer a request.
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
        let byte = u8::try_from(random.below(256)).expect("it is below 256");
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

/// Whether something was generated, or what the plugin must not do.
fn answer(request: &Request, check: fn(&OutputFile) -> Result<(), String>) -> Result<bool, String> {
    match catch_unwind(|| generate(request)).map_err(|_| "a panic".to_owned())? {
        Ok(files) => files.iter().try_for_each(check).map(|()| true),
        // What is wrong with a descriptor is found in it, and not by prost-build or in the text that came out.
        Err(errors) if errors.iter().all(|error| error.location().is_some()) => Ok(false),
        Err(errors) => Err(format!("{errors:?}")),
    }
}

/// A file that came out is inside the output folder.
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

/// It is directly in that folder, and is Rust.
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

/// The most memory that this process has ever had, where the system says.
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
    generate(&sound).expect("nothing is wrong");
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
    let (count, peak) = (seeds.end - seeds.start, memory_kib_peak());
    println!("{count} answered, {generated} of them with files, in at most {peak:?} KiB");
    assert!(
        generated * 20 > count,
        "only {generated} mutants of {count} were sound: the others test the fence alone"
    );
    assert!(
        peak.is_none_or(|peak| peak < MEMORY_KIB_MAX),
        "{peak:?} KiB of memory, expected less than {MEMORY_KIB_MAX}"
    );
}

/// Those with what prost's descriptors have no field for, which only bytes can hold.
const OPTIONS: [(&str, &str); 2] = [
    (
        "options.proto",
        "edition = \"2023\"; package o; import \"old.proto\"; import \"parigot/v1/options.proto\";
         service S { option (parigot.v1.service).error = \"E\";
           rpc Get(M) returns (old.L) { option (parigot.v1.method) = { budget_ms: 9, deadline_ms: 300 }; }
           rpc Watch(M) returns (stream M) { option idempotency_level = IDEMPOTENT; } }
         message M { repeated int32 r = 1 [features.repeated_field_encoding = EXPANDED]; string s = 2; oneof o { E e = 3; }
           int32 bare = 4 [features.field_presence = IMPLICIT]; } enum E { NONE = 0; }",
    ),
    (
        "old.proto",
        "edition = \"2023\"; package old; option features.enum_type = CLOSED; enum E { ONE = 1; }
         message L { L again = 1; string must = 2 [features.field_presence = LEGACY_REQUIRED]; E e = 3 [default = ONE]; }",
    ),
];

#[test]
fn cut_requests_are_answered() {
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
    generate(&Request::decode(&sound).expect("nothing is wrong")).expect("nothing is wrong");
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
    let files = generate(&request).expect("nothing is wrong");
    for _ in 0..8 {
        assert_eq!(generate(&request).expect("nothing is wrong"), files);
    }
    request.proto_file.reverse();
    request.file_to_generate.reverse();
    assert_eq!(
        generate(&request).expect("nothing is wrong"),
        files,
        "the order of files does not count"
    );
}
