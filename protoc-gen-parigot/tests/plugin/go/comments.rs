//! Random comments, checked with the real `gofmt` and `go vet`: neither may report anything.

use std::fs;

use prost::Message;
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, FileOptions, MethodDescriptorProto,
    ServiceDescriptorProto, SourceCodeInfo,
};
use protoc_gen_parigot::{Request, generate};

use super::compiled::{check_form, module};

/// Parts of comments: syntax of Go documentation, of Go directives and of Markdown.
const WORDS: [&str; 30] = [
    "a",
    "A heading",
    "It's b.",
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    "  ",
    "    ",
    " ",
    "- ",
    "* ",
    "1. ",
    "2) ",
    "# ",
    "## ",
    "#",
    "```",
    "~~~",
    "``",
    "''",
    "[a]: https://b",
    "[a]",
    ":",
    "}",
    "{",
    "+build x",
    "//go:build x",
    "\u{feff}",
];

/// Number of comments.
const COMMENTS: usize = 1_500;

/// SplitMix64: a seed gives the same comments on every machine.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from(z >> 33).expect("31 bits must fit a usize")
}

fn comment(seed: &mut u64) -> String {
    (0..2 + random(seed) % 12)
        .map(|_| WORDS[random(seed) % WORDS.len()])
        .collect()
}

/// Returns a service with a method for each comment.
fn service(comments: Vec<String>) -> FileDescriptorProto {
    let method = |number| MethodDescriptorProto {
        name: Some(format!("M{number}")),
        input_type: Some(".Message".to_owned()),
        output_type: Some(".Message".to_owned()),
        ..Default::default()
    };
    let location = |(number, comment)| Location {
        path: vec![6, 0, 2, number],
        leading_comments: Some(comment),
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some("comments.proto".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Message".to_owned()),
            ..Default::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Comments".to_owned()),
            method: (0..comments.len()).map(method).collect(),
            ..Default::default()
        }],
        options: Some(FileOptions {
            go_package: Some("golden.example/comments".to_owned()),
            ..Default::default()
        }),
        source_code_info: Some(SourceCodeInfo {
            location: (0..).zip(comments).map(location).collect(),
        }),
        ..Default::default()
    }
}

#[test]
fn gofmt_and_vet_accept_all_comments() {
    let mut seed = 0;
    let file = service((0..COMMENTS).map(|_| comment(&mut seed)).collect());
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let request = Request::of_descriptors(&set, vec!["comments.proto".to_owned()], "lang=go")
        .expect("an encoded set must decode");
    let stubs = &generate(&request).expect("the input must be valid")[0].content;
    let module = module();
    fs::write(
        module.path().join("message.go"),
        "package comments\n\nimport \
                                  \"google.golang.org/protobuf/types/known/emptypb\"\n\ntype \
                                  Message = emptypb.Empty\n",
    )
    .and_then(|()| fs::write(module.path().join("comments.go"), stubs))
    .expect("the temporary folder must be writable");
    check_form(module.path());
}
