//! The manifest: a guest's declaration of the services that it exports and requires.
//!
//! The payload of a [`crate::Kind::Manifest`] frame is
//!
//! | type | field |
//! |---|---|
//! | u32 | number of exports |
//! | exports | a service each; see below |
//! | u32 | number of requirements |
//! | requirements | a service each, then a string: the name of its binding, or empty |
//! | bytes | descriptors: a `FileDescriptorSet`, or empty |
//!
//! A service is
//!
//! | type | field |
//! |---|---|
//! | string | full name, `greeting.v1.Greeting` |
//! | u64 | hash of the schema, computed by the generator |
//! | u32 | number of methods |
//! | methods | string: name, `FetchGreeting`; u64: budget in ns; u64: deadline in ns; u32: flags |
//!
//! Names of services and methods are not empty and consist of ASCII letters, digits, `_` and `.`.
//! The name of a binding may also contain `-`. The host refuses other names, since names appear in
//! texts for people.
//!
//! A budget or deadline of 0 is the host's default. The flags of a method are
//!
//! | bits | meaning |
//! |---:|---|
//! | 0 | the caller streams requests |
//! | 1 | the callee streams responses |
//! | 2 to 3 | [`Idempotency`]: 0 unknown, 1 no side effects, 2 idempotent |
//! | 4 to 31 | reserved, zero; a reader ignores them |
//!
//! A guest may require a service several times, if each requirement has another binding name; one
//! requirement of each service may have none. A binding name occurs once in a guest, also among
//! different services. The deployment says which exporter a name is bound to.
//!
//! # Descriptors
//!
//! The descriptors are those of the whole guest: the `.proto` files of its services, and all files
//! that these import, directly or indirectly, except `google/protobuf/*`. Files are whole, with
//! custom options, but without `source_code_info`. A file may be listed several times; a reader
//! takes the first of each name. Two sets are merged by concatenation of their bytes.
//!
//! A guest in Rust that is compiled to wasm carries its descriptors in the custom section
//! [`DESCRIPTORS_SECTION`] of its module, so that they can be read without an instance, and leaves
//! the field of the manifest empty. Other guests fill the field if the host requests descriptors
//! with [`crate::frame::flags::DESCRIPTORS`], else they leave it empty.
//!
//! Later frames identify a service or method by its index in these lists, from 0.
//!
//! A guest may require a service by name only: then the list of methods is empty and the hash is 0.
//! Such a guest may call all methods of the exporter, and receives their names with the launch.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, push_bytes};

/// Name of the custom section of a wasm module that holds the descriptors of the guest.
pub const DESCRIPTORS_SECTION: &str = "parigot.descriptors";

/// The exports and requirements of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Services that other guests may call.
    pub exports: Vec<Service>,
    /// Services that this guest will call.
    pub requires: Vec<Requirement>,
    /// A `FileDescriptorSet`, or empty.
    pub descriptors: Vec<u8>,
}

/// A service that a guest requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The service.
    pub service: Service,
    /// Name of the binding, or empty. It distinguishes several requirements of one service.
    pub binding: String,
}

/// Creates a requirement without a binding name.
impl From<Service> for Requirement {
    fn from(service: Service) -> Self {
        Requirement {
            service,
            binding: String::new(),
        }
    }
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
    /// Properties of the method.
    pub flags: MethodFlags,
}

/// Properties of a method, in their wire form. Bits unknown to this version are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodFlags(pub u32);

/// The effect of repeating a call, as the `.proto` declares it with the option
/// `idempotency_level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// Not declared: a second call may have another effect.
    #[default]
    Unknown,
    /// The method has no side effects.
    NoSideEffects,
    /// Repeating a call has the effect of one call.
    Idempotent,
}

/// Texts behind the name of a method that streams: see [`MethodFlags::name_suffix`].
const REQUESTS: &str = " requests";
const RESPONSES: &str = " responses";
const BOTH: &str = " requests responses";

impl MethodFlags {
    /// The caller streams requests.
    pub const STREAMS_REQUESTS: u32 = 1;
    /// The callee streams responses.
    pub const STREAMS_RESPONSES: u32 = 1 << 1;
    /// No side streams.
    pub const UNARY: MethodFlags = MethodFlags(0);

    /// Returns the flags of a unary method.
    ///
    /// ```
    /// use parigot_abi::manifest::{Idempotency, MethodFlags};
    ///
    /// let flags = MethodFlags::new(Idempotency::Idempotent);
    /// assert_eq!(flags, MethodFlags(8));
    /// assert_eq!(flags.idempotency(), Idempotency::Idempotent);
    /// assert!(!flags.streams_requests() && !flags.streams_responses());
    /// ```
    pub const fn new(idempotency: Idempotency) -> Self {
        MethodFlags((idempotency as u32) << 2)
    }

