//! The version of the ABI.

/// The version of the ABI that this crate specifies.
pub const VERSION: Version = Version { major: 1, minor: 0 };

/// A version of the ABI. A host and a guest with equal `major` are compatible: each skips frames
/// of kinds that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Incremented by changes that old guests cannot run with.
    pub major: u16,
    /// Incremented by new frames that old guests may skip.
    pub minor: u16,
}

impl Version {
    /// Returns the packed form, which `parigot_abi` returns: `major << 16 | minor`.
    ///
    /// ```
    /// use parigot_abi::Version;
    ///
    /// let version = Version { major: 1, minor: 2 };
    /// assert_eq!(version.packed(), 0x1_0002);
    /// assert_eq!(Version::from_packed(0x1_0002), version);
    /// ```
    pub const fn packed(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }

    /// Reads the packed form. Every `u32` is valid.
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
