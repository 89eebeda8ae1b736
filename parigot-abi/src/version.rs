//! The version of the ABI.

/// The version of the ABI that this crate specifies.
pub const VERSION: Version = Version { major: 2, minor: 0 };

/// A version of the ABI. See [`Version::runs`] for the guests that a host can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Incremented by changes that old guests cannot run with.
    pub major: u16,
    /// Incremented by additions: a guest skips frames of kinds that it does not know.
    pub minor: u16,
}

impl Version {
    /// Reports whether a host of this version can run a guest of version `guest`: the major
    /// versions are equal, and the guest's minor version is not newer.
    ///
    /// ```
    /// use parigot_abi::Version;
    ///
    /// let host = Version { major: 2, minor: 1 };
    /// assert!(host.runs(Version { major: 2, minor: 0 }));
    /// assert!(!host.runs(Version { major: 2, minor: 2 }));
    /// assert!(!host.runs(Version { major: 1, minor: 0 }));
    /// ```
    pub const fn runs(self, guest: Version) -> bool {
        self.major == guest.major && self.minor >= guest.minor
    }

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