    /// Returns the flags with the sides that stream.
    ///
    /// ```
    /// use parigot_abi::manifest::{Idempotency, MethodFlags};
    ///
    /// let flags = MethodFlags::new(Idempotency::Unknown).with_streams(false, true);
    /// assert_eq!(flags, MethodFlags(2));
    /// assert!(!flags.streams_requests() && flags.streams_responses());
    /// ```
    #[must_use]
    pub const fn with_streams(self, requests: bool, responses: bool) -> Self {
        let requests = if requests { Self::STREAMS_REQUESTS } else { 0 };
        let responses = if responses {
            Self::STREAMS_RESPONSES
        } else {
            0
        };
        MethodFlags(self.0 | requests | responses)
    }

    /// Returns the flags of the sides that stream, without all others. Equal for caller and callee
    /// of a method, or its calls fail.
    ///
    /// ```
    /// use parigot_abi::manifest::{Idempotency, MethodFlags};
    ///
    /// let flags = MethodFlags::new(Idempotency::Idempotent);
    /// assert_eq!(flags.streams(), MethodFlags::UNARY);
    /// ```
    #[must_use]
    pub const fn streams(self) -> Self {
        MethodFlags(self.0 & (Self::STREAMS_REQUESTS | Self::STREAMS_RESPONSES))
    }

    /// Returns the text after the name of a method in [`Kind::Launched`](crate::Kind::Launched):
    /// the sides that stream. Names have no spaces.
    pub const fn name_suffix(self) -> &'static str {
        match (self.streams_requests(), self.streams_responses()) {
            (false, false) => "",
            (true, false) => REQUESTS,
            (false, true) => RESPONSES,
            (true, true) => BOTH,
        }
    }

    /// Splits a method in [`Kind::Launched`](crate::Kind::Launched) into its name and the flags of
    /// the sides that stream.
    ///
    /// ```
    /// use parigot_abi::manifest::MethodFlags;
    ///
    /// let (name, streams) = MethodFlags::split_name("Chat requests responses");
    /// assert_eq!(name, "Chat");
    /// assert!(streams.streams_requests() && streams.streams_responses());
    /// assert_eq!(MethodFlags::split_name("Last"), ("Last", MethodFlags::UNARY));
    /// ```
    pub fn split_name(method: &str) -> (&str, Self) {
        let (name, streams) = method.split_at(method.find(' ').unwrap_or(method.len()));
        let requests = streams == REQUESTS || streams == BOTH;
        let responses = streams == RESPONSES || streams == BOTH;
        (name, Self::UNARY.with_streams(requests, responses))
    }

    /// Reports whether neither side streams.
    pub const fn is_unary(self) -> bool {
        self.streams().0 == 0
    }

    /// Reports whether the caller streams requests.
    pub const fn streams_requests(self) -> bool {
        self.0 & Self::STREAMS_REQUESTS != 0
    }

    /// Reports whether the callee streams responses.
    pub const fn streams_responses(self) -> bool {
        self.0 & Self::STREAMS_RESPONSES != 0
    }

    /// Returns the effect of repeating a call. The unassigned value 3 is read as unknown.
    pub const fn idempotency(self) -> Idempotency {
        match self.0 >> 2 & 3 {
            1 => Idempotency::NoSideEffects,
            2 => Idempotency::Idempotent,
            _ => Idempotency::Unknown,
        }
    }
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
        let requires = read_list(
            &mut cursor,
            "how many services are required",
            read_requirement,
        )?;
        let descriptors = cursor.bytes("the descriptors")?.into();
        cursor.end()?;
        Ok(Manifest {
            exports,
            requires,
            descriptors,
        })
    }

    /// Appends the payload to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        push_count(self.exports.len(), out);
        for service in &self.exports {
            write_service(service, out);
        }
        push_count(self.requires.len(), out);
        for requirement in &self.requires {
            write_service(&requirement.service, out);
            push_bytes(out, requirement.binding.as_bytes());
        }
        push_bytes(out, &self.descriptors);
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
    })
}

fn read_requirement(cursor: &mut Cursor<'_>) -> Result<Requirement, Malformed> {
    Ok(Requirement {
        service: read_service(cursor)?,
        binding: cursor.string("the name of a requirement's binding")?.into(),
    })
}

fn read_method(cursor: &mut Cursor<'_>) -> Result<Method, Malformed> {
    Ok(Method {
        name: cursor.string("a method's name")?.into(),
        budget_ns: cursor.u64("a method's budget")?,
        deadline_ns: cursor.u64("a method's deadline")?,
        flags: MethodFlags(cursor.u32("a method's flags")?),
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
        out.extend_from_slice(&method.flags.0.to_le_bytes());
    }
}

fn push_count(count: usize, out: &mut Vec<u8>) {
    let count = u32::try_from(count).expect("a manifest must list fewer than 2^32 items");
    out.extend_from_slice(&count.to_le_bytes());
}
