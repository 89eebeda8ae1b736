//! Ids of 128 bits: a type tag of 16 bits and a random payload of 112 bits.
//!
//! **Wire form**: two `u64`, `high` and `low`. The top 16 bits of `high` are the type's tag. The
//! other 48 bits of `high` and all of `low` are the payload. Two payloads are special: all zeros is
//! *empty*, an unset id; all ones is *zero*, the id for "no answer".
//!
//! **Text form**: prefix, `_`, 23 digits and 1 check digit, for example
//! `svc_0123456789abcdefghjkmnp` and a check digit. Digits are Crockford's base 32 in lower case
//! (`0-9a-z` without `i l o u`), highest bits first. The 23 digits hold 115 bits, and the top 3
//! bits are 0. The check digit is the Reed-Solomon code of one symbol over GF(32) (polynomial
//! x^5 + x^2 + 1, generator x): the sum of digit `k` times x^(23 - k). It detects every wrong digit
//! and every transposition of two digits, since 24 is less than the field's 31 powers.
//!
//! **Short form**, for people: prefix, `_`, and the last 6 digits of the payload. The short form
//! cannot be parsed.
//!
//! **Tag**: the prefix is one to three characters of `a-z0-9`, and the first is a letter. The tag
//! is the prefix read as a number in base 37 (absent = 0, `a` = 1 … `z` = 26, `0` = 27 … `9` = 36),
//! so that different prefixes have different tags.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::str::FromStr;

/// A type of id, with its name and prefix. Ids of different types are different Rust types.
///
/// ```
/// use parigot_abi::id::{Id, IdType};
///
/// enum Ticket {}
/// impl IdType for Ticket {
///     const NAME: &'static str = "TicketId";
///     const PREFIX: &'static str = "tkt";
/// }
/// type TicketId = Id<Ticket>;
///
/// let id = TicketId::from_random(42);
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
///
/// This does not compile:
///
/// ```compile_fail,E0308
/// use parigot_abi::id::{CallId, ServiceId};
///
/// let service: ServiceId = CallId::from_random(42);
/// ```
pub trait IdType: 'static {
    /// The type's name in messages, `ServiceId`.
    const NAME: &'static str;
    /// One to three characters of `a-z0-9`; the first is a letter.
    const PREFIX: &'static str;
}

macro_rules! id_types {
    ($($(#[$doc:meta])* $alias:ident = $marker:ident, $prefix:literal;)*) => {$(
        #[doc = concat!("The type of [`", stringify!($alias), "`].")]
        #[derive(Debug)]
        pub enum $marker {}
        impl IdType for $marker {
            const NAME: &'static str = stringify!($alias);
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )*};
}

id_types! {
    /// Id of a running host.
    HostId = Host, "hst";
    /// Id of a service of a deployment.
    ServiceId = Service, "svc";
    /// Id of a method of a service.
    MethodId = Method, "mth";
    /// Id of an rpc in flight.
    CallId = Call, "cal";
    /// Id of a running guest.
    InstanceId = Instance, "ins";
}

const PAYLOAD_BITS: u32 = 112;
const PAYLOAD_MASK: u128 = (1 << PAYLOAD_BITS) - 1;
const DIGITS: usize = 23;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// An id of type `T`: see the [module](self).
pub struct Id<T: IdType> {
    bits: u128,
    of: PhantomData<fn() -> T>,
}

impl<T: IdType> Id<T> {
    const TAG: u16 = tag(T::PREFIX);

    /// The unset id.
    pub const EMPTY: Self = Self::from_payload(0);
    /// The id for "no answer".
    pub const ZERO: Self = Self::from_payload(PAYLOAD_MASK);

    const fn from_payload(payload: u128) -> Self {
        Id {
            bits: (Self::TAG as u128) << PAYLOAD_BITS | payload,
            of: PhantomData,
        }
    }

    /// Creates an id with the low 112 of 128 random bits as payload. The payloads of empty and of
    /// zero are replaced, so that the id is neither.
    pub const fn from_random(random: u128) -> Self {
        match random & PAYLOAD_MASK {
            0 => Self::from_payload(1),
            PAYLOAD_MASK => Self::from_payload(PAYLOAD_MASK - 1),
            payload => Self::from_payload(payload),
        }
    }

    /// Reads the wire form. (0, 0), an unset field of a message, gives the empty id.
    ///
    /// # Errors
    ///
    /// Returns [`IdError::WrongType`] if the tag belongs to another type.
    ///
    /// ```
    /// use parigot_abi::id::{CallId, ServiceId};
    ///
    /// let service = ServiceId::from_random(42);
    /// let (high, low) = service.to_wire();
    /// assert_eq!(ServiceId::from_wire(high, low), Ok(service));
    /// assert!(CallId::from_wire(high, low).is_err());
    /// ```
    pub fn from_wire(high: u64, low: u64) -> Result<Self, IdError> {
        let bits = (high as u128) << 64 | low as u128;
        match (bits >> PAYLOAD_BITS) as u16 {
            _ if bits == 0 => Ok(Self::EMPTY),
            tag if tag == Self::TAG => Ok(Id {
                bits,
                of: PhantomData,
            }),
            _ => Err(IdError::WrongType {
                expected: T::NAME,
                prefix: T::PREFIX,
            }),
        }
    }

    /// Returns the wire form: the high and the low half.
    pub const fn to_wire(self) -> (u64, u64) {
        ((self.bits >> 64) as u64, self.bits as u64)
    }

    /// Returns all 128 bits, the type included.
    pub const fn key(self) -> u128 {
        self.bits
    }

    /// Returns true for the empty id.
    pub const fn is_empty(self) -> bool {
        self.bits & PAYLOAD_MASK == 0
    }

    /// Returns true for the zero id.
    pub const fn is_zero(self) -> bool {
        self.bits & PAYLOAD_MASK == PAYLOAD_MASK
    }

    /// Returns the short form, which displays the prefix and the last 6 digits: `svc_fghjkm`.
    ///
    /// ```
    /// let id = parigot_abi::id::ServiceId::from_random(42);
    /// assert_eq!(id.short().to_string(), "svc_00001a");
    /// ```
    pub fn short(self) -> Short<T> {
        Short(self)
    }

    fn digits(self) -> [u8; DIGITS] {
        let payload = self.bits & PAYLOAD_MASK;
        core::array::from_fn(|k| (payload >> (5 * (DIGITS - 1 - k)) & 31) as u8)
    }
}

impl<T: IdType> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: IdType> Copy for Id<T> {}

impl<T: IdType> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<T: IdType> Eq for Id<T> {}

/// Orders by the payload. The payload is random, so the order has no meaning.
impl<T: IdType> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits.cmp(&other.bits)
    }
}

