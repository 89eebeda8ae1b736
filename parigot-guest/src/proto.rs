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
///
/// let absent: Option<proto::Id> = None;
/// assert!(CallId::try_from(absent.unwrap_or_default()).is_err());
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

/// Fails for an id of another type, and for a message without content, which
/// `field.unwrap_or_default()` makes of an absent field.
impl<T: IdType> TryFrom<Id> for id::Id<T> {
    type Error = IdError;

    fn try_from(Id { high, low }: Id) -> Result<Self, IdError> {
        if (high, low) == (0, 0) {
            return Err(IdError::Missing { expected: T::NAME });
        }
        id::Id::from_wire(high, low)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use parigot_abi::id::{CallId, ServiceId};

    use super::*;

    #[test]
    fn a_missing_id_is_an_error() {
        let missing = IdError::Missing { expected: "CallId" };
        assert_eq!(CallId::try_from(Id::default()), Err(missing));
        assert_eq!(missing.to_string(), "no CallId: the id is missing");
        // The empty id of a type is an id, which a guest has written.
        assert_eq!(CallId::try_from(Id::from(CallId::EMPTY)), Ok(CallId::EMPTY));
        assert!(CallId::try_from(Id::from(ServiceId::EMPTY)).is_err());
    }
}
