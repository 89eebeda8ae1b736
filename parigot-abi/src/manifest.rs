//! What a guest declares: the services that it exports and those that it requires.
//!
//! The payload of a [`crate::Kind::Manifest`] frame is two lists, exports and then requirements. A list is a `u32` count and so many
//! services; a service is
//!
//! | type | field |
//! |---|---|
//! | string | its full name, `greeting.v1.Greeting` |
//! | u64 | a hash of its schema, made by the generator |
//! | u32 | how many methods follow |
//! | methods | string: its name, `FetchGreeting`; u64: budget in ns, 0 for the host's; u64: deadline in ns, 0 for the host's |
//! | string | a `FileDescriptorSet`, where [`crate::frame::flags::DESCRIPTORS`] asked for it; any bytes, 0 otherwise |
//!
//! In what follows a service or method is named by its place in these lists, from 0.
//!
//! A guest may require a service of which it knows the name alone: it lists no methods, and the hash is 0. It may call all methods that the
//! exporters have, whose names it is told when it is launched.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};

/// What a guest declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What others may call.
    pub exports: Vec<Service>,
    /// What it will call.
    pub requires: Vec<Service>,
}

/// A service that a guest exports or requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// With its package, `greeting.v1.Greeting`.
    pub name: String,
    /// A hash of its schema; equal schemas have equal hashes.
    pub schema: u64,
    /// Its methods; calls name them by their place.
    pub methods: Vec<Method>,
    /// A `FileDescriptorSet`, or nothing.
    pub descriptors: Vec<u8>,
}

impl Service {
    /// Whether that is the requirement of a guest which knows the service by its name alone.
    pub fn is_by_name(&self) -> bool {
        self.schema == 0 && self.methods.is_empty()
    }
}

/// A method of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// As in the `.proto`, `FetchGreeting`.
    pub name: String,
    /// How long it may hold the thread, 0 for the host's default.
    pub budget_ns: u64,
    /// How long a call may take, 0 for the host's default.
    pub deadline_ns: u64,
}

impl Manifest {
    /// Reads the payload of a manifest frame.
    ///
    /// # Errors
    ///
    /// If it is not as laid out above.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        let exports = read_list(&mut cursor, "how many services are exported", read_service)?;
        let requires = read_list(&mut cursor, "how many services are required", read_service)?;
        cursor.end()?;
        Ok(Manifest { exports, requires })
    }

    /// Appends the payload to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for list in [&self.exports, &self.requires] {
            push_count(list.len(), out);
            for service in list {
                write_service(service, out);
            }
        }
    }
}

/// Reads a count and so many items. Memory grows with the items that are there, not with the count that is claimed.
fn read_list<T>(
    cursor: &mut Cursor<'_>,
    expected: &'static str,
    read: fn(&mut Cursor<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = cursor.u32(expected)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(cursor)?);
    }
    Ok(items)
}

fn read_service(cursor: &mut Cursor<'_>) -> Result<Service, Malformed> {
    Ok(Service {
        name: cursor.string("a service's name")?.into(),
        schema: cursor.u64("a service's schema hash")?,
        methods: read_list(cursor, "how many methods the service has", read_method)?,
        descriptors: cursor.bytes("a service's descriptors")?.into(),
    })
}

fn read_method(cursor: &mut Cursor<'_>) -> Result<Method, Malformed> {
    Ok(Method {
        name: cursor.string("a method's name")?.into(),
        budget_ns: cursor.u64("a method's budget")?,
        deadline_ns: cursor.u64("a method's deadline")?,
    })
}

fn write_service(service: &Service, out: &mut Vec<u8>) {
    push_bytes(out, service.name.as_bytes());
    out.extend_from_slice(&service.schema.to_le_bytes());
    push_count(service.methods.len(), out);
    for method in &service.methods {
        push_bytes(out, method.name.as_bytes());
        out.extend_from_slice(&method.budget_ns.to_le_bytes());
        out.extend_from_slice(&method.deadline_ns.to_le_bytes());
    }
    push_bytes(out, &service.descriptors);
}

fn push_count(count: usize, out: &mut Vec<u8>) {
    let count = u32::try_from(count).expect("a manifest lists fewer than 4 billion things");
    out.extend_from_slice(&count.to_le_bytes());
}
