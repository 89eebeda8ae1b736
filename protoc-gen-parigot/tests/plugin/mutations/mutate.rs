//! Random changes of a sound request.

use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MethodDescriptorProto,
};
use protoc_gen_parigot::Request;

/// SplitMix64: a seed gives the same mutants on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("a number below a usize must fit")
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a mut [T]) -> Option<&'a mut T> {
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

pub(super) fn mutate(request: &mut Request, random: &mut Random) {
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

/// Renames a message and all references to it. The request stays valid if the new name is valid.
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

/// Makes each file import all files, including itself.
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

/// Repeats one element 200 times, or nests one message deep.
fn grow(file: &mut FileDescriptorProto, random: &mut Random) {
    match random.below(5) {
        0 => repeat_message(file, random),
        1 => repeat_field(file, random),
        2 => repeat_value(file, random),
        3 => repeat_method(file, random),
        _ => nest_message(file, random),
    }
}

/// Names for 200 copies of one element.
fn names(stem: &str) -> impl Iterator<Item = String> {
    (0..200).map(move |number| format!("{stem}{number}"))
}

fn repeat_message(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(message) = random.pick(&mut file.message_type).cloned() else {
        return;
    };
    let copies = names("Many").map(|name| DescriptorProto {
        name: Some(name),
        ..message.clone()
    });
    file.message_type.extend(copies);
}

fn repeat_field(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(message) = random.pick(&mut file.message_type) else {
        return;
    };
    let Some(field) = random.pick(&mut message.field).cloned() else {
        return;
    };
    let copies = names("many").map(|name| FieldDescriptorProto {
        name: Some(name),
        ..field.clone()
    });
    message.field.extend(copies);
}

fn repeat_value(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(item) = random.pick(&mut file.enum_type) else {
        return;
    };
    let Some(value) = random.pick(&mut item.value).cloned() else {
        return;
    };
    let copies = (100..)
        .zip(names("MANY"))
        .map(|(number, name)| EnumValueDescriptorProto {
            name: Some(name),
            number: Some(number),
            ..value.clone()
        });
    item.value.extend(copies);
}

fn repeat_method(file: &mut FileDescriptorProto, random: &mut Random) {
    let Some(service) = random.pick(&mut file.service) else {
        return;
    };
    let Some(method) = random.pick(&mut service.method).cloned() else {
        return;
    };
    let copies = names("Many").map(|name| MethodDescriptorProto {
        name: Some(name),
        ..method.clone()
    });
    service.method.extend(copies);
}

fn nest_message(file: &mut FileDescriptorProto, random: &mut Random) {
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
