//! Schema check: compares the schema of a client with the schema of the exporter.
//!
//! Equal schema hashes fit. Otherwise the descriptors are compared by the effect of each difference
//! in protobuf's wire format:
//!
//! - A method of the client that the exporter lacks is no difference: such calls fail, and others
//!   work. The exporter needs every field, at any depth, of the messages that the common methods
//!   take and return. The exporter may have more, because the client neither sends nor reads
//!   unknown fields.
//! - Fields are matched by number. A field may change its name, unless the exporter has a field of
//!   the old name under another number: then the numbers have changed. Names of messages do not
//!   count.
//! - A value written as one type may be read as another type of the same row:
//!
//!   | row | on the wire |
//!   |---|---|
//!   | `int32` `int64` `uint32` `uint64` `bool`, enums | varint; a value that is too large is cut |
//!   | `sint32` `sint64` | zigzag varint |
//!   | `fixed32` `sfixed32` | 32 bits |
//!   | `fixed64` `sfixed64` | 64 bits |
//!   | `float` | |
//!   | `double` | |
//!   | `string` | may be read as `bytes` as well, not vice versa: bytes need not be UTF-8 |
//!   | `bytes` | |
//!   | messages | compared in their turn; may be read as `bytes` as well |
//!   | groups | compared in their turn |
//!
//! - A single field may be read as repeated. A repeated field may be read as single if it holds
//!   strings, bytes or messages: the last value counts, and messages are merged. Repeated numbers
//!   may be packed, and a reader of a single number cannot read packed ones. A map is the repeated
//!   message that represents the map on the wire.
//! - A field that is `required` for the reader must be `required` for the writer.
//! - Fields of one oneof for the reader must be in one oneof for the writer.
//! - Values of enums do not count: a number that the reader's enum lacks is kept.
//! - Messages of `google/protobuf/*` are known everywhere, so the descriptors omit them. Equal
//!   names fit. Such a message and a message of another name cannot be compared.
//! - A method must stream in the same directions for both. Methods that stream and that the option
//!   `streaming=skip` has left out of the client do not count.
//!
//! The client writes requests and the exporter reads them. For responses the roles are swapped.

mod missing_method;
mod wire_type;

use std::collections::{HashMap, HashSet};

use parigot_abi::manifest::Service;
use prost_types::field_descriptor_proto::Label;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
};

pub(crate) use self::missing_method::MissingMethod;
use self::wire_type::WireType;
use crate::descriptors::pool::{Pool, harmless, is_well_known};
pub use crate::error::SchemaError;

/// Description of a service by one guest, which is a client or an exporter of the service.
#[derive(Clone, Copy)]
pub(crate) struct ServiceDescription<'a> {
    /// Name of the guest in the deployment.
    pub(crate) guest: &'a str,
    pub(crate) service: &'a Service,
    /// Descriptors that the guest carries, or of the service alone.
    pub(crate) descriptors: &'a [u8],
}

/// Compares the schema of a client with the schema of the exporter. Returns the methods of a
/// fitting client that the exporter lacks: calls of these methods fail.
///
/// # Errors
///
/// If the schemas of the common methods differ, or if the schemas cannot be compared.
pub(crate) fn fits(
    client: ServiceDescription<'_>,
    exporter: ServiceDescription<'_>,
) -> Result<Vec<MissingMethod>, SchemaError> {
    if client.service.schema == exporter.service.schema {
        return Ok(Vec::new());
    }
    let client_pool = descriptors(client)?;
    let exporter_pool = descriptors(exporter)?;
    let client = Side::new(client, &client_pool)?;
    let exporter = Side::new(exporter, &exporter_pool)?;
    let mut comparison = Comparison {
        client,
        exporter,
        differences: Vec::new(),
        missing: Vec::new(),
        seen: HashSet::new(),
    };
    comparison.compare_methods()?;
    let Comparison {
        differences,
        missing,
        ..
    } = comparison;
    // Each missing method is among the differences, in the order of the client's schema.
    if differences.len() == missing.len() {
        Ok(missing)
    } else {
        Err(SchemaError::Differences { differences })
    }
}

