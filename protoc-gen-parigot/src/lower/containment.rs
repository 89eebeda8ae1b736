//! How messages hold each other: which fields are boxed, and which messages can be copied or compared in full.
//!
//! prost-build would find this out by itself, but along every way from each field: where messages share what they hold,
//! that takes time without end. It also overlooks that a group can hold what it lies in, and that a message which holds others
//! twice, and these others twice, soon is too large for any machine.

use std::collections::BTreeMap;

use petgraph::Graph;
use petgraph::algo::kosaraju_scc;
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use super::index::Index;
use super::source::type_name;

/// A message that takes more than this by itself is boxed where it is held: whatever holds it is moved about, too.
const UNBOXED_BYTES_MAX: u64 = 16 << 10;

/// What a message derives besides what all of them do.
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

/// All messages of a request, by how they hold each other.
pub(super) struct Containment<'a> {
    /// A number for each message; those that hold each other have the same.
    components: BTreeMap<&'a str, usize>,
    derives: BTreeMap<&'a str, Derives>,
    /// How much each message takes without what it has boxed, or a little more.
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
            for held in fields
                .iter()
                .filter_map(held)
                .filter_map(|held| nodes.get(held))
            {
                graph.add_edge(nodes[name], *held, ());
            }
        }
        let mut containment = Self {
            components: BTreeMap::new(),
            derives: BTreeMap::new(),
            bytes: BTreeMap::new(),
        };
        // Each component comes after those that it holds.
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

    /// Whether a field of `owner` holds, however deep, what it lies in, or much.
    pub(super) fn is_boxed(&self, owner: &str, field: &FieldDescriptorProto) -> bool {
        let is_large = |held: &str| {
            self.bytes
                .get(held)
                .is_some_and(|bytes| *bytes > UNBOXED_BYTES_MAX)
        };
        held(field).is_some_and(|held| {
            self.components.get(owner) == self.components.get(held) || is_large(held)
        })
    }

    /// What a message of those fields takes: of a oneof the largest variant.
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

    /// What a field takes on a machine of 64 bits, with what says that it is not set.
    fn field_bytes(&self, owner: &str, field: &FieldDescriptorProto) -> u64 {
        const SCALAR: u64 = 16;
        const VECTOR: u64 = 32;
        match held(field) {
            Some(_) if self.is_boxed(owner, field) => SCALAR,
            Some(held) => 8 + self.bytes.get(held).copied().unwrap_or(VECTOR),
            None => VECTOR,
        }
    }

    /// What the message of that name derives.
    pub(super) fn derives(&self, full_name: &str) -> Derives {
        self.derives
            .get(full_name)
            .copied()
            .unwrap_or(Derives::NONE)
    }

    /// What a field lets its message derive, as prost-build has it.
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

/// The message that lies in a field itself, and not in a vector of it.
fn held(field: &FieldDescriptorProto) -> Option<&str> {
    let lies_within =
        matches!(field.r#type(), Type::Message | Type::Group) && field.label() != Label::Repeated;
    type_name(field).filter(|_| lies_within)
}
