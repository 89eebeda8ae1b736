//! Input of the Go emitter.

use super::{Contract, ErrorCode, Rpc};
use crate::name::go::{GoMethodName, GoServiceName};

/// Generated file of one `.proto` with services, written beside the file of protoc-gen-go.
#[derive(Debug)]
pub struct GoFile {
    /// File name: `greeting/v1/greeting_parigot.pb.go`.
    pub name: String,
    /// `.proto` from which the file is generated.
    pub source: String,
    /// Name of the Go package.
    pub package: String,
    /// Imports from the standard library, sorted.
    pub standard: Vec<&'static str>,
    /// Other imports, sorted by path.
    pub imports: Vec<Import>,
    /// Enums of this `.proto` that are errors of its services.
    pub errors: Vec<GoError>,
    /// Name of the constant with the descriptors.
    pub descriptors_name: String,
    /// Encoded `FileDescriptorSet` of the file and its imports.
    pub descriptors: Vec<u8>,
    /// Services.
    pub services: Vec<GoService>,
}

/// Error enum.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoError {
    /// Name of the type.
    pub name: String,
    /// gRPC codes of values, by number. Other values have `FAILED_PRECONDITION`.
    pub codes: Vec<ErrorCode>,
}

/// Import of one package.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// Import path: `example.com/greeting/v1`.
    pub path: String,
    /// Name of the package within the file.
    pub alias: String,
}

/// One service.
#[derive(Debug)]
pub struct GoService {
    /// Properties that are the same in every language.
    pub contract: Contract,
    /// Names in Go.
    pub name: GoServiceName,
    /// Error enum, or the type of the status codes that any service may return.
    pub error: String,
    /// Methods, by index.
    pub methods: Vec<GoMethod>,
}

/// One method.
#[derive(Debug)]
pub struct GoMethod {
    /// Properties that are the same in every language.
    pub rpc: Rpc,
    /// Names in Go.
    pub name: GoMethodName,
    /// The request message.
    pub request: String,
    /// The response message.
    pub response: String,
}
