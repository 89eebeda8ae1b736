//! The version of the ABI.

/// The version of the ABI that this crate lays out.
pub const VERSION: Version = Version { major: 1, minor: 0 };

/// A version of the ABI. Sides of equal `major` understand each other: the newer one's extra frames are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Raised when old guests can no longer be run.
    pub major: u16,
    /// Raised when frames are added that old guests may skip.
    pub minor: u16,
}

impl Version {
    /// The form in which `parigot_abi` returns it: `major << 16 | minor`.
    pub const fn packed(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }

    /// Reads the packed form; every `u32` is one.
    pub const fn from_packed(packed: u32) -> Self {
        Version {
            major: (packed >> 16) as u16,
            minor: packed as u16,
        }
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