/// Decodes the descriptors of a guest.
fn descriptors(description: ServiceDescription<'_>) -> Result<Pool, SchemaError> {
    let ServiceDescription {
        guest, descriptors, ..
    } = description;
    if descriptors.is_empty() {
        return Err(SchemaError::Undescribed {
            guest: guest.to_owned(),
        });
    }
    Pool::read(descriptors).map_err(|error| unusable(guest, error.to_string()))
}

fn unusable(guest: &str, problem: String) -> SchemaError {
    SchemaError::Unusable {
        guest: guest.to_owned(),
        problem: harmless(&problem),
    }
}

/// Schema of the client or of the exporter, indexed by name.
struct Side<'a> {
    guest: &'a str,
    service: &'a ServiceDescriptorProto,
    /// The service in the manifest of the guest.
    declared: &'a Service,
    messages: HashMap<String, &'a DescriptorProto>,
}

impl<'a> Side<'a> {
    fn new(
        ServiceDescription { guest, service, .. }: ServiceDescription<'a>,
        pool: &'a Pool,
    ) -> Result<Self, SchemaError> {
        let mut messages = HashMap::new();
        let mut described = None;
        for file in pool.files() {
            let scope = if file.package().is_empty() {
                String::new()
            } else {
                format!("{}.", file.package())
            };
            index_messages(&scope, &file.message_type, &mut messages);
            let mut services = file.service.iter();
            described = described
                .or(services.find(|known| format!("{scope}{}", known.name()) == service.name));
        }
        let described =
            described.ok_or_else(|| unusable(guest, format!("they lack {}", service.name)))?;
        Ok(Side {
            guest,
            service: described,
            declared: service,
            messages,
        })
    }

    /// Returns true if the manifest has the method.
    fn declares(&self, method: &str) -> bool {
        let mut methods = self.declared.methods.iter();
        methods.any(|declared| declared.name == method)
    }

    /// Returns a message by its name in descriptors, which begins with a dot.
    fn message(&self, name: &str) -> Result<&'a DescriptorProto, SchemaError> {
        let name = name.trim_start_matches('.');
        self.messages
            .get(name)
            .copied()
            .ok_or_else(|| unusable(self.guest, format!("they lack {name}")))
    }
}

/// Indexes messages, nested ones included, by full name.
fn index_messages<'a>(
    scope: &str,
    list: &'a [DescriptorProto],
    messages: &mut HashMap<String, &'a DescriptorProto>,
) {
    for message in list {
        let name = format!("{scope}{}", message.name());
        index_messages(&format!("{name}."), &message.nested_type, messages);
        messages.insert(name, message);
    }
}

/// Comparison and the differences found.
struct Comparison<'a> {
    client: Side<'a>,
    exporter: Side<'a>,
    differences: Vec<String>,
    missing: Vec<MissingMethod>,
    /// Pairs that were compared or are being compared.
    seen: HashSet<Pair>,
}

/// Message of the client and its counterpart of the exporter.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    /// Full name of the client's message.
    client: String,
    /// Full name of the exporter's message.
    exporter: String,
    direction: Direction,
}

/// Direction of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    /// Written by the client.
    Request,
    /// Written by the exporter.
    Response,
}

impl Direction {
    /// Returns the writer and the reader, in this order.
    fn order<T>(self, client: T, exporter: T) -> (T, T) {
        match self {
            Direction::Request => (client, exporter),
            Direction::Response => (exporter, client),
        }
    }
}

