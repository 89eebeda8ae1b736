//! What the emitters read: plain data, in which nothing is left to look up or decide.

pub mod go;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use prost_types::FileDescriptorProto;

use crate::error::Location;
use crate::name::{MethodName, ServiceName};

/// All that one run generates.
#[derive(Debug)]
pub struct Model {
    /// The packages to generate, in the order of their modules.
    pub packages: Vec<Package>,
    /// What prost-build is given to make the messages of all packages.
    pub messages: Messages,
}

/// One package: one file.
#[derive(Debug)]
pub struct Package {
    /// The modules it lies in, outermost first: `greeting`, `v1`.
    pub modules: Vec<Ident>,
    /// The file that it becomes: `greeting.v1.rs`.
    pub file: String,
    /// The `.proto` files that it comes from.
    pub sources: Vec<String>,
    /// The error enums whose traits are implemented here; each is in one package alone.
    pub errors: Vec<ErrorEnum>,
    /// Its services.
    pub services: Vec<Service>,
}

/// A service as its `.proto` has it, whatever the language.
#[derive(Debug)]
pub struct Contract {
    /// `Greeting`
    pub proto: String,
    /// `greeting.v1.Greeting`, as the kernel knows it: no leading dot.
    pub full_name: String,
    /// The hash of what both sides must agree on.
    pub schema: u64,
    /// An encoded `FileDescriptorSet` of the service and all that its methods reach, and no more.
    pub descriptors: Vec<u8>,
    /// Lines of its comment.
    pub docs: Vec<String>,
    /// Whether clients are told to stay away from it.
    pub deprecated: bool,
    /// The full name of the enum that holds its errors; none if it fails with the status alone.
    pub error: Option<String>,
    /// Its methods that stream: no language has those yet, and they are left out.
    pub streams: Vec<Rpc>,
    /// Where it is declared.
    pub at: Location,
}

/// A method as its `.proto` has it, whatever the language.
#[derive(Debug)]
pub struct Rpc {
    /// `FetchGreeting`, in the `.proto` and on the wire.
    pub proto: String,
    /// Its place among the methods of the service that are generated.
    pub index: u32,
    /// Lines of its comment.
    pub docs: Vec<String>,
    /// Whether clients are told to stay away from it.
    pub deprecated: bool,
    /// The full name of the request message.
    pub request: String,
    /// The full name of the response message.
    pub response: String,
    /// Whether requests come in a stream.
    pub streams_requests: bool,
    /// Whether responses come in a stream.
    pub streams_responses: bool,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// How long it may hold its thread; zero is what the host says.
    pub budget: Duration,
    /// How long a call may take whose caller does not say; zero is what the host says.
    pub deadline: Duration,
    /// Where it is declared.
    pub at: Location,
}

impl Rpc {
    /// Whether it streams in either direction.
    pub fn streams(&self) -> bool {
        self.streams_requests || self.streams_responses
    }
}

/// One service.
#[derive(Debug)]
pub struct Service {
    /// What it is in every language.
    pub contract: Contract,
    /// Its names.
    pub name: ServiceName,
    /// Its error enum, or the status with which any service may fail.
    pub error: TypePath,
    /// Its methods, by index.
    pub methods: Vec<Method>,
}

/// One method.
#[derive(Debug)]
pub struct Method {
    /// What it is in every language.
    pub rpc: Rpc,
    /// Its names.
    pub name: MethodName,
    /// The request message.
    pub request: TypePath,
    /// The response message.
    pub response: TypePath,
}

/// An enum whose values are errors.
#[derive(Debug)]
pub struct ErrorEnum {
    /// Its full name, `greeting.v1.GreetErr`.
    pub full_name: String,
    /// The enum.
    pub item: TypePath,
}

/// A message or enum, as it is written in each place that names one.
#[derive(Debug, Clone)]
pub struct TypePath {
    /// In the package's module.
    pub in_package: TokenStream,
    /// In the module of a service of that package, one level deeper.
    pub in_service: TokenStream,
}

/// The messages of all packages, for prost-build: the one place where descriptors go past lowering.
///
/// Each message and enum at the top of a file is a file by itself, in a form in which prost-build neither panics nor
/// copies a comment, and looks no further: an item that has a comment is marked by a number, and stand-ins are held in
/// place of messages.
#[derive(Debug, Default)]
pub struct Messages {
    /// The files, each with the index of the package it goes to; the one that declares the stand-ins goes nowhere.
    pub files: Vec<(Option<usize>, FileDescriptorProto)>,
    /// Where types lie that are not generated: `.google.protobuf.Empty` at `()`.
    pub extern_paths: Vec<(String, String)>,
    /// Lines of comments, by number.
    pub docs: Vec<Vec<String>>,
}

/// What stands in place of the comment with that number.
pub fn docs_mark(number: usize) -> String {
    format!(" parigot-docs-{number}")
}

/// The number that such a mark holds.
pub fn docs_number(mark: &str) -> Option<usize> {
    mark.strip_prefix(" parigot-docs-")?.parse().ok()
}
