//! Output of `protoc-gen-parigot` for each case, compiled without std, as in a guest.
//!
//! A case is a folder of `.proto` files beside this file. The plugin's test `golden` compares the
//! case's folder `rust` with the output, or rewrites the folder.
#![no_std]

#[path = "answers/rust/mod.rs"]
pub mod answers;
#[path = "comments/rust/mod.rs"]
pub mod comments;
#[path = "compilers/rust/mod.rs"]
pub mod compilers;
#[path = "defaults/rust/mod.rs"]
pub mod defaults;
#[path = "deprecated/rust/mod.rs"]
pub mod deprecated;
#[path = "echo/rust/mod.rs"]
pub mod echo;
#[path = "editions/rust/mod.rs"]
pub mod editions;
#[path = "empty/rust/mod.rs"]
pub mod empty;
#[path = "equal_names/rust/mod.rs"]
pub mod equal_names;
#[path = "external/rust/mod.rs"]
pub mod external;
#[path = "go_names/rust/mod.rs"]
pub mod go_names;
#[path = "go_packages/rust/mod.rs"]
pub mod go_packages;
#[path = "groups/rust/mod.rs"]
pub mod groups;
#[path = "helloworld/rust/mod.rs"]
pub mod helloworld;
#[path = "id_message/rust/mod.rs"]
pub mod id_message;
pub mod ids;
#[path = "imports/rust/mod.rs"]
pub mod imports;
#[path = "keywords/rust/mod.rs"]
pub mod keywords;
#[path = "kinds/rust/mod.rs"]
pub mod kinds;
// rustfmt::skip: the path in the `include!` is longer than a line.
#[rustfmt::skip]
#[path = "long_names/rust/mod.rs"]
pub mod long_names;
#[path = "load/rust/mod.rs"]
pub mod load;
#[path = "merged_modules/rust/mod.rs"]
pub mod merged_modules;
#[path = "message_named_as_rpc/rust/mod.rs"]
pub mod message_named_as_rpc;
#[path = "names/rust/mod.rs"]
pub mod names;
#[path = "nested/rust/mod.rs"]
pub mod nested;
#[path = "no_package/rust/mod.rs"]
pub mod no_package;
#[path = "odd_files/rust/mod.rs"]
pub mod odd_files;
#[path = "options/rust/mod.rs"]
pub mod options;
#[path = "packages/rust/mod.rs"]
pub mod packages;
#[path = "proto2/rust/mod.rs"]
pub mod proto2;
#[path = "service_names/rust/mod.rs"]
pub mod service_names;
#[path = "shared/rust/mod.rs"]
pub mod shared;
#[path = "strangers/rust/mod.rs"]
pub mod strangers;
#[path = "streaming/rust/mod.rs"]
pub mod streaming;
#[path = "streams/rust/mod.rs"]
pub mod streams;
#[path = "together/rust/mod.rs"]
pub mod together;
#[path = "two_services/rust/mod.rs"]
pub mod two_services;
#[path = "well_known/rust/mod.rs"]
pub mod well_known;
