// Written by `parigot boilerplateid --lang rust Ticket tkt`, and yours from here on.

/// The id of a Ticket.
///
/// `cx.random().id()` makes a new one. `to_string` and `parse` lead to its text form and back,
/// `to_wire` and `from_wire` to two `fixed64` of a message and back.
pub type TicketId = ::parigot_guest::id::Id<TicketIdType>;

/// Makes a [`TicketId`] another type than every other id.
#[derive(Debug)]
pub enum TicketIdType {}

impl ::parigot_guest::id::IdType for TicketIdType {
    const NAME: &'static str = "TicketId";
    const PREFIX: &'static str = "tkt";
}