impl<'a> Comparison<'a> {
    fn compare_methods(&mut self) -> Result<(), SchemaError> {
        for method in &self.client.service.method {
            let called = stream_kind(method);
            // `streaming=skip` leaves methods out of the generated client, which never calls them.
            if called != UNARY && !self.client.declares(method.name()) {
                continue;
            }
            let mut offered = self.exporter.service.method.iter();
            let Some(offered) = offered.find(|offered| offered.name() == method.name()) else {
                let missing =
                    MissingMethod::new(method, self.client.service, self.exporter.service);
                self.differ(missing.to_string());
                self.missing.push(missing);
                continue;
            };
            let served = stream_kind(offered);
            if served != called {
                self.differ(format!(
                    "method {} is {called} for `{}` and {served} for `{}`",
                    method.name(),
                    self.client.guest,
                    self.exporter.guest
                ));
                continue;
            }
            self.compare_from(
                method.input_type(),
                offered.input_type(),
                Direction::Request,
            )?;
            self.compare_from(
                method.output_type(),
                offered.output_type(),
                Direction::Response,
            )?;
        }
        Ok(())
    }

    /// Compares two messages and all messages that they hold. A list replaces recursion, because
    /// types may hold themselves and a guest controls the depth of its descriptors.
    fn compare_from(
        &mut self,
        client: &str,
        exporter: &str,
        direction: Direction,
    ) -> Result<(), SchemaError> {
        let mut pending = vec![Pair {
            client: full_name(client),
            exporter: full_name(exporter),
            direction,
        }];
        while let Some(pair) = pending.pop() {
            // The descriptors omit the files of these messages, and all guests have the same.
            let is_same = pair.client == pair.exporter && is_well_known(&pair.client);
            if !is_same && self.seen.insert(pair.clone()) {
                let held = self.compare_messages(&pair)?;
                pending.extend(held.into_iter().rev());
            }
        }
        Ok(())
    }

    /// Compares the fields of two messages, and returns the nested pairs of messages.
    fn compare_messages(&mut self, pair: &Pair) -> Result<Vec<Pair>, SchemaError> {
        let client = self.client.message(&pair.client)?;
        let exporter = self.exporter.message(&pair.exporter)?;
        let mut held = Vec::new();
        for field in &client.field {
            match offered(field, exporter) {
                Ok(offered) => held.extend(self.compare_fields(pair, field, offered)),
                Err(problem) => self.differ(format!("{} {problem}", place(&pair.client, field))),
            }
        }
        let (writer, reader) = pair.direction.order(client, exporter);
        self.compare_required(pair, writer, reader);
        self.compare_oneofs(pair, writer, reader);
        Ok(held)
    }

    /// Compares two fields of one number, and returns the pair of messages that both hold.
    fn compare_fields(
        &mut self,
        pair: &Pair,
        client: &FieldDescriptorProto,
        exporter: &FieldDescriptorProto,
    ) -> Option<Pair> {
        let (written, read) = pair.direction.order(client, exporter);
        let from = WireType::of(written);
        let to = WireType::of(read);
        if !from.can_be_read_as(to)
            || (repeated(written) && !repeated(read) && from.may_be_packed())
        {
            let place = place(&pair.client, client);
            self.differ(format!(
                "{place} {}",
                self.sent_and_read(pair.direction, &describe(written), &describe(read))
            ));
            return None;
        }
        (matches!(from, WireType::Message | WireType::Group) && from == to).then(|| Pair {
            client: full_name(client.type_name()),
            exporter: full_name(exporter.type_name()),
            direction: pair.direction,
        })
    }

    fn compare_required(
        &mut self,
        pair: &Pair,
        writer: &DescriptorProto,
        reader: &DescriptorProto,
    ) {
        for field in reader
            .field
            .iter()
            .filter(|field| field.label() == Label::Required)
        {
            let written = by_number(writer, field.number());
            // A field that only the client has was already reported as missing.
            let is_reported = written.is_none() && pair.direction == Direction::Response;
            if !is_reported && written.is_none_or(|written| written.label() != Label::Required) {
                let (writer, reader) = pair.direction.order(self.client.guest, self.exporter.guest);
                let place = place(&pair.client, field);
                self.differ(format!(
                    "{place} is required by `{reader}`, and `{writer}` need not send it"
                ));
            }
        }
    }

