// Written by `parigot boilerplateid --lang rust Order o2`; edit it as you like.

/// Id of one Order.
///
/// `cx.random().id()` creates one. `to_string` and `parse` convert to and from text, `to_wire` and
/// `from_wire` to and from two `fixed64` of a message.
pub type OrderId = ::parigot_guest::id::Id<OrderIdType>;

/// Marker that gives [`OrderId`] a type of its own.
#[derive(Debug)]
pub enum OrderIdType {}

impl ::parigot_guest::id::IdType for OrderIdType {
    const NAME: &'static str = "OrderId";
    const PREFIX: &'static str = "o2";
}
