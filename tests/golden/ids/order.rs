// Written by `parigot boilerplateid --lang rust Order o2`, and yours from here on.

/// The id of a Order.
///
/// `cx.random().id()` makes a new one. `to_string` and `parse` lead to its text form and back, `to_wire` and `from_wire` to two
/// `fixed64` of a message and back.
pub type OrderId = ::parigot_guest::id::Id<OrderIdType>;

/// Makes a [`OrderId`] another type than every other id.
#[derive(Debug)]
pub enum OrderIdType {}

impl ::parigot_guest::id::IdType for OrderIdType {
    const NAME: &'static str = "OrderId";
    const PREFIX: &'static str = "o2";
}
