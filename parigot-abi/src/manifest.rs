//! The manifest: a guest's declaration of the services that it exports and requires.
//!
//! The payload of a [`crate::Kind::Manifest`] frame is two lists: first the exports, then the
//! requirements. A list is a `u32` count and that many services. A service is
//!
//! | type | field |
//! |---|---|
//! | string | full name, `greeting.v1.Greeting` |
//! | u64 | hash of the schema, computed by the generator |
//! | u32 | number of methods |
//! | methods | string: name, `FetchGreeting`; u64: budget in ns; u64: deadline in ns |
//! | bytes | `u32` count and that many bytes: a `FileDescriptorSet`, or empty |
//!
//! A budget or deadline of 0 is the host's default. A host requests the `FileDescriptorSet` with
//! [`crate::frame::flags::DESCRIPTORS`].
//!
//! Later frames identify a service or method by its index in these lists, from 0.
//!
//! A guest may require a service by name only: then the list of methods is empty and the hash is 0.
//! Such a guest may call all methods of the exporter, and receives their names with the launch.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};

/// The exports and requirements of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Services that other guests may call.
    pub exports: Vec<Service>,
    /// Services that this guest will call.
    pub requires: Vec<Service>,
}

/// A service that a guest exports or requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Full name, with the package: `greeting.v1.Greeting`.
    pub name: String,
    /// Hash of the schema; equal schemas have equal hashes.
    pub schema: u64,
    /// Methods; calls identify a method by its index.
    pub methods: Vec<Method>,
    /// A `FileDescriptorSet`, or empty.
    pub descriptors: Vec<u8>,
}

impl Service {
    /// Returns true for a requirement by name only.
    pub fn is_by_name(&self) -> bool {
        self.schema == 0 && self.methods.is_empty()
    }
}

/// A method of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Name as in the `.proto`: `FetchGreeting`.
    pub name: String,
    /// Longest time that the method may hold the thread, in ns; 0 for the host's default.
    pub budget_ns: u64,
    /// Longest duration of a call, in ns; 0 for the host's default.
    pub deadline_ns: u64,
}

impl Manifest {
    /// Reads the payload of a manifest frame.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] if the payload does not match the layout.
    ///
    /// ```
    /// use parigot_abi::Manifest;
    ///
    /// let mut payload = Vec::new();
    /// Manifest::default().write(&mut payload);
    /// assert_eq!(Manifest::read(&payload), Ok(Manifest::default()));
    /// assert!(Manifest::read(&[1, 0]).is_err());
    /// ```
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

/// Reads a count and that many items.
// The vector grows item by item: the count comes from the guest, and a reserved capacity would let
// a short payload allocate much memory.
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
    let count = u32::try_from(count).expect("a manifest must list fewer than 2^32 items");
    out.extend_from_slice(&count.to_le_bytes());
}