impl<T: IdType> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: IdType> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<T: IdType> Default for Id<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T: IdType> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: IdType> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        write!(f, "{}_", T::PREFIX)?;
        write_digits(f, &digits)?;
        write_digits(f, &[check_digit(&digits)])
    }
}

fn write_digits(f: &mut fmt::Formatter<'_>, digits: &[u8]) -> fmt::Result {
    digits
        .iter()
        .try_for_each(|digit| fmt::Write::write_char(f, ALPHABET[*digit as usize] as char))
}

/// Displays the short form of an id: see [`Id::short`].
pub struct Short<T: IdType>(Id<T>);

impl<T: IdType> fmt::Debug for Short<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: IdType> fmt::Display for Short<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", T::PREFIX)?;
        write_digits(f, &self.0.digits()[DIGITS - 6..])
    }
}

/// The error of a text or wire form that is not an id of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdError {
    /// A message has no id: its field is absent, or has no content.
    Missing {
        /// Name of the expected type.
        expected: &'static str,
    },
    /// The prefix or the tag does not belong to the expected type.
    WrongType {
        /// Name of the expected type.
        expected: &'static str,
        /// Prefix of the expected type.
        prefix: &'static str,
    },
    /// The number of digits is wrong.
    WrongLength {
        /// Number of characters after the prefix.
        found: usize,
    },
    /// A character is not a digit.
    WrongDigit {
        /// The character.
        found: char,
        /// Index of the character in the text, from 0.
        at: usize,
    },
    /// All characters are digits, but the check digit does not match: the text was mistyped.
    WrongCheck,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdError::Missing { expected } => write!(f, "no {expected}: the id is missing"),
            IdError::WrongType { expected, prefix } => {
                write!(f, "not a {expected}: expected it to start with `{prefix}_`")
            }
            IdError::WrongLength { found } => {
                write!(
                    f,
                    "expected {} characters after the prefix, found {found}",
                    DIGITS + 1
                )
            }
            IdError::WrongDigit { found, at } => {
                write!(f, "{found:?} at character {at} is not a digit of an id")
            }
            IdError::WrongCheck => {
                f.write_str("the check digit does not match: a character is wrong")
            }
        }
    }
}

impl core::error::Error for IdError {}

impl<T: IdType> FromStr for Id<T> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong_type = IdError::WrongType {
            expected: T::NAME,
            prefix: T::PREFIX,
        };
        let digits = text
            .strip_prefix(T::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(wrong_type)?;
        let found = digits.chars().count();
        if found != DIGITS + 1 {
            return Err(IdError::WrongLength { found });
        }
        let mut values = [0; DIGITS + 1];
        for (k, found) in digits.chars().enumerate() {
            let at = T::PREFIX.len() + 1 + k;
            values[k] = digit_value(found).ok_or(IdError::WrongDigit { found, at })?;
        }
        let (payload, check) = values.split_at(DIGITS);
        // The top 3 of the 115 bits are 0 in every id, so a first digit above 3 is an error.
        if check_digit(payload) != check[0] || payload[0] > 3 {
            return Err(IdError::WrongCheck);
        }
        Ok(Self::from_payload(
            payload
                .iter()
                .fold(0, |bits, digit| bits << 5 | *digit as u128),
        ))
    }
}

fn digit_value(digit: char) -> Option<u8> {
    ALPHABET
        .iter()
        .position(|known| *known as char == digit)
        .map(|value| value as u8)
}

/// Returns the sum of digit `k` times x^(23 - k) in GF(32), by Horner's rule.
fn check_digit(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |sum, digit| times_x(sum ^ digit))
}

/// Multiplies by x modulo x^5 + x^2 + 1.
fn times_x(element: u8) -> u8 {
    let shifted = element << 1;
    if shifted & 0b10_0000 == 0 {
        shifted
    } else {
        shifted ^ 0b10_0101
    }
}

const fn tag(prefix: &str) -> u16 {
    let bytes = prefix.as_bytes();
    assert!(
        !bytes.is_empty() && bytes.len() <= 3,
        "a prefix must have one to three characters"
    );
    assert!(
        bytes[0].is_ascii_lowercase(),
        "a prefix must begin with a letter"
    );
    let mut tag = 0;
    let mut k = 0;
    while k < 3 {
        let value = if k >= bytes.len() {
            0
        } else if bytes[k].is_ascii_lowercase() {
            bytes[k] - b'a' + 1
        } else {
            assert!(
                bytes[k].is_ascii_digit(),
                "a prefix must consist of a-z and 0-9"
            );
            bytes[k] - b'0' + 27
        };
        tag = tag * 37 + value as u16;
        k += 1;
    }
    tag
}
