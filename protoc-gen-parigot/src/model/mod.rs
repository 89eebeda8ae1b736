//! Input of the emitters: plain data in which every decision is already made.

pub mod go;

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use prost_types::FileDescriptorProto;

use crate::error::Location;
use crate::name::{MethodName, ServiceName};

/// Everything that one run generates for Rust.
#[derive(Debug)]
pub struct Model {
    /// Packages to generate, in the order of their modules.
    pub packages: Vec<Package>,
    /// Input of prost-build for the messages of all packages.
    pub messages: Messages,
}

/// Package, which becomes one file.
#[derive(Debug)]
pub struct Package {
    /// Modules that contain the package, outermost first: `greeting`, `v1`.
    pub modules: Vec<Ident>,
    /// Output file: `greeting.v1.rs`.
    pub file: String,
    /// `.proto` files of the package.
    pub sources: Vec<String>,
    /// Error enums whose traits are implemented here. Each enum is listed in one package only.
    pub errors: Vec<ErrorEnum>,
    /// Services.
    pub services: Vec<Service>,
    /// Encoded `FileDescriptorSet` of the package's files and their imports; empty without
    /// services.
    pub descriptors: Vec<u8>,
}

/// Properties of a service that do not depend on the language.
#[derive(Debug)]
pub struct Contract {
    /// Name in the `.proto`: `Greeting`.
    pub proto: String,
    /// Full name `greeting.v1.Greeting`, by which the host identifies the service. The name has no
    /// leading dot.
    pub full_name: String,
    /// Schema hash, see [`symbol`](crate::symbol).
    pub schema: u64,
    /// Lines of the comment.
    pub docs: Vec<String>,
    /// Marked as deprecated in the `.proto`.
    pub deprecated: bool,
    /// Full name of the error enum; `None` if the service fails with a status only.
    pub error: Option<String>,
    /// Methods that stream and are left out: `streaming=skip`.
    pub left_out: Vec<Rpc>,
    /// Location of the declaration.
    pub at: Location,
}

/// Properties of a method that do not depend on the language.
#[derive(Debug)]
pub struct Rpc {
    /// Name in the `.proto` and on the wire: `FetchGreeting`.
    pub proto: String,
    /// Position among the generated methods of the service.
    pub index: u32,
    /// Lines of the comment.
    pub docs: Vec<String>,
    /// Marked as deprecated in the `.proto`.
    pub deprecated: bool,
    /// Full name of the request message.
    pub request: String,
    /// Full name of the response message.
    pub response: String,
    /// Requests are streamed.
    pub streams_requests: bool,
    /// Responses are streamed.
    pub streams_responses: bool,
    /// Effect of repeating a call.
    pub idempotency: Idempotency,
    /// CPU time that the method may use between two awaits. Zero means the host's setting.
    pub budget: Duration,
    /// Deadline of a call whose caller sets none. Zero means the host's setting.
    pub deadline: Duration,
    /// Location of the declaration.
    pub at: Location,
}

/// Effect of repeating a call, the option `idempotency_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// The `.proto` does not tell.
    Unknown,
    /// The method has no side effects.
    NoSideEffects,
    /// Repeating a call has the effect of one call.
    Idempotent,
}

impl Rpc {
    /// Returns true if the method streams in either direction.
    pub fn streams(&self) -> bool {
        self.streams_requests || self.streams_responses
    }
}

/// One service.
#[derive(Debug)]
pub struct Service {
    /// Properties that are the same in every language.
    pub contract: Contract,
    /// Names in Rust.
    pub name: ServiceName,
    /// Error enum, or `Status`, which any service may return.
    pub error: TypePath,
    /// Methods, by index.
    pub methods: Vec<Method>,
}

/// One method.
#[derive(Debug)]
pub struct Method {
    /// Properties that are the same in every language.
    pub rpc: Rpc,
    /// Names in Rust.
    pub name: MethodName,
    /// The request message.
    pub request: TypePath,
    /// The response message.
    pub response: TypePath,
}

/// Enum whose values are errors.
#[derive(Debug)]
pub struct ErrorEnum {
    /// Full name: `greeting.v1.GreetErr`.
    pub full_name: String,
    /// Path of the enum.
    pub item: TypePath,
    /// gRPC codes of values, by number. Other values have `FAILED_PRECONDITION`.
    pub codes: Vec<ErrorCode>,
}

/// gRPC code of an enum value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErrorCode {
    /// Number of the value.
    pub number: i32,
    /// Name of the value in the `.proto`.
    pub value: String,
    /// The code.
    pub code: Code,
}

/// A gRPC status code other than `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    /// Name in gRPC and in `parigot/v1/options.proto`: `NOT_FOUND`.
    pub proto: &'static str,
    /// Name in Rust: `NotFound`.
    pub rust: &'static str,
    /// Name in Go.
    pub go: &'static str,
}

impl Code {
    /// Returns the code with this number; `None` for `OK` and for unknown numbers.
    pub fn from_number(number: i32) -> Option<Self> {
        const ALL: [(&str, &str); 16] = [
            ("CANCELLED", "Cancelled"),
            ("UNKNOWN", "Unknown"),
            ("INVALID_ARGUMENT", "InvalidArgument"),
            ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
            ("NOT_FOUND", "NotFound"),
            ("ALREADY_EXISTS", "AlreadyExists"),
            ("PERMISSION_DENIED", "PermissionDenied"),
            ("RESOURCE_EXHAUSTED", "ResourceExhausted"),
            ("FAILED_PRECONDITION", "FailedPrecondition"),
            ("ABORTED", "Aborted"),
            ("OUT_OF_RANGE", "OutOfRange"),
            ("UNIMPLEMENTED", "Unimplemented"),
            ("INTERNAL", "Internal"),
            ("UNAVAILABLE", "Unavailable"),
            ("DATA_LOSS", "DataLoss"),
            ("UNAUTHENTICATED", "Unauthenticated"),
        ];
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let (proto, rust) = *ALL.get(index)?;
        // Go has the American spelling.
        let go = if rust == "Cancelled" {
            "Canceled"
        } else {
            rust
        };
        Some(Self { proto, rust, go })
    }
}

/// Path of a message or enum, as written at each place that names the type.
#[derive(Debug, Clone)]
pub struct TypePath {
    /// Path within the module of the package.
    pub in_package: TokenStream,
    /// Path within the module of a service of that package, one level deeper.
    pub in_service: TokenStream,
}

/// Messages of all packages, for prost-build: the only descriptors that are passed on after
/// lowering.
///
/// Each top-level message and enum is a file of its own. In this form prost-build does not panic,
/// copies no comment and follows no references: a number marks each item that has a comment, and a
/// placeholder replaces each message that a field contains.
#[derive(Debug, Default)]
pub struct Messages {
    /// Files, each with the index of its package. The file that declares the placeholders has no
    /// package and is not written.
    pub files: Vec<(Option<usize>, FileDescriptorProto)>,
    /// Rust paths of types that are not generated: `.google.protobuf.Empty` at `()`.
    pub extern_paths: Vec<(String, String)>,
    /// Lines of comments, by number.
    pub docs: Vec<Vec<String>>,
}

/// Returns the mark that replaces the comment with this number.
pub fn docs_mark(number: usize) -> String {
    format!(" parigot-docs-{number}")
}

/// Returns the number in a mark.
pub fn docs_number(mark: &str) -> Option<usize> {
    mark.strip_prefix(" parigot-docs-")?.parse().ok()
}
