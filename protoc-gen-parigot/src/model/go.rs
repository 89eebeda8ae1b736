//! What the Go emitter reads.

use super::{Contract, Rpc};
use crate::name::go::{GoMethodName, GoServiceName};

/// One `.proto` that has services: one file, beside that of protoc-gen-go.
#[derive(Debug)]
pub struct GoFile {
    /// Its name: `greeting/v1/greeting_parigot.pb.go`.
    pub name: String,
    /// The `.proto` that it comes from.
    pub source: String,
    /// The name of its package.
    pub package: String,
    /// What it imports of Go's own packages, sorted.
    pub standard: Vec<&'static str>,
    /// What it imports beyond those, sorted by path.
    pub imports: Vec<Import>,
    /// The enums of this `.proto` that hold errors of its services.
    pub errors: Vec<String>,
    /// Its services.
    pub services: Vec<GoService>,
}

/// A package that is imported.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// `example.com/greeting/v1`
    pub path: String,
    /// What the file calls it.
    pub alias: String,
}

/// One service.
#[derive(Debug)]
pub struct GoService {
    /// What it is in every language.
    pub contract: Contract,
    /// Its names.
    pub name: GoServiceName,
    /// Its error enum, or the codes with which any service may fail.
    pub error: String,
    /// Its methods, by index.
    pub methods: Vec<GoMethod>,
}

/// One method.
#[derive(Debug)]
pub struct GoMethod {
    /// What it is in every language.
    pub rpc: Rpc,
    /// Its names.
    pub name: GoMethodName,
    /// The request message.
    pub request: String,
    /// The response message.
    pub response: String,
}