    fn compare_oneofs(&mut self, pair: &Pair, writer: &DescriptorProto, reader: &DescriptorProto) {
        for oneof in 0..reader.oneof_decl.len() as i32 {
            let members = reader
                .field
                .iter()
                .filter(|field| field.oneof_index == Some(oneof));
            let written: Vec<_> = members
                .filter_map(|field| by_number(writer, field.number()))
                .collect();
            let [first, rest @ ..] = &written[..] else {
                continue;
            };
            // Fields outside any oneof may always be sent together.
            let apart = rest.iter().find(|other| {
                first.oneof_index.is_none() || other.oneof_index != first.oneof_index
            });
            if let Some(other) = apart {
                let (writer, reader) = pair.direction.order(self.client.guest, self.exporter.guest);
                let first = place(&pair.client, first);
                let other = other.name();
                self.differ(format!(
                    "{first} and {other} may both be sent by `{writer}`, \
                     and `{reader}` takes one of them"
                ));
            }
        }
    }

    /// Formats a line such as ``is sent by `hello` as string and read by `greeting` as int32``.
    fn sent_and_read(&self, direction: Direction, sent: &str, read: &str) -> String {
        let (writer, reader) = direction.order(self.client.guest, self.exporter.guest);
        format!("is sent by `{writer}` as {sent} and read by `{reader}` as {read}")
    }

    /// Records a difference once, even if several paths lead to the difference.
    fn differ(&mut self, difference: String) {
        let difference = harmless(&difference);
        if !self.differences.contains(&difference) {
            self.differences.push(difference);
        }
    }
}

/// Kind of a method that does not stream.
const UNARY: &str = "unary";

/// Returns the kind of a method: unary, or the sides that stream.
fn stream_kind(method: &MethodDescriptorProto) -> &'static str {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => UNARY,
        (true, false) => "a client stream",
        (false, true) => "a server stream",
        (true, true) => "a bidirectional stream",
    }
}

/// Returns the exporter's counterpart of a client's field, or the reason for its lack.
fn offered<'a>(
    field: &FieldDescriptorProto,
    exporter: &'a DescriptorProto,
) -> Result<&'a FieldDescriptorProto, String> {
    let moved = exporter
        .field
        .iter()
        .find(|other| other.name() == field.name() && other.number() != field.number());
    if let Some(moved) = moved {
        return Err(format!("has the number {} there", moved.number()));
    }
    by_number(exporter, field.number()).ok_or_else(|| "is missing".to_owned())
}

fn by_number(message: &DescriptorProto, number: i32) -> Option<&FieldDescriptorProto> {
    message.field.iter().find(|field| field.number() == number)
}

/// Returns a message's name without the dot that it begins with in descriptors.
fn full_name(name: &str) -> String {
    name.trim_start_matches('.').to_owned()
}

/// Formats a field as `greeting.v1.FetchGreetingRequest.tongue (1)`.
fn place(message: &str, field: &FieldDescriptorProto) -> String {
    format!("{message}.{} ({})", field.name(), field.number())
}

/// Formats a type as `repeated string` or `greeting.v1.Tongue`.
fn describe(field: &FieldDescriptorProto) -> String {
    let label = if repeated(field) { "repeated " } else { "" };
    match field.type_name().trim_start_matches('.') {
        "" => format!(
            "{label}{}",
            field
                .r#type()
                .as_str_name()
                .trim_start_matches("TYPE_")
                .to_ascii_lowercase()
        ),
        name => format!("{label}{name}"),
    }
}

fn repeated(field: &FieldDescriptorProto) -> bool {
    field.label() == Label::Repeated
}

#[cfg(test)]
mod tests;
