//! Methods of a client that the exporter lacks, with their likely new names.

use std::fmt;

use prost_types::{MethodDescriptorProto, ServiceDescriptorProto};

use crate::descriptors::pool::harmless;
use crate::error::suggest;

/// Method of a client that the exporter lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingMethod {
    pub(crate) name: String,
    /// Likely new name: among the methods that the client lacks, one with the same request and
    /// response, or else one with a similar name.
    pub(crate) new_name: Option<String>,
}

impl MissingMethod {
    pub(super) fn new(
        method: &MethodDescriptorProto,
        client: &ServiceDescriptorProto,
        exporter: &ServiceDescriptorProto,
    ) -> Self {
        let name = method.name();
        let is_new = |offered: &&MethodDescriptorProto| {
            client
                .method
                .iter()
                .all(|known| known.name() != offered.name())
        };
        let new: Vec<_> = exporter.method.iter().filter(is_new).collect();
        let alike = new.iter().filter(|offered| types(offered) == types(method));
        let new_name = suggest::closest(name, alike.map(|offered| offered.name()))
            .or_else(|| suggest::nearest(name, new.iter().map(|offered| offered.name())));
        MissingMethod {
            name: harmless(name),
            new_name: new_name.map(harmless),
        }
    }
}

/// Returns the parts of a method besides its name.
fn types(method: &MethodDescriptorProto) -> (&str, &str, bool, bool) {
    (
        method.input_type(),
        method.output_type(),
        method.client_streaming(),
        method.server_streaming(),
    )
}

impl fmt::Display for MissingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "method {} is missing", self.name)?;
        match &self.new_name {
            Some(new_name) => write!(f, " (likely new name: {new_name})"),
            None => Ok(()),
        }
    }
}
