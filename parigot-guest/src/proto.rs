//! Messages that are used in users' messages: those of `parigot/v1/id.proto`.

use parigot_abi::id::{self, IdError, IdType};

/// An id of any type, in its wire form: `parigot.v1.Id`.
///
/// ```
/// use parigot_guest::{id::CallId, proto};
///
/// let id = CallId::from_random(42);
/// let message = proto::Id::from(id);
/// assert_eq!(CallId::try_from(message), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Id {
    /// The type, and the upper 48 random bits.
    #[prost(fixed64, tag = "1")]
    pub high: u64,
    /// The lower 64 random bits.
    #[prost(fixed64, tag = "2")]
    pub low: u64,
}

impl<T: IdType> From<id::Id<T>> for Id {
    fn from(id: id::Id<T>) -> Self {
        let (high, low) = id.to_wire();
        Id { high, low }
    }
}

/// Fails for an id of another type. A message that was never set converts to an empty id, and so
/// does `field.unwrap_or_default()`.
impl<T: IdType> TryFrom<Id> for id::Id<T> {
    type Error = IdError;

    fn try_from(Id { high, low }: Id) -> Result<Self, IdError> {
        id::Id::from_wire(high, low)
    }
}
