//! Requests that no `protoc` sends: whatever comes, the plugin answers, and answers the same each time.

use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use protoc_gen_parigot::{Request, generate};

use crate::protoc::{encoded, request};

/// How many requests are made of the one that is sound.
const MUTANTS: u64 = 2_000;

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
        if choices.is_empty() { None } else { Some(&mut choices[self.below(choices.len())]) }
    }

    fn text(&mut self) -> Option<String> {
        const TEXTS: [&str; 18] = [
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
    match random.below(8) {
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
    let Some(info) = &mut file.source_code_info else { return };
    if let Some(Location { path, span, leading_comments, .. }) = random.pick(&mut info.location) {
        match random.below(3) {
            0 => path.extend(random.number()),
            1 => *span = random.number().into_iter().chain(random.number()).collect(),
            _ => *leading_comments = random.text(),
        }
    }
}

fn mutate_service(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(service) = random.pick(&mut file.service) else { return };
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
        3 => message.options = Some(prost_types::MessageOptions { map_entry: Some(true), ..Default::default() }),
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

#[test]
fn no_request_makes_it_panic() {
    let sound = request(&FILES, "");
    generate(&sound).expect("nothing is wrong");
    let mut generated = 0;
    for seed in 0..MUTANTS {
        let mut random = Random(seed);
        let mut mutant = sound.clone();
        for _ in 0..=random.below(3) {
            mutate(&mut mutant, &mut random);
        }
        // A panic names no seed by itself.
        let result = std::panic::catch_unwind(|| generate(&mutant));
        let result = result.unwrap_or_else(|_| panic!("the mutant of seed {seed}: {mutant:#?}"));
        generated += usize::from(result.is_ok());
        // What is wrong with a descriptor is found in it, and not by prost-build or in the text that came out.
        let errors = result.err().unwrap_or_default();
        assert!(errors.iter().all(|error| error.location().is_some()), "the mutant of seed {seed}: {errors:?}");
    }
    assert!(generated > 100, "only {generated} mutants were sound: the others test the fence alone");
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
        let result =
            std::panic::catch_unwind(|| Request::decode(&bytes).ok().and_then(|request| generate(&request).ok()));
        generated += usize::from(result.unwrap_or_else(|_| panic!("the bytes of seed {seed}")).is_some());
    }
    assert!(generated > 25, "only {generated} mutants were sound");
}

#[test]
fn equal_requests_give_equal_bytes() {
    let mut request = request(&FILES, "");
    let files = generate(&request).expect("nothing is wrong");
    for _ in 0..8 {
        assert_eq!(generate(&request).expect("nothing is wrong"), files);
    }
    request.proto_file.reverse();
    request.file_to_generate.reverse();
    assert_eq!(generate(&request).expect("nothing is wrong"), files, "the order of files does not count");
}
