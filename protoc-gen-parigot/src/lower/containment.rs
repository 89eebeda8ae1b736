//! Containment of messages: which fields are boxed, and which messages derive `Copy` and `Eq`.
//!
//! prost-build would compute this along every path from each field, which takes exponential time if
//! messages share the messages they contain. prost-build also misses two cases:
//!
//! - a group may contain the message that declares it;
//! - a message that contains others twice, each of which contains others twice, soon exceeds any
//!   memory.

use std::collections::BTreeMap;

use petgraph::Graph;
use petgraph::algo::kosaraju_scc;
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use super::index::Index;
use super::source::type_name;

/// Size above which a message is boxed in its container, which would otherwise be expensive to
/// move.
const UNBOXED_BYTES_MAX: u64 = 16 << 10;

/// Traits that a message derives besides those that all messages derive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Derives {
    pub(super) copy: bool,
    pub(super) eq: bool,
}

impl Derives {
    const NONE: Self = Self {
        copy: false,
        eq: false,
    };

    fn and(self, other: Self) -> Self {
        Self {
            copy: self.copy && other.copy,
            eq: self.eq && other.eq,
        }
    }
}

/// Containment of all messages of a request.
pub(super) struct Containment<'a> {
    /// Number of the strongly connected component of each message: messages that contain each other
    /// have the same number.
    components: BTreeMap<&'a str, usize>,
    derives: BTreeMap<&'a str, Derives>,
    /// Upper estimate of the size of each message in bytes, without boxed contents.
    bytes: BTreeMap<&'a str, u64>,
}

impl<'a> Containment<'a> {
    pub(super) fn new(index: &'a Index<'_>) -> Self {
        let mut graph = Graph::new();
        let nodes: BTreeMap<_, _> = index
            .messages()
            .map(|(name, _)| (name, graph.add_node(name)))
            .collect();
        let fields: BTreeMap<_, _> = index
            .messages()
            .map(|(name, message)| (name, &message.field[..]))
            .collect();
        for (name, fields) in &fields {
            for contained in fields
                .iter()
                .filter_map(contained)
                .filter_map(|contained| nodes.get(contained))
            {
                graph.add_edge(nodes[name], *contained, ());
            }
        }
        let mut containment = Self {
            components: BTreeMap::new(),
            derives: BTreeMap::new(),
            bytes: BTreeMap::new(),
        };
        // Kosaraju's algorithm returns a component after the components that it contains, so their
        // properties are known.
        for (component, members) in kosaraju_scc(&graph).into_iter().enumerate() {
            containment
                .components
                .extend(members.iter().map(|node| (graph[*node], component)));
            for name in members.iter().map(|node| graph[*node]) {
                let derives = fields[name]
                    .iter()
                    .map(|field| containment.field_derives(name, field));
                let derives = derives.fold(
                    Derives {
                        copy: true,
                        eq: true,
                    },
                    Derives::and,
                );
                containment.derives.insert(name, derives);
                containment
                    .bytes
                    .insert(name, containment.bytes_of(name, fields[name]));
            }
        }
        containment
    }

    /// Returns true if a field of `owner` contains `owner`, however deep, or a large message.
    pub(super) fn is_boxed(&self, owner: &str, field: &FieldDescriptorProto) -> bool {
        let is_large = |contained: &str| {
            self.bytes
                .get(contained)
                .is_some_and(|bytes| *bytes > UNBOXED_BYTES_MAX)
        };
        contained(field).is_some_and(|contained| {
            self.components.get(owner) == self.components.get(contained) || is_large(contained)
        })
    }

    /// Returns the size of a message with these fields. Of a oneof, the largest variant counts.
    fn bytes_of(&self, name: &str, fields: &[FieldDescriptorProto]) -> u64 {
        let mut bytes = 0;
        let mut oneofs = BTreeMap::new();
        for field in fields {
            let field_bytes = self.field_bytes(name, field);
            match field.oneof_index {
                None => bytes += field_bytes,
                Some(oneof) => {
                    let most = oneofs.entry(oneof).or_insert(0);
                    *most = field_bytes.max(*most);
                }
            }
        }
        bytes + oneofs.into_values().sum::<u64>()
    }

    /// Returns the size of a field on a 64-bit machine, including the marker of an unset field.
    fn field_bytes(&self, owner: &str, field: &FieldDescriptorProto) -> u64 {
        const SCALAR: u64 = 16;
        const VECTOR: u64 = 32;
        match contained(field) {
            Some(_) if self.is_boxed(owner, field) => SCALAR,
            Some(contained) => 8 + self.bytes.get(contained).copied().unwrap_or(VECTOR),
            None => VECTOR,
        }
    }

    /// Returns the traits that a message derives.
    pub(super) fn derives(&self, full_name: &str) -> Derives {
        self.derives
            .get(full_name)
            .copied()
            .unwrap_or(Derives::NONE)
    }

    /// Returns the traits that a field allows its message to derive, by the rules of prost-build.
    fn field_derives(&self, owner: &str, field: &FieldDescriptorProto) -> Derives {
        let repeated = field.label() == Label::Repeated;
        match field.r#type() {
            Type::Group => Derives::NONE,
            Type::Message if repeated || self.is_boxed(owner, field) => Derives::NONE,
            Type::Message => self.derives(type_name(field).unwrap_or_default()),
            Type::String | Type::Bytes => Derives {
                copy: false,
                eq: true,
            },
            Type::Float | Type::Double => Derives {
                copy: !repeated,
                eq: false,
            },
            _ => Derives {
                copy: !repeated,
                eq: true,
            },
        }
    }
}

/// Returns the message that a field contains directly, not in a vector.
fn contained(field: &FieldDescriptorProto) -> Option<&str> {
    let lies_within =
        matches!(field.r#type(), Type::Message | Type::Group) && field.label() != Label::Repeated;
    type_name(field).filter(|_| lies_within)
}
