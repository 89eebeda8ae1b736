// Written by `parigot boilerplateid --lang rust Ticket tkt`; edit it as you like.

/// Id of one Ticket.
///
/// `cx.random().id()` creates one. `to_string` and `parse` convert to and from text, `to_wire` and
/// `from_wire` to and from two `fixed64` of a message.
pub type TicketId = ::parigot_guest::id::Id<TicketIdType>;

/// Marker that gives [`TicketId`] a type of its own.
#[derive(Debug)]
pub enum TicketIdType {}

impl ::parigot_guest::id::IdType for TicketIdType {
    const NAME: &'static str = "TicketId";
    const PREFIX: &'static str = "tkt";
}
